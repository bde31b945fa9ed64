import { allAbilities } from './abilities.ts';
import type { Provider } from '../policy/types.ts';
import { endpointOf, managedLabels, type AttachOptions, type Json, type Manifest } from './manifests.ts';
import { attemptStates, decidedClusters, decidedRoutes, hostSettings } from './matched-chains.ts';
import { decidedReplies } from './local-replies.ts';
import { attemptCountHeader } from './names.ts';
import { both, earlyMutation, sluiceCluster } from './render.ts';
import { requestFilter } from './ext-proc.ts';
import { answerFilters, answerLog } from './usage.ts';

export interface IstioOptions extends AttachOptions {
  /**
   * - `sidecar`: in the sidecars of the namespace's apps, or in those matching `selector`
   * - `egress-gateway`: in the egress gateway matching `selector`, through which the mesh's traffic for providers is routed
   */
  readonly attach: 'sidecar' | 'egress-gateway';
  /** Labels of the proxies' pods; empty for all of the namespace. */
  readonly selector: Readonly<Record<string, string>>;
  /** Full host name of the egress gateway's Service. */
  readonly gatewayService: string;
}

const networking = 'networking.istio.io/v1';

/** Apps call providers in plain HTTP on this port; the proxy encrypts. HTTPS from the app itself cannot be read. */
const port = 80;

/** Sluice in Istio's proxies: the providers' hosts, the routes to them, and EnvoyFilters with Envoy's settings. */
export function renderIstio(options: IstioOptions): Manifest[] {
  const reached = options.providers.filter(({ hosts }) => hosts.length > 0);
  return [
    ...reached.map((provider) => serviceEntry(provider, options)),
    ...reached.filter((provider) => endpointOf(provider).tls).flatMap((provider) => originateTls(provider, options)),
    ...(options.attach === 'sidecar' ? [] : egress(reached, options)),
    ...envoyFilters(reached, options),
  ];
}

function object(kind: string, name: string, { namespace }: IstioOptions, spec: Json, apiVersion = networking): Manifest {
  return { apiVersion, kind, metadata: { name, namespace, labels: managedLabels }, spec };
}

/** Port 80 of the provider's names maps to its real port. Port 443 is unchanged: apps that encrypt themselves bypass Sluice. */
function serviceEntry(provider: Provider, options: IstioOptions): Manifest {
  const { host, port: real, tls } = endpointOf(provider);
  return object('ServiceEntry', `sluice-${provider.name}`, options, {
    hosts: provider.hosts,
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ...(provider.hosts.length === 1 && provider.hosts[0] === host ? {} : { endpoints: [{ address: host }] }),
    ports: [
      { number: port, name: 'http', protocol: 'HTTP', targetPort: real },
      ...(tls ? [{ number: 443, name: 'tls', protocol: 'TLS' }] : []),
    ],
  });
}

/** Plain HTTP from apps leaves the mesh encrypted even without the EnvoyFilter. */
function originateTls(provider: Provider, options: IstioOptions): Manifest[] {
  return provider.hosts.map((host, index) =>
    object('DestinationRule', numbered(provider.name, index), options, {
      host,
      trafficPolicy: { portLevelSettings: [{ port: { number: port }, tls: { mode: 'SIMPLE', sni: endpointOf(provider).host } }] },
    }),
  );
}

/** Routes from the sidecars to the egress gateway by the mesh's own TLS, and from there to the provider. */
function egress(providers: readonly Provider[], options: IstioOptions): Manifest[] {
  const { gatewayService } = options;
  const gateway = 'sluice-egress';
  return [
    object('Gateway', gateway, options, {
      selector: options.selector,
      servers: [
        {
          port: { number: port, name: 'https-sluice', protocol: 'HTTPS' },
          hosts: providers.flatMap(({ hosts }) => hosts),
          tls: { mode: 'ISTIO_MUTUAL' },
        },
      ],
    }),
    object('DestinationRule', gateway, options, {
      host: gatewayService,
      subsets: providers.flatMap(({ name, hosts }) =>
        hosts.map((host, index) => ({
          name: numbered(name, index),
          trafficPolicy: { portLevelSettings: [{ port: { number: port }, tls: { mode: 'ISTIO_MUTUAL', sni: host } }] },
        })),
      ),
    }),
    ...providers.flatMap(({ name, hosts }) =>
      hosts.map((host, index) =>
        object('VirtualService', numbered(name, index), options, {
          hosts: [host],
          gateways: ['mesh', gateway],
          http: [
            // The gateway retries where that is safe; the sidecar must not.
            {
              match: [{ gateways: ['mesh'], port }],
              route: [{ destination: { host: gatewayService, subset: numbered(name, index), port: { number: port } } }],
              retries: { attempts: 0 },
            },
            { match: [{ gateways: [gateway], port }], route: [{ destination: { host, port: { number: port } } }] },
          ],
        }),
      ),
    ),
  ];
}

/** A name for each host of a provider. */
function numbered(provider: string, index: number): string {
  return `sluice-${provider}${index === 0 ? '' : `-${index}`}`;
}

/** The listener's filters, disabled for other hosts, in order. */
function filtersOf(options: IstioOptions): readonly { readonly name: string; readonly typed_config: Json }[] {
  return [...answerFilters(options.usage), { name: 'envoy.filters.http.ext_proc.sluice_request', typed_config: requestFilter(options) }];
}

/**
 * Enables a filter that is disabled by default, by settings of its own that change nothing. Envoy's FilterConfig with an empty `config`
 * would work for all of them, but istiod drops the whole patch with a message that lacks a type.
 */
function switchedOn({ typed_config }: { readonly typed_config: Json }): Json {
  const http = 'type.googleapis.com/envoy.extensions.filters.http';
  switch (typed_config['@type']) {
    // Repeats the same matcher.
    case 'type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher':
      return {
        '@type': 'type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcherPerRoute',
        xds_matcher: typed_config['xds_matcher'],
      };
    case `${http}.ext_proc.v3.ExternalProcessor`:
      return { '@type': `${http}.ext_proc.v3.ExtProcPerRoute`, overrides: {} };
    case `${http}.lua.v3.Lua`:
      return { '@type': `${http}.lua.v3.LuaPerRoute` };
    default:
      return { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', config: {} };
  }
}

/** One for the settings that all hosts share and one per host: a single object would be too large to apply. */
function envoyFilters(reached: readonly Provider[], options: IstioOptions): Manifest[] {
  const context = options.attach === 'sidecar' ? 'SIDECAR_OUTBOUND' : 'GATEWAY';
  const filter = (name: string, configPatches: readonly Json[]): Manifest =>
    object(
      'EnvoyFilter',
      name,
      options,
      { ...(Object.keys(options.selector).length === 0 ? {} : { workloadSelector: { labels: options.selector } }), configPatches },
      'networking.istio.io/v1alpha3',
    );
  return [
    filter('sluice', sharedPatches(context, options)),
    ...reached.flatMap((provider) =>
      provider.hosts.map((host, index) => filter(numbered(provider.name, index), hostPatches(provider, host, context, options))),
    ),
  ];
}

function sharedPatches(context: string, options: IstioOptions): Json[] {
  const manager = 'envoy.filters.network.http_connection_manager';
  const connections = { context, listener: { portNumber: port, filterChain: { filter: { name: manager } } } };
  const beforeRouter = {
    context,
    listener: { portNumber: port, filterChain: { filter: { name: manager, subFilter: { name: 'envoy.filters.http.router' } } } },
  };
  const clusters = [sluiceCluster(options.sluice), ...options.providers.flatMap((provider) => decidedClusters(provider, options.caFile))];
  return [
    ...clusters.map((value) => patch('CLUSTER', { context }, 'ADD', value)),
    patch('NETWORK_FILTER', connections, 'MERGE', {
      name: manager,
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
        access_log: [answerLog(options.usage)],
        local_reply_config: decidedReplies(),
        early_header_mutation_extensions: [earlyMutation({ abilities: allAbilities, usage: options.usage }, [attemptCountHeader])],
      },
    }),
    // Disabled by default, because other hosts share the listener.
    ...filtersOf(options).map(({ name, typed_config }) =>
      patch('HTTP_FILTER', beforeRouter, 'INSERT_BEFORE', { name, disabled: true, typed_config }),
    ),
    // Reports the results of those filters: nothing where they are disabled.
    patch('HTTP_FILTER', beforeRouter, 'INSERT_BEFORE', {
      name: 'envoy.filters.http.set_filter_state.sluice',
      typed_config: attemptStates(),
    }),
  ];
}

function hostPatches(provider: Provider, host: string, context: string, options: IstioOptions): Json[] {
  const match = { context, routeConfiguration: { portNumber: port, vhost: { name: `${host}:${port}` } } };
  const routes = [...decidedRoutes(options.providers), ...both(provider, { prefix: '/' }, '', options)];
  return [
    patch('VIRTUAL_HOST', match, 'MERGE', {
      ...hostSettings(options.usage),
      typed_per_filter_config: Object.fromEntries(filtersOf(options).map((filter) => [filter.name, switchedOn(filter)])),
    }),
    // Each is inserted before the existing ones, so the last one is matched first.
    ...routes.reverse().map((value) => patch('HTTP_ROUTE', match, 'INSERT_FIRST', value)),
  ];
}

function patch(applyTo: string, match: Json, operation: string, value: Json): Json {
  return { applyTo, match, patch: { operation, value } };
}
