import { limits } from '../lib/limits.ts';
import { wholeBodyBytes } from './overload.ts';
import { pathShapes, type Sign } from '../policy/provider-paths.ts';
import type { Provider } from '../policy/types.ts';
import { gatewayProviderBreakers, gatewaySluiceBreakers, seconds } from './breakers.ts';
import { endpointOf, managedLabels, type AttachOptions, type Json, type Manifest } from './manifests.ts';
import { attemptStates, decidedClusters, decidedRoutes, hostSettings } from './matched-chains.ts';
import { decidedReplies } from './local-replies.ts';
import { attemptCountHeader, streamIdleTimeout, usageHeader } from './names.ts';
import { requestFilter, responseFilter } from './ext-proc.ts';
import { pathRewrite, reservedHeaders } from './render.ts';
import { answerFilters, answerLog } from './usage.ts';

export interface EnvoyGatewayOptions extends AttachOptions {
  readonly gateway: {
    readonly name: string;
    readonly listener: string;
    /** GatewayClass of a Gateway to create; null to use an existing one. */
    readonly className: string | null;
  };
}

const gatewayApi = 'gateway.networking.k8s.io/v1';
const envoyGateway = 'gateway.envoyproxy.io/v1alpha1';

/** Most rules per HTTPRoute. */
const rulesPerRoute = 16;

/** Sluice in the proxies of an Envoy Gateway: providers as Gateway API routes, and Sluice's behaviour as patches. */
export function renderEnvoyGateway(options: EnvoyGatewayOptions): Manifest[] {
  const routes = httpRoutes(options);
  return [
    ...(options.gateway.className === null ? [] : [gateway(options, options.gateway.className)]),
    ...options.providers.flatMap((provider) => [backend(provider, options), ...routeFilters(provider, options)]),
    sluiceBackend(options),
    ...routes.map(({ manifest }) => manifest),
    clientTraffic(options),
    backendTraffic(
      options,
      routes.map(({ manifest }) => manifest.metadata.name),
    ),
    extensionPolicy(
      options,
      routes.filter(({ upgrade }) => !upgrade).map(({ manifest }) => manifest.metadata.name),
    ),
    patchPolicy(options),
  ];
}

function object(apiVersion: string, kind: string, name: string, { namespace }: EnvoyGatewayOptions, spec: Json): Manifest {
  return { apiVersion, kind, metadata: { name, namespace, labels: managedLabels }, spec };
}

function gateway(options: EnvoyGatewayOptions, gatewayClassName: string): Manifest {
  return object(gatewayApi, 'Gateway', options.gateway.name, options, {
    gatewayClassName,
    listeners: [{ name: options.gateway.listener, protocol: 'HTTP', port: 80 }],
  });
}

function backend(provider: Provider, options: EnvoyGatewayOptions): Manifest {
  const { host, port, tls } = endpointOf(provider);
  const ip = /^[\d.]+$|:/.test(host);
  return object(envoyGateway, 'Backend', `sluice-${provider.name}`, options, {
    endpoints: [ip ? { ip: { address: host, port } } : { fqdn: { hostname: host, port } }],
    ...(tls ? { tls: { wellKnownCACertificates: 'System', sni: host } } : {}),
  });
}

/** By name, not by endpoints: the name resolves to one address, so both filters of a request reach one replica. */
function sluiceBackend(options: EnvoyGatewayOptions): Manifest {
  const colon = options.sluice.lastIndexOf(':');
  return object(envoyGateway, 'Backend', 'sluice', options, {
    endpoints: [{ fqdn: { hostname: options.sluice.slice(0, colon), port: Number(options.sluice.slice(colon + 1)) } }],
    appProtocols: ['gateway.envoyproxy.io/h2c'],
  });
}

/** Sets the provider's own host name and path, for requests with the gateway's prefix and for those without. */
function routeFilters(provider: Provider, options: EnvoyGatewayOptions): Manifest[] {
  const { pathPrefix } = provider;
  return [null, ...(pathPrefix === null ? [] : [pathPrefix])].map((prefix) => {
    const rewrite = pathRewrite(provider, prefix ?? '');
    return object(envoyGateway, 'HTTPRouteFilter', filterOf(provider, prefix), options, {
      urlRewrite: {
        hostname: { type: 'Backend' },
        appendXForwardedHost: false,
        ...(rewrite === null
          ? {}
          : { path: { type: 'ReplaceRegexMatch', replaceRegexMatch: { pattern: rewrite.regex, substitution: rewrite.substitution } } }),
      },
    });
  });
}

function filterOf(provider: Provider, prefix: string | null): string {
  return `sluice-${provider.name}${prefix === null ? '' : '-prefix'}`;
}

interface RouteManifest {
  readonly manifest: Manifest;
  /** For WebSockets, which hang with an external processor. */
  readonly upgrade: boolean;
}

interface Rule {
  readonly provider: Provider;
  readonly path: Json;
  readonly prefix: string | null;
  readonly sign?: Sign;
}

/** A route for each provider's own names, and routes by path for everything else; each repeated for WebSockets, without Sluice. */
function httpRoutes(options: EnvoyGatewayOptions): RouteManifest[] {
  const { providers } = options;
  const byPath: Rule[] = [
    ...providers.flatMap((provider) =>
      provider.pathPrefix === null
        ? []
        : [{ provider, path: { type: 'PathPrefix', value: provider.pathPrefix }, prefix: provider.pathPrefix }],
    ),
    ...pathShapes.flatMap(({ family, regex, sign }) => {
      const provider = providers.find((candidate) => candidate.family === family);
      return provider === undefined
        ? []
        : [{ provider, path: { type: 'RegularExpression', value: regex }, prefix: null, ...(sign === undefined ? {} : { sign }) }];
    }),
  ];
  const groups: { readonly name: string; readonly hostnames: readonly string[]; readonly rules: readonly Rule[] }[] = providers
    .filter(({ hosts }) => hosts.length > 0)
    .map((provider) => ({
      name: `sluice-host-${provider.name}`,
      hostnames: provider.hosts,
      rules: [{ provider, path: { type: 'PathPrefix', value: '/' }, prefix: null }],
    }));
  for (let from = 0; from < byPath.length; from += rulesPerRoute) {
    groups.push({
      name: `sluice-paths${from === 0 ? '' : `-${from / rulesPerRoute}`}`,
      hostnames: [],
      rules: byPath.slice(from, from + rulesPerRoute),
    });
  }
  return groups.flatMap(({ name, hostnames, rules }) =>
    [false, true].map((upgrade) => ({
      upgrade,
      manifest: object(gatewayApi, 'HTTPRoute', upgrade ? `${name}-upgrade` : name, options, {
        parentRefs: [{ name: options.gateway.name, sectionName: options.gateway.listener }],
        ...(hostnames.length === 0 ? {} : { hostnames }),
        rules: rules.map((rule) => httpRule(rule, upgrade)),
      }),
    })),
  );
}

function httpRule({ provider, path, prefix, sign }: Rule, upgrade: boolean): Json {
  const headers = [
    ...(upgrade ? [{ type: 'RegularExpression', name: 'upgrade', value: '(?i)websocket' }] : []),
    ...(sign !== undefined && 'header' in sign ? [{ type: 'RegularExpression', name: sign.header, value: sign.regex ?? '.+' }] : []),
  ];
  return {
    matches: [
      {
        path,
        ...(headers.length === 0 ? {} : { headers }),
        ...(sign !== undefined && 'query' in sign ? { queryParams: [{ type: 'RegularExpression', name: sign.query, value: '.*' }] } : {}),
      },
    ],
    filters: [
      { type: 'ExtensionRef', extensionRef: { group: 'gateway.envoyproxy.io', kind: 'HTTPRouteFilter', name: filterOf(provider, prefix) } },
    ],
    timeouts: { request: '0s' },
    backendRefs: [{ group: 'gateway.envoyproxy.io', kind: 'Backend', name: `sluice-${provider.name}` }],
  };
}

const target = (kind: string, name: string): Json => ({ group: 'gateway.networking.k8s.io', kind, name });

function clientTraffic(options: EnvoyGatewayOptions): Manifest {
  return object(envoyGateway, 'ClientTrafficPolicy', 'sluice', options, {
    targetRefs: [{ ...target('Gateway', options.gateway.name), sectionName: options.gateway.listener }],
    headers: { earlyRequestHeaders: earlyHeaders(options) },
    connection: { bufferLimit: String(wholeBodyBytes) },
    timeout: { http: { streamIdleTimeout, requestReceivedTimeout: seconds(limits.requestMs) } },
  });
}

/** A header that is set needs no removal; the order of the two is up to Envoy Gateway. */
function earlyHeaders({ usage }: EnvoyGatewayOptions): Json {
  const set = usage === 'observe' ? [] : [{ name: usageHeader, value: usage }];
  const remove = [...reservedHeaders, attemptCountHeader].filter((header) => !set.some(({ name }) => name === header));
  return { ...(set.length === 0 ? {} : { set }), remove };
}

/** Retries only before any byte of the request has been sent. */
function backendTraffic(options: EnvoyGatewayOptions, routes: readonly string[]): Manifest {
  return object(envoyGateway, 'BackendTrafficPolicy', 'sluice', options, {
    targetRefs: routes.map((name) => target('HTTPRoute', name)),
    circuitBreaker: gatewayProviderBreakers,
    connection: { bufferLimit: String(wholeBodyBytes) },
    retry: { numRetries: 1, retryOn: { triggers: ['connect-failure', 'refused-stream', 'reset-before-request'] } },
  });
}

/** Sets the routes that use Sluice, and its address. Both filters request nothing until the patches configure them. */
function extensionPolicy(options: EnvoyGatewayOptions, routes: readonly string[]): Manifest {
  const settings = {
    backendRefs: [
      {
        group: 'gateway.envoyproxy.io',
        kind: 'Backend',
        name: 'sluice',
        port: Number(options.sluice.slice(options.sluice.lastIndexOf(':') + 1)),
      },
    ],
    backendSettings: {
      circuitBreaker: gatewaySluiceBreakers,
      connection: { bufferLimit: String(limits.envoyUnsentBytes) },
      http2: { initialStreamWindowSize: String(limits.envoyUnsentBytes) },
    },
  };
  return object(envoyGateway, 'EnvoyExtensionPolicy', 'sluice', options, {
    targetRefs: routes.map((name) => target('HTTPRoute', name)),
    extProc: [
      { ...settings, failOpen: true, shadowMode: true },
      { ...settings, failOpen: !options.failClosed },
    ],
  });
}

/** Settings that Envoy Gateway's policies cannot express: the filters' details, chains, and routes to a provider other than the path's. */
function patchPolicy(options: EnvoyGatewayOptions): Manifest {
  const {
    gateway: { name, listener },
    namespace,
  } = options;
  const filter = (index: number): string => `envoyextensionpolicy/${namespace}/sluice/extproc/${index}`;
  const cluster = filter(1);
  const httpFilter = (filterName: string): string => `$..http_filters[?(@.name=='${filterName}')]`;
  const config = (index: number): string => `${httpFilter(`envoy.filters.http.ext_proc/${filter(index)}`)}.typed_config`;
  const typed = (type: string, resource: string, operation: Json): Json => ({
    type: `type.googleapis.com/envoy.config.${type}`,
    name: resource,
    operation,
  });
  const resource = `${namespace}/${name}/${listener}`;
  const onListener = (operation: Json): Json => typed('listener.v3.Listener', resource, operation);
  const onHosts = (path: string, value: unknown): Json =>
    typed('route.v3.RouteConfiguration', resource, { op: 'add', jsonPath: '$.virtual_hosts[*]', path, value });
  return object(envoyGateway, 'EnvoyPatchPolicy', 'sluice', options, {
    targetRef: target('Gateway', name),
    type: 'JSONPatch',
    jsonPatches: [
      ...options.providers
        .flatMap((provider) => decidedClusters(provider, options.caFile, cluster))
        .map((value) => typed('cluster.v3.Cluster', String(value['name']), { op: 'add', path: '', value })),
      onListener({ op: 'replace', jsonPath: config(0), value: responseFilter(options.usage, cluster) }),
      onListener({ op: 'replace', jsonPath: config(1), value: requestFilter(options, cluster) }),
      ...answerFilters(options.usage, cluster)
        .slice(0, -1)
        .map((value) => onListener({ op: 'add', jsonPath: httpFilter('envoy.filters.http.router'), value })),
      onListener({
        op: 'add',
        jsonPath: httpFilter('envoy.filters.http.router'),
        value: { name: 'envoy.filters.http.set_filter_state.sluice', typed_config: attemptStates() },
      }),
      onListener({
        op: 'add',
        jsonPath: "$..filters[?(@.name=='envoy.filters.network.http_connection_manager')].typed_config.access_log",
        path: '/-',
        value: answerLog(options.usage, cluster),
      }),
      onListener({
        op: 'add',
        jsonPath: "$..filters[?(@.name=='envoy.filters.network.http_connection_manager')].typed_config",
        path: '/local_reply_config',
        value: decidedReplies(),
      }),
      ...Object.entries(hostSettings(options.usage)).map(([key, value]) => onHosts(`/${key}`, value)),
      // Each is inserted before the existing ones, so the last one is matched first.
      ...decidedRoutes(options.providers)
        .reverse()
        .map((value) => onHosts('/routes/0', value)),
    ],
  });
}
