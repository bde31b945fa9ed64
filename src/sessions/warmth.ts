import { dialects } from '../apis/registry.ts';
import type { DialectFamily, Usage } from '../apis/types.ts';

/** Input tokens in a provider's prompt cache after an answer, and for how many ms they stay. */
export function cachedAfter(family: DialectFamily, usage: Usage): { readonly tokens: number; readonly ms: number } {
  return dialects[family].cachedAfter(usage);
}
