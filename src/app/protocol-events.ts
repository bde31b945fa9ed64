import type { Logger } from 'pino';
import type { ProtocolEvent, TellEvent } from '../extproc/events.ts';
import type { Metrics } from '../record/metrics.ts';
import { messageOf } from '../lib/message-of.ts';

/** The log message for each event's error. The log suppresses repeated messages. */
const messages: Readonly<Partial<Record<ProtocolEvent, string>>> = {
  'decode-error': "a message of Envoy's cannot be read; its stream was ended",
  'too-many-bytes':
    'no memory is left for a message of Envoy, whose stream was ended: its request passes undecided; see --transport-memory',
  'connection-cut': "a connection of Envoy's was cut: it broke the rules of HTTP/2 or the limits of this server",
  'connection-lost': "a connection of Envoy's broke",
};

/** Counts errors between Envoy and Sluice, and logs their cause. */
export function protocolEvents(metrics: Pick<Metrics, 'protocolEvent' | 'failOpen'>, logger: Pick<Logger, 'warn' | 'error'>): TellEvent {
  return (event, error) => {
    metrics.protocolEvent(event);
    if (event === 'gateway-error') {
      metrics.failOpen('session-error');
      logger.error({ err: error, event }, 'Sluice failed inside a stream of Envoy; what it is about goes on as it came');
      return;
    }
    const message = messages[event];
    if (error === undefined || message === undefined) return;
    // Where in Node's code a socket broke helps nobody.
    const cause = event === 'connection-lost' ? {} : { err: error };
    logger.warn({ event, reason: reasonOf(error), ...cause }, message);
  };
}

function reasonOf(error: unknown): string {
  return messageOf(error);
}
