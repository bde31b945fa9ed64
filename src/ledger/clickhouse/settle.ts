import { addCells, cellsIn, cellsText, nextHead, textHash, withoutWorkspace, type Cells, type HourSums } from '../sums.ts';
import type { SettledHead } from '../types.ts';
import type { ClickHouse } from './connect.ts';

/** Null if nothing was settled yet. */
export async function settledHead(client: ClickHouse): Promise<SettledHead | null> {
  return (await client.ask<SettledHead>('SELECT n, root, since FROM settled_head FINAL'))[0] ?? null;
}

/** The settled sums of each hour, oldest first, as texts. */
export async function settledHours(client: ClickHouse, since: number): Promise<{ readonly at: number; readonly body: string }[]> {
  const hours = new Map<number, Cells>();
  for (const { at, body } of await client.ask<{ at: number; body: string }>(
    'SELECT at, body FROM settled FINAL WHERE at >= ? ORDER BY at, source',
    [since],
  )) {
    const cells: Cells = hours.get(at) ?? new Map<string, never>();
    addCells(cells, cellsIn(body).values(), Infinity);
    hours.set(at, cells);
  }
  return [...hours].map(([at, cells]) => ({ at, body: cellsText(cells) }));
}

/** What a removal changes. `source`: its name; repeated under the same name it counts once. */
export interface Removal {
  readonly source: string;
  readonly sums?: HourSums;
  /** A workspace whose name is removed. */
  readonly erased?: string;
  /** Sums of hours before this time are removed; ms since the epoch. */
  readonly since?: number;
  /** The source of a removal that did not happen. */
  readonly undone?: string;
}

/** Like `settle` in SQLite. The caller has the lease, and appends an entry with the returned head. */
export async function settle(client: ClickHouse, { source, sums, erased, since, undone }: Removal): Promise<SettledHead> {
  const before = await settledHead(client);
  const v = before?.n ?? 0;
  const put = async (rows: readonly { readonly source: string; readonly at: number; readonly body: string }[]): Promise<void> => {
    if (rows.length === 0) return;
    const lines = rows.map((row) => JSON.stringify([row.source, row.at, row.body, v + 1])).join('\n');
    await client.insert('settled', ['source', 'at', 'body', 'v'], lines);
  };
  if (undone !== undefined) await client.command('ALTER TABLE settled DELETE WHERE source = ?', [undone]);
  await put([...(sums?.hours ?? [])].map(([at, cells]) => ({ source, at, body: cellsText(cells) })));
  if (erased !== undefined) {
    const renamed = [];
    for (const row of await client.ask<{ source: string; at: number; body: string }>('SELECT source, at, body FROM settled FINAL')) {
      const cells = withoutWorkspace(cellsIn(row.body), erased);
      if (cells !== null) renamed.push({ ...row, body: cellsText(cells) });
    }
    await put(renamed);
    // The newest of each alone is left, without the name.
    if (renamed.length > 0) await client.command('OPTIMIZE TABLE settled FINAL');
  }
  const from = Math.max(since ?? 0, before?.since ?? 0);
  const hours = (await settledHours(client, from)).map(({ at, body }) => ({ at, hash: textHash(body) }));
  const head = nextHead(before, hours, from);
  await client.insert('settled_head', ['only_one', 'n', 'root', 'since'], JSON.stringify([1, head.n, head.root, head.since]));
  return head;
}
