import type { LedgerReader } from '../backend.ts';
import { serverReader } from '../server-reader.ts';
import type { LedgerTarget } from '../target.ts';
import { unusable } from '../unusable.ts';
import { numbered, postgresDialect } from './connect.ts';
import { openPostgres } from './tables.ts';

/** Opens an existing ledger. Rejects with SLUICE_LEDGER_UNUSABLE. */
export async function openPostgresReader(target: LedgerTarget): Promise<LedgerReader> {
  let client = await openPostgres(target, 'readonly');
  const ask = async <Row extends object>(sql: string, values: readonly (string | number)[]): Promise<Row[]> => {
    try {
      return (await client.query<Row>(numbered(sql), [...values])).rows;
    } catch (error) {
      const again = await openPostgres(target, 'readonly').catch(() => null);
      if (again === null) throw unusable(target.place, error);
      // The connection may have been lost, so the query is retried; one that is itself wrong fails again.
      await client.end().catch(() => undefined);
      client = again;
      return (
        await client.query<Row>(numbered(sql), [...values]).catch((caught: unknown) => {
          throw unusable(target.place, caught);
        })
      ).rows;
    }
  };
  return serverReader({ dialect: postgresDialect, ask, close: () => client.end().catch(() => undefined) });
}
