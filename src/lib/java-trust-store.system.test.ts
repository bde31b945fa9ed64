import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../../test/support/openssl.ts';
import { trustStoreOf } from './java-trust-store.ts';

const run = promisify(execFile);
const absent = spawnSync('java', ['-version']).status === 0 ? '' : ' (skipped: no java on PATH)';
const folder = mkdtempSync(join(tmpdir(), 'sluice-java-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Gets a URL, and prints the status. */
const client = `
public class Get {
  public static void main(String[] args) throws Exception {
    var connection = (java.net.HttpURLConnection) new java.net.URL(args[0]).openConnection(java.net.Proxy.NO_PROXY);
    System.out.println("status " + connection.getResponseCode());
  }
}`;

describe.skipIf(absent !== '')(`a trust store for Java${absent}`, () => {
  it('has a real JVM trust a server of that CA by JAVA_TOOL_OPTIONS alone, and public CAs still', async () => {
    const { key, crt: cert } = selfSigned('/CN=localhost', ['-addext', 'subjectAltName=DNS:localhost', '-days', '2']);
    const server = createServer({ key, cert }, (_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const source = join(folder, 'Get.java');
    writeFileSync(source, client);
    const store = join(folder, 'ca.jks');
    writeFileSync(store, trustStoreOf(`${cert}\n${rootCertificates.join('\n')}\n`));
    const get = (env: object): Promise<string> =>
      run('java', [source, `https://localhost:${(server.address() as AddressInfo).port}/`], { env: { ...process.env, ...env } }).then(
        ({ stdout }) => stdout.trim(),
        (error: unknown) => (error as { readonly stderr: string }).stderr,
      );
    try {
      expect(await get({})).toContain('SSLHandshakeException');
      expect(await get({ JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStoreType=JKS` })).toBe('status 200');
    } finally {
      server.close();
    }
    const listed = execFileSync('keytool', ['-list', '-keystore', store, '-storepass', 'changeit'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(listed).toContain(`contains ${rootCertificates.length + 1} entries`);
  });
});
