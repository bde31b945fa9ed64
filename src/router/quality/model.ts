import { damped, Grams } from '../model/grams.ts';
import { canonicalName } from './names.ts';
import type { ExpectedGain, PromptView, QualityHeader } from './types.ts';

export interface QualityTables {
  /** One byte per bucket. */
  readonly idf: Uint8Array;
  /** One weight per bucket and function, ordered by bucket. */
  readonly weight: Int8Array;
}

/** Most functions of a model: kinds and factors. */
export const mostFunctions = 48;

/**
 * Standard deviation of a model's score on an app's template from its score on public rows of the same kind; the same for prompts unlike
 * all rows; and priors for a model without public outcomes. These are assumptions, which grades replace.
 */
const transferError = 0.01;
const awayError = 0.15;
const unknownGain = 0.1;
const unknownError = 0.15;

/** Scratch space shared by all calls; its contents are only valid during one call. */
const grams = new Grams();
const sums = new Float64Array(mostFunctions);

/**
 * Expected quality of many models on a prompt, from public outcomes: a mean by kind of work, and a few factors that describe how prompts of
 * a kind differ. Immutable; linear in the text's excerpt.
 */
export class QualityModel {
  readonly header: QualityHeader;
  readonly tables: QualityTables;
  /** First 16 hex digits of the file's SHA-256; identifies the model in records. */
  readonly version: string;
  readonly #byName = new Map<string, number>();

  constructor(header: QualityHeader, tables: QualityTables, version: string) {
    this.header = header;
    this.tables = tables;
    this.version = version;
    // The undated name refers to the newest of several dated versions.
    const byDate = [...header.models.entries()].sort(([, a], [, b]) => (a.name < b.name ? -1 : 1));
    for (const [at, { name }] of byDate) this.#byName.set(canonicalName(name, true), at);
    for (const [at, { name }] of byDate) this.#byName.set(canonicalName(name), at);
  }

  /** Index of a model in the header; -1 if it has no public outcomes. */
  indexOf(model: string): number {
    return this.#byName.get(canonicalName(model)) ?? this.#byName.get(canonicalName(model, true)) ?? -1;
  }

  /** `tokens`: lower-case words of the prompt. */
  view(tokens: readonly string[]): PromptView {
    const { kinds, functions, unknownBelow, knownAbove } = this.header;
    const { idf, weight } = this.tables;
    const count = functions.length;
    grams.count(tokens, null);
    sums.fill(0, 0, count);
    let square = 0;
    for (let i = 0; i < grams.size; i++) {
      const bucket = grams.buckets[i]!;
      if (idf[bucket] === 0) continue;
      const value = damped[grams.counts[i]!]! * idf[bucket]!;
      square += value * value;
      const from = bucket * count;
      for (let k = 0; k < count; k++) sums[k]! += value * weight[from + k]!;
    }
    const scale = square === 0 ? 0 : 1 / Math.sqrt(square);
    const shares = new Float64Array(kinds.length);
    const factors = new Float64Array(count - kinds.length);
    let certainty = 0;
    let total = 0;
    for (let k = 0; k < count; k++) {
      const value = functions[k]!.bias + sums[k]! * scale * functions[k]!.step;
      if (k >= kinds.length) {
        factors[k - kinds.length] = value;
        continue;
      }
      certainty = Math.max(certainty, value);
      const share = Math.max(0, value) ** 2;
      shares[k] = share;
      total += share;
    }
    for (let k = 0; k < shares.length; k++) shares[k] = total === 0 ? 1 / shares.length : shares[k]! / total;
    return {
      kinds: shares,
      factors,
      known: square === 0 ? 0 : Math.min(1, Math.max(0, (certainty - unknownBelow) / (knownAbove - unknownBelow))),
    };
  }

  /** Expected score of one of the header's models on a prompt similar to its rows. */
  quality({ kinds, factors }: PromptView, model: number): number {
    const { means, loadings } = this.header.models[model]!;
    let sum = 0;
    for (let k = 0; k < kinds.length; k++) sum += kinds[k]! * means[k]!;
    for (let k = 0; k < factors.length; k++) sum += factors[k]! * loadings[k]!;
    return Math.min(1, Math.max(0, sum));
  }

  /** Expected output tokens of a model (index; -1: unknown) for a prompt similar to the rows; null if the rows do not say. */
  tokens({ kinds, known }: PromptView, model: number): number | null {
    const tokens = this.header.models[model]?.tokens ?? null;
    if (tokens === null || known < 0.5) return null;
    let sum = 0;
    for (let k = 0; k < kinds.length; k++) sum += kinds[k]! * tokens[k]!;
    return sum;
  }

  /**
   * Expected gain of `strong` over `weak` (indices of the header's models, -1: unknown). For unknown kinds the gain is overstated on
   * purpose.
   */
  gain(view: PromptView, weak: number, strong: number): ExpectedGain {
    if (weak === strong && weak !== -1) return { gain: 0, error: 0 };
    if (weak === -1 || strong === -1) return { gain: unknownGain, error: unknownError };
    const { kinds, models } = this.header;
    const { known } = view;
    let home = 0;
    let variance = 0;
    let away = 0;
    for (let k = 0; k < kinds.length; k++) {
      const share = view.kinds[k]!;
      const gap = models[strong]!.means[k]! - models[weak]!.means[k]!;
      home += share * gap;
      variance += (share * this.#apart(k, weak, strong)) / kinds[k]!.rows;
      away = Math.max(away, gap);
    }
    home = known === 0 ? 0 : this.quality(view, strong) - this.quality(view, weak);
    const error = Math.sqrt(variance + transferError * transferError);
    return { gain: known * home + (1 - known) * away, error: known * error + (1 - known) * awayError };
  }

  #apart(kind: number, a: number, b: number): number {
    const high = Math.max(a, b);
    return this.header.apart[kind]![(high * (high - 1)) / 2 + Math.min(a, b)]!;
  }
}
