import { textFeatures } from '../../classify/features.ts';
import { OutputTokens } from '../output/tokens.ts';
import type { OutcomeRow } from '../quality/outcomes.ts';
import type { QualityModel } from '../quality/model.ts';
import { seeded } from '../training/random.ts';
import { pickCandidate } from './pick.ts';
import { CandidateRouter, type CompareSettings } from './router.ts';
import type { CandidatePrior, ComparedRequest, Objective } from './types.ts';

/** US dollars per million tokens. */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
}

export interface CompareOptions {
  readonly quality: QualityModel;
  /** Prices of the compared models, including the requested one. */
  readonly prices: ReadonlyMap<string, ModelPrice>;
  readonly requested: string;
  readonly objective: Objective;
  readonly seeds: number;
  readonly requests: number;
  /** Requests before anything is measured. */
  readonly warmup: number;
  /** Share of requests whose answers are graded; with 0, only public outcomes decide. */
  readonly graded: number;
  /**
   * `both`: grades the served answer and the requested model's; when they are the same, also a candidate worth trying. `served`: grades
   * only the served answer.
   */
  readonly grades: 'served' | 'both';
}

/** Result of one stream, after the warm-up. */
export interface CompareResult {
  readonly seed: number;
  /** Relative to always using the requested model. */
  readonly cost: number;
  readonly loss: number;
  /** Largest loss of any 500 requests in a row. */
  readonly worstWindow: number;
  /** Share of the requests by model. */
  readonly shares: ReadonlyMap<string, number>;
  readonly graded: number;
}

/** A row prepared for drawing; its expectations never change. */
interface Prepared {
  readonly request: ComparedRequest;
  readonly row: OutcomeRow;
  readonly promptTokens: number;
  /** Output tokens from the public rows: the candidates, then the requested model; null when the rows do not say. */
  readonly tokens: readonly (number | null)[];
}

const charactersPerToken = 4;
const windowSize = 500;
/** Output tokens assumed when unknown. */
export const assumedTokens = 300;

/**
 * Replays rows as traffic, drawn with equal probability, through the comparison. Deterministic by seed. The data set of a row is used as
 * its template.
 */
export function simulateCompare(rows: readonly OutcomeRow[], options: CompareOptions): CompareResult[] {
  const { quality, prices, requested } = options;
  const models = [...prices.keys()].filter((model) => model !== requested);
  const strong = quality.indexOf(requested);
  const prepared = rows.map((row): Prepared => {
    const view = quality.view(textFeatures(row.prompt).tokens);
    const candidates = models.map((model): CandidatePrior => ({
      model,
      ...quality.gain(view, quality.indexOf(model), strong),
      measured: strong !== -1 && quality.indexOf(model) !== -1,
    }));
    return {
      row,
      request: { template: row.kind, kind: row.kind, known: view.known >= 0.5, candidates },
      promptTokens: Math.ceil(row.prompt.length / charactersPerToken),
      tokens: [...models, requested].map((model) => quality.tokens(view, quality.indexOf(model))),
    };
  });
  return Array.from({ length: options.seeds }, (_, at) => stream(prepared, models, options, at + 1));
}

function stream(rows: readonly Prepared[], models: readonly string[], options: CompareOptions, seed: number): CompareResult {
  const { prices, requested, objective, requests, warmup, graded, grades } = options;
  const random = seeded(seed * 7_919);
  const lots = seeded(seed * 104_729);
  const router = new CandidateRouter();
  const outputs = new OutputTokens();
  const settings: CompareSettings = { objective, probeShare: grades === 'served' ? graded : 0, riskShare: 0.15 };
  const shares = new Map<string, number>();
  const losses: number[] = [];
  const bests: number[] = [];
  let gradedRequests = 0;
  let spent = 0;
  let baseline = 0;
  let lost = 0;
  let best = 0;
  for (let i = 0; i < requests; i++) {
    const { row, request, promptTokens, tokens } = rows[Math.floor(random() * rows.length)]!;
    const key = { template: request.template, kind: request.kind, units: row.prompt.length };
    const estimate = (model: string, at: number): number => {
      const assumed = tokens[at] ?? assumedTokens;
      return costOf(prices.get(model)!, promptTokens, outputs.expected(model, key, assumed)?.tokens ?? assumed);
    };
    const requestedUsd = estimate(requested, models.length);
    // As by default in a policy: no candidate that costs more than the requested model.
    const usd = models.map(estimate).map((amount) => (amount > requestedUsd ? NaN : amount));
    const views = router.views(request);
    const probe = settings.probeShare === 0 ? null : router.probe(views, settings, lots(), lots);
    const picked =
      probe ?? pickCandidate({ objective, usdPerScore: router.price, level: router.level, requestedUsd, candidates: views, usd });
    router.remember(request, requestedUsd, usd, settings);
    const model = picked === -1 ? requested : models[picked]!;
    const score = row.scores.get(model)!;
    const strong = row.scores.get(requested)!;
    const expected = tokens[picked === -1 ? models.length : picked] ?? assumedTokens;
    outputs.observe(model, key, expected, row.outputTokens.get(model) ?? assumedTokens, 0);
    if (grades === 'served' ? probe !== null || (picked === -1 && lots() < graded / 2) : graded > 0 && random() < graded) {
      gradedRequests++;
      const other = picked === -1 && grades === 'both' ? router.worthTrying(views, lots) : picked;
      const prior = other === null || other === -1 ? null : request.candidates[other]!;
      const own = prior === null ? strong : row.scores.get(prior.model)!;
      router.observe(request, prior, {
        score: own,
        against: prior !== null && grades === 'both' ? strong : null,
        weight: 1,
        time: i,
        others: request.candidates,
      });
    }
    losses.push(strong - score);
    bests.push(strong);
    if (i < warmup) continue;
    shares.set(model, (shares.get(model) ?? 0) + 1 / (requests - warmup));
    spent += paid(row, model, promptTokens, prices);
    baseline += paid(row, requested, promptTokens, prices);
    lost += strong - score;
    best += strong;
  }
  return { seed, cost: spent / baseline, loss: lost / best, worstWindow: worst(losses, bests), shares, graded: gradedRequests / requests };
}

function paid(row: OutcomeRow, model: string, promptTokens: number, prices: CompareOptions['prices']): number {
  return costOf(prices.get(model)!, promptTokens, row.outputTokens.get(model) ?? assumedTokens);
}

function costOf(
  { input, output }: { readonly input: number; readonly output: number },
  promptTokens: number,
  outputTokens: number,
): number {
  return (promptTokens * input + outputTokens * output) / 1e6;
}

function worst(losses: readonly number[], bests: readonly number[]): number {
  let lost = 0;
  let best = 0;
  let most = -Infinity;
  for (let i = 0; i < losses.length; i++) {
    lost += losses[i]! - (i >= windowSize ? losses[i - windowSize]! : 0);
    best += bests[i]! - (i >= windowSize ? bests[i - windowSize]! : 0);
    if (i >= windowSize - 1 && best > 0) most = Math.max(most, lost / best);
  }
  return most;
}
