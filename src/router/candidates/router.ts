import { Beliefs, type BeliefSettings, type TemplateState } from '../online/beliefs.ts';
import { limits } from '../../lib/limits.ts';
import { shortfall } from './pick.ts';
import { mostCandidates, priceOfQuality, Ring, type WindowRow } from './window.ts';
import type { CandidatePrior, CandidateView, ComparedRequest, Dollars, Objective } from './types.ts';

/** What is assumed before grades tell; docs/learning.md says what each is. Public outcomes of the models themselves are nearer the truth than a router's score. */
export const candidateSettings: BeliefSettings = {
  noise: 0.15,
  pairNoise: 0.08,
  level: 0.8,
  levelError: 0.15,
  levelSpread: 0.15,
  slope: 1,
  slopeError: 0.3,
  split: { template: 0.6, kind: 0.1, pair: 0.3 },
  kindSpread: 0.01,
  halfLifeMs: 14 * 86_400_000,
};

/** Least standard error of what is expected of a model on a template. */
const leastError = 0.01;
/** Grades of a template that stand in for public outcomes of its kind. */
const enoughGrades = 20;
/** Requests between two computations, and after a grade. */
const everyRequests = 64;
/** Grades' worth of the assumed level of the requested model. */
const levelPrior = 7;

export interface CompareSettings {
  readonly objective: Objective;
  /** Share of the requests that is drawn by lot, and of the loss that these may cost; 0: none. */
  readonly probeShare: number;
  readonly riskShare: number;
}

/** Remembered of a request, so that a price can be computed again when grades have come. */
interface Seen {
  readonly request: ComparedRequest;
  readonly requestedUsd: Dollars;
  readonly usd: readonly Dollars[];
}

/**
 * Compares the candidates for requests of one model in one workspace: for each candidate what the requested model gains over it, by template, and over all of them one price of
 * quality, so that the objective is kept over the last requests. In memory; bounded.
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

  /** `kept`: templates by candidate, as they were exported. */
  constructor(kept: ReadonlyMap<string, Map<string, TemplateState>> = new Map()) {
    for (const [model, templates] of kept) this.beliefs.set(model, new Beliefs(candidateSettings, limits.learningTemplates, templates));
  }

  /** Expected score of the requested model. */
  get level(): number {
    return (candidateSettings.level * levelPrior + this.#levelSum) / (levelPrior + this.#levelGrades);
  }

  /** US dollars that a score of 1 is worth; null: too little traffic for one. */
  get price(): number | null {
    return this.#price;
  }

  /** Requests in the window. */
  get seen(): number {
    return this.#ring.rows.length;
  }

  /** What is expected of each candidate of a request. */
  views(request: ComparedRequest): CandidateView[] {
    return request.candidates.map((prior) => this.#viewOf(request, prior));
  }

  /**
   * Draws the lot, by `draw` (0 to below 1): which candidate is tried, so that a grade may tell of it; null: none. `views`: of views(); `random`: more numbers.
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
    // Thompson sampling: a candidate is tried as often as it may be the best one.
    const tried = this.worthTrying(views, random);
    if (tried === null) return null;
    const cost = Math.max(0, views[tried]!.expected + views[tried]!.spread);
    if (cost > this.#budget) return null;
    this.#budget -= cost;
    return tried;
  }

  /** The candidate whose grade may change most: the best one by a draw from what is believed of each; null: there is none. */
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

  /** Remembers a request that was decided, with what each would have cost: requests like it set the price. */
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
   * Learns from one grade. `model`: who answered; null: the requested model. `against`: what the other one of the two got for the same request. True when a template turned
   * out to have changed.
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
    // A grade of the requested model alone says how far any candidate may fall short of it.
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

  /** Over the window. What grades say of a candidate is the same for all requests of a template. */
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

  /** Errors of graded templates are their own; of others they go together by kind, and where nothing is known by model. */
  #shiftOf(request: ComparedRequest, prior: CandidatePrior, cells: Map<string, number>): Shift {
    const { expected, spread, grades, usable } = this.#viewOf(request, prior);
    const slope = this.beliefs.get(prior.model)?.spreads().slope ?? 1;
    const key = grades > 0 ? `${prior.model}\n${request.template}` : request.known ? `${prior.model}\nkind\n${request.kind}` : prior.model;
    let cell = cells.get(key);
    if (cell === undefined) cells.set(key, (cell = cells.size));
    return { shift: expected - slope * prior.gain, slope, spread, usable, cell };
  }
}

/** What is believed of a candidate on a template: expected gain is shift + slope × prior gain. */
interface Shift {
  readonly shift: number;
  readonly slope: number;
  readonly spread: number;
  readonly usable: boolean;
  readonly cell: number;
}

/** A draw from the normal distribution: Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
