import type { ModelEntry } from '../catalog/types.ts';
import { refusedParameter } from '../apis/parameters.ts';
import { apis, dialects } from '../apis/registry.ts';
import { takesAsIs, translatable } from '../apis/translatable.ts';
import type { ParsedRequest } from '../apis/types.ts';
import type { Provider, TargetRef } from '../policy/types.ts';
import type { DecideInput, Disqualification } from './types.ts';

/** The catalog's name for a target's model; on Azure the deployment name is mapped to a model. */
export function catalogModel(provider: Provider, model: string): string {
  return provider.deployments.get(model) ?? model;
}

/** The catalog's entry for a target; null if the policy or the catalog does not know it. */
export function entryOf(input: Pick<DecideInput, 'generation'>, target: TargetRef): ModelEntry | null {
  const provider = input.generation.providers.get(target.provider);
  return provider === undefined ? null : input.generation.catalog.lookup(provider.catalogProvider, catalogModel(provider, target.model));
}

export type Crossing = 'no' | 'later' | 'checked';

/**
 * Why a target cannot take this request, or null if it can. A fact that the catalog does not state counts against the target. Prices are
 * not checked, and the requested model never is: the app chose it. `answerTokens`: expected output tokens of one answer. `crossing`:
 * whether the target may speak another API than the request, which is then translated; `later`: it may, and the caller checks separately,
 * with untranslatable(), that the translation loses nothing.
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

/** Whether a target with another API cannot express everything in the request. Expensive: translates the body to find out. */
export function untranslatable(input: DecideInput, target: TargetRef): boolean {
  const provider = input.generation.providers.get(target.provider);
  if (provider === undefined || target.provider === input.provider.name || takesAsIs(provider, input.provider.family, input.exchange.api))
    return false;
  return input.canTranslate?.(target, provider.family) !== true;
}

/** The request parameter that a target refuses when it gets the app's body unchanged; null if none. */
export function refusedBy(input: DecideInput, target: TargetRef): string | null {
  const { exchange, generation, provider } = input;
  if (exchange.parameters.length === 0) return null;
  const other = generation.providers.get(target.provider);
  if (other === undefined || (other !== provider && !takesAsIs(other, provider.family, exchange.api))) return null;
  const model = catalogModel(other, target.model);
  return refusedParameter(exchange, other.catalogProvider, model, input.refusals?.(other.catalogProvider, model));
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
  // The URL names a deployment, so a model without a deployment cannot be called.
  if (dialects[provider.family].deployments && !provider.deployments.has(target.model)) return 'unknown-model';
  return null;
}

function incapable(exchange: ParsedRequest, entry: ModelEntry, answerTokens: number): Disqualification | null {
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
