import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';

/** The caller's cache directives, from `cache-control` (RFC 9111) and `x-sluice-cache`. */
export interface CacheControls {
  /** Neither read nor store. */
  readonly noStore: boolean;
  /** Do not read; store the new answer. */
  readonly noCache: boolean;
  /** Oldest accepted answer, in seconds; null if the policy decides. */
  readonly maxAge: number | null;
  /** Answer only from the cache. */
  readonly onlyIfCached: boolean;
  /** Only an answer to exactly this request, no semantic match. */
  readonly exact: boolean;
  /** Names under which a new answer can be purged. */
  readonly tags: readonly string[];
}

const nothing: CacheControls = { noStore: false, noCache: false, maxAge: null, onlyIfCached: false, exact: false, tags: [] };

/**
 * Reads a caller's directives. `x-sluice-cache` takes the same words and `off` (= no-store), `refresh` (= no-cache), `exact`, `tag=NAME`.
 * Unknown words are ignored, as HTTP requires; a max-age that is not a number counts as 0, the safe reading.
 */
export function readControls(headers: Pick<HeaderMap, 'get'>): CacheControls {
  const standard = headers.get('cache-control');
  const own = headers.get('x-sluice-cache');
  if (standard === undefined && own === undefined) return nothing;
  let { noStore, noCache, maxAge, onlyIfCached, exact } = nothing;
  const tags: string[] = [];
  for (const word of `${standard ?? ''},${own ?? ''}`.split(',')) {
    const [name = '', value = ''] = word.split('=', 2).map((part) => part.trim());
    switch (name.toLowerCase()) {
      case 'no-store':
      case 'off':
        noStore = true;
        break;
      case 'no-cache':
      case 'refresh':
        noCache = true;
        break;
      case 'only-if-cached':
        onlyIfCached = true;
        break;
      case 'exact':
        exact = true;
        break;
      case 'max-age':
        maxAge = /^"?\d{1,10}"?$/.test(value) ? Number(value.replaceAll('"', '')) : 0;
        break;
      case 'tag':
        if (value !== '' && value.length <= limits.cacheTagUnits && tags.length < limits.cacheTags) tags.push(value);
        break;
    }
  }
  return { noStore, noCache, maxAge, onlyIfCached, exact, tags };
}
