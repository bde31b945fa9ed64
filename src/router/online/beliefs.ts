import type { Arm } from './types.ts';

/**
 * What is believed of one workspace's traffic between one pair of models. A template has two unknowns: the level of the strong model's
 * scores, and by how much the true gain differs from the router's. Both are Gaussian; those of a new template are drawn around the workspace's,
 * so it borrows from all others. With the spreads below given, all of it is exact.
 */
export interface BeliefSettings {
  /** Variance of one grade around what is expected. */
  readonly noise: number;
  /** Variance of the difference between both models' grades for one request. */
  readonly pairNoise: number;
  /** Before any grade: the strong model's level in a workspace, its standard error, and how far templates lie apart. */
  readonly level: number;
  readonly levelError: number;
  readonly levelSpread: number;
  /** Standard error of the difference between true and predicted gain in the mean of a workspace. */
  readonly gainError: number;
  /** After so many ms a grade counts half. */
  readonly halfLifeMs: number;
}

/** Precision (3 numbers of a symmetric matrix) and information of the two unknowns, from grades alone; and how many grades. */
export interface Sums {
  aa: number;
  ad: number;
  dd: number;
  a: number;
  d: number;
  grades: number;
}

/** One template's state; plain data, as it is exported. */
export interface TemplateState {
  readonly sums: Sums;
  /** Grades since the last time that things went as expected, and how far they fell short: a change-point test. */
  readonly recent: Sums;
  /** Standard error of the router's gain for this template, beside the workspace's: before any grade. */
  readonly spread: number;
  shortfall: number;
  /** ms since 1970 of the last grade. */
  time: number;
  /** Changes that the test found. */
  changes: number;
}

/** Mean and standard error of a template's gain beyond the router's. */
export interface Deviation {
  readonly mean: number;
  readonly error: number;
}

/** Fall short by so much in standard deviations of a grade (less `slack` each) and the template has changed. */
const alarmAt = 5;
const slack = 0.4;

export const emptySums = (): Sums => ({ aa: 0, ad: 0, dd: 0, a: 0, d: 0, grades: 0 });

export class Beliefs {
  readonly settings: BeliefSettings;
  readonly templates: Map<string, TemplateState>;
  readonly #most: number;
  /** Precision of a template's level around the workspace's. */
  readonly #spreadA: number;
  /** Sum of what the templates say about the workspace; null: to be summed anew. */
  #workspace: Solved | null = null;

  /** `most`: templates that are kept; the one that was graded longest ago goes first. */
  constructor(settings: BeliefSettings, most: number, templates: Map<string, TemplateState> = new Map()) {
    this.settings = settings;
    this.#most = most;
    this.templates = templates;
    this.#spreadA = 1 / settings.levelSpread ** 2;
  }

  /**
   * Learns that `arm` got `score` where the router expected `gain` with a standard error of `spread`; `against`: what the other model got for the same request, or null. True when
   * the template turned out to have changed.
   */
  observe(template: string, spread: number, arm: Arm, gain: number, score: number, against: number | null, weight: number, time: number): boolean {
    const before = this.#posterior(template, spread);
    const { noise, pairNoise } = this.settings;
    const state = this.templates.get(template) ?? { sums: emptySums(), recent: emptySums(), spread, shortfall: 0, time, changes: 0 };
    this.templates.delete(template);
    this.templates.set(template, state);
    if (this.templates.size > this.#most) this.templates.delete(this.templates.keys().next().value ?? '');
    const kept = 0.5 ** (Math.max(0, time - state.time) / this.settings.halfLifeMs);
    scale(state.sums, kept);
    scale(state.recent, kept);
    state.time = Math.max(state.time, time);
    this.#workspace = null;
    let short: number;
    if (against === null) {
      for (const sums of [state.sums, state.recent]) addScore(sums, arm, gain, score, weight / noise);
      // Only the weak model's scores can break the promise by falling.
      if (arm === 'strong') return false;
      short = (clamped(before.level - gain - before.mean) - score) / Math.sqrt(noise);
    } else {
      const [weak, strong] = arm === 'weak' ? [score, against] : [against, score];
      for (const sums of [state.sums, state.recent]) {
        addScore(sums, 'strong', gain, strong, weight / noise);
        addGain(sums, strong - weak - gain, weight / pairNoise);
      }
      short = (strong - weak - gain - before.mean) / Math.sqrt(pairNoise);
    }
    state.shortfall = Math.max(0, state.shortfall + weight * (short - slack));
    if (state.shortfall === 0) Object.assign(state.recent, emptySums());
    if (state.shortfall < alarmAt) return false;
    Object.assign(state.sums, state.recent);
    Object.assign(state.recent, emptySums());
    state.shortfall = 0;
    state.changes++;
    return true;
  }

  /** Grades that count: those before a change of their template do not. */
  get grades(): number {
    return this.#solve().grades;
  }

  /** What is expected of a template's gain beyond the router's; for one without grades, what the workspace says, and the router's own `spread`. */
  deviation(template: string, spread: number): Deviation {
    const { mean, variance } = this.#posterior(template, spread);
    return { mean, error: Math.sqrt(variance) };
  }

  /** Expected level of the strong model in the workspace, and its standard error. */
  level(): Deviation {
    const { a, vaa } = this.#solve();
    return { mean: a, error: Math.sqrt(vaa) };
  }

  /**
   * Mean and standard error of Σ count × (gain beyond the router's) over templates. Their errors go together as far as they come from the
   * workspace.
   */
  total(counts: ReadonlyMap<string, { readonly count: number; readonly spread: number }>): Deviation {
    const workspace = this.#solve();
    let mean = 0;
    let own = 0;
    let towardsA = 0;
    let towardsD = 0;
    for (const [template, { count, spread }] of counts) {
      const one = this.#posterior(template, spread);
      mean += count * one.mean;
      own += count * count * one.own;
      towardsA += count * one.byA;
      towardsD += count * one.byD;
    }
    const shared = towardsA * towardsA * workspace.vaa + 2 * towardsA * towardsD * workspace.vad + towardsD * towardsD * workspace.vdd;
    return { mean, error: Math.sqrt(own + shared) };
  }

  /** A template's unknowns given all grades. `own`: variance beside the workspace's; `byA`, `byD`: how far the workspace's two move the deviation. */
  #posterior(template: string, spread: number): { readonly level: number; readonly mean: number; readonly variance: number; readonly own: number; readonly byA: number; readonly byD: number } {
    const w = this.#solve();
    const state = this.templates.get(template);
    if (state === undefined) {
      const own = spread * spread;
      return { level: w.a, mean: w.d, variance: own + w.vdd, own, byA: 0, byD: 1 };
    }
    const { sums } = state;
    const spreadD = state.spread ** -2;
    const c = inverse(this.#spreadA + sums.aa, sums.ad, spreadD + sums.dd);
    const a = this.#spreadA * w.a + sums.a;
    const d = spreadD * w.d + sums.d;
    const byA = c.ad * this.#spreadA;
    const byD = c.dd * spreadD;
    return {
      level: c.aa * a + c.ad * d,
      mean: c.ad * a + c.dd * d,
      variance: c.dd + byA * byA * w.vaa + 2 * byA * byD * w.vad + byD * byD * w.vdd,
      own: c.dd,
      byA,
      byD,
    };
  }

  /** The workspace's unknowns given all grades: each template counts as far as its own grades and the spread of templates let it. */
  #solve(): Solved {
    if (this.#workspace !== null) return this.#workspace;
    const { level, levelError, gainError } = this.settings;
    let aa = 1 / levelError ** 2;
    let ad = 0;
    let dd = 1 / gainError ** 2;
    let a = level * aa;
    let d = 0;
    let grades = 0;
    for (const { sums, spread } of this.templates.values()) {
      const spreadD = spread ** -2;
      const c = inverse(this.#spreadA + sums.aa, sums.ad, spreadD + sums.dd);
      grades += sums.grades;
      // With S the templates' precision around the workspace: S − S (S + Λ)⁻¹ S of precision, S (S + Λ)⁻¹ η of information.
      aa += this.#spreadA - this.#spreadA * c.aa * this.#spreadA;
      ad -= this.#spreadA * c.ad * spreadD;
      dd += spreadD - spreadD * c.dd * spreadD;
      a += this.#spreadA * (c.aa * sums.a + c.ad * sums.d);
      d += spreadD * (c.ad * sums.a + c.dd * sums.d);
    }
    const v = inverse(aa, ad, dd);
    return (this.#workspace = { grades, a: v.aa * a + v.ad * d, d: v.ad * a + v.dd * d, vaa: v.aa, vad: v.ad, vdd: v.dd });
  }
}

interface Solved {
  readonly grades: number;
  readonly a: number;
  readonly d: number;
  readonly vaa: number;
  readonly vad: number;
  readonly vdd: number;
}

/** A strong answer's score is the level; a weak one's is the level less the router's gain and the deviation. */
function addScore(sums: Sums, arm: Arm, gain: number, score: number, precision: number): void {
  sums.grades++;
  sums.aa += precision;
  if (arm === 'strong') {
    sums.a += precision * score;
    return;
  }
  sums.ad -= precision;
  sums.dd += precision;
  sums.a += precision * (score + gain);
  sums.d -= precision * (score + gain);
}

/** Both models' scores of one request: their difference is the gain. */
function addGain(sums: Sums, deviation: number, precision: number): void {
  sums.dd += precision;
  sums.d += precision * deviation;
}

function clamped(score: number): number {
  return Math.min(1, Math.max(0, score));
}

function scale(sums: Sums, by: number): void {
  sums.aa *= by;
  sums.ad *= by;
  sums.dd *= by;
  sums.a *= by;
  sums.d *= by;
}

function inverse(aa: number, ad: number, dd: number): { readonly aa: number; readonly ad: number; readonly dd: number } {
  const size = aa * dd - ad * ad;
  return { aa: dd / size, ad: -ad / size, dd: aa / size };
}
