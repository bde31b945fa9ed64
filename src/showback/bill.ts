import { SluiceError } from '../lib/errors.ts';
import { billFormats, fits, type BillEntry, type BillFormat, type BillProvider } from './bill-formats.ts';
import { billRows, unknown, type BillRow } from './bill-rows.ts';
import { BillTimes, wholeHours } from './bill-time.ts';
import { modelName } from './model-names.ts';

/** One model's figures in a provider's export. Null if the export does not have the figure. */
export interface BillLine {
  readonly model: string;
  readonly requests: number | null;
  /** Tokens of all classes. */
  readonly input: number | null;
  readonly output: number | null;
  readonly usd: number | null;
}

export interface Bill {
  readonly provider: BillProvider;
  readonly what: 'usage' | 'cost';
  /** Ms since the epoch, whole hours, half-open. */
  readonly from: number;
  readonly to: number;
  /** Whether `model` of a line is a model's name; else the provider's words, in which a model is looked for. */
  readonly named: boolean;
  readonly lines: readonly BillLine[];
  /** Rows about other services, which are not compared. */
  readonly others: { readonly rows: number; readonly services: readonly string[] };
}

export interface BillOptions {
  /** Of dates and times without an offset. */
  readonly zone: string;
  /** US dollars for one unit of the bill's currency; null: the bill must be in dollars. */
  readonly usdPer: number | null;
  /** Called for each row. */
  readonly tick?: () => void;
}

interface ReadRow {
  readonly entry: BillEntry;
  readonly row: BillRow;
}

/** Reads an export of a provider. Throws SLUICE_BILL. */
export function readBill(bytes: Buffer, file: string, { zone, usdPer, tick }: BillOptions): Bill {
  const isHead = (columns: readonly string[]): boolean => formatFor(columns) !== undefined;
  const rows = billRows(bytes, file, isHead);
  const columns = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
  if (rows.length === 0) throw new SluiceError('SLUICE_BILL', 'the export has no rows.', { where: file });
  const format = formatFor(columns);
  if (format === undefined) throw unknown(columns, file);
  const { entries, services } = entriesOf(rows, format, tick);
  if (entries.length === 0)
    throw new SluiceError('SLUICE_BILL', `no row is about a model; services: ${[...services.keys()].slice(0, 8).join(', ') || 'none'}.`, {
      where: file,
    });
  const rate = rateOf(entries, file, usdPer);
  const times = new BillTimes(zone);
  const spans = entries.map(({ entry, row }) => times.span(entry.start, entry.end, row.where));
  const { start, end } = wholeHours({
    start: spans.reduce((first, span) => Math.min(first, span.start), Infinity),
    end: spans.reduce((last, span) => Math.max(last, span.end), 0),
  });
  return {
    provider: format.provider,
    what: format.what,
    from: start,
    to: end,
    named: format.named,
    lines: linesOf(entries, format.named, rate),
    others: { rows: [...services.values()].reduce((all, count) => all + count, 0), services: [...services.keys()] },
  };
}

function formatFor(columns: readonly string[]): BillFormat | undefined {
  const have = new Set(columns);
  return billFormats.find((format) => fits(format, have));
}

function entriesOf(
  rows: readonly BillRow[],
  format: BillFormat,
  tick: BillOptions['tick'],
): { readonly entries: ReadRow[]; readonly services: Map<string, number> } {
  const entries: ReadRow[] = [];
  const services = new Map<string, number>();
  for (const row of rows) {
    tick?.();
    const entry = format.entry(row);
    if ('other' in entry) services.set(entry.other || 'no service', (services.get(entry.other || 'no service') ?? 0) + 1);
    else entries.push({ entry, row });
  }
  return { entries, services };
}

/** Dollars for one unit of the export. Throws SLUICE_BILL where that is not known. */
function rateOf(entries: readonly ReadRow[], file: string, usdPer: number | null): number {
  const currencies = new Set(entries.map(({ entry }) => (entry.currency ?? 'USD').toUpperCase()));
  const [only = 'USD', ...more] = currencies;
  if (more.length > 0)
    throw new SluiceError('SLUICE_BILL', `it has several currencies: ${[...currencies].join(', ')}.`, {
      where: file,
      fix: 'Give one file a currency.',
    });
  if (only === 'USD') return 1;
  if (usdPer !== null) return usdPer;
  throw new SluiceError('SLUICE_BILL', `its amounts are in ${only}, and the ledger's in US dollars.`, {
    where: file,
    fix: 'Say what one unit was worth: --usd-per 1.09.',
  });
}

function linesOf(entries: readonly ReadRow[], named: boolean, rate: number): BillLine[] {
  const lines = new Map<string, BillLine>();
  for (const { entry } of entries) {
    const model = named ? modelName(entry.label) : entry.label;
    const { requests, input, output, amount } = entry;
    lines.set(model, added(lines.get(model), { model, requests, input, output, usd: amount === null ? null : amount * rate }));
  }
  return [...lines.values()];
}

/** Two lines of one model together. What one of them does not have is not known. */
export function added(before: BillLine | undefined, line: BillLine): BillLine {
  if (before === undefined) return line;
  const sum = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a + b);
  return {
    model: line.model,
    requests: sum(before.requests, line.requests),
    input: sum(before.input, line.input),
    output: sum(before.output, line.output),
    usd: sum(before.usd, line.usd),
  };
}
