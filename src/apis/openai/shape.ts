import type { ApiName } from '../types.ts';
import type { Asked } from '../shape/asked.ts';
import type { AskedModel } from '../common/parameter-types.ts';

/** Providers that have a flex tier under this name. */
const flexProviders: ReadonlySet<string> = new Set(['openai', 'groq']);

/** OpenAI's parameter names, by API. */
const words: Readonly<Partial<Record<ApiName, { readonly limit: string; readonly effort: string | null }>>> = {
  'openai-chat': { limit: 'max_completion_tokens', effort: 'reasoning_effort' },
  'openai-completions': { limit: 'max_tokens', effort: null },
  'openai-responses': { limit: 'max_output_tokens', effort: 'reasoning.effort' },
};

/** Applies a policy's caps to a request in OpenAI's APIs. */
export function shapeOpenai(asked: Asked): void {
  const { shape, exchange } = asked;
  const { limit, effort } = words[exchange.api] ?? { limit: 'max_tokens', effort: null };
  if (shape.maxOutputTokens !== null) capOutput(asked, limit, shape.maxOutputTokens);
  if (shape.reasoning !== null) capEffort(asked, effort);
  if (shape.thinkingTokens !== null) asked.leave('thinkingTokens', 'no-place');
  if (shape.serviceTier !== null) preferFlex(asked);
}

function capOutput(asked: Asked, limit: string, most: number): void {
  const { exchange, models } = asked;
  if (exchange.maxOutputTokens !== null && exchange.maxOutputTokens <= most && exchange.api !== 'openai-chat') return;
  // The default limit of such a prompt is 16 tokens.
  if (exchange.api === 'openai-completions' && exchange.maxOutputTokens === null) {
    asked.leave('maxOutputTokens', 'not-said');
    return;
  }
  // A chat may use either name for its limit, or both.
  const present =
    exchange.api === 'openai-chat'
      ? exchange.parameters.filter(({ name }) => name === 'max_tokens' || name === 'max_completion_tokens')
      : [];
  for (const { name, value } of present) if (typeof value !== 'number' || value > most) asked.change('maxOutputTokens', name, most, value);
  if (present.length > 0) return;
  // Compatible providers use the old name; if a model in a chain requires the other, that attempt renames it.
  const own =
    exchange.api !== 'openai-chat' ||
    models.every(({ provider }) => provider === 'openai' || provider === 'azure' || provider === 'azure-openai');
  asked.change('maxOutputTokens', own ? limit : 'max_tokens', most, exchange.maxOutputTokens);
}

function capEffort(asked: Asked, name: string | null): void {
  if (name === null) {
    asked.leave('reasoning', 'no-place');
    return;
  }
  const said = asked.said(name);
  const from = typeof said === 'string' ? said : leastDefault(asked);
  if (from === null || (typeof said !== 'string' && asked.translated)) {
    asked.leave('reasoning', asked.models.every(({ openai }) => openai.own && !openai.reasoning) ? 'not-taken' : 'not-said');
    return;
  }
  if (!asked.above(from)) return;
  const to = asked.effort(name, from);
  if (to === null) asked.leave('reasoning', 'not-taken');
  else asked.change('reasoning', name, to, said ?? null);
}

/** The lowest of the models' own efforts; null if one of them is not known to think by default. */
function leastDefault({ models }: Asked): string | null {
  const known = models.map(defaultEffort);
  return known.length === 0 || known.includes(null) ? null : known.includes('medium') ? 'medium' : 'high';
}

/** The effort of a request that sets none, by the provider's documentation of the model. */
function defaultEffort({ provider, model, openai }: AskedModel): 'medium' | 'high' | null {
  if (model.includes('gpt-oss')) return openHosts.has(provider) ? 'medium' : null;
  if (openai.own) return openai.thinksByDefault ? 'medium' : null;
  if (provider === 'xai') return /^grok-4\.5/.test(model) ? 'high' : null;
  return provider === 'deepseek' && /^deepseek-(?:v[4-9]|flash)/.test(model) ? 'high' : null;
}

const openHosts: ReadonlySet<string> = new Set(['groq', 'cerebras']);

function preferFlex(asked: Asked): void {
  const said = asked.said('service_tier');
  if (said === 'flex' || said === 'batch') return;
  const takes =
    asked.exchange.api !== 'openai-completions' &&
    !asked.translated &&
    asked.models.length > 0 &&
    asked.models.every(({ provider }) => flexProviders.has(provider)) &&
    asked.taken('service_tier', 'flex');
  if (takes) asked.change('serviceTier', 'service_tier', 'flex', said ?? null);
  else asked.leave('serviceTier', 'not-taken');
}
