import { rollupKeys } from '../sqlite/database.ts';
import { hourMs } from '../rollup.ts';
import {
  addCells,
  cellsIn,
  cellsOf,
  cellsSql,
  cellsText,
  nextHead,
  textHash,
  unexplained,
  withoutWorkspace,
  type CellRow,
  type Cells,
  type SettledChange,
} from '../sums.ts';
import type { SettledHead } from '../types.ts';
import type { PgClient } from './connect.ts';

/** Like `settle` in SQLite, within the caller's transaction: until it ends, no other writer can settle. */
export async function settle(client: PgClient, { sums, erased, since }: SettledChange): Promise<SettledHead> {
  await client.query('LOCK TABLE settled_head IN EXCLUSIVE MODE');
  const before = await settledHead(client);
  const write = async (at: number, cells: Cells): Promise<void> => {
    const text = cellsText(cells);
    await client.query(
      'INSERT INTO settled (at, body, hash) VALUES ($1, $2, $3) ON CONFLICT (at) DO UPDATE SET body = excluded.body, hash = excluded.hash',
      [at, text, textHash(text)],
    );
  };
  for (const [at, cells] of sums?.hours ?? []) {
    const { rows } = await client.query<{ body: string }>('SELECT body FROM settled WHERE at = $1', [at]);
    const there = cellsIn(rows[0]?.body ?? '[]');
    addCells(there, cells.values());
    await write(at, there);
  }
  if (erased !== undefined) {
    const { rows } = await client.query<{ at: number; body: string }>('SELECT at, body FROM settled WHERE position($1 in body) > 0', [
      JSON.stringify(erased),
    ]);
    for (const { at, body } of rows) {
      const renamed = withoutWorkspace(cellsIn(body), erased);
      if (renamed !== null) await write(at, renamed);
    }
  }
  const from = Math.max(since ?? 0, before?.since ?? 0);
  await client.query('DELETE FROM settled WHERE at < $1', [from]);
  const { rows: hours } = await client.query<{ at: number; hash: string }>('SELECT at, hash FROM settled ORDER BY at');
  const head = nextHead(before, hours, from);
  await client.query(
    'INSERT INTO settled_head (only_one, n, root, since) VALUES (1, $1, $2, $3) ON CONFLICT (only_one) DO UPDATE SET n = excluded.n, root = excluded.root, since = excluded.since',
    [head.n, head.root, head.since],
  );
  return head;
}

/** Null if nothing was settled yet. */
export async function settledHead(client: PgClient): Promise<SettledHead | null> {
  return (await client.query<SettledHead>('SELECT n, root, since FROM settled_head')).rows[0] ?? null;
}

/** Like in SQLite: takes over what the roll-ups of an earlier version contain beyond their rows. */
export async function settledAtOpen(client: PgClient): Promise<{ readonly settled: SettledHead; readonly adopted: number }> {
  await client.query('LOCK TABLE settled_head IN EXCLUSIVE MODE');
  const there = await settledHead(client);
  if (there !== null) return { settled: there, adopted: 0 };
  const { rows: hours } = await client.query<{ at: number }>('SELECT DISTINCT at FROM by_hour ORDER BY at');
  const compared: { at: number; known: Cells; derived: Cells }[] = [];
  for (const { at } of hours) {
    const known = await client.query<CellRow>(`SELECT * FROM by_hour WHERE at = $1 ORDER BY ${rollupKeys.join(', ')}`, [at]);
    const derived = await client.query<CellRow>(cellsSql(hourMs, 'e.at >= $1 AND e.at < $2'), [at, at + hourMs]);
    compared.push({ at, known: cellsOf(known.rows), derived: cellsOf(derived.rows) });
  }
  const sums = unexplained(compared);
  return { settled: await settle(client, sums === null ? {} : { sums }), adopted: sums?.hours.size ?? 0 };
}
