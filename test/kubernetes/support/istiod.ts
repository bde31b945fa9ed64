import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePorts } from '../../../src/demo/stack.ts';
import { requireEnvoy } from '../../../src/attach/binary.ts';
import { end, until, type TestCluster } from './cluster.ts';
import { bridge, type NamespaceSpec } from './namespace.ts';
import { findTool } from './tools.ts';

const runner = fileURLToPath(new URL('./namespace.ts', import.meta.url));
const xdsPort = 15_010;

/** The real istiod against a test cluster that has its definitions, and an Envoy that runs from what it serves to a pod's sidecar. */
export class Istiod {
  readonly #cluster: TestCluster;
  readonly #folder: string;
  readonly #bridges: Server[] = [];
  #istiod: ChildProcess | null = null;
  #proxy: ChildProcess | null = null;
  #xds = 0;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#folder = join(cluster.folder, 'istiod');
  }

  async start(): Promise<void> {
    mkdirSync(this.#folder);
    const [http, xds, monitoring] = await freePorts(3);
    this.#xds = xds!;
    const mesh = join(this.#folder, 'mesh.yaml');
    writeFileSync(mesh, stringify({ enablePrometheusMerge: false, enableAutoMtls: false, rootNamespace: 'istio-system' }));
    const networks = join(this.#folder, 'networks.yaml');
    writeFileSync(networks, 'networks: {}\n');
    const at = (port: number): string => `127.0.0.1:${port}`;
    this.#istiod = this.#cluster.spawn(
      findTool('pilot-discovery')!,
      [
        'discovery',
        `--kubeconfig=${this.#cluster.kubeconfig}`,
        '--registries=Kubernetes',
        '--clusterID=Kubernetes',
        '--namespace=istio-system',
        `--meshConfig=${mesh}`,
        `--networksConfig=${networks}`,
        `--httpAddr=${at(http!)}`,
        '--httpsAddr=',
        `--grpcAddr=${at(xds!)}`,
        '--secureGRPCAddr=',
        `--monitoringAddr=${at(monitoring!)}`,
        '--ctrlz_port=0',
      ],
      // Filters that only Istio's own build of Envoy has.
      {
        POD_NAME: 'istiod',
        POD_NAMESPACE: 'istio-system',
        ENABLE_CA_SERVER: 'false',
        PILOT_CERT_PROVIDER: 'none',
        PILOT_ENABLE_METADATA_EXCHANGE: 'false',
        PILOT_ENABLE_ALPN_FILTER: 'false',
        VALIDATION_WEBHOOK_CONFIG_NAME: '',
        INJECTION_WEBHOOK_CONFIG_NAME: '',
      },
    );
    await until(
      async () => (await fetch(`http://${at(http!)}/ready`)).ok,
      'istiod',
      () => this.said,
    );
  }

  get said(): string {
    return readFileSync(join(this.#cluster.folder, 'pilot-discovery.log'), 'utf8').slice(-3_000);
  }

  /**
   * Runs an Envoy as the sidecar of a pod in a namespace, in a network of its own: port 80 of that is reached at the port that this
   * resolves with; `ports` of this machine are reached from it.
   */
  async sidecar(namespace: string, ports: readonly number[]): Promise<number> {
    const file = join(this.#folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap(namespace)));
    const out = await Promise.all(
      [xdsPort, ...ports].map(async (port) => {
        const socket = join(this.#folder, `${port}.sock`);
        await this.#bridge({ port: port === xdsPort ? this.#xds : port }, socket);
        return { port, socket };
      }),
    );
    const entrance = join(this.#folder, 'in.sock');
    const spec: NamespaceSpec = {
      root: '/',
      command: [await requireEnvoy(), '-c', file, '--use-dynamic-base-id', '--concurrency', '2'],
      env: { PATH: process.env['PATH'] ?? '' },
      out,
      into: [{ port: 80, socket: entrance }],
    };
    const log = openSync(join(this.#cluster.folder, 'sidecar.log'), 'a');
    this.#proxy = spawn('unshare', ['--map-root-user', '--net', process.execPath, runner, JSON.stringify(spec)], {
      stdio: ['ignore', log, log],
    });
    const server = await this.#bridge({ socket: entrance }, 0);
    return (server.address() as AddressInfo).port;
  }

  get sidecarSaid(): string {
    return readFileSync(join(this.#cluster.folder, 'sidecar.log'), 'utf8').slice(-3_000);
  }

  async stop(): Promise<void> {
    await end(this.#proxy, 'SIGTERM');
    await end(this.#istiod, 'SIGKILL');
    for (const server of this.#bridges) server.close();
  }

  async #bridge(to: Parameters<typeof bridge>[0], at: string | number): Promise<Server> {
    const server = bridge(to);
    this.#bridges.push(server);
    await new Promise<void>((resolve) => (typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve)));
    return server;
  }
}

/** As Istio's agent writes it for a pod whose listeners are real ports, as far as it matters here. */
function bootstrap(namespace: string): object {
  const ads = { ads: {}, resource_api_version: 'V3' };
  const xds = { socket_address: { address: '127.0.0.1', port_value: xdsPort } };
  return {
    node: {
      id: `sidecar~127.0.0.1~app.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `app.${namespace}`,
      metadata: {
        NAMESPACE: namespace,
        NAME: 'app',
        LABELS: { app: 'app' },
        ISTIO_VERSION: '1.31.1',
        CLUSTER_ID: 'Kubernetes',
        INTERCEPTION_MODE: 'NONE',
        INSTANCE_IPS: '127.0.0.1',
      },
    },
    dynamic_resources: {
      lds_config: ads,
      cds_config: ads,
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: { cluster_name: 'xds-grpc', endpoints: [{ lb_endpoints: [{ endpoint: { address: xds } }] }] },
        },
      ],
    },
  };
}
