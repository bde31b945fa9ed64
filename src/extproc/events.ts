/**
 * What can go wrong between Envoy and Sluice. Closed list: a metric label.
 * - `decode-error`: a message from Envoy cannot be decoded; its stream is ended
 * - `unexpected-phase`: a phase came out of order; it is passed through
 * - `gateway-error`: Sluice failed inside a stream; the request or answer passes as it came
 * - `request-aborted`: the client left before its request was decided
 * - `partial-body`: a body that should be buffered came in parts
 * - `too-many-bytes`: no memory was left for a message from Envoy; its stream was ended and the request passes as it came
 * - `connection-cut`: Sluice cut a connection from Envoy that violated HTTP/2 or exceeded its limits
 * - `connection-lost`: a connection from Envoy broke
 */
export type ProtocolEvent =
  | 'decode-error'
  | 'unexpected-phase'
  | 'gateway-error'
  | 'request-aborted'
  | 'partial-body'
  | 'too-many-bytes'
  | 'connection-cut'
  | 'connection-lost';

/** Called with each event and its error, if there is one. Never throws. */
export type TellEvent = (event: ProtocolEvent, error?: unknown) => void;
