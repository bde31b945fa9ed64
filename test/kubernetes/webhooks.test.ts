import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ProviderSimulator } from '../../src/demo/simulator.ts';
import { TestCluster, until } from './support/cluster.ts';
import type { Values } from './support/helm.ts';
import { entry } from '../support/entry.ts';
import { LocalRelease } from './support/release.ts';
import { missing } from './support/tools.ts';
import { certify, pointHere } from './support/webhook-here.ts';

const absent = missing('testkube', 'helm');
const run = promisify(execFile);

/** The command line with both of its outputs; never rejects. */
const cli = (...args: readonly string[]): Promise<{ readonly stdout: string }> =>
  run(process.execPath, [entry, ...args]).catch((error: unknown) => error as { readonly stdout: string });

interface Pod {
  readonly spec: {
    readonly initContainers?: readonly { readonly name: string; readonly image: string }[];
    readonly containers: readonly { readonly env?: readonly { readonly name: string; readonly value: string }[] }[];
    readonly hostAliases?: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  };
}

describe.skipIf(absent !== '')(`webhooks that a real API server calls${absent}`, () => {
  let cluster: TestCluster;
  let release: LocalRelease;
  let values: Values;
  const simulator = new ProviderSimulator();

  const labelled = (name: string, text: string, labels: object = { 'sluice.dev/policy': 'true' }): string =>
    stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'llm', labels }, data: { 'policy.yaml': text } });
  const section = (name: string, rest = ''): string =>
    `version: 1\nsections:\n  - name: ${name}\n    match: { workspace: [${name}] }\n    mode: shadow\n${rest}`;

  beforeAll(async () => {
    cluster = new TestCluster();
    await cluster.start();
    const namespace = (name: string, labels: object = {}): string =>
      `---\n${stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })}`;
    await cluster.applied(
      namespace('llm') +
        namespace('plain') +
        namespace('shop', { 'sluice.dev/egress': 'base-url' }) +
        namespace('bank', { 'sluice.dev/egress': 'names' }),
    );
    for (const name of ['plain', 'shop', 'bank']) await cluster.kubectl('create', 'serviceaccount', 'default', '--namespace', name);
    release = new LocalRelease(cluster);
    values = {
      webhooks: { policy: true, existingSecret: 'of-this-test' },
      egress: { baseUrl: true, names: { enabled: true } },
      policy: {
        inline: `version: 1\nproviders:\n  openai: { endpoint: "${await simulator.listen()}" }\ndefaults:\n  tiers: [simple]\n  candidates: { simple: [openai/gpt-5-nano] }\n`,
      },
    };
    const ca = certify(cluster, release, 'first');
    await release.start(values);
    expect(await pointHere(cluster, release, values, ca)).toBe(2);
    // A configuration is in force once the API server has seen it, a moment later.
    await until(async () => !(await cluster.apply(labelled('probe', 'version: 2\n'), '--dry-run=server')).ok, 'the webhook');
  });

  afterAll(async () => {
    release.stop();
    await simulator.close();
    await cluster.stop();
  });

  it('refuse a bad policy in the words of sluice validate', async () => {
    const text = section('team', '    tiers: [simpel]\n');
    const { ok, output } = await cluster.apply(labelled('team', text));
    expect(ok).toBe(false);
    const file = join(cluster.folder, 'policy.yaml');
    writeFileSync(file, text);
    const said = await run(process.execPath, [entry, 'validate', file]).catch((error: unknown) => error as { readonly stdout: string });
    const line = said.stdout.split('\n')[0]!.replace(`${file}:`, 'policy.yaml:');
    expect(line).toMatch(/^policy\.yaml:6:\d+ error .*Did you mean simple\?/);
    expect(output).toContain(`denied the request: Sluice refuses this policy:\n${line}\n`);
  });

  it('refuse one that says again what another says', async () => {
    await cluster.applied(labelled('team', section('team')));
    await until(async () => !(await cluster.apply(labelled('again', section('team')), '--dry-run=server')).ok, 'the first to be known');
    expect((await cluster.apply(labelled('again', section('team')))).output).toContain('there is another section called team');
    await cluster.applied(labelled('team', section('team').replace('shadow', 'off')));
  });

  it('warn of what is only doubtful, and leave other ConfigMaps alone', async () => {
    expect(await cluster.applied(labelled('pinned', section('pinned', '    pinned: [no-such-model]\n')))).toMatch(
      /^Warning: policy\.yaml:6:\d+ warning .*no-such-model/m,
    );
    await cluster.applied(labelled('notes', 'nonsense: 1\n', {}));
  });

  it('warn of what a good edit would change, tried on the requests that were just decided', async () => {
    const ask = (): Promise<Response> =>
      fetch(`${release.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
      });
    for (let i = 0; i < 4; i++) {
      const answer = await ask();
      expect(answer.headers.get('x-sluice-model')).toBe('gpt-5-nano');
      await answer.arrayBuffer();
    }
    const edited = labelled(
      'rel-sluice-policy',
      (values['policy'] as { readonly inline: string }).inline.replace('gpt-5-nano', 'gpt-5-mini'),
    );
    // A request counts when its answer has ended and is recorded.
    await until(async () => (await cluster.applied(edited, '--dry-run=server')).includes('of the last 4 requests'), 'the records');
    const said = await cluster.applied(edited, '--dry-run=server');
    expect(said).toMatch(
      /^Warning: effect: 100% of the last 4 requests of this replica would move from openai\/gpt-5-nano to openai\/gpt-5-mini\.$/m,
    );
    expect(said).toMatch(/^Warning: effect: about \+\$0\.\d+ in all by the usage of 4 requests\.$/m);
  });

  /** kubectl with both of its outputs; never rejects. */
  const kubectl = async (...args: readonly string[]): Promise<{ readonly ok: boolean; readonly output: string }> =>
    run(join(cluster.folder, 'kubectl'), ['--kubeconfig', cluster.kubeconfig, '--namespace', 'llm', ...args]).then(
      ({ stdout, stderr }) => ({ ok: true, output: stdout + stderr }),
      (error: unknown) => ({ ok: false, output: (error as { readonly stderr: string }).stderr }),
    );

  it('say what a removal changes, and refuse that of the last policy until an annotation allows it', async () => {
    const last = 'rel-sluice-policy';
    const metric = async (): Promise<string | undefined> =>
      /^llm_proxy_policy_none (\S+)$/m.exec(await (await fetch(`${release.adminUrl}/metrics`)).text())?.[1];
    const passes = /effect: 100% of the last 4 requests of this replica would pass without a decision\./;
    // Without a pause: the second is validated before the watch has shown the first removal.
    await cluster.applied(labelled('one-more', section('one-more')));
    const gone = await kubectl('delete', 'configmap', 'team', 'pinned', 'one-more');
    expect(gone.ok, gone.output).toBe(true);
    expect(gone.output).toMatch(/^Warning: effect: none of the last 4 requests of this replica would go elsewhere\.$/m);
    const removals: readonly (readonly string[])[] = [
      ['delete', 'configmap', last],
      ['delete', 'configmap', last, '--dry-run=server'],
      ['delete', 'configmaps', '--selector', 'sluice.dev/policy=true'],
      ['label', 'configmap', last, 'sluice.dev/policy-'],
      ['label', 'configmap', last, '--overwrite', 'sluice.dev/policy=no'],
    ];
    for (const args of removals) {
      const { ok, output } = await kubectl(...args);
      expect(ok, args.join(' ')).toBe(false);
      expect(output).toContain('Sluice refuses to remove the last policy: without a policy every request passes as its app sent it');
      expect(output).toMatch(passes);
      expect(output).toContain(`To allow it: kubectl annotate configmap ${last} --namespace llm sluice.dev/allow-no-policy=true`);
    }
    expect(await metric()).toBe('0');
    const kept = await cluster.kubectl('get', 'configmap', last, '--namespace', 'llm', '--output', 'json');
    expect((await kubectl('annotate', 'configmap', last, 'sluice.dev/allow-no-policy=true')).ok).toBe(true);
    const { ok, output } = await kubectl('label', 'configmap', last, 'sluice.dev/policy-');
    expect(ok, output).toBe(true);
    expect(output).toMatch(/^Warning: this removes the last policy: without a policy every request passes/m);
    expect(output).toMatch(passes);
    await until(async () => (await metric()) === '1', 'the metric');
    expect((await cli('status', '--admin', release.adminUrl)).stdout).toMatch(
      /^! \S+ has no policy: requests pass as their apps sent them$/m,
    );
    // A ConfigMap without the label is no business of the webhook.
    expect((await kubectl('delete', 'configmap', last)).output).not.toContain('Warning');
    const { metadata, data } = JSON.parse(kept) as {
      readonly metadata: { readonly name: string; readonly labels: object };
      readonly data: object;
    };
    await cluster.applied(
      stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: metadata.name, namespace: 'llm', labels: metadata.labels },
        data,
      }),
    );
    await until(async () => (await metric()) === '0', 'the policy');
  });

  it('are passed over while no Sluice answers', async () => {
    await release.killSluice();
    await cluster.applied(labelled('late', 'nonsense: 1\n'), '--dry-run=server');
    await release.startSluice();
    await until(async () => !(await cluster.apply(labelled('late', 'nonsense: 1\n'), '--dry-run=server')).ok, 'the webhook again');
  });

  it('take a renewed certificate of another CA without a restart', async () => {
    await pointHere(cluster, release, values, certify(cluster, release, 'second'));
    await until(async () => !(await cluster.apply(labelled('late', 'nonsense: 1\n'), '--dry-run=server')).ok, 'the new certificate');
  });

  const podOf = async (namespace: string, labels: object = {}, spec: object = {}): Promise<Pod> => {
    const container = { name: 'app', image: 'app', ...spec };
    await cluster.applied(
      stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'app', namespace, labels }, spec: { containers: [container] } }),
    );
    const pod = JSON.parse(await cluster.kubectl('get', 'pod', 'app', '--namespace', namespace, '--output', 'json')) as Pod;
    await cluster.kubectl('delete', 'pod', 'app', '--namespace', namespace, '--force');
    return pod;
  };
  const env = (pod: Pod): Record<string, string> =>
    Object.fromEntries((pod.spec.containers[0]!.env ?? []).map(({ name, value }) => [name, value]));

  it('set base URLs in pods of a namespace that asks for it, and in pods that ask themselves', async () => {
    expect(env(await podOf('shop'))).toMatchObject({
      OPENAI_BASE_URL: 'http://rel-sluice.llm/v1',
      ANTHROPIC_BASE_URL: 'http://rel-sluice.llm',
    });
    expect(env(await podOf('plain', { 'sluice.dev/egress': 'base-url' }))).toMatchObject({ OPENAI_BASE_URL: 'http://rel-sluice.llm/v1' });
  });

  it('touch no pod that opted out, and none that nobody asked for', async () => {
    expect(env(await podOf('shop', { 'sluice.dev/egress': 'none' }))).toEqual({});
    const pod = await podOf('plain');
    expect([env(pod), pod.spec.hostAliases, pod.spec.initContainers]).toEqual([{}, undefined, undefined]);
  });

  it('point the providers’ names at the gateway, whose Envoy answers under them by a certificate that the pod trusts', async () => {
    const pod = await podOf('bank');
    expect(pod.spec.hostAliases).toEqual([{ ip: '127.0.0.1', hostnames: expect.arrayContaining(['api.openai.com']) as string[] }]);
    expect(pod.spec.initContainers).toMatchObject([{ name: 'sluice-egress-ca', image: 'sluice:0.1.0' }]);
    // What the pod's init container does, and then a client that knows only the variables and the names.
    const bundle = join(release.folder, 'ca.pem');
    const ca = readFileSync(join(release.folder, 'tls/egress/ca.crt'), 'utf8');
    await run(process.execPath, [entry, 'ca-bundle', '--out', bundle], { env: { ...process.env, SLUICE_CA_PEM: ca } });
    // As one with Sluice's clock, by which the certificate is valid.
    const answered = async (): Promise<unknown> => {
      const call = request({
        method: 'POST',
        host: '127.0.0.1',
        port: release.tlsPort,
        servername: 'api.openai.com',
        ca: readFileSync(bundle),
        path: '/v1/chat/completions',
        headers: { host: 'api.openai.com', 'content-type': 'application/json' },
      });
      call.end('{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}');
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      return ((await json(response)) as { readonly model: unknown }).model;
    };
    // On a busy machine a decision may come too late, and the request goes on undecided.
    await until(async () => (await answered()) === 'gpt-5-nano', 'a decided answer under the name');
  });

  it('warn of a pod that brings CAs of its own, and leave it', async () => {
    const manifest = stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'own', namespace: 'bank' },
      spec: { containers: [{ name: 'app', image: 'app', env: [{ name: 'SSL_CERT_FILE', value: '/mine' }] }] },
    });
    expect(await cluster.applied(manifest, '--dry-run=server')).toContain('app sets SSL_CERT_FILE');
  });
});
