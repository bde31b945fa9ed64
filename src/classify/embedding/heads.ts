import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../lib/errors.ts';
import { modelBytes } from '../../lib/model-file.ts';
import { outputs } from '../text/heads.ts';
import type { TrainedHeads } from './train.ts';

/** The heads that ship with Sluice. */
export const headsFile = fileURLToPath(new URL('../../../models/embedding-1.heads', import.meta.url));

/**
 * What a vector adds to the text model's outputs, as a file of JSON: `keep` times each output of the text model, plus the output's bias,
 * plus the product of its row of `rows` with the vector's distance from `middle`. A row is signed bytes in base64, times its step.
 */
export interface HeadsDocument {
  readonly format: 1;
  /** SHA-256 of the weights whose vectors trained it. */
  readonly weights: string;
  readonly width: number;
  readonly middle: readonly number[];
  readonly keep: readonly number[];
  readonly bias: readonly number[];
  readonly steps: readonly number[];
  readonly rows: readonly string[];
  readonly card: {
    readonly name: string;
    readonly trainedWith: string;
    readonly prompts: number;
    /** Version of the text model that shipped with it; its outputs on batches left out trained the heads. */
    readonly textModel: string;
    readonly measured: Readonly<Record<string, number>>;
  };
}

/** What a vector adds to each output of the text model. */
export type Addition = Float64Array;

/** Heads that turn a vector into what it adds to the text model's outputs. */
export class EmbeddingHeads {
  readonly document: HeadsDocument;
  /** First half of the SHA-256 of the file, in hex. */
  readonly version: string;
  readonly #rows: readonly Int8Array[];

  constructor(document: HeadsDocument, version: string) {
    this.document = document;
    this.version = version;
    this.#rows = document.rows.map((row) => new Int8Array(Buffer.from(row, 'base64')));
  }

  /** What a vector adds. */
  add(vector: ArrayLike<number>): Addition {
    const { middle, bias, steps, width } = this.document;
    const sums = Float64Array.from(bias);
    for (const [k, row] of this.#rows.entries()) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += row[i]! * (vector[i]! - middle[i]!);
      sums[k]! += steps[k]! * sum;
    }
    return sums;
  }
}

/** The bytes of a file of heads; the same heads give the same bytes. */
export function encodeHeads(
  { middle, keep, bias, rows }: TrainedHeads,
  { weights, card }: Pick<HeadsDocument, 'weights' | 'card'>,
): Buffer {
  const short = (values: ArrayLike<number>): number[] => Array.from(values, (value) => Number(value.toPrecision(5)));
  const steps = rows.map((row) => row.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9) / 127);
  const document: HeadsDocument = {
    format: 1,
    card,
    weights,
    width: middle.length,
    keep: short(keep),
    bias: short(bias),
    steps: short(steps),
    middle: short(middle),
    rows: rows.map((row, k) => Buffer.from(Int8Array.from(row, (value) => Math.round(value / steps[k]!)).buffer).toString('base64')),
  };
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
}

let shipped: EmbeddingHeads | null = null;

/** The heads that ship with Sluice, read once per thread. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export function embeddingHeads(): EmbeddingHeads {
  return (shipped ??= readHeads(headsFile));
}

/** Reads heads from a file. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export function readHeads(file: string): EmbeddingHeads {
  const bytes = modelBytes(file);
  let document: HeadsDocument | null = null;
  try {
    document = JSON.parse(bytes.toString('utf8')) as HeadsDocument;
  } catch {
    // Reported below.
  }
  if (document?.format !== 1 || document.rows.length !== outputs || document.keep.length !== outputs)
    throw new SluiceError('SLUICE_MODEL_INVALID', 'These are not heads for this version of the text model.', { where: file });
  return new EmbeddingHeads(document, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
}
