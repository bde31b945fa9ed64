import type { PgClient } from './connect.ts';

/** The tables that hold a ledger; `entries` is divided into one a day. */
const ours = ['writers', 'entries', 'pruned', 'checkpoints', 'by_hour', 'by_day', 'sums_new', 'settled', 'settled_head'];

/** Tables of the ledger and the tables of its days. */
const tables = `WITH tables AS (
  SELECT c.oid, c.relname, c.relkind, c.relrowsecurity FROM pg_class c
  WHERE pg_table_is_visible(c.oid) AND (c.relname = ANY($1) OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('entries')))
)`;

/** What could change or hide rows in the ledger's tables, one sentence each: triggers, rules, policies, and views in the place of tables. */
export async function foreignIn(client: PgClient): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `${tables}
     SELECT 'a trigger that is not Sluice''s is on ' || t.relname || ': ' || g.tgname AS what
       FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
     UNION ALL SELECT 'a rule that is not Sluice''s is on ' || t.relname || ': ' || r.rulename
       FROM pg_rewrite r JOIN tables t ON t.oid = r.ev_class WHERE r.rulename <> '_RETURN'
     UNION ALL SELECT 'rows of ' || relname || ' may be hidden: it has row security' FROM tables WHERE relrowsecurity
     UNION ALL SELECT relname || ' is no table' FROM tables WHERE relkind NOT IN ('r', 'p')
     ORDER BY 1`,
    [ours],
  );
  return rows.map(({ what }) => what);
}
