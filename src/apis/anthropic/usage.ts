import type { JsonObject } from '../common/json.ts';
import { count, fields, named, unknownFields, type UsageFields, type UsageParts, type UsageReading } from '../common/usage.ts';
import type { Usage, UsageConvention } from '../types.ts';

const convention: UsageConvention = { cachedRead: 'on-top', cacheWrite: 'on-top', reasoning: 'subset', audio: 'subset' };

/** Fields of the usage object whose meaning is known, at any depth: counted below, part of a counted field, or irrelevant for the price. */
const knownFields: ReadonlySet<string> = new Set([
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation',
  'ephemeral_5m_input_tokens',
  'ephemeral_1h_input_tokens',
  'output_tokens_details',
  'thinking_tokens',
  'iterations',
  'server_tool_use',
  'service_tier',
  'speed',
  'inference_geo',
  'fallback_credit',
  'total_tokens',
  'prompt_tokens',
  'completion_tokens',
]);

function read(usage: UsageFields): UsageParts | null {
  if ((usage['input_tokens'] ?? null) === null) return null;
  const beyond: string[] = [];
  const rounds = roundsOf(usage, beyond);
  const counted = rounds.map(anthropicRound);
  const sum = (of: (round: (typeof counted)[number]) => number): number => counted.reduce((all, round) => all + of(round), 0);
  const cachedRead = sum((round) => round.cachedRead);
  const cacheWrite5m = sum((round) => round.cacheWrite5m);
  const cacheWrite1h = sum((round) => round.cacheWrite1h);
  const uplifts: string[] = [];
  const { speed } = usage;
  if (speed !== undefined && speed !== null && speed !== 'standard') uplifts.push(named(speed));
  if (!everywhere.has(usage['inference_geo'])) uplifts.push(named(usage['inference_geo']));
  // A credit for a refused attempt lowers the price.
  if (fields(usage['fallback_credit'])['type'] === 'redeemed') beyond.push('fallback_credit');
  const longest = Math.max(...counted.map((round) => round.input + round.cachedRead + round.cacheWrite5m + round.cacheWrite1h));
  const calls = callsOf(usage['server_tool_use']);
  const tier = usage['service_tier'];
  // Capacity purchased in advance has a separate price.
  if (tier === 'priority') beyond.push('service_tier priority');
  unknownFields(usage, knownFields, beyond);
  return {
    convention,
    totalInput: sum((round) => round.input) + cachedRead + cacheWrite5m + cacheWrite1h,
    cachedRead,
    cacheWrite5m,
    cacheWrite1h,
    audioInput: 0,
    totalOutput: sum((round) => round.output),
    // Only newer models report it; without it, thinking tokens are part of the output.
    reasoning: count(fields(usage['output_tokens_details'])['thinking_tokens']),
    audioOutput: 0,
    service: tier === 'batch' ? 'batch' : null,
    ...(counted.length > 1 ? { longestInput: longest } : {}),
    ...(calls === null ? {} : { calls }),
    ...(uplifts.length === 0 ? {} : { uplifts }),
    beyond,
  };
}

/** Calls of tools that Anthropic runs. Fetching a page costs only its tokens. */
function callsOf(used: unknown): Record<string, number> | null {
  const counts = Object.entries(fields(used)).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] > 0 && entry[0] !== 'web_fetch_requests',
  );
  return counts.length === 0 ? null : Object.fromEntries(counts.slice(0, mostKinds).map(([name, times]) => [named(name), times]));
}

const mostKinds = 8;

/** Inference locations without an extra price. */
const everywhere: ReadonlySet<unknown> = new Set([undefined, null, '', 'global', 'not_available', 'default']);

/** A request that first compacted its context ran several rounds: the totals exclude the compaction. */
function roundsOf(usage: UsageFields, beyond: string[]): readonly UsageFields[] {
  const rounds = Array.isArray(usage['iterations']) ? (usage['iterations'] as readonly unknown[]).map(fields) : [];
  if (rounds.length === 0) return [usage];
  const others = rounds.filter(({ type }) => type !== 'compaction' && type !== 'message');
  // Rounds of another model have another price.
  for (const { type } of others) beyond.push(`iterations ${named(type)}`);
  return others.length > 0 ? [usage] : rounds;
}

function anthropicRound(round: UsageFields): {
  readonly input: number;
  readonly output: number;
  readonly cachedRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
} {
  const written = count(round['cache_creation_input_tokens']);
  const split = fields(round['cache_creation']);
  const cacheWrite1h = count(split['ephemeral_1h_input_tokens']);
  return {
    input: count(round['input_tokens']),
    output: count(round['output_tokens']),
    cachedRead: count(round['cache_read_input_tokens']),
    // Without the split, all tokens were written with the default lifetime, five minutes.
    cacheWrite5m: Math.max(written - cacheWrite1h, count(split['ephemeral_5m_input_tokens'])),
    cacheWrite1h,
  };
}

/** A request that asks for the longer lifetime, and an answer that does not say how many tokens were written with it, as some proxies'. */
export function unclearWrites({ cacheWrite5m, cacheWrite1h, raw }: Usage): string | null {
  return cacheWrite5m > 0 && cacheWrite1h === 0 && !raw.includes('ephemeral_') ? 'cache_creation' : null;
}

/** How Anthropic counts. */
export const anthropicUsage: UsageReading = { convention, read };

/** Anthropic: cached and written tokens are on top of the input. */
export function writeAnthropicUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.input + usage.audioInput,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cachedRead,
    output_tokens: usage.totalOutput,
    ...(usage.reasoning === 0 ? {} : { output_tokens_details: { thinking_tokens: usage.reasoning } }),
  };
}

/** Anthropic's messages must contain usage; used when the provider reported none. */
export const anthropicNoUsage: JsonObject = {
  input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 0,
};
