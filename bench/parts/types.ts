import type { Outcome } from '../report.ts';

export interface RunOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** A test run: least of everything. */
  readonly quick: boolean;
  /** Only scenarios whose title holds this. */
  readonly only: string;
  readonly progress: (what: string) => void;
}

/** One part of the bench. */
export interface Part {
  readonly id: string;
  /** Titles of what is in it, for `--only`. */
  readonly titles: readonly string[];
  run(options: RunOptions): Promise<Outcome>;
}

/** `items` in a different order each round, so that none always follows the same neighbour. */
export function inTurns<T>(items: readonly T[], round: number): T[] {
  return items.map((_, index) => items[(index + Math.max(0, round)) % items.length]!);
}
