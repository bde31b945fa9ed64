import { SluiceError } from '../lib/errors.ts';
import type { BillRow } from './bill-rows.ts';

export type BillProvider = 'openai' | 'anthropic' | 'google' | 'azure' | 'bedrock';

/** What a row of an export says. */
export interface BillEntry {
  /** The model, or the provider's words for what was sold. */
  readonly label: string;
  readonly requests: number | null;
  readonly input: number | null;
  readonly output: number | null;
  readonly amount: number | null;
  /** As the export writes it; null: dollars. */
  readonly currency: string | null;
  readonly start: string;
  readonly end: string | null;
}

export interface BillFormat {
  readonly provider: BillProvider;
  readonly what: 'usage' | 'cost';
  /** Columns that identify the format; of a list, one. */
  readonly columns: readonly (string | readonly string[])[];
  /** Whether labels are models' names; else a model is looked for in the words. */
  readonly named: boolean;
  /** What a row says; `other` names the service of one that is about something else than models. */
  readonly entry: (row: BillRow) => BillEntry | { readonly other: string };
}

const columnsOf = {
  azureDate: ['date', 'usage_date', 'usage_date_time'],
  azureCost: ['cost_in_usd', 'cost_in_billing_currency', 'pre_tax_cost', 'cost'],
  googleStart: ['usage_start_time', 'usage_start_date'],
  googleCost: ['cost', 'subtotal', 'unrounded_subtotal'],
} as const;

/** The first of the columns with a value; empty if there is none. */
function text({ values }: BillRow, ...names: readonly string[]): string {
  for (const name of names) if ((values[name] ?? '') !== '') return values[name]!.trim();
  return '';
}

/** The number in a column; null where the export does not have it. Throws SLUICE_BILL for what is no number: it is never zero. */
function number(row: BillRow, ...names: readonly string[]): number | null {
  const said = text(row, ...names);
  if (said === '') return null;
  const bare = /^-?\$?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(said) ? said.replaceAll(',', '') : said;
  const value = Number(bare.replace('$', ''));
  if (!Number.isFinite(value))
    throw new SluiceError('SLUICE_BILL', `${names[0]!} is no number: "${said}".`, {
      where: row.where,
      fix: 'Export with a point before the decimals.',
    });
  return value;
}

function sum(...values: readonly (number | null)[]): number | null {
  return values.every((value) => value === null) ? null : values.reduce<number>((all, value) => all + (value ?? 0), 0);
}

/** A model's name. Throws SLUICE_BILL with what to ask the API for if the rows are not by model. */
function modelIn(row: BillRow, name: string, groupBy: string): string {
  const model = text(row, name);
  if (model === '')
    throw new SluiceError('SLUICE_BILL', `${name} is empty: the export is not by model.`, {
      where: row.where,
      fix: `Ask for it with ${groupBy}.`,
    });
  return model;
}

const noCounts = { requests: null, input: null, output: null } as const;
const noMoney = { amount: null, currency: null } as const;

const openaiUsage = (row: BillRow): BillEntry => ({
  ...noMoney,
  label: modelIn(row, 'model', 'group_by=model'),
  requests: number(row, 'num_model_requests'),
  // Text, audio and images, cached or not.
  input: number(row, 'input_tokens'),
  output: number(row, 'output_tokens') ?? 0,
  start: text(row, 'start_time_iso', 'start_time'),
  end: text(row, 'end_time_iso', 'end_time') || null,
});

const openaiCost = (row: BillRow): BillEntry => ({
  ...noCounts,
  label: modelIn(row, 'line_item', 'group_by=line_item').split(',')[0]!,
  amount: number(row, 'amount_value'),
  currency: text(row, 'amount_currency') || null,
  start: text(row, 'start_time_iso', 'start_time'),
  end: text(row, 'end_time_iso', 'end_time') || null,
});

const anthropicUsage = (row: BillRow): BillEntry => ({
  ...noMoney,
  label: modelIn(row, 'model', 'group_by[]=model'),
  requests: null,
  input: sum(
    number(row, 'uncached_input_tokens'),
    number(row, 'cache_creation_ephemeral_5m_input_tokens'),
    number(row, 'cache_creation_ephemeral_1h_input_tokens'),
    number(row, 'cache_read_input_tokens'),
  ),
  output: number(row, 'output_tokens'),
  start: text(row, 'starting_at'),
  end: text(row, 'ending_at') || null,
});

const anthropicUsageCsv = (row: BillRow): BillEntry => ({
  ...noMoney,
  label: text(row, 'model_version'),
  requests: null,
  input: sum(
    number(row, 'usage_input_tokens_no_cache'),
    number(row, 'usage_input_tokens_cache_write_5m'),
    number(row, 'usage_input_tokens_cache_write_1h'),
    number(row, 'usage_input_tokens_cache_read'),
  ),
  output: number(row, 'usage_output_tokens'),
  start: text(row, 'usage_date_utc'),
  end: null,
});

/** The API's amounts are in cents. */
const anthropicCost = (row: BillRow): BillEntry => {
  const cents = number(row, 'amount');
  return {
    ...noCounts,
    label: text(row, 'model') || modelIn(row, 'description', 'group_by[]=description'),
    amount: cents === null ? null : cents / 100,
    currency: text(row, 'currency') || null,
    start: text(row, 'starting_at'),
    end: text(row, 'ending_at') || null,
  };
};

const anthropicCostCsv = (row: BillRow): BillEntry => ({
  ...noCounts,
  label: text(row, 'model') || text(row, 'cost_type', 'usage_type') || 'no model',
  amount: number(row, 'cost_usd'),
  currency: null,
  start: text(row, 'usage_date_utc'),
  end: null,
});

const google = (row: BillRow): BillEntry | { readonly other: string } => {
  const service = text(row, 'service_description');
  if (!/vertex|gemini|generative|claude|anthropic|mistral|llama/i.test(service)) return { other: service };
  return {
    ...noCounts,
    label: text(row, 'sku_description') || service,
    amount: sum(number(row, ...columnsOf.googleCost), number(row, 'credits_amount')),
    currency: text(row, 'currency') || null,
    start: text(row, ...columnsOf.googleStart),
    end: text(row, 'usage_end_time') || null,
  };
};

const azure = (row: BillRow): BillEntry | { readonly other: string } => {
  const service = [
    text(row, 'meter_category'),
    text(row, 'meter_sub_category', 'meter_subcategory'),
    text(row, 'product_name', 'product'),
  ].join(' ');
  if (!/openai|cognitive|foundry|ai services/i.test(service)) return { other: text(row, 'meter_category') };
  const inDollars = text(row, 'cost_in_usd') !== '';
  return {
    ...noCounts,
    label: text(row, 'meter_name', 'meter') || service.trim(),
    amount: number(row, ...columnsOf.azureCost),
    currency: inDollars ? null : text(row, 'billing_currency', 'billing_currency_code', 'currency') || null,
    start: text(row, ...columnsOf.azureDate),
    end: null,
  };
};

const bedrock = (row: BillRow): BillEntry | { readonly other: string } => {
  const product = `${text(row, 'line_item_product_code')} ${text(row, 'product_product_name')} ${text(row, 'line_item_line_item_description')}`;
  if (!/bedrock/i.test(product)) return { other: text(row, 'line_item_product_code') };
  const words = [text(row, 'product_model'), text(row, 'line_item_usage_type'), text(row, 'product_product_name')];
  return {
    ...noCounts,
    label: words.filter((word) => word !== '').join(' · '),
    amount: number(row, 'line_item_unblended_cost'),
    currency: text(row, 'line_item_currency_code') || null,
    start: text(row, 'line_item_usage_start_date'),
    end: text(row, 'line_item_usage_end_date') || null,
  };
};

/** Exports that are known. The first whose columns are all there is taken. */
export const billFormats: readonly BillFormat[] = [
  {
    provider: 'anthropic',
    what: 'usage',
    columns: ['usage_date_utc', 'model_version', 'usage_input_tokens_no_cache', 'usage_output_tokens'],
    named: true,
    entry: anthropicUsageCsv,
  },
  { provider: 'anthropic', what: 'cost', columns: ['usage_date_utc', 'model', 'cost_usd'], named: true, entry: anthropicCostCsv },
  {
    provider: 'anthropic',
    what: 'usage',
    columns: ['starting_at', 'uncached_input_tokens', 'output_tokens'],
    named: true,
    entry: anthropicUsage,
  },
  { provider: 'anthropic', what: 'cost', columns: ['starting_at', 'amount', 'currency'], named: true, entry: anthropicCost },
  { provider: 'openai', what: 'cost', columns: ['start_time', 'amount_value'], named: true, entry: openaiCost },
  { provider: 'openai', what: 'usage', columns: ['start_time', 'input_tokens'], named: true, entry: openaiUsage },
  {
    provider: 'bedrock',
    what: 'cost',
    columns: ['line_item_usage_start_date', 'line_item_usage_type', 'line_item_unblended_cost'],
    named: false,
    entry: bedrock,
  },
  {
    provider: 'google',
    what: 'cost',
    columns: ['service_description', 'sku_description', columnsOf.googleStart, columnsOf.googleCost],
    named: false,
    entry: google,
  },
  { provider: 'azure', what: 'cost', columns: ['meter_category', columnsOf.azureDate, columnsOf.azureCost], named: false, entry: azure },
];

/** Whether an export with these columns has this format. */
export function fits(format: BillFormat, columns: ReadonlySet<string>): boolean {
  return format.columns.every((need) => (typeof need === 'string' ? columns.has(need) : need.some((name) => columns.has(name))));
}
