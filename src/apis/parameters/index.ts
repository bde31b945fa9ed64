import { anthropicTraits, geminiTraits, openaiTraits } from '../common/models.ts';
import { limits } from '../../lib/limits.ts';
import type { ApiName, DialectFamily, Exchange, Parameter } from '../types.ts';
import { anthropicRules } from './anthropic.ts';
import { geminiRules } from './gemini.ts';
import { limitNameOf, openaiRules } from './openai.ts';
import type { AskedModel, ParameterFamily, ParameterRule } from './types.ts';

export type { AskedModel, ParameterFamily, ParameterRule } from './types.ts';

/** What each family of models refuses: the one table that routing, translation, the policy's check and the documentation read. */
export const parameterRules: readonly ParameterRule[] = [...openaiRules, ...anthropicRules, ...geminiRules];

const byFamily: Readonly<Record<ParameterFamily, readonly ParameterRule[]>> = { openai: openaiRules, anthropic: anthropicRules, gemini: geminiRules };

const asked = new Map<string, AskedModel>();

/** A model as the table asks for it: what its name says is found out once. */
export function askedModel(provider: string, model: string): AskedModel {
  const key = `${provider}/${model}`;
  let known = asked.get(key);
  if (known === undefined) {
    known = { provider, model, openai: openaiTraits(model), anthropic: anthropicTraits(model), gemini: geminiTraits(model) };
    if (asked.size >= limits.refusingModels) asked.delete(asked.keys().next().value ?? '');
    asked.set(key, known);
  }
  return known;
}

/** The family in whose words an API's requests are; null: none that has a table. */
export function familyOfApi(api: ApiName): ParameterFamily | null {
  switch (api) {
    case 'openai-chat':
    case 'openai-responses':
      return 'openai';
    case 'anthropic-messages':
      return 'anthropic';
    case 'gemini-generate':
      return 'gemini';
    case 'openai-completions':
    case 'openai-embeddings':
    case 'anthropic-count-tokens':
    case 'bedrock':
    case 'other-llm':
      return null;
  }
}

/** The family of a provider's wire format; null: Bedrock's, which is not rewritten. */
export function familyOfDialect(family: DialectFamily): ParameterFamily | null {
  switch (family) {
    case 'openai':
    case 'azure-openai':
      return 'openai';
    case 'anthropic':
      return 'anthropic';
    case 'gemini':
      return 'gemini';
    case 'bedrock':
      return null;
  }
}

/** What apps send often enough to be worth a word beforehand. */
const common: ReadonlySet<string> = new Set(['temperature', 'top_p', 'top_k', 'stop', 'presence_penalty', 'frequency_penalty', 'logprobs', 'logit_bias', 'messages.prefill', 'thinking.type', 'output_config.effort', 'thinkingConfig.thinkingLevel']);

/** Common parameters that a model refuses and one of the others takes, by the table's own samples of each rule. */
export function differences(family: ParameterFamily, model: AskedModel, others: readonly AskedModel[]): readonly string[] {
  const found = new Set<string>();
  for (const rule of byFamily[family]) {
    for (const name of rule.parameters) {
      if (!common.has(name)) continue;
      const sample = { name, value: rule.sample };
      if (rule.refuses(model, sample, [sample]) && others.some((other) => !refusesSample(family, other, sample))) found.add(name);
    }
  }
  return [...found];
}

function refusesSample(family: ParameterFamily, model: AskedModel, sample: Parameter): boolean {
  return byFamily[family].some((rule) => rule.parameters.some((pattern) => matches(pattern, sample.name)) && rule.refuses(model, sample, [sample]));
}

/** What is asked of an exchange. */
export type Asking = Pick<Exchange, 'api' | 'parameters' | 'limitKey'>;

/**
 * The first parameter of a request that a model refuses, in the request's own API; null: none that is known. `provider`: the catalog's name.
 * `learnt`: what the model has refused before in this process.
 */
export function refusedParameter({ api, parameters, limitKey }: Asking, provider: string, model: string, learnt: ReadonlySet<string> | null | undefined = null): string | null {
  if (parameters.length === 0) return null;
  const family = familyOfApi(api);
  if (family === null) return null;
  const target = askedModel(provider, model);
  const limit = family === 'openai' ? limitNameOf(target) : null;
  for (const parameter of parameters) {
    const { name } = parameter;
    if (name === '…') return name;
    const isLimit = name === 'max_tokens' || name === 'max_completion_tokens';
    // Renamed where that can be done; see limitNameFor.
    if (isLimit && limit !== null && name !== limit && limitKey === null) return name;
    if (learnt?.has(name) === true && !(isLimit && limit !== null && name !== limit)) return name;
    for (const rule of byFamily[family]) if (rule.parameters.some((pattern) => matches(pattern, name)) && rule.refuses(target, parameter, parameters)) return name;
  }
  return null;
}

/** The name that the limit on the answer has to get for a model; null: it stays as it is. */
export function limitNameFor({ api, parameters, limitKey }: Asking, provider: string, model: string): string | null {
  if (limitKey === null || familyOfApi(api) !== 'openai') return null;
  const wanted = limitNameOf(askedModel(provider, model));
  return wanted === null || parameters.some(({ name }) => name === wanted) ? null : wanted;
}

/** How such a change is written in records. */
export function adaptedLimit(wanted: string): string {
  return wanted === 'max_tokens' ? 'max_completion_tokens → max_tokens' : 'max_tokens → max_completion_tokens';
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** What this process has seen models refuse, by provider and model. Bounded in both; the oldest model is forgotten first. */
export class LearntRefusals {
  readonly #models = new Map<string, Set<string>>();

  of(provider: string, model: string): ReadonlySet<string> | null {
    return this.#models.get(`${provider}/${model}`) ?? null;
  }

  /** `parameter`: as requests have it. */
  learn(provider: string, model: string, parameter: string): void {
    const key = `${provider}/${model}`;
    let refused = this.#models.get(key);
    if (refused === undefined) {
      if (this.#models.size >= limits.refusingModels) this.#models.delete(this.#models.keys().next().value ?? '');
      this.#models.set(key, (refused = new Set()));
    }
    if (refused.size < limits.refusedParameters) refused.add(parameter);
  }
}
