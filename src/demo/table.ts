import type { Cost } from '../catalog/types.ts';
import { clipped } from '../lib/clipped.ts';
import type { ExchangeRecord } from '../record/types.ts';

export interface DemoRow {
  readonly title: string;
  readonly record: ExchangeRecord;
}

const paint = (code: number) => (text: string, colour: boolean) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
const dim = paint(2);
const bold = paint(1);
const green = paint(32);
const yellow = paint(33);

interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: boolean;
}

const columns: readonly Column[] = [
  { title: 'request', width: 24 },
  { title: 'asked for', width: 17 },
  { title: 'served by', width: 19 },
  { title: 'tier', width: 8 },
  { title: 'why', width: 15 },
  { title: 'tokens', width: 8, right: true },
  { title: 'cost', width: 9, right: true },
  { title: 'baseline', width: 9, right: true },
  { title: 'saved', width: 5, right: true },
];

function cell(text: string, { width, right }: Column): string {
  const cut = clipped(text, width);
  return right === true ? cut.padStart(width) : cut.padEnd(width);
}

/** US dollars, or a question mark if unknown. */
function money(cost: Cost): string {
  if (!cost.known) return '?';
  return cost.usd > 0 && cost.usd < 0.0000005 ? '<$0.000001' : `$${cost.usd.toFixed(6)}`;
}

/** Format for finance: whole cents; five decimals below ten cents. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(usd !== 0 && Math.abs(usd) < 0.1 ? 5 : 2)}`;
}

function why({ decision, passReason }: ExchangeRecord): string {
  if (decision === null) return passReason ?? '';
  return decision.rule === null ? decision.reason : `${decision.reason}: ${decision.rule}`;
}

function saved({ savings, baseline }: ExchangeRecord): string {
  if (!savings.known || !baseline.known) return '?';
  return baseline.usd === 0 ? '0%' : `${Math.round((savings.usd / baseline.usd) * 100)}%`;
}

/** The table, one line per request. */
export function renderTable(rows: readonly DemoRow[], colour: boolean): string {
  const line = (cells: readonly string[]): string => cells.map((text, index) => cell(text, columns[index]!)).join(' ');
  const head = bold(line(columns.map(({ title }) => title)), colour);
  const body = rows.map(({ title, record }) => {
    const { usage, decision, outcome } = record;
    const text = line([
      `${record.stream ? '≈ ' : '· '}${title}`,
      record.requestedModel ?? '?',
      outcome === 'blocked' ? '(blocked)' : (record.servedModel ?? '?'),
      decision?.tier ?? '-',
      why(record),
      usage === null ? '?' : `${usage.totalInput}/${usage.totalOutput}`,
      money(record.cost),
      money(record.baseline),
      saved(record),
    ]);
    if (outcome === 'blocked') return yellow(text, colour);
    return record.savings.known && record.savings.usd > 0 ? green(text, colour) : text;
  });
  return [head, dim('─'.repeat(columns.reduce((sum, { width }) => sum + width + 1, -1)), colour), ...body].join('\n');
}

/** The totals below the table; unknown is counted separately. */
export function renderTotals(rows: readonly DemoRow[], colour: boolean): string {
  let cost = 0;
  let baseline = 0;
  let unknown = 0;
  let rerouted = 0;
  for (const { record } of rows) {
    if (record.decision?.action === 'route') rerouted++;
    if (record.cost.known && record.baseline.known) {
      cost += record.cost.usd;
      baseline += record.baseline.usd;
    } else unknown++;
  }
  const share = baseline === 0 ? 0 : (1 - cost / baseline) * 100;
  return [
    `${rows.length} requests, ${rerouted} sent to another model`,
    `cost ${bold(dollars(cost), colour)}   as asked for ${dollars(baseline)}   saved ${bold(`${dollars(baseline - cost)} (${share.toFixed(0)}%)`, colour)}`,
    `${unknown} of ${rows.length} have an unknown cost or baseline (?) and are in no sum`,
  ].join('\n');
}
