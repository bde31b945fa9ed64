import { limits } from '../lib/limits.ts';
import { rowsPerThousand } from './per-thousand.ts';
import type { Capabilities, ModelEntry, Prices, TokenPrices } from './types.ts';
import { serviceTiers, type ModelMode } from '../apis/types.ts';

/** Sluice's provider name by the list's `litellm_provider`. Other providers are skipped. */
const providers = new Map(
  Object.entries({
    openai: 'openai',
    'text-completion-openai': 'openai',
    anthropic: 'anthropic',
    gemini: 'google',
    mistral: 'mistral',
    deepseek: 'deepseek',
    meta_llama: 'meta',
    meta: 'meta',
    bedrock: 'amazon',
    bedrock_converse: 'amazon',
    azure: 'azure',
    groq: 'groq',
    xai: 'xai',
    together_ai: 'together',
    fireworks_ai: 'fireworks',
    cerebras: 'cerebras',
    cohere: 'cohere',
    cohere_chat: 'cohere',
    jina_ai: 'jina',
    voyage: 'voyage',
  }),
);

/** Prefixes that the list puts before a model's id. */
const prefixes: Readonly<Record<string, readonly string[]>> = {
  google: ['gemini/'],
  mistral: ['mistral/'],
  deepseek: ['deepseek/'],
  meta: ['meta_llama/', 'meta/'],
  amazon: ['bedrock/', 'bedrock_converse/'],
  azure: ['azure/'],
  groq: ['groq/'],
  xai: ['xai/'],
  together: ['together_ai/'],
  fireworks: ['fireworks_ai/'],
  cerebras: ['cerebras/'],
  cohere: ['cohere/'],
  jina: ['jina_ai/'],
  voyage: ['voyage/'],
};

const modes = new Map<unknown, ModelMode>([
  ['chat', 'chat'],
  ['completion', 'completion'],
  ['responses', 'responses'],
  ['embedding', 'embedding'],
  // Observed calls: what they cost, where their answers say it.
  ['audio_transcription', 'other'],
  ['audio_speech', 'other'],
  ['image_generation', 'other'],
  ['moderation', 'other'],
  ['realtime', 'other'],
  ['rerank', 'other'],
]);

type Row = Readonly<Record<string, unknown>>;

/** Highest accepted price, in US dollars per million tokens; the catalog's schema has the same bound. */
export const maxPerMillion = 100_000;

/**
 * Converts US dollars per token, as listed, to per million tokens by decimal shift: `1.5e-7` is 0.15, without binary rounding. Null for an
 * invalid price: not a number, not finite, negative, or above 100,000 dollars.
 */
export function perMillion(value: unknown): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return null;
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  const shifted = Number(`${digits}e${Number(exponent) + 6}`);
  return shifted <= maxPerMillion ? shifted : null;
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

function prices(row: Row, provider: string): Prices {
  return {
    ...tokenPrices(row, ''),
    batchInput: perMillion(row['input_cost_per_token_batches']),
    batchOutput: perMillion(row['output_cost_per_token_batches']),
    imageInput: plain(row['input_cost_per_image']),
    imageOutput: plain(row['output_cost_per_image']),
    ...services(row),
    ...fees(row, provider),
    ...uplifts(row),
    tiers: longContext(row, ''),
  };
}

/** Prices of the service tiers in the list. */
function services(row: Row): Pick<Prices, 'services'> {
  const found = serviceTiers.flatMap((tier) => {
    const suffix = tier === 'batch' ? '_batches' : `_${tier}`;
    const priced = tokenPrices(row, suffix);
    if (priced.input === null && priced.output === null) return [];
    const tiers = longContext(row, suffix);
    return [{ tier, ...priced, ...(tiers.length === 0 ? {} : { tiers }) }];
  });
  return found.length === 0 ? {} : { services: found };
}

/** What is billed per call, unit or second. */
function fees(row: Row, provider: string): Pick<Prices, 'fees'> {
  const webSearch = searchFee(row, provider);
  const searchUnit = row['mode'] === 'rerank' ? plain(row['input_cost_per_query']) : null;
  const second = row['mode'] === 'audio_transcription' ? plain(row['input_cost_per_second']) : null;
  const found = {
    ...(webSearch === null ? {} : { webSearch }),
    ...(searchUnit === null ? {} : { searchUnit }),
    ...(second === null ? {} : { second }),
  };
  return Object.keys(found).length === 0 ? {} : { fees: found };
}

/** Providers with one price for each search, without free ones, that their answers count. */
const countedSearches: ReadonlySet<string> = new Set(['anthropic', 'openai', 'azure']);

/** OpenAI's price of the search tool that is generally available; the list's other price is that of the preview tool. */
const openaiSearch = 0.01;

/** US dollars per web search; null if it depends on more than the number of searches. */
function searchFee(row: Row, provider: string): number | null {
  const listed = row['search_context_cost_per_query'];
  if (!countedSearches.has(provider) || typeof listed !== 'object' || listed === null) return null;
  const all = new Set(Object.values(listed).map(plain));
  const [fee] = all;
  if (all.size !== 1 || fee === undefined || fee === null) return null;
  return provider === 'openai' && fee !== openaiSearch ? null : fee;
}

/** Factors of all token prices. */
function uplifts(row: Row): Pick<Prices, 'uplifts'> {
  const stated = row['provider_specific_entry'];
  const entry = typeof stated === 'object' && stated !== null ? (stated as Row) : {};
  const found: Record<string, number> = {};
  for (const [name, value] of [
    ['fast', entry['fast']],
    ['us', entry['us'] ?? row['regional_processing_uplift_multiplier_us']],
    ['eu', row['regional_processing_uplift_multiplier_eu']],
  ] as const)
    if (isFactor(value)) found[name] = value;
  return Object.keys(found).length === 0 ? {} : { uplifts: found };
}

/** A factor that is believed: of the size of those that providers have. */
function isFactor(value: unknown): value is number {
  return typeof value === 'number' && value >= 1 && value <= maxFactor;
}

/** Highest accepted factor; the catalog's schema has the same bound. */
export const maxFactor = 100;

function plain(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && value <= maxPerMillion ? value : null;
}

function tokenPrices(row: Row, suffix: string): TokenPrices {
  return {
    input: perMillion(row[`input_cost_per_token${suffix}`]),
    output: perMillion(row[`output_cost_per_token${suffix}`]),
    cachedRead: perMillion(
      row[`cache_read_input_token_cost${suffix}`] ?? (suffix === '' ? row['input_cost_per_token_cache_hit'] : undefined),
    ),
    cacheWrite5m: perMillion(row[`cache_creation_input_token_cost${suffix}`]),
    cacheWrite1h: perMillion(row[`cache_creation_input_token_cost_above_1hr${suffix}`]),
    reasoning: perMillion(row[`output_cost_per_reasoning_token${suffix}`]),
    audioInput: perMillion(row[`input_cost_per_audio_token${suffix}`]),
    audioOutput: perMillion(row[`output_cost_per_audio_token${suffix}`]),
    ...stated('cachedAudio', perMillion(row[`cache_read_input_audio_token_cost${suffix}`])),
    ...stated('imageTokenInput', perMillion(row[`input_cost_per_image_token${suffix}`])),
    ...stated('imageTokenOutput', perMillion(row[`output_cost_per_image_token${suffix}`])),
  };
}

function stated(name: string, price: number | null): object {
  return price === null ? {} : { [name]: price };
}

/** `suffix`: of a service tier. */
function longContext(row: Row, suffix: string): Prices['tiers'] {
  const tiers = [];
  for (const field of Object.keys(row)) {
    const match = longField.exec(field);
    if (match?.[3] === suffix) tiers.push({ aboveTokens: Number(match[2]) * 1000, ...tokenPrices(row, `${match[1]!}${suffix}`) });
  }
  return tiers.sort((a, b) => a.aboveTokens - b.aboveTokens);
}

const longField = /^input_cost_per_token(_above_([1-9]\d{0,5})k_tokens)(|_[a-z]+)$/;

function capabilities(row: Row, mode: ModelMode): Capabilities {
  const schema = flag(row['supports_response_schema']) ?? flag(row['supports_native_structured_output']);
  return {
    vision: flag(row['supports_vision']) ?? modality(row, 'supported_modalities', 'image'),
    tools: flag(row['supports_function_calling']),
    // The list has no field for plain JSON mode. A model that supports schemas supports it; without schemas it is unknown.
    jsonObject: schema === true ? true : null,
    jsonSchema: schema,
    audioInput: flag(row['supports_audio_input']) ?? modality(row, 'supported_modalities', 'audio'),
    audioOutput: flag(row['supports_audio_output']) ?? modality(row, 'supported_output_modalities', 'audio'),
    files: flag(row['supports_pdf_input']),
    reasoning: mode === 'embedding' ? false : flag(row['supports_reasoning']),
  };
}

/** A fact of the list that was skipped, and why. */
export interface ImportProblem {
  readonly provider: string;
  readonly model: string;
  readonly field: string;
  readonly problem: 'not-a-price' | 'off-peak-price' | 'bad-id';
}

/** Names of the list's price fields. */
const priceField =
  /^(?:input|output)_cost_per_(?:token|audio_token|reasoning_token|image)|^cache_(?:read|creation)_input_(?:audio_|image_)?token_cost/;

function problemsOf(entry: ModelEntry, row: Row): ImportProblem[] {
  const found: ImportProblem[] = [];
  const { provider, model } = entry;
  for (const [field, value] of Object.entries(row)) {
    if (value === null || !priceField.test(field)) continue;
    if ((/cost_per_image(?!_token)/.test(field) ? plain(value) : perMillion(value)) === null)
      found.push({ provider, model, field, problem: 'not-a-price' });
  }
  // The catalog has no prices by time of day: the base price applies all day, so a cost may be too high, never too low.
  if (row['off_peak_pricing'] !== undefined) found.push({ provider, model, field: 'off_peak_pricing', problem: 'off-peak-price' });
  return found;
}

export interface ImportResult {
  /** By provider, then model. */
  readonly entries: readonly ModelEntry[];
  /**
   * Number of rows of other kinds (videos, OCR), of providers that Sluice does not know, and of price variants that are not
   * model ids.
   */
  readonly skipped: number;
  readonly problems: readonly ImportProblem[];
  /** The file contains prices and little else: a fact that it does not state is unknown, not absent. */
  readonly pricesOnly: boolean;
}

/**
 * Reads LiteLLM's public price list (a JSON object, model id → facts, prices in US dollars per token), or a price file in dollars per
 * thousand tokens (provider → model → `input_cost_per_1k_tokens`). Facts that are not stated are null; a stated 0 is 0. Never throws:
 * unreadable facts are skipped and named in `problems`.
 */
export function importLiteLLM(list: unknown): ImportResult {
  const found = new Map<string, { readonly entry: ModelEntry; readonly row: Row }>();
  const problems: ImportProblem[] = [];
  let skipped = 0;
  const thousands = rowsPerThousand(list);
  const rows =
    thousands !== null
      ? Object.entries(thousands)
      : typeof list === 'object' && list !== null && !Array.isArray(list)
        ? Object.entries(list)
        : [];
  for (const [id, value] of rows) {
    const row = typeof value === 'object' && value !== null ? (value as Row) : {};
    const provider = providers.get(String(row['litellm_provider']));
    const mode = modes.get(row['mode']);
    if (provider === undefined || mode === undefined || id === 'sample_spec') {
      skipped++;
      continue;
    }
    const model = stripPrefix(provider, thousands === null ? id : id.slice(id.indexOf('/') + 1));
    // OpenAI's and Bedrock's model ids have no slash; the list puts regions, commitments and sandboxes in front of one.
    if (model.includes('/') && (provider === 'openai' || provider === 'amazon')) {
      skipped++;
      continue;
    }
    if (model === '' || Buffer.byteLength(model) > limits.modelBytes || unprintable.test(model)) {
      problems.push({ provider, model: model.slice(0, 64), field: 'id', problem: 'bad-id' });
      continue;
    }
    const key = `${provider}/${model}`;
    // The same model in two spellings: the one with the provider's own prefix is maintained.
    if (found.has(key) && id === model && prefixes[provider] !== undefined) continue;
    const entry: ModelEntry = {
      provider,
      model,
      mode,
      prices: prices(row, provider),
      contextWindow: tokens(row['max_input_tokens']),
      maxOutput: tokens(row['max_output_tokens']),
      capabilities: capabilities(row, mode),
    };
    found.set(key, { entry, row });
  }
  for (const { entry, row } of found.values()) problems.push(...problemsOf(entry, row));
  const regional = vertexUplifts(rows);
  const entries = [...found.values()]
    .map(({ entry, row }) => withVertex(withLongContext(entry, row, rows), regional))
    .sort((a, b) => compare(a.provider, b.provider) || compare(a.model, b.model));
  return { entries, skipped, problems, pricesOnly: thousands !== null };
}

/**
 * Anthropic's own rows lack the long-context prices of a beta, which the list has for the same model at Vertex AI: taken from there if the
 * base prices are the same. Otherwise such a request would cost too little.
 */
function withLongContext(entry: ModelEntry, row: Row, rows: readonly (readonly [string, unknown])[]): ModelEntry {
  if (entry.provider !== 'anthropic' || entry.prices.tiers.length > 0) return entry;
  const name = `vertex_ai/${entry.model.replace(/-\d{8}$/, '')}`;
  const vertex = rows.find(([id]) => id === name)?.[1] as Row | undefined;
  const same = (field: string): boolean => vertex?.[field] === row[field];
  if (vertex === undefined || !same('input_cost_per_token') || !same('output_cost_per_token')) return entry;
  return { ...entry, prices: { ...entry.prices, tiers: longContext(vertex, '') } };
}

/** Factors of regional endpoints at Vertex AI, by Google's model id. */
function vertexUplifts(rows: readonly (readonly [string, unknown])[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [id, value] of rows) {
    const factor = id.startsWith('vertex_ai/') ? (value as Row | null)?.['regional_endpoint_uplift_multiplier'] : undefined;
    if (isFactor(factor)) found.set(id.slice('vertex_ai/'.length), factor);
  }
  return found;
}

function withVertex(entry: ModelEntry, regional: ReadonlyMap<string, number>): ModelEntry {
  const vertex = entry.provider === 'google' ? regional.get(entry.model) : undefined;
  return vertex === undefined ? entry : { ...entry, prices: { ...entry.prices, uplifts: { ...entry.prices.uplifts, vertex } } };
}

/** Control characters: they would break logs and reports. */
const unprintable = /[\u0000-\u001f\u007f]/;

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function stripPrefix(provider: string, id: string): string {
  for (const prefix of prefixes[provider] ?? []) if (id.startsWith(prefix)) return id.slice(prefix.length);
  return id;
}
