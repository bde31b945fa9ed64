import { csvText } from '../lib/csv.ts';
import type { SavingsLine, SavingsReport } from './query.ts';

const plainSums = [
  'exchanges',
  'cost',
  'baseline',
  'savings',
  'savingsUnknown',
  'apart',
  'costUnknown',
  'input',
  'output',
  'usageUnknown',
  'retried',
] as const;

/** The lines, and what is beyond their limit as one more. */
export function allLines({ lines, rest }: SavingsReport): readonly SavingsLine[] {
  // An older server says no rest.
  return (rest ?? null) === null ? lines : [...lines, rest!];
}

/** One row per group; per day, or hour of up to three days, if there is no grouping. */
export function savingsCsv(report: SavingsReport): string {
  const grouped = report.by.length > 0;
  const sums = report.total.shadow === undefined ? plainSums : ([...plainSums, 'shadow'] as const);
  const rows = grouped
    ? allLines(report).map((line) => [...line.group, ...sums.map((name) => line[name] ?? null)])
    : report.trend.map((line) => [line.at, ...sums.map((name) => line[name] ?? null)]);
  return csvText([...(grouped ? report.by : ['time']), ...sums], rows);
}
