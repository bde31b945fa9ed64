import type { ApiName, DialectFamily } from './types.ts';

/** Families between which requests and answers are translated. Azure names deployments in its paths and Bedrock signs its requests: neither is crossed to. */
const families: ReadonlySet<DialectFamily> = new Set(['openai', 'anthropic', 'gemini']);

/** Whether a request that came in one family's API can be put to a model of another's. */
export function translatable(from: DialectFamily, to: DialectFamily): boolean {
  return families.has(from) && families.has(to);
}

/**
 * Whether a provider takes a request as the app sent it to a provider of the family `from`. Not every provider with OpenAI's API has the
 * Responses API; `responses` says whether this one does.
 */
export function takesAsIs(provider: { readonly family: DialectFamily; readonly responses: boolean }, from: DialectFamily, api: ApiName): boolean {
  return provider.family === from && (api !== 'openai-responses' || provider.responses);
}
