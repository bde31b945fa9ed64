import { type FilterRole, roleHeader, claimNamespaces, sluiceClusterName, type UsageMode } from './names.ts';
import { limits } from '../lib/limits.ts';
import { seconds } from './breakers.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** Envoy's calls to Sluice; `cluster`: the one that leads there. */
export function grpcService(role: FilterRole = 'listener', cluster = sluiceClusterName): Json {
  // Without one Envoy says the cluster's name, and HTTP/2 servers refuse one with slashes.
  const authority = cluster === sluiceClusterName ? {} : { authority: sluiceClusterName };
  return {
    envoy_grpc: { cluster_name: cluster, ...authority },
    timeout: '0s',
    ...(role === 'listener' ? {} : { initial_metadata: [{ key: roleHeader, value: role }] }),
  };
}

/** Headers first; Sluice asks for the body of the requests that it can use. Envoy hears no more of it after its answer. */
export function requestFilter(failClosed: boolean, cluster = sluiceClusterName): Json {
  return {
    '@type': `${http}.filters.http.ext_proc.v3.ExternalProcessor`,
    stat_prefix: 'sluice_request',
    grpc_service: grpcService('listener', cluster),
    failure_mode_allow: !failClosed,
    ...(failClosed ? { status_on_error: { code: 'ServiceUnavailable' } } : {}),
    message_timeout: seconds(limits.messageMs),
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

/** Copies of the answer, sent and forgotten: the client waits for nothing. */
export function responseFilter(usage: UsageMode = 'observe', cluster = sluiceClusterName): Json {
  return unless(usage === 'observe' ? [cached] : [cached, logged], {
    '@type': `${http}.filters.http.ext_proc.v3.ExternalProcessor`,
    stat_prefix: 'sluice_response',
    grpc_service: grpcService('listener', cluster),
    failure_mode_allow: true,
    observability_mode: true,
    // How long Envoy keeps the copy's stream after its HTTP stream is gone: a cut answer is recorded after this.
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

/** What Sluice answers itself from its cache. */
const cached: Json = { single_predicate: { input: responseHeader('x-sluice-reason'), value_match: { exact: 'cache' } } };

/**
 * What it reads from the access log. Metadata that the request filter has left is looked at when the answer is there and no sooner: the first
 * predicate has Envoy wait for it.
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

/** No copies of answers that a predicate fits. */
function unless(predicates: readonly Json[], filter: Json): Json {
  const skip = { action: { name: 'skip', typed_config: { '@type': `${http}.filters.common.matcher.action.v3.SkipFilter` } } };
  return {
    '@type': `${http}.common.matching.v3.ExtensionWithMatcher`,
    extension_config: { name: 'copies', typed_config: filter },
    xds_matcher: { matcher_list: { matchers: predicates.map((predicate) => ({ predicate, on_match: skip })) } },
  };
}
