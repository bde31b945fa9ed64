import type { ExchangeRecord, RecordSink } from './types.ts';

/**
 * One sink out of many. A sink that throws is told to `onError` and stops neither the others nor the caller; `onError`
 * itself must not throw.
 */
export function fanout(sinks: readonly RecordSink[], onError: (error: unknown) => void): RecordSink {
  return {
    record(record: ExchangeRecord): void {
      for (const sink of sinks) {
        try {
          sink.record(record);
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
