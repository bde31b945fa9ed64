import { Beliefs, type BeliefSettings, type TemplateState } from '../online/beliefs.ts';
import { limits } from '../../lib/limits.ts';
import { shortfall } from './pick.ts';
import { mostCandidates, priceOfQuality, Ring, type WindowRow } from './window.ts';
import type { CandidatePrior, CandidateView, ComparedRequest, Dollars, Objective } from './types.ts';

/**
 * Priors before there are grades; docs/learning.md explains each. Public outcomes of the models themselves are more accurate than a
 * router's score.
 */
const candidateSettings: BeliefSettings = {
  noise: 0.15,
  pairNoise: 0.08,
  level: 0.8,
  levelError: 0.15,
  levelSpread: 0.15,
  slope: 1,
  slopeError: 0.3,
  between: 1,
  betweenError: 0.3,
  split: { template: 0.6, kind: 0.1, pair: 0.3 },
  kindSpread: 0.01,
  halfLifeMs: 14 * 86_400_000,
};

/** Lower bound on the standard error of a model's expected gain on a template. */
const leastError = 0.01;
/** Number of grades of a template that replace public outcomes of its kind. */
const enoughGrades = 20;
/** Requests between two price computations; half as many after a grade. */
const everyRequests = 64;
/** Weight of the assumed level of the requested model, in grades. */
const levelPrior = 7;

export interface CompareSettings {
  readonly objective: Objective;
  /** Share of requests chosen at random as probes, and share of the allowed loss that they may cost; 0 disables probes. */
  readonly probeShare: number;
  readonly riskShare: number;
}

/** What is remembered of a request, so that the price can be recomputed when grades arrive. */
interface Seen {
  readonly request: ComparedRequest;
  readonly requestedUsd: Dollars;
  readonly usd: readonly Dollars[];
}

/**
 * Compares the candidates for requests of one model in one workspace. Keeps, by candidate and template, how much the requested model gains,
 * and one price of quality that keeps the objective over the last requests. In memory; bounded.
 */
export class CandidateRouter {
  /** By candidate. */
  readonly beliefs = new Map<string, Beliefs>();
  readonly #ring = new Ring<Seen>();
  #price: number | null = null;
  #sinceComputed = 0;
  #stale = true;
  #budget = 0;
  #levelSum = 0;
  #levelGrades = 0;

  /** `kept`: exported templates by candidate. */
  constructor(kept: ReadonlyMap<string, Map<string, TemplateState>> = new Map()) {
    for (const [model, templates] of kept) this.beliefs.set(model, new Beliefs(candidateSettings, limits.learningTemplates, templates));
  }

  /** Expected score of the requested model. */
  get level(): number {
    return (candidateSettings.level * levelPrior + this.#levelSum) / (levelPrior + this.#levelGrades);
  }

  /** US dollars that a score of 1 is worth; null when there is too little traffic. */
  get price(): number | null {
    return this.#price;
  }

  /** Requests in the window. */
  get seen(): number {
    return this.#ring.rows.length;
  }

  /** The expected result of each candidate for a request. */
  views(request: ComparedRequest): CandidateView[] {
    return request.candidates.map((prior) => this.#viewOf(request, prior));
  }

  /**
   * Decides at random, by `draw` (0 to below 1), whether to probe, and which candidate, so that it is graded; null if no probe. `views`:
   * the result of views(); `random`: source of more numbers.
   */
  probe(
    views: readonly CandidateView[],
    { objective, probeShare, riskShare }: CompareSettings,
    draw: number,
    random: () => number,
  ): number | null {
    const allowed = (objective.kind === 'loss' ? objective.maxLoss : 0.02) * this.level;
    this.#budget = Math.min(this.#budget + allowed * riskShare, 50 * allowed);
    if (draw >= probeShare) return null;
    // Thompson sampling: try a candidate as often as it is likely to be the best.
    const tried = this.worthTrying(views, random);
    if (tried === null) return null;
    const cost = Math.max(0, views[tried]!.expected + views[tried]!.spread);
    if (cost > this.#budget) return null;
    this.#budget -= cost;
    return tried;
  }

  /** The candidate whose grade may change the most: the best one by a random draw from each belief; null if there is none. */
  worthTrying(views: readonly CandidateView[], random: () => number): number | null {
    let best: number | null = null;
    let least = Infinity;
    const last = this.#ring.rows.at(-1);
    const unit = last === undefined || Number.isNaN(last.requestedUsd) ? 1 : last.requestedUsd;
    for (const [at, { expected, spread }] of views.entries()) {
      const usd = last?.usd[at];
      if (usd !== undefined && (Number.isNaN(usd) || usd > unit)) continue;
      const total = (usd ?? 0) / unit + ((this.#price ?? unit) / unit) * (expected + spread * normal(random));
      if (total < least) {
        least = total;
        best = at;
      }
    }
    return best;
  }

  /** Remembers a decided request and what each candidate would have cost, so that similar requests set the price. */
  remember(
    request: ComparedRequest,
    requestedUsd: Dollars,
    usd: readonly Dollars[],
    { objective, probeShare, riskShare }: CompareSettings,
  ): void {
    if (Number.isNaN(requestedUsd)) return;
    this.#ring.add({ request, requestedUsd, usd });
    this.#sinceComputed++;
    if (!this.#ring.enough || (this.#sinceComputed < everyRequests && !(this.#stale && this.#sinceComputed >= everyRequests / 2))) return;
    this.#sinceComputed = 0;
    this.#stale = false;
    this.#compute(objective.kind === 'loss' && probeShare > 0 ? { kind: 'loss', maxLoss: objective.maxLoss * (1 - riskShare) } : objective);
  }

  /**
   * Learns from one grade. `model`: who answered; null for the requested model. `against`: the grade of the other of the two for the same
   * request. Returns true if this showed that a template has changed.
   */
  observe(
    { template, kind }: Pick<ComparedRequest, 'template' | 'kind'>,
    prior: CandidatePrior | null,
    grade: {
      readonly score: number;
      readonly against: number | null;
      readonly weight: number;
      readonly time: number;
      readonly others: readonly CandidatePrior[];
    },
  ): boolean {
    this.#stale = true;
    const { score, against, weight, time } = grade;
    const strong = prior === null ? score : against;
    if (strong !== null) {
      this.#levelSum += weight * strong;
      this.#levelGrades += weight;
    }
    if (prior !== null)
      return this.#beliefsOf(prior.model).observe(
        { template, kind, spread: Math.max(leastError, prior.error) },
        { arm: 'weak', gain: prior.gain, score, against, weight, time },
      );
    // A grade of the requested model alone bounds how far any candidate may fall short of it.
    for (const other of grade.others)
      this.#beliefsOf(other.model).observe(
        { template, kind, spread: Math.max(leastError, other.error) },
        { arm: 'strong', gain: other.gain, score, against: null, weight, time },
      );
    return false;
  }

  #viewOf({ template, kind, known }: ComparedRequest, prior: CandidatePrior): CandidateView {
    const beliefs = this.beliefs.get(prior.model);
    const error = Math.max(leastError, prior.error);
    if (beliefs === undefined) return { ...prior, expected: prior.gain, spread: error, grades: 0, usable: known && prior.measured };
    const grades = beliefs.pairedOf(template);
    const { mean, error: spread } = beliefs.expected({ template, kind, spread: error }, prior.gain);
    return { ...prior, expected: mean, spread, grades, usable: (known && prior.measured) || grades >= enoughGrades };
  }

  #beliefsOf(model: string): Beliefs {
    let beliefs = this.beliefs.get(model);
    if (beliefs === undefined) {
      if (this.beliefs.size >= limits.comparedModels) this.beliefs.delete(this.beliefs.keys().next().value ?? '');
      this.beliefs.set(model, (beliefs = new Beliefs(candidateSettings, limits.learningTemplates)));
    }
    return beliefs;
  }

  /** Recomputes the price over the window. What grades say about a candidate is the same for all requests of a template. */
  #compute(objective: Objective): void {
    const templates = new Map<string, Map<string, Shift>>();
    const cells = new Map<string, number>();
    const rows: WindowRow[] = this.#ring.rows.map(({ request, requestedUsd, usd }) => {
      const key = request.known ? request.template : `${request.template}\nunknown`;
      let shifts = templates.get(key);
      if (shifts === undefined) templates.set(key, (shifts = new Map<string, Shift>()));
      const count = Math.min(mostCandidates, request.candidates.length);
      const row = {
        requestedUsd,
        count,
        usd: new Float64Array(count),
        expected: new Float64Array(count),
        short: new Float64Array(count),
        error: new Float64Array(count),
        cell: new Int32Array(count),
      };
      for (let at = 0; at < count; at++) {
        const prior = request.candidates[at]!;
        let one = shifts.get(prior.model);
        if (one === undefined) shifts.set(prior.model, (one = this.#shiftOf(request, prior, cells)));
        const expected = one.shift + one.slope * prior.gain;
        row.usd[at] = one.usable ? usd[at]! : NaN;
        row.expected[at] = expected;
        row.short[at] = shortfall({ expected, spread: one.spread });
        row.error[at] = one.spread;
        row.cell[at] = one.cell;
      }
      return row;
    });
    this.#price = priceOfQuality(rows, objective, this.level, cells.size);
  }

  /** Errors of graded templates are independent. Errors of other templates are shared by kind, or by model when the kind is unknown. */
  #shiftOf(request: ComparedRequest, prior: CandidatePrior, cells: Map<string, number>): Shift {
    const { expected, spread, grades, usable } = this.#viewOf(request, prior);
    const slope = this.beliefs.get(prior.model)?.spreads().slope ?? 1;
    const key = grades > 0 ? `${prior.model}\n${request.template}` : request.known ? `${prior.model}\nkind\n${request.kind}` : prior.model;
    let cell = cells.get(key);
    if (cell === undefined) cells.set(key, (cell = cells.size));
    return { shift: expected - slope * prior.gain, slope, spread, usable, cell };
  }
}

/** Belief about a candidate on a template: expected gain is shift + slope × prior gain. */
interface Shift {
  readonly shift: number;
  readonly slope: number;
  readonly spread: number;
  readonly usable: boolean;
  readonly cell: number;
}

/** A draw from the normal distribution (Box–Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
