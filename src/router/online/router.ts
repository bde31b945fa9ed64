import { Beliefs, type BeliefSettings, type Deviation, type TemplateState } from './beliefs.ts';
import type { Arm, LearningMark } from './types.ts';

/** How one pair of models in one workspace is routed by what was learnt. */
export interface RoutingSettings {
  /** Loss against always-strong that may be taken, 0..1. */
  readonly maxLoss: number;
  /** Share of that loss that trying things out may cost. */
  readonly riskShare: number;
  /** Share of requests that are chosen for trying and grading. */
  readonly probeShare: number;
}

/** Requests that the threshold is computed over, and fewest of them. */
const windowSize = 1_024;
const windowLeast = 128;
/** Requests between two computations, and after a grade. */
const everyRequests = 64;
/** The bound on the expected loss, in its standard errors: 84% one-sided. Every grade that is not there yet widens it; 95% would leave most of what can be saved. */
const z = 1;
/** How far an uncertain template is held back among others of the same expected gain, in its standard errors. */
const caution = 0.3;

/** Least standard error of a template's gain: tasks that the router knows lie so far apart in cross-validation. */
const leastSpread = 0.04;

export function spreadOf(uncertainty: number): number {
  return Math.max(leastSpread, uncertainty);
}

/** Grades of a template that stand in for a router that has not seen its kind. */
const floorGrades = 20;

/** Grades that stand in for a calibration of the pair. */
const calibrationGrades = 100;

/** What the router says of a request. */
export interface RouterFacts {
  /** What the stronger model is expected to gain. */
  readonly gain: number;
  /** Standard error of that. */
  readonly uncertainty: number;
  /** Whether the router has seen such requests. */
  readonly known: boolean;
  /** Whether the router's own threshold sends it to the weak model. */
  readonly fixed: boolean;
  /** Whether outcomes of this pair of models were measured. */
  readonly calibrated: boolean;
}

interface Seen {
  readonly template: string;
  readonly gain: number;
  readonly spread: number;
  /** The calibration alone sends it to the weak model. */
  readonly fixed: boolean;
}

/** What was chosen for one request, and why. */
export interface Choice {
  readonly expected: number;
  readonly spread: number;
  readonly threshold: number | null;
  readonly says: Arm | null;
  readonly why: LearningMark['why'];
}

/**
 * Routes one pair of models in one workspace by one threshold on the expected gain: the highest at which the loss over the last requests, by the
 * grades of their templates, keeps the promise. What the calibration sends to the weak model counts as expected, all else with a standard error on top,
 * which every grade narrows. Some requests are drawn by lot and go to the model that would not have had them, as far as the budget for that reaches.
 */
export class PairRouter {
  readonly beliefs: Beliefs;
  readonly #ring: Seen[] = [];
  #next = 0;
  #sinceComputed = 0;
  #threshold: number | null = null;
  #stale = true;
  /** Expected loss that probes may still cost, in scores. */
  #budget = 0;

  constructor(settings: BeliefSettings, mostTemplates: number, templates?: Map<string, TemplateState>) {
    this.beliefs = new Beliefs(settings, mostTemplates, templates);
  }

  /** A grade came. */
  changed(): void {
    this.#stale = true;
  }

  /** Requests in the window. */
  get seen(): number {
    return this.#ring.length;
  }

  /** As computed last; null: none keeps the promise, or there was too little traffic. */
  get threshold(): number | null {
    return this.#threshold;
  }

  /** `draw`: a number from 0 to below 1. Remembers the request. */
  choose(template: string, { gain, uncertainty, known, fixed, calibrated }: RouterFacts, settings: RoutingSettings, draw: number): Choice {
    const spread = spreadOf(uncertainty);
    const seen: Seen = { template, gain, spread, fixed };
    if (this.#ring.length < windowSize) this.#ring.push(seen);
    else this.#ring[this.#next] = seen;
    this.#next = (this.#next + 1) % windowSize;
    this.#sinceComputed++;
    if (this.#sinceComputed >= everyRequests || (this.#stale && this.#sinceComputed >= everyRequests / 8)) {
      this.#compute(settings.maxLoss * (settings.probeShare === 0 ? 1 : 1 - settings.riskShare));
      this.#sinceComputed = 0;
      this.#stale = false;
    }
    const { mean, error } = this.beliefs.deviation(template, spread);
    const expected = gain + mean;
    const facts = { expected, spread: error, threshold: this.#threshold };
    const level = this.beliefs.level().mean;
    this.#budget = Math.min(this.#budget + settings.maxLoss * settings.riskShare * level, 50 * settings.maxLoss * level);
    const early = this.#ring.length < windowLeast || (!calibrated && this.beliefs.grades < calibrationGrades);
    if (early && draw >= settings.probeShare) return { ...facts, says: null, why: 'prior' };
    const trusted = known || (this.beliefs.templates.get(template)?.sums.grades ?? 0) >= floorGrades;
    const says: Arm | null = early ? null : (fixed || trusted) && this.#threshold !== null && indexOf(expected, error, fixed) <= this.#threshold ? 'weak' : 'strong';
    if (draw >= settings.probeShare) return { ...facts, says, why: 'grades' };
    // Half of the lots go to each model, so that either one's scores are known.
    const probe: Arm = draw < settings.probeShare / 2 ? 'weak' : 'strong';
    if (probe === 'weak' && says !== 'weak') {
      const cost = Math.max(0, expected + error);
      if (cost > this.#budget) return { ...facts, says, why: 'probe' };
      this.#budget -= cost;
    }
    return { ...facts, says: probe, why: 'probe' };
  }

  /** The threshold anew, over the window. */
  #compute(maxLoss: number): void {
    const beliefs = new Map<string, Deviation>();
    const ranked = this.#ring.map(({ template, gain, spread, fixed }) => {
      let one = beliefs.get(template);
      if (one === undefined) beliefs.set(template, (one = this.beliefs.deviation(template, spread)));
      const expected = gain + one.mean;
      return { template, spread, fixed, expected, index: indexOf(expected, one.error, fixed) };
    });
    ranked.sort((a, b) => a.index - b.index);
    const allowed = maxLoss * Math.max(0.05, this.beliefs.level().mean) * ranked.length;
    // The bound is computed at some shares only, and the first that fails ends the search.
    const step = Math.ceil(ranked.length / 64);
    const counts = new Map<string, { count: number; readonly spread: number }>();
    let loss = 0;
    this.#threshold = null;
    for (const [at, { template, spread, fixed, expected, index }] of ranked.entries()) {
      loss += expected;
      if (!fixed) {
        const counted = counts.get(template);
        if (counted === undefined) counts.set(template, { count: 1, spread });
        else counted.count++;
      }
      if ((at + 1) % step !== 0 && at + 1 < ranked.length) continue;
      if (loss + z * this.beliefs.total(counts).error > allowed) break;
      this.#threshold = index;
    }
  }
}

/** Place of a request among others. Where the calibration has its own bound, no other is laid on top. */
function indexOf(expected: number, error: number, fixed: boolean): number {
  return fixed ? expected : expected + caution * error;
}
