import { uuidv7 } from '../../src/record/id.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { record } from './decision.ts';

/** A decided exchange with an id of its own that arrived at `at` (ms since the epoch). */
export function sample(at: number, facts: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return { ...record(), id: uuidv7(at), time: new Date(at).toISOString(), ...facts };
}

export const line = (value: ExchangeRecord): string => JSON.stringify(value);
