import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';

/** What a caller asks of the cache, by `cache-control` (RFC 9111) and `x-sluice-cache`. */
export interface CacheControls {
  /** Neither read nor kept. */
  readonly noStore: boolean;
  /** Not read; the new answer is kept. */
  readonly noCache: boolean;
  /** Oldest answer that is accepted, in seconds; null: as the policy says. */
  readonly maxAge: number | null;
  /** Answer from the cache or not at all. */
  readonly onlyIfCached: boolean;
  /** Only an answer to this very request. */
  readonly exact: boolean;
  /** Names under which a new answer can be purged. */
  readonly tags: readonly string[];
}

const nothing: CacheControls = { noStore: false, noCache: false, maxAge: null, onlyIfCached: false, exact: false, tags: [] };

/**
 * Reads a caller's wishes. `x-sluice-cache` takes the same words and `off` (= no-store), `refresh` (= no-cache), `exact`, `tag=NAME`. Unknown
 * words are let be, as HTTP wants it; a max-age that is no number counts as 0, the careful reading.
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
