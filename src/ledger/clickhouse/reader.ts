import type { LedgerReader } from '../backend.ts';
import { serverReader } from '../server-reader.ts';
import type { LedgerTarget } from '../target.ts';
import { unusable } from '../unusable.ts';
import { clickhouseDialect } from './connect.ts';
import { openClickHouse } from './tables.ts';

/** Opens an existing ledger. Rejects with SLUICE_LEDGER_UNUSABLE. */
export async function openClickHouseReader(target: LedgerTarget): Promise<LedgerReader> {
  const client = await openClickHouse(target, 'readonly');
  return serverReader({
    dialect: clickhouseDialect,
    ask: <Row extends object>(sql: string, values: readonly (string | number)[]): Promise<Row[]> =>
      client.ask<Row>(sql, values).catch((error: unknown) => {
        throw unusable(target.place, error);
      }),
    close: () => client.close(),
  });
}
