import { Beliefs, type BeliefSettings, type TemplateState } from './beliefs.ts';
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
/** z of the one-sided bound on the expected loss: 95%. */
const z95 = 1.645;
/** How far an uncertain template is held back among others of the same expected gain, in its standard errors. */
const caution = 0.5;

interface Seen {
  readonly template: string;
  readonly gain: number;
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
 * Routes one pair of models in one workspace. The threshold on the expected gain is the highest one at which the loss over the last requests keeps the
 * promise with 95% confidence, by what the grades say of their templates: with every grade the bound comes nearer, and the threshold rises.
 * Some requests are drawn by lot and go to the model that would not have had them, as far as the budget for that reaches.
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

  /** `gain`: the router's. `draw`: a number from 0 to below 1. Remembers the request. */
  choose(template: string, gain: number, settings: RoutingSettings, draw: number): Choice {
    const seen: Seen = { template, gain };
    if (this.#ring.length < windowSize) this.#ring.push(seen);
    else this.#ring[this.#next] = seen;
    this.#next = (this.#next + 1) % windowSize;
    this.#sinceComputed++;
    if (this.#sinceComputed >= everyRequests || (this.#stale && this.#sinceComputed >= everyRequests / 8)) {
      this.#threshold = this.#computed(settings.maxLoss, 1 - settings.riskShare);
      this.#sinceComputed = 0;
      this.#stale = false;
    }
    const { mean, error } = this.beliefs.deviation(template);
    const expected = gain + mean;
    const facts = { expected, spread: error, threshold: this.#threshold };
    const level = this.beliefs.level().mean;
    this.#budget = Math.min(this.#budget + settings.maxLoss * settings.riskShare * level, 50 * settings.maxLoss * level);
    if (this.#ring.length < windowLeast) return { ...facts, says: null, why: 'prior' };
    const says: Arm = this.#threshold !== null && expected + caution * error <= this.#threshold ? 'weak' : 'strong';
    if (draw >= settings.probeShare) return { ...facts, says, why: 'grades' };
    // Half of the lots go to each model, so that either one's scores are known.
    const probe: Arm = draw < settings.probeShare / 2 ? 'weak' : 'strong';
    if (probe === 'weak' && says === 'strong') {
      const cost = Math.max(0, expected + error);
      if (cost > this.#budget) return { ...facts, says, why: 'probe' };
      this.#budget -= cost;
    }
    return { ...facts, says: probe, why: 'probe' };
  }

  /** The highest threshold whose expected loss over the window keeps within a share of `maxLoss` with confidence; null: none. */
  #computed(maxLoss: number, share: number): number | null {
    const errors = new Map<string, { mean: number; error: number }>();
    const ranked = this.#ring.map(({ template, gain }) => {
      let one = errors.get(template);
      if (one === undefined) errors.set(template, (one = this.beliefs.deviation(template)));
      return { template, gain, index: gain + one.mean + caution * one.error };
    });
    ranked.sort((a, b) => a.index - b.index);
    const allowed = share * maxLoss * Math.max(0.05, this.beliefs.level().mean) * ranked.length;
    // The bound is computed at some shares only, and the first one that fails ends the search.
    const step = Math.ceil(ranked.length / 64);
    const counts = new Map<string, number>();
    let gains = 0;
    let best: number | null = null;
    for (const [at, { template, gain, index }] of ranked.entries()) {
      counts.set(template, (counts.get(template) ?? 0) + 1);
      gains += gain;
      if ((at + 1) % step !== 0 && at + 1 < ranked.length) continue;
      const { mean, error } = this.beliefs.total(counts);
      if (gains + mean + z95 * error > allowed) break;
      best = index;
    }
    return best;
  }
}
