import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireEnvoy } from '../../../src/attach/binary.ts';
import { end, until, type TestCluster } from './cluster.ts';
import { bridge, type NamespaceSpec } from './namespace.ts';
import { findTool } from './tools.ts';

const runner = fileURLToPath(new URL('./namespace.ts', import.meta.url));
const [xdsPort, adminPort] = [9_977, 19_000];

/** The real control plane of kgateway against a test cluster that has its definitions, and an Envoy that runs from what it serves. */
export class Kgateway {
  readonly #cluster: TestCluster;
  readonly #folder: string;
  readonly #bridges: Server[] = [];
  readonly #processes: ChildProcess[] = [];

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#folder = join(cluster.folder, 'kgateway');
  }

  async start(): Promise<void> {
    mkdirSync(this.#folder);
    const api = Number(new URL(this.#cluster.server).port);
    await this.#bridge({ port: api }, this.#socket('api'));
    this.#spawn('controller', {
      root: '/',
      command: [findTool('kgateway')!],
      // No agent gateway, no election, no tokens of pods; Envoy's listeners on IPv4.
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: this.#folder,
        KUBECONFIG: this.#cluster.kubeconfig,
        POD_NAMESPACE: 'kgateway-system',
        KGW_DISABLE_LEADER_ELECTION: 'true',
        KGW_ENABLE_AGENTGATEWAY: 'false',
        KGW_XDS_AUTH: 'false',
        KGW_LISTENER_BIND_IPV6: 'false',
        KGW_DEFAULT_IMAGE_TAG: 'none',
      },
      out: [{ port: api, socket: this.#socket('api') }],
      into: [{ port: xdsPort, socket: this.#socket('xds') }],
    });
  }

  /** The ends of the logs. */
  get said(): string {
    return ['controller', 'envoy'].map((name) => this.#log(name)).join('\n');
  }

  #log(name: string): string {
    try {
      return readFileSync(join(this.#folder, `${name}.log`), 'utf8').slice(-4_000);
    } catch {
      return '';
    }
  }

  /**
   * Runs an Envoy as kgateway's Deployment of a Gateway does, in a network of its own: `port` of that is reached at the URL that this
   * resolves with; `ports` of this machine are reached from it.
   */
  async proxy(namespace: string, gateway: string, port: number, ports: readonly number[]): Promise<{ url: string; admin: string }> {
    const file = join(this.#folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap(namespace, gateway)));
    for (const each of ports) await this.#bridge({ port: each }, this.#socket(String(each)));
    this.#spawn('envoy', {
      root: '/',
      command: [
        await requireEnvoy(),
        '-c',
        file,
        '--service-node',
        `${gateway}.${namespace}`,
        '--use-dynamic-base-id',
        '--concurrency',
        '2',
      ],
      env: { PATH: process.env['PATH'] ?? '' },
      out: [{ port: xdsPort, socket: this.#socket('xds') }, ...ports.map((each) => ({ port: each, socket: this.#socket(String(each)) }))],
      into: [
        { port, socket: this.#socket('listener') },
        { port: adminPort, socket: this.#socket('admin') },
      ],
    });
    const [url, admin] = await Promise.all(['listener', 'admin'].map((name) => this.#open(this.#socket(name))));
    await until(
      async () => (await fetch(`${admin!}/ready`)).ok,
      'Envoy',
      () => this.said,
    );
    return { url: url!, admin: admin! };
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) await end(child, 'SIGTERM');
    for (const server of this.#bridges) server.close();
  }

  #socket(name: string): string {
    return join(this.#folder, `${name}.sock`);
  }

  #spawn(name: string, spec: NamespaceSpec): void {
    const log = openSync(join(this.#folder, `${name}.log`), 'a');
    this.#processes.push(
      spawn('unshare', ['--map-root-user', '--net', process.execPath, runner, JSON.stringify(spec)], { stdio: ['ignore', log, log] }),
    );
  }

  async #open(socket: string): Promise<string> {
    const server = await this.#bridge({ socket }, 0);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async #bridge(to: Parameters<typeof bridge>[0], at: string | number): Promise<Server> {
    const server = bridge(to);
    this.#bridges.push(server);
    await new Promise<void>((resolve) => (typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve)));
    return server;
  }
}

/** As kgateway's chart of a proxy writes it, as far as it matters here. */
function bootstrap(namespace: string, gateway: string): object {
  const ads = { ads: {}, resource_api_version: 'V3' };
  const at = (port_value: number): object => ({ socket_address: { address: '127.0.0.1', port_value } });
  return {
    admin: { address: at(adminPort) },
    node: { cluster: `${gateway}.${namespace}`, metadata: { role: `kgateway-kube-gateway-api~${namespace}~${gateway}` } },
    dynamic_resources: {
      lds_config: ads,
      cds_config: ads,
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        rate_limit_settings: {},
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds_cluster' } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: 'xds_cluster',
          type: 'STATIC',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: { cluster_name: 'xds_cluster', endpoints: [{ lb_endpoints: [{ endpoint: { address: at(xdsPort) } }] }] },
        },
      ],
    },
  };
}
