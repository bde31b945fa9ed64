import { hash } from 'node:crypto';

/**
 * The Envoy filter that a stream belongs to, from the filter's initial metadata.
 * - `listener`: the request filter and the copies' filter
 * - `gate`: a provider's cluster, first attempt of a chain: response headers, and the body if requested
 * - `next`: a provider's cluster, any attempt: request and response, bodies if requested
 * - `stream`: the same, with the whole answer flowing through Sluice both ways
 * - `shadow`: a provider's cluster, a mirrored request: as `next`, but its answer is discarded
 */
export type FilterRole = 'listener' | 'gate' | 'next' | 'stream' | 'shadow';

/**
 * How Sluice receives answers.
 * - `observe`: Envoy sends copies of them (the second filter, observability mode)
 * - `collect`: Envoy collects a bounded part of them and sends it with its access log
 * - `protocol-manager`: Envoy reads their usage and sends that with its access log
 * - `inline`: the request filter also sends the answer, on the request's own stream, and waits for each part of it: for control planes that
 *   can set one filter, without metadata
 */
export type UsageMode = 'observe' | 'collect' | 'protocol-manager' | 'inline';

/** Response headers that tell of a decision, and the keys of its metadata that they come from. */
export const provenance: readonly (readonly [header: string, key: string])[] = [
  ['x-sluice-decision', 'id'],
  ['x-sluice-model', 'model'],
  ['x-sluice-requested-model', 'requested_model'],
  ['x-sluice-tier', 'tier'],
  ['x-sluice-reason', 'reason'],
  ['x-sluice-attempts', 'attempts'],
  ['x-sluice-arm', 'arm'],
  ['x-sluice-cache', 'cache'],
  ['x-sluice-cache-entry', 'cache_entry'],
];

/** The metadata of an exchange whose answer comes elsewhere than in copies, and its value where it comes on the request's own stream. */
export const answerKey = 'answer';
export const inlineAnswer = 'inline';

/**
 * The Envoy cluster of a provider, for a single attempt or for attempts of a chain. Rendered config and the request filter's choice of
 * cluster must agree on it.
 */
export function clusterName(provider: string, role: FilterRole = 'listener'): string {
  // The router reads the name of a copy's cluster after routes can remove the header, so the original's provider sees it: the name must
  // reveal nothing.
  if (role === 'shadow') return `copy_${hash('sha256', provider).slice(0, 8)}`;
  return role === 'listener' ? `provider_${provider}` : `provider_${provider}_${role}`;
}

/** Set by Envoy on every request where chains are given as endpoints (see EnvoyAbilities); read by Sluice and removed for everybody else. */
export const abilitiesHeader = 'x-sluice-chains';

/**
 * Set by Envoy on every request where answers reach Sluice other than by copies (see UsageMode); read by Sluice and removed for everybody
 * else.
 */
export const usageHeader = 'x-sluice-usage';

/** The cluster of chains that are given as endpoints. */
export function chainCluster(role: 'next' | 'stream'): string {
  return `chain_${role}`;
}

/** The listener inside Envoy that forwards to a provider. */
export function hostListener(provider: string): string {
  return `host_${provider}`;
}

/** The same as an endpoint address in Envoy's format. */
export function chainHost(provider: string): string {
  return `envoy://${hostListener(provider)}/`;
}

/** The endpoints of a chain as metadata for Envoy, one per attempt. */
export function chainHosts(targets: readonly { readonly provider: string }[]): string {
  return targets.map(({ provider }) => chainHost(provider)).join(',');
}

/** The request header that selects the route of chains, whose clusters come from metadata. Only Sluice may set it. */
export const chainHeader = 'x-sluice-chain';

/** The request header with the cluster that receives a copy of the request. Only Sluice may set it. */
export const mirrorHeader = 'x-sluice-mirror';

/** The request header that selects a cluster other than the path's own. Only Sluice may set it; clients' values are removed. */
export const clusterHeader = 'x-sluice-cluster';

/** Envoy's own count of a request's attempts, set on each attempt. */
export const attemptCountHeader = 'x-envoy-attempt-count';

/** Name of Sluice's cluster in Envoy. */
export const sluiceClusterName = 'sluice';

/**
 * Metadata key of an attempt's cluster, set by the request filter for Envoys that cannot read `priority_groups`. `attempt` counts from 1.
 */
export function attemptClusterKey(attempt: number): string {
  return `attempt_${attempt}_cluster`;
}

/** The metadata of a request that may be translated: the form of the errors that its app reads. */
export const errorsKey = 'errors';

/** The form of an API's errors, by the family in its name. */
export function errorForm(api: string): string {
  return api.slice(0, api.indexOf('-') === -1 ? undefined : api.indexOf('-'));
}

/** Models may reason for minutes before the first byte; routes' own timeouts are off for the same reason. */
export const streamIdleTimeout = '900s';

/** Namespaces of Envoy's dynamic metadata sent to Sluice's request filter: what earlier filters know about the caller. */
export const claimNamespaces: readonly string[] = ['envoy.filters.http.jwt_authn', 'envoy.filters.http.ext_authz'];

/** The gRPC metadata with a filter's role; absent for the listener's filters. */
export const roleHeader = 'x-sluice-filter';

/** Set on an answer that the next target should replace; Envoy's route retries on it. It never reaches an app. */
export const retryHeader = 'x-sluice-retry';

/** Set by an Envoy that gets chains as endpoints: the endpoint chosen for this attempt. */
export const hostHeader = 'x-sluice-host';

/** The decision that a mirrored request copies. Envoy sets it on copies only. */
export const shadowHeader = 'x-sluice-shadow';
