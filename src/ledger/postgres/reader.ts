import type { ExchangeRecord } from '../../record/types.ts';
import type { LedgerReader } from '../backend.ts';
import {
  decisionsSql,
  gradesSql,
  idPrefix,
  joinedSql,
  recordSql,
  savingsPlan,
  theJoined,
  theOne,
  type SavingsBucket,
  type SavingsGroup,
} from '../query.ts';
import type { LedgerTarget } from '../target.ts';
import { joinColumns, type GradeEntry } from '../types.ts';
import { numbered, postgresDialect, unusable } from './connect.ts';
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
  return {
    async decisions(query) {
      const { sql, values } = decisionsSql(query, postgresDialect);
      return (await ask<{ body: string }>(sql, values)).map(({ body }) => JSON.parse(body) as ExchangeRecord);
    },
    async record(id) {
      const low = idPrefix(id);
      const own = low === null ? null : theOne(low, await ask<{ id: string; body: string }>(recordSql, [low, `${low}g`]));
      return (
        own ??
        theJoined(
          id,
          await ask<{ id: string; body: string }>(
            joinedSql,
            joinColumns.map(() => id),
          ),
        )
      );
    },
    grades: async (id) => (await ask<{ body: string }>(gradesSql, [id])).map(({ body }) => (JSON.parse(body) as GradeEntry).grade),
    async savings(query) {
      const { lines, trend, report } = savingsPlan(query, postgresDialect);
      const groups = lines === null ? [] : await ask<SavingsGroup>(lines.sql, lines.values);
      return report(groups, await ask<SavingsBucket>(trend.sql, trend.values));
    },
    close: () => client.end().catch(() => undefined),
  };
}
