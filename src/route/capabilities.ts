import type { ModelEntry } from '../catalog/types.ts';
import { refusedParameter } from '../apis/parameters.ts';
import { apis, dialects } from '../apis/registry.ts';
import { takesAsIs, translatable } from '../apis/translatable.ts';
import type { Exchange } from '../apis/types.ts';
import type { Provider, TargetRef } from '../policy/types.ts';
import type { DecideInput, Disqualification } from './types.ts';

/** The name under which the catalog lists a target's model: on Azure a deployment stands for a model. */
export function catalogModel(provider: Provider, model: string): string {
  return provider.deployments.get(model) ?? model;
}

/** The catalog's entry of a target; null when the policy or the catalog does not know it. */
export function entryOf(input: Pick<DecideInput, 'generation'>, target: TargetRef): ModelEntry | null {
  const provider = input.generation.providers.get(target.provider);
  return provider === undefined ? null : input.generation.catalog.lookup(provider.catalogProvider, catalogModel(provider, target.model));
}

export type Crossing = 'no' | 'later' | 'checked';

/**
 * Why a target cannot take this request, or null when it can. A fact that the catalog does not state counts against the
 * target. Prices are not looked at, and the requested model is never asked: the app chose it.
 * `answerTokens`: output tokens expected of one answer. `crossing`: whether it may speak another API than the request, so that that is translated; `later`: it may,
 * and whether nothing of the request would be lost is asked apart, see untranslatable().
 */
export function disqualify(
  input: DecideInput,
  target: TargetRef,
  entry: ModelEntry | null,
  answerTokens: number,
  crossing: Crossing = 'no',
): Disqualification | null {
  return (
    unreachable(input, target, crossing) ??
    (entry === null ? 'unknown-model' : incapable(input.exchange, entry, answerTokens)) ??
    (refusedBy(input, target) === null ? null : 'parameter')
  );
}

/** Whether a target that speaks another API cannot take all that the request says. Costly: its body is translated to find out. */
export function untranslatable(input: DecideInput, target: TargetRef): boolean {
  const provider = input.generation.providers.get(target.provider);
  if (provider === undefined || target.provider === input.provider.name || takesAsIs(provider, input.provider.family, input.exchange.api))
    return false;
  return input.canTranslate?.(target, provider.family) !== true;
}

/** The parameter of the request that a target refuses, where it gets the request in the app's own words; null: none. */
export function refusedBy(input: DecideInput, target: TargetRef): string | null {
  const { exchange, generation, provider, refusals } = input;
  if (exchange.parameters.length === 0) return null;
  const other = generation.providers.get(target.provider);
  if (other === undefined || (other !== provider && !takesAsIs(other, provider.family, exchange.api))) return null;
  const model = catalogModel(other, target.model);
  return refusedParameter(exchange, other.catalogProvider, model, refusals?.(other.catalogProvider, model));
}

function unreachable(input: DecideInput, target: TargetRef, crossing: Crossing): Disqualification | null {
  const provider = input.generation.providers.get(target.provider);
  if (provider === undefined) return 'provider-not-allowed';
  if (target.provider !== input.provider.name) {
    if (!input.section.allowProviders.has(target.provider)) return 'provider-not-allowed';
    if (!takesAsIs(provider, input.provider.family, input.exchange.api)) {
      if (crossing === 'no' || !translatable(input.provider.family, provider.family)) return 'dialect';
      if (crossing === 'checked' && untranslatable(input, target)) return 'not-translatable';
    }
    const has =
      input.hasCredential === undefined ? provider.credential !== null || provider.signing !== null : input.hasCredential(target.provider);
    if (!has) return 'no-credential';
    if (input.inEnvoy?.(target.provider) === false) return 'not-in-envoy';
  }
  // A URL that names a deployment: a model without one cannot be called.
  if (dialects[provider.family].deployments && !provider.deployments.has(target.model)) return 'unknown-model';
  return null;
}

function incapable(exchange: Exchange, entry: ModelEntry, answerTokens: number): Disqualification | null {
  if (!apis[exchange.api].request.modes.includes(entry.mode)) return 'mode';
  const room = exchange.operation === 'generate' ? (exchange.maxOutputTokens ?? answerTokens) : 0;
  if (entry.contextWindow === null || exchange.promptTokens + room > entry.contextWindow) return 'context-window';
  if (exchange.maxOutputTokens !== null && (entry.maxOutput === null || exchange.maxOutputTokens > entry.maxOutput)) return 'max-output';
  const can = entry.capabilities;
  if (exchange.images > 0 && can.vision !== true) return 'vision';
  if (exchange.tools > 0 && can.tools !== true) return 'tools';
  if (exchange.jsonOutput === 'object' && can.jsonObject !== true) return 'json-object';
  if (exchange.jsonOutput === 'schema' && can.jsonSchema !== true) return 'json-schema';
  if (exchange.audioInputs > 0 && can.audioInput !== true) return 'audio-input';
  if (exchange.audioOutput && can.audioOutput !== true) return 'audio-output';
  if (exchange.files > 0 && can.files !== true) return 'files';
  // Models without reasoning refuse the parameter; Anthropic's explicit 'disabled' is fine with all.
  if (exchange.reasoning !== null && exchange.reasoning !== 'disabled' && can.reasoning !== true) return 'reasoning';
  return null;
}
