import { limits } from '../lib/limits.ts';
import { pathShapes, type Sign } from '../policy/provider-paths.ts';
import type { Provider } from '../policy/types.ts';
import {
  retryHeader,
  shadowHeader,
  type FilterRole,
  chainHeader,
  abilitiesHeader,
  clusterHeader,
  clusterName,
  mirrorHeader,
  provenance,
  sluiceClusterName,
  streamIdleTimeout,
  usageHeader,
  type UsageMode,
} from './names.ts';
import { answerFilters, answerLog } from './usage.ts';
import { providerBreakers, seconds, sluiceBreakers } from './breakers.ts';
import { attemptFilter, chainRoute, mirrorPolicies } from './chains.ts';
import { grpcService, providerFilters, requestFilter, type RequestPolicy } from './ext-proc.ts';
import { hostChainClusters, hostChainRoutes, hostListeners, internalListeners } from './host-chains.ts';
import { localReplies } from './local-replies.ts';
import { overloadManager, readBytes, wholeBodyBytes } from './overload.ts';
import { signedOnly, signingFilters } from './signing.ts';
import { socketAddress } from './socket-address.ts';
import { allAbilities, type EnvoyAbilities } from './abilities.ts';

export interface EnvoyOptions extends RequestPolicy {
  readonly providers: readonly Provider[];
  /** Providers no longer in the policy, kept for requests in flight: clusters without routes. */
  readonly retired?: readonly Provider[];
  /** Sluice's address: `unix:/path` or `host:port`. */
  readonly sluice: string;
  /** Address that apps call: `host:port`. */
  readonly listen: string;
  /** Envoy's own admin: `host:port`; null for none. */
  readonly admin: string | null;
  /** File with the CAs that verify providers' certificates. */
  readonly caFile: string;
  /** OTLP collector (gRPC) for Envoy's own spans: `host:port`; null for none. */
  readonly otlp: string | null;
  /** Memory that Envoy may use in all, bytes; null: not bounded here. */
  readonly memoryBytes: number | null;
  /** Of this Envoy's version; see abilitiesOf. */
  readonly abilities: EnvoyAbilities;
  /** How Sluice receives answers; see usageModeOf. */
  readonly usage: UsageMode;
}

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** Enables hedging, with which Envoy crashes on an attempt that its filter wants replaced. */
const hedgeHeader = 'x-envoy-hedge-on-per-try-timeout';

/** A response header from the request filter's metadata; no header if the metadata is absent. */
function provenanceHeader(name: string, key: string): Json {
  return { header: { key: name, value: `%DYNAMIC_METADATA(sluice:${key})%` }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

/**
 * Envoy's bootstrap for a standalone gateway: one listener, Sluice's two filters, one cluster per provider. Plain objects; print them as
 * YAML or JSON.
 */
export function renderEnvoy(options: EnvoyOptions): Json {
  const { providers } = options;
  const reached = [...providers, ...(options.retired ?? [])];
  const byHosts = options.abilities.attemptEndpoints;
  return {
    ...(byHosts ? internalListeners : {}),
    ...(options.admin === null ? {} : { admin: { address: socketAddress(options.admin) } }),
    ...(options.memoryBytes === null ? {} : { overload_manager: overloadManager(options.memoryBytes) }),
    static_resources: {
      listeners: [
        {
          name: 'llm_egress',
          address: socketAddress(options.listen),
          per_connection_buffer_limit_bytes: readBytes(options.memoryBytes),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager(options) }] },
          ],
        },
        ...(byHosts ? hostListeners(reached) : []),
      ],
      clusters: [
        sluiceCluster(options.sluice),
        ...(options.otlp === null ? [] : [collectorCluster(options.otlp)]),
        ...reached.flatMap((provider) => clustersOf(provider, options)),
        ...(byHosts ? hostChainClusters(reached, providerBreakers, grpcService) : []),
      ],
    },
  };
}

function connectionManager(options: EnvoyOptions): Json {
  return {
    '@type': `${http}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'llm_egress',
    codec_type: 'AUTO',
    // Proxies in front, such as nginx, use HTTP/1.0 by default; its requests need not name a host.
    http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'sluice' },
    stream_idle_timeout: streamIdleTimeout,
    request_headers_timeout: '30s',
    // Ends when the last byte of the request was forwarded, so the model's time is excluded.
    request_timeout: seconds(limits.requestMs),
    use_remote_address: true,
    // An app's own x-request-id finds its decision; Envoy would replace it.
    preserve_external_request_id: true,
    // Routing and upstream use the same path that Sluice recognises. Escaped slashes are kept, because some model names contain them.
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    access_log: [answerLog(options.usage)],
    local_reply_config: localReplies(),
    ...(options.otlp === null ? {} : { tracing: tracing() }),
    early_header_mutation_extensions: [earlyMutation(options)],
    http_filters: [
      ...answerFilters(options.usage),
      { name: 'envoy.filters.http.ext_proc.sluice_request', typed_config: requestFilter(options) },
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${http}.filters.http.router.v3.Router` } },
    ],
    route_config: { name: 'llm_egress', virtual_hosts: virtualHosts(options) },
  };
}

/** Headers that control a request's routing in Envoy: only Sluice and Envoy may set them. */
export const reservedHeaders = [
  clusterHeader,
  chainHeader,
  mirrorHeader,
  shadowHeader,
  retryHeader,
  hedgeHeader,
  abilitiesHeader,
  usageHeader,
] as const;

/** Removes them from client requests, before any filter or route sees the request. */
export function earlyMutation({ abilities, usage }: Pick<EnvoyOptions, 'abilities' | 'usage'>, more: readonly string[] = []): Json {
  const set = (key: string, value: string): Json => ({ append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } });
  return {
    name: 'envoy.http.early_header_mutation.header_mutation',
    typed_config: {
      '@type': `${http}.http.early_header_mutation.header_mutation.v3.HeaderMutation`,
      mutations: [
        ...[...reservedHeaders, ...more].map((remove) => ({ remove })),
        ...(abilities === allAbilities ? [] : [set(abilitiesHeader, abilities.name)]),
        ...(usage === 'observe' ? [] : [set(usageHeader, usage)]),
      ],
    },
  };
}

/** Envoy's span of a request, and one for each upstream call including Sluice, which receives its own and continues it. */
function tracing(): Json {
  return {
    spawn_upstream_span: true,
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
        grpc_service: { envoy_grpc: { cluster_name: 'otlp' }, timeout: '1s' },
        service_name: 'envoy',
      },
    },
  };
}

/** Headers from apps for Sluice alone. */
export const privateHeaders = [
  'x-sluice-workspace',
  'x-sluice-user-tier',
  'x-sluice-quality',
  'x-sluice-task',
  'x-sluice-session',
  'x-sluice-user',
  'x-sluice-cache',
  'x-sluice-route',
];

/** Disables the copies of answers on a route. */
const withoutCopies: Json = {
  'envoy.filters.http.ext_proc.sluice_response': { '@type': `${http}.filters.http.ext_proc.v3.ExtProcPerRoute`, disabled: true },
};

/** Response headers of every virtual host of providers. */
export function provenanceHeaders(): Json[] {
  return provenance.map(([header, key]) => provenanceHeader(header, key));
}

function virtualHosts(options: EnvoyOptions): Json[] {
  const { providers, abilities, usage, memoryBytes } = options;
  const bodies = readBytes(memoryBytes) < wholeBodyBytes ? { request_body_buffer_limit: wholeBodyBytes } : {};
  const onlyOurs = [
    ...privateHeaders,
    ...(abilities === allAbilities ? [] : [abilitiesHeader]),
    ...(usage === 'observe' ? [] : [usageHeader]),
  ];
  // Older versions cannot mark the original of a copy.
  const mirrors = abilities.mirrors ? { request_mirror_policies: mirrorPolicies } : {};
  const chained = abilities.attemptClusters ? [chainRoute(providers)] : abilities.attemptEndpoints ? hostChainRoutes() : [];
  const headers = provenanceHeaders();
  const hosts = providers
    .filter((provider) => provider.hosts.length > 0)
    .map((provider) => ({
      name: `host_${provider.name}`,
      domains: provider.hosts.flatMap((host) => [host, `${host}:*`]),
      response_headers_to_add: headers,
      request_headers_to_remove: onlyOurs,
      response_headers_to_remove: [retryHeader],
      ...mirrors,
      ...bodies,
      routes: [...chained, ...chosenByHeader(providers), ...both(provider, { prefix: '/' }, '', options)],
    }));
  return [
    ...hosts,
    {
      name: 'gateway',
      domains: ['*'],
      response_headers_to_add: headers,
      request_headers_to_remove: onlyOurs,
      response_headers_to_remove: [retryHeader],
      ...mirrors,
      ...bodies,
      routes: [...chained, ...gatewayRoutes(options)],
    },
  ];
}

function gatewayRoutes(options: EnvoyOptions): Json[] {
  const { providers } = options;
  const routes: Json[] = [...chosenByHeader(providers)];
  for (const provider of providers) {
    if (provider.pathPrefix !== null) routes.push(...both(provider, { prefix: `${provider.pathPrefix}/` }, provider.pathPrefix, options));
  }
  for (const { family, regex, sign } of pathShapes) {
    const provider = providers.find((candidate) => candidate.family === family);
    if (provider !== undefined)
      routes.push(...both(provider, { safe_regex: { regex }, ...(sign === undefined ? {} : signMatch(sign)) }, '', options));
  }
  routes.push({
    match: { prefix: '/' },
    direct_response: {
      status: 404,
      body: { inline_string: '{"error":{"message":"No provider is known for this host and path.","type":"not_found"}}' },
    },
    response_headers_to_add: [{ header: { key: 'content-type', value: 'application/json' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
  });
  return routes;
}

/** A condition on a request's headers as an Envoy route match. */
function signMatch(sign: Sign): Json {
  if ('query' in sign) return { query_parameters: [{ name: sign.query, present_match: true }] };
  return {
    headers: [
      {
        name: sign.header,
        ...(sign.regex === undefined ? { present_match: true } : { string_match: { safe_regex: { regex: sign.regex } } }),
      },
    ],
  };
}

/**
 * Routes to a provider that Sluice chose instead of the path's own. The header cannot come from a client: it is removed before the filters.
 */
export function chosenByHeader(providers: readonly Provider[]): Json[] {
  const chosen = providers.map((provider) => ({
    match: { prefix: '/', headers: [{ name: clusterHeader, string_match: { exact: clusterName(provider.name) } }] },
    route: action(provider, provider.pathPrefix ?? ''),
    request_headers_to_remove: [clusterHeader],
  }));
  // The chosen provider has no route on this Envoy: answer 503 rather than fall through to another provider.
  const missing = {
    match: { prefix: '/', headers: [{ name: clusterHeader, present_match: true }] },
    direct_response: {
      status: 503,
      body: {
        inline_string:
          '{"error":{"message":"This Envoy has no route to the provider that the policy chose; its config is older than the policy.","type":"server_error"}}',
      },
    },
    response_headers_to_add: [{ header: { key: 'content-type', value: 'application/json' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
  };
  return [...chosen, missing];
}

/** A provider's route, preceded by the same for WebSockets: Sluice sees their headers, and messages are not copied. */
export function both(provider: Provider, match: Json, prefix: string, policy: Pick<RequestPolicy, 'closedProviders'>): Json[] {
  const filters = providerFilters(policy, provider.name);
  const upgrade = { name: 'upgrade', string_match: { exact: 'websocket', ignore_case: true } };
  return [
    {
      match: { ...match, headers: [upgrade, ...headersOf(match)] },
      route: action(provider, prefix),
      typed_per_filter_config: { ...withoutCopies, ...filters },
    },
    { match, route: action(provider, prefix), ...(filters === undefined ? {} : { typed_per_filter_config: filters }) },
  ];
}

function headersOf({ headers }: Json): readonly unknown[] {
  return Array.isArray(headers) ? headers : [];
}

function action(provider: Provider, prefix: string): Json {
  const rewrite = pathRewrite(provider, prefix);
  // Retries only before any byte of the request has been sent: a provider that closes an idle connection causes no error.
  const retry_policy = { retry_on: 'connect-failure,refused-stream,reset-before-request', num_retries: 1 };
  return {
    cluster: clusterName(provider.name),
    timeout: '0s',
    idle_timeout: streamIdleTimeout,
    auto_host_rewrite: true,
    retry_policy,
    ...(rewrite === null ? {} : { regex_rewrite: { pattern: { regex: rewrite.regex }, substitution: rewrite.substitution } }),
  };
}

/** Rewrites the gateway's path to the provider's: removes `prefix`, adds the endpoint's own path. Null if it is the same. */
export function pathRewrite(provider: Provider, prefix: string): { readonly regex: string; readonly substitution: string } | null {
  const base = new URL(provider.endpoint).pathname.replace(/\/$/, '');
  return prefix === '' && base === '' ? null : { regex: `^${escape(prefix)}/`, substitution: `${base}/` };
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** A provider's cluster for a single attempt, and those for attempts of a chain, which have a filter of their own. */
function clustersOf(provider: Provider, { caFile, abilities }: Pick<EnvoyOptions, 'caFile' | 'abilities'>): Json[] {
  return clustersFor(provider, abilities.attemptClusters ? ['listener', 'gate', 'next', 'stream', 'shadow'] : ['listener'], caFile);
}

/** A provider's clusters for some roles; `sluice`: name of Sluice's cluster. */
export function clustersFor(provider: Provider, roles: readonly FilterRole[], caFile: string, sluice = sluiceClusterName): Json[] {
  return roles.map((role) => providerCluster(provider, role, caFile, sluice));
}

/** Filters in the provider's cluster: the attempt's filter, which may change requests, then the one that signs them. */
function upstreamFilters(provider: Provider, role: FilterRole, sluice: string): Json {
  const signing = provider.signing === null ? [] : signingFilters(provider.signing, new URL(provider.endpoint).hostname);
  if (role !== 'listener') return { typed_extension_protocol_options: attemptFilter(role, grpcService(role, sluice), [], signing) };
  return signing.length === 0 ? {} : { typed_extension_protocol_options: signedOnly(signing) };
}

/**
 * Envoy resets a stream for each request, and treats more than 1,000 unread resets as an attack: if Sluice stalled for seconds, its
 * connection would be closed with every request on it.
 */
const patientQueues = { max_outbound_control_frames: limits.grpcStreams, max_outbound_frames: 4 * limits.grpcStreams } as const;

function http2(): Json {
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${http}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: {
        http2_protocol_options: {
          max_concurrent_streams: limits.grpcStreams,
          ...patientQueues,
          initial_stream_window_size: limits.envoyUnsentBytes,
          initial_connection_window_size: 64 * 1024 * 1024,
        },
      },
    },
  };
}

export function sluiceCluster(address: string): Json {
  const unix = address.startsWith('unix:');
  return {
    name: 'sluice',
    type: unix ? 'STATIC' : 'STRICT_DNS',
    connect_timeout: '0.25s',
    per_connection_buffer_limit_bytes: limits.envoyUnsentBytes,
    circuit_breakers: sluiceBreakers,
    typed_extension_protocol_options: http2(),
    load_assignment: endpoints('sluice', unix ? { pipe: { path: address.slice('unix:'.length) } } : socketAddress(address)),
  };
}

function collectorCluster(address: string): Json {
  return {
    name: 'otlp',
    type: 'STRICT_DNS',
    connect_timeout: '1s',
    typed_extension_protocol_options: http2(),
    load_assignment: endpoints('otlp', socketAddress(address)),
  };
}

/**
 * DNS discovery of a provider's addresses. A public name has many addresses, and each look-up returns a few of them: connections to others are
 * kept, and a name that cannot be resolved for a while keeps its address. In a cluster a name resolves to all its pods, and requests are
 * spread over them.
 */
export function discovery({ protocol }: Pick<URL, 'protocol'>): 'LOGICAL_DNS' | 'STRICT_DNS' {
  return protocol === 'https:' ? 'LOGICAL_DNS' : 'STRICT_DNS';
}

function providerCluster(provider: Provider, role: FilterRole, caFile: string, sluice: string): Json {
  const url = new URL(provider.endpoint);
  const tls = url.protocol === 'https:';
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const name = clusterName(provider.name, role);
  return {
    name,
    ...(role === 'shadow' ? { alt_stat_name: `provider_${provider.name}_shadow` } : {}),
    ...upstreamFilters(provider, role, sluice),
    type: discovery(url),
    dns_lookup_family: 'V4_PREFERRED',
    connect_timeout: '5s',
    per_connection_buffer_limit_bytes: wholeBodyBytes,
    circuit_breakers: providerBreakers,
    load_assignment: endpoints(name, { socket_address: { address: url.hostname, port_value: port } }, url.hostname),
    ...(tls
      ? {
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': `${http}.transport_sockets.tls.v3.UpstreamTlsContext`,
              sni: url.hostname,
              auto_sni_san_validation: true,
              common_tls_context: { validation_context: { trusted_ca: { filename: caFile } } },
            },
          },
        }
      : {}),
  };
}

function endpoints(cluster: string, address: Json, hostname?: string): Json {
  return {
    cluster_name: cluster,
    endpoints: [{ lb_endpoints: [{ endpoint: { address, ...(hostname === undefined ? {} : { hostname }) } }] }],
  };
}
