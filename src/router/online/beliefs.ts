import { addPair, addStrong, addWeak, emptySums, evidenceOf, noiseOf, scale, type Evidence, type Spreads, type Sums } from './evidence.ts';
import { estimateSpreads, type BeliefSettings } from './spreads.ts';
import type { Arm } from './types.ts';

export type { BeliefSettings } from './spreads.ts';

/** One template's state; plain data in the export format. */
export interface TemplateState {
  readonly sums: Sums;
  /** Grades since results last matched the expectation, and the cumulated shortfall: a change-point test. */
  readonly recent: Sums;
  /** Kind of work, a level between templates and the pair. */
  readonly kind: string;
  /** Standard error of the router's gain for this template before any grade. */
  readonly spread: number;
  shortfall: number;
  /** ms since 1970 of the last grade. */
  time: number;
  /** Number of changes that the test found. */
  changes: number;
}

/** A template, known or not: its name, its kind, and the router's standard error on it. */
export interface TemplateKey {
  readonly template: string;
  readonly kind: string;
  readonly spread: number;
}

/** One graded request. `against`: the other model's score for the same request, or null. `weight`: 0..1. `time`: ms since 1970. */
export interface Observation {
  readonly arm: Arm;
  /** The router's gain. */
  readonly gain: number;
  readonly score: number;
  readonly against: number | null;
  readonly weight: number;
  readonly time: number;
}

/** A mean and its standard error. */
export interface Deviation {
  readonly mean: number;
  readonly error: number;
}

/** Expected gains of a template's requests by the router's gain r: `mean` + `slope` × r, and the variances that make their errors. */
export interface Line {
  readonly mean: number;
  readonly slope: number;
  /** The r at which the slope's error has no effect; null without grades. */
  readonly center: number | null;
  readonly variance: number;
  readonly slopeVariance: number;
}

/** The expected gain of a request for which the router predicts `gain`. */
export function deviationAt({ mean, slope, center, variance, slopeVariance }: Line, gain: number): Deviation {
  const off = center === null ? 0 : gain - center;
  return { mean: slope * gain + mean, error: Math.sqrt(variance + off * off * slopeVariance) };
}

/** Requests of a template in a window. */
export interface Counted extends TemplateKey {
  count: number;
  /** Sum of the router's gains. */
  gain: number;
}

/** Cumulated shortfall, in standard deviations of a grade (less `slack` for each), at which the template counts as changed. */
const alarmAt = 8;
const slack = 0.4;
/** Most that one grade may add: where two models rarely disagree, a single disagreement is no change. */
const mostShort = 2;

/** With many templates, one grade per this many templates may wait for the next solution. */
const templatesPerGrade = 100;

/** Standard errors that an apparent gain of the weak model must exceed to offset losses elsewhere. */
const luck = 0.75;

/**
 * A template's gain: `mean` + `slope` × r, its own variance, and its sensitivity to the means of the pair and its kind. `center`: the mean r
 * of its grades, around which the slope's error matters; null without grades.
 */
interface Posterior {
  readonly mean: number;
  readonly slope: number;
  readonly center: number | null;
  readonly own: number;
  readonly byKind: number;
}

/** A kind's mean given all grades: `own` is its own variance, `byPair` its sensitivity to the pair's mean. */
interface KindPosterior {
  readonly mean: number;
  readonly own: number;
  readonly byPair: number;
}

interface Solved {
  readonly spreads: Spreads;
  readonly evidence: ReadonlyMap<string, Evidence>;
  /** Evidence beyond the router's own gain, computed when it is asked for. */
  readonly missed: Map<string, Evidence>;
  readonly kinds: ReadonlyMap<string, KindPosterior>;
  readonly pairMean: number;
  readonly pairVariance: number;
  readonly grades: number;
}

/**
 * Beliefs about one workspace's traffic between one pair of models: how much the stronger one gains on each template beyond the router's
 * gain. Templates are distributed around their kind of work, kinds around the pair; all Gaussian, with spreads estimated from the grades.
 * So a new template borrows from those of its kind, and a new kind from the pair.
 */
export class Beliefs {
  readonly settings: BeliefSettings;
  readonly templates: Map<string, TemplateState>;
  readonly #most: number;
  #solved: Solved | null = null;
  /** Grades not yet in the solution. */
  #unsolved = 0;

  /** `most`: templates to keep; the one graded longest ago is dropped first. */
  constructor(settings: BeliefSettings, most: number, templates: Map<string, TemplateState> = new Map()) {
    this.settings = settings;
    this.#most = most;
    this.templates = templates;
  }

  /** Learns from one grade. Returns true if this showed that the template has changed. */
  observe(key: TemplateKey, { arm, gain, score, against, weight, time }: Observation): boolean {
    const before = this.expected(key, gain);
    const { spreads } = this.#solve();
    const state = this.#stateOf(key, time);
    const kept = 0.5 ** (Math.max(0, time - state.time) / this.settings.halfLifeMs);
    for (const sums of [state.sums, state.recent]) {
      scale(sums, kept);
      sums.grades++;
      if (against !== null) addPair(sums, arm === 'weak' ? against - score : score - against, gain, weight);
      if (arm === 'strong' || against !== null) addStrong(sums, arm === 'strong' ? score : against!, weight);
      else addWeak(sums, score, gain, weight);
    }
    state.time = Math.max(state.time, time);
    this.#unsolved++;
    // Only a gain that grows can exceed the loss limit.
    if (arm === 'strong' && against === null) return false;
    const difference = against === null ? spreads.level - score : arm === 'weak' ? against - score : score - against;
    const noise =
      against === null
        ? this.settings.noise + spreads.levelVariance
        : Math.max(spreads.pairNoise, noiseOf(state.sums, spreads.slope, spreads.pairNoise));
    return this.#tested(state, weight * (Math.min(mostShort, (difference - before.mean) / Math.sqrt(noise)) - slack));
  }

  /** Number of grades in use; those from before a change of their template are excluded. */
  get grades(): number {
    return this.#solve().grades;
  }

  /** Number of grades of one template. */
  gradesOf(template: string): number {
    return this.templates.get(template)?.sums.grades ?? 0;
  }

  /** Number of grades of one template that include the weaker model's answer, alone or paired with the stronger one's. */
  pairedOf(template: string): number {
    const sums = this.templates.get(template)?.sums;
    return sums === undefined ? 0 : sums.w0 + sums.p0;
  }

  /** Whether most of a template's grades of the weaker model have the stronger one's beside them. */
  paired(template: string): boolean {
    const sums = this.templates.get(template)?.sums;
    return sums !== undefined && sums.p0 > sums.w0;
  }

  /**
   * How much a calibrated router misses of a template's gain, by the template's own grades alone, and the standard error. `spread`: the
   * router's own standard error.
   */
  missed(template: string, spread: number): Deviation {
    const { missed, spreads } = this.#solve();
    let one = missed.get(template);
    if (one === undefined) {
      const sums = this.templates.get(template)?.sums ?? emptySums();
      missed.set(template, (one = evidenceOf(sums, { ...spreads, slope: 1 }, this.settings.noise)));
    }
    const drawn = spread * spread;
    const own = one.variance === Infinity ? 0 : drawn / (drawn + one.variance);
    return { mean: own * one.estimate, error: Math.sqrt(drawn * (1 - own)) };
  }

  /** Expected gain of a request for which the router predicts `gain`, and its standard error. */
  expected(key: TemplateKey, gain: number): Deviation {
    return deviationAt(this.line(key), gain);
  }

  /** Expected gains of all requests of one template. */
  line(key: TemplateKey): Line {
    const solved = this.#solve();
    const { mean, slope, center, own, byKind } = this.#posterior(solved, key);
    const kind = kindOf(solved, key.kind);
    const variance = own + byKind * byKind * (kind.own + kind.byPair * kind.byPair * solved.pairVariance);
    return { mean, slope, center, variance, slopeVariance: center === null ? 0 : solved.spreads.slopeVariance };
  }

  /** Expected level of the strong model. */
  level(): number {
    return this.#solve().spreads.level;
  }

  /** The spreads estimated from the grades. */
  spreads(): Spreads {
    return this.#solve().spreads;
  }

  /** The expected gain of a new template beyond the router's. */
  pair(): Deviation {
    const { pairMean, pairVariance } = this.#solve();
    return { mean: pairMean, error: Math.sqrt(pairVariance) };
  }

  /**
   * Mean and standard error of the gain of all counted requests together; errors are correlated within a kind and across kinds. A template
   * on which the weak model seems better counts only by what exceeds its error, because apparent gains that may be luck do not offset
   * losses elsewhere.
   */
  total(counts: Iterable<Counted>): Deviation {
    const solved = this.#solve();
    let mean = 0;
    let own = 0;
    let off = 0;
    const byKind = new Map<string, number>();
    for (const key of counts) {
      const one = this.#posterior(solved, key);
      const gain = one.slope * key.gain + key.count * one.mean;
      if (one.center !== null) off += key.gain - key.count * one.center;
      mean += gain > 0 ? gain : Math.min(0, gain + luck * key.count * Math.sqrt(one.own));
      own += key.count * key.count * one.own;
      byKind.set(key.kind, (byKind.get(key.kind) ?? 0) + key.count * one.byKind);
    }
    let shared = 0;
    for (const [name, count] of byKind) {
      const kind = kindOf(solved, name);
      own += count * count * kind.own;
      shared += count * kind.byPair;
    }
    return { mean, error: Math.sqrt(own + shared * shared * solved.pairVariance + off * off * solved.spreads.slopeVariance) };
  }

  #stateOf({ template, kind, spread }: TemplateKey, time: number): TemplateState {
    const state = this.templates.get(template) ?? { sums: emptySums(), recent: emptySums(), kind, spread, shortfall: 0, time, changes: 0 };
    this.templates.delete(template);
    this.templates.set(template, state);
    if (this.templates.size > this.#most) this.templates.delete(this.templates.keys().next().value ?? '');
    return state;
  }

  /** CUSUM: after a change, only the grades since its start count. */
  #tested(state: TemplateState, short: number): boolean {
    state.shortfall = Math.max(0, state.shortfall + short);
    if (state.shortfall === 0) Object.assign(state.recent, emptySums());
    if (state.shortfall < alarmAt) return false;
    Object.assign(state.sums, state.recent);
    Object.assign(state.recent, emptySums());
    state.shortfall = 0;
    state.changes++;
    return true;
  }

  #posterior(solved: Solved, { template, kind, spread }: TemplateKey): Posterior {
    const above = kindOf(solved, this.templates.get(template)?.kind ?? kind).mean;
    const evidence = solved.evidence.get(template);
    const between = solved.spreads.template > 0 ? solved.spreads.template ** 2 : spread * spread * (this.settings.split?.template ?? 1);
    const { slope, between: slopeBetween } = solved.spreads;
    if (evidence === undefined || evidence.variance === Infinity)
      return { mean: above, slope: slopeBetween, center: null, own: between, byKind: 1 };
    const byKind = evidence.variance / (evidence.variance + between);
    const prior = above + (slopeBetween - slope) * evidence.center;
    return { mean: byKind * prior + (1 - byKind) * evidence.estimate, slope, center: evidence.center, own: byKind * between, byKind };
  }

  #solve(): Solved {
    // With many templates one grade changes little, so not every grade triggers a new solution.
    if (this.#solved !== null && this.#unsolved <= Math.floor(this.templates.size / templatesPerGrade)) return this.#solved;
    this.#unsolved = 0;
    const states = [...this.templates.values()];
    const { settings } = this;
    // A router that does not know the kind has the same error in a pair's mean as on a single template.
    const meanSpread = states.length === 0 ? settings.kindSpread : states.reduce((sum, { spread }) => sum + spread, 0) / states.length;
    const pairError = meanSpread * Math.sqrt(settings.split?.pair ?? 1);
    const spreads = estimateSpreads(states, settings, pairError);
    const evidence = new Map<string, Evidence>();
    const byKind = new Map<string, { precision: number; information: number }>();
    let grades = 0;
    for (const [template, { sums, kind, spread }] of this.templates) {
      const one = evidenceOf(sums, spreads, settings.noise);
      evidence.set(template, one);
      grades += sums.grades;
      if (one.variance === Infinity) continue;
      const weight =
        1 / (one.variance + (settings.split === undefined ? spreads.template ** 2 : spread * spread * settings.split.template));
      const found = byKind.get(kind) ?? { precision: 0, information: 0 };
      found.precision += weight;
      found.information += weight * (one.estimate - (spreads.between - spreads.slope) * one.center);
      byKind.set(kind, found);
    }
    const between = spreads.kind ** 2;
    let precision = 1 / pairError ** 2;
    let information = 0;
    for (const found of byKind.values()) {
      const weight = 1 / (1 / found.precision + between);
      precision += weight;
      information += (weight * found.information) / found.precision;
    }
    const pairMean = information / precision;
    const kinds = new Map<string, KindPosterior>();
    for (const [name, found] of byKind) {
      const variance = 1 / found.precision;
      const byPair = variance / (variance + between);
      kinds.set(name, { mean: byPair * pairMean + (1 - byPair) * found.information * variance, own: byPair * between, byPair });
    }
    return (this.#solved = { spreads, evidence, missed: new Map(), kinds, pairMean, pairVariance: 1 / precision, grades });
  }
}

function kindOf({ kinds, pairMean, spreads }: Solved, kind: string): KindPosterior {
  return kinds.get(kind) ?? { mean: pairMean, own: spreads.kind ** 2, byPair: 1 };
}
