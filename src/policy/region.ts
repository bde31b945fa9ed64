import type { Provider } from './types.ts';

/** Endpoints that process only in one region, which may cost more. */
const regional = [
  /^https?:\/\/([a-z]{2})\.api\.openai\.com(?:[:/]|$)/,
  /^https?:\/\/(?!global-)[a-z0-9-]+-aiplatform\.googleapis\.com/,
] as const;

/** The region of a provider's endpoint, as the catalog names it; null: anywhere, or not known by its host. */
export function regionOf({ endpoint }: Provider): string | null {
  const openai = regional[0].exec(endpoint);
  if (openai !== null) return openai[1]!;
  return regional[1].test(endpoint) ? 'vertex' : null;
}
