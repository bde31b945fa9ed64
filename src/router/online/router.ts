import { Beliefs, type BeliefSettings, type Counted, type Deviation, type TemplateKey, type TemplateState } from './beliefs.ts';
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
/** Shares at which the bound on the loss is computed. */
const steps = 48;
/** The bound on the expected loss, in its standard errors: 86% one-sided. Every grade that is not there yet widens it; 95% would leave most of what can be saved. */
const z = 1.1;
/** How far an uncertain template is held back among others of the same expected gain, in its standard errors. */
const caution = 0.3;

/** Least standard error of a template's gain: tasks that the router knows lie so far apart in cross-validation. */
const leastSpread = 0.04;

export function spreadOf(uncertainty: number): number {
  return Math.max(leastSpread, uncertainty);
}

/** Grades of a template that stand in for a router that has not seen its kind; and that can say that the strong model is needed. */
const floorGrades = 20;
const verdictGrades = 10;

/** Grades that stand in for a calibration of the pair. */
const calibrationGrades = 100;

/** Bounds of what a request is worth grading, against the mean. */
const leastWorth = 0.25;
const mostWorth = 4;

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
  /** The kind of work. */
  readonly kind: string;
}

interface Seen extends TemplateKey {
  readonly gain: number;
}

/** What was chosen for one request, and why. */
export interface Choice {
  readonly expected: number;
  readonly spread: number;
  readonly threshold: number | null;
  readonly says: Arm | null;
  readonly why: LearningMark['why'];
  /** How much a grade of this request would tell, against the mean request: above 1, more. */
  readonly worth: number;
}

/**
 * Routes one pair of models in one workspace by one threshold on the expected gain: the highest at which the loss over the last requests, by the
 * grades of their templates, keeps the promise with a standard error on top. Every grade narrows that. Some requests are drawn by lot and go to the model that would
 * not have had them, as far as the budget for that reaches.
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
  /** Running mean of what a grade would tell. */
  #meanTold = 0;

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
  choose(template: string, facts: RouterFacts, settings: RoutingSettings, draw: number): Choice {
    const { gain, known, fixed, calibrated, kind } = facts;
    const key: Seen = { template, kind, gain, spread: spreadOf(facts.uncertainty) };
    this.#remember(key, settings);
    const { mean: expected, error } = this.beliefs.expected(key, gain);
    const level = this.beliefs.level();
    const worth = this.#worth(expected, error, settings.maxLoss * level);
    const told = { expected, spread: error, threshold: this.#threshold, worth };
    this.#budget = Math.min(this.#budget + settings.maxLoss * settings.riskShare * level, 50 * settings.maxLoss * level);
    const early = this.#ring.length < windowLeast || (!calibrated && this.beliefs.grades < calibrationGrades);
    const probed = draw < settings.probeShare * worth;
    if (early && !probed) return { ...told, says: null, why: 'prior' };
    const says = early ? null : this.#verdict(key, expected + caution * error, known, fixed);
    if (!probed) return { ...told, says, why: says === null ? 'prior' : 'grades' };
    // Half of the lots go to each model, so that either one's scores are known.
    const probe: Arm = draw < (settings.probeShare * worth) / 2 ? 'weak' : 'strong';
    if (probe === 'weak' && says !== 'weak') {
      const cost = Math.max(0, expected + error);
      if (cost > this.#budget) return { ...told, says, why: 'probe' };
      this.#budget -= cost;
    }
    return { ...told, says: probe, why: 'probe' };
  }

  /** Null where nothing but the router's guess speaks for the strong model: that is no verdict. */
  #verdict({ template }: Seen, index: number, known: boolean, fixed: boolean): Arm | null {
    const grades = this.beliefs.gradesOf(template);
    if ((fixed || known || grades >= floorGrades) && this.#threshold !== null && index <= this.#threshold) return 'weak';
    return fixed || grades >= verdictGrades ? 'strong' : null;
  }

  #remember(seen: Seen, { maxLoss, probeShare, riskShare }: RoutingSettings): void {
    if (this.#ring.length < windowSize) this.#ring.push(seen);
    else this.#ring[this.#next] = seen;
    this.#next = (this.#next + 1) % windowSize;
    this.#sinceComputed++;
    if (this.#sinceComputed < everyRequests && !(this.#stale && this.#sinceComputed >= everyRequests / 8)) return;
    this.#compute(maxLoss * (probeShare === 0 ? 1 : 1 - riskShare));
    this.#sinceComputed = 0;
    this.#stale = false;
  }

  /** What a grade may change is worth most: an uncertain gain close to the threshold. */
  #worth(expected: number, error: number, allowed: number): number {
    const apart = (expected - (this.#threshold ?? allowed)) / error;
    const told = error * Math.exp(-0.5 * apart * apart);
    this.#meanTold += (told - this.#meanTold) / Math.min(256, Math.max(1, this.#ring.length));
    return this.#meanTold === 0 ? 1 : Math.min(mostWorth, Math.max(leastWorth, told / this.#meanTold));
  }

  /** The threshold, over the window. */
  #compute(maxLoss: number): void {
    const beliefs = new Map<string, Deviation>();
    const slope = this.beliefs.spreads().slope;
    const ranked = this.#ring.map((seen) => {
      let one = beliefs.get(seen.template);
      if (one === undefined) beliefs.set(seen.template, (one = this.beliefs.expected(seen, 0)));
      return { seen, index: slope * seen.gain + one.mean + caution * one.error };
    });
    ranked.sort((a, b) => a.index - b.index);
    const allowed = maxLoss * Math.max(0.05, this.beliefs.level()) * ranked.length;
    // The bound is computed at some shares only, and the first that fails ends the search.
    const step = Math.ceil(ranked.length / steps);
    const counts = new Map<string, Counted>();
    this.#threshold = null;
    for (const [at, { seen, index }] of ranked.entries()) {
      const counted = counts.get(seen.template);
      if (counted === undefined) counts.set(seen.template, { ...seen, count: 1 });
      else {
        counted.count++;
        counted.gain += seen.gain;
      }
      if ((at + 1) % step !== 0 && at + 1 < ranked.length) continue;
      const { mean, error } = this.beliefs.total(counts.values());
      if (mean + z * error > allowed) break;
      this.#threshold = index;
    }
  }
}
