import type { DialectFamily, Usage } from '../apis/types.ts';

const minute = 60_000;

/** How long a prompt stays in a provider's cache after its last use, by their documentation: at least so long, in ms. */
const shortMs = 5 * minute;
const hourMs = 60 * minute;

/** OpenAI caches prompts of this many tokens and more by itself, in steps of the second number. */
const automatic = { least: 1_024, step: 128 };

/** Input tokens that a provider holds in its prompt cache after an answer, and for how many ms. */
export function cachedAfter(family: DialectFamily, usage: Usage): { readonly tokens: number; readonly ms: number } {
  const { cachedRead, cacheWrite5m, cacheWrite1h, totalInput } = usage;
  switch (family) {
    case 'openai':
    case 'azure-openai':
      return { tokens: totalInput < automatic.least ? cachedRead : Math.floor(totalInput / automatic.step) * automatic.step, ms: shortMs };
    case 'anthropic':
    case 'bedrock':
      // Only what the app marks is cached; a read makes its time begin anew.
      return { tokens: cachedRead + cacheWrite5m + cacheWrite1h, ms: cacheWrite1h > 0 ? hourMs : shortMs };
    case 'gemini':
      return { tokens: cachedRead, ms: shortMs };
  }
}
