import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { TestCluster } from './support/cluster.ts';
import { plainHelm, type Values } from './support/helm.ts';
import { TestAuthority } from './support/pki.ts';
import { LocalRelease } from './support/release.ts';
import { missing } from './support/tools.ts';

const absent = missing('testkube', 'helm');
/** Longer than Sluice waits between two looks at its certificates. */
const aLook = { timeout: 90_000, interval: 500 };

describe.skipIf(absent !== '')(`the certificates of a release${absent}`, () => {
  let cluster: TestCluster;
  let release: LocalRelease;
  const values: Values = {
    webhooks: { policy: true },
    egress: { names: { enabled: true, hosts: ['api.openai.com'] } },
    policy: { inline: 'version: 1\nproviders:\n  openai: { endpoint: "http://127.0.0.1:9" }\n' },
  };

  const secret = async (name = 'rel-sluice-tls'): Promise<Readonly<Record<string, string>>> => {
    const { data = {} } = JSON.parse(await cluster.kubectl('get', 'secret', name, '--namespace', 'llm', '--output', 'json')) as {
      readonly data?: Readonly<Record<string, string>>;
    };
    return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
  };
  const kinds = ['validatingwebhookconfiguration', 'mutatingwebhookconfiguration'] as const;
  /** What the webhooks trust, each once. */
  const trusted = async (): Promise<string[]> => {
    const bundles = await Promise.all(
      kinds.map((kind) => cluster.kubectl('get', kind, 'llm-rel-sluice', '--output', 'jsonpath={.webhooks[*].clientConfig.caBundle}')),
    );
    return [...new Set(bundles.flatMap((text) => text.split(' ')))].map((text) => Buffer.from(text, 'base64').toString());
  };
  /** The certificate of a server, for a client that trusts these CAs alone. */
  const served = (port: number, servername: string, ca: string): Promise<X509Certificate> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, servername, ca }, () => {
        resolve(socket.getPeerX509Certificate()!);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  const webhook = async (): Promise<X509Certificate> =>
    served(release.webhookPort, 'rel-sluice-webhook.llm.svc', (await secret())['ca.crt'] ?? '');
  const empty = (...keys: readonly string[]): Promise<string> =>
    cluster.kubectl(
      'patch',
      'secret',
      'rel-sluice-tls',
      '--namespace',
      'llm',
      '--patch',
      JSON.stringify({ data: keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, null])) }),
    );

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    await cluster.applied(stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'llm' } }));
    release = new LocalRelease(cluster);
    await release.start(values);
  });

  afterAll(async () => {
    release.stop();
    await cluster.stop();
  });

  it('are made in its Secret, which webhooks, Envoy and the webhook configurations use; Helm never sees a key', async () => {
    const made = await secret();
    expect(await trusted()).toEqual([made['ca.crt']]);
    expect((await webhook()).fingerprint256).toBe(new X509Certificate(made['webhook.crt']!).fingerprint256);
    const names = await served(release.tlsPort, 'api.openai.com', made['ca.crt']!);
    expect(names.fingerprint256).toBe(new X509Certificate(made['egress.crt']!).fingerprint256);
    expect(readFileSync(`${release.folder}/tls/egress/ca.crt`, 'utf8')).toBe(made['ca.crt']);
    expect(await plainHelm(['get', 'manifest', 'rel', '--namespace', 'llm'], { KUBECONFIG: cluster.kubeconfig })).not.toContain('LS0tLS1');
    const ends = Date.parse(names.validTo) / 1000;
    const metrics = await (await fetch(`${release.adminUrl}/metrics`)).text();
    expect(metrics).toContain(`llm_proxy_certificate_end_seconds{certificate="egress"} ${ends}\n`);
    for (const certificate of ['webhook', 'ca'])
      expect(metrics).toContain(`llm_proxy_certificate_end_seconds{certificate="${certificate}"} `);
  });

  it('give Sluice no right to any other Secret', async () => {
    const may = (verb: string, what: string): Promise<string> =>
      cluster
        .kubectl('auth', 'can-i', verb, what, '--namespace', 'llm', '--as', 'system:serviceaccount:llm:rel-sluice')
        .catch((error: unknown) => (error as { readonly stdout: string }).stdout);
    expect((await may('update', 'secret/rel-sluice-tls')).trim()).toBe('yes');
    for (const [verb, what] of [
      ['get', 'secret/other'],
      ['list', 'secrets'],
      ['create', 'secrets'],
      ['update', 'secret/rel-sluice-ca'],
      ['patch', 'mutatingwebhookconfigurations.admissionregistration.k8s.io/other'],
    ] as const)
      expect((await may(verb, what)).trim(), `${verb} ${what}`).toBe('no');
  });

  it('stay as they are in an upgrade and when Sluice starts again', async () => {
    const before = await secret();
    await release.helm('upgrade', values);
    await release.killSluice();
    await release.startSluice();
    expect(await secret()).toEqual(before);
    expect(await trusted()).toEqual([before['ca.crt']]);
  });

  it('are made again where one is missing, and served without a restart; the webhooks trust the CA again if somebody removed it', async () => {
    const before = await webhook();
    await empty('webhook.crt');
    const none = JSON.stringify([{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }]);
    await cluster.kubectl('patch', kinds[0], 'llm-rel-sluice', '--type', 'json', '--patch', none);
    await expect.poll(async () => (await webhook()).fingerprint256, aLook).not.toBe(before.fingerprint256);
    await expect.poll(trusted, aLook).toEqual([(await secret())['ca.crt']]);
  });

  it('come from the CA that an older chart made, if there is one', async () => {
    const older = new TestAuthority(cluster.folder);
    await cluster.kubectl(
      ...['create', 'secret', 'tls', 'rel-sluice-ca', '--namespace', 'llm'],
      ...['--cert', older.path('ca.crt'), '--key', older.path('ca.key')],
    );
    await release.killSluice();
    await empty();
    await release.startSluice();
    const ca = readFileSync(older.path('ca.crt'), 'utf8');
    expect((await secret())['ca.crt']).toBe(ca);
    expect(await trusted()).toEqual([ca]);
    expect((await webhook()).verify(new X509Certificate(ca).publicKey)).toBe(true);
  });
});
