import type { ExchangeRecord } from './types.ts';

let last: ExchangeRecord | null = null;
let lastJson = '';

/** A record as JSON. The sinks get it one after the other and must not change it: it is written once for all of them. */
export function recordJson(record: ExchangeRecord): string {
  if (record !== last) {
    lastJson = JSON.stringify(record);
    last = record;
  }
  return lastJson;
}
