import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { requireEnvoy } from '../../../src/attach/binary.ts';
import { freePorts } from '../../../src/demo/stack.ts';
import { until, type TestCluster } from './cluster.ts';
import { bridge, type NamespaceSpec } from './namespace.ts';
import { findTool } from './tools.ts';

const runner = fileURLToPath(new URL('./namespace.ts', import.meta.url));
const system = 'envoy-gateway-system';

/** Whether a process may have a network namespace of its own here. */
export function namespaces(): boolean {
  return spawnSync('unshare', ['--map-root-user', '--net', 'true']).status === 0;
}

/** The real Envoy Gateway against a test cluster that has its definitions, and Envoys that run from what it serves. */
export class EnvoyGateway {
  readonly #cluster: TestCluster;
  readonly #root: string;
  readonly #sockets: { readonly api: string; readonly xds: string };
  readonly #processes: ChildProcess[] = [];
  #api: Server | null = null;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#root = join(cluster.folder, 'gateway');
    this.#sockets = { api: join(cluster.folder, 'api.sock'), xds: join(cluster.folder, 'xds.sock') };
  }

  async start(): Promise<void> {
    for (const folder of ['certs', 'tmp', 'etc']) mkdirSync(join(this.#root, folder), { recursive: true });
    copyFileSync(findTool('envoy-gateway')!, join(this.#root, 'envoy-gateway'));
    writeFileSync(
      join(this.#root, 'etc/kubeconfig'),
      readFileSync(this.#cluster.kubeconfig, 'utf8')
        .replace(this.#cluster.server, 'https://127.0.0.1:6443')
        .replaceAll(join(this.#cluster.folder, 'pki'), '/etc/pki'),
    );
    mkdirSync(join(this.#root, 'etc/pki'));
    for (const file of ['ca.crt', 'admin.crt', 'admin.key'])
      copyFileSync(join(this.#cluster.folder, 'pki', file), join(this.#root, 'etc/pki', file));
    writeFileSync(
      join(this.#root, 'etc/config.yaml'),
      stringify({
        apiVersion: 'gateway.envoyproxy.io/v1alpha1',
        kind: 'EnvoyGateway',
        gateway: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
        provider: { type: 'Kubernetes', kubernetes: { leaderElection: { disable: true }, proxyTopologyInjector: { disabled: true } } },
        extensionApis: { enableBackend: true, enableEnvoyPatchPolicy: true },
      }),
    );
    this.#api = bridge({ port: Number(new URL(this.#cluster.server).port) });
    this.#api.listen(this.#sockets.api);
    await this.#cluster.applied(stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: system } }));
    await this.#once(['certgen', '--disable-topology-injector']);
    this.#writeSecret('envoy-gateway', await this.#secret('envoy-gateway'), join(this.#root, 'certs'));
    this.#processes.push(this.#spawn(['server', '--config-path', '/etc/config.yaml']));
    await until(
      () => Promise.resolve(existsSync(this.#sockets.xds)),
      'the bridge to Envoy Gateway',
      () => this.said,
    );
  }

  /** The end of Envoy Gateway's log. */
  get said(): string {
    return readFileSync(join(this.#cluster.folder, 'envoy-gateway.log'), 'utf8').slice(-4_000);
  }

  /**
   * Runs an Envoy as Envoy Gateway's Deployment for a Gateway says, with what a pod would give it: certificates and the way to
   * the control plane. Resolves with its admin address once it is ready.
   */
  async proxy(namespace: string, gateway: string): Promise<string> {
    const selector = `gateway.envoyproxy.io/owning-gateway-name=${gateway},gateway.envoyproxy.io/owning-gateway-namespace=${namespace}`;
    const args = async (): Promise<string[]> => {
      const { items } = JSON.parse(
        await this.#cluster.kubectl('get', 'deployment', '--namespace', system, '--selector', selector, '--output', 'json'),
      ) as { items: { spec: { template: { spec: { containers: { name: string; args: string[] }[] } } } }[] };
      return items[0]!.spec.template.spec.containers.find(({ name }) => name === 'envoy')!.args;
    };
    let given: string[] = [];
    await until(
      async () => (given = await args()).length > 0,
      'the Deployment of Envoy',
      () => this.said,
    );
    const folder = join(this.#cluster.folder, `proxy-${gateway}`);
    mkdirSync(folder);
    this.#writeSecret('envoy', await this.#secret('envoy'), folder);
    const at = given.indexOf('--config-yaml');
    const [admin, stats] = await freePorts(2);
    const file = join(folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(this.#bootstrap(given[at + 1]!, folder, admin!, stats!)));
    const rest = given
      .filter((arg, index) => index !== at && index !== at + 1 && arg !== '--cpuset-threads')
      .map((arg) => arg.replace('$(ENVOY_POD_NAME)', 'proxy-1'));
    const log = openSync(join(folder, 'envoy.log'), 'a');
    this.#processes.push(
      spawn(await requireEnvoy(), ['-c', file, ...rest, '--use-dynamic-base-id', '--concurrency', '2'], { stdio: ['ignore', log, log] }),
    );
    const address = `http://127.0.0.1:${admin!}`;
    await until(
      async () => (await fetch(`${address}/ready`)).ok,
      'Envoy',
      () => readFileSync(join(folder, 'envoy.log'), 'utf8').slice(-2_000),
    );
    return address;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    this.#api?.close();
  }

  /** What the Deployment's bootstrap says, but for ports that may be taken and paths of the pod. */
  #bootstrap(text: string, folder: string, admin: number, stats: number): Bootstrap {
    const config = parse(text.replaceAll('/certs/', `${folder}/`)) as Bootstrap;
    writeFileSync(
      join(folder, 'xds-certificate.json'),
      JSON.stringify({
        resources: [
          {
            '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
            name: 'xds_certificate',
            tls_certificate: {
              certificate_chain: { filename: join(folder, 'tls.crt') },
              private_key: { filename: join(folder, 'tls.key') },
            },
          },
        ],
      }),
    );
    writeFileSync(
      join(folder, 'xds-trusted-ca.json'),
      JSON.stringify({
        resources: [
          {
            '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
            name: 'xds_trusted_ca',
            validation_context: { trusted_ca: { filename: join(folder, 'ca.crt') } },
          },
        ],
      }),
    );
    const moved = JSON.parse(JSON.stringify(config).replaceAll('/sds/', `${folder}/`)) as Bootstrap;
    moved.admin.address.socket_address.port_value = admin;
    for (const { address } of moved.static_resources.listeners)
      Object.assign(address.socket_address, { address: '127.0.0.1', port_value: stats });
    const xds = moved.static_resources.clusters.find(({ name }) => name === 'xds_cluster')!;
    xds.type = 'STATIC';
    xds.load_assignment.endpoints = [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: this.#sockets.xds } } } }] }];
    return moved;
  }

  async #secret(name: string): Promise<Readonly<Record<string, string>>> {
    return (
      JSON.parse(await this.#cluster.kubectl('get', 'secret', name, '--namespace', system, '--output', 'json')) as {
        data: Record<string, string>;
      }
    ).data;
  }

  #writeSecret(name: string, data: Readonly<Record<string, string>>, folder: string): void {
    for (const file of ['ca.crt', 'tls.crt', 'tls.key']) {
      const value = data[file];
      if (value === undefined) throw new Error(`the Secret ${name} has no ${file}`);
      writeFileSync(join(folder, file), Buffer.from(value, 'base64'), { mode: 0o600 });
    }
  }

  async #once(args: readonly string[]): Promise<void> {
    const child = this.#spawn(args);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`envoy-gateway ${args.join(' ')} failed\n${this.said}`);
  }

  #spawn(args: readonly string[]): ChildProcess {
    const spec: NamespaceSpec = {
      root: this.#root,
      command: ['/envoy-gateway', ...args],
      env: { KUBECONFIG: '/etc/kubeconfig', ENVOY_GATEWAY_NAMESPACE: system, HOME: '/tmp', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      out: [{ port: 6443, socket: this.#sockets.api }],
      into: [{ port: 18_000, socket: this.#sockets.xds }],
    };
    const log = openSync(join(this.#cluster.folder, 'envoy-gateway.log'), 'a');
    return spawn('unshare', ['--map-root-user', '--net', process.execPath, runner, JSON.stringify(spec)], { stdio: ['ignore', log, log] });
  }
}

interface Bootstrap {
  readonly admin: { readonly address: { readonly socket_address: { port_value: number } } };
  readonly static_resources: {
    readonly listeners: readonly { readonly address: { readonly socket_address: { port_value: number } } }[];
    readonly clusters: { readonly name: string; type: string; readonly load_assignment: { endpoints: unknown } }[];
  };
}
