import { limits } from '../lib/limits.ts';
import { moneySums, rollupKeys, rollupSums, type Db, type RollupSum } from './sqlite/database.ts';
import { boundedKeys, dayMs, hourMs, other, type Table } from './rollup.ts';
import { addCells, cellsIn, cellsOf, cellsSql, rootOf, settledHead, textHash, type Cell, type CellRow, type Cells } from './sums.ts';
import type { SettledHead } from './types.ts';

/** The settled sums as recorded in the ledger's rows. */
export interface SettledSaid {
  readonly writer: string;
  readonly seq: number;
  readonly settled: SettledHead;
}

type Report = (kind: 'rollup' | 'settled', message: string) => void;

/**
 * Recomputes every sum of the roll-ups, key by key: from existing rows, and from the settled sums of removed rows, whose hash is in the
 * chain. Memory is bounded by one day's keys.
 */
export function verifySums(
  db: Db,
  said: readonly SettledSaid[],
  { moving, report }: { readonly moving: readonly number[]; readonly report: Report },
): void {
  const { since, texts } = settledTexts(db, said, report);
  for (const [table, ms] of [
    ['by_hour', hourMs],
    ['by_day', dayMs],
  ] as const)
    verifyTable(db, { table, ms, since, texts, moving }, report);
}

function settledTexts(
  db: Db,
  said: readonly SettledSaid[],
  report: Report,
): { readonly since: number; readonly texts: ReadonlyMap<number, Cells> } {
  const rows = db.prepare<[], { at: number; body: string; hash: string }>('SELECT at, body, hash FROM settled ORDER BY at').all();
  const head = settledHead(db);
  const newest = said.reduce<SettledHead | null>((best, { settled }) => (best === null || settled.n > best.n ? settled : best), null);
  const hashes = rows.map(({ at, body }) => ({ at, hash: textHash(body) }));
  if (newest === null) {
    if (rows.length > 0 || head !== null)
      report('settled', 'there are sums of exchanges without rows, and no row of the ledger names them');
  } else {
    countedOn(said, report);
    if (rootOf(hashes, newest.since) !== newest.root)
      report('settled', 'the sums of exchanges without rows are not those that the ledger names');
    if (head?.n !== newest.n || head.root !== newest.root || head.since !== newest.since)
      report('settled', 'the head of the settled sums is not the one that the ledger names');
    rows.forEach(({ at, hash }, index) => {
      if (hash !== hashes[index]!.hash)
        report('settled', `the hash beside the settled sums of ${new Date(at).toISOString()} is not theirs`);
    });
  }
  const texts = new Map<number, Cells>();
  for (const { at, body } of rows) {
    try {
      texts.set(at, cellsIn(body));
    } catch {
      report('settled', `the settled sums of ${new Date(at).toISOString()} cannot be read`);
    }
  }
  return { since: newest?.since ?? 0, texts };
}

/** Each change has the next number; entries that repeat a number must agree. */
function countedOn(said: readonly SettledSaid[], report: Report): void {
  const byNumber = new Map<number, string>();
  for (const { settled } of said) {
    const root = byNumber.get(settled.n);
    if (root !== undefined && root !== settled.root)
      report('settled', `two rows of the ledger differ about settled sums number ${settled.n}`);
    byNumber.set(settled.n, settled.root);
  }
  const numbers = [...byNumber.keys()].sort((a, b) => a - b);
  numbers.forEach((n, index) => {
    if (index > 0 && n !== numbers[index - 1]! + 1)
      report('settled', `no row of the ledger speaks of settled sums number ${numbers[index - 1]! + 1}`);
  });
}

interface TableCheck {
  readonly table: Table;
  readonly ms: number;
  readonly since: number;
  readonly texts: ReadonlyMap<number, Cells>;
  readonly moving: readonly number[];
}

function verifyTable(db: Db, { table, ms, since, texts, moving }: TableCheck, report: Report): void {
  const buckets = new Set<number>();
  for (const at of texts.keys()) buckets.add(at - (at % ms));
  for (const sql of [
    `SELECT DISTINCT at FROM ${table}`,
    `SELECT DISTINCT at - at % ${ms} FROM entries WHERE kind = 'exchange' AND body IS NOT NULL`,
  ])
    for (const at of db.prepare<[], number>(sql).pluck().iterate()) buckets.add(at);
  const known = db.prepare<[number], CellRow>(`SELECT * FROM ${table} WHERE at = ?`);
  const derive = db.prepare<[number, number], CellRow>(cellsSql(ms, 'e.at >= ? AND e.at < ?'));
  for (const at of [...buckets].sort((a, b) => a - b)) {
    // Late exchanges of a period whose sums were removed are counted until the next pruning.
    if (at < since || moving.some((hour) => hour >= at && hour < at + ms)) continue;
    const derived = cellsOf(derive.iterate(at, at + ms));
    for (let hour = at; hour < at + ms; hour += hourMs) addCells(derived, texts.get(hour)?.values() ?? [], Infinity);
    const wrong = difference(cellsOf(known.iterate(at)), derived);
    if (wrong !== null)
      report(
        'rollup',
        `${table === 'by_hour' ? 'the hour' : 'the day'} ${new Date(at).toISOString().slice(0, table === 'by_hour' ? 13 : 10)}: ${wrong}`,
      );
  }
}

/** Null if the roll-up equals the sum of its rows. */
function difference(known: Cells, derived: Cells): string | null {
  const overflow = (cell: Cell): boolean => rollupKeys.every((key, index) => !boundedKeys.has(key) || cell.keys[index] === other);
  const full = [...known.values()].some(overflow) || [...derived.values()].some(overflow);
  if (!full) return firstDifference(known, derived);
  // Beyond the bound, several processes may have used different names for callers: the totals must match, and no cell may exceed its own
  // rows.
  if (known.size < limits.ledgerRollupKeys && ![...derived.values()].some(overflow))
    return 'callers are counted as "other" below the bound';
  for (const [id, { keys, sums }] of known)
    if (!overflow({ keys, sums }) && sums.n > (derived.get(id)?.sums.n ?? 0)) return `more than the rows of ${keys.join(', ')}`;
  return firstDifference(withoutCallers(known), withoutCallers(derived));
}

function withoutCallers(cells: Cells): Cells {
  const merged: Cells = new Map();
  addCells(
    merged,
    [...cells.values()].map(({ keys, sums }) => ({
      keys: keys.map((value, index) => (boundedKeys.has(rollupKeys[index]!) ? other : value)),
      sums,
    })),
    Infinity,
  );
  return merged;
}

function firstDifference(known: Cells, derived: Cells): string | null {
  for (const id of new Set([...known.keys(), ...derived.keys()])) {
    const has = known.get(id)?.sums;
    const should = derived.get(id)?.sums;
    const sum = rollupSums.find((name) => !near(name, has?.[name] ?? 0, should?.[name] ?? 0));
    if (sum !== undefined) return `${sum} of ${id.split('\u0000').join(', ')} is ${has?.[sum] ?? 0}, its rows say ${should?.[sum] ?? 0}`;
  }
  return null;
}

/** Dollars may differ by rounding. */
function near(sum: RollupSum, a: number, b: number): boolean {
  return moneySums.has(sum) ? Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)) : a === b;
}
