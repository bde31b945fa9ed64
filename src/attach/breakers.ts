import { limits } from '../lib/limits.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Streams to Sluice that one request may have open at a time: the request filter's, that of the answer's copies, an attempt's, and that of a
 * copy of the request which is sent to another model.
 */
export const streamsOfRequest = 4;

/**
 * Envoy's own breakers stop at 1,024 requests and 3 retries. A provider's then answer 503; Sluice's let requests pass undecided and make later
 * attempts of a chain fail. Retries count until their answer begins, which takes a model seconds: a provider that is down must not exhaust them.
 */
function breakers(most: number): Json {
  return {
    thresholds: [{ priority: 'DEFAULT', max_connections: most, max_pending_requests: most, max_requests: most, max_retries: most }],
  };
}

export const providerBreakers: Json = breakers(limits.envoyRequests);
export const sluiceBreakers: Json = breakers(limits.grpcStreams);

/** The same as Envoy Gateway's policies write it. */
function gatewayBreakers(most: number): Json {
  return { maxConnections: most, maxPendingRequests: most, maxParallelRequests: most, maxParallelRetries: most };
}

export const gatewayProviderBreakers: Json = gatewayBreakers(limits.envoyRequests);
export const gatewaySluiceBreakers: Json = gatewayBreakers(limits.grpcStreams);

/** Milliseconds as Envoy's configuration writes a duration. */
export function seconds(ms: number): string {
  return `${ms / 1_000}s`;
}
