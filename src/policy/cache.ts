import type { CacheSettings } from './cache-types.ts';
import type { SettingsDocument } from './schema.ts';

/** Finds the session in a CEL expression; a match inside a string only makes the cache more careful. */
const sessionWord = /\bsession\b/;

/** The cache's settings with their defaults, which docs/cache.md lists. */
export function compileCache({ cache, rules }: SettingsDocument): CacheSettings {
  return {
    enabled: cache?.mode === 'on',
    ttl: cache?.ttl ?? 3_600,
    ttlByTier: cache?.ttlByTier ?? {},
    ttlByRule: cache?.ttlByRule ?? {},
    share: cache?.share ?? 'credential',
    partitionHeaders: (cache?.partitionHeaders ?? []).map((name) => name.toLowerCase()),
    maxTemperature: cache?.maxTemperature ?? 1,
    maxN: cache?.maxN ?? 1,
    external: cache?.external ?? 'bypass',
    maxAnswerBytes: cache?.maxAnswerBytes ?? 1024 * 1024,
    finish: new Set(cache?.finish ?? ['stop', 'tools']),
    staleWhileRevalidate: cache?.staleWhileRevalidate ?? 0,
    staleIfError: cache?.staleIfError ?? 0,
    coalesce: cache?.coalesce ?? 30,
    usage: cache?.usage ?? 'original',
    semantic: cache?.semantic === undefined || cache.semantic === 'off' ? null : cache.semantic,
    bySession: (rules ?? []).some(({ when }) => sessionWord.test(when)),
  };
}
