/** The Envoy cluster of a provider. Rendered config and the request filter's choice of cluster must agree on it. */
export function clusterName(provider: string): string {
  return `provider_${provider}`;
}

/** The request header that chooses a cluster other than the path's own. Only Sluice may set it; clients' copies are removed. */
export const clusterHeader = 'x-sluice-cluster';
