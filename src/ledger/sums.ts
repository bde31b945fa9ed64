import { createHash } from 'node:crypto';
import { limits } from '../lib/limits.ts';
import { rollupKeys, rollupSums, type Db } from './sqlite/database.ts';
import { addTo, boundedKeys, hourMs, none, other, zeroSums, type Sums } from './rollup.ts';
import type { LedgerColumns, SettledHead } from './types.ts';

/** Sums of the exchanges with the same hour and keys. */
export interface Cell {
  readonly keys: readonly string[];
  readonly sums: Sums;
}

/** By keys, joined by NUL. */
export type Cells = Map<string, Cell>;

/** Workspace name in sums after its exchanges were erased. */
export const erasedName = 'erased';

/**
 * Sums of rows that are about to lose their content, by hour. They are settled: stored as one text per hour whose hash is in the chain, so
 * that the roll-ups can be verified without the rows.
 */
export class HourSums {
  readonly hours = new Map<number, Cells>();

  /** `at` in ms since the epoch. `workspace`: the name to count it under instead of its own. */
  add(at: number, columns: LedgerColumns, workspace: string | null = null): void {
    const hour = at - (at % hourMs);
    let cells = this.hours.get(hour);
    if (cells === undefined) this.hours.set(hour, (cells = new Map<string, Cell>()));
    const keys = rollupKeys.map((key) => (key === 'workspace' && workspace !== null ? workspace : (columns[key] ?? none)));
    addTo(cellOf(cells, keys).sums, columns);
  }

  /** Sets the roll-ups of an hour that no rows account for. */
  set(hour: number, cells: Cells): void {
    this.hours.set(hour, cells);
  }
}

/** The cell of these keys; a new one is zero. */
function cellOf(cells: Cells, keys: readonly string[]): Cell {
  const id = keys.join('\u0000');
  let cell = cells.get(id);
  if (cell === undefined) cells.set(id, (cell = { keys, sums: zeroSums() }));
  return cell;
}

/** Adds `more` to `cells`; beyond the bound, workspaces and models become `other`. */
export function addCells(cells: Cells, more: Iterable<Cell>, most: number = limits.ledgerRollupKeys): void {
  for (const { keys, sums } of more) {
    const full = cells.size >= most && !cells.has(keys.join('\u0000'));
    const into = cellOf(cells, full ? keys.map((value, index) => (boundedKeys.has(rollupKeys[index]!) ? other : value)) : keys).sums;
    for (const sum of rollupSums) into[sum] += sums[sum];
  }
}

/** The text of one hour: cells in key order, each with its keys, then its sums. */
export function cellsText(cells: Cells): string {
  const sorted = [...cells].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted.map(([, { keys, sums }]) => [...keys, ...rollupSums.map((sum) => sums[sum])]));
}

/** Parses a text of `cellsText`. Throws on any other. */
export function cellsIn(text: string): Cells {
  const cells: Cells = new Map();
  for (const line of JSON.parse(text) as (string | number)[][]) {
    if (line.length !== rollupKeys.length + rollupSums.length) throw new Error('not as many values as a cell has');
    const keys = line.slice(0, rollupKeys.length).map(String);
    const { sums } = cellOf(cells, keys);
    rollupSums.forEach((sum, index) => (sums[sum] = Number(line[rollupKeys.length + index])));
  }
  return cells;
}

/** Cells with a workspace's name replaced by `erased`; null if no cell has it. */
export function withoutWorkspace(cells: Cells, workspace: string): Cells | null {
  const at = rollupKeys.indexOf('workspace');
  if (![...cells.values()].some(({ keys }) => keys[at] === workspace)) return null;
  const renamed: Cells = new Map();
  addCells(
    renamed,
    [...cells.values()].map(({ keys, sums }) => ({
      keys: keys.map((value, index) => (index === at && value === workspace ? erasedName : value)),
      sums,
    })),
    Infinity,
  );
  return renamed;
}

export function textHash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The hash of all settled sums: covers each hour and its text's hash, oldest first. */
export function rootOf(hours: Iterable<{ readonly at: number; readonly hash: string }>, since: number): string {
  const hash = createHash('sha256').update(`sluice-sums-1 ${since}\n`);
  for (const { at, hash: of } of hours) hash.update(`${at} ${of}\n`);
  return hash.digest('hex');
}

/** SQL for the cells that matching rows (`e`) of a table add up to, in buckets of `ms`. The same for SQLite and PostgreSQL. */
export function cellsSql(ms: number, condition: string, table = 'entries'): string {
  const sums: Readonly<Record<keyof Sums, string>> = {
    n: 'count(*)',
    retried: 'sum(CASE WHEN e.attempts > 1 THEN 1 ELSE 0 END)',
    cost: 'coalesce(sum(e.cost), 0)',
    cost_known: 'count(e.cost)',
    cost_unknown: 'count(*) - count(e.cost)',
    baseline: 'coalesce(sum(e.baseline), 0)',
    baseline_known: 'count(e.baseline)',
    savings: 'coalesce(sum(e.savings), 0)',
    savings_known: 'count(e.savings)',
    savings_unknown: 'count(*) - count(e.savings)',
    input: 'coalesce(sum(e.input), 0)',
    output: 'coalesce(sum(e.output), 0)',
    usage_unknown: 'count(*) - count(e.input)',
    compared_cost: 'coalesce(sum(CASE WHEN e.savings IS NOT NULL THEN e.cost END), 0)',
  };
  return `SELECT e.at - e.at % ${ms} AS bucket, ${rollupKeys.map((key) => `coalesce(e.${key}, '${none}') AS ${key}`).join(', ')}, ${rollupSums.map((sum) => `${sums[sum]} AS ${sum}`).join(', ')}
    FROM ${table} e WHERE e.kind = 'exchange' AND e.body IS NOT NULL AND ${condition} GROUP BY ${Array.from({ length: 1 + rollupKeys.length }, (_, index) => index + 1).join(', ')}`;
}

export type CellRow = Record<(typeof rollupKeys)[number], string> & Sums;

/** Converts rows of `cellsSql`, or of a roll-up, to cells. */
export function cellsOf(rows: Iterable<CellRow>): Cells {
  const cells: Cells = new Map();
  for (const row of rows) {
    const { sums } = cellOf(
      cells,
      rollupKeys.map((key) => row[key]),
    );
    for (const sum of rollupSums) sums[sum] += row[sum];
  }
  return cells;
}

/** A transaction's changes to the settled sums. */
export interface SettledChange {
  /** Sums of rows whose content is removed. */
  readonly sums?: HourSums;
  /** A workspace whose name is removed. */
  readonly erased?: string;
  /** Sums of hours before this time are removed; ms since the epoch. */
  readonly since?: number;
}

/** The next head after changes to hours. */
export function nextHead(
  before: SettledHead | null,
  hours: Iterable<{ readonly at: number; readonly hash: string }>,
  since: number,
): SettledHead {
  return { n: (before?.n ?? 0) + 1, root: rootOf(hours, since), since };
}

/** Applies a change within the caller's transaction; the caller must include the returned head in the entry that it appends. */
export function settle(db: Db, { sums, erased, since }: SettledChange): SettledHead {
  const before = settledHead(db);
  const put = db.prepare('INSERT OR REPLACE INTO settled (at, body, hash) VALUES (?, ?, ?)');
  const write = (at: number, cells: Cells): void => {
    const text = cellsText(cells);
    put.run(at, text, textHash(text));
  };
  const read = db.prepare<[number], string>('SELECT body FROM settled WHERE at = ?').pluck();
  for (const [at, cells] of sums?.hours ?? []) {
    const there = cellsIn(read.get(at) ?? '[]');
    addCells(there, cells.values());
    write(at, there);
  }
  if (erased !== undefined) {
    for (const { at, body } of db
      .prepare<[string], { at: number; body: string }>('SELECT at, body FROM settled WHERE instr(body, ?) > 0')
      .all(JSON.stringify(erased))) {
      const renamed = withoutWorkspace(cellsIn(body), erased);
      if (renamed !== null) write(at, renamed);
    }
  }
  const from = Math.max(since ?? 0, before?.since ?? 0);
  db.prepare('DELETE FROM settled WHERE at < ?').run(from);
  const head = nextHead(before, db.prepare<[], { at: number; hash: string }>('SELECT at, hash FROM settled ORDER BY at').iterate(), from);
  db.prepare('INSERT OR REPLACE INTO settled_head (only_one, n, root, since) VALUES (1, ?, ?, ?)').run(head.n, head.root, head.since);
  return head;
}

/**
 * The head of a ledger that a writer opens. If nothing was ever settled (a new ledger, or one of an earlier version), it starts here and
 * takes over what the roll-ups contain beyond their rows. Within the caller's transaction.
 */
export function settledAtOpen(db: Db): { readonly settled: SettledHead; readonly adopted: number } {
  const there = settledHead(db);
  if (there !== null) return { settled: there, adopted: 0 };
  const known = db.prepare<[number], CellRow>('SELECT * FROM by_hour WHERE at = ?');
  const derived = db.prepare<[number, number], CellRow>(cellsSql(hourMs, 'e.at >= ? AND e.at < ?'));
  function* hours(): Generator<{ at: number; known: Cells; derived: Cells }> {
    for (const at of db.prepare<[], number>('SELECT DISTINCT at FROM by_hour ORDER BY at').pluck().all())
      yield { at, known: cellsOf(known.all(at)), derived: cellsOf(derived.all(at, at + hourMs)) };
  }
  const sums = unexplained(hours());
  return { settled: settle(db, sums === null ? {} : { sums }), adopted: sums?.hours.size ?? 0 };
}

/** Null if nothing was settled yet. */
export function settledHead(db: Db): SettledHead | null {
  return db.prepare<[], SettledHead>('SELECT n, root, since FROM settled_head').get() ?? null;
}

/** Hours whose roll-ups exceed their rows, as left by an earlier version; null if there are none. */
export function unexplained(hours: Iterable<{ readonly at: number; readonly known: Cells; readonly derived: Cells }>): HourSums | null {
  const rest = new HourSums();
  for (const { at, known, derived } of hours) {
    const cells: Cells = new Map();
    for (const [id, { keys, sums }] of known) {
      const of = derived.get(id)?.sums;
      const left = Object.fromEntries(rollupSums.map((sum) => [sum, sums[sum] - (of?.[sum] ?? 0)])) as Sums;
      if (rollupSums.some((sum) => Math.abs(left[sum]) > 1e-9)) cells.set(id, { keys, sums: left });
    }
    // Rows that found their cell full are counted in `other`, which then has too many of them.
    for (const [id, { keys, sums }] of derived)
      if (!known.has(id)) cells.set(id, { keys, sums: Object.fromEntries(rollupSums.map((sum) => [sum, -sums[sum]])) as Sums });
    if (cells.size > 0) rest.set(at, cells);
  }
  return rest.hours.size === 0 ? null : rest;
}
