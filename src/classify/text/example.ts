import type { TextField, TextTask } from './heads.ts';

/** A labelled prompt. What is null is not known and trains nothing. */
export interface TextRow {
  readonly prompt: string;
  readonly system: string;
  readonly task: TextTask | null;
  readonly fields: readonly TextField[] | null;
  /** 1 to 5. */
  readonly level: number | null;
  /** 0 simple, 1 standard, 2 complex. */
  readonly tier: number | null;
  /** Whether the row is of the public set of tiers. */
  readonly house?: boolean;
  /** Whose rows leave together when the model is tried on what it has not seen. */
  readonly group: string;
  readonly weight: number;
}

export interface TrainOptions {
  readonly epochs: number;
  readonly rate: number;
  /** Pull of every weight to zero, a step. */
  readonly decay: number;
  /** Share of n-grams that a step leaves out. */
  readonly dropout: number;
  /** An n-gram counts when this many prompts have it. */
  readonly least: number;
  /** Most n-grams that the model keeps. */
  readonly most: number;
  readonly kindScale: readonly number[];
  readonly tierWeight: number;
  /** How far rare tasks weigh more: 0 not at all, 1 as much as frequent ones together. */
  readonly balance: number;
  /** Of the level's ridge: its pull to zero, and the weight of each kind of n-gram. Strong and with little of a prompt's shape: that is what holds elsewhere. */
  readonly ridge: { readonly pull: number; readonly kindScale: readonly number[] };
}

/** Hashed n-grams of one row: their hashes and kinds, once for all trainings. */
export interface Hashed {
  readonly hashes: Uint32Array;
  readonly kinds: Uint8Array;
  readonly counts: Int32Array;
  /** Places of the ask's words among the word vectors, each once; empty where none were given. */
  readonly words: Int32Array;
}

/** A row's n-grams that have weights, and what each counts. */
export interface Example {
  readonly at: Int32Array;
  readonly x: Float32Array;
  readonly row: TextRow;
}

export function exampleOf(
  { hashes, kinds, counts }: Hashed,
  row: TextRow,
  rows: ReadonlyMap<number, number>,
  idf: Float32Array,
  kindScale: readonly number[],
): Example {
  const at: number[] = [];
  const x: number[] = [];
  for (let i = 0; i < hashes.length; i++) {
    const place = rows.get(hashes[i]!);
    if (place === undefined) continue;
    at.push(place);
    x.push((idf[place]! * kindScale[kinds[i]!]!) / Math.sqrt(counts[kinds[i]!]!));
  }
  return { at: Int32Array.from(at), x: Float32Array.from(x), row };
}
