import { stringify } from 'yaml';
import { chainHeader, clusterHeader } from './names.ts';
import { renderEnvoy, type EnvoyOptions } from './render.ts';

type Json = Readonly<Record<string, unknown>>;

/** The parts of a rendered bootstrap that an existing Envoy needs, by place. */
export interface Snippet {
  /** For the bootstrap itself, if chains need it. */
  readonly bootstrap: Json;
  /** For the listener that apps call. */
  readonly listener: Json;
  /** For its HTTP connection manager. `http_filters` come after authentication and before all others. */
  readonly http_connection_manager: Json;
  /** For every virtual host. `routes` come before its own. */
  readonly virtual_host: Json;
  /** For each route to a provider. */
  readonly route: Json;
  /** Additional listeners, inside Envoy. */
  readonly listeners: readonly Json[];
  readonly clusters: readonly Json[];
}

/** Fields of the connection manager that an existing Envoy sets itself. */
const ownManager: ReadonlySet<string> = new Set([
  '@type',
  'stat_prefix',
  'codec_type',
  'route_config',
  'http_filters',
  'use_remote_address',
  'upgrade_configs',
  'http_protocol_options',
  'tracing',
]);

/** The additions for an existing Envoy: parts of the config written by `renderEnvoy`, and nothing else. */
export function snippetOf(options: EnvoyOptions): Snippet {
  const config = renderEnvoy({ ...options, admin: null }) as unknown as Rendered;
  const { listeners, clusters } = config.static_resources;
  const [gateway, ...inner] = listeners;
  const manager = gateway!.filter_chains[0]!.filters[0]!.typed_config;
  const { http_filters, route_config } = manager;
  const { routes, ...host } = route_config.virtual_hosts.at(-1)!;
  return {
    bootstrap: config.bootstrap_extensions === undefined ? {} : { bootstrap_extensions: config.bootstrap_extensions },
    listener: { per_connection_buffer_limit_bytes: gateway!['per_connection_buffer_limit_bytes'] },
    http_connection_manager: {
      http_filters: http_filters.slice(0, -1),
      ...Object.fromEntries(Object.entries(manager).filter(([key]) => !ownManager.has(key))),
    },
    virtual_host: {
      ...Object.fromEntries(Object.entries(host).filter(([key]) => key !== 'name' && key !== 'domains')),
      routes: routes.filter(isSluices),
    },
    route: { timeout: '0s', idle_timeout: manager['stream_idle_timeout'] },
    listeners: inner,
    clusters: clusters.filter(({ name }) => name !== 'otlp'),
  };
}

/** Whether a route is selected by one of Sluice's headers. */
export function isSluices(route: Json): boolean {
  const { headers } = (route['match'] ?? {}) as { readonly headers?: readonly { readonly name?: string }[] };
  return headers?.some(({ name }) => name === chainHeader || name === clusterHeader) === true;
}

/** The same as YAML: one document, with comments that say where each part belongs. */
export function snippetYaml(options: EnvoyOptions, policy: string): string {
  const { bootstrap, listener, http_connection_manager, virtual_host, route, listeners, clusters } = snippetOf(options);
  const block = (comment: string, value: object): string =>
    Object.keys(value).length === 0
      ? ''
      : `\n${comment
          .split('\n')
          .map((line) => `# ${line}`)
          .join('\n')}\n${stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })}`;
  return [
    `# What an Envoy of your own needs for Sluice, from policy ${policy}. This is no config by itself: each part says where it belongs.\n# When it is in place: sluice render envoy --check envoy.yaml\n`,
    block('At the top of the bootstrap.', bootstrap),
    block('1. In the listener that apps call.', { listener }),
    block(
      '2. In its http_connection_manager. http_filters: these come first, in this order; filters that authenticate may be\n   before them, all others and the router are after them. access_log: one more entry.',
      { http_connection_manager },
    ),
    block('3. In every virtual host that leads to providers. routes: these come before your own.', { virtual_host }),
    block("4. In your own routes to providers: a model thinks for longer than Envoy's 15 seconds.", { route }),
    block('5. More listeners, inside Envoy: they take no port.', listeners.length === 0 ? {} : { listeners }),
    block('6. More clusters. Your own clusters and their names may stay.', { clusters }),
  ].join('');
}

interface Rendered {
  readonly bootstrap_extensions?: readonly unknown[];
  readonly static_resources: {
    readonly listeners: readonly (Json & {
      readonly filter_chains: readonly { readonly filters: readonly { readonly typed_config: Manager }[] }[];
    })[];
    readonly clusters: readonly (Json & { readonly name: string })[];
  };
}

type Manager = Json & {
  readonly http_filters: readonly Json[];
  readonly route_config: { readonly virtual_hosts: readonly (Json & { readonly routes: readonly Json[] })[] };
};
