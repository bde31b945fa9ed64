import { limitNameFor } from '../apis/parameters/index.ts';
import type { Exchange } from '../apis/types.ts';
import type { PolicyGeneration, TargetRef } from '../policy/types.ts';
import { catalogModel } from '../route/capabilities.ts';

/** The name that the limit on the answer gets for a target; null: it stays. */
export function limitNameAt({ providers }: Pick<PolicyGeneration, 'providers'>, target: TargetRef, exchange: Exchange): string | null {
  const provider = exchange.limitKey === null ? undefined : providers.get(target.provider);
  return provider === undefined ? null : limitNameFor(exchange, provider.catalogProvider, catalogModel(provider, target.model));
}
