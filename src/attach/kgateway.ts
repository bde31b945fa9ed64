import { isIP } from 'node:net';
import {
  claimNamespaces,
  clusterHeader,
  clusterName,
  abilitiesHeader,
  sluiceClusterName,
  streamIdleTimeout,
  usageHeader,
} from './names.ts';
import { fewestAbilities } from './abilities.ts';
import { kgatewayProviderBreakers, kgatewaySluiceBreakers } from './breakers.ts';
import { messageMs } from './ext-proc.ts';
import { endpointOf, managedLabels, type AttachOptions, type Json, type Manifest } from './manifests.ts';
import { wholeBodyBytes } from './overload.ts';
import { pathRewrite, privateHeaders, reservedHeaders } from './render.ts';
import { limits } from '../lib/limits.ts';
import { pathShapes, type Sign } from '../policy/provider-paths.ts';
import type { Provider } from '../policy/types.ts';

export interface KgatewayOptions extends Omit<AttachOptions, 'usage' | 'caFile'> {
  readonly gateway: {
    readonly name: string;
    readonly listener: string;
    /** GatewayClass of a Gateway to create; null to use an existing one. */
    readonly className: string | null;
  };
}

const gatewayApi = 'gateway.networking.k8s.io/v1';
const group = 'gateway.kgateway.dev';
const kgateway = `${group}/v1alpha1`;

/**
 * Headers that every request gets first. Two tell Sluice what this Envoy can do: one attempt, and answers on the request's own stream. All
 * order routes: kgateway puts the rule with more headers first where paths are regular expressions.
 */
const told: readonly (readonly [string, string])[] = [
  [abilitiesHeader, fewestAbilities.name],
  [usageHeader, 'inline'],
  ['x-sluice-attached', 'kgateway'],
];
const marks = (most: number): readonly Json[] => told.slice(0, most).map(([name, value]) => ({ type: 'Exact', name, value }));

/** Most rules, and host names, of an HTTPRoute. */
const perRoute = 16;

/** Selects the routes that use Sluice; the value says what they do without it. */
const decidedLabel = 'sluice.dev/without-sluice';
type WithoutSluice = 'pass' | 'refuse';

/** Sluice in the proxies of a kgateway: one filter that decides and reads the answer, and routes to the provider that it chose. */
export function renderKgateway(options: KgatewayOptions): Manifest[] {
  const modes: readonly WithoutSluice[] = options.failClosed
    ? ['refuse']
    : (options.closedProviders ?? []).length > 0
      ? ['pass', 'refuse']
      : ['pass'];
  return [
    ...(options.gateway.className === null ? [] : [gateway(options, options.gateway.className)]),
    ...options.providers.flatMap((provider) => [...backend(provider, options), ...rewrites(provider, options)]),
    ...sluiceBackend(options),
    noRoute(options),
    ...httpRoutes(options),
    listenerPolicy(options),
    ...modes.flatMap((mode) => [extension(options, mode), trafficPolicy(options, mode)]),
  ];
}

/** What a policy asks for, and kgateway cannot do; a sentence each. */
export function kgatewayWarnings(
  providers: readonly Provider[],
  { hasChains, mirrors }: { readonly hasChains: boolean; readonly mirrors: boolean },
): string[] {
  const signed = providers.filter(({ signing }) => signing !== null).map(({ name }) => name);
  return [
    ...(hasChains ? ['the policy has fallback chains, which kgateway cannot carry out: every request gets one attempt.'] : []),
    ...(mirrors ? ['the policy has shadow experiments, which kgateway cannot carry out: no request is copied.'] : []),
    ...(signed.length === 0
      ? []
      : [`kgateway cannot sign requests for AWS: ${signed.join(', ')} would refuse them. Take them out of this policy's candidates.`]),
  ];
}

function object(apiVersion: string, kind: string, name: string, { namespace }: KgatewayOptions, spec: Json): Manifest {
  return { apiVersion, kind, metadata: { name, namespace, labels: managedLabels }, spec };
}

function gateway(options: KgatewayOptions, gatewayClassName: string): Manifest {
  return object(gatewayApi, 'Gateway', options.gateway.name, options, {
    gatewayClassName,
    listeners: [{ name: options.gateway.listener, protocol: 'HTTP', port: 80 }],
  });
}

const targetBackend = (name: string): Json => ({ group, kind: 'Backend', name });

function backend(provider: Provider, options: KgatewayOptions): Manifest[] {
  const { host, port, tls } = endpointOf(provider);
  const name = `sluice-${provider.name}`;
  return [
    object(kgateway, 'Backend', name, options, { type: 'Static', static: { hosts: [{ host, port }] } }),
    object(kgateway, 'BackendConfigPolicy', name, options, {
      targetRefs: [targetBackend(name)],
      connectTimeout: '5s',
      perConnectionBufferLimitBytes: wholeBodyBytes,
      circuitBreakers: kgatewayProviderBreakers,
      ...(tls ? { tls: { wellKnownCACertificates: 'System', sni: host, verifySubjectAltNames: [host], alpnProtocols: ['http/1.1'] } } : {}),
    }),
  ];
}

function sluiceBackend(options: KgatewayOptions): Manifest[] {
  const colon = options.sluice.lastIndexOf(':');
  const host = options.sluice.slice(0, colon).replace(/^\[|\]$/g, '');
  return [
    object(kgateway, 'Backend', 'sluice', options, {
      type: 'Static',
      static: { hosts: [{ host, port: Number(options.sluice.slice(colon + 1)) }], appProtocol: 'kubernetes.io/h2c' },
    }),
    object(kgateway, 'BackendConfigPolicy', 'sluice', options, {
      targetRefs: [targetBackend('sluice')],
      perConnectionBufferLimitBytes: limits.envoyUnsentBytes,
      http2ProtocolOptions: { initialStreamWindowSize: String(limits.envoyUnsentBytes) },
      circuitBreakers: kgatewaySluiceBreakers,
    }),
  ];
}

/** Sets the provider's own path: for requests with the gateway's prefix, for those without, and for those that Sluice sent here. */
function rewrites(provider: Provider, options: KgatewayOptions): Manifest[] {
  return prefixesOf(provider).flatMap((prefix) => {
    const rewrite = pathRewrite(provider, prefix ?? '');
    if (rewrite === null) return [];
    return [
      object(kgateway, 'TrafficPolicy', rewriteOf(provider, prefix), options, {
        urlRewrite: { pathRegex: { pattern: rewrite.regex, substitution: rewrite.substitution } },
      }),
    ];
  });
}

function prefixesOf({ pathPrefix }: Provider): readonly (string | null)[] {
  return pathPrefix === null ? [null] : [null, pathPrefix];
}

function rewriteOf(provider: Provider, prefix: string | null): string {
  return `sluice-${provider.name}${prefix === null ? '' : '.prefix'}`;
}

/** Answers requests whose chosen provider has no route here: with the other provider's key they must go nowhere else. */
function noRoute(options: KgatewayOptions): Manifest {
  return object(kgateway, 'DirectResponse', 'sluice-no-route', options, {
    status: 503,
    body: '{"error":{"message":"This gateway has no route to the provider that the policy chose; its config is older than the policy.","type":"server_error"}}',
  });
}

interface Rule {
  /** Null: no provider has a route for it. */
  readonly provider: Provider | null;
  readonly regex: string;
  readonly prefix: string | null;
  readonly headers: readonly Json[];
  readonly query?: string;
}

/**
 * Routes by path, and by a provider's own names; each repeated for WebSockets, without Sluice. Their order: what Sluice chose (four
 * headers, three where it has no route), paths that belong to one provider (two), paths with the sign of a provider (one), other paths.
 */
function httpRoutes(options: KgatewayOptions): Manifest[] {
  const { providers } = options;
  const byPath: Rule[] = [
    ...providers.flatMap((provider): Rule[] =>
      provider.pathPrefix === null
        ? []
        : [{ provider, regex: `${escaped(provider.pathPrefix)}/.*`, prefix: provider.pathPrefix, headers: marks(2) }],
    ),
    ...pathShapes.flatMap(({ family, regex, sign, shared }): Rule[] => {
      const provider = providers.find((candidate) => candidate.family === family);
      return provider === undefined ? [] : [{ provider, regex, prefix: null, ...(shared === true ? signOf(sign) : { headers: marks(2) }) }];
    }),
  ];
  const chosen = chosenRules(providers);
  const hosts = providers.flatMap((provider) => provider.hosts);
  return [
    ...inRoutes('sluice-paths', [], byPath, options, true),
    ...inRoutes('sluice-chosen', [], chosen, options, false),
    ...providers
      .filter((provider) => provider.hosts.length > 0)
      .flatMap((provider) =>
        inRoutes(`sluice-host-${provider.name}`, provider.hosts, [{ provider, regex: '/.*', prefix: null, headers: [] }], options, true),
      ),
    ...inPieces(hosts).flatMap((names, index) => inRoutes(`sluice-hosts-chosen${suffix(index)}`, names, chosen, options, false)),
  ];
}

/** Routes to what Sluice chose. Clients cannot set the header: it is removed before the filter. */
function chosenRules(providers: readonly Provider[]): Rule[] {
  return [
    ...providers.map((provider): Rule => ({
      provider,
      regex: '/.*',
      prefix: provider.pathPrefix,
      headers: [{ type: 'Exact', name: clusterHeader, value: clusterName(provider.name) }, ...marks(3)],
    })),
    { provider: null, regex: '/.*', prefix: null, headers: [{ type: 'RegularExpression', name: clusterHeader, value: '.+' }, ...marks(2)] },
  ];
}

function signOf(sign: Sign | undefined): Pick<Rule, 'headers' | 'query'> {
  if (sign === undefined) return { headers: [] };
  if ('query' in sign) return { headers: [], query: sign.query };
  return { headers: [{ type: 'RegularExpression', name: sign.header, value: sign.regex ?? '.+' }] };
}

function inRoutes(name: string, hostnames: readonly string[], rules: readonly Rule[], options: KgatewayOptions, own: boolean): Manifest[] {
  const closed = ({ provider }: Rule): boolean => options.failClosed || options.closedProviders?.includes(provider?.name ?? '') === true;
  const route = (routeName: string, piece: readonly Rule[], upgrade: boolean): Manifest =>
    object(gatewayApi, 'HTTPRoute', routeName, options, {
      parentRefs: [{ name: options.gateway.name, sectionName: options.gateway.listener }],
      ...(hostnames.length === 0 ? {} : { hostnames }),
      rules: piece.map((rule) => httpRule(rule, upgrade)),
    });
  if (!own) return inPieces(rules).map((piece, index) => route(`${name}${suffix(index)}`, piece, false));
  return (['pass', 'refuse'] as const).flatMap((mode) =>
    inPieces(rules.filter((rule) => closed(rule) === (mode === 'refuse'))).flatMap((piece, index) => {
      const pieceName = `${name}${mode === 'pass' ? '' : '.closed'}${suffix(index)}`;
      const decided = route(pieceName, piece, false);
      const metadata = { ...decided.metadata, labels: { ...managedLabels, [decidedLabel]: mode } };
      return [{ ...decided, metadata }, route(`${pieceName}.upgrade`, piece, true)];
    }),
  );
}

function httpRule({ provider, regex, prefix, headers, query }: Rule, upgrade: boolean): Json {
  const all = [...(upgrade ? [{ type: 'RegularExpression', name: 'upgrade', value: '(?i)websocket' }] : []), ...headers];
  const match = {
    path: { type: 'RegularExpression', value: regex },
    ...(all.length === 0 ? {} : { headers: all }),
    ...(query === undefined ? {} : { queryParams: [{ type: 'RegularExpression', name: query, value: '.*' }] }),
  };
  const extension = (kind: string, name: string): Json => ({ type: 'ExtensionRef', extensionRef: { group, kind, name } });
  if (provider === null) return { matches: [match], filters: [extension('DirectResponse', 'sluice-no-route')] };
  const { host } = endpointOf(provider);
  return {
    matches: [match],
    filters: [
      // Only Sluice and this Envoy read them; the filter comes before this.
      {
        type: 'RequestHeaderModifier',
        requestHeaderModifier: { remove: [...privateHeaders, clusterHeader, ...told.map(([name]) => name)] },
      },
      ...(isIP(host) === 0 ? [{ type: 'URLRewrite', urlRewrite: { hostname: host } }] : []),
      ...(pathRewrite(provider, prefix ?? '') === null ? [] : [extension('TrafficPolicy', rewriteOf(provider, prefix))]),
    ],
    timeouts: { request: '0s' },
    backendRefs: [targetBackend(`sluice-${provider.name}`)],
  };
}

function inPieces<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / perRoute) }, (_, index) => all.slice(index * perRoute, (index + 1) * perRoute));
}

function suffix(index: number): string {
  return index === 0 ? '' : `.${index}`;
}

/** In Go's form, without fractions. */
function duration(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** For the whole Gateway: kgateway has no such settings for one listener's name. */
function listenerPolicy(options: KgatewayOptions): Manifest {
  const own = new Set(told.map(([name]) => name));
  return object(kgateway, 'ListenerPolicy', 'sluice', options, {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: options.gateway.name }],
    default: {
      perConnectionBufferLimitBytes: wholeBodyBytes,
      httpSettings: {
        earlyRequestHeaderModifier: {
          set: told.map(([name, value]) => ({ name, value })),
          // A header that is set needs no removal.
          remove: reservedHeaders.filter((header) => !own.has(header)),
        },
        streamIdleTimeout,
        upgradeConfig: { enabledUpgrades: ['websocket'] },
      },
    },
  });
}

function extensionOf(mode: WithoutSluice): string {
  return mode === 'pass' ? 'sluice' : 'sluice.closed';
}

/**
 * The filter. Sluice cannot ask for a body here, so every body comes to it, or its beginning where it is larger than Envoy holds.
 */
function extension(options: KgatewayOptions, mode: WithoutSluice): Manifest {
  return object(kgateway, 'GatewayExtension', extensionOf(mode), options, {
    extProc: {
      // The cluster's own name has characters that HTTP/2 servers reject.
      grpcService: { backendRef: { ...targetBackend('sluice') }, authority: sluiceClusterName },
      failOpen: mode === 'pass',
      statPrefix: 'sluice_request',
      messageTimeout: duration(messageMs(options)),
      maxMessageTimeout: duration(limits.bodyWaitMs),
      processingMode: {
        requestHeaderMode: 'SEND',
        requestBodyMode: 'BUFFERED_PARTIAL',
        requestTrailerMode: 'SKIP',
        responseHeaderMode: 'SEND',
        responseBodyMode: 'STREAMED',
        responseTrailerMode: 'SKIP',
      },
      metadataOptions: { forwarding: { untyped: claimNamespaces } },
    },
  });
}

function trafficPolicy(options: KgatewayOptions, mode: WithoutSluice): Manifest {
  return object(kgateway, 'TrafficPolicy', extensionOf(mode), options, {
    targetSelectors: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', matchLabels: { [decidedLabel]: mode } }],
    extProc: { extensionRef: { name: extensionOf(mode) } },
    // Only before any byte of the request has been sent.
    retry: { attempts: 1, retryOn: ['connect-failure', 'refused-stream', 'reset-before-request'] },
  });
}
