import { retryHeader, shadowHeader, type FilterRole, chainHeader, clusterName, mirrorHeader, streamIdleTimeout } from './names.ts';
import { limits } from '../lib/limits.ts';
import type { Provider } from '../policy/types.ts';
import { seconds } from './breakers.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/**
 * The route of requests with a chain: each attempt's cluster comes from the metadata set by the request filter; whether there is another
 * attempt comes from the headers that it set and from the attempt's filter. `specifier`: the cluster specifier; by default one priority
 * group per attempt.
 */
export function chainRoute(providers: readonly Provider[], specifier: Json = priorityGroups(providers)): Json {
  return {
    match: { prefix: '/', headers: [{ name: chainHeader, present_match: true }] },
    request_headers_to_remove: [chainHeader],
    route: {
      timeout: '0s',
      idle_timeout: streamIdleTimeout,
      auto_host_rewrite: true,
      inline_cluster_specifier_plugin: { extension: specifier },
      retry_policy: {
        refresh_cluster_on_retry: true,
        num_retries: 0,
        retriable_headers: [{ name: retryHeader, present_match: true }],
        // The next attempt goes to another target, so there is no reason to wait.
        retry_back_off: { base_interval: '0.001s', max_interval: '0.001s' },
      },
    },
  };
}

function priorityGroups(providers: readonly Provider[]): Json {
  return {
    name: 'envoy.router.cluster_specifier_plugin.priority_group',
    typed_config: {
      '@type': `${http}.router.cluster_specifiers.priority_group.v3.PriorityGroupClusterSpecifier`,
      override_metadata_namespace: 'sluice',
      // Never used: the header that selects this route is set together with metadata that overrides it.
      priority_groups: [{ name: 'none', clusters: [{ cluster_name: clusterName(providers[0]?.name ?? ''), weight: 1 }] }],
    },
  };
}

/** The chain request's headers that Envoy's router acts on; a copy has one attempt. */
const chainHeaders = [
  'x-envoy-retry-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-hedge-on-per-try-timeout',
];

/** Sends a copy of a request to the cluster named by the request filter, if any; a header of the copy names the original. */
export const mirrorPolicies: readonly Json[] = [
  {
    cluster_header: mirrorHeader,
    disable_shadow_host_suffix_append: true,
    request_headers_mutations: [
      { append: { header: { key: shadowHeader, value: '%DYNAMIC_METADATA(sluice:id)%' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } },
      ...[mirrorHeader, ...chainHeaders].map((remove) => ({ remove })),
    ],
  },
];

/** Must be the last filter in a cluster. */
export const upstreamCodec: Json = {
  name: 'envoy.filters.http.upstream_codec',
  typed_config: { '@type': `${http}.filters.http.upstream_codec.v3.UpstreamCodec` },
};

/** Headers both ways, and no body. */
const headersOnly = {
  request_header_mode: 'SEND',
  response_header_mode: 'SEND',
  request_body_mode: 'NONE',
  response_body_mode: 'NONE',
  request_trailer_mode: 'SKIP',
  response_trailer_mode: 'SKIP',
};

const processingModes: Readonly<Record<FilterRole, Json>> = {
  gate: { ...headersOnly, request_header_mode: 'SKIP' },
  next: headersOnly,
  shadow: headersOnly,
  // A body that flows both ways must be followed to its trailers.
  stream: { ...headersOnly, request_body_mode: 'BUFFERED', response_body_mode: 'FULL_DUPLEX_STREAMED', response_trailer_mode: 'SEND' },
  listener: {},
};

/** The filter of a chain's attempt, in the provider's cluster; `before` and `after`: further filters around it. */
export function attemptFilter(role: FilterRole, grpcService: Json, before: readonly Json[] = [], after: readonly Json[] = []): Json {
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${http}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http_protocol_options: {} },
      http_filters: [
        ...before,
        {
          name: `envoy.filters.http.ext_proc.sluice_${role}`,
          typed_config: {
            '@type': `${http}.filters.http.ext_proc.v3.ExternalProcessor`,
            stat_prefix: `sluice_${role}`,
            grpc_service: grpcService,
            // A first attempt carries its own target's request. Any other carries a request for another target until Sluice has changed it.
            failure_mode_allow: role === 'gate',
            // Without Sluice, a first attempt's answer passes unchanged; the others fail, so waiting a moment longer may avoid an error in
            // the app.
            message_timeout: seconds(role === 'gate' ? limits.messageMs : limits.attemptMessageMs),
            allow_mode_override: true,
            processing_mode: processingModes[role],
            mutation_rules: { allow_all_routing: true, allow_envoy: true },
            metadata_options: { forwarding_namespaces: { untyped: ['sluice'] }, receiving_namespaces: { untyped: ['sluice'] } },
          },
        },
        ...after,
        upstreamCodec,
      ],
    },
  };
}
