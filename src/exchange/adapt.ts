import { limitNameFor } from '../apis/parameters.ts';
import { apis } from '../apis/registry.ts';
import type { Exchange } from '../apis/types.ts';
import type { PolicyGeneration, PolicySection, TargetRef } from '../policy/types.ts';
import { catalogModel } from '../route/capabilities.ts';

/** The name that the limit on the answer gets for a target; null: it stays. */
export function limitNameAt({ providers }: Pick<PolicyGeneration, 'providers'>, target: TargetRef, exchange: Exchange): string | null {
  const provider = exchange.limitKey === null ? undefined : providers.get(target.provider);
  return provider === undefined ? null : limitNameFor(exchange, provider.catalogProvider, catalogModel(provider, target.model));
}

/** Only these streams leave their usage out unless they are asked for it. */
export function saysUsageOnRequest({ api, stream }: Pick<Exchange, 'api' | 'stream'>): boolean {
  return stream && apis[api].answer.usageEvent !== null;
}

/** Whether the policy has the stream say its usage though the app did not ask. */
export function asksForUsage(
  { section, routeOff }: { readonly section: Pick<PolicySection, 'mode' | 'streamUsage'>; readonly routeOff: boolean },
  exchange: Pick<Exchange, 'api' | 'stream' | 'includeUsage'>,
): boolean {
  if (section.mode !== 'enabled' || section.streamUsage === 'leave' || !saysUsageOnRequest(exchange)) return false;
  return section.streamUsage === 'enforce' ? exchange.includeUsage !== true : !routeOff && exchange.includeUsage === null;
}
