import type { TextField, TextTask } from './heads.ts';

/** A labelled prompt. A null label is unknown and trains nothing. */
export interface TextRow {
  readonly prompt: string;
  readonly system: string;
  readonly task: TextTask | null;
  readonly fields: readonly TextField[] | null;
  /** 1 to 5. */
  readonly level: number | null;
  /** 0 simple, 1 standard, 2 complex. */
  readonly tier: number | null;
  /** Language tag of a prompt of our own; public rows have none, nearly all are English. */
  readonly language?: string;
  /** Whether the row is from the public set of tiers. */
  readonly house?: boolean;
  /** The group of rows that are held out together when the model is evaluated on unseen data. */
  readonly group: string;
  readonly weight: number;
}

/** How a group of heads is trained by gradient descent. */
export interface HeadOptions {
  /** The outputs of the group: the first, and the one after the last. */
  readonly from: number;
  readonly to: number;
  readonly epochs: number;
  readonly rate: number;
  /** Weight decay per step. */
  readonly decay: number;
  /** Share of n-grams that a step drops. */
  readonly dropout: number;
  /** Weight of each kind of n-gram. */
  readonly kindScale: readonly number[];
  /** Power of an n-gram's inverse document frequency: above 1, rare ones count for more. */
  readonly rarity: number;
}

export interface TrainOptions {
  readonly groups: readonly HeadOptions[];
  /** How many runs, each with its own order of rows, are averaged. */
  readonly runs: number;
  /** Minimum number of prompts that an n-gram must occur in. */
  readonly least: number;
  /** Most n-grams that the model keeps. */
  readonly most: number;
  /** Weight of each kind of n-gram in the model that ships: what the groups' scales are converted to. */
  readonly kindScale: readonly number[];
  readonly tierWeight: number;
  /** How much more rare tasks weigh: 0 not at all, 1 as much as frequent ones together. */
  readonly balance: number;
  /**
   * The level's ridge: its regularisation, and the weight of each kind of n-gram. Strong regularisation with little of a prompt's shape
   * generalises to other data.
   */
  readonly ridge: { readonly pull: number; readonly kindScale: readonly number[] };
}

/** Hashed n-grams of one row: their hashes and kinds, computed once for all trainings. */
export interface Hashed {
  readonly hashes: Uint32Array;
  readonly kinds: Uint8Array;
  readonly counts: Int32Array;
  /** Indices of the ask's distinct words among the word vectors; empty if there are no vectors. */
  readonly words: Int32Array;
}

/** The n-grams of a row that have weights, and the value of each. */
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
