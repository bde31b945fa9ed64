import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { envoyGatewayImages, envoyGatewayOnNode } from './node/envoy-gateway.ts';
import { fleetImages, fleetOnNode } from './node/fleet.ts';
import { runCli } from './support/cli.ts';
import { until } from './support/cluster.ts';
import { chart, helm, plainHelm, type Values } from './support/helm.ts';
import { localImages, NodeCluster } from './support/node-cluster.ts';
import { hasIpv6 } from './support/machine.ts';
import { missingForNode } from './support/tools.ts';

const absent = missingForNode();

/** Maximum size of the unpacked image, in bytes. */
const imageBytes = 200 * 1000 * 1000;

/** How many cores all pods together have during the upgrade: a node that is short of CPU; null: all that there are. */
const upgradeCpus = process.env['SLUICE_UPGRADE_CPUS'] === undefined ? null : Number(process.env['SLUICE_UPGRADE_CPUS']);

const policy = (model: string): string => `version: 1
providers:
  openai: { endpoint: "http://simulator.apps:8080" }
defaults:
  tiers: [simple]
  candidates: { simple: [openai/${model}] }
`;

const values = (model: string, more: Values = {}): Values => ({
  ...localImages,
  policy: { inline: policy(model) },
  webhooks: { policy: true },
  egress: { baseUrl: true, names: { enabled: true } },
  ipv6: hasIpv6,
  service: { ipFamilyPolicy: 'PreferDualStack' },
  drainSeconds: 25,
  // Tests run side by side on busy machines: what is late is not undecided there.
  extraArgs: ['--max-delay=0'],
  ...more,
});

describe.skipIf(absent !== '')(`the chart and the image on a real node${absent}`, { timeout: 120_000 }, () => {
  const node = new NodeCluster();

  beforeAll(async () => {
    await node.start((images, rootfs) => [...envoyGatewayImages(images, rootfs), ...fleetImages(images, rootfs)]);
    // The strictest level: what the webhooks add to a pod must pass it too.
    const strict = (egress: string): object => ({ 'pod-security.kubernetes.io/enforce': 'restricted', 'sluice.dev/egress': egress });
    await node.namespaces({ llm: {}, side: {}, files: {}, shop: strict('base-url'), bank: strict('names'), desk: strict('sidecar') });
    await node.install('sluice', chart, 'llm', values('gpt-5-nano'));
  }, 300_000);

  afterAll(() => node.stop(), 90_000);

  it('is an image below 200 MB that lists its packages, with no shell', () => {
    expect(statSync(join(node.folder, 'sluice.tar')).size).toBeLessThan(imageBytes);
    const sbom = JSON.parse(readFileSync(join(node.folder, 'rootfs/app/sbom.spdx.json'), 'utf8')) as {
      readonly packages: readonly { readonly name: string }[];
    };
    expect(sbom.packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['node', 'zod', '@kubernetes/client-node']));
    expect(() => statSync(join(node.folder, 'rootfs/bin/sh'))).toThrow('ENOENT');
    const files = readdirSync(join(node.folder, 'rootfs'), { recursive: true, encoding: 'utf8' }).map((file) => basename(file));
    // What a sentence model's runtime, which is mounted, needs of the image.
    expect(files).toEqual(
      expect.arrayContaining(['libstdc++.so.6', 'libgcc_s.so.1', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1']),
    );
  });

  it('is the same image when it is built again, but for the code that V8 made', () => {
    expect(
      execFileSync('diff', ['--recursive', '--brief', '--exclude=*.code', join(node.folder, 'rootfs'), join(node.folder, 'again')], {
        encoding: 'utf8',
      }),
    ).toBe('');
    expect(existsSync(join(node.folder, 'rootfs/app/code/sluice/sluice.cjs.code'))).toBe(true);
  });

  it('passes helm test', async () => {
    expect(await plainHelm(['test', 'sluice', '--namespace', 'llm'], { KUBECONFIG: node.cluster.kubeconfig })).toContain('Succeeded');
  });

  it('serves an unmodified app by base-URL variables, and records the decision', async () => {
    const said = await node.runPod('shop');
    expect(said).toMatchObject({ base: 'http://sluice.llm/v1', model: 'gpt-5-nano', direct: null });
    expect(await node.record('llm', said['decision'])).toMatchObject({
      requestedModel: 'gpt-5.1',
      servedModel: 'gpt-5-nano',
      outcome: 'complete',
    });
  });

  it.skipIf(!hasIpv6)('serves apps over IPv6, at its Service and under https://api.openai.com itself', async () => {
    const addresses = await node.cluster.kubectl(
      'get',
      'service',
      'sluice',
      '--namespace',
      'llm',
      '--output',
      'jsonpath={.spec.clusterIPs}',
    );
    const [, address] = JSON.parse(addresses) as [string, string];
    expect(address).toContain(':');
    const client = (protocol: string, host: string): string => `
import { request } from 'node:${protocol}';
const answer = await new Promise((resolve, reject) => request({ host: '${host}', family: 6, path: '/v1/chat/completions', method: 'POST', headers: { 'content-type': 'application/json' } }, resolve).on('error', reject).end('{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}'));
answer.resume();
console.log(JSON.stringify({ family: answer.socket.remoteFamily, to: answer.socket.remoteAddress, model: answer.headers['x-sluice-model'] ?? null, decision: answer.headers['x-sluice-decision'] ?? null }));
`;
    const seen = { family: 'IPv6', to: address, model: 'gpt-5-nano' };
    expect(await node.runPod('shop', {}, client('http', address))).toMatchObject(seen);
    expect(await node.runPod('bank', {}, client('https', 'api.openai.com'))).toMatchObject(seen);
  });

  it('tells its status through the API server', async () => {
    expect(
      await runCli(['status', '--context', 'test', '--namespace', 'llm', '--release', 'sluice'], { KUBECONFIG: node.cluster.kubeconfig }),
    ).toMatch(/^release sluice in llm of test: 2 of 2 replicas ready\n/);
  });

  it('serves an unmodified app under https://api.openai.com itself', async () => {
    expect(await node.runPod('bank')).toMatchObject({
      base: null,
      model: 'gpt-5-nano',
      decision: expect.any(String) as string,
      direct: null,
    });
  });

  it('serves an unmodified app in Python as well, both ways', async () => {
    const python = (namespace: string): Promise<object> => node.runPod(namespace, {}, undefined, 'localhost/python:test');
    expect(await python('shop')).toEqual({ base: 'http://sluice.llm/v1', model: 'gpt-5-nano', decision: expect.any(String) as string });
    expect(await python('bank')).toEqual({ base: null, model: 'gpt-5-nano', decision: expect.any(String) as string });
  });

  it('serves an unmodified app by a gateway in its own pod, which comes before it and goes after it', async () => {
    await node.install('sluice', chart, 'side', {
      ...values('gpt-4.1-nano'),
      shape: 'sidecar',
      sidecar: { namespaces: ['desk'] },
      replicas: 1,
      egress: {},
    });
    expect(await plainHelm(['test', 'sluice', '--namespace', 'side'], { KUBECONFIG: node.cluster.kubeconfig })).toContain('Succeeded');
    expect(await node.runPod('desk')).toMatchObject({
      base: 'http://127.0.0.1:10000/v1',
      model: 'gpt-4.1-nano',
      decision: expect.any(String) as string,
      direct: null,
    });
  });

  it('takes the policy of a mounted ConfigMap, and its edits as the kubelet brings them', async () => {
    const applied = (model: string): Promise<string> =>
      node.cluster.applied(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'mine', namespace: 'files' },
          data: { 'policy.yaml': policy(model) },
        }),
      );
    await applied('gpt-5-nano');
    await node.install('sluice', chart, 'files', { ...localImages, replicas: 1, policy: { mounted: 'mine' } });
    const script = `
const ask = async () => (await fetch('http://sluice.files/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}' })).headers.get('x-sluice-model');
const until = async (model) => { for (let tries = 0; tries < 400; tries++) { if ((await ask()) === model) return model; await new Promise((resolve) => setTimeout(resolve, 100)); } return null; };
const first = await until('gpt-5-nano');
console.log('asked');
console.log(JSON.stringify({ first, second: await until('gpt-4.1-nano') }));`;
    const pod = await node.startPod('apps', {}, script);
    await until(async () => (await node.logs('apps', pod)).includes('asked'), 'the first answer');
    await applied('gpt-4.1-nano');
    expect(await node.finishPod('apps', pod)).toEqual({ first: 'gpt-5-nano', second: 'gpt-4.1-nano' });
  });

  it('leaves pods that opted out as they are', async () => {
    const look =
      "import { readFileSync } from 'node:fs'; console.log(JSON.stringify({ base: process.env.OPENAI_BASE_URL ?? null, ca: process.env.NODE_EXTRA_CA_CERTS ?? null, hosts: readFileSync('/etc/hosts', 'utf8').includes('api.openai.com') }));";
    expect(await node.runPod('shop', { 'sluice.dev/egress': 'none' }, look)).toEqual({ base: null, ca: null, hosts: false });
    for (const namespace of ['bank', 'desk'])
      expect(await node.runPod(namespace, { 'sluice.dev/egress': 'none' }, look)).toEqual({ base: null, ca: null, hosts: false });
  });

  it('refuses a bad policy through the webhook’s own Service', async () => {
    const bad = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'bad', namespace: 'llm', labels: { 'sluice.dev/policy': 'true' } },
      data: { 'policy.yaml': 'version: 1\nnonsense: 1\n' },
    });
    expect((await node.cluster.apply(bad)).output).toMatch(
      /denied the request: Sluice refuses this policy:\npolicy\.yaml:2:\d+ error unknown-key at nonsense: /,
    );
  });

  it('loses no request and cuts no stream of 100 clients in an upgrade and a policy edit', async () => {
    // Half of the clients stream. A stream takes some seconds, so that many are open when a pod goes.
    const load = `
let running = true;
process.on('SIGUSR2', () => { running = false; });
const count = { requests: 0, streams: 0, failed: 0, cut: 0, models: {}, errors: [] };
async function client(stream) {
  while (running) {
    try {
      const response = await fetch('http://sluice.llm/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-5.1', stream, messages: [{ role: 'user', content: 'What is DNS?' }] }) });
      const text = await response.text();
      if (response.status !== 200) throw new Error('status ' + response.status);
      const model = response.headers.get('x-sluice-model');
      count.models[model] = (count.models[model] ?? 0) + 1;
      if (stream) { count.streams++; if (!text.includes('[DONE]')) count.cut++; } else count.requests++;
      if (count.streams === 50) console.log('all are calling');
    } catch (error) { count.failed++; if (count.errors.length < 5) count.errors.push(String(error.cause?.code ?? error.cause?.message ?? error.message)); }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
await Promise.all(Array.from({ length: 100 }, (_, index) => client(index % 2 === 0)));
console.log(JSON.stringify(count));
`;
    const old = await node.sluicePods('llm');
    node.limit(upgradeCpus);
    const pod = await node.startPod('apps', {}, load);
    await until(async () => (await node.logs('apps', pod)).includes('all are calling'), 'the load');
    await helm(
      ['upgrade', 'sluice', chart, '--namespace', 'llm', '--kubeconfig', node.cluster.kubeconfig, '--wait', '--timeout', '180s'],
      values('gpt-4.1-nano', { podAnnotations: { generation: 'two' } }),
    );
    await node.cluster.kubectl('wait', '--for=delete', '--namespace', 'llm', '--timeout=90s', ...old.map((name) => `pod/${name}`));
    await node.cluster.kubectl('exec', pod, '--namespace', 'apps', '--', '/usr/local/bin/node', '--eval', "process.kill(1, 'SIGUSR2')");
    node.limit(null);
    const said = await node.finishPod('apps', pod);
    expect(said).toMatchObject({
      failed: 0,
      cut: 0,
      errors: [],
      models: { 'gpt-5-nano': expect.any(Number) as number, 'gpt-4.1-nano': expect.any(Number) as number },
    });
    expect(Number(said['streams'])).toBeGreaterThan(50);
    process.stdout.write(
      `100 clients: ${String(said['requests'])} answers and ${String(said['streams'])} streams; ${String(said['failed'])} failed, ${String(said['cut'])} cut\n`,
    );
  }, 400_000);

  fleetOnNode(node);

  envoyGatewayOnNode(node);
});
