import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { TestCluster, until } from './support/cluster.ts';
import { chart, helm, plainHelm, type Values } from './support/helm.ts';
import { TestImages } from './support/images.ts';
import { TestMachine } from './support/machine.ts';
import { TestNode } from './support/node.ts';
import { missingForNode } from './support/tools.ts';

const absent = missingForNode();

/** The image's size may be so much, in bytes, unpacked. */
const imageBytes = 200 * 1000 * 1000;

const policy = (model: string): string => `version: 1
providers:
  openai: { endpoint: "http://simulator.apps:8080" }
defaults:
  tiers: [simple]
  candidates: { simple: [openai/${model}] }
`;

const values = (model: string, more: Values = {}): Values => ({
  image: { pullPolicy: 'Never' },
  envoy: { image: { repository: 'localhost/envoy', tag: 'test', pullPolicy: 'Never' }, concurrency: 1, resources: { requests: { cpu: '10m' } } },
  resources: { requests: { cpu: '10m' } },
  policy: { inline: policy(model) },
  webhooks: { policy: true },
  egress: { baseUrl: true, names: { enabled: true } },
  drainSeconds: 25,
  ...more,
});

describe.skipIf(absent !== '')(`the chart and the image on a real node${absent}`, { timeout: 120_000 }, () => {
  let folder: string;
  let cluster: TestCluster;

  /** What a team runs: an official SDK and nothing of ours. Prints one JSON line. */
  const app = `
import OpenAI from 'openai';
const { data, response } = await new OpenAI({ apiKey: 'sk-test', maxRetries: 3 }).chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is DNS?' }] }).withResponse();
const direct = await fetch('http://simulator.apps:8080/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"model":"gpt-5.1","messages":[]}' });
console.log(JSON.stringify({ base: process.env.OPENAI_BASE_URL ?? null, model: data.model, decision: response.headers.get('x-sluice-decision'), direct: direct.headers.get('x-sluice-decision') }));
`;

  /** The same in Python. */
  const pythonApp = `
import json, os, sys
sys.path.insert(0, '/app/packages')
from openai import OpenAI
raw = OpenAI(api_key='sk-test').chat.completions.with_raw_response.create(model='gpt-5.1', messages=[{'role': 'user', 'content': 'What is DNS?'}])
print(json.dumps({'base': os.environ.get('OPENAI_BASE_URL'), 'model': raw.parse().model, 'decision': raw.headers.get('x-sluice-decision')}))
`;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-image-'));
    const images = new TestImages(folder);
    // Twice, to see that both are the same.
    const [rootfs, again] = await Promise.all([images.rootfs('rootfs'), images.rootfs('again')]);
    const archives = await Promise.all([images.sluice(rootfs), images.app(rootfs, app), images.python(rootfs, pythonApp), images.envoy(rootfs)]);
    await images.sluice(again, 'again.tar');
    const machine = await TestMachine.start();
    cluster = new TestCluster(machine);
    await cluster.start();
    cluster.startControllers();
    await new TestNode(cluster, machine).start(archives);
    // The strictest level: what the webhooks add to a pod must pass it too.
    const strict = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    const namespace = (name: string, labels: object = {}): string => `---\n${stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })}`;
    await cluster.applied(namespace('llm') + namespace('apps') + namespace('side') + namespace('shop', { ...strict, 'sluice.dev/egress': 'base-url' }) + namespace('bank', { ...strict, 'sluice.dev/egress': 'names' }) + namespace('desk', { ...strict, 'sluice.dev/egress': 'sidecar' }));
    for (const name of ['llm', 'side', 'apps', 'shop', 'bank', 'desk']) await until(async () => (await cluster.kubectl('get', 'serviceaccount', 'default', '--namespace', name)) !== '', 'a service account');
    const serve = "import { ProviderSimulator } from '/app/src/demo/simulator.ts'; await new ProviderSimulator({ eventMs: 50 }).listen(8080, '0.0.0.0');";
    await cluster.applied(
      `${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'simulator', namespace: 'apps', labels: { app: 'simulator' } }, spec: { containers: [{ name: 'simulator', image: 'docker.io/library/sluice:0.1.0', imagePullPolicy: 'Never', command: ['/usr/local/bin/node', '--input-type=module', '--eval', serve], readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } }] } })}\n---\n` +
        JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'simulator', namespace: 'apps' }, spec: { selector: { app: 'simulator' }, ports: [{ port: 8080 }] } }),
    );
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/simulator', '--namespace', 'apps', '--timeout=60s');
    await helm(['install', 'sluice', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig, '--wait', '--timeout', '90s'], values('gpt-5-nano'));
  }, 300_000);

  afterAll(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 90_000);

  /** Starts a pod of the team's image, or with a script in place of its own; its name. */
  async function startPod(namespace: string, labels: object = {}, script?: string, image = 'localhost/app:test'): Promise<string> {
    const name = `app-${createHash('sha256').update(JSON.stringify([labels, script, image])).digest('hex').slice(0, 8)}`;
    const securityContext = { runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } };
    const container = { name: 'app', image, imagePullPolicy: 'Never', securityContext, ...(script === undefined ? {} : { command: ['/usr/local/bin/node', '--input-type=module', '--eval', script] }) };
    await cluster.applied(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec: { restartPolicy: 'Never', containers: [container] } }));
    return name;
  }

  const logs = (namespace: string, name: string): Promise<string> => cluster.kubectl('logs', name, '--namespace', namespace);

  /** What a pod printed last, as JSON, when it has ended. */
  async function finishPod(namespace: string, name: string): Promise<Record<string, unknown>> {
    const phase = async (): Promise<string> => await cluster.kubectl('get', 'pod', name, '--namespace', namespace, '--output', 'jsonpath={.status.phase}');
    await until(async () => ['Succeeded', 'Failed'].includes(await phase()), `the end of pod ${name}`);
    const said = (await logs(namespace, name)).trim().split('\n').at(-1) ?? '';
    await cluster.kubectl('delete', 'pod', name, '--namespace', namespace, '--force', '--grace-period=0');
    if (!said.startsWith('{')) throw new Error(`the pod said: ${said}`);
    return JSON.parse(said) as Record<string, unknown>;
  }

  const runPod = async (...what: Parameters<typeof startPod>): Promise<Record<string, unknown>> => finishPod(what[0], await startPod(...what));
  const gatewayPods = async (): Promise<string[]> => (await cluster.kubectl('get', 'pods', '--namespace', 'llm', '--selector', 'app.kubernetes.io/name=sluice', '--output', 'jsonpath={.items[*].metadata.name}')).split(' ');

  it('is an image below 200 MB that lists its packages, with no shell', () => {
    expect(statSync(join(folder, 'sluice.tar')).size).toBeLessThan(imageBytes);
    const sbom = JSON.parse(readFileSync(join(folder, 'rootfs/app/sbom.spdx.json'), 'utf8')) as { readonly packages: readonly { readonly name: string }[] };
    expect(sbom.packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['node', 'zod', '@kubernetes/client-node']));
    expect(() => statSync(join(folder, 'rootfs/bin/sh'))).toThrow('ENOENT');
  });

  it('is the same image when it is built again', () => {
    const digest = (file: string): string => createHash('sha256').update(readFileSync(join(folder, file))).digest('hex');
    expect(digest('again.tar')).toBe(digest('sluice.tar'));
  });

  it('passes helm test', async () => {
    expect(await plainHelm(['test', 'sluice', '--namespace', 'llm'], { KUBECONFIG: cluster.kubeconfig })).toContain('Succeeded');
  });

  it('serves an unmodified app by base-URL variables, and records the decision', async () => {
    const said = await runPod('shop');
    expect(said).toMatchObject({ base: 'http://sluice.llm/v1', model: 'gpt-5-nano', direct: null });
    const found = await Promise.all((await gatewayPods()).map((pod) => cluster.kubectl('get', '--raw', `/api/v1/namespaces/llm/pods/${pod}:9901/proxy/decisions/${String(said['decision'])}`).then((text) => JSON.parse(text) as object, () => null)));
    expect(found).toContainEqual(expect.objectContaining({ requestedModel: 'gpt-5.1', servedModel: 'gpt-5-nano', outcome: 'complete' }));
  });

  it('serves an unmodified app under https://api.openai.com itself', async () => {
    expect(await runPod('bank')).toMatchObject({ base: null, model: 'gpt-5-nano', decision: expect.any(String) as string, direct: null });
  });

  it('serves an unmodified app in Python as well, both ways', async () => {
    const python = (namespace: string): Promise<object> => runPod(namespace, {}, undefined, 'localhost/python:test');
    expect(await python('shop')).toEqual({ base: 'http://sluice.llm/v1', model: 'gpt-5-nano', decision: expect.any(String) as string });
    expect(await python('bank')).toEqual({ base: null, model: 'gpt-5-nano', decision: expect.any(String) as string });
  });

  it('serves an unmodified app by a gateway in its own pod, which comes before it and goes after it', async () => {
    await helm(['install', 'sluice', chart, '--namespace', 'side', '--kubeconfig', cluster.kubeconfig, '--wait', '--timeout', '90s'], { ...values('gpt-4.1-nano'), shape: 'sidecar', sidecar: { namespaces: ['desk'] }, replicas: 1, egress: {} });
    expect(await plainHelm(['test', 'sluice', '--namespace', 'side'], { KUBECONFIG: cluster.kubeconfig })).toContain('Succeeded');
    expect(await runPod('desk')).toMatchObject({ base: 'http://127.0.0.1:10000/v1', model: 'gpt-4.1-nano', decision: expect.any(String) as string, direct: null });
  });

  it('leaves pods that opted out as they are', async () => {
    const look = "import { readFileSync } from 'node:fs'; console.log(JSON.stringify({ base: process.env.OPENAI_BASE_URL ?? null, ca: process.env.NODE_EXTRA_CA_CERTS ?? null, hosts: readFileSync('/etc/hosts', 'utf8').includes('api.openai.com') }));";
    expect(await runPod('shop', { 'sluice.dev/egress': 'none' }, look)).toEqual({ base: null, ca: null, hosts: false });
    for (const namespace of ['bank', 'desk']) expect(await runPod(namespace, { 'sluice.dev/egress': 'none' }, look)).toEqual({ base: null, ca: null, hosts: false });
  });

  it('refuses a bad policy through the webhook’s own Service', async () => {
    const bad = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bad', namespace: 'llm', labels: { 'sluice.dev/policy': 'true' } }, data: { 'policy.yaml': 'version: 1\nnonsense: 1\n' } });
    expect((await cluster.apply(bad)).output).toMatch(/denied the request: Sluice refuses this policy:\npolicy\.yaml:2:\d+ error unknown-key at nonsense: /);
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
    const old = await gatewayPods();
    const pod = await startPod('apps', {}, load);
    await until(async () => (await logs('apps', pod)).includes('all are calling'), 'the load');
    await helm(['upgrade', 'sluice', chart, '--namespace', 'llm', '--kubeconfig', cluster.kubeconfig, '--wait', '--timeout', '60s'], values('gpt-4.1-nano', { podAnnotations: { generation: 'two' } }));
    await cluster.kubectl('wait', '--for=delete', '--namespace', 'llm', '--timeout=60s', ...old.map((name) => `pod/${name}`));
    await cluster.kubectl('exec', pod, '--namespace', 'apps', '--', '/usr/local/bin/node', '--eval', "process.kill(1, 'SIGUSR2')");
    const said = await finishPod('apps', pod);
    expect(said).toMatchObject({ failed: 0, cut: 0, errors: [], models: { 'gpt-5-nano': expect.any(Number) as number, 'gpt-4.1-nano': expect.any(Number) as number } });
    expect(Number(said['streams'])).toBeGreaterThan(50);
    process.stdout.write(`100 clients: ${String(said['requests'])} answers and ${String(said['streams'])} streams; ${String(said['failed'])} failed, ${String(said['cut'])} cut\n`);
  }, 240_000);
});
