import { parseCsv } from '../lib/csv.ts';
import { SluiceError } from '../lib/errors.ts';

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
  readonly provider: 'openai' | 'anthropic';
  readonly what: 'usage' | 'cost';
  /** Ms since the epoch, whole days (UTC), half-open. */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly BillLine[];
}

const dayMs = 86_400_000;

type Row = Readonly<Record<string, string>>;

interface Format {
  readonly provider: Bill['provider'];
  readonly what: Bill['what'];
  /** Columns that identify the format. */
  readonly columns: readonly string[];
  readonly line: (row: Row) => BillLine;
}

const number = (row: Row, ...names: readonly string[]): number =>
  names.reduce((sum, name) => sum + (Number((row[name] ?? '').replaceAll(',', '')) || 0), 0);

/** Export formats of OpenAI's and Anthropic's consoles. */
const formats: readonly Format[] = [
  {
    provider: 'anthropic',
    what: 'usage',
    columns: ['usage_date_utc', 'model_version', 'usage_input_tokens_no_cache', 'usage_output_tokens'],
    line: (row) => ({
      model: row['model_version'] ?? '',
      requests: null,
      input: number(
        row,
        'usage_input_tokens_no_cache',
        'usage_input_tokens_cache_write_5m',
        'usage_input_tokens_cache_write_1h',
        'usage_input_tokens_cache_read',
      ),
      output: number(row, 'usage_output_tokens'),
      usd: null,
    }),
  },
  {
    provider: 'anthropic',
    what: 'cost',
    columns: ['usage_date_utc', 'model', 'cost_usd'],
    line: (row) => ({ model: row['model'] ?? '', requests: null, input: null, output: null, usd: number(row, 'cost_usd') }),
  },
  {
    provider: 'openai',
    what: 'cost',
    columns: ['start_time', 'amount_value', 'line_item'],
    line: (row) => ({
      model: (row['line_item'] ?? '').split(',')[0]!,
      requests: null,
      input: null,
      output: null,
      usd: number(row, 'amount_value'),
    }),
  },
  {
    provider: 'openai',
    what: 'usage',
    columns: ['start_time', 'model', 'input_tokens', 'output_tokens'],
    line: (row) => ({
      model: row['model'] ?? '',
      requests: row['num_model_requests'] === undefined ? null : number(row, 'num_model_requests'),
      input: number(row, 'input_tokens'),
      output: number(row, 'output_tokens'),
      usd: null,
    }),
  },
];

/** Reads an export of a provider's console. Throws SLUICE_BILL. */
export function readBill(text: string, file: string): Bill {
  const [head = [], ...body] = parseCsv(text);
  const format = formats.find(({ columns }) => columns.every((name) => head.includes(name)));
  if (format === undefined)
    throw new SluiceError('SLUICE_BILL', `no export that is known has these columns: ${head.slice(0, 8).join(', ')}.`, { where: file });
  const rows = body.map((values): Row => Object.fromEntries(head.map((name, at) => [name, values[at] ?? ''])));
  const days = rows.map((row, at) => dayOf(row, file, at + 2));
  if (days.length === 0) throw new SluiceError('SLUICE_BILL', 'the export has no rows.', { where: file });
  const lines = new Map<string, BillLine>();
  for (const line of rows.map(format.line)) {
    const model = modelName(line.model);
    lines.set(model, added(lines.get(model), { ...line, model }));
  }
  return {
    provider: format.provider,
    what: format.what,
    from: Math.min(...days),
    to: Math.max(...days) + dayMs,
    lines: [...lines.values()],
  };
}

function dayOf(row: Row, file: string, line: number): number {
  const { usage_date_utc: day, start_time: start = '', start_time_iso: iso } = row;
  const at =
    day !== undefined
      ? Date.parse(`${day.slice(0, 10)}T00:00:00Z`)
      : /^\d+$/.test(start)
        ? Number(start) * 1_000
        : Date.parse(iso ?? start);
  if (Number.isNaN(at)) throw new SluiceError('SLUICE_BILL', 'the time of this row cannot be read.', { where: `${file}:${line}` });
  return at - (at % dayMs);
}

/** Maps snapshots and display names to the name that requests use: `gpt-5-mini-2025-08-07`, `Claude Haiku 4.5`. */
export function modelName(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/^claude [a-z0-9. ]+$/, (shown) => shown.replace(/[ .]+/g, '-'))
    .replace(/-(?:\d{4}-\d{2}-\d{2}|\d{8})$/, '');
}

function added(before: BillLine | undefined, line: BillLine): BillLine {
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
