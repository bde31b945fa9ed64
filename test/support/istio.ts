import type { Json, Manifest } from '../../src/attach/manifests.ts';

/** As far as EnvoyFilters are applied here. */
interface Patch {
  readonly applyTo: string;
  readonly match: { readonly routeConfiguration?: { readonly vhost: { readonly name: string } } };
  readonly patch: { readonly operation: string; readonly value: Json };
}

type Value = { [key: string]: unknown };

const http = 'type.googleapis.com/envoy.extensions.filters';

/**
 * A standalone Envoy config of the form that Istio gives a sidecar's outbound port 80 for some ServiceEntries, with the
 * EnvoyFilters among `manifests` applied as Istio applies them: ADD, MERGE (lists are joined), INSERT_BEFORE, INSERT_FIRST.
 * Its listener has Envoy Gateway's small default buffer, so that nothing rests on a large one.
 */
export function sidecarConfig(
  manifests: readonly Manifest[],
  listen: number,
  admin: number,
  others: Readonly<Record<string, number>>,
): Json {
  const entries = manifests
    .filter(({ kind }) => kind === 'ServiceEntry')
    .flatMap(({ spec }) => {
      const { hosts, ports, endpoints } = spec as unknown as {
        hosts: string[];
        ports: { targetPort: number }[];
        endpoints?: { address: string }[];
      };
      return hosts.map((host) => ({ host, address: endpoints?.[0]?.address ?? host, port: ports[0]!.targetPort }));
    });
  const hosts = [...entries, ...Object.entries(others).map(([host, port]) => ({ host, address: '127.0.0.1', port }))];
  const virtualHosts = hosts.map(({ host }) => ({
    name: `${host}:80`,
    domains: [host],
    include_request_attempt_count: true,
    routes: [{ name: 'default', match: { prefix: '/' }, route: { cluster: `outbound|80||${host}`, timeout: '0s' } }] as unknown[],
  }));
  const manager: Value = {
    '@type': `${http}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'outbound_0.0.0.0_80',
    use_remote_address: false,
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': `${http}.http.router.v3.Router` } }],
  };
  const clusters: unknown[] = hosts.map(({ host, address, port }) => ({
    name: `outbound|80||${host}`,
    type: 'STRICT_DNS',
    load_assignment: {
      cluster_name: host,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: port } } } }] }],
    },
  }));
  for (const { applyTo, match, patch } of manifests
    .filter(({ kind }) => kind === 'EnvoyFilter')
    .flatMap(({ spec }) => spec['configPatches'] as Patch[])) {
    const host = virtualHosts.find(({ name }) => name === match.routeConfiguration?.vhost.name);
    switch (`${applyTo} ${patch.operation}`) {
      case 'CLUSTER ADD':
        clusters.push(patch.value);
        break;
      case 'NETWORK_FILTER MERGE':
        merge(manager, patch.value['typed_config'] as Value);
        break;
      case 'HTTP_FILTER INSERT_BEFORE': {
        const filters = manager['http_filters'] as { name: string }[];
        filters.splice(
          filters.findIndex(({ name }) => name === 'envoy.filters.http.router'),
          0,
          patch.value as unknown as { name: string },
        );
        break;
      }
      case 'VIRTUAL_HOST MERGE':
        merge(host as unknown as Value, patch.value);
        break;
      case 'HTTP_ROUTE INSERT_FIRST':
        host!.routes.unshift(patch.value);
        break;
      default:
        throw new Error(`${applyTo} ${patch.operation} is not known here`);
    }
  }
  const socket = (port: number): Json => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  return {
    admin: { address: socket(admin) },
    static_resources: {
      listeners: [
        {
          name: '0.0.0.0_80',
          address: socket(listen),
          per_connection_buffer_limit_bytes: 32_768,
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: { ...manager, route_config: { name: '80', virtual_hosts: virtualHosts } },
                },
              ],
            },
          ],
        },
      ],
      clusters,
    },
  };
}

function merge(into: Value, from: Value): void {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key];
    if (Array.isArray(old) && Array.isArray(value)) into[key] = [...(old as unknown[]), ...(value as unknown[])];
    else if (typeof old === 'object' && old !== null && typeof value === 'object' && value !== null) merge(old as Value, value as Value);
    else into[key] = value;
  }
}
