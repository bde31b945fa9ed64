import { limits } from '../lib/limits.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Most concurrent streams to Sluice per request: the request filter's, that of the answer's copies, an attempt's, and that of a copy of the
 * request sent to another model.
 */
export const streamsOfRequest = 4;

/**
 * Envoy's default breakers stop at 1,024 requests and 3 retries. A provider's cluster then answers 503; Sluice's lets requests pass
 * undecided and makes later attempts of a chain fail. A retry counts until its response begins, which takes a model seconds, so an
 * unavailable provider must not exhaust them.
 */
function breakers(most: number): Json {
  return {
    thresholds: [{ priority: 'DEFAULT', max_connections: most, max_pending_requests: most, max_requests: most, max_retries: most }],
  };
}

export const providerBreakers: Json = breakers(limits.envoyRequests);
export const sluiceBreakers: Json = breakers(limits.grpcStreams);

/** The same in the form of Envoy Gateway's policies. */
function gatewayBreakers(most: number): Json {
  return { maxConnections: most, maxPendingRequests: most, maxParallelRequests: most, maxParallelRetries: most };
}

export const gatewayProviderBreakers: Json = gatewayBreakers(limits.envoyRequests);
export const gatewaySluiceBreakers: Json = gatewayBreakers(limits.grpcStreams);

/** The same in the form of kgateway's policies. */
function kgatewayBreakers(most: number): Json {
  return { maxConnections: most, maxPendingRequests: most, maxRequests: most, maxRetries: most };
}

export const kgatewayProviderBreakers: Json = kgatewayBreakers(limits.envoyRequests);
export const kgatewaySluiceBreakers: Json = kgatewayBreakers(limits.grpcStreams);

/** Milliseconds as a duration in Envoy's configuration. */
export function seconds(ms: number): string {
  return `${ms / 1_000}s`;
}
