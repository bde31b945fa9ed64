import { anthropicUsage } from '../anthropic/usage.ts';
import { count, noTokens, unknownFields, type UsageFields, type UsageParts, type UsageReading } from '../common/usage.ts';
import { openaiInputUsage } from '../openai/usage.ts';
import type { UsageConvention } from '../types.ts';

const convention: UsageConvention = { cachedRead: 'on-top', cacheWrite: 'on-top', reasoning: 'subset', audio: 'subset' };

/** Fields of Converse's usage whose meaning is known. */
const knownFields: ReadonlySet<string> = new Set([
  'inputTokens',
  'outputTokens',
  'totalTokens',
  'cacheReadInputTokens',
  'cacheReadInputTokenCount',
  'cacheWriteInputTokens',
  'cacheWriteInputTokenCount',
  'cacheDetails',
  'serverToolUsage',
]);

/** Converse counts cached and written tokens on top of the input, as Anthropic does. */
function converse(usage: UsageFields): UsageParts {
  const cachedRead = count(usage['cacheReadInputTokens']);
  const written = count(usage['cacheWriteInputTokens']);
  const cacheWrite1h = Math.min(written, hourWrites(usage['cacheDetails']));
  const beyond: string[] = [];
  if (Object.keys((usage['serverToolUsage'] as object | null | undefined) ?? {}).length > 0) beyond.push('serverToolUsage');
  unknownFields(usage, knownFields, beyond);
  return {
    ...nothing,
    totalInput: count(usage['inputTokens']) + cachedRead + written,
    cachedRead,
    cacheWrite5m: written - cacheWrite1h,
    cacheWrite1h,
    totalOutput: count(usage['outputTokens']),
    beyond,
  };
}

const nothing: UsageParts = { convention, ...noTokens };

/** Tokens written with the longer lifetime. */
function hourWrites(details: unknown): number {
  if (!Array.isArray(details)) return 0;
  let tokens = 0;
  for (const { ttl, inputTokens } of details as readonly UsageFields[]) if (ttl === '1h') tokens += count(inputTokens);
  return tokens;
}

/** Models that report counts at the top level of their answers: Titan, Llama. */
function counted(usage: UsageFields): UsageParts | null {
  const input = usage['inputTextTokenCount'] ?? usage['prompt_token_count'];
  if (input === undefined) return null;
  return { ...nothing, totalInput: count(input), totalOutput: count(usage['generation_token_count']) };
}

/** Converse's counts, or those in the words of the model that was invoked. */
export const bedrockUsage: UsageReading = {
  convention,
  read: (usage) => {
    if (usage['inputTokens'] !== undefined) return converse(usage);
    if (usage['prompt_tokens'] !== undefined) return openaiInputUsage.read(usage);
    return counted(usage) ?? anthropicUsage.read(usage);
  },
};
