import type { ApiName, Usage } from '../types.ts';
import { readUsage } from '../usage.ts';
import { plain, writeJson } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** A provider's usage object in classes; null when there is none or it cannot be read. */
export function usageOf(api: ApiName, usage: Json | undefined): Usage | null {
  if (usage === undefined || usage === null) return null;
  return readUsage(api, plain(usage), writeJson(usage));
}

/** OpenAI chat: cached, written, audio and reasoning tokens are inside their totals. */
export function openaiChatUsage(usage: Usage): JsonObject {
  return {
    prompt_tokens: usage.totalInput,
    completion_tokens: usage.totalOutput,
    total_tokens: usage.totalInput + usage.totalOutput,
    prompt_tokens_details: { cached_tokens: usage.cachedRead, audio_tokens: usage.audioInput, ...written(usage) },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: usage.audioOutput, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
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

/** Anthropic: cached and written tokens are on top of the input. */
export function anthropicUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.input + usage.audioInput,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cachedRead,
    output_tokens: usage.totalOutput,
    ...(usage.reasoning === 0 ? {} : { output_tokens_details: { thinking_tokens: usage.reasoning } }),
  };
}

/** Anthropic's messages cannot leave usage out; where the provider said nothing, this stands for it. */
export const anthropicNoUsage: JsonObject = { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 };

/** Gemini: cached tokens are inside the prompt, thoughts are on top of the candidates. */
export function geminiUsage(usage: Usage): JsonObject {
  return {
    promptTokenCount: usage.totalInput,
    candidatesTokenCount: usage.totalOutput - usage.reasoning,
    totalTokenCount: usage.totalInput + usage.totalOutput,
    ...(usage.cachedRead === 0 ? {} : { cachedContentTokenCount: usage.cachedRead }),
    ...(usage.reasoning === 0 ? {} : { thoughtsTokenCount: usage.reasoning }),
  };
}
