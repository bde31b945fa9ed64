import { limitNameFor } from '../apis/parameters.ts';
import { apis } from '../apis/registry.ts';
import type { ParsedRequest } from '../apis/types.ts';
import type { PolicySnapshot, PolicySection, TargetRef } from '../policy/types.ts';
import { catalogModel } from '../route/capabilities.ts';

/** The target's name for the parameter that limits the answer's length; null if it stays as it is. */
export function limitNameAt({ providers }: Pick<PolicySnapshot, 'providers'>, target: TargetRef, exchange: ParsedRequest): string | null {
  const provider = exchange.limitKey === null ? undefined : providers.get(target.provider);
  return provider === undefined ? null : limitNameFor(exchange, provider.catalogProvider, catalogModel(provider, target.model));
}

/** Whether this is a stream of an API that reports usage only when asked. */
export function saysUsageOnRequest({ api, stream }: Pick<ParsedRequest, 'api' | 'stream'>): boolean {
  return stream && apis[api].answer.usageEvent !== null;
}

/** Whether the policy asks the provider for a stream's usage although the app did not. */
export function asksForUsage(
  { section, routeOff }: { readonly section: Pick<PolicySection, 'mode' | 'streamUsage'>; readonly routeOff: boolean },
  exchange: Pick<ParsedRequest, 'api' | 'stream' | 'includeUsage'>,
): boolean {
  if (section.mode !== 'enabled' || section.streamUsage === 'leave' || !saysUsageOnRequest(exchange)) return false;
  return section.streamUsage === 'enforce' ? exchange.includeUsage !== true : !routeOff && exchange.includeUsage === null;
}
