import type { ExchangeRecord } from '../record/types.ts';
import type { LedgerReader } from './backend.ts';
import type { SqlDialect } from './fields.ts';
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
} from './query.ts';
import { joinColumns, type GradeEntry } from './types.ts';

/** A database server that answers the ledger's queries. */
export interface AskedServer {
  readonly dialect: SqlDialect;
  /** Rows of a query with `?` for each value. Rejects with SluiceError. */
  ask<Row extends object>(sql: string, values: readonly (string | number)[]): Promise<Row[]>;
  close(): Promise<void>;
}

interface Found {
  readonly id: string;
  readonly body: string;
}

/** The reader of a ledger on a database server. */
export function serverReader(server: AskedServer): LedgerReader {
  const { dialect } = server;
  return {
    async decisions(query) {
      const { sql, values } = decisionsSql(query, dialect);
      return (await server.ask<Found>(sql, values)).map(({ body }) => JSON.parse(body) as ExchangeRecord);
    },
    async record(id) {
      const low = idPrefix(id);
      const own = low === null ? null : theOne(low, await server.ask<Found>(recordSql, [low, `${low}g`]));
      if (own !== null) return own;
      return theJoined(
        id,
        await server.ask<Found>(
          joinedSql,
          joinColumns.map(() => id),
        ),
      );
    },
    grades: async (id) => (await server.ask<Found>(gradesSql, [id])).map(({ body }) => (JSON.parse(body) as GradeEntry).grade),
    async savings(query) {
      const { lines, trend, report } = savingsPlan(query, dialect);
      const groups = lines === null ? [] : await server.ask<SavingsGroup>(lines.sql, lines.values);
      return report(groups, await server.ask<SavingsBucket>(trend.sql, trend.values));
    },
    close: () => server.close(),
  };
}
