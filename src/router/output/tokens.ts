import { limits } from '../../lib/limits.ts';

/** What the length of an answer hangs on, beside the model. */
export interface OutputKey {
  /** 16 hex digits; see templateOf(). */
  readonly template: string;
  /** The kind of work. */
  readonly kind: string;
  /** UTF-16 units of the last user text. */
  readonly units: number;
}

/** An expected number of output tokens of one answer, reasoning included. */
export interface ExpectedOutput {
  readonly tokens: number;
  /** Standard deviation of the logarithm of one answer's tokens. */
  readonly spread: number;
  /** Share of the tokens that is reasoning, 0..1. */
  readonly reasoning: number;
  /** Answers of this template and model that it is from. */
  readonly answers: number;
}

/** Sums over e = ln(tokens / assumed tokens) and u = ln(units), of the answers of one level. Old ones fade. */
interface Sums {
  n: number;
  e: number;
  ee: number;
  u: number;
  uu: number;
  eu: number;
  tokens: number;
  reasoning: number;
}

/** Answers' worth of the level above in a level's mean, and of the assumed spread and of "length of the text says nothing" in the rest. */
const meanPrior = 3;
const spreadPrior = 5;
const slopePrior = 4;
/** Spread before any answer: answers of one kind differ by a factor of about two. */
const assumedSpread = 0.8;
/** Above so many answers old ones fade: about the last so many count. */
const memory = 500;
/** A lognormal's mean lies above its median by this much at most, whatever the spread. */
const mostSkew = 0.5;

const empty = (): Sums => ({ n: 0, e: 0, ee: 0, u: 0, uu: 0, eu: 0, tokens: 0, reasoning: 0 });

/**
 * Learns from answers how many output tokens a model takes, by template, then by kind of work, then in all: each level starts from the one above, the first from what is
 * assumed of the task. Within a template the length of the user's text may tell. In memory; bounded: what was seen longest ago is dropped first.
 */
export class OutputTokens {
  readonly #levels = new Map<string, Sums>();

  /** `assumed`: what the task was taken to need; `tokens`: what one answer took, `reasoning` of them for thoughts. */
  observe(model: string, key: OutputKey, assumed: number, tokens: number, reasoning: number): void {
    if (tokens <= 0 || assumed <= 0) return;
    const e = Math.log(tokens / assumed);
    const u = Math.log(1 + key.units);
    for (const level of levelsOf(model, key)) {
      const sums = this.#levels.get(level) ?? empty();
      // Moved to the end: what was seen last is dropped last.
      this.#levels.delete(level);
      this.#levels.set(level, sums);
      const kept = sums.n >= memory ? 1 - 1 / memory : 1;
      sums.n = sums.n * kept + 1;
      sums.e = sums.e * kept + e;
      sums.ee = sums.ee * kept + e * e;
      sums.u = sums.u * kept + u;
      sums.uu = sums.uu * kept + u * u;
      sums.eu = sums.eu * kept + e * u;
      sums.tokens = sums.tokens * kept + tokens;
      sums.reasoning = sums.reasoning * kept + reasoning;
    }
    while (this.#levels.size > limits.outputLevels) this.#levels.delete(this.#levels.keys().next().value ?? '');
  }

  /** What one answer of `model` is expected to take; null while nothing is known of the model: then `assumed` is all there is. */
  expected(model: string, key: OutputKey, assumed: number): ExpectedOutput | null {
    const levels = levelsOf(model, key);
    let mean = 0;
    let variance = assumedSpread ** 2;
    let reasoning = 0;
    let last: Sums | undefined;
    for (const level of levels) {
      last = this.#levels.get(level);
      if (last === undefined) continue;
      const { n, e, ee, tokens } = last;
      const own = Math.max(0, ee / n - (e / n) ** 2);
      mean = (meanPrior * mean + e) / (meanPrior + n);
      variance = (spreadPrior * variance + n * own) / (spreadPrior + n);
      reasoning = (meanPrior * reasoning + n * (last.reasoning / tokens)) / (meanPrior + n);
    }
    if (!this.#levels.has(levels[0])) return null;
    const byLength = last === undefined ? 0 : slopeOf(last) * (Math.log(1 + key.units) - last.u / last.n);
    return { tokens: assumed * Math.exp(mean + byLength + Math.min(mostSkew, variance / 2)), spread: Math.sqrt(variance), reasoning, answers: last === undefined ? 0 : Math.round(last.n) };
  }

  /** Levels that something is known of. */
  get size(): number {
    return this.#levels.size;
  }
}

/** By how much the logarithm of the answer's length rises with that of the text's; drawn to 0. */
function slopeOf({ n, e, u, uu, eu }: Sums): number {
  const spread = Math.max(0, uu - (u * u) / n);
  return Math.min(1.5, Math.max(-1.5, (eu - (e * u) / n) / (spread + slopePrior)));
}

/** From the widest level to the narrowest. */
function levelsOf(model: string, { template, kind }: OutputKey): readonly [string, string, string] {
  return [model, `${model}\nkind\n${kind}`, `${model}\ntemplate\n${template}`];
}
