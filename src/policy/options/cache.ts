import { z } from 'zod';
import type { CachedUsage, FinishClass } from '../../apis/answer-forms.ts';
import { limits } from '../../lib/limits.ts';
import { name, names } from './values.ts';

const seconds = z
  .int()
  .min(0)
  .max(30 * 24 * 3_600);

const cache = z.strictObject({
  mode: z.enum(['on', 'off']).optional().describe('off by default'),
  ttl: seconds.optional().describe('Seconds for which an answer is fresh'),
  ttlByTier: z
    .strictObject({
      simple: seconds.optional().describe('Of simple prompts'),
      standard: seconds.optional().describe('Of standard prompts'),
      complex: seconds.optional().describe('Of complex prompts'),
    })
    .optional()
    .describe('The same by tier; 0: not kept'),
  ttlByRule: z.record(name, seconds).optional().describe('The same by the override or rule that decided; takes precedence over the tier'),
  share: z.enum(['credential', 'workspace']).optional().describe('Who shares answers: callers with the same key, or all of a workspace'),
  partitionHeaders: names.optional().describe('More request headers whose values must agree for an answer to be shared'),
  maxTemperature: z.number().min(0).max(2).optional().describe('Requests with a higher temperature are not cached; those without one are'),
  maxN: z.int().min(1).max(16).optional().describe('Requests for more answers at once are not cached'),
  external: z
    .enum(['bypass', 'cache'])
    .optional()
    .describe(
      'Requests whose answer depends on other services, or that act there: web search, file search, remote MCP, code interpreters, kept conversations, stored prompts. bypass: they are not cached',
    ),
  maxAnswerBytes: z.int().min(1).max(limits.answerBytes).optional().describe('Larger answers are not kept'),
  finish: z
    .array(z.enum(['stop', 'tools', 'length']))
    .min(1)
    .optional()
    .describe('How an answer must have ended to be kept'),
  staleWhileRevalidate: seconds.optional().describe('Seconds for which an expired answer is used while another request fetches a new one'),
  staleIfError: seconds.optional().describe('Seconds for which an expired answer is used while its provider fails'),
  usage: z.enum(['original', 'zero']).optional().describe('Token counts in a cached answer: those of the first, or 0'),
  semantic: z
    .enum(['off', 'strict', 'wide'])
    .optional()
    .describe('Whether the answer to the same question in other words may be used; off by default'),
  coalesce: z
    .int()
    .min(0)
    .max(limits.bodyWaitMs / 1_000)
    .optional()
    .describe('Seconds that a request waits for an identical one in flight; 0: none'),
});

export type CacheDocument = z.infer<typeof cache>;

export const cacheOption = cache.optional().describe('Answers to repeated requests; see docs/cache.md');

/** The cache settings of one section. Times in seconds. */
export interface CacheSettings {
  readonly enabled: boolean;
  /** How long an answer is fresh, unless its tier or rule says otherwise. */
  readonly ttl: number;
  readonly ttlByTier: Readonly<Partial<Record<string, number>>>;
  /** By name of the override or rule that decided. */
  readonly ttlByRule: Readonly<Record<string, number>>;
  /** `credential`: only callers with the same key share answers; `workspace`: all callers of a workspace do. */
  readonly share: 'credential' | 'workspace';
  /** Additional request headers whose values must agree; lower case. */
  readonly partitionHeaders: readonly string[];
  /** Requests with a higher temperature are not cached. */
  readonly maxTemperature: number;
  /** Requests for more answers than this are not cached. */
  readonly maxN: number;
  /** Whether requests whose answer depends on external state are cached. */
  readonly external: 'bypass' | 'cache';
  /** Larger answers are not kept, in bytes. */
  readonly maxAnswerBytes: number;
  readonly finish: ReadonlySet<FinishClass>;
  /** How long an expired answer is served while another request fetches a new one. */
  readonly staleWhileRevalidate: number;
  /** How long an expired answer is served while its provider fails. */
  readonly staleIfError: number;
  /** Longest wait for an identical request in flight; 0 to not wait. */
  readonly coalesce: number;
  readonly usage: CachedUsage;
  /** Which non-identical questions count as the same; null for none. */
  readonly semantic: SemanticMatch | null;
  /** Whether rules of this section read the session, so that sessions may be routed differently. */
  readonly bySession: boolean;
}

/** How much two questions may differ: docs/cache.md describes what each allows, and how often it was wrong. */
export type SemanticMatch = 'strict' | 'wide';

/** Finds the session in a CEL expression; a match inside a string only makes the cache more careful. */
const sessionWord = /\bsession\b/;

/** What of a section decides how its cache works. */
interface CachedSection {
  readonly cache?: CacheDocument | undefined;
  readonly rules?: readonly { readonly when: string }[] | undefined;
}

/** The cache's settings with their defaults, which docs/cache.md lists. */
export function compileCache({ cache, rules }: CachedSection): CacheSettings {
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
