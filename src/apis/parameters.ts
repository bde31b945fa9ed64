import { askedModel, limitNameIn, refusedIn, type AskedParameters } from './common/parameters.ts';
import type { ParameterTable } from './common/parameter-types.ts';
import { dialectNames, type DialectFamily } from './names.ts';
import { apis, dialects } from './registry.ts';
import type { Exchange } from './types.ts';

export { adaptedLimit, askedModel, differences, LearntRefusals } from './common/parameters.ts';
export type { AskedModel, ParameterRule, ParameterTable } from './common/parameter-types.ts';

/** What each wire format's models refuse: the tables that routing, translation, the policy's check and the documentation read. */
export const parameterTables: readonly ParameterTable[] = [...new Set(dialectNames.flatMap((name) => dialects[name].parameters ?? []))];

/** The table of a provider's wire format; null: it has none. */
export function tableOf(family: DialectFamily): ParameterTable | null {
  return dialects[family].parameters;
}

/** What is asked of an exchange. */
export type Asking = AskedParameters & Pick<Exchange, 'api'>;

/**
 * The first parameter of a request that a model refuses, in the request's own API; null: none that is known. `provider`: the catalog's name.
 * `learnt`: what the model has refused before in this process.
 */
export function refusedParameter(
  asking: Asking,
  provider: string,
  model: string,
  learnt: ReadonlySet<string> | null | undefined = null,
): string | null {
  if (asking.parameters.length === 0) return null;
  const table = apis[asking.api].parameters;
  return table === null ? null : refusedIn(table, asking, askedModel(provider, model), learnt);
}

/** The name that the limit on the answer has to get for a model; null: it stays as it is. */
export function limitNameFor(asking: Asking, provider: string, model: string): string | null {
  if (asking.limitKey === null) return null;
  const table = apis[asking.api].parameters;
  return table === null ? null : limitNameIn(table, asking, askedModel(provider, model));
}
