import { hostHeader, retryHeader, type FilterRole, chainCluster, chainHeader, clusterName, hostListener } from './names.ts';
import { wholeBodyBytes } from './overload.ts';
import type { Provider } from '../policy/types.ts';
import { attemptFilter } from './chains.ts';

type Json = Readonly<Record<string, unknown>>;

const http = 'type.googleapis.com/envoy.extensions';

/** Roles of attempts here; a role applies to a whole chain, because all its attempts run in one cluster. */
const roles = ['next', 'stream'] as const;

/** The routes of requests with a chain: the header selects the cluster, and the metadata its endpoints, one per attempt. */
export function hostChainRoutes(): Json[] {
  return roles.map((role) => ({
    match: { prefix: '/', headers: [{ name: chainHeader, string_match: { exact: role } }] },
    request_headers_to_remove: [chainHeader],
    route: {
      cluster: chainCluster(role),
      timeout: '0s',
      auto_host_rewrite: true,
      retry_policy: {
        num_retries: 0,
        retriable_headers: [{ name: retryHeader, present_match: true }],
        retry_back_off: { base_interval: '0.001s', max_interval: '0.001s' },
      },
    },
  }));
}

/** Clusters with an endpoint for each provider: a listener inside this Envoy, which forwards to the provider's own cluster and its TLS. */
export function hostChainClusters(providers: readonly Provider[], circuitBreakers: Json, grpcService: (role: FilterRole) => Json): Json[] {
  return roles.map((role) => ({
    name: chainCluster(role),
    type: 'STATIC',
    connect_timeout: '5s',
    per_connection_buffer_limit_bytes: wholeBodyBytes,
    circuit_breakers: circuitBreakers,
    typed_extension_protocol_options: attemptFilter(role, grpcService(role), [sayHost]),
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: 'envoy.load_balancing_policies.override_host',
            typed_config: {
              '@type': `${http}.load_balancing_policies.override_host.v3.OverrideHost`,
              override_host_sources: [{ metadata: { key: 'sluice', path: [{ key: 'hosts' }] } }],
              // For endpoints that this Envoy does not have (yet): Sluice refuses the attempt when it sees its destination.
              fallback_policy: {
                policies: [
                  {
                    typed_extension_config: {
                      name: 'envoy.load_balancing_policies.round_robin',
                      typed_config: { '@type': `${http}.load_balancing_policies.round_robin.v3.RoundRobin` },
                    },
                  },
                ],
              },
            },
          },
        },
      ],
    },
    load_assignment: {
      cluster_name: chainCluster(role),
      endpoints: [
        {
          lb_endpoints: providers.map((provider) => ({
            endpoint: {
              hostname: new URL(provider.endpoint).hostname,
              address: { envoy_internal_address: { server_listener_name: hostListener(provider.name) } },
            },
          })),
        },
      ],
    },
  }));
}

/** Tells the attempt's filter which endpoint was chosen: an unknown endpoint is skipped, and the next provider must not receive its key. */
const sayHost: Json = {
  name: 'envoy.filters.http.header_mutation',
  typed_config: {
    '@type': `${http}.filters.http.header_mutation.v3.HeaderMutation`,
    mutations: {
      request_mutations: [
        { append: { header: { key: hostHeader, value: '%UPSTREAM_HOST%' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } },
      ],
    },
  },
};

/** A listener inside Envoy for each provider, which forwards bytes to the provider's cluster. */
export function hostListeners(providers: readonly Provider[]): Json[] {
  return providers.map(({ name }) => ({
    name: hostListener(name),
    internal_listener: {},
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.tcp_proxy',
            typed_config: {
              '@type': `${http}.filters.network.tcp_proxy.v3.TcpProxy`,
              stat_prefix: hostListener(name),
              cluster: clusterName(name),
            },
          },
        ],
      },
    ],
  }));
}

/** Bootstrap settings for listeners inside Envoy. */
export const internalListeners: Json = {
  bootstrap_extensions: [
    { name: 'envoy.bootstrap.internal_listener', typed_config: { '@type': `${http}.bootstrap.internal_listener.v3.InternalListener` } },
  ],
};
