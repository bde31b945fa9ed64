import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { openDatabase } from './database.ts';
import {
  decisionsSql,
  findDecisions,
  findGrades,
  findRecord,
  gradesSql,
  idPrefix,
  joinedSql,
  recordSql,
  savingsPlan,
  savingsReport,
  theJoined,
  theOne,
  type DecisionsQuery,
  type SavingsBucket,
  type SavingsGroup,
  type SavingsQuery,
  type SavingsReport,
} from './query.ts';
import { isPostgres, type LedgerTarget } from './target.ts';
import { joinColumns, type GradeEntry } from './types.ts';

/** Questions to a ledger, wherever it is. Methods reject with SluiceError. */
export interface LedgerReader {
  decisions(query: DecisionsQuery): Promise<ExchangeRecord[]>;
  record(id: string): Promise<ExchangeRecord | null>;
  grades(id: string): Promise<Grade[]>;
  savings(query: SavingsQuery): Promise<SavingsReport>;
  close(): Promise<void>;
}

/** Opens a ledger that is there. Rejects with SLUICE_LEDGER_UNUSABLE. */
export async function openReader(target: LedgerTarget): Promise<LedgerReader> {
  return isPostgres(target.place) ? openPostgresReader(target) : openFileReader(target.place);
}

function openFileReader(file: string): LedgerReader {
  const db = openDatabase(file, 'readonly');
  return {
    decisions: async (query) => Promise.resolve(findDecisions(db, query)),
    record: async (id) => Promise.resolve(findRecord(db, id)),
    grades: async (id) => Promise.resolve(findGrades(db, id)),
    savings: async (query) => Promise.resolve(savingsReport(db, query)),
    close: async () => Promise.resolve(void db.close()),
  };
}

async function openPostgresReader(target: LedgerTarget): Promise<LedgerReader> {
  // Loaded where it is used.
  const [{ openPostgres }, { numbered, postgresDialect, unusable }] = await Promise.all([
    import('./postgres/tables.ts'),
    import('./postgres/connect.ts'),
  ]);
  let client = await openPostgres(target, 'readonly');
  const ask = async <Row extends object>(sql: string, values: readonly (string | number)[]): Promise<Row[]> => {
    try {
      return (await client.query<Row>(numbered(sql), [...values])).rows;
    } catch (error) {
      const again = await openPostgres(target, 'readonly').catch(() => null);
      if (again === null) throw unusable(target.place, error);
      // The connection had gone; a question that is wrong in itself fails once more.
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
