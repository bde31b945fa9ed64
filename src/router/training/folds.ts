import { seeded, shuffled } from './random.ts';
import type { LabelledRow } from './rows.ts';

/** The number of folds, and the fold of each row. */
export interface Folds {
  readonly count: number;
  readonly of: Int32Array;
}

/** Folds by group: held-out questions of the same tasks. */
export function groupFolds(rows: readonly LabelledRow[], count: number, seed: number): Folds {
  return dealt(rows, ({ group }) => group, count, seed);
}

/** Folds that hold out whole tasks; null when the rows name fewer than four tasks. */
export function taskFolds(rows: readonly LabelledRow[], count: number, seed: number): Folds | null {
  const tasks = new Set(rows.map(taskOf));
  return tasks.size < 4 ? null : dealt(rows, taskOf, Math.min(count, tasks.size), seed);
}

/** One fold per source; null when the rows name fewer than two. */
export function sourceFolds(rows: readonly LabelledRow[], most: number, seed: number): Folds | null {
  const sources = new Set(rows.map(({ source }) => source));
  return sources.size < 2 ? null : dealt(rows, ({ source }) => source, Math.min(most, sources.size), seed);
}

function taskOf({ source, task }: LabelledRow): string {
  return `${source}\n${task ?? ''}`;
}

/** Assigns keys to folds, the largest key to the smallest fold, so that folds have similar sizes. */
function dealt(rows: readonly LabelledRow[], keyOf: (row: LabelledRow) => string, count: number, seed: number): Folds {
  const sizes = new Map<string, number>();
  for (const row of rows) sizes.set(keyOf(row), (sizes.get(keyOf(row)) ?? 0) + 1);
  const keys = shuffled([...sizes.keys()], seeded(seed)).sort((a, b) => sizes.get(b)! - sizes.get(a)!);
  const loads = new Array<number>(count).fill(0);
  const foldOf = new Map<string, number>();
  for (const key of keys) {
    const fold = loads.indexOf(Math.min(...loads));
    foldOf.set(key, fold);
    loads[fold]! += sizes.get(key)!;
  }
  return { count, of: Int32Array.from(rows, (row) => foldOf.get(keyOf(row))!) };
}
