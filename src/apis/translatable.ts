import { apis, dialects } from './registry.ts';
import type { ApiName, DialectFamily } from './types.ts';

/**
 * Whether a request in one family's API can be sent to a model of another family. Azure names deployments in its paths and Bedrock signs
 * its requests: neither can be a target.
 */
export function translatable(from: DialectFamily, to: DialectFamily): boolean {
  return dialects[from].chatApi !== null && dialects[to].chatApi !== null;
}

/**
 * Whether a provider accepts a request unchanged that the app wrote for a provider of the family `from`. Not every provider with OpenAI's
 * API has the Responses API; `responses` says whether this one does.
 */
export function takesAsIs(
  provider: { readonly family: DialectFamily; readonly responses: boolean },
  from: DialectFamily,
  api: ApiName,
): boolean {
  return provider.family === from && (provider.responses || apis[api].request.everywhere);
}
