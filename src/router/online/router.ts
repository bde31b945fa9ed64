import { Account, addCount } from './account.ts';
import {
  Beliefs,
  deviationAt,
  type BeliefSettings,
  type Counted,
  type Deviation,
  type Line,
  type TemplateKey,
  type TemplateState,
} from './beliefs.ts';
import type { Arm, LearningMark } from './types.ts';

/** Settings for routing one pair of models in one workspace by learnt grades. */
export interface RoutingSettings {
  /** Allowed loss relative to always-strong, 0..1. */
  readonly maxLoss: number;
  /** Share of that loss that probes may cost. */
  readonly riskShare: number;
  /** Share of requests chosen for probing and grading. */
  readonly probeShare: number;
}

/** Largest and smallest number of requests that the threshold is computed over. */
const windowSize = 1_024;
const windowLeast = 128;
/** Requests between two computations; an eighth as many after a grade. */
const everyRequests = 64;
/** Number of shares at which the bound on the loss is computed. */
const steps = 48;
/**
 * The bound on the expected loss, in its standard errors. Every missing grade widens it; 95% would give up most of the possible savings. If
 * the grades show that the router's mean gain is off by `offBy` or more, its assumed errors are unreliable too, and the bound is wider.
 */
const z = { least: 0.9, more: 0.5, offBy: 0.1 };
/**
 * Number of future requests that a threshold is set for, assumed to be like those of the window; and by what multiple of the loss limit
 * these alone may be expected to lose if the past left room.
 */
const ahead = 1_024;
const mostAhead = 2.5;
/** Share of the unused past loss that future requests may use. Past excess loss is made up for in full. */
const credit = 0.5;
/**
 * How much later an uncertain request's turn comes among those of the same expected gain: by its own standard error, and by what its template
 * adds to the error of the total, which grows with its share of the traffic and the square of its error, relative to the allowed loss.
 */
const caution = { own: 0.1, shared: 0.5 };
const leastAllowed = 1e-4;

/** Lower bound on the standard error of a template's gain: the spread of known tasks in cross-validation. */
const leastSpread = 0.04;

export function spreadOf(uncertainty: number): number {
  return Math.max(leastSpread, uncertainty);
}

/** Grades of a template that replace a router that has not seen its kind; and that suffice to show that the strong model is needed. */
const floorGrades = 5;
const verdictGrades = 10;
/**
 * From how many grades of a template on the router's own calibration can be overruled: if the gain may be higher, by this many standard
 * errors, than both the threshold and what the router expected. Where most answers were graded alone, the gain that the router misses must
 * be that much above zero: such grades tell so little that a doubt would overrule it everywhere.
 */
const contrary = { grades: 3, errors: 0.5 };

/** Grades that replace a calibration of the pair. */
const calibrationGrades = 100;

/**
 * From which share of the threshold on a grade is worth less, and how fast its worth falls with the square of the distance in standard errors:
 * grades are for the templates that go to the weak model or nearly do.
 */
const focus = { from: 0.6, sharpness: 1.5 };

/** Bounds on the worth of grading a request, relative to the mean. */
const leastWorth = 0.1;
const mostWorth = 4;

/** The router's prediction for a request. */
export interface RouterFacts {
  /** Expected gain of the stronger model. */
  readonly gain: number;
  /** Standard error of the gain. */
  readonly uncertainty: number;
  /** Whether the router has seen similar requests. */
  readonly known: boolean;
  /** Whether the router's own threshold sends it to the weak model. */
  readonly fixed: boolean;
  /** Whether this pair of models has measured outcomes. */
  readonly calibrated: boolean;
  /** Kind of work. */
  readonly kind: string;
}

interface Seen extends TemplateKey {
  readonly gain: number;
}

/** The choice for one request, and the reason. */
export interface Choice {
  readonly expected: number;
  readonly spread: number;
  readonly index: number;
  readonly threshold: number | null;
  readonly says: Arm | null;
  readonly why: LearningMark['why'];
  /** How informative a grade of this request is, relative to the mean request: above 1 for more. */
  readonly worth: number;
}

/**
 * Routes one pair of models in one workspace by one threshold on the expected gain: the highest at which the loss over the last requests,
 * by the grades of their templates, stays within the limit with a margin of standard errors. Every grade narrows the margin. Some requests
 * are chosen at random and go to the model that would not have received them, as far as the budget for probes allows.
 */
export class PairRouter {
  readonly beliefs: Beliefs;
  readonly #ring: Seen[] = [];
  #next = 0;
  #sinceComputed = 0;
  #threshold: number | null = null;
  /** Allowed loss per request at the last computation, in scores. */
  #allowed = leastAllowed;
  #stale = true;
  /** Expected loss that probes may still use, in scores. */
  #budget = 0;
  /** Running means of how informative a grade is, and of that value relative to its mean within the bounds. */
  #meanTold = 0;
  #meanWorth = 1;
  /** Requests of the window by template. */
  readonly #shares = new Map<string, number>();
  readonly #account = new Account();

  constructor(settings: BeliefSettings, mostTemplates: number, templates?: Map<string, TemplateState>) {
    this.beliefs = new Beliefs(settings, mostTemplates, templates);
  }

  /** Call when a grade has arrived. */
  changed(): void {
    this.#stale = true;
  }

  /** Requests in the window. */
  get seen(): number {
    return this.#ring.length;
  }

  /** The last computed threshold; null if none keeps the loss limit or there was too little traffic. */
  get threshold(): number | null {
    return this.#threshold;
  }

  /** Chooses for a request and remembers it. `draw`: a number from 0 to below 1. */
  choose(template: string, facts: RouterFacts, settings: RoutingSettings, draw: number): Choice {
    const key: Seen = { template, kind: facts.kind, gain: facts.gain, spread: spreadOf(facts.uncertainty) };
    this.#remember(key, settings);
    const choice = this.#chosen(key, facts, settings, draw);
    // Without a verdict the router's own choice is used; further effects of the policy are unknown here.
    this.#account.add(key, key.gain, (choice.says ?? (facts.fixed ? 'weak' : 'strong')) === 'weak');
    return choice;
  }

  #chosen(key: Seen, facts: RouterFacts, settings: RoutingSettings, draw: number): Choice {
    const { gain, calibrated } = facts;
    const { mean: expected, error } = this.beliefs.expected(key, gain);
    const level = this.beliefs.level();
    const worth = this.#worth(key.template, expected, error, settings.maxLoss * level);
    const index = this.#index(key.template, { mean: expected, error });
    const told = { expected, spread: error, index, threshold: this.#threshold, worth };
    this.#budget = Math.min(this.#budget + settings.maxLoss * settings.riskShare * level, 50 * settings.maxLoss * level);
    const early = this.#ring.length < windowLeast || (!calibrated && this.beliefs.grades < calibrationGrades);
    const probed = draw < settings.probeShare * worth;
    if (early && !probed) return { ...told, says: null, why: 'prior' };
    const alone: Arm = facts.fixed ? 'weak' : 'strong';
    const says = early ? null : this.#verdict(key, index, facts, { mean: expected, error });
    if (!probed) return { ...told, says, why: says === null ? 'prior' : 'grades' };
    // Half of the probes go to each model, so that both models' scores are known.
    const probe: Arm = draw < (settings.probeShare * worth) / 2 ? 'weak' : 'strong';
    if (probe === 'weak' && (says ?? alone) !== 'weak') {
      const cost = Math.max(0, expected + error);
      if (cost > this.#budget) return { ...told, says, why: 'probe' };
      this.#budget -= cost;
    }
    return { ...told, says: probe, why: 'probe' };
  }

  /** The order in which requests are given to the weak model: the expected gain, raised for uncertainty. */
  #index(template: string, { mean, error }: Deviation): number {
    const share = (this.#shares.get(template) ?? 1) / this.#ring.length;
    return mean + caution.own * error + (caution.shared * share * error * error) / this.#allowed;
  }

  /**
   * Null, which is no verdict, if only the router's guess favours the strong model, or if the router's own calibration favours the weak one
   * and the grades do not speak against it: learning without grades takes no savings away.
   */
  #verdict({ template, gain, spread }: Seen, index: number, { known, fixed }: RouterFacts, { mean, error }: Deviation): Arm | null {
    const grades = this.beliefs.gradesOf(template);
    if ((fixed || known || grades >= floorGrades) && this.#threshold !== null && index <= this.#threshold) return 'weak';
    if (!fixed) return grades >= verdictGrades ? 'strong' : null;
    if (grades < contrary.grades) return null;
    const needed = Math.max(this.#threshold ?? 0, gain);
    if (this.beliefs.paired(template)) return mean + contrary.errors * error > needed ? 'strong' : null;
    const missed = this.beliefs.missed(template, spread);
    return gain + missed.mean - contrary.errors * missed.error > needed ? 'strong' : null;
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

  /**
   * A grade is worth most where it may change a decision: for an uncertain gain of a template with many requests that goes to the weak
   * model or might.
   */
  #worth(template: string, expected: number, error: number, allowed: number): number {
    const above = Math.max(0, expected - focus.from * (this.#threshold ?? allowed)) / error;
    const told = Math.sqrt(this.#shares.get(template) ?? 1) * error * Math.exp(-focus.sharpness * above * above);
    const weight = Math.min(256, Math.max(1, this.#ring.length));
    this.#meanTold += (told - this.#meanTold) / weight;
    if (this.#meanTold === 0) return 1;
    const worth = Math.min(mostWorth, Math.max(leastWorth, told / this.#meanTold));
    // Corrects for the bounds, which would otherwise change the total number of graded requests.
    this.#meanWorth += (worth - this.#meanWorth) / weight;
    return Math.min(mostWorth, worth / this.#meanWorth);
  }

  /** Computes the threshold over the window, given the loss of earlier requests. */
  #compute(maxLoss: number): void {
    const level = Math.max(0.05, this.beliefs.level());
    this.#allowed = Math.max(leastAllowed, maxLoss * level);
    const ranked = this.#ranked();
    const past = this.#account.settle();
    const scale = ahead / ranked.length;
    const bound = z.least + z.more * Math.min(1, Math.abs(this.beliefs.pair().mean) / z.offBy);
    const keeps = (counts: ReadonlyMap<string, Counted>, most: number): boolean => {
      const { mean, error } = this.beliefs.total(counts.values());
      return mean + bound * error <= most;
    };
    // The bound is computed only at some shares, and the first failure ends the search.
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

  /** The window in order of expected gain, lowest first, with uncertain ones ranked lower. Also counts it by template. */
  #ranked(): { readonly seen: Seen; readonly index: number }[] {
    const lines = new Map<string, Line>();
    this.#shares.clear();
    for (const { template } of this.#ring) this.#shares.set(template, (this.#shares.get(template) ?? 0) + 1);
    const ranked = this.#ring.map((seen) => {
      let line = lines.get(seen.template);
      if (line === undefined) lines.set(seen.template, (line = this.beliefs.line(seen)));
      return { seen, index: this.#index(seen.template, deviationAt(line, seen.gain)) };
    });
    return ranked.sort((a, b) => a.index - b.index);
  }
}
