import { dayMs } from '../rollup.ts';
import { rollupKeys, rollupSums, moneySums } from '../sqlite/database.ts';
import type { PgClient } from './connect.ts';
import { locks } from './tables.ts';

const keys = rollupKeys.join(', ');
const sumOf = (sum: (typeof rollupSums)[number]): string => `sum(${sum})${moneySums.has(sum) ? '' : '::bigint'}`;

/** One order of all writers, so that two of them never wait for each other's sums. */
const into = (table: string, bucket: string): string => `INSERT INTO ${table} (at, ${keys}, ${rollupSums.join(', ')})
  SELECT ${bucket}, ${keys}, ${rollupSums.map(sumOf).join(', ')} FROM moved GROUP BY ${bucket}, ${keys} ORDER BY ${bucket}, ${rollupKeys.map((key) => `${key} COLLATE "C"`).join(', ')}
  ON CONFLICT (at, ${keys}) DO UPDATE SET ${rollupSums.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(', ')}`;

const foldSql = `WITH moved AS (DELETE FROM sums_new RETURNING *), hours AS (${into('by_hour', 'at')})
${into('by_day', `at - at % ${dayMs}`)}`;

/**
 * Adds what writers appended to `sums_new` to the sums by hour and day, within the caller's transaction: writers themselves never wait for
 * one another's sums. Until it ends, no other writer can fold.
 */
export async function fold(client: PgClient): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [locks.fold]);
  await client.query(foldSql);
}

/** The same in a transaction of its own, unless another writer is doing it. */
export async function foldIfFree(client: PgClient): Promise<void> {
  await client.query('BEGIN');
  const { rows } = await client.query<{ free: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS free', [locks.fold]);
  if (rows[0]?.free === true) await client.query(foldSql);
  await client.query('COMMIT');
}
