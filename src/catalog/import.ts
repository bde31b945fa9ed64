import type { Capabilities, ModelEntry, ModelMode, Prices, TokenPrices } from './types.ts';

/** Sluice's provider name by the list's `litellm_provider`. Providers that are not named here are left out. */
const providers: Readonly<Record<string, string>> = {
  openai: 'openai',
  'text-completion-openai': 'openai',
  anthropic: 'anthropic',
  gemini: 'google',
  mistral: 'mistral',
  deepseek: 'deepseek',
  meta_llama: 'meta',
  bedrock: 'amazon',
  bedrock_converse: 'amazon',
  azure: 'azure',
  groq: 'groq',
  xai: 'xai',
  together_ai: 'together',
  fireworks_ai: 'fireworks',
  cerebras: 'cerebras',
};

/** Prefixes that the list puts before a model's id. */
const prefixes: Readonly<Record<string, readonly string[]>> = {
  google: ['gemini/'],
  mistral: ['mistral/'],
  deepseek: ['deepseek/'],
  meta: ['meta_llama/'],
  amazon: ['bedrock/', 'bedrock_converse/'],
  azure: ['azure/'],
  groq: ['groq/'],
  xai: ['xai/'],
  together: ['together_ai/'],
  fireworks: ['fireworks_ai/'],
  cerebras: ['cerebras/'],
};

const modes: Readonly<Record<string, ModelMode>> = { chat: 'chat', completion: 'completion', responses: 'responses', embedding: 'embedding' };

type Row = Readonly<Record<string, unknown>>;

/** US dollars per token as the list has it → per million tokens, by decimal shift: no binary dust. Null when absent or no price. */
export function perMillion(value: unknown): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return null;
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  return Number(`${digits}e${Number(exponent) + 6}`);
}

function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

function tokens(value: unknown): number | null {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : null;
}

function modality(row: Row, field: string, name: string): boolean | null {
  const list = row[field];
  return Array.isArray(list) ? (list as unknown[]).includes(name) : null;
}

function prices(row: Row): Prices {
  return {
    ...tokenPrices(row, ''),
    batchInput: perMillion(row['input_cost_per_token_batches']),
    batchOutput: perMillion(row['output_cost_per_token_batches']),
    imageInput: plain(row['input_cost_per_image']),
    imageOutput: plain(row['output_cost_per_image']),
    tiers: longContext(row),
  };
}

function plain(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

function tokenPrices(row: Row, suffix: string): TokenPrices {
  const write = perMillion(row[`cache_creation_input_token_cost${suffix}`]);
  return {
    input: perMillion(row[`input_cost_per_token${suffix}`]),
    output: perMillion(row[`output_cost_per_token${suffix}`]),
    cachedRead: perMillion(row[`cache_read_input_token_cost${suffix}`] ?? (suffix === '' ? row['input_cost_per_token_cache_hit'] : undefined)),
    cacheWrite5m: write,
    cacheWrite1h: perMillion(row[`cache_creation_input_token_cost_above_1hr${suffix}`]),
    reasoning: perMillion(row[`output_cost_per_reasoning_token${suffix}`]),
    audioInput: perMillion(row[`input_cost_per_audio_token${suffix}`]),
    audioOutput: perMillion(row[`output_cost_per_audio_token${suffix}`]),
  };
}

function longContext(row: Row): Prices['tiers'] {
  const tiers = [];
  for (const field of Object.keys(row)) {
    const match = /^input_cost_per_token(_above_(\d+)k_tokens)$/.exec(field);
    if (match !== null) tiers.push({ aboveTokens: Number(match[2]) * 1000, ...tokenPrices(row, match[1]!) });
  }
  return tiers.sort((a, b) => a.aboveTokens - b.aboveTokens);
}

function capabilities(row: Row, mode: ModelMode): Capabilities {
  const schema = flag(row['supports_response_schema']) ?? flag(row['supports_native_structured_output']);
  return {
    vision: flag(row['supports_vision']) ?? modality(row, 'supported_modalities', 'image'),
    tools: flag(row['supports_function_calling']),
    // The list has no field for plain JSON mode; a model that keeps to a schema can write an object.
    jsonObject: schema,
    jsonSchema: schema,
    audioInput: flag(row['supports_audio_input']) ?? modality(row, 'supported_modalities', 'audio'),
    audioOutput: flag(row['supports_audio_output']) ?? modality(row, 'supported_output_modalities', 'audio'),
    files: flag(row['supports_pdf_input']),
    reasoning: mode === 'embedding' ? false : flag(row['supports_reasoning']),
  };
}

/**
 * Reads LiteLLM's public price list (a JSON object, model id → facts). Rows of other kinds (images, speech, rerank) and
 * of providers that Sluice does not name are left out; `skipped` counts them. Throws nothing: a row that is no object is skipped.
 */
export function importLiteLLM(list: unknown): { readonly entries: readonly ModelEntry[]; readonly skipped: number } {
  const entries = new Map<string, ModelEntry>();
  let skipped = 0;
  const rows = typeof list === 'object' && list !== null ? Object.entries(list) : [];
  for (const [id, value] of rows) {
    const row = typeof value === 'object' && value !== null ? (value as Row) : {};
    const provider = providers[String(row['litellm_provider'])];
    const mode = modes[String(row['mode'])];
    if (provider === undefined || mode === undefined || id === 'sample_spec') {
      skipped++;
      continue;
    }
    const model = stripPrefix(provider, id);
    const key = `${provider}\n${model}`;
    const exact = id !== model || prefixes[provider] === undefined;
    // The same model under two spellings: the one with the provider's own prefix is the maintained one.
    if (entries.has(key) && !exact) continue;
    entries.set(key, {
      provider,
      model,
      mode,
      prices: prices(row),
      contextWindow: tokens(row['max_input_tokens']) ?? tokens(row['max_tokens']),
      maxOutput: tokens(row['max_output_tokens']),
      capabilities: capabilities(row, mode),
    });
  }
  const sorted = [...entries.values()].sort((a, b) => compare(a.provider, b.provider) || compare(a.model, b.model));
  return { entries: sorted, skipped };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function stripPrefix(provider: string, id: string): string {
  for (const prefix of prefixes[provider] ?? []) if (id.startsWith(prefix)) return id.slice(prefix.length);
  return id;
}
