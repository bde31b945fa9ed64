import { randomUUID } from 'node:crypto';
import { dayMs, hourMs } from '../rollup.ts';
import { rollupKeys, rollupSums } from '../sqlite/database.ts';
import { eraseConditions, oldestSums, type Retention, type Whose } from '../sqlite/store.ts';
import { addCells, cellsOf, erasedName, HourSums, type CellRow, type Cell, type Cells } from '../sums.ts';
import { columnNames, type ChainHead, type EraseEntry, type PruneEntry } from '../types.ts';
import type { HashChain } from './hash-chain.ts';
import type { ClickHouse } from './connect.ts';
import { settle, settledHead } from './settle.ts';
import { cellsSelect } from './tables.ts';

/** Rows that one entry names as erased. */
const chunk = 20_000;

/** Longest that one replica removes rows before another may, in ms; and the wait that shows which of two came first. */
const leaseMs = 15 * 60_000;
const settleMs = 200;

/** Runs `work` unless another replica removes rows. `wait`: for its end. Returns null if it was not run. */
async function leased<T>(writer: HashChain, wait: boolean, work: () => Promise<T>): Promise<T | null> {
  const { client, id } = writer;
  const holder = async (): Promise<{ holder: string; until: number } | undefined> =>
    (await client.ask<{ holder: string; until: number }>(`SELECT holder, until FROM leases FINAL WHERE name = 'removal'`))[0];
  const put = (until: number): Promise<void> =>
    client.insert('leases', ['name', 'holder', 'until', 'v'], JSON.stringify(['removal', id, until, Date.now() * 1_000]));
  for (;;) {
    const held = await holder();
    if (held === undefined || held.until < Date.now()) {
      await put(Date.now() + leaseMs);
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      if ((await holder())?.holder === id) break;
    }
    if (!wait) return null;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  try {
    await finishRemovals(writer);
    return await work();
  } finally {
    await put(0);
  }
}

/** Removes rows and sums older than `retention`, by whole days of writing; one replica at a time. Returns the number of rows. */
export async function prune(writer: HashChain, retention: Retention, now: number): Promise<number> {
  const removed = await leased(writer, false, async () => {
    await sayAgain(writer, oldestSums(now, retention), now);
    const days = await writer.client.ask<{ day: number; rows: number }>(
      `SELECT toUInt32(partition) AS day, sum(rows) AS rows FROM system.parts WHERE active AND database = currentDatabase() AND table = 'entries' GROUP BY partition ORDER BY day`,
    );
    let sum = 0;
    for (const { day, rows } of days) {
      if ((day + 1) * dayMs > now - retention.rowsMs || day === writer.day) continue;
      await dropDay(writer, day, now);
      sum += rows;
    }
    return sum;
  });
  return removed ?? 0;
}

/** Every step may be repeated: after a failure the next run does the whole day again, and its sums count once. */
async function dropDay(writer: HashChain, day: number, now: number): Promise<void> {
  const { client } = writer;
  const heads = await client.ask<ChainHead>(
    'SELECT e.writer AS writer, max(e.seq) AS seq, argMax(e.hash, e.seq) AS hash FROM entries AS e WHERE e.day = ? GROUP BY e.writer',
    [day],
  );
  const cells = await client.ask<CellRow & { at: number }>(cellsSelect(hourMs, 'e.day = ?'), [day]);
  const settled = await settle(client, { source: `day ${day}`, sums: hourSums(cells, false) });
  writer.say('prune', now, JSON.stringify({ removed: heads, settled } satisfies PruneEntry));
  await writer.write();
  await client.insert(
    'pruned',
    ['writer', 'seq', 'hash'],
    heads.map(({ writer: id, seq, hash }) => JSON.stringify([id, seq, hash])).join('\n'),
  );
  await client.command(
    'DELETE FROM checkpoints WHERE (writer, seq) IN (SELECT c.writer, c.seq FROM checkpoints AS c JOIN pruned AS p ON p.writer = c.writer WHERE c.seq <= p.seq)',
  );
  await client.command(`ALTER TABLE entries DROP PARTITION ${day}`);
}

function hourSums(rows: readonly (CellRow & { readonly at: number })[], erased: boolean): HourSums {
  const sums = new HourSums();
  for (const row of rows) {
    const cells: Cells = sums.hours.get(row.at) ?? new Map<string, Cell>();
    addCells(cells, cellsOf([erased ? { ...row, workspace: erasedName } : row]).values(), Infinity);
    sums.set(row.at, cells);
  }
  return sums;
}

/** Like in SQLite: every run repeats it, because the rows that recorded it earlier are removed, too. */
async function sayAgain(writer: HashChain, since: number, now: number): Promise<void> {
  const { client, said } = writer;
  const removed = await client.ask<ChainHead>('SELECT writer, seq, hash FROM pruned FINAL');
  const old = (await client.ask<{ n: number }>('SELECT count() AS n FROM by_day WHERE at < ?', [since]))[0]?.n ?? 0;
  const heads = (await writer.heads()).filter(({ writer: id, seq }) => id !== writer.id && said.get(id) !== seq);
  if (removed.length === 0 && heads.length === 0 && old === 0) return;
  for (const { writer: id, seq } of heads) said.set(id, seq);
  if (old > 0)
    for (const table of ['by_hour', 'by_day', 'settled']) await client.command(`ALTER TABLE ${table} DELETE WHERE at < ?`, [since]);
  const settled = old > 0 ? await settle(client, { source: 'old', since }) : ((await settledHead(client)) ?? undefined);
  writer.say('prune', now, JSON.stringify({ removed, ...(settled === undefined ? {} : { settled }), heads } satisfies PruneEntry));
  await writer.write();
}

/** Erases the content of a workspace's or a user's exchanges and of the grades of their answers. Returns the number of rows. */
export async function erase(writer: HashChain, whose: Whose, reason: string): Promise<number> {
  const erased = await leased(writer, true, async () => {
    let sum = 0;
    // Grades first, because they are found through their exchanges.
    for (const condition of eraseConditions(whose)) {
      for (;;) {
        const done = await eraseChunk(writer, { condition, whose, reason });
        if (done === 0) break;
        sum += done;
      }
    }
    if ('workspace' in whose) await renameWorkspace(writer, whose.workspace, reason);
    return sum;
  });
  return erased ?? 0;
}

async function eraseChunk(
  writer: HashChain,
  { condition, whose, reason }: { readonly condition: string; readonly whose: Whose; readonly reason: string },
): Promise<number> {
  const { client } = writer;
  const rows = await client.ask<{ writer: string; seq: number }>(
    `SELECT e.writer AS writer, e.seq AS seq FROM entries AS e WHERE e.body IS NOT NULL AND ${condition} ORDER BY e.writer, e.seq LIMIT ${chunk}`,
    ['workspace' in whose ? whose.workspace : whose.user],
  );
  if (rows.length === 0) return 0;
  const run = randomUUID();
  await client.insert('doomed', ['run', 'writer', 'seq'], rows.map(({ writer: id, seq }) => JSON.stringify([run, id, seq])).join('\n'));
  const cells = await client.ask<CellRow & { at: number }>(
    cellsSelect(hourMs, '(e.writer, e.seq) IN (SELECT writer, seq FROM doomed WHERE run = ?)'),
    [run],
  );
  const settled = await settle(client, { source: sourceOf(run), sums: hourSums(cells, 'workspace' in whose) });
  const byWriter = new Map<string, number[]>();
  for (const { writer: id, seq } of rows) {
    const seqs = byWriter.get(id);
    if (seqs === undefined) byWriter.set(id, [seq]);
    else seqs.push(seq);
  }
  const entry: EraseEntry = { reason, settled, rows: [...byWriter].map(([id, seqs]) => ({ writer: id, seqs })), run };
  writer.say('erase', writer.now(), JSON.stringify(entry));
  await writer.write();
  await clearRows(client, run);
  return rows.length;
}

/** Finishes what a killed replica left half done. */
async function finishRemovals(writer: HashChain): Promise<void> {
  const { client } = writer;
  const head = await settledHead(client);
  const [told] = await client.ask<{ n: number }>(
    `SELECT max(JSONExtractUInt(assumeNotNull(e.body), 'settled', 'n')) AS n FROM entries AS e WHERE e.kind IN ('open', 'prune', 'erase') AND e.body IS NOT NULL`,
  );
  if (head !== null && head.n > (told?.n ?? 0)) {
    writer.say('prune', writer.now(), JSON.stringify({ removed: [], settled: head } satisfies PruneEntry));
    await writer.write();
  }
  for (const { run } of await client.ask<{ run: string }>('SELECT DISTINCT run FROM doomed')) {
    const [found] = await client.ask<{ n: number }>(`SELECT count() AS n FROM entries WHERE kind = 'erase' AND position(body, ?) > 0`, [
      `"run":"${run}"`,
    ]);
    if (found?.n === 0) {
      // Its rows stay, so that their sums must not be settled.
      const settled = await settle(client, { source: 'undone', undone: sourceOf(run) });
      writer.say('erase', writer.now(), JSON.stringify({ reason: 'an erasure that was not done', settled, rows: [] } satisfies EraseEntry));
      await writer.write();
      await client.command('ALTER TABLE doomed DELETE WHERE run = ?', [run]);
    } else {
      await clearRows(client, run);
    }
  }
}

const sourceOf = (run: string): string => `erasure ${run}`;

/** Clears the rows that an entry names as erased. */
async function clearRows(client: ClickHouse, run: string): Promise<void> {
  await client.command(
    `ALTER TABLE entries UPDATE salt = NULL, body = NULL, ${columnNames.map((name) => `"${name}" = NULL`).join(', ')}
     WHERE (writer, seq) IN (SELECT writer, seq FROM doomed WHERE run = ?)`,
    [run],
  );
  await client.command('ALTER TABLE doomed DELETE WHERE run = ?', [run]);
}

/** The name's sums are taken away and added under another in one insert; what is left of it is zero, and removed. */
async function renameWorkspace(writer: HashChain, workspace: string, reason: string): Promise<void> {
  const { client } = writer;
  for (const table of ['by_hour', 'by_day']) {
    const keys = (name: string): string => rollupKeys.map((key) => (key === 'workspace' ? `${name} AS workspace` : key)).join(', ');
    await client.command(
      `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')})
       SELECT at, ${keys(`'${erasedName}'`)}, ${rollupSums.join(', ')} FROM ${table} WHERE workspace = ?
       UNION ALL SELECT at, ${keys('workspace')}, ${rollupSums.map((sum) => `-${sum}`).join(', ')} FROM ${table} WHERE workspace = ?`,
      [workspace, workspace],
    );
    await client.command(`ALTER TABLE ${table} DELETE WHERE workspace = ?`, [workspace]);
  }
  const settled = await settle(client, { source: 'renamed', erased: workspace });
  writer.say('erase', writer.now(), JSON.stringify({ reason, settled, rows: [] } satisfies EraseEntry));
  await writer.write();
}
