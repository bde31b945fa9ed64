import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { fleetPolicy, fleetTests, limitedAnswer, limitedModel, type FleetLoad, type Replica, type TestFleet } from '../../support/fleet.ts';
import { initdb, postgresFolder } from '../../support/postgres.ts';
import { binaries } from '../../support/redis.ts';
import { until } from '../support/cluster.ts';
import { chart } from '../support/helm.ts';
import type { TestImages } from '../support/images.ts';
import { localImages, type NodeCluster } from '../support/node-cluster.ts';

const absent =
  process.env['SLUICE_FLEET_PODS'] !== '1'
    ? ' (skipped: they take two minutes of a machine with little else to do; SLUICE_FLEET_PODS=1 runs them)'
    : binaries.redis === null
      ? ' (skipped: no redis-server on this machine)'
      : postgresFolder === null
        ? ' (skipped: no PostgreSQL on this machine)'
        : '';

const namespace = 'fleet';
/** What PostgreSQL needs where it was configured with the system's time zones. */
const zones = '/usr/share/zoneinfo';
/** How long replicas may take to come, in ms; seconds on a machine that has little else to do. */
const patienceMs = 150_000;
const here = ['--namespace', namespace];

/** Settings of the policy for this place. */
const more = `providers: { openai: { endpoint: "http://provider.${namespace}:8080" } }\n`;

/** What the node must have for these tests: a Redis and a PostgreSQL around this machine's programs. */
export const fleetImages = (images: TestImages, rootfs: string): Promise<string>[] => {
  if (absent !== '') return [];
  const root = dirname(postgresFolder!);
  const shared = [`/usr/share/postgresql/${basename(root)}`, join(root, 'share/postgresql'), join(root, 'share')].filter((folder) =>
    existsSync(folder),
  );
  const binary = join(postgresFolder!, 'postgres');
  return [
    images.program('localhost/redis:test', rootfs, { from: realpathSync(binaries.redis!), at: '/usr/local/bin/redis-server' }),
    images.program('localhost/postgres:test', rootfs, {
      from: binary,
      at: binary,
      // It starts only where the folder of its extensions is, and loads none of them.
      folders: [join(root, 'lib'), ...shared.slice(0, 1), ...(existsSync(zones) ? [zones] : [])],
      needless: /\/lib\/(?:bitcode|pgxs|[^/]*\.so)$/,
    }),
  ];
};

/** The provider: the simulator, but for one model that it has no room for, whose requests it counts. */
const provider = `
import { createServer } from 'node:http';
import simulator from '/app/simulator.cjs';
await new simulator.ProviderSimulator().listen(8081);
let limited = 0;
createServer(async (request, response) => {
  if (request.url === '/limited') return response.end(String(limited));
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (body.includes('"${limitedModel}"')) {
    limited++;
    response.writeHead(429, ${JSON.stringify(limitedAnswer.headers)});
    return response.end(${JSON.stringify(limitedAnswer.body)});
  }
  const answer = await fetch('http://127.0.0.1:8081' + request.url, { method: request.method, headers: { 'content-type': 'application/json' }, body });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
  response.end(Buffer.from(await answer.arrayBuffer()));
}).listen(8080, '0.0.0.0').keepAliveTimeout = 3_600_000;
`;

/** Six clients, of which half make a connection for each request. They call the Service until SIGUSR2. */
const clients = `
import { Agent, request } from 'node:http';
const said = { answers: 0, failures: [], decided: [] };
let running = true;
process.on('SIGUSR2', () => { running = false; });
const kept = new Agent({ keepAlive: true });
const ask = (agent, content) => new Promise((resolve) => {
  const failed = (why) => { said.failures.push(String(why)); resolve(); };
  const body = JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }] });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-sluice-workspace': 'load' };
  request('http://sluice.${namespace}/v1/chat/completions', { method: 'POST', agent, headers }, (response) => {
    const body = [];
    response.on('error', failed).on('data', (chunk) => body.push(chunk)).on('end', () => {
      said.answers++;
      if (response.statusCode !== 200)
        return failed([new Date().toISOString(), 'status', response.statusCode, Buffer.concat(body).toString().slice(0, 200), JSON.stringify(response.headers)].join(' '));
      const decision = response.headers['x-sluice-decision'];
      if (decision !== undefined) said.decided.push(decision);
      if (said.answers % 20 === 0) console.log(said.answers);
      resolve();
    });
  }).on('error', failed).end(body);
});
await Promise.all(Array.from({ length: 6 }, async (_, number) => {
  for (let turn = 0; running; turn++) {
    await ask(number % 2 === 0 ? kept : new Agent({ keepAlive: false }), 'What is ' + number + ' plus ' + turn + '?');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}));
// An exit would cut what the log has not taken yet.
kept.destroy();
console.log(JSON.stringify(said));
`;

interface Server {
  readonly name: string;
  readonly image: string;
  readonly port: number;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  /** A folder of this machine, where the container has it, and whose it is. */
  readonly data?: { readonly from: string; readonly at: string; readonly uid: number; readonly gid: number };
}

/** A Deployment of one pod and its Service. The pod has a second to end. */
function serverObjects({ name, image, port, args, command, data }: Server): string {
  const metadata = { name, namespace };
  const labels = { app: name };
  const container = {
    name,
    image,
    imagePullPolicy: 'Never',
    ...(command === undefined ? {} : { command }),
    ...(args === undefined ? {} : { args }),
    ...(data === undefined ? {} : { volumeMounts: [{ name: 'data', mountPath: data.at }] }),
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  };
  const volumes =
    data === undefined
      ? {}
      : { volumes: [{ name: 'data', hostPath: { path: data.from } }], securityContext: { runAsUser: data.uid, runAsGroup: data.gid } };
  const pod = { terminationGracePeriodSeconds: 1, containers: [container], ...volumes };
  const template = { metadata: { labels }, spec: pod };
  const spec = { replicas: 1, strategy: { type: 'Recreate' }, selector: { matchLabels: labels }, template };
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port }] } },
  ]
    .map((object) => `---\n${JSON.stringify(object)}\n`)
    .join('');
}

/** A release of three pods on the node, with a Redis and a PostgreSQL in pods. A pod that ends takes its files with it. */
class PodFleet implements TestFleet {
  readonly #node: NodeCluster;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-fleet-'));
  #proxy: ChildProcess | null = null;
  #url = '';
  #pods: readonly string[] = [];

  private constructor(node: NodeCluster) {
    this.#node = node;
  }

  static async start(node: NodeCluster): Promise<PodFleet> {
    const fleet = new PodFleet(node);
    await node.namespaces({ [namespace]: {} });
    await fleet.#startServers();
    await fleet.writePolicy(fleetPolicy(more));
    const secret = 'servers';
    await node.install('sluice', chart, namespace, {
      ...localImages,
      replicas: 3,
      drainSeconds: 3,
      cache: { redis: { secret, key: 'redis' } },
      budgets: { redis: { secret, key: 'redis' } },
      ledger: { postgres: { secret, key: 'postgres' } },
      // A busy machine is late: that is no fault of the fleet's.
      extraArgs: ['--cache-redis-deadline=400', '--budgets-redis-deadline=400', '--max-delay=0'],
    });
    await fleet.#startProxy();
    await fleet.#follow();
    return fleet;
  }

  /** Other tests may follow on the node: nothing of this goes on. */
  async stop(): Promise<void> {
    this.#proxy?.kill('SIGKILL');
    await this.#kubectl('scale', 'deployment', 'sluice', 'redis', 'provider', '--replicas=0');
    await this.postgres.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get replicas(): readonly Replica[] {
    const at = (pod: string, port: number): string => `${this.#url}/api/v1/namespaces/${namespace}/pods/${pod}:${port}/proxy`;
    return this.#pods.map((pod) => ({ url: at(pod, 10_000), adminUrl: at(pod, 9_901) }));
  }

  readonly redis = { stop: () => this.#scale('redis', 0), restart: () => this.#scale('redis', 1) };
  readonly postgres = { stop: () => this.#scale('postgres', 0), restart: () => this.#scale('postgres', 1) };

  async restart(index: number): Promise<void> {
    await this.#kubectl('delete', 'pod', this.#pods[index]!, '--wait=false');
    await this.#follow();
  }

  async comeAndGo(): Promise<void> {
    await this.#kubectl('scale', 'deployment/sluice', '--replicas=2');
    await until(async () => (await this.#ready()).length === 2, 'two replicas');
    await this.#kubectl('delete', 'pod', (await this.#ready())[0]!, '--wait=false');
    await this.#kubectl('scale', 'deployment/sluice', '--replicas=3');
    await this.#follow();
  }

  async writePolicy(text: string): Promise<void> {
    const metadata = { name: 'policy', namespace, labels: { 'sluice.dev/policy': 'true' } };
    await this.#node.cluster.applied(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'policy.yaml': text } }));
  }

  /** From within the pod: from elsewhere it would take a token, which the API server does not pass on. */
  async order(index: number, path: string): Promise<number> {
    const script = `fetch('http://127.0.0.1:9901${path}', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }).then(({ status }) => console.log(status))`;
    return Number(await this.#kubectl('exec', this.#pods[index]!, '--container', 'sluice', '--', '/usr/local/bin/node', '--eval', script));
  }

  async limited(): Promise<number> {
    return Number(await (await fetch(`${this.#url}/api/v1/namespaces/${namespace}/services/provider:8080/proxy/limited`)).text());
  }

  async query<Row extends object>(sql: string): Promise<Row[]> {
    const client = { host: await this.#addressOf('postgres'), port: 5432, user: 'sluice', database: 'postgres' };
    const script = `const { Client } = require(${JSON.stringify(createRequire(import.meta.url).resolve('pg'))});
const client = new Client(${JSON.stringify(client)});
client.connect().then(() => client.query(${JSON.stringify(sql)})).then(({ rows }) => { console.log(JSON.stringify(rows)); return client.end(); });`;
    return JSON.parse(await this.#node.run(process.execPath, '--eval', script)) as Row[];
  }

  async startLoad(): Promise<FleetLoad> {
    const pod = await this.#node.startPod(namespace, {}, clients);
    await until(async () => (await this.#node.logs(namespace, pod)) !== '', 'the clients');
    return {
      answered: async () => Number((await this.#node.logs(namespace, pod)).trim().split('\n').at(-1) ?? 0),
      stop: async () => {
        await this.#kubectl('exec', pod, '--', '/usr/local/bin/node', '--eval', "process.kill(1, 'SIGUSR2')");
        return (await this.#node.finishPod(namespace, pod)) as unknown as Awaited<ReturnType<FleetLoad['stop']>>;
      },
    };
  }

  #kubectl(...args: readonly string[]): Promise<string> {
    const [verb, ...rest] = args;
    return this.#node.cluster.kubectl(verb!, ...here, ...rest);
  }

  #addressOf(service: string): Promise<string> {
    return this.#kubectl('get', 'service', service, '--output', 'jsonpath={.spec.clusterIP}');
  }

  async #startServers(): Promise<void> {
    const data = join(this.#folder, 'data');
    const { user } = initdb(this.#folder);
    if (user === null) throw new Error('a node needs root');
    appendFileSync(join(data, 'pg_hba.conf'), 'host all all all trust\n');
    const postgres = ['-D', '/data', '-h', '0.0.0.0', '-c', 'unix_socket_directories=', '-c', 'fsync=off', '-c', 'jit=off'];
    const redis = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no', '--dir', '/tmp'];
    const command = ['/usr/local/bin/node', '--input-type=module', '--eval', provider];
    await this.#node.cluster.applied(
      [
        serverObjects({ name: 'redis', image: 'localhost/redis:test', port: 6379, args: redis }),
        serverObjects({
          name: 'postgres',
          image: 'localhost/postgres:test',
          port: 5432,
          args: postgres,
          data: { from: data, at: '/data', ...user },
        }),
        serverObjects({ name: 'provider', image: 'docker.io/library/sluice:0.1.0', port: 8080, command }),
      ].join(''),
    );
    const urls = [
      `--from-literal=redis=redis://redis.${namespace}:6379`,
      `--from-literal=postgres=postgres://sluice@postgres.${namespace}:5432/postgres`,
    ];
    await this.#kubectl('create', 'secret', 'generic', 'servers', ...urls);
    for (const name of ['redis', 'postgres', 'provider']) await this.#kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
  }

  /** The API server, which leads to pods, as plain HTTP on loopback. */
  async #startProxy(): Promise<void> {
    const { cluster } = this.#node;
    const proxy = spawn(join(cluster.folder, 'kubectl'), ['--kubeconfig', cluster.kubeconfig, 'proxy', '--port=0'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#proxy = proxy;
    this.#url = await new Promise<string>((resolve, reject) => {
      proxy.once('exit', () => reject(new Error('kubectl proxy ended')));
      proxy.stdout.on('data', (said: Buffer) => {
        const port = /127\.0\.0\.1:(\d+)/.exec(said.toString())?.[1];
        if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
      });
    });
  }

  async #scale(name: string, replicas: number): Promise<void> {
    await this.#kubectl('scale', `deployment/${name}`, `--replicas=${replicas}`);
    if (replicas > 0) await this.#kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
    else
      await until(
        async () => (await this.#kubectl('get', 'pods', '--selector', `app=${name}`, '--output', 'name')) === '',
        `the end of ${name}`,
      );
  }

  /** Replicas that are ready and not going. */
  async #ready(): Promise<string[]> {
    const pods = JSON.parse(await this.#kubectl('get', 'pods', '--selector', 'app.kubernetes.io/name=sluice', '--output', 'json')) as {
      readonly items: readonly {
        readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
        readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
      }[];
    };
    return pods.items
      .filter(
        ({ metadata, status }) =>
          metadata.deletionTimestamp === undefined && status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
      )
      .map(({ metadata }) => metadata.name);
  }

  /** Waits for three replicas; new ones take the places of those that have gone. */
  async #follow(): Promise<void> {
    await until(
      async () => {
        const ready = await this.#ready();
        if (ready.length !== 3) return false;
        const fresh = ready.filter((name) => !this.#pods.includes(name));
        this.#pods = this.#pods.length === 0 ? ready : this.#pods.map((name) => (ready.includes(name) ? name : fresh.shift()!));
        return true;
      },
      'three replicas',
      undefined,
      patienceMs,
    );
  }
}

/** The tests of a fleet with pods as replicas. */
export function fleetOnNode(node: NodeCluster): void {
  describe.skipIf(absent !== '')(`three pods with one Redis and one PostgreSQL${absent}`, { timeout: 180_000 }, () => {
    let fleet: PodFleet | null = null;

    beforeAll(async () => {
      fleet = await PodFleet.start(node);
    }, 180_000);

    afterAll(() => fleet?.stop(), 90_000);

    fleetTests(() => fleet!, more);
  });
}
