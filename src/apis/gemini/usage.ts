import type { JsonObject } from '../common/json.ts';
import { count, fields, named, serviceOf, unknownFields, type UsageFields, type UsageParts, type UsageReading } from '../common/usage.ts';
import type { Usage, UsageConvention } from '../types.ts';

const convention: UsageConvention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'on-top', audio: 'subset' };

/** Fields of the usage object whose meaning is known, at any depth: counted below, part of a counted field, or irrelevant for the price. */
const knownFields: ReadonlySet<string> = new Set([
  'promptTokenCount',
  'candidatesTokenCount',
  'totalTokenCount',
  'cachedContentTokenCount',
  'thoughtsTokenCount',
  'toolUsePromptTokenCount',
  'promptTokensDetails',
  'cacheTokensDetails',
  'candidatesTokensDetails',
  'toolUsePromptTokensDetails',
  'responseTokenCount',
  'responseTokensDetails',
  'initialPromptTokenCount',
  'trafficType',
  'serviceTier',
]);

function read(usage: UsageFields): UsageParts | null {
  if (usage['promptTokenCount'] === undefined) return null;
  const reasoning = count(usage['thoughtsTokenCount']);
  const prompt = count(usage['promptTokenCount']) + count(usage['toolUsePromptTokenCount']);
  const cachedRead = count(usage['cachedContentTokenCount']);
  const cachedAudio = modality(usage['cacheTokensDetails'], 'AUDIO');
  const audioInput = modality(usage['promptTokensDetails'], 'AUDIO') + modality(usage['toolUsePromptTokensDetails'], 'AUDIO') - cachedAudio;
  const beyond: string[] = [];
  const candidates = count(usage['candidatesTokenCount']);
  const imageOutput = modality(usage['candidatesTokensDetails'], 'IMAGE');
  if (modality(usage['candidatesTokensDetails'], 'VIDEO') > 0) beyond.push('video output');
  // Its OpenAI-compatible API leaves thoughts out of the completion; here, too, a total may contain more than its parts.
  if (count(usage['totalTokenCount']) > prompt + candidates + reasoning) beyond.push('totalTokenCount');
  // Capacity purchased in advance and by time, and off-peak traffic: their tokens have no price.
  const service = serviceOf(named(usage['serviceTier'] ?? usage['trafficType']), beyond);
  unknownFields(usage, knownFields, beyond);
  return {
    convention,
    totalInput: prompt,
    cachedRead,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: Math.min(Math.max(0, audioInput), Math.max(0, prompt - cachedRead)),
    totalOutput: candidates + reasoning,
    reasoning,
    audioOutput: modality(usage['candidatesTokensDetails'], 'AUDIO'),
    cachedAudio: Math.min(cachedAudio, cachedRead),
    imageOutput: Math.min(imageOutput, candidates),
    service,
    beyond,
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

/** How Gemini counts. */
export const geminiUsage: UsageReading = { convention, read };

const interactionFields: ReadonlySet<string> = new Set([
  'total_input_tokens',
  'total_output_tokens',
  'total_thought_tokens',
  'total_cached_tokens',
  'total_tool_use_tokens',
  'total_tokens',
  'total_reasoning_tokens',
  'input_tokens_by_modality',
  'output_tokens_by_modality',
  'cached_tokens_by_modality',
  'tool_use_tokens_by_modality',
]);

/** The same counts in the names of its interactions. */
function readInteraction(usage: UsageFields): UsageParts | null {
  const beyond: string[] = [];
  unknownFields(usage, interactionFields, beyond);
  const parts = read({
    promptTokenCount: usage['total_input_tokens'],
    candidatesTokenCount: usage['total_output_tokens'],
    thoughtsTokenCount: usage['total_thought_tokens'] ?? usage['total_reasoning_tokens'],
    cachedContentTokenCount: usage['total_cached_tokens'],
    toolUsePromptTokenCount: usage['total_tool_use_tokens'],
    totalTokenCount: usage['total_tokens'],
    promptTokensDetails: modalities(usage['input_tokens_by_modality']),
    candidatesTokensDetails: modalities(usage['output_tokens_by_modality']),
    cacheTokensDetails: modalities(usage['cached_tokens_by_modality']),
    toolUsePromptTokensDetails: modalities(usage['tool_use_tokens_by_modality']),
  });
  return parts === null ? null : { ...parts, beyond: [...parts.beyond, ...beyond] };
}

function modalities(counts: unknown): unknown {
  if (!Array.isArray(counts)) return undefined;
  return counts.map((entry) => {
    const { modality: name, tokens } = fields(entry);
    return { modality: named(name).toUpperCase(), tokenCount: tokens };
  });
}

/** How Gemini's interactions count. */
export const interactionUsage: UsageReading = { convention, read: readInteraction };

/** Gemini: cached tokens are inside the prompt, thinking tokens are on top of the candidates. */
export function writeGeminiUsage(usage: Usage): JsonObject {
  return {
    promptTokenCount: usage.totalInput,
    candidatesTokenCount: usage.totalOutput - usage.reasoning,
    totalTokenCount: usage.totalInput + usage.totalOutput,
    ...(usage.cachedRead === 0 ? {} : { cachedContentTokenCount: usage.cachedRead }),
    ...(usage.reasoning === 0 ? {} : { thoughtsTokenCount: usage.reasoning }),
  };
}
