import { hash } from 'node:crypto';

/**
 * Which of Envoy's filters a stream belongs to, as the filter's initial metadata says.
 * - `listener`: the request filter and the copies' filter
 * - `gate`: a provider's cluster, first attempt of a chain: response headers, and a body if it is asked for
 * - `next`: a provider's cluster, any attempt: request and response, bodies if they are asked for
 * - `stream`: the same, with the whole answer flowing through Sluice both ways
 * - `shadow`: a provider's cluster, a mirrored request: as `next`, but nobody waits for its answer
 */
export type FilterRole = 'listener' | 'gate' | 'next' | 'stream' | 'shadow';

/**
 * How Sluice learns of answers.
 * - `observe`: Envoy sends copies of them (the second filter, observability mode)
 * - `collect`: Envoy collects a bounded part of them and sends it with its access log
 * - `protocol-manager`: Envoy reads their usage and sends that with its access log
 */
export type UsageMode = 'observe' | 'collect' | 'protocol-manager';

/** The Envoy cluster of a provider, for one attempt alone or for attempts of a chain. Rendered config and the request filter's choice of cluster must agree on it. */
export function clusterName(provider: string, role: FilterRole = 'listener'): string {
  // The router reads the name of a copy's cluster later than a route could remove it, so the original's provider sees it: it says nothing.
  if (role === 'shadow') return `copy_${hash('sha256', provider).slice(0, 8)}`;
  return role === 'listener' ? `provider_${provider}` : `provider_${provider}_${role}`;
}

/** Set by Envoy on every request where chains are told as endpoints (see ChainStyle); Sluice reads it, nobody else sees it. */
export const chainStyleHeader = 'x-sluice-chains';

/** Set by Envoy on every request where answers reach Sluice by another way than copies (see UsageMode); Sluice reads it, nobody else sees it. */
export const usageHeader = 'x-sluice-usage';

/** The cluster of chains that are told as endpoints. */
export function chainCluster(role: 'next' | 'stream'): string {
  return `chain_${role}`;
}

/** The listener inside Envoy that leads to a provider. */
export function hostListener(provider: string): string {
  return `host_${provider}`;
}

/** The same as an endpoint's address, as Envoy writes it. */
export function chainHost(provider: string): string {
  return `envoy://${hostListener(provider)}/`;
}

/** The endpoints of a chain as the metadata says them to Envoy, one an attempt. */
export function chainHosts(targets: readonly { readonly provider: string }[]): string {
  return targets.map(({ provider }) => chainHost(provider)).join(',');
}

/** The request header that chooses the route of chains, whose clusters come from metadata. Only Sluice may set it. */
export const chainHeader = 'x-sluice-chain';

/** The request header that names the cluster that a copy of the request goes to. Only Sluice may set it. */
export const mirrorHeader = 'x-sluice-mirror';

/** The request header that chooses a cluster other than the path's own. Only Sluice may set it; clients' copies are removed. */
export const clusterHeader = 'x-sluice-cluster';

/** Envoy's own count of a request's attempts, which it sets on each. */
export const attemptCountHeader = 'x-envoy-attempt-count';

/** The Envoy cluster that leads to Sluice. */
export const sluiceClusterName = 'sluice';

/** Where the request filter leaves the cluster of a chain's attempt, for Envoys that cannot read `priority_groups`. `attempt` counts from 1. */
export function attemptClusterKey(attempt: number): string {
  return `attempt_${attempt}_cluster`;
}

/** Models think for minutes before the first byte; routes' own timeouts are off for the same reason. */
export const streamIdleTimeout = '900s';

/** Namespaces of Envoy's dynamic metadata that Sluice's request filter is sent: what filters before it know of the caller. */
export const claimNamespaces: readonly string[] = ['envoy.filters.http.jwt_authn', 'envoy.filters.http.ext_authz'];

/** The gRPC metadata in which a filter says its role; the listener's say none. */
export const roleHeader = 'x-sluice-filter';

/** Set on an answer that the next target is to replace; Envoy's route retries on it. It never reaches an app. */
export const retryHeader = 'x-sluice-retry';

/** Set by an Envoy that is told its chains as endpoints: the one that it chose for this attempt. */
export const hostHeader = 'x-sluice-host';

/** The decision that a mirrored request is a copy of. Envoy sets it on copies only. */
export const shadowHeader = 'x-sluice-shadow';
