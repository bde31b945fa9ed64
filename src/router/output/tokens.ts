import { limits } from '../../lib/limits.ts';
import type { Mutable } from '../../lib/mutable.ts';

/** What the length of an answer depends on, besides the model. */
export interface OutputKey {
  /** 16 hex digits; see templateOf(). */
  readonly template: string;
  /** Kind of work. */
  readonly kind: string;
  /** UTF-16 units of the last user text. */
  readonly units: number;
}

/** Expected output tokens of one answer, including reasoning. */
export interface ExpectedOutput {
  readonly tokens: number;
  /** Standard deviation of the logarithm of one answer's tokens. */
  readonly spread: number;
  /** Share of reasoning in the tokens, 0..1. */
  readonly reasoning: number;
  /** Number of answers of this template and model that it is estimated from. */
  readonly answers: number;
}

/** Sums over e = ln(tokens / assumed tokens) and u = ln(units), of the answers of one level. Old answers fade. */
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

/**
 * Prior weights, in answers: of the level above in a level's mean, and of the assumed spread and a zero slope on text length in the rest.
 */
const meanPrior = 3;
const spreadPrior = 5;
const slopePrior = 4;
/** Spread before any answer: lengths of one kind differ by a factor of about two. */
const assumedSpread = 0.8;
/** Old answers fade beyond this number: about the last so many count. */
const memory = 500;
/** Most by which a lognormal's mean may exceed its median, as a logarithm, whatever the spread. */
const mostSkew = 0.5;

/** A level's sums, in the list of all levels, most recently used last. */
interface Level extends Sums {
  older: Level | null;
  newer: Level | null;
  /** Removes it from its model. */
  readonly forget: () => void;
}

/** State of one model: overall, by kind, by template. */
interface ModelLevels {
  all: Level | undefined;
  readonly kinds: Map<string, Level>;
  readonly templates: Map<string, Level>;
}

const empty = (forget: () => void): Level => ({
  n: 0,
  e: 0,
  ee: 0,
  u: 0,
  uu: 0,
  eu: 0,
  tokens: 0,
  reasoning: 0,
  older: null,
  newer: null,
  forget,
});

/**
 * Learns from answers how many output tokens a model uses, by template, then by kind of work, then overall: each level starts from the one
 * above, the first from the number assumed for the task. Within a template the length of the user's text may be informative. In memory;
 * bounded: the least recently used level is dropped first.
 */
export class OutputTokens {
  readonly #models = new Map<string, ModelLevels>();
  #oldest: Level | null = null;
  #newest: Level | null = null;
  #size = 0;
  /** Each decision asks several times, and keeps at most the numbers. */
  readonly #expected: Mutable<ExpectedOutput> = { tokens: 0, spread: 0, reasoning: 0, answers: 0 };

  /** `assumed`: tokens assumed for the task; `tokens`: tokens of one answer, `reasoning` of them for reasoning. */
  observe(model: string, key: OutputKey, assumed: number, tokens: number, reasoning: number): void {
    if (tokens <= 0 || assumed <= 0) return;
    let levels = this.#models.get(model);
    if (levels === undefined) this.#models.set(model, (levels = { all: undefined, kinds: new Map(), templates: new Map() }));
    const e = Math.log(tokens / assumed);
    const u = Math.log(1 + key.units);
    this.#add(levels.all ?? this.#begin(model, levels, null, key), e, u, tokens, reasoning);
    this.#add(levels.kinds.get(key.kind) ?? this.#begin(model, levels, 'kinds', key), e, u, tokens, reasoning);
    this.#add(levels.templates.get(key.template) ?? this.#begin(model, levels, 'templates', key), e, u, tokens, reasoning);
    while (this.#size > limits.outputLevels && this.#oldest !== null) {
      const level = this.#oldest;
      this.#unlink(level);
      level.forget();
    }
  }

  #begin(model: string, levels: ModelLevels, of: 'kinds' | 'templates' | null, { kind, template }: OutputKey): Level {
    const name = of === 'kinds' ? kind : template;
    const level = empty(() => {
      if (of === null) levels.all = undefined;
      else levels[of].delete(name);
      if (levels.all === undefined && levels.kinds.size + levels.templates.size === 0) this.#models.delete(model);
    });
    if (of === null) levels.all = level;
    else levels[of].set(name, level);
    return level;
  }

  #add(sums: Level, e: number, u: number, tokens: number, reasoning: number): void {
    // Moved to the end, so that the most recently used is dropped last.
    if (sums !== this.#newest) {
      if (sums.n > 0) this.#unlink(sums);
      sums.older = this.#newest;
      if (this.#newest !== null) this.#newest.newer = sums;
      this.#newest = sums;
      this.#oldest ??= sums;
      this.#size++;
    }
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

  #unlink(level: Level): void {
    if (level.older === null) this.#oldest = level.newer;
    else level.older.newer = level.newer;
    if (level.newer === null) this.#newest = level.older;
    else level.newer.older = level.older;
    level.older = level.newer = null;
    this.#size--;
  }

  /**
   * Expected tokens of one answer of `model`, in the same object each time; null while nothing is known of the model, then use `assumed`.
   */
  expected(model: string, key: OutputKey, assumed: number): ExpectedOutput | null {
    const levels = this.#models.get(model);
    if (levels?.all === undefined) return null;
    let mean = 0;
    let variance = assumedSpread ** 2;
    let reasoning = 0;
    let last: Level | undefined;
    for (let depth = 0; depth < 3; depth++) {
      last = depth === 0 ? levels.all : depth === 1 ? levels.kinds.get(key.kind) : levels.templates.get(key.template);
      if (last === undefined) continue;
      const { n, e, ee, tokens } = last;
      const own = Math.max(0, ee / n - (e / n) ** 2);
      mean = (meanPrior * mean + e) / (meanPrior + n);
      variance = (spreadPrior * variance + n * own) / (spreadPrior + n);
      reasoning = (meanPrior * reasoning + n * (last.reasoning / tokens)) / (meanPrior + n);
    }
    const byLength = last === undefined ? 0 : slopeOf(last) * (Math.log(1 + key.units) - last.u / last.n);
    const found = this.#expected;
    found.tokens = assumed * Math.exp(mean + byLength + Math.min(mostSkew, variance / 2));
    found.spread = Math.sqrt(variance);
    found.reasoning = reasoning;
    found.answers = last === undefined ? 0 : Math.round(last.n);
    return found;
  }

  /** Number of levels with data. */
  get size(): number {
    return this.#size;
  }
}

/** Slope of the logarithm of the answer's length on that of the text's; shrunk to 0. */
function slopeOf({ n, e, u, uu, eu }: Sums): number {
  const spread = Math.max(0, uu - (u * u) / n);
  return Math.min(1.5, Math.max(-1.5, (eu - (e * u) / n) / (spread + slopePrior)));
}
