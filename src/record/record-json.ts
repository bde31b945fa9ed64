import { JsonBytes } from '../lib/json-bytes.ts';
import type { ExchangeRecord } from './types.ts';

const json = new JsonBytes();
let last: ExchangeRecord | null = null;

/**
 * A record as JSON in UTF-8, valid until the next record is asked for. All sinks receive the same record and must not change it, so it is
 * serialised once.
 */
export function recordJson(record: ExchangeRecord): JsonBytes {
  if (record !== last) {
    // An error on the way would leave a part of it.
    last = null;
    json.write(record);
    last = record;
  }
  return json;
}
