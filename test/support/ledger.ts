import { expect } from 'vitest';
import { Ledger, type LedgerOptions } from '../../src/ledger/ledger.ts';
import { uuidv7 } from '../../src/record/id.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { record } from './decision.ts';

/** A decided exchange with an id of its own that arrived at `at` (ms since the epoch). */
export function sample(at: number, facts: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return { ...record(), id: uuidv7(at), time: new Date(at).toISOString(), ...facts };
}

export const line = (value: ExchangeRecord): string => JSON.stringify(value);

/** A ledger in this file that keeps rows and sums for 400 days and signs nothing, if `options` says nothing else; the test fails on an error of it. */
export function lastingLedger(file: string, options: Partial<LedgerOptions> = {}): Promise<Ledger> {
  const kept = 400 * 86_400_000;
  return Ledger.open({
    file,
    version: '1',
    retention: { rowsMs: kept, rollupsMs: kept },
    signingKey: null,
    onCheckpoint: () => undefined,
    onError: (message) => expect.fail(message),
    ...options,
  });
}
