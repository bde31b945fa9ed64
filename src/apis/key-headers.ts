import { dialects } from './registry.ts';

/** Headers that carry an app's own key, in every dialect; they must not reach another provider. */
export const appKeyHeaders: readonly string[] = [...new Set(Object.values(dialects).flatMap(({ keyHeaders }) => keyHeaders))];
