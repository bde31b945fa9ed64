import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import { requestPolicyOf } from './ext-proc.ts';
import type { PolicySnapshot, Provider } from '../policy/types.ts';
import { internalListeners } from './host-chains.ts';
import { overloadManager } from './overload.ts';
import { renderEnvoy, type EnvoyOptions } from './render.ts';
import { Rollout } from './rollout.ts';
import { socketAddress, spareAddress } from './socket-address.ts';
import { messageOf } from '../lib/message-of.ts';

export interface EnvoyFilesOptions extends Omit<
  EnvoyOptions,
  'providers' | 'retired' | 'failClosed' | 'closedProviders' | 'withholds' | 'admin'
> {
  /** Folder shared with Envoy. */
  readonly folder: string;
  /** Envoy's own admin: `host:port`. */
  readonly admin: string;
  /** `host:port` of a listener with `/ready` and `/stats/prometheus`, for probes and scrapes; null for none. */
  readonly status: string | null;
  /** A listener for apps that call the providers' own names: `host:port`, and a folder with tls.crt and tls.key. */
  readonly tls: {
    readonly listen: string;
    readonly folder: string;
    /** The folder has a second certificate in added.crt and added.key, of further names. */
    readonly added: boolean;
  } | null;
  /** Both listen at a second port too: see spareAddress. */
  readonly spare: boolean;
}

type Json = Readonly<Record<string, unknown>>;

interface Rendered {
  readonly static_resources: {
    readonly listeners: readonly [ListenerJson, ...Json[]];
    readonly clusters: readonly (Json & { readonly name: string })[];
  };
}

interface ListenerJson extends Json {
  readonly filter_chains: readonly [
    {
      readonly filters: readonly [
        { readonly name: string; readonly typed_config: Json & { readonly route_config: Json & { readonly name: string } } },
      ];
    },
  ];
}

const types = 'type.googleapis.com/envoy';
const routeName = 'llm_egress';

/** Clusters independent of the policy. */
const fixed: ReadonlySet<string> = new Set(['sluice', 'otlp']);

/**
 * Envoy's config as files that Envoy watches: a bootstrap that never changes, and listeners, routes and clusters that follow the policy.
 * New providers are added without a restart; changes of routes or clusters interrupt no stream.
 */
export class EnvoyFiles {
  readonly #options: EnvoyFilesOptions;
  readonly #written = new Map<string, string>();
  readonly #rollout: Rollout;
  #last: Promise<void> = Promise.resolve();
  #newest: PolicySnapshot | null = null;

  /** `onError`: called when writing files failed and no caller waits for it. */
  constructor(options: EnvoyFilesOptions, onError: (error: unknown) => void = () => undefined) {
    this.#options = options;
    const again = (): void => {
      if (this.#newest !== null) this.#enqueue(this.#newest).catch(onError);
    };
    this.#rollout = new Rollout({ admin: options.admin, abilities: options.abilities, onRetired: again });
  }

  /** Whether Envoy has loaded a provider added by a policy: until then nothing may be sent there. */
  has(provider: string): boolean {
    return this.#rollout.has(provider);
  }

  /** Stops writing and watching. */
  close(): void {
    this.#rollout.close();
  }

  /** Path for Envoy's `-c`. */
  get bootstrap(): string {
    return join(this.#options.folder, 'bootstrap.json');
  }

  /** Writes changed files, each by one rename. Rejects with SLUICE_ENVOY_FILES. */
  write(generation: PolicySnapshot): Promise<void> {
    this.#newest = generation;
    this.#rollout.change(generation.providers);
    return this.#enqueue(generation);
  }

  #enqueue(generation: PolicySnapshot): Promise<void> {
    // Sequential: an older policy must not overwrite a newer one.
    this.#last = this.#last.catch(() => undefined).then(() => this.#write(generation));
    return this.#last;
  }

  async #write(generation: PolicySnapshot): Promise<void> {
    try {
      await mkdir(this.#options.folder, { recursive: true });
      for (const [name, content] of Object.entries(renderEnvoyFiles(this.#options, generation, this.#rollout.retired))) {
        const text = JSON.stringify(content);
        if (this.#written.get(name) === text) continue;
        const file = join(this.#options.folder, name);
        await writeFile(`${file}.new`, text);
        await rename(`${file}.new`, file);
        this.#written.set(name, text);
      }
    } catch (error) {
      throw new SluiceError('SLUICE_ENVOY_FILES', messageOf(error), { where: this.#options.folder, cause: error });
    }
  }
}

/**
 * The files by name, in the order in which Envoy must load them: referenced files first. `retired`: providers that have clusters and no
 * routes.
 */
function renderEnvoyFiles(
  options: EnvoyFilesOptions,
  generation: PolicySnapshot,
  retired: readonly Provider[] = [],
): Readonly<Record<string, Json>> {
  const providers = [...generation.providers.values()];
  const config = renderEnvoy({ ...options, providers, retired, ...requestPolicyOf(generation) }) as unknown as Rendered;
  const { listeners, clusters } = config.static_resources;
  const routes = listeners[0].filter_chains[0].filters[0].typed_config.route_config;
  const [gateway, ...inner] = listeners;
  const dynamic = withRouteFile(gateway, options.folder);
  const tls = options.tls === null ? [] : [withSpare(options, withTls(dynamic, options.tls, options.folder), options.tls.listen)];
  return {
    'bootstrap.json': bootstrap(
      options,
      clusters.filter(({ name }) => fixed.has(name)),
    ),
    ...certificateFiles(options.tls),
    'clusters.json': discovery(
      clusters.filter(({ name }) => !fixed.has(name)).map((cluster) => ({ '@type': `${types}.config.cluster.v3.Cluster`, ...cluster })),
    ),
    'routes.json': discovery([{ '@type': `${types}.config.route.v3.RouteConfiguration`, ...routes, name: routeName }]),
    'listeners.json': discovery(
      [withSpare(options, dynamic, options.listen), ...tls, ...inner].map((listener) => ({
        '@type': `${types}.config.listener.v3.Listener`,
        ...listener,
      })),
    ),
  };
}

function withSpare({ spare }: EnvoyFilesOptions, listener: Json, listen: string): Json {
  return spare ? { ...listener, additional_addresses: [spareAddress(listen)] } : listener;
}

function bootstrap(options: EnvoyFilesOptions, clusters: readonly Json[]): Json {
  const { status } = options;
  return {
    node: { id: 'sluice', cluster: 'sluice' },
    ...(options.abilities.attemptEndpoints ? internalListeners : {}),
    admin: { address: socketAddress(options.admin) },
    ...(options.memoryBytes === null ? {} : { overload_manager: overloadManager(options.memoryBytes) }),
    dynamic_resources: { cds_config: watched(options.folder, 'clusters.json'), lds_config: watched(options.folder, 'listeners.json') },
    static_resources: {
      listeners: status === null ? [] : [statusListener(status)],
      clusters: [...clusters, ...(status === null ? [] : [adminCluster(options.admin)])],
    },
  };
}

function discovery(resources: readonly Json[]): Json {
  return { resources };
}

function watched(folder: string, file: string): Json {
  return { resource_api_version: 'V3', path_config_source: { path: join(folder, file), watched_directory: { path: folder } } };
}

/** The same listener with its routes in their own file, so that a new provider changes no listener. */
function withRouteFile(listener: ListenerJson, folder: string): ListenerJson {
  const [{ filters }] = listener.filter_chains;
  // Undefined fields are not written.
  return {
    ...listener,
    filter_chains: [
      {
        filters: [
          {
            ...filters[0],
            typed_config: {
              ...filters[0].typed_config,
              route_config: undefined,
              rds: { route_config_name: routeName, config_source: watched(folder, 'routes.json') },
            },
          },
        ],
      },
    ],
  } as unknown as ListenerJson;
}

/** The same listener with TLS and the certificate for the providers' names. A renewed certificate is loaded without a restart. */
function withTls(listener: ListenerJson, tls: NonNullable<EnvoyFilesOptions['tls']>, folder: string): Json {
  const [chain] = listener.filter_chains;
  return {
    ...listener,
    name: `${String(listener['name'])}_tls`,
    address: socketAddress(tls.listen),
    filter_chains: [
      {
        ...chain,
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': `${types}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
            common_tls_context: {
              alpn_protocols: ['h2', 'http/1.1'],
              tls_certificate_sds_secret_configs: secretsOf(tls).map(({ name }) => ({ name, sds_config: watched(folder, `${name}.json`) })),
            },
          },
        },
      },
    ],
  };
}

/** As a separate secret, which Envoy reloads when the folder's files are replaced. */
/** Envoy's secrets and the names of their files in the folder; Envoy chooses between them by the name that a client asks for. */
function secretsOf({ added }: { readonly added: boolean }): readonly { readonly name: string; readonly file: string }[] {
  const first = { name: 'provider_names', file: 'tls' };
  return added ? [first, { name: 'added_names', file: 'added' }] : [first];
}

/** Each in a file of its own: Envoy takes no file with more than one. */
function certificateFiles(tls: EnvoyFilesOptions['tls']): Record<string, Json> {
  return tls === null
    ? {}
    : Object.fromEntries(secretsOf(tls).map(({ name, file }) => [`${name}.json`, discovery([certificate(name, join(tls.folder, file))])]));
}

function certificate(name: string, path: string): Json {
  return {
    '@type': `${types}.extensions.transport_sockets.tls.v3.Secret`,
    name,
    tls_certificate: {
      certificate_chain: { filename: `${path}.crt` },
      private_key: { filename: `${path}.key` },
      watched_directory: { path: dirname(path) },
    },
  };
}

/** `/ready` and Envoy's metrics only; the rest of its admin could stop it. */
function statusListener(address: string): Json {
  return {
    name: 'status',
    address: socketAddress(address),
    ignore_global_conn_limit: true,
    // Probes must not fail because apps fill the memory: the kubelet would restart Envoy.
    bypass_overload_manager: true,
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'status',
              route_config: {
                virtual_hosts: [
                  {
                    name: 'status',
                    domains: ['*'],
                    routes: ['/ready', '/stats/prometheus'].map((path) => ({
                      match: { path, headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
                      route: { cluster: 'envoy_admin' },
                    })),
                  },
                ],
              },
              http_filters: [
                { name: 'envoy.filters.http.router', typed_config: { '@type': `${types}.extensions.filters.http.router.v3.Router` } },
              ],
            },
          },
        ],
      },
    ],
  };
}

function adminCluster(address: string): Json {
  return {
    name: 'envoy_admin',
    type: 'STATIC',
    load_assignment: { cluster_name: 'envoy_admin', endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address) } }] }] },
  };
}
