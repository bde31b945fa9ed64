import { Account, addCount } from './account.ts';
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
/**
 * The bound on the expected loss, in its standard errors. Every grade that is not there yet widens it; 95% would leave most of what can be saved. Where the grades say that the
 * router's mean gain is off by `offBy` or more, what is assumed of its errors is off as well, and the bound is wider.
 */
const z = { least: 0.9, more: 0.5, offBy: 0.1 };
/** Requests to come that a threshold is set for, as if they were like those of the window; and how many times the promise these alone may be expected to lose, where the past left room. */
const ahead = 1_024;
const mostAhead = 2.5;
/** Share of what the past left of its promise that requests to come may lose. What it lost too much is made up for in full. */
const credit = 0.5;
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
const leastWorth = 0.1;
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
  /** Running means of what a grade would tell, and of that against its mean within the bounds. */
  #meanTold = 0;
  #meanWorth = 1;
  /** Requests of the window by template. */
  readonly #shares = new Map<string, number>();
  readonly #account = new Account();

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
    const key: Seen = { template, kind: facts.kind, gain: facts.gain, spread: spreadOf(facts.uncertainty) };
    this.#remember(key, settings);
    const choice = this.#chosen(key, facts, settings, draw);
    // Without a verdict the router's own counts; what else a policy makes of it is not known here.
    this.#account.add(key, key.gain, (choice.says ?? (facts.fixed ? 'weak' : 'strong')) === 'weak');
    return choice;
  }

  #chosen(key: Seen, { gain, known, fixed, calibrated }: RouterFacts, settings: RoutingSettings, draw: number): Choice {
    const { mean: expected, error } = this.beliefs.expected(key, gain);
    const level = this.beliefs.level();
    const worth = this.#worth(key.template, expected, error, settings.maxLoss * level);
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

  /** A grade is worth most where it may change something: an uncertain gain, of a template with many requests, that goes to the weak model or might. */
  #worth(template: string, expected: number, error: number, allowed: number): number {
    const above = Math.max(0, expected - (this.#threshold ?? allowed)) / error;
    const told = Math.sqrt(this.#shares.get(template) ?? 1) * error * Math.exp(-0.5 * above * above);
    const weight = Math.min(256, Math.max(1, this.#ring.length));
    this.#meanTold += (told - this.#meanTold) / weight;
    if (this.#meanTold === 0) return 1;
    const worth = Math.min(mostWorth, Math.max(leastWorth, told / this.#meanTold));
    // The bounds would change how many are graded in all.
    this.#meanWorth += (worth - this.#meanWorth) / weight;
    return Math.min(mostWorth, worth / this.#meanWorth);
  }

  /** The threshold, over the window, by what the requests before it have lost. */
  #compute(maxLoss: number): void {
    const ranked = this.#ranked();
    const past = this.#account.settle();
    const scale = ahead / ranked.length;
    const level = Math.max(0.05, this.beliefs.level());
    const bound = z.least + z.more * Math.min(1, Math.abs(this.beliefs.pair().mean) / z.offBy);
    const keeps = (counts: ReadonlyMap<string, Counted>, most: number): boolean => {
      const { mean, error } = this.beliefs.total(counts.values());
      return mean + bound * error <= most;
    };
    // The bound is computed at some shares only, and the first that fails ends the search.
    const step = Math.ceil(ranked.length / steps);
    const coming = new Map<string, Counted>();
    const all = new Map<string, Counted>();
    for (const one of past) addCount(all, one, one.count, one.gain);
    const lost = this.beliefs.total(all.values());
    const left = maxLoss * level * this.#account.requests - lost.mean - bound * lost.error;
    const allowed = maxLoss * level * (ahead + this.#account.requests) - (1 - credit) * Math.max(0, left);
    this.#threshold = null;
    for (const [at, { seen, index }] of ranked.entries()) {
      addCount(coming, seen, scale, scale * seen.gain);
      addCount(all, seen, scale, scale * seen.gain);
      if ((at + 1) % step !== 0 && at + 1 < ranked.length) continue;
      if (!keeps(all, allowed) || !keeps(coming, mostAhead * maxLoss * level * ahead)) break;
      this.#threshold = index;
    }
  }

  /** The window, the lowest expected gain first, an uncertain one held back. Counts it by template. */
  #ranked(): { readonly seen: Seen; readonly index: number }[] {
    const beliefs = new Map<string, Deviation>();
    const { slope } = this.beliefs.spreads();
    this.#shares.clear();
    const ranked = this.#ring.map((seen) => {
      let one = beliefs.get(seen.template);
      if (one === undefined) beliefs.set(seen.template, (one = this.beliefs.expected(seen, 0)));
      this.#shares.set(seen.template, (this.#shares.get(seen.template) ?? 0) + 1);
      return { seen, index: slope * seen.gain + one.mean + caution * one.error };
    });
    return ranked.sort((a, b) => a.index - b.index);
  }
}
