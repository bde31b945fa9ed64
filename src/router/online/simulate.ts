import { seeded, shuffled } from '../training/random.ts';
import { OnlineLearner } from './learner.ts';
import { defaultLearning, type LearningSettings } from './settings.ts';

/** A labelled row with the router's gain, as a request of a template. */
export interface SimulatedRow {
  readonly template: string;
  /** Kind of work, from the text; absent if unknown. */
  readonly kind?: string;
  readonly gain: number;
  readonly uncertainty: number;
  /** The router does not know this kind and would use the strong model. */
  readonly abstain: boolean;
  readonly weak: number;
  readonly strong: number;
}

export interface SimulationOptions {
  readonly seeds: number;
  readonly requests: number;
  /** Requests before anything is measured. */
  readonly warmup: number;
  /** Share of the requests whose answers are graded. */
  readonly graded: number;
  /** `served`: only the served answer is graded; `both`: both models' answers to the same request. */
  readonly grades: 'served' | 'both';
  /** Loss limit of both routers. */
  readonly maxLoss: number;
  /** Loss up to which the limit counts as kept. */
  readonly keptLoss: number;
  /** The static router sends gains up to this to the weak model. */
  readonly threshold: number;
  /** Number of concurrent templates; the frequency of each is proportional to 1/rank. */
  readonly templates: number;
  /** Whether all templates are replaced in the middle of the stream. */
  readonly shift: boolean;
}

export interface SeedResult {
  readonly seed: number;
  /** After the warm-up. Loss is relative to always-strong. */
  readonly learner: { readonly weakShare: number; readonly loss: number };
  readonly fixed: { readonly weakShare: number; readonly loss: number };
  /** The static router at the highest threshold that keeps `keptLoss` on this very stream, if its own threshold does not. */
  readonly fixedKept: number;
  /** The learner's largest loss over any 500 consecutive requests. */
  readonly worstWindow: number;
  /** Share of those windows with a loss within 4%. */
  readonly windowsKept: number;
  readonly graded: number;
}

const window = 500;
const windowLoss = 0.04;
const pair = { weak: 'weak', strong: 'strong' };

/** Replays labelled rows as traffic of templates through the learner and through the static router. Deterministic by seed. */
export function simulate(rows: readonly SimulatedRow[], options: SimulationOptions): SeedResult[] {
  const byTemplate = new Map<string, SimulatedRow[]>();
  for (const row of rows) {
    const list = byTemplate.get(row.template);
    if (list === undefined) byTemplate.set(row.template, [row]);
    else list.push(row);
  }
  return Array.from({ length: options.seeds }, (_, at) => one([...byTemplate.values()], options, at + 1));
}

interface Totals {
  weak: number;
  lost: number;
}

function one(templates: readonly (readonly SimulatedRow[])[], options: SimulationOptions, seed: number): SeedResult {
  const { requests, warmup, graded, grades, maxLoss, keptLoss, threshold, shift } = options;
  const random = seeded(seed * 7_919);
  const learner = new OnlineLearner(undefined, seeded(seed * 104_729));
  const order = shuffled(templates, random);
  const count = Math.min(options.templates, Math.floor(order.length / (shift ? 2 : 1)));
  const before = drawer(order.slice(0, count), random);
  const after = shift ? drawer(order.slice(count, 2 * count), random) : before;
  const settings: LearningSettings = { ...defaultLearning, upgradeScope: 'none', probeShare: grades === 'served' ? graded : 0 };
  const learnt: Totals = { weak: 0, lost: 0 };
  const fixed: Totals = { weak: 0, lost: 0 };
  const lost: number[] = [];
  const best: number[] = [];
  const measured: SimulatedRow[] = [];
  let strong = 0;
  let gradedRequests = 0;
  for (let i = 0; i < requests; i++) {
    const row = (shift && i >= requests / 2 ? after : before)();
    const fixedWeak = !row.abstain && row.gain <= threshold;
    const mark = assessed(learner, row, { fixed: fixedWeak, maxLoss, settings, time: i });
    const arm = mark.says ?? (fixedWeak ? 'weak' : 'strong');
    if (grades === 'served' ? mark.why === 'probe' : random() < graded * (mark.worth ?? 1)) {
      gradedRequests++;
      const against = grades === 'both' ? (arm === 'weak' ? row.strong : row.weak) : null;
      learner.observe(gradeOf(mark, arm, { score: row[arm], against }, i), settings);
    }
    const gain = row.strong - row.weak;
    lost.push(arm === 'weak' ? gain : 0);
    best.push(row.strong);
    if (i < warmup) continue;
    measured.push(row);
    strong += row.strong;
    if (arm === 'weak') add(learnt, gain);
    if (fixedWeak) add(fixed, gain);
  }
  const size = measured.length;
  const result = ({ weak, lost: all }: Totals): { weakShare: number; loss: number } => ({ weakShare: weak / size, loss: all / strong });
  const windows = windowLosses(lost, best);
  return {
    seed,
    learner: result(learnt),
    fixed: result(fixed),
    fixedKept: result(fixed).loss <= keptLoss ? result(fixed).weakShare : highestKept(measured, keptLoss, threshold),
    worstWindow: Math.max(...windows),
    windowsKept: windows.filter((loss) => loss <= windowLoss).length / windows.length,
    graded: gradedRequests / requests,
  };
}

type Mark = ReturnType<OnlineLearner['assessTemplate']>;

function assessed(
  learner: OnlineLearner,
  { template, gain, uncertainty, abstain, kind = '' }: SimulatedRow,
  {
    fixed,
    maxLoss,
    settings,
    time,
  }: { readonly fixed: boolean; readonly maxLoss: number; readonly settings: LearningSettings; readonly time: number },
): Mark {
  const request = { workspace: 'simulated', template, near: '0'.repeat(16) };
  return learner.assessTemplate(
    request,
    { pair, gain, uncertainty, known: !abstain, fixed, calibrated: true, kind, maxLoss },
    settings,
    time,
  );
}

function gradeOf(
  mark: Mark,
  arm: 'weak' | 'strong',
  scores: { readonly score: number; readonly against: number | null },
  time: number,
): Parameters<OnlineLearner['observe']>[0] {
  return {
    decisionId: String(time),
    workspace: 'simulated',
    mark,
    model: pair[arm],
    requested: pair.strong,
    ...scores,
    source: 'judge',
    weight: 1,
    time,
  };
}

function add(totals: Totals, gain: number): void {
  totals.weak++;
  totals.lost += gain;
}

/** Draws rows of templates; the n-th template is drawn 1/n as often as the first. */
function drawer(templates: readonly (readonly SimulatedRow[])[], random: () => number): () => SimulatedRow {
  const total = templates.reduce((sum, _, at) => sum + 1 / (at + 1), 0);
  return () => {
    let left = random() * total;
    let at = 0;
    while (at < templates.length - 1 && (left -= 1 / (at + 1)) > 0) at++;
    const rows = templates[at]!;
    return rows[Math.floor(random() * rows.length)]!;
  };
}

/** Loss over every `window` consecutive requests. */
function windowLosses(lost: readonly number[], best: readonly number[]): number[] {
  const losses: number[] = [];
  let sum = 0;
  let all = 0;
  for (let i = 0; i < lost.length; i++) {
    sum += lost[i]! - (i >= window ? lost[i - window]! : 0);
    all += best[i]! - (i >= window ? best[i - window]! : 0);
    if (i >= window - 1) losses.push(all === 0 ? 0 : sum / all);
  }
  return losses;
}

/** Largest share of requests on the weak model, over thresholds up to `most` that keep the loss on these rows. */
function highestKept(rows: readonly SimulatedRow[], loss: number, most: number): number {
  const order = rows.filter(({ gain, abstain }) => !abstain && gain <= most).sort((a, b) => a.gain - b.gain);
  const strong = rows.reduce((sum, row) => sum + row.strong, 0);
  let lost = 0;
  let best = 0;
  for (const [at, row] of order.entries()) {
    lost += row.strong - row.weak;
    if (lost <= loss * strong) best = (at + 1) / rows.length;
  }
  return best;
}
