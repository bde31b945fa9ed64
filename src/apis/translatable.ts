import { apis, dialects } from './registry.ts';
import type { ApiName, DialectFamily } from './types.ts';

/** Whether a request that came in one family's API can be put to a model of another's. Azure names deployments in its paths and Bedrock signs its requests: neither is crossed to. */
export function translatable(from: DialectFamily, to: DialectFamily): boolean {
  return dialects[from].chatApi !== null && dialects[to].chatApi !== null;
}

/**
 * Whether a provider takes a request as the app sent it to a provider of the family `from`. Not every provider with OpenAI's API has the
 * Responses API; `responses` says whether this one does.
 */
export function takesAsIs(
  provider: { readonly family: DialectFamily; readonly responses: boolean },
  from: DialectFamily,
  api: ApiName,
): boolean {
  return provider.family === from && (provider.responses || apis[api].request.everywhere);
}
