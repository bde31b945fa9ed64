import { retryHeader, attemptClusterKey, attemptCountHeader, clusterName, usageHeader, type UsageMode } from './names.ts';
import { limits } from '../lib/limits.ts';
import type { Provider } from '../policy/types.ts';
import { chainRoute } from './chains.ts';
import { chosenByHeader, clustersFor, privateHeaders, provenanceHeaders } from './render.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** A chain may end in an old answer of the cache, which stands for one more attempt. */
const attempts = limits.fallbackAttempts + 1;

/** No cluster of that name is rendered: a request that leads there gets a 503. */
const noCluster = 'sluice_unknown_cluster';

/**
 * Routes of what Sluice has decided: chains, and a provider other than the path's own. Chains here are for the Envoys of other control planes, whose types do not know the priority-group cluster specifier: a matcher looks the cluster
 * of an attempt up by the attempt's number, in states of the request that a filter makes of the metadata. (A matcher could read metadata
 * itself, but Envoy 1.40.0 crashes on that input in a cluster specifier.) Needs Envoy 1.39, whose retries may change their cluster.
 */
export function decidedRoutes(providers: readonly Provider[]): Json[] {
  return [chainRoute(providers, attemptMatcher(providers)), ...chosenByHeader(providers)];
}

/** A provider's clusters; `sluice`: the cluster that leads to Sluice. */
export function decidedClusters(provider: Provider, caFile: string, sluice?: string): Json[] {
  return clustersFor(provider, ['listener', 'gate', 'next', 'stream'], caFile, sluice);
}

/** What a virtual host needs beside its routes. */
export function hostSettings(usage: UsageMode): Json {
  return {
    response_headers_to_add: provenanceHeaders(),
    request_headers_to_remove: usage === 'observe' ? privateHeaders : [...privateHeaders, usageHeader],
    response_headers_to_remove: [retryHeader],
    // The matcher tells attempts apart by it.
    include_request_attempt_count: true,
    request_body_buffer_limit: limits.requestBodyBytes + 1024 * 1024,
  };
}

/**
 * Envoy asks for a retry's cluster before it raises the count in the header: no header is the first attempt, 1 the second. Whatever does not
 * match must lead nowhere: Envoy would stay with the last attempt's cluster, and the next target's key would go to it.
 */
function attemptMatcher(providers: readonly Provider[]): Json {
  const to = (cluster: string): Json => ({
    action: { name: 'cluster', typed_config: { '@type': `${http}.router.cluster_specifiers.matcher.v3.ClusterAction`, cluster } },
  });
  const targets = (attempt: number): Json => {
    // A `gate` is a first attempt only.
    const clusters = providers.flatMap(({ name }) =>
      [...(attempt === 1 ? ['gate' as const] : []), 'next' as const, 'stream' as const].map((role) => clusterName(name, role)),
    );
    const input = {
      name: 'target',
      typed_config: { '@type': `${http}.matching.common_inputs.network.v3.FilterStateInput`, key: attemptState(attempt) },
    };
    return {
      matcher_tree: { input, exact_match_map: { map: Object.fromEntries(clusters.map((cluster) => [cluster, to(cluster)])) } },
      on_no_match: to(noCluster),
    };
  };
  const later = Array.from({ length: attempts - 1 }, (_, index) => [String(index + 1), { matcher: targets(index + 2) }] as const);
  // Beyond the last attempt that a policy may have there is nothing.
  const beyond = { [String(attempts)]: to(noCluster) };
  return {
    name: 'envoy.router.cluster_specifier_plugin.matcher',
    typed_config: {
      '@type': `${http}.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier`,
      cluster_matcher: {
        matcher_tree: {
          input: {
            name: 'attempt',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
              header_name: attemptCountHeader,
            },
          },
          exact_match_map: { map: { ...Object.fromEntries(later), ...beyond } },
        },
        on_no_match: { matcher: targets(1) },
      },
    },
  };
}

/** After the request filter: what it left in the metadata as states of the request, which a matcher can look up. */
export function attemptStates(): Json {
  return {
    '@type': `${http}.filters.http.set_filter_state.v3.Config`,
    on_request_headers: Array.from({ length: attempts }, (_, index) => ({
      object_key: attemptState(index + 1),
      factory_key: 'envoy.string',
      format_string: {
        omit_empty_values: true,
        text_format_source: { inline_string: `%DYNAMIC_METADATA(sluice:${attemptClusterKey(index + 1)})%` },
      },
      skip_if_empty: true,
    })),
  };
}

function attemptState(attempt: number): string {
  return `sluice.${attemptClusterKey(attempt)}`;
}
