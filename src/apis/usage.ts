import { limits } from '../lib/limits.ts';
import type { ApiName, Usage, UsageConvention } from './types.ts';

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
 * its whole). `usage` is the parsed object, `raw` its text.
 */
export function readUsage(api: ApiName, usage: unknown, raw: string): Usage | null {
  if (typeof usage !== 'object' || usage === null) return null;
  try {
    const read = parts(api, usage as Fields);
    if (read === null) return null;
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
      raw: raw.slice(0, limits.rawUsageBytes),
    };
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

type Parts = Omit<Usage, 'input' | 'output' | 'raw'>;

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

/** Chat and completions say prompt/completion, Responses says input/output. Some compatible providers mix the names. */
function openai(usage: Fields): Parts | null {
  if (usage['prompt_tokens'] === undefined && usage['input_tokens'] === undefined) return null;
  const inputDetails = fields(usage['prompt_tokens_details'] ?? usage['input_tokens_details']);
  const outputDetails = fields(usage['completion_tokens_details'] ?? usage['output_tokens_details']);
  const cachedRead = count(inputDetails['cached_tokens'] ?? usage['prompt_cache_hit_tokens']);
  const audioInput = count(inputDetails['audio_tokens']);
  const totalInput = count(usage['prompt_tokens'] ?? usage['input_tokens']);
  return {
    convention: openaiConvention,
    totalInput,
    cachedRead,
    // OpenAI's own name is cache_write_tokens: a subset of the input, and priced for its newer models.
    cacheWrite5m: count(inputDetails['cache_write_tokens']),
    cacheWrite1h: 0,
    // Cached audio is in both of OpenAI's subsets; it is billed as cached, and no token is counted twice.
    audioInput: Math.min(audioInput, Math.max(0, totalInput - cachedRead)),
    totalOutput: count(usage['completion_tokens'] ?? usage['output_tokens']),
    reasoning: count(outputDetails['reasoning_tokens']),
    audioOutput: count(outputDetails['audio_tokens']),
  };
}

function anthropic(usage: Fields): Parts | null {
  if (usage['input_tokens'] === undefined) return null;
  const cachedRead = count(usage['cache_read_input_tokens']);
  const written = count(usage['cache_creation_input_tokens']);
  const split = fields(usage['cache_creation']);
  const cacheWrite1h = count(split['ephemeral_1h_input_tokens']);
  // Without the split all of it was written with the default lifetime, five minutes.
  const cacheWrite5m = Math.max(written - cacheWrite1h, count(split['ephemeral_5m_input_tokens']));
  return {
    convention: anthropicConvention,
    totalInput: count(usage['input_tokens']) + cachedRead + cacheWrite5m + cacheWrite1h,
    cachedRead,
    cacheWrite5m,
    cacheWrite1h,
    audioInput: 0,
    totalOutput: count(usage['output_tokens']),
    // Said by newer models only; where it is not, thoughts are in the output without a number of their own.
    reasoning: count(fields(usage['output_tokens_details'])['thinking_tokens']),
    audioOutput: 0,
  };
}

function gemini(usage: Fields): Parts | null {
  if (usage['promptTokenCount'] === undefined) return null;
  const reasoning = count(usage['thoughtsTokenCount']);
  const prompt = count(usage['promptTokenCount']) + count(usage['toolUsePromptTokenCount']);
  const cachedRead = count(usage['cachedContentTokenCount']);
  const audioInput = modality(usage['promptTokensDetails'], 'AUDIO');
  return {
    convention: geminiConvention,
    totalInput: prompt,
    cachedRead,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: Math.min(audioInput, Math.max(0, prompt - cachedRead)),
    totalOutput: count(usage['candidatesTokenCount']) + reasoning,
    reasoning,
    audioOutput: modality(usage['candidatesTokensDetails'], 'AUDIO'),
  };
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
