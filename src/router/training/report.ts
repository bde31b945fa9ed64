import {
  apgr,
  atLoss,
  atThreshold,
  calibrationError,
  callsFor,
  curve,
  relativeGap,
  reliability,
  type CurvePoint,
  type ReliabilityBin,
  type Scored,
} from './metrics.ts';
import { seeded } from './random.ts';

/** A row of a report: the router's gain, both outcomes, and the inputs of simple rules. */
export interface ReportRow extends Scored {
  readonly source: string;
  readonly prompt: string;
  readonly abstain: boolean;
}

interface RouterLine {
  readonly name: string;
  readonly apgr: number;
  /** Shares of strong calls that keep half and four fifths of the gap. */
  readonly cpt50: number;
  readonly cpt80: number;
  /** Null if the scores are not gains in the unit of scores. */
  readonly ece: number | null;
  readonly weakShareAt1: number;
  readonly weakShareAt3: number;
  /** At 101 shares of weak calls, 0 to 1: share of the gap that is kept. */
  readonly kept: readonly number[];
}

interface SourceLine {
  readonly source: string;
  readonly rows: number;
  readonly gap: number;
  readonly apgr: number;
  readonly weakShareAt1: number;
  readonly weakShareAt3: number;
  readonly abstained: number;
}

export interface Report {
  readonly title: string;
  readonly rows: number;
  /** Relative gap of the pair. */
  readonly gap: number;
  readonly weakScore: number;
  readonly strongScore: number;
  readonly abstained: number;
  readonly routers: readonly RouterLine[];
  readonly sources: readonly SourceLine[];
  readonly reliability: readonly ReliabilityBin[];
  /** Savings of the router's curve with a pair of another gap. */
  readonly byGap: readonly { readonly gap: number; readonly weakShareAt1: number; readonly weakShareAt3: number }[];
  /** A fixed threshold and its result; abstentions go to the strong model. Null if no threshold was given. */
  readonly threshold: { readonly threshold: number; readonly weakShare: number; readonly loss: number } | null;
}

/** Words that rule-based routers commonly use. */
const reasoningWords = /\b(?:why|explain|compare|prove|analy[sz]e|design|step by step|evaluate|derive|implement|architect)\b/i;

const gaps = [0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45];

/** All figures for scores on labelled rows, with simple rules and the oracle for comparison. */
export function report(title: string, rows: readonly ReportRow[], threshold: number | null): Report {
  const random = seeded(1);
  const scoredBy = (score: (row: ReportRow) => number): Scored[] =>
    rows.map((row) => ({ score: score(row), weak: row.weak, strong: row.strong }));
  const mean = (of: (row: ReportRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const sources = [...new Set(rows.map(({ source }) => source))].map((source) => rows.filter((row) => row.source === source));
  const points = curve(rows);
  return {
    title,
    rows: rows.length,
    gap: relativeGap(rows),
    weakScore: mean(({ weak }) => weak),
    strongScore: mean(({ strong }) => strong),
    abstained: mean(({ abstain }) => (abstain ? 1 : 0)),
    routers: [
      line('this router', rows, true),
      line(
        'longer is harder',
        scoredBy(({ prompt }) => prompt.length),
        false,
      ),
      line(
        'keyword rule',
        scoredBy(({ prompt }) => (reasoningWords.test(prompt) ? 1e6 : 0) + prompt.length),
        false,
      ),
      line(
        'random',
        scoredBy(() => random()),
        false,
      ),
      line(
        'always weak or always strong',
        scoredBy(() => 0),
        false,
      ),
      line(
        'oracle',
        scoredBy(({ weak, strong }) => strong - weak),
        false,
      ),
    ],
    sources: sources
      .map((part) => ({
        source: part[0]!.source,
        rows: part.length,
        gap: relativeGap(part),
        apgr: apgr(part),
        weakShareAt1: atLoss(part, 0.01).weakShare,
        weakShareAt3: atLoss(part, 0.03).weakShare,
        abstained: part.filter(({ abstain }) => abstain).length / part.length,
      }))
      .sort((a, b) => b.rows - a.rows),
    reliability: reliability(rows),
    byGap: gaps.map((gap) => ({ gap, weakShareAt1: shareAtGap(points, gap, 0.01), weakShareAt3: shareAtGap(points, gap, 0.03) })),
    threshold: threshold === null ? null : { threshold, ...atThreshold(rows, threshold, (at) => rows[at]!.abstain) },
  };
}

/** The loss is the gap times the share of it that is not kept. */
function shareAtGap(points: readonly CurvePoint[], gap: number, loss: number): number {
  return points.reduce((best, { kept, weakShare }) => (gap * (1 - kept) <= loss ? Math.max(best, weakShare) : best), 0);
}

function line(name: string, rows: readonly Scored[], gives: boolean): RouterLine {
  const points = curve(rows);
  return {
    name,
    apgr: apgr(rows),
    cpt50: callsFor(rows, 0.5),
    cpt80: callsFor(rows, 0.8),
    ece: gives ? calibrationError(rows) : null,
    weakShareAt1: atLoss(rows, 0.01).weakShare,
    weakShareAt3: atLoss(rows, 0.03).weakShare,
    kept: Array.from({ length: 101 }, (_, at) => keptAt(points, at / 100)),
  };
}

function keptAt(points: readonly CurvePoint[], weakShare: number): number {
  let high = points.findIndex((point) => point.weakShare >= weakShare);
  if (high === -1) high = points.length - 1;
  if (high === 0) return points[0]!.kept;
  const from = points[high - 1]!;
  const to = points[high]!;
  return from.kept + ((to.kept - from.kept) * (weakShare - from.weakShare)) / (to.weakShare - from.weakShare);
}
