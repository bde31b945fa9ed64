import { retryHeader, attemptClusterKey, attemptCountHeader, clusterName, usageHeader, type UsageMode } from './names.ts';
import { limits } from '../lib/limits.ts';
import { wholeBodyBytes } from './overload.ts';
import type { Provider } from '../policy/types.ts';
import { chainRoute } from './chains.ts';
import { chosenByHeader, clustersFor, privateHeaders, provenanceHeaders } from './render.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** A chain may end with a stale answer from the cache, which counts as one more attempt. */
const attempts = limits.fallbackAttempts + 1;

/** No cluster of this name is rendered: a request routed there gets a 503. */
const noCluster = 'sluice_unknown_cluster';

/**
 * Routes of decided requests: chains, and providers other than the path's own. Chains here are for Envoys of other control planes, whose
 * types do not include the priority-group cluster specifier: a matcher looks up an attempt's cluster by the attempt's number, in filter
 * state that a filter sets from the metadata. (A matcher could read metadata itself, but Envoy 1.40.0 crashes on that input in a cluster
 * specifier.) Needs Envoy 1.39, whose retries may change their cluster.
 */
export function decidedRoutes(providers: readonly Provider[]): Json[] {
  return [chainRoute(providers, attemptMatcher(providers)), ...chosenByHeader(providers)];
}

/** A provider's clusters; `sluice`: name of Sluice's cluster. */
export function decidedClusters(provider: Provider, caFile: string, sluice?: string): Json[] {
  return clustersFor(provider, ['listener', 'gate', 'next', 'stream'], caFile, sluice);
}

/** Settings of a virtual host besides its routes. */
export function hostSettings(usage: UsageMode): Json {
  return {
    response_headers_to_add: provenanceHeaders(),
    request_headers_to_remove: usage === 'observe' ? privateHeaders : [...privateHeaders, usageHeader],
    response_headers_to_remove: [retryHeader],
    // The matcher distinguishes attempts by it.
    include_request_attempt_count: true,
    request_body_buffer_limit: wholeBodyBytes,
  };
}

/**
 * Envoy selects a retry's cluster before it increments the count in the header: no header is the first attempt, 1 the second. Anything that
 * does not match must have no cluster: otherwise Envoy would keep the last attempt's cluster, and the next target's key would be sent to
 * it.
 */
function attemptMatcher(providers: readonly Provider[]): Json {
  const to = (cluster: string): Json => ({
    action: { name: 'cluster', typed_config: { '@type': `${http}.router.cluster_specifiers.matcher.v3.ClusterAction`, cluster } },
  });
  const targets = (attempt: number): Json => {
    // A `gate` is only used for a first attempt.
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
  // No policy may have more attempts than this.
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

/** Runs after the request filter: copies its metadata into filter state, which a matcher can look up. */
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
