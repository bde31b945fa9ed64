/**
 * What can go wrong between Envoy and Sluice. Closed list: a metric label.
 * - `decode-error`: a message of Envoy's cannot be read; its stream is ended
 * - `unexpected-phase`: a phase came where none of its kind may; it is waved through
 * - `gateway-error`: Sluice failed inside a stream; what the stream is about goes on as it came
 * - `request-aborted`: the client left before its request was decided
 * - `partial-body`: a body came in parts that was to come whole
 * - `connection-cut`: Sluice cut a connection of Envoy's, which broke HTTP/2's rules or its limits
 * - `connection-lost`: a connection of Envoy's broke
 */
export type ProtocolEvent =
  'decode-error' | 'unexpected-phase' | 'gateway-error' | 'request-aborted' | 'partial-body' | 'connection-cut' | 'connection-lost';

/** Is told of each of them, and of the error behind it where there is one. Never throws. */
export type TellEvent = (event: ProtocolEvent, error?: unknown) => void;
