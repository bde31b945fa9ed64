import { askedModel, limitNameIn, refusedIn, type AskedParameters } from './common/parameters.ts';
import type { ParameterTable } from './common/parameter-types.ts';
import type { DialectFamily } from './names.ts';
import { apis, dialectNames, dialects } from './registry.ts';
import type { ParsedRequest } from './types.ts';

export { adaptedLimit, askedModel, differences, LearntRefusals } from './common/parameters.ts';
export type { ParameterTable } from './common/parameter-types.ts';

/** The parameters that the models of each wire format refuse. Read by routing, translation, the policy check and the documentation. */
export const parameterTables: readonly ParameterTable[] = [...new Set(dialectNames.flatMap((name) => dialects[name].parameters ?? []))];

/** The table of a provider's wire format; null when it has none. */
export function tableOf(family: DialectFamily): ParameterTable | null {
  return dialects[family].parameters;
}

/** The parts of an exchange that the table needs. */
export type Asking = AskedParameters & Pick<ParsedRequest, 'api'>;

/**
 * The first parameter of a request that a model refuses, in the request's own API; null if none is known. `provider`: the catalog's name.
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

/** The name that a model requires for the limit on the answer; null when the name stays unchanged. */
export function limitNameFor(asking: Asking, provider: string, model: string): string | null {
  if (asking.limitKey === null) return null;
  const table = apis[asking.api].parameters;
  return table === null ? null : limitNameIn(table, asking, askedModel(provider, model));
}
