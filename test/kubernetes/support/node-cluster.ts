import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { TestCluster, until } from './cluster.ts';
import { helm, type Values } from './helm.ts';
import { TestImages } from './images.ts';
import { TestMachine } from './machine.ts';
import { TestNode } from './node.ts';

/** Values of charts for the images that are on the node. */
export const localImages: Values = {
  image: { pullPolicy: 'Never' },
  envoy: {
    image: { repository: 'localhost/envoy', tag: 'test', pullPolicy: 'Never' },
    concurrency: 1,
    resources: { requests: { cpu: '10m' } },
  },
  resources: { requests: { cpu: '10m' } },
};

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

/** The provider's end: answers at port 8080; at 8081 it is down, and says so with status 500. */
const providers = `
import { createServer } from 'node:http';
import simulator from '/app/simulator.cjs';
createServer((request, response) => { request.resume(); response.writeHead(500, { 'content-type': 'application/json' }); response.end('{"error":{"message":"down","type":"server_error"}}'); }).listen(8081, '0.0.0.0');
await new simulator.ProviderSimulator({ eventMs: 50 }).listen(8080, '0.0.0.0');
`;

/** How often an app whose request went on undecided is run. */
const mostRuns = 3;

/** A cluster with a real node, Sluice's image and those of two apps on it, and the provider simulator as `simulator.apps`. */
export class NodeCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-image-'));
  readonly #images = new TestImages(this.folder);
  #cluster: TestCluster | null = null;
  #machine: TestMachine | null = null;

  get cluster(): TestCluster {
    if (this.#cluster === null) throw new Error('the cluster has not been started');
    return this.#cluster;
  }

  /** `more`: archives of further images. */
  async start(more: (images: TestImages, rootfs: string) => readonly Promise<string>[]): Promise<void> {
    // Twice, to see that both are the same.
    const [rootfs] = await Promise.all([this.#images.rootfs('rootfs'), this.#images.rootfs('again')]);
    const archives = await Promise.all([
      this.#images.sluice(rootfs),
      this.#images.app(rootfs, app),
      this.#images.python(rootfs, pythonApp),
      this.#images.envoy(rootfs),
      ...more(this.#images, rootfs),
    ]);
    const machine = await TestMachine.start();
    this.#machine = machine;
    this.#cluster = new TestCluster(machine);
    await this.cluster.start();
    this.cluster.startControllers();
    await new TestNode(this.cluster, machine).start(archives);
    await this.namespaces({ apps: {} });
    const ports = [8080, 8081];
    await this.cluster.applied(
      `${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'simulator', namespace: 'apps', labels: { app: 'simulator' } }, spec: { containers: [{ name: 'simulator', image: 'docker.io/library/sluice:0.1.0', imagePullPolicy: 'Never', command: ['/usr/local/bin/node', '--input-type=module', '--eval', providers], readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } }] } })}\n---\n` +
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'simulator', namespace: 'apps' },
          spec: { selector: { app: 'simulator' }, ports: ports.map((port) => ({ name: `at-${port}`, port })) },
        }),
    );
    await this.cluster.kubectl('wait', '--for=condition=Ready', 'pod/simulator', '--namespace', 'apps', '--timeout=60s');
  }

  /** Lets all pods together have so many cores; null: as many as there are. */
  limit(cpus: number | null): void {
    this.#machine?.limit(cpus);
  }

  /** Runs a command on the node, where the addresses of Services are; resolves with its stdout. */
  run(command: string, ...args: readonly string[]): Promise<string> {
    if (this.#machine === null) throw new Error('the node has not been started');
    return this.#machine.run(command, ...args);
  }

  async stop(): Promise<void> {
    await this.#cluster?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes namespaces, each with its labels, until pods can be made there. */
  async namespaces(labels: Readonly<Record<string, object>>): Promise<void> {
    await this.cluster.applied(
      Object.entries(labels)
        .map(([name, own]) => `---\n${stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: own } })}`)
        .join(''),
    );
    for (const name of Object.keys(labels))
      await until(
        async () => (await this.cluster.kubectl('get', 'serviceaccount', 'default', '--namespace', name)) !== '',
        'a service account',
      );
  }

  /** Installs a chart, until its pods are ready. */
  async install(release: string, chart: string, namespace: string, values: Values, ...args: readonly string[]): Promise<void> {
    await helm(
      [
        'install',
        release,
        chart,
        '--namespace',
        namespace,
        '--kubeconfig',
        this.cluster.kubeconfig,
        '--wait',
        '--timeout',
        '180s',
        ...args,
      ],
      values,
    );
  }

  /** Starts a pod of the team's image, or with a script in place of its own; its name. */
  async startPod(namespace: string, labels: object = {}, script?: string, image = 'localhost/app:test'): Promise<string> {
    const name = `app-${createHash('sha256')
      .update(JSON.stringify([labels, script, image]))
      .digest('hex')
      .slice(0, 8)}`;
    const securityContext = {
      runAsNonRoot: true,
      runAsUser: 1000,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const container = {
      name: 'app',
      image,
      imagePullPolicy: 'Never',
      workingDir: '/app',
      securityContext,
      ...(script === undefined ? {} : { command: ['/usr/local/bin/node', '--input-type=module', '--eval', script] }),
    };
    await this.cluster.applied(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels },
        spec: { restartPolicy: 'Never', containers: [container] },
      }),
    );
    return name;
  }

  logs(namespace: string, pod: string): Promise<string> {
    return this.cluster.kubectl('logs', pod, '--namespace', namespace);
  }

  /** What a pod printed last, as JSON, when it has ended. */
  async finishPod(namespace: string, name: string): Promise<Record<string, unknown>> {
    const phase = async (): Promise<string> =>
      await this.cluster.kubectl('get', 'pod', name, '--namespace', namespace, '--output', 'jsonpath={.status.phase}');
    try {
      await until(async () => ['Succeeded', 'Failed'].includes(await phase()), `the end of pod ${name}`);
    } catch (error) {
      const status = await this.cluster.kubectl('get', 'pod', name, '--namespace', namespace, '--output', 'jsonpath={.status}');
      throw new Error(`a pod does not end: ${status}`, { cause: error });
    }
    const said = (await this.logs(namespace, name)).trim().split('\n').at(-1) ?? '';
    await this.cluster.kubectl('delete', 'pod', name, '--namespace', namespace, '--force', '--grace-period=0');
    if (!said.startsWith('{')) throw new Error(`the pod said: ${said}`);
    return JSON.parse(said) as Record<string, unknown>;
  }

  async runPod(namespace: string, labels?: object, script?: string, image?: string): Promise<Record<string, unknown>> {
    for (let tries = 1; ; tries++) {
      const said = await this.finishPod(namespace, await this.startPod(namespace, labels, script, image));
      // On a busy machine a decision may come after Envoy's patience: the request goes on undecided, as it should, and the app asks again.
      if (tries === mostRuns || !JSON.stringify(said).includes('"decision":null')) return said;
    }
  }

  /** Names of Sluice's own pods in a namespace. */
  async sluicePods(namespace: string): Promise<string[]> {
    return (
      await this.cluster.kubectl(
        'get',
        'pods',
        '--namespace',
        namespace,
        '--selector',
        'app.kubernetes.io/name=sluice',
        '--output',
        'jsonpath={.items[*].metadata.name}',
      )
    ).split(' ');
  }

  /** The record of a decision, from whichever replica has it; null when none has. */
  async record(namespace: string, decision: unknown): Promise<object | null> {
    const asked = (await this.sluicePods(namespace)).map((pod) =>
      this.cluster.kubectl('get', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}:9901/proxy/decisions/${String(decision)}`).then(
        (text) => JSON.parse(text) as object,
        () => null,
      ),
    );
    return (await Promise.all(asked)).find((record) => record !== null) ?? null;
  }
}
