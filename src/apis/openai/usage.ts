import type { JsonObject } from '../common/json.ts';
import { count, fields, noTokens, unknownFields, type UsageFields, type UsageParts, type UsageReading } from '../common/usage.ts';
import type { Usage, UsageConvention } from '../types.ts';

const convention: UsageConvention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' };

/** Fields of the usage object whose meaning is known, at any depth: counted below, part of a counted field, or irrelevant for the price. */
const knownFields: ReadonlySet<string> = new Set([
  'prompt_tokens',
  'input_tokens',
  'completion_tokens',
  'output_tokens',
  'total_tokens',
  'prompt_tokens_details',
  'input_tokens_details',
  'completion_tokens_details',
  'output_tokens_details',
  'input_token_details',
  'output_token_details',
  'cached_tokens',
  'num_cached_tokens',
  'cache_write_tokens',
  'cache_creation_tokens',
  'cached_tokens_details',
  'type',
  'audio_tokens',
  'text_tokens',
  'image_tokens',
  'video_tokens',
  'reasoning_tokens',
  'accepted_prediction_tokens',
  'rejected_prediction_tokens',
  'prompt_cache_hit_tokens',
  'prompt_cache_miss_tokens',
  'cost_details',
  'is_byok',
  'reasoning_tokens_details',
  'prompt_tokens_reasoning',
]);

/** Chat and completions use prompt/completion, Responses uses input/output. Some compatible providers mix the names. */
function read(usage: UsageFields): UsageParts | null {
  // A total that is null is not known, unlike a count of a class, which is left out if it is 0.
  if ((usage['prompt_tokens'] ?? usage['input_tokens'] ?? null) === null) return readSeconds(usage);
  const inputDetails = fields(usage['prompt_tokens_details'] ?? usage['input_tokens_details'] ?? usage['input_token_details']);
  const outputDetails = fields(usage['completion_tokens_details'] ?? usage['output_tokens_details'] ?? usage['output_token_details']);
  // Moonshot puts it at the top, DeepSeek and Mistral use names of their own.
  const cachedRead = count(
    inputDetails['cached_tokens'] ?? usage['prompt_cache_hit_tokens'] ?? usage['cached_tokens'] ?? usage['num_cached_tokens'],
  );
  // OpenAI's own name is cache_write_tokens: a subset of the input, with a separate price for its newer models. Proxies have the other.
  const written = count(inputDetails['cache_write_tokens'] ?? inputDetails['cache_creation_tokens']);
  const cached = fields(inputDetails['cached_tokens_details']);
  const cachedAudio = Math.min(count(cached['audio_tokens']), cachedRead);
  const totalInput = count(usage['prompt_tokens'] ?? usage['input_tokens']);
  const said = count(usage['completion_tokens'] ?? usage['output_tokens']);
  const thoughts = count(outputDetails['reasoning_tokens']);
  const audioOutput = count(outputDetails['audio_tokens']);
  // Cached audio and images are in both of OpenAI's subsets; they must not be counted twice.
  const uncached = Math.max(0, totalInput - cachedRead - written);
  const audioInput = Math.min(Math.max(0, count(inputDetails['audio_tokens']) - cachedAudio), uncached);
  const images = Math.max(0, count(inputDetails['image_tokens']) - count(cached['image_tokens']));
  const beyond: string[] = [];
  const outside = outsideOf(count(usage['total_tokens']), totalInput + said, thoughts);
  if (outside === null) beyond.push('total_tokens');
  unknownFields(usage, knownFields, beyond);
  const reasoning = thoughts === 0 ? (outside ?? 0) : thoughts;
  const totalOutput = said + (outside ?? 0);
  return {
    convention: outside === null || outside === 0 ? convention : { ...convention, reasoning: 'on-top' },
    totalInput,
    cachedRead,
    cacheWrite5m: written,
    cacheWrite1h: 0,
    audioInput,
    totalOutput,
    reasoning,
    audioOutput,
    cachedAudio,
    imageInput: Math.min(images, uncached - audioInput),
    imageOutput: Math.min(count(outputDetails['image_tokens']), Math.max(0, totalOutput - reasoning - audioOutput)),
    service: null,
    beyond,
  };
}

/** The usage of a transcription that is billed by its length. */
function readSeconds(usage: UsageFields): UsageParts | null {
  const { seconds } = usage;
  if (usage['type'] !== 'duration' || typeof seconds !== 'number' || !(seconds >= 0) || !Number.isFinite(seconds)) return null;
  return { convention, ...noTokens, calls: { seconds } };
}

/**
 * Thinking tokens that a provider reports outside its completion count: xAI names them and includes them only in the total; Google's
 * OpenAI-compatible API includes them there without a name. Null if the total contains anything else.
 */
function outsideOf(total: number, counted: number, thoughts: number): number | null {
  // No total, or one without the cached tokens.
  if (total <= counted) return 0;
  const more = total - counted;
  return thoughts === 0 || more === thoughts ? more : null;
}

/** How OpenAI's APIs count. */
export const openaiUsage: UsageReading = { convention, read };

/** The same for calls without an output, as embeddings: some providers say only the total. */
export const openaiInputUsage: UsageReading = {
  convention,
  read: (usage) =>
    read(
      (usage['prompt_tokens'] ?? usage['input_tokens'] ?? null) === null && usage['total_tokens'] !== undefined
        ? { ...usage, prompt_tokens: usage['total_tokens'] }
        : usage,
    ),
};

/** How Ollama's own API counts. */
export const ollamaUsage: UsageReading = {
  convention,
  read: (usage) => ({ convention, ...noTokens, totalInput: count(usage['prompt_eval_count']), totalOutput: count(usage['eval_count']) }),
};

/** OpenAI chat: cached, written, audio and reasoning tokens are inside their totals. */
export function openaiChatUsage(usage: Usage): JsonObject {
  return {
    prompt_tokens: usage.totalInput,
    completion_tokens: usage.totalOutput,
    total_tokens: usage.totalInput + usage.totalOutput,
    prompt_tokens_details: { cached_tokens: usage.cachedRead, audio_tokens: usage.audioInput, ...written(usage) },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: usage.audioOutput,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function written(usage: Usage): JsonObject {
  const tokens = usage.cacheWrite5m + usage.cacheWrite1h;
  return tokens === 0 ? {} : { cache_write_tokens: tokens };
}

/** OpenAI responses: the same under other names. */
export function openaiResponsesUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.totalInput,
    input_tokens_details: { cached_tokens: usage.cachedRead, cache_write_tokens: usage.cacheWrite5m + usage.cacheWrite1h },
    output_tokens: usage.totalOutput,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: usage.totalInput + usage.totalOutput,
  };
}
