import type { ExchangeRecord } from './types.ts';

let last: ExchangeRecord | null = null;
let lastJson = '';

/** A record as JSON. All sinks receive the same record and must not change it, so it is serialised once. */
export function recordJson(record: ExchangeRecord): string {
  if (record !== last) {
    lastJson = JSON.stringify(record);
    last = record;
  }
  return lastJson;
}
