import type { ExchangeRecord, RecordSink } from './types.ts';

/**
 * Combines many sinks into one. If a sink throws, `onError` is called, and neither the other sinks nor the caller are affected; `onError`
 * itself must not throw.
 */
export function fanout(sinks: readonly RecordSink[], onError: (error: unknown) => void): RecordSink {
  return {
    record(record: ExchangeRecord): void {
      for (let at = 0; at < sinks.length; at++) {
        try {
          sinks[at]!.record(record);
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
