import { type FilterRole, roleHeader, claimNamespaces, sluiceClusterName, type UsageMode } from './names.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { limits } from '../lib/limits.ts';
import { seconds } from './breakers.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** Envoy's gRPC calls to Sluice; `cluster`: the cluster to call. */
export function grpcService(role: FilterRole = 'listener', cluster = sluiceClusterName): Json {
  // By default Envoy sends the cluster's name, and HTTP/2 servers reject one with slashes.
  const authority = cluster === sluiceClusterName ? {} : { authority: sluiceClusterName };
  return {
    envoy_grpc: { cluster_name: cluster, ...authority },
    timeout: '0s',
    ...(role === 'listener' ? {} : { initial_metadata: [{ key: roleHeader, value: role }] }),
  };
}

/** What the request filter must know of the policy. */
export interface RequestPolicy {
  /** Answer 503 instead of passing requests when Sluice cannot be reached. */
  readonly failClosed: boolean;
  /** The same for requests to these providers alone, by name. */
  readonly closedProviders?: readonly string[];
  /** It may refuse a request because of what it holds: Envoy waits longer before it lets one pass undecided. */
  readonly withholds: boolean;
}

/** By the sections of the policy that requests without a workspace get: Envoy knows a request's provider, and not its workspace. */
export function requestPolicyOf(generation: Pick<PolicySnapshot, 'providers' | 'section' | 'withholds'>): RequestPolicy {
  const names = [...generation.providers.keys()];
  const closedProviders = names.filter((name) => generation.section('', name).failClosed);
  const failClosed = closedProviders.length === names.length;
  return { failClosed, closedProviders: failClosed ? [] : closedProviders, withholds: generation.withholds };
}

/** Settings of a provider's routes; undefined: none. */
export function providerFilters({ closedProviders = [] }: Pick<RequestPolicy, 'closedProviders'>, provider: string): Json | undefined {
  if (!closedProviders.includes(provider)) return undefined;
  return {
    'envoy.filters.http.ext_proc.sluice_request': {
      '@type': `${http}.filters.http.ext_proc.v3.ExtProcPerRoute`,
      overrides: { failure_mode_allow: false },
    },
  };
}

/** Whether a request that waits for Sluice is better off than one that Envoy lets pass or refuses. */
export function waits({ failClosed, closedProviders = [], withholds }: RequestPolicy): boolean {
  return failClosed || closedProviders.length > 0 || withholds;
}

/** How long Envoy waits for Sluice's answer to one message of a request, in ms. */
export function messageMs(policy: RequestPolicy): number {
  return waits(policy) ? limits.withheldMessageMs : limits.messageMs;
}

/**
 * While Sluice is started again, Envoy asks the next one what the last one has not answered. `reset` is an answer that had not begun: what
 * Sluice has answered in part is not asked again.
 */
const askAgain: Json = {
  retry_policy: {
    retry_on: 'reset,connect-failure,refused-stream',
    num_retries: limits.askAgain.times,
    retry_back_off: { base_interval: seconds(limits.askAgain.firstMs), max_interval: seconds(limits.askAgain.longestMs) },
  },
};

/** Headers first; Sluice asks for the body of requests that it can use. Envoy sends nothing more after its answer. */
export function requestFilter(policy: RequestPolicy, cluster = sluiceClusterName): Json {
  const { failClosed, closedProviders = [] } = policy;
  return {
    '@type': `${http}.filters.http.ext_proc.v3.ExternalProcessor`,
    stat_prefix: 'sluice_request',
    grpc_service: { ...grpcService('listener', cluster), ...(waits(policy) ? askAgain : {}) },
    failure_mode_allow: !failClosed,
    ...(failClosed || closedProviders.length > 0 ? { status_on_error: { code: 'ServiceUnavailable' } } : {}),
    message_timeout: seconds(messageMs(policy)),
    // A request that waits for an identical one in flight asks for more time, up to this.
    max_message_timeout: seconds(limits.bodyWaitMs),
    allow_mode_override: true,
    processing_mode: {
      request_header_mode: 'SEND',
      request_body_mode: 'NONE',
      request_trailer_mode: 'SKIP',
      response_header_mode: 'SKIP',
      response_body_mode: 'NONE',
      response_trailer_mode: 'SKIP',
    },
    mutation_rules: { allow_all_routing: true, allow_envoy: true },
    metadata_options: { receiving_namespaces: { untyped: ['sluice'] }, forwarding_namespaces: { untyped: claimNamespaces } },
  };
}

/** Asynchronous copies of the answer; the client does not wait. */
export function responseFilter(usage: UsageMode = 'observe', cluster = sluiceClusterName): Json {
  return unless(usage === 'observe' ? [cached] : [cached, logged], {
    '@type': `${http}.filters.http.ext_proc.v3.ExternalProcessor`,
    stat_prefix: 'sluice_response',
    grpc_service: grpcService('listener', cluster),
    failure_mode_allow: true,
    observability_mode: true,
    // How long Envoy keeps the copy's stream after its HTTP stream has ended: a cut answer is recorded after this.
    deferred_close_timeout: '1s',
    processing_mode: {
      request_header_mode: 'SKIP',
      request_body_mode: 'NONE',
      request_trailer_mode: 'SKIP',
      response_header_mode: 'SEND',
      response_body_mode: 'STREAMED',
      response_trailer_mode: 'SKIP',
    },
    metadata_options: { forwarding_namespaces: { untyped: ['sluice'] } },
  });
}

/** Answers from Sluice's cache. */
const cached: Json = { single_predicate: { input: responseHeader('x-sluice-reason'), value_match: { exact: 'cache' } } };

/**
 * Answers that Sluice reads from the access log. The request filter's metadata must only be read once there is a response: the first
 * predicate makes Envoy wait for it.
 */
const logged: Json = {
  and_matcher: {
    predicate: [
      { not_matcher: { single_predicate: { input: responseHeader(':status'), value_match: { exact: 'none' } } } },
      {
        single_predicate: {
          input: {
            name: 'answer',
            typed_config: {
              '@type': `${http}.matching.common_inputs.network.v3.DynamicMetadataInput`,
              filter: 'sluice',
              path: [{ key: 'answer' }],
            },
          },
          custom_match: {
            name: 'log',
            typed_config: { '@type': `${http}.matching.input_matchers.metadata.v3.Metadata`, value: { string_match: { exact: 'log' } } },
          },
        },
      },
    ],
  },
};

function responseHeader(name: string): Json {
  return {
    name: 'header',
    typed_config: { '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpResponseHeaderMatchInput', header_name: name },
  };
}

/** No copies of answers that match a predicate. */
function unless(predicates: readonly Json[], filter: Json): Json {
  const skip = { action: { name: 'skip', typed_config: { '@type': `${http}.filters.common.matcher.action.v3.SkipFilter` } } };
  return {
    '@type': `${http}.common.matching.v3.ExtensionWithMatcher`,
    extension_config: { name: 'copies', typed_config: filter },
    xds_matcher: { matcher_list: { matchers: predicates.map((predicate) => ({ predicate, on_match: skip })) } },
  };
}
