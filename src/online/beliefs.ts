import type { Arm } from './types.ts';

/**
 * What is believed of one workspace's traffic between one pair of models. A template has two unknowns: the level of the strong model's
 * scores, and by how much the true gain differs from the router's. Both are Gaussian; those of a new template are drawn around the workspace's,
 * so it borrows from all others. With the spreads below given, all of it is exact.
 */
export interface BeliefSettings {
  /** Variance of one grade around what is expected. */
  readonly noise: number;
  /** Before any grade: the strong model's level in a workspace, its standard error, and how far templates lie apart. */
  readonly level: number;
  readonly levelError: number;
  readonly levelSpread: number;
  /** Standard errors of the difference between true and predicted gain: of a workspace, and of a template in it. */
  readonly gainError: number;
  readonly gainSpread: number;
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
  /** Precisions of a template's unknowns around the workspace's. */
  readonly #spreadA: number;
  readonly #spreadD: number;
  /** Sum of what the templates say about the workspace; null: to be summed anew. */
  #workspace: Solved | null = null;

  /** `most`: templates that are kept; the one that was graded longest ago goes first. */
  constructor(settings: BeliefSettings, most: number, templates: Map<string, TemplateState> = new Map()) {
    this.settings = settings;
    this.#most = most;
    this.templates = templates;
    this.#spreadA = 1 / settings.levelSpread ** 2;
    this.#spreadD = 1 / settings.gainSpread ** 2;
  }

  /** Learns that `arm` got `score` where the router expected `gain`. True when the template turned out to have changed. */
  observe(template: string, arm: Arm, gain: number, score: number, weight: number, time: number): boolean {
    const expected = this.#expectedScore(template, arm, gain);
    const state = this.templates.get(template) ?? { sums: emptySums(), recent: emptySums(), shortfall: 0, time, changes: 0 };
    this.templates.delete(template);
    this.templates.set(template, state);
    if (this.templates.size > this.#most) this.templates.delete(this.templates.keys().next().value ?? '');
    const kept = 0.5 ** (Math.max(0, time - state.time) / this.settings.halfLifeMs);
    scale(state.sums, kept);
    scale(state.recent, kept);
    state.time = Math.max(state.time, time);
    add(state.sums, arm, gain, score, weight / this.settings.noise);
    add(state.recent, arm, gain, score, weight / this.settings.noise);
    this.#workspace = null;
    // Only the weak model's scores can break the promise by falling.
    if (arm === 'strong') return false;
    state.shortfall = Math.max(0, state.shortfall + weight * ((expected - score) / Math.sqrt(this.settings.noise) - slack));
    if (state.shortfall === 0) Object.assign(state.recent, emptySums());
    if (state.shortfall < alarmAt) return false;
    Object.assign(state.sums, state.recent);
    Object.assign(state.recent, emptySums());
    state.shortfall = 0;
    state.changes++;
    return true;
  }

  /** What is expected of a template's gain beyond the router's; for one without grades, what the workspace says. */
  deviation(template: string): Deviation {
    const { mean, variance } = this.#posterior(template);
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
  total(counts: ReadonlyMap<string, number>): Deviation {
    const workspace = this.#solve();
    let mean = 0;
    let own = 0;
    let towardsA = 0;
    let towardsD = 0;
    for (const [template, count] of counts) {
      const one = this.#posterior(template);
      mean += count * one.mean;
      own += count * count * one.own;
      towardsA += count * one.byA;
      towardsD += count * one.byD;
    }
    const shared = towardsA * towardsA * workspace.vaa + 2 * towardsA * towardsD * workspace.vad + towardsD * towardsD * workspace.vdd;
    return { mean, error: Math.sqrt(own + shared) };
  }

  #expectedScore(template: string, arm: Arm, gain: number): number {
    const { level, mean } = this.#posterior(template);
    return Math.min(1, Math.max(0, arm === 'strong' ? level : level - gain - mean));
  }

  /** A template's unknowns given all grades. `own`: variance beside the workspace's; `byA`, `byD`: how far the workspace's two move the deviation. */
  #posterior(template: string): { readonly level: number; readonly mean: number; readonly variance: number; readonly own: number; readonly byA: number; readonly byD: number } {
    const w = this.#solve();
    const sums = this.templates.get(template)?.sums;
    if (sums === undefined) {
      const own = 1 / this.#spreadD;
      return { level: w.a, mean: w.d, variance: own + w.vdd, own, byA: 0, byD: 1 };
    }
    const c = inverse(this.#spreadA + sums.aa, sums.ad, this.#spreadD + sums.dd);
    const a = this.#spreadA * w.a + sums.a;
    const d = this.#spreadD * w.d + sums.d;
    const byA = c.ad * this.#spreadA;
    const byD = c.dd * this.#spreadD;
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
    for (const { sums } of this.templates.values()) {
      const c = inverse(this.#spreadA + sums.aa, sums.ad, this.#spreadD + sums.dd);
      // With S the templates' precision around the workspace: S − S (S + Λ)⁻¹ S of precision, S (S + Λ)⁻¹ η of information.
      aa += this.#spreadA - this.#spreadA * c.aa * this.#spreadA;
      ad -= this.#spreadA * c.ad * this.#spreadD;
      dd += this.#spreadD - this.#spreadD * c.dd * this.#spreadD;
      a += this.#spreadA * (c.aa * sums.a + c.ad * sums.d);
      d += this.#spreadD * (c.ad * sums.a + c.dd * sums.d);
    }
    const v = inverse(aa, ad, dd);
    return (this.#workspace = { a: v.aa * a + v.ad * d, d: v.ad * a + v.dd * d, vaa: v.aa, vad: v.ad, vdd: v.dd });
  }
}

interface Solved {
  readonly a: number;
  readonly d: number;
  readonly vaa: number;
  readonly vad: number;
  readonly vdd: number;
}

/** A strong answer's score is the level; a weak one's is the level less the router's gain and the deviation. */
function add(sums: Sums, arm: Arm, gain: number, score: number, precision: number): void {
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
