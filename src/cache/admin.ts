import type { ResponseCache } from './cache.ts';
import { idDigits, type CacheEntry, type PurgeFilter } from './types.ts';

/** An entry as `sluice cache inspect` shows it: everything except the answer itself. */
export interface EntryView {
  readonly id: string;
  readonly key: string;
  readonly api: string;
  readonly form: string;
  readonly bytes: number;
  readonly storedAt: string;
  readonly ageSeconds: number;
  readonly fresh: boolean;
  readonly ttlSeconds: number;
  readonly workspace: string;
  readonly provider: string;
  readonly model: string;
  readonly requestedModel: string;
  readonly tier: string | null;
  readonly tags: readonly string[];
  readonly finishReason: string | null;
  readonly tokens: { readonly input: number; readonly output: number } | null;
}

/** An entry's id: at least the first 8 digits of its key. */
const shortestId = /^[0-9a-f]{8,64}$/;

/** Returns an error text instead of a filter if the query is wrong, so that a typo never empties the cache. */
export function purgeFilterOf(query: URLSearchParams): PurgeFilter | string {
  const known = ['id', 'workspace', 'model', 'tag', 'older-than', 'all'];
  for (const name of query.keys()) if (!known.includes(name)) return `there is no filter ${name}; known: ${known.join(', ')}.`;
  const text = (name: string): string | undefined => {
    const value = query.get(name);
    return value === null || value === '' ? undefined : value;
  };
  const id = text('id');
  if (id !== undefined && !shortestId.test(id)) return 'id must be the first 8 or more digits of an entry.';
  const older = text('older-than');
  if (older !== undefined && !/^\d{1,9}$/.test(older)) return 'older-than must be a whole number of seconds.';
  const workspace = text('workspace');
  const model = text('model');
  const tag = text('tag');
  const filter: PurgeFilter = {
    ...(id === undefined ? {} : { id }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(model === undefined ? {} : { model }),
    ...(tag === undefined ? {} : { tag }),
    ...(older === undefined ? {} : { olderThan: Number(older) }),
  };
  const all = query.get('all') === 'true';
  if (all === Object.keys(filter).length > 0) return 'say what to remove, or all=true and nothing else.';
  return filter;
}

/** Null if no entry, or more than one, has this id. */
export async function inspectEntry(cache: ResponseCache, id: string): Promise<EntryView | null> {
  if (!shortestId.test(id)) return null;
  const entry = await cache.find(id);
  return entry === null ? null : viewOf(entry, cache.now());
}

function viewOf(entry: CacheEntry, now: number): EntryView {
  const ageMs = Math.max(0, now - entry.storedAt);
  return {
    id: entry.key.slice(0, idDigits),
    key: entry.key,
    api: entry.api,
    form: entry.form,
    bytes: entry.body.length,
    storedAt: new Date(entry.storedAt).toISOString(),
    ageSeconds: Math.floor(ageMs / 1_000),
    fresh: ageMs < entry.ttlMs,
    ttlSeconds: entry.ttlMs / 1_000,
    workspace: entry.workspace,
    provider: entry.provider,
    model: entry.model,
    requestedModel: entry.requestedModel,
    tier: entry.tier,
    tags: entry.tags,
    finishReason: entry.finishReason,
    tokens: entry.usage === null ? null : { input: entry.usage.totalInput, output: entry.usage.totalOutput },
  };
}
