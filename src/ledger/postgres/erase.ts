import { rollupKeys, rollupSums } from '../sqlite/database.ts';
import { eraseConditions, sumsOf, type DoomedRow, type Whose } from '../sqlite/store.ts';
import { columnNames, type EraseEntry } from '../types.ts';
import type { HashChain } from './hash-chain.ts';
import { numbered, type PgClient } from './connect.ts';
import { fold } from './fold.ts';
import { settle } from './settle.ts';
import { locks } from './tables.ts';

/** Rows per transaction. */
const chunk = 5_000;

/** Erases the content of a workspace's or a user's exchanges and of the grades of their answers. Returns the number of rows. */
export async function erase(hashChain: HashChain, whose: Whose, reason: string): Promise<number> {
  const client = await hashChain.connected();
  // Rows must not be dropped between being read and being erased.
  await client.query('SELECT pg_advisory_lock($1)', [locks.prune]);
  try {
    let erased = 0;
    // Grades first, because they are found through their exchanges.
    for (const condition of eraseConditions(whose)) {
      for (;;) {
        const done = await hashChain.atomic((inside) => eraseChunk(hashChain, inside, { condition, whose, reason }));
        if (done === 0) break;
        erased += done;
      }
    }
    if ('workspace' in whose) {
      await hashChain.atomic(async (inside) => {
        await fold(inside);
        await renameInRollups(inside, whose.workspace);
        const settled = await settle(inside, { erased: whose.workspace });
        hashChain.say('erase', hashChain.now(), JSON.stringify({ reason, settled, rows: [] } satisfies EraseEntry));
      });
    }
    // Replaced rows stay in the tables' pages until they are vacuumed.
    await client.query('SET statement_timeout = 0');
    await client.query('VACUUM entries');
    await client.query('VACUUM sums_new');
    return erased;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [locks.prune]).catch(() => undefined);
  }
}

async function eraseChunk(
  hashChain: HashChain,
  client: PgClient,
  { condition, whose, reason }: { readonly condition: string; readonly whose: Whose; readonly reason: string },
): Promise<number> {
  const { rows } = await client.query<DoomedRow>(
    numbered(
      `SELECT e.*, e.writer AS n, w.id AS chain FROM entries e JOIN writers w ON w.n = e.writer WHERE e.body IS NOT NULL AND ${condition} LIMIT ${chunk}`,
    ),
    ['workspace' in whose ? whose.workspace : whose.user],
  );
  if (rows.length === 0) return 0;
  const settled = await settle(client, { sums: sumsOf(rows, 'workspace' in whose) });
  await client.query(
    `UPDATE entries SET salt = NULL, body = NULL, ${columnNames.map((name) => `"${name}" = NULL`).join(', ')} FROM unnest($1::int[], $2::bigint[]) AS gone (writer, seq) WHERE entries.writer = gone.writer AND entries.seq = gone.seq`,
    [rows.map(({ n }) => n), rows.map(({ seq }) => seq)],
  );
  const byWriter = new Map<string, number[]>();
  for (const { chain: writer, seq } of rows) byWriter.set(writer, [...(byWriter.get(writer) ?? []), seq]);
  hashChain.say(
    'erase',
    hashChain.now(),
    JSON.stringify({ reason, settled, rows: [...byWriter].map(([writer, seqs]) => ({ writer, seqs })) } satisfies EraseEntry),
  );
  return rows.length;
}

async function renameInRollups(client: PgClient, workspace: string): Promise<void> {
  for (const table of ['by_hour', 'by_day']) {
    const keys = rollupKeys.map((key) => (key === 'workspace' ? `'erased'` : key));
    await client.query(
      `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')}) SELECT at, ${keys.join(', ')}, ${rollupSums.join(', ')} FROM ${table} WHERE workspace = $1
       ON CONFLICT (at, ${rollupKeys.join(', ')}) DO UPDATE SET ${rollupSums.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(', ')}`,
      [workspace],
    );
    await client.query(`DELETE FROM ${table} WHERE workspace = $1`, [workspace]);
  }
}
