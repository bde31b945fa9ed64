import type { FilterRole } from '../extproc/types.ts';

/** The Envoy cluster of a provider, for one attempt alone or for attempts of a chain. Rendered config and the request filter's choice of cluster must agree on it. */
export function clusterName(provider: string, role: FilterRole = 'listener'): string {
  return role === 'listener' ? `provider_${provider}` : `provider_${provider}_${role}`;
}

/** The request header that chooses the route of chains, whose clusters come from metadata. Only Sluice may set it. */
export const chainHeader = 'x-sluice-chain';

/** The request header that chooses a cluster other than the path's own. Only Sluice may set it; clients' copies are removed. */
export const clusterHeader = 'x-sluice-cluster';
