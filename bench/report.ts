export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and range; NaN when there are no values. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN };
}

/**
 * Ratio of the costs that two variants add to a baseline, per round: conditions within a round are similar, so ratios are steadier. Rounds
 * in
 * which the cheaper variant added nothing are ignored; NaN if those are half of the rounds or more.
 */
export function addedRatio(base: readonly number[], floor: readonly number[], ours: readonly number[]): Spread {
  const told = ours
    .map((value, round) => ({ over: value - base[round]!, under: floor[round]! - base[round]! }))
    .filter(({ under }) => under > 0);
  return told.length * 2 <= ours.length ? unknown : spread(told.map(({ over, under }) => over / under));
}

const unknown: Spread = { median: NaN, min: NaN, max: NaN };

/** The same with the ratio of the medians in the middle: for tails, where a single round's difference may be next to nothing. */
export function addedRatioOfMedians(base: readonly number[], floor: readonly number[], ours: readonly number[]): Spread {
  const [none, least, full] = [base, floor, ours].map((values) => spread(values).median) as [number, number, number];
  return least > none ? { ...addedRatio(base, floor, ours), median: (full - none) / (least - none) } : unknown;
}

export function show({ median, min, max }: Spread, digits = 2): string {
  if (Number.isNaN(median)) return 'lost in noise';
  return min === max ? median.toFixed(digits) : `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One line of the goals: what was measured, and what it is to be. */
export interface Goal {
  readonly what: string;
  readonly measured: Spread;
  readonly digits: number;
  readonly unit: string;
  /** The median is to be at most, or at least, this. */
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
}

/** What one part of the bench found. */
export interface Outcome {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

/** The same, with how it was taken: what is kept. */
export interface Taken extends Outcome {
  /** Machine, versions, rounds. */
  readonly how: string;
  /** The command that does it again. */
  readonly command: string;
}

/** Whether a goal's median is there; false when nothing could be told. */
export const reached = ({ measured, bound, limit }: Goal): boolean =>
  bound === 'at most' ? measured.median <= limit : measured.median >= limit;

/** A Markdown table. */
export function tableText({ header, rows }: Table): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const signs = { 'at most': '≤', 'at least': '≥' } as const;
const amount = (value: string, unit: string): string => `${value}${unit === '' ? '' : ` ${unit}`}`;
const numeral = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 2 });

const verdict = (goal: Goal): string => (Number.isNaN(goal.measured.median) ? '?' : reached(goal) ? 'reached' : '**not reached**');

/** Each goal with what was measured. */
export function goalsTable(goals: readonly Goal[]): Table {
  return {
    header: ['', 'goal', 'measured', ''],
    rows: goals.map((goal) => [
      goal.what,
      `${signs[goal.bound]} ${amount(numeral(goal.limit), goal.unit)}`,
      Number.isNaN(goal.measured.median) ? show(goal.measured) : amount(show(goal.measured, goal.digits), goal.unit),
      verdict(goal),
    ]),
  };
}

/** A part as Markdown: how it was taken, its tables, its goals. */
export function takenText({ how, command, tables, goals }: Taken): string {
  return [`\`${command}\`; ${how}`, ...tables.map(tableText), ...(goals.length === 0 ? [] : [tableText(goalsTable(goals))])].join('\n\n');
}
