import { limits } from '../lib/limits.ts';
import type { ApiName, ServiceTier, Usage, UsageConvention } from './types.ts';

const openaiConvention: UsageConvention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' };
const anthropicConvention: UsageConvention = { cachedRead: 'on-top', cacheWrite: 'on-top', reasoning: 'subset', audio: 'subset' };
const geminiConvention: UsageConvention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'on-top', audio: 'subset' };

/** How an API counts; null: its usage is not read. */
export function conventionOf(api: ApiName): UsageConvention | null {
  switch (api) {
    case 'openai-chat':
    case 'openai-completions':
    case 'openai-embeddings':
    case 'openai-responses':
      return openaiConvention;
    case 'anthropic-messages':
      return anthropicConvention;
    case 'gemini-generate':
      return geminiConvention;
    case 'anthropic-count-tokens':
    case 'bedrock':
    case 'other-llm':
      return null;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** What an answer says of its price beside its usage. */
export interface Billed {
  readonly service: ServiceTier | null;
  readonly beyond: readonly string[];
}

const plain: Billed = { service: null, beyond: [] };

class Unreadable extends Error {}

/** A token count; absent or null is 0, because providers leave out what did not happen. Anything else is unreadable. */
function count(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Unreadable();
  return value;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/**
 * A provider's usage object as disjoint classes; null when it cannot be read (a count that is no count, a part larger than
 * its whole). `usage` is the parsed object, `raw` its text; `billed`: what the answer around it says of its price.
 */
export function readUsage(api: ApiName, usage: unknown, raw: string, billed: Billed = plain): Usage | null {
  if (typeof usage !== 'object' || usage === null) return null;
  try {
    const read = parts(api, usage as Fields);
    if (read === null) return null;
    const service = billed.service ?? read.service;
    const beyond = [...new Set([...read.beyond, ...billed.beyond])];
    const { convention, totalInput, cachedRead, cacheWrite5m, cacheWrite1h, audioInput, totalOutput, reasoning, audioOutput } = read;
    const input = totalInput - cachedRead - cacheWrite5m - cacheWrite1h - audioInput;
    const output = totalOutput - reasoning - audioOutput;
    if (input < 0 || output < 0) return null;
    return {
      convention,
      input,
      cachedRead,
      cacheWrite5m,
      cacheWrite1h,
      audioInput,
      output,
      reasoning,
      audioOutput,
      totalInput,
      totalOutput,
      ...(service === null ? {} : { service }),
      ...(beyond.length === 0 ? {} : { beyond }),
      raw: raw.slice(0, limits.rawUsageBytes),
    };
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

type Parts = Omit<Usage, 'input' | 'output' | 'raw' | 'beyond' | 'service'> & { readonly service: ServiceTier | null; readonly beyond: readonly string[] };

function parts(api: ApiName, usage: Fields): Parts | null {
  switch (api) {
    case 'openai-chat':
    case 'openai-completions':
    case 'openai-embeddings':
    case 'openai-responses':
      return openai(usage);
    case 'anthropic-messages':
      return anthropic(usage);
    case 'gemini-generate':
      return gemini(usage);
    case 'anthropic-count-tokens':
    case 'bedrock':
    case 'other-llm':
      return null;
  }
}

/** Fields of each API's usage whose meaning is known, at any depth: counted above, part of what is counted, or no matter of money. */
const knownFields: Readonly<Record<'openai' | 'anthropic' | 'gemini', ReadonlySet<string>>> = {
  openai: new Set([
    'prompt_tokens', 'input_tokens', 'completion_tokens', 'output_tokens', 'total_tokens', 'prompt_tokens_details', 'input_tokens_details', 'completion_tokens_details', 'output_tokens_details', 'input_token_details', 'output_token_details',
    'cached_tokens', 'cache_write_tokens', 'cache_creation_tokens', 'cached_tokens_details', 'audio_tokens', 'text_tokens', 'image_tokens', 'video_tokens', 'reasoning_tokens', 'accepted_prediction_tokens', 'rejected_prediction_tokens',
    'prompt_cache_hit_tokens', 'prompt_cache_miss_tokens', 'prompt_audio_seconds', 'cost_details', 'is_byok', 'reasoning_tokens_details', 'prompt_tokens_reasoning',
  ]),
  anthropic: new Set(['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'cache_creation', 'ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens', 'output_tokens_details', 'thinking_tokens', 'iterations', 'server_tool_use', 'service_tier', 'speed', 'inference_geo', 'total_tokens', 'prompt_tokens', 'completion_tokens']),
  gemini: new Set(['promptTokenCount', 'candidatesTokenCount', 'totalTokenCount', 'cachedContentTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount', 'promptTokensDetails', 'cacheTokensDetails', 'candidatesTokensDetails', 'toolUsePromptTokensDetails', 'responseTokenCount', 'responseTokensDetails', 'trafficType', 'serviceTier']),
};

/** Times, and sums of money that the provider works out itself. */
const harmless = /time|latency|duration|_ms$|cost|ticks|throughput|per_second/i;

/** Fields that nobody knows and that count something: they may be billed. */
function unknownFields(usage: Fields, known: ReadonlySet<string>, found: string[]): void {
  for (const [name, value] of Object.entries(usage)) {
    if (found.length >= mostBeyond) return;
    if (known.has(name) || harmless.test(name)) {
      if (name.endsWith('_details')) unknownFields(fields(value), known, found);
    } else if ((typeof value === 'number' && value > 0) || (typeof value === 'object' && value !== null && Object.values(value).some((inner) => typeof inner === 'number' && inner > 0))) found.push(name.slice(0, mostName));
  }
}

const mostBeyond = 8;
const mostName = 64;

/** Chat and completions say prompt/completion, Responses says input/output. Some compatible providers mix the names. */
function openai(usage: Fields): Parts | null {
  if (usage['prompt_tokens'] === undefined && usage['input_tokens'] === undefined) return null;
  const inputDetails = fields(usage['prompt_tokens_details'] ?? usage['input_tokens_details']);
  const outputDetails = fields(usage['completion_tokens_details'] ?? usage['output_tokens_details']);
  // Moonshot says it at the top, DeepSeek by its own name.
  const cachedRead = count(inputDetails['cached_tokens'] ?? usage['prompt_cache_hit_tokens'] ?? usage['cached_tokens']);
  const audio = count(inputDetails['audio_tokens']);
  const cachedAudio = count(fields(inputDetails['cached_tokens_details'])['audio_tokens']);
  const totalInput = count(usage['prompt_tokens'] ?? usage['input_tokens']);
  const said = count(usage['completion_tokens'] ?? usage['output_tokens']);
  const thoughts = count(outputDetails['reasoning_tokens']);
  const beyond: string[] = [];
  const outside = outsideOf(count(usage['total_tokens']), totalInput + said, thoughts);
  if (outside === null) beyond.push('total_tokens');
  if (cachedAudio > 0) beyond.push('cached audio');
  unknownFields(usage, knownFields.openai, beyond);
  return {
    convention: outside === null || outside === 0 ? openaiConvention : { ...openaiConvention, reasoning: 'on-top' },
    totalInput,
    cachedRead,
    // OpenAI's own name is cache_write_tokens: a subset of the input, and priced for its newer models.
    cacheWrite5m: count(inputDetails['cache_write_tokens']),
    cacheWrite1h: 0,
    // Cached audio is in both of OpenAI's subsets; no token is counted twice.
    audioInput: Math.min(Math.max(0, audio - cachedAudio), Math.max(0, totalInput - cachedRead)),
    totalOutput: said + (outside ?? 0),
    reasoning: thoughts === 0 ? (outside ?? 0) : thoughts,
    audioOutput: count(outputDetails['audio_tokens']),
    service: null,
    beyond,
  };
}

/**
 * Thoughts that a provider counts beside its completion: xAI names them and adds them in the total alone, Google's API in OpenAI's words adds
 * them there without a name. Null: the total holds something else.
 */
function outsideOf(total: number, counted: number, thoughts: number): number | null {
  // No total, or one that leaves out what was cached.
  if (total <= counted) return 0;
  const more = total - counted;
  return thoughts === 0 || more === thoughts ? more : null;
}

function anthropic(usage: Fields): Parts | null {
  if (usage['input_tokens'] === undefined) return null;
  const beyond: string[] = [];
  const rounds = roundsOf(usage, beyond);
  const counted = rounds.map(anthropicRound);
  const sum = (of: (round: (typeof counted)[number]) => number): number => counted.reduce((all, round) => all + of(round), 0);
  const cachedRead = sum((round) => round.cachedRead);
  const cacheWrite5m = sum((round) => round.cacheWrite5m);
  const cacheWrite1h = sum((round) => round.cacheWrite1h);
  for (const [name, used] of Object.entries(fields(usage['server_tool_use']))) if (typeof used === 'number' && used > 0) beyond.push(name);
  const { speed } = usage;
  if (speed !== undefined && speed !== null && speed !== 'standard') beyond.push(`speed ${named(speed)}`);
  if (!everywhere.has(usage['inference_geo'])) beyond.push(`inference_geo ${named(usage['inference_geo'])}`);
  const tier = usage['service_tier'];
  // What was bought ahead has a price of its own.
  if (tier === 'priority') beyond.push('service_tier priority');
  unknownFields(usage, knownFields.anthropic, beyond);
  return {
    convention: anthropicConvention,
    totalInput: sum((round) => round.input) + cachedRead + cacheWrite5m + cacheWrite1h,
    cachedRead,
    cacheWrite5m,
    cacheWrite1h,
    audioInput: 0,
    totalOutput: sum((round) => round.output),
    // Said by newer models only; where it is not, thoughts are in the output without a number of their own.
    reasoning: count(fields(usage['output_tokens_details'])['thinking_tokens']),
    audioOutput: 0,
    service: tier === 'batch' ? 'batch' : null,
    beyond,
  };
}

/** Where inference ran at no extra price. */
const everywhere: ReadonlySet<unknown> = new Set([undefined, null, '', 'global', 'not_available', 'default']);

/** A request that compacted its context first was several: the totals leave the compaction out. */
function roundsOf(usage: Fields, beyond: string[]): readonly Fields[] {
  const rounds = Array.isArray(usage['iterations']) ? (usage['iterations'] as readonly unknown[]).map(fields) : [];
  if (rounds.length === 0) return [usage];
  const others = rounds.filter(({ type }) => type !== 'compaction' && type !== 'message');
  // Another model's rounds have another model's price.
  for (const { type } of others) beyond.push(`iterations ${named(type)}`);
  return others.length > 0 ? [usage] : rounds;
}

function anthropicRound(round: Fields): { readonly input: number; readonly output: number; readonly cachedRead: number; readonly cacheWrite5m: number; readonly cacheWrite1h: number } {
  const written = count(round['cache_creation_input_tokens']);
  const split = fields(round['cache_creation']);
  const cacheWrite1h = count(split['ephemeral_1h_input_tokens']);
  return {
    input: count(round['input_tokens']),
    output: count(round['output_tokens']),
    cachedRead: count(round['cache_read_input_tokens']),
    // Without the split all of it was written with the default lifetime, five minutes.
    cacheWrite5m: Math.max(written - cacheWrite1h, count(split['ephemeral_5m_input_tokens'])),
    cacheWrite1h,
  };
}

function gemini(usage: Fields): Parts | null {
  if (usage['promptTokenCount'] === undefined) return null;
  const reasoning = count(usage['thoughtsTokenCount']);
  const prompt = count(usage['promptTokenCount']) + count(usage['toolUsePromptTokenCount']);
  const cachedRead = count(usage['cachedContentTokenCount']);
  const cachedAudio = modality(usage['cacheTokensDetails'], 'AUDIO');
  const audioInput = modality(usage['promptTokensDetails'], 'AUDIO') + modality(usage['toolUsePromptTokensDetails'], 'AUDIO') - cachedAudio;
  const beyond: string[] = [];
  if (cachedAudio > 0) beyond.push('cached audio');
  if (modality(usage['candidatesTokensDetails'], 'IMAGE') > 0) beyond.push('image output');
  unknownFields(usage, knownFields.gemini, beyond);
  return {
    convention: geminiConvention,
    totalInput: prompt,
    cachedRead,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: Math.min(Math.max(0, audioInput), Math.max(0, prompt - cachedRead)),
    totalOutput: count(usage['candidatesTokenCount']) + reasoning,
    reasoning,
    audioOutput: modality(usage['candidatesTokensDetails'], 'AUDIO'),
    service: serviceOf(named(usage['serviceTier'] ?? usage['trafficType'])),
    beyond,
  };
}

function named(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, mostName) : '';
}

/** A tier by any provider's name for it; null: the standard one. */
export function serviceOf(name: string): ServiceTier | null {
  const tier = /flex|priority|batch/i.exec(name)?.[0].toLowerCase();
  return tier === undefined ? null : (tier as ServiceTier);
}

function modality(details: unknown, wanted: string): number {
  if (!Array.isArray(details)) return 0;
  let tokens = 0;
  for (const detail of details as unknown[]) {
    const entry = fields(detail);
    if (entry['modality'] === wanted) tokens += count(entry['tokenCount']);
  }
  return tokens;
}
