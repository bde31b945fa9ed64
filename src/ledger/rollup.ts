import { limits } from '../lib/limits.ts';
import { rollupKeys, rollupSums, type Db, type RollupSum } from './sqlite/database.ts';
import type { LedgerColumns } from './types.ts';

export type Table = 'by_hour' | 'by_day';
export type Sums = Record<RollupSum, number>;
type Keys = readonly string[];

/** Keys with values chosen by callers: beyond the bound of one bucket, further values become `other`. */
export const boundedKeys: ReadonlySet<string> = new Set(['workspace', 'requested_model', 'model']);

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export const zeroSums = (): Sums => Object.fromEntries(rollupSums.map((sum) => [sum, 0])) as Sums;

/** An absent value; and workspaces and models beyond the bound. */
export const none = 'none';
export const other = 'other';

interface Cell {
  readonly at: number;
  readonly keys: Keys;
  readonly sums: Sums;
}

/** Sums exchanges by hour and day as they are written, so that totals over a month need not read a month of rows. */
export class RollupCells {
  readonly tables: readonly {
    readonly name: Table;
    readonly ms: number;
    readonly cells: Map<string, Cell>;
    readonly known: Map<number, Set<string>>;
  }[];
  readonly #load: (table: Table, bucket: number) => Set<string>;
  readonly #maxKeys: number;

  /** `load`: existing keys of a bucket, joined by NUL. `tables`: which are added up here. */
  constructor(
    load: (table: Table, bucket: number) => Set<string>,
    {
      maxKeys = limits.ledgerRollupKeys,
      tables = ['by_hour', 'by_day'],
    }: { readonly maxKeys?: number; readonly tables?: readonly Table[] } = {},
  ) {
    this.#load = load;
    this.#maxKeys = maxKeys;
    this.tables = tables.map((name) => ({ name, ms: name === 'by_hour' ? hourMs : dayMs, cells: new Map(), known: new Map() }));
  }

  /** `at` in ms since the epoch. */
  add(at: number, columns: LedgerColumns): void {
    const values = rollupKeys.map((key) => columns[key] ?? none);
    for (const table of this.tables) {
      const bucket = at - (at % table.ms);
      const keys = this.#bounded(table.name, table.known, bucket, values);
      const id = `${bucket} ${keys.join('\u0000')}`;
      let cell = table.cells.get(id);
      if (cell === undefined) {
        cell = { at: bucket, keys, sums: zeroSums() };
        table.cells.set(id, cell);
      }
      addTo(cell.sums, columns);
    }
  }

  /** Discards pending sums: they were written, or their transaction was rolled back. */
  clear(): void {
    for (const { cells } of this.tables) cells.clear();
  }

  /** Callers choose workspaces and models: beyond the bound of one bucket, further values become `other`. */
  #bounded(table: Table, buckets: Map<number, Set<string>>, bucket: number, keys: Keys): Keys {
    let known = buckets.get(bucket);
    if (known === undefined) {
      // Few buckets are open at a time; an older one is loaded again when a late record arrives.
      if (buckets.size >= 4) buckets.clear();
      buckets.set(bucket, (known = this.#load(table, bucket)));
    }
    const id = keys.join('\u0000');
    if (known.has(id)) return keys;
    if (known.size < this.#maxKeys) {
      known.add(id);
      return keys;
    }
    return keys.map((value, index) => (boundedKeys.has(rollupKeys[index]!) ? other : value));
  }
}

/** The same in an SQLite database. */
export class Rollups {
  readonly #db: Db;
  readonly #cells: RollupCells;

  constructor(db: Db, maxKeys?: number) {
    this.#db = db;
    this.#cells = new RollupCells(
      (table, bucket) =>
        new Set(
          db
            .prepare<[number], string>(`SELECT ${rollupKeys.join(` || char(0) || `)} FROM ${table} WHERE at = ?`)
            .pluck()
            .all(bucket),
        ),
      maxKeys === undefined ? {} : { maxKeys },
    );
  }

  /** `at` in ms since the epoch. */
  add(at: number, columns: LedgerColumns): void {
    this.#cells.add(at, columns);
  }

  /** Writes pending sums, within the caller's transaction. */
  flush(): void {
    for (const { name, cells } of this.#cells.tables) {
      if (cells.size === 0) continue;
      const upsert = this.#db.prepare(
        `INSERT INTO ${name} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')}) VALUES (${Array(
          1 + rollupKeys.length + rollupSums.length,
        )
          .fill('?')
          .join(', ')})
         ON CONFLICT DO UPDATE SET ${rollupSums.map((sum) => `${sum} = ${sum} + excluded.${sum}`).join(', ')}`,
      );
      for (const { at, keys, sums } of cells.values()) upsert.run(at, ...keys, ...rollupSums.map((sum) => sums[sum]));
    }
    this.#cells.clear();
  }

  /** Discards pending sums: their transaction was rolled back. */
  discard(): void {
    this.#cells.clear();
  }
}

/** Adds one exchange to sums. */
export function addTo(sums: Sums, columns: LedgerColumns): void {
  sums.n++;
  if (columns.attempts > 1) sums.retried++;
  if (columns.cost === null) {
    sums.cost_unknown++;
  } else {
    sums.cost += columns.cost;
    sums.cost_known++;
  }
  if (columns.baseline !== null) {
    sums.baseline += columns.baseline;
    sums.baseline_known++;
  }
  if (columns.savings === null) {
    sums.savings_unknown++;
  } else {
    sums.savings += columns.savings;
    sums.savings_known++;
    sums.compared_cost += columns.cost ?? 0;
  }
  if (columns.input === null) sums.usage_unknown++;
  sums.input += columns.input ?? 0;
  sums.output += columns.output ?? 0;
}
