import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { explainRecord } from '../src/route/explain.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { TestAuthority } from './kubernetes/support/pki.ts';
import { recordOf } from './support/record.ts';

const policy = `
version: 1
workspaces: { known: [red, team-a, acme] }
callers:
  believe: { workspace: trusted, user: trusted, userTier: trusted, route: trusted }
  identify:
    - { name: mesh, when: { namespace: ["team-*"] }, workspace: "{namespace}" }
    - { name: people, when: { claims: { payload.iss: [https://login.acme.example] } }, workspace: "{claims.payload.tenant}", user: "{claims.payload.sub}", userTier: "{claims.payload.tier}" }
  trust:
    - { name: batch, when: { principal: ["spiffe://cluster.local/ns/batch/*"] } }
    - { name: inner-gateway, when: { header: { x-inner: [yes] } } }
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  overrides:
    - { name: premium, when: { userTier: [premium] }, then: { keep: true } }
`;

const folder = mkdtempSync(join(tmpdir(), 'sluice-callers-'));
const simulator = new ProviderSimulator();
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let authority: TestAuthority;
let stack: Stack;

interface Chain {
  filters: { typed_config: { http_filters: object[]; [key: string]: unknown } }[];
  transport_socket?: object;
}

/** What an operator's own Envoy does: TLS with client certificates that it tells of, and a filter that checks JWTs. */
function secured(config: object): object {
  const copy = structuredClone(config) as { static_resources: { listeners: { filter_chains: Chain[] }[] } };
  const chain = copy.static_resources.listeners[0]!.filter_chains[0]!;
  const file = (name: string): object => ({ filename: authority.path(name) });
  chain.transport_socket = {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: {
        tls_certificates: [{ certificate_chain: file('gateway.crt'), private_key: file('gateway.key') }],
        validation_context: { trusted_ca: file('ca.crt') },
      },
    },
  };
  const manager = chain.filters[0]!.typed_config;
  manager['forward_client_cert_details'] = 'SANITIZE_SET';
  manager['set_current_client_cert_details'] = { subject: true, uri: true, dns: true };
  manager.http_filters.unshift({
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
      providers: {
        acme: {
          issuer: 'https://login.acme.example',
          from_headers: [{ name: 'x-jwt' }],
          local_jwks: { inline_string: JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'k' }] }) },
          payload_in_metadata: 'payload',
        },
      },
      rules: [
        {
          match: { prefix: '/' },
          requires: { requires_any: { requirements: [{ provider_name: 'acme' }, { allow_missing_or_failed: {} }] } },
        },
      ],
    },
  });
  return copy;
}

beforeAll(async () => {
  authority = new TestAuthority(folder);
  authority.certify('gateway', '/CN=localhost', ['DNS:localhost', 'IP:127.0.0.1']);
  authority.certify('team-a', '/CN=web', ['URI:spiffe://cluster.local/ns/team-a/sa/web'], 'clientAuth');
  authority.certify('batch', '/CN=batch', ['URI:spiffe://cluster.local/ns/batch/sa/job'], 'clientAuth');
  stack = new Stack({ policy, endpoint: await simulator.listen(), envoyConfig: secured });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
  rmSync(folder, { recursive: true, force: true });
});

const body = '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}';

/** Sends a request with headers as they are, as who has a certificate, and gives its record. */
async function ask(headers: Readonly<Record<string, string | readonly string[]>>, who?: string): Promise<ExchangeRecord> {
  const options: RequestOptions = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(headers as Record<string, string | string[]>) },
    ca: readFileSync(authority.path('ca.crt')),
    ...(who === undefined ? {} : { cert: readFileSync(authority.path(`${who}.crt`)), key: readFileSync(authority.path(`${who}.key`)) }),
  };
  const id = await new Promise<string>((resolve, reject) => {
    const sent = request(new URL('/v1/chat/completions', stack.url.replace('http:', 'https:')), options, (response) => {
      response.resume();
      response.on('end', () => resolve(String(response.headers['x-sluice-decision'])));
    });
    sent.on('error', reject);
    sent.end(body);
  });
  return recordOf(stack.adminUrl, id);
}

function jwt(claims: object, key = privateKey): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = `${part({ alg: 'ES256', kid: 'k' })}.${part(claims)}`;
  return `${head}.${sign('sha256', Buffer.from(head), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const brief = ({ workspace, user, caller, decision }: ExchangeRecord) => ({
  workspace,
  user: user !== null,
  reason: decision?.reason ?? null,
  ...caller,
});
const nobody = { workspace: 'default', user: false, reason: 'tier', userTier: null, quality: null, task: null };
const lies = { 'x-sluice-workspace': 'red', 'x-sluice-user': 'ann', 'x-sluice-user-tier': 'premium', 'x-sluice-route': 'off' };
const ignored = ['workspace', 'user', 'user-tier', 'route'].map((claim) => ({ claim, why: 'untrusted' }));

describe('callers at an Envoy that knows them', () => {
  it('believes nobody without a certificate, whatever certificate the headers tell of', async () => {
    const record = await ask({ ...lies, 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/batch/sa/job' });
    expect(brief(record)).toEqual({ ...nobody, ignored });
    expect(explainRecord(record)).toContain('\n  caller      workspace does not count: the policy does not believe this caller;');
    expect(await ask({ 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/team-a/sa/web' })).toMatchObject({ workspace: 'default' });
  });

  it('believes a principal that the policy trusts, unless it says things twice', async () => {
    expect(brief(await ask(lies, 'batch'))).toEqual({
      ...nobody,
      workspace: 'red',
      user: true,
      userTier: 'premium',
      reason: 'route-off',
      trusted: 'batch',
    });
    const twice = await ask({ ...lies, 'x-sluice-workspace': ['red', 'blue'], 'x-sluice-route': ['off', 'off'] }, 'batch');
    expect(brief(twice)).toEqual({
      ...nobody,
      user: true,
      userTier: 'premium',
      reason: 'kept-by-rule',
      trusted: 'batch',
      ignored: [
        { claim: 'workspace', why: 'doubled' },
        { claim: 'route', why: 'doubled' },
      ],
    });
  });

  it('knows a workspace by its namespace, whatever it says', async () => {
    expect(brief(await ask(lies, 'team-a'))).toEqual({ ...nobody, workspace: 'team-a', identity: 'mesh', ignored: ignored.slice(1) });
  });

  it('knows who a checked JWT is of, and nobody by one that is not', async () => {
    const claims = { iss: 'https://login.acme.example', tenant: 'acme', sub: 'bob', tier: 'premium' };
    expect(brief(await ask({ ...lies, 'x-jwt': jwt(claims) }))).toEqual({
      ...nobody,
      workspace: 'acme',
      user: true,
      userTier: 'premium',
      reason: 'kept-by-rule',
      identity: 'people',
      ignored: [{ claim: 'route', why: 'untrusted' }],
    });
    const forger = createPrivateKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(brief(await ask({ ...lies, 'x-jwt': jwt(claims, forger) }))).toEqual({ ...nobody, ignored });
  });

  it('believes who has a header that something before it sets, once', async () => {
    expect(brief(await ask({ ...lies, 'x-inner': 'yes' }))).toMatchObject({
      workspace: 'red',
      reason: 'route-off',
      trusted: 'inner-gateway',
    });
    expect(brief(await ask({ ...lies, 'x-inner': ['yes', 'yes'] }))).toEqual({ ...nobody, ignored });
  });

  it('counts what did not count', async () => {
    const metrics = await (await fetch(`${stack.adminUrl}/metrics`)).text();
    expect(Number(/llm_proxy_caller_claim_ignored_total\{claim="workspace",why="doubled"\} (\d+)/.exec(metrics)?.[1])).toBe(1);
    expect(Number(/llm_proxy_caller_claim_ignored_total\{claim="route",why="untrusted"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(3);
  });
});
