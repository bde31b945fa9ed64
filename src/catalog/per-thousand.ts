type Row = Readonly<Record<string, unknown>>;

/** Providers whose names differ from those in the per-token list. */
const names: Readonly<Record<string, string>> = { google: 'gemini', amazon: 'bedrock', together: 'together_ai', fireworks: 'fireworks_ai' };

const perThousand = /^(.*)_(?:cost_per_1k(?:_\w+)?_tokens|cost_per_1k)$/;

/** Price fields per thousand tokens, and their names in a per-token list. */
const fields: Readonly<Record<string, string>> = {
  input_cost_per_1k_tokens: 'input_cost_per_token',
  output_cost_per_1k_tokens: 'output_cost_per_token',
  cached_input_cost_per_1k_tokens: 'cache_read_input_token_cost',
  cache_read_cost_per_1k_tokens: 'cache_read_input_token_cost',
  cache_write_cost_per_1k_tokens: 'cache_creation_input_token_cost',
  reasoning_cost_per_1k_tokens: 'output_cost_per_reasoning_token',
};

/**
 * Converts a price file in dollars per thousand tokens (`provider → model → input_cost_per_1k_tokens`) to rows of a per-token list; null if
 * it is another kind of file. Other fields are kept; a model without a kind is a chat model.
 */
export function rowsPerThousand(list: unknown): Record<string, Row> | null {
  if (!isRow(list)) return null;
  const providers = Object.entries(list).filter((entry): entry is [string, Row] => isRow(entry[1]));
  if (
    !providers.some(([, models]) =>
      Object.values(models).some((facts) => isRow(facts) && Object.keys(facts).some((name) => perThousand.test(name))),
    )
  )
    return null;
  const rows: Record<string, Row> = {};
  for (const [provider, models] of providers) {
    for (const [model, facts] of Object.entries(models)) {
      if (!isRow(facts)) continue;
      const listed = names[provider] ?? provider;
      rows[`${listed}/${model}`] = {
        litellm_provider: listed,
        mode: 'chat',
        ...Object.fromEntries(
          Object.entries(facts).map(([name, value]) => [fields[name] ?? name, fields[name] === undefined ? value : perToken(value)]),
        ),
      };
    }
  }
  return rows;
}

/** By decimal shift, without binary rounding. */
function perToken(value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isFinite(value)) return value;
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  return Number(`${digits}e${Number(exponent) - 3}`);
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
