import { limits } from '../../lib/limits.ts';
import { targetName } from '../../lib/target-name.ts';
import type { ParsedRequest, Parameter } from '../types.ts';
import { anthropicTraits, geminiTraits, openaiTraits } from './models.ts';
import type { AskedModel, LimitName, ParameterTable } from './parameter-types.ts';

const asked = new Map<string, AskedModel>();

/** A model for the table: its name is evaluated once. */
export function askedModel(provider: string, model: string): AskedModel {
  const key = targetName(provider, model);
  let known = asked.get(key);
  if (known === undefined) {
    known = { provider, model, openai: openaiTraits(model), anthropic: anthropicTraits(model), gemini: geminiTraits(model) };
    if (asked.size >= limits.refusingModels) asked.delete(asked.keys().next().value ?? '');
    asked.set(key, known);
  }
  return known;
}

/** Parameters that apps send often enough for a warning in advance. */
const common: ReadonlySet<string> = new Set([
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'presence_penalty',
  'frequency_penalty',
  'logprobs',
  'logit_bias',
  'messages.prefill',
  'thinking.type',
  'output_config.effort',
  'thinkingConfig.thinkingLevel',
]);

/** Common parameters that this model refuses and one of the others accepts, tested with the sample value of each rule. */
export function differences(table: ParameterTable, model: AskedModel, others: readonly AskedModel[]): readonly string[] {
  const found = new Set<string>();
  for (const rule of table.rules) {
    for (const name of rule.parameters) {
      if (!common.has(name)) continue;
      const sample = { name, value: rule.sample };
      if (rule.refuses(model, sample, [sample]) && others.some((other) => !refusesSample(table, other, sample))) found.add(name);
    }
  }
  return [...found];
}

function refusesSample({ rules }: ParameterTable, model: AskedModel, sample: Parameter): boolean {
  return rules.some((rule) => rule.parameters.some((pattern) => matches(pattern, sample.name)) && rule.refuses(model, sample, [sample]));
}

/** The parts of a request that are checked. */
export type AskedParameters = Pick<ParsedRequest, 'parameters' | 'limitKey'>;

/**
 * The first parameter of a request that a model refuses, in the request's own API; null if none is known. `learnt`: what the model has
 * refused before in this process.
 */
export function refusedIn(
  { rules, limitName }: ParameterTable,
  { parameters, limitKey }: AskedParameters,
  target: AskedModel,
  learnt: ReadonlySet<string> | null | undefined = null,
): string | null {
  const limit = limitName === null ? null : limitName(target);
  for (const parameter of parameters) {
    const { name } = parameter;
    if (name === '…') return name;
    const isLimit = name === 'max_tokens' || name === 'max_completion_tokens';
    // It is renamed if possible; see limitNameIn.
    if (isLimit && limit !== null && name !== limit && limitKey === null) return name;
    if (learnt?.has(name) === true && !(isLimit && limit !== null && name !== limit)) return name;
    for (const rule of rules) if (isOf(rule.parameters, name) && rule.refuses(target, parameter, parameters)) return name;
  }
  return null;
}

/** The name that a model requires for the limit on the answer; null when the name stays unchanged. */
export function limitNameIn(
  { limitName }: ParameterTable,
  { parameters, limitKey }: AskedParameters,
  target: AskedModel,
): LimitName | null {
  if (limitKey === null || limitName === null) return null;
  const wanted = limitName(target);
  return wanted === null || parameters.some(({ name }) => name === wanted) ? null : wanted;
}

/** How records describe such a change. */
export function adaptedLimit(wanted: string): string {
  return wanted === 'max_tokens' ? 'max_completion_tokens → max_tokens' : 'max_tokens → max_completion_tokens';
}

function isOf(patterns: readonly string[], name: string): boolean {
  for (const pattern of patterns) if (matches(pattern, name)) return true;
  return false;
}

/** A pattern that ends in `*` is a prefix. */
function matches(pattern: string, name: string): boolean {
  const last = pattern.length - 1;
  if (pattern.charCodeAt(last) !== 0x2a) return pattern === name;
  for (let at = 0; at < last; at++) if (pattern.charCodeAt(at) !== name.charCodeAt(at)) return false;
  return true;
}

/** The refusals that this process has seen, by provider and model. Both levels are bounded; the oldest model is forgotten first. */
export class LearntRefusals {
  readonly #models = new Map<string, Set<string>>();
  /** Models that have answered a stream. */
  readonly #streaming = new Set<string>();

  /** The model may stream: OpenAI refuses that to organizations that it has not verified. */
  streamed(provider: string, model: string): void {
    if (this.#streaming.size < limits.refusingModels) this.#streaming.add(targetName(provider, model));
  }

  mayStream(provider: string, model: string): boolean {
    return this.#streaming.has(targetName(provider, model));
  }

  of(provider: string, model: string): ReadonlySet<string> | null {
    return this.#models.get(targetName(provider, model)) ?? null;
  }

  /** `parameter`: its name in requests. */
  learn(provider: string, model: string, parameter: string): void {
    const key = targetName(provider, model);
    let refused = this.#models.get(key);
    if (refused === undefined) {
      if (this.#models.size >= limits.refusingModels) this.#models.delete(this.#models.keys().next().value ?? '');
      this.#models.set(key, (refused = new Set()));
    }
    if (refused.size < limits.refusedParameters) refused.add(parameter);
  }
}
