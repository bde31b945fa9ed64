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
import { clickhouseDialect, unusable } from './connect.ts';
import { openClickHouse } from './tables.ts';

interface Found {
  readonly id: string;
  readonly body: string;
}

/** Opens an existing ledger. Rejects with SLUICE_LEDGER_UNUSABLE. */
export async function openClickHouseReader(target: LedgerTarget): Promise<LedgerReader> {
  const client = await openClickHouse(target, 'readonly');
  const ask = <Row>(sql: string, values: readonly (string | number)[]): Promise<Row[]> =>
    client.ask<Row>(sql, values).catch((error: unknown) => {
      throw unusable(target.place, error);
    });
  return {
    async decisions(query) {
      const { sql, values } = decisionsSql(query, clickhouseDialect);
      return (await ask<Found>(sql, values)).map(({ body }) => JSON.parse(body) as ExchangeRecord);
    },
    async record(id) {
      const low = idPrefix(id);
      const own = low === null ? null : theOne(low, await ask<Found>(recordSql, [low, `${low}g`]));
      if (own !== null) return own;
      return theJoined(
        id,
        await ask<Found>(
          joinedSql,
          joinColumns.map(() => id),
        ),
      );
    },
    grades: async (id) => (await ask<Found>(gradesSql, [id])).map(({ body }) => (JSON.parse(body) as GradeEntry).grade),
    async savings(query) {
      const { lines, trend, report } = savingsPlan(query, clickhouseDialect);
      const groups = lines === null ? [] : await ask<SavingsGroup>(lines.sql, lines.values);
      return report(groups, await ask<SavingsBucket>(trend.sql, trend.values));
    },
    close: () => client.close(),
  };
}
