/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return -- Envoy's config: its shape is Envoy's, and the tests change all of it */
import { spawn, spawnSync } from 'node:child_process';
import { entry } from './entry.ts';

export type Any = Record<string, any>;

/** Runs the command line as a user does, with `input` on its stdin. */
export function sluice(args: readonly string[], input = ''): { readonly out: string; readonly err: string; readonly code: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [entry, ...args], { input, encoding: 'utf8' });
  return { out: stdout, err: stderr, code: status };
}

/** The same while this process goes on: a provider of the test's may be asked. */
export async function sluiceBeside(args: readonly string[]): Promise<{ readonly out: string; readonly code: number | null }> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { out, code };
}

/**
 * An Envoy that somebody has already: one listener, whose requests all go to the provider at `endpoint`. `like`: a rendered config with the
 * addresses to use.
 */
export function ownEnvoy(like: Any, endpoint: string): Any {
  const { hostname, port } = new URL(endpoint);
  const types = 'type.googleapis.com/envoy.extensions.filters';
  const manager = {
    '@type': `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'mine',
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': `${types}.http.router.v3.Router` } }],
    route_config: { virtual_hosts: [{ name: 'mine', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'mine' } }] }] },
  };
  return {
    admin: like['admin'],
    static_resources: {
      listeners: [
        {
          name: 'mine',
          address: like['static_resources'].listeners[0].address,
          filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'mine',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'mine',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: hostname, port_value: Number(port) } } } }] }],
          },
        },
      ],
    },
  };
}

/** The same with every part of a snippet where its comment says. */
export function withSnippet(own: Any, snippet: Any): Any {
  const config = structuredClone(own);
  const { listeners, clusters } = config['static_resources'];
  const manager = managerOf(config);
  const host = hostOf(config);
  const { http_filters, ...others } = snippet['http_connection_manager'];
  const { routes, ...more } = snippet['virtual_host'];
  Object.assign(listeners[0], snippet['listener']);
  Object.assign(manager, others, { http_filters: [...http_filters, ...manager['http_filters']] });
  for (const { route } of host['routes']) Object.assign(route, snippet['route']);
  Object.assign(host, more, { routes: [...routes, ...host['routes']] });
  clusters.push(...snippet['clusters']);
  listeners.push(...(snippet['listeners'] ?? []));
  return snippet['bootstrap_extensions'] === undefined ? config : { ...config, bootstrap_extensions: snippet['bootstrap_extensions'] };
}

export function managerOf(config: Any): Any {
  return config['static_resources'].listeners[0].filter_chains[0].filters[0].typed_config;
}

export function hostOf(config: Any): Any {
  return managerOf(config)['route_config'].virtual_hosts[0];
}

export function clusterOf(config: Any, name: string): Any {
  return config['static_resources'].clusters.find((cluster: Any) => cluster['name'] === name);
}

/** A filter of the listener's, or of a cluster's; its settings. */
export function filterOf(config: Any, name: string, cluster?: string): Any {
  const filters =
    cluster === undefined
      ? managerOf(config)['http_filters']
      : clusterOf(config, cluster)['typed_extension_protocol_options']['envoy.extensions.upstreams.http.v3.HttpProtocolOptions']
          .http_filters;
  return filters.find((filter: Any) => filter['name'] === name);
}
