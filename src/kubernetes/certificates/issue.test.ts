import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../../../test/support/openssl.ts';
import { issueFor, makeAuthority, permits, signerOf, validityOf, type Authority } from './issue.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-issue-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const day = 86_400_000;
const now = Date.now();
const validity = { from: now, to: now + 30 * day };
const hosts = ['sluice-webhook.llm.svc', 'api.openai.com'];

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** A CA as Helm makes it: an RSA key, and a name of printable characters. */
function rsaAuthority(): Authority {
  const extensions = [
    'basicConstraints=critical,CA:true',
    'subjectKeyIdentifier=hash',
    'keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign',
  ];
  const config = file('req.cnf', '[req]\nstring_mask = pkix\ndistinguished_name = name\n[name]\n');
  const made = selfSigned('/CN=rel-sluice CA', ['-config', config, '-days', '60', ...extensions.flatMap((one) => ['-addext', one])]);
  return { ...made, chain: '' };
}

describe('certificates', () => {
  it.each([
    ['a CA of its own', () => makeAuthority('sluice CA', { from: now, to: now + 20 * 365 * day }, hosts)],
    ['a CA that Helm made', rsaAuthority],
  ])('pass OpenSSL’s strict check: %s', async (_name, make) => {
    const authority = await make();
    // OpenSSL's clock may be another one than that of a test whose clock was moved.
    const { from } = validityOf(authority.crt);
    const { crt } = await issueFor(hosts, authority, { from, to: from + 30 * day });
    const at = ['-attime', String((from + day) / 1000)];
    const chain = authority.chain === '' ? [] : ['-untrusted', file('chain.crt', authority.chain)];
    const files = ['-CAfile', file('ca.crt', authority.crt), ...chain, '-verify_hostname', hosts[1]!, file('own.crt', crt)];
    const check = ['verify', '-x509_strict', ...at, ...files];
    expect(execFileSync('openssl', check, { encoding: 'utf8' })).toContain(': OK');
    expect(new X509Certificate(crt).subjectAltName).toBe('DNS:sluice-webhook.llm.svc, DNS:api.openai.com');
  });

  it('are valid as long as was asked for, and no longer than their CA, beyond 2050 too', async () => {
    const to = Date.parse('2071-03-04T05:06:07Z');
    const authority = await makeAuthority('sluice CA', { from: now, to }, hosts);
    expect(Date.parse(new X509Certificate(authority.crt).validTo)).toBe(to);
    const { crt } = await issueFor(hosts, authority, { from: now, to: to + day });
    expect(Date.parse(new X509Certificate(crt).validTo)).toBe(to);
  });

  it('name their issuer byte by byte as the CA names itself, since clients in Go compare bytes', async () => {
    const { crt } = await issueFor(hosts, rsaAuthority(), validity);
    const printable = Buffer.from([0x13, 'rel-sluice CA'.length]);
    expect(new X509Certificate(crt).raw.includes(Buffer.concat([printable, Buffer.from('rel-sluice CA')]))).toBe(true);
  });

  it('are of a CA that permits its names and those below them, and no other name passes a check', async () => {
    const many = Array.from({ length: 40 }, (_, index) => `api-${index}.example.com`);
    const authority = await makeAuthority('sluice CA', validity, [...hosts, ...many]);
    for (const [host, permitted] of [
      ['api.openai.com', true],
      ['eu.api.openai.com', true],
      ['api-39.example.com', true],
      ['openai.com', false],
      ['evil-api.openai.com', false],
      ['bank.example', false],
    ] as const)
      expect([host, permits(authority, host)]).toEqual([host, permitted]);
    expect(permits(rsaAuthority(), 'bank.example')).toBe(true);
    // The key that is kept is that of the limited one, and signs nothing that the root alone would vouch for.
    expect(new X509Certificate(authority.crt).checkPrivateKey(createPrivateKey(authority.key))).toBe(false);
    expect(new X509Certificate(signerOf(authority)).checkPrivateKey(createPrivateKey(authority.key))).toBe(true);
    const verdict = async (host: string): Promise<string> => {
      const { crt } = await issueFor([host], authority, validity);
      const args = ['-CAfile', file('ca.crt', authority.crt), '-untrusted', file('chain.crt', authority.chain), file('leaf.crt', crt)];
      // openssl may see another clock than the certificates' maker.
      const now = ['-attime', String(Math.floor(Date.now() / 1000))];
      const { stdout, stderr } = spawnSync('openssl', ['verify', ...now, ...args], { encoding: 'utf8' });
      return stdout + stderr;
    };
    expect(await verdict('api.openai.com')).toContain(': OK');
    expect(await verdict('bank.example')).toContain('permitted subtree violation');
  });

  it('serve TLS to a client that trusts the CA alone', async () => {
    const authority = await makeAuthority('sluice CA', validity, hosts);
    const { crt, key } = await issueFor(hosts, authority, validity);
    const server = createServer({ cert: crt, key }, (socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const said = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, servername: hosts[0]!, ca: authority.crt });
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString()));
      socket.once('error', reject);
    });
    server.close();
    expect(said).toBe('hello');
  });
});
