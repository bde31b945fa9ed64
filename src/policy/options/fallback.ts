import { z } from 'zod';
import { neutralDrops } from '../../apis/translate.ts';
import type { Tier } from '../../classify/types.ts';
import { limits } from '../../lib/limits.ts';
import { fallbackTriggers, poolPicks, type FallbackPolicy, type FallbackTrigger, type TargetPool, type TargetRef } from '../types.ts';
import { model, name } from './values.ts';

const waitSeconds = z.number().positive().max(3600);

const trigger = z.enum(fallbackTriggers);

const pool = z
  .strictObject({
    name,
    targets: z.array(model).min(2).max(16).describe('Targets that are as good as each other'),
    weights: z
      .array(z.number().positive().max(1_000))
      .min(2)
      .optional()
      .describe('How much of the traffic each takes, in the same order; equal by default'),
    pick: z
      .enum(poolPicks)
      .optional()
      .describe(
        'weighted: at random; round-robin: in turn; least-latency: the fastest to begin its answers; sticky: the same one for a session, else a workspace. weighted by default',
      ),
  })
  .refine(({ targets, weights }) => weights === undefined || weights.length === targets.length, 'give every target its weight');

const fallback = z.strictObject({
  escalate: z
    .boolean()
    .optional()
    .describe('After the chosen model: the other candidates of its tier by cost, then those of the higher tiers'),
  tiers: z
    .strictObject({
      simple: z.array(model).optional().describe('After a model that the simple tier chose'),
      standard: z.array(model).optional().describe('After one of the standard tier'),
      complex: z.array(model).optional().describe('After one of the complex tier'),
    })
    .optional()
    .describe('Targets after the chosen one, by tier; before the escalation'),
  models: z
    .record(z.string().min(1).max(256), z.array(model).min(1))
    .optional()
    .describe('Targets after the chosen one, by requested model; in place of all else'),
  pools: z.array(pool).optional().describe('Equal targets: the pool picks one, and the others come next'),
  on: z.array(trigger).min(1).optional().describe('Failures that try the next target'),
  attempts: z.int().min(1).max(limits.fallbackAttempts).optional().describe('Attempts in all, the first included; 1 switches fallback off'),
  attemptSeconds: waitSeconds.optional().describe('Longest time for one attempt; streams only have to begin in it'),
  firstByteSeconds: waitSeconds.optional().describe('Longest time to the first byte of a stream'),
  totalSeconds: waitSeconds.optional().describe('Longest time for all attempts; streams only have to begin in it'),
  maxUsd: z
    .number()
    .positive()
    .optional()
    .describe('Estimated dollars of all attempts; targets beyond it, or of unknown price, are left out'),
  drop: z
    .array(z.string().min(1).max(64))
    .optional()
    .describe(
      'Parameters that may be left out where a target’s API has no place for them; `neutral`, the default, stands for all that do not change the answer',
    ),
  inspectKiB: z.int().min(1).max(8192).optional().describe('Answers up to this size are looked into; larger ones pass'),
});

export type FallbackDocument = z.infer<typeof fallback>;
export type PoolDocument = z.infer<typeof pool>;

export const fallbackOption = fallback.optional().describe('What happens when a target fails; absent: the error goes to the app');

/** What counts as a failure by default: no usable answer. Checks on an answer's content must be requested by name. */
const defaultTriggers: readonly FallbackTrigger[] = [
  'connect',
  'reset',
  'timeout',
  'server-error',
  'rate-limit',
  'overloaded',
  'model-gone',
  'key-dead',
  'context-window',
];

const defaultAttempts = 3;
const defaultInspectKiB = 1024;

/**
 * Finds a model's target; null, with a problem reported, if this provider's traffic cannot use it. `path` is below `fallback`. `asked`: the
 * requested models whose chain it is in; all if absent.
 */
export type ResolveTarget = (text: string, path: readonly PropertyKey[], asked?: readonly string[]) => TargetRef | null;

/** Fills in defaults and resolves models to targets. Null if the section has no fallback. */
export function compileFallback(document: FallbackDocument | undefined, resolve: ResolveTarget): FallbackPolicy | null {
  if (document === undefined || document.attempts === 1) return null;
  const list = (models: readonly string[] | undefined, path: readonly PropertyKey[], asked?: readonly string[]): TargetRef[] =>
    (models ?? []).map((text, at) => resolve(text, [...path, at], asked)).filter((target) => target !== null);
  const chains = document.tiers ?? {};
  const tierChains: Record<Tier, readonly TargetRef[]> = {
    simple: list(chains.simple, ['tiers', 'simple']),
    standard: list(chains.standard, ['tiers', 'standard']),
    complex: list(chains.complex, ['tiers', 'complex']),
  };
  return {
    triggers: new Set(document.on ?? defaultTriggers),
    escalate: document.escalate ?? false,
    tierChains,
    modelChains: new Map(
      Object.entries(document.models ?? {}).map(([model, targets]) => [model, list(targets, ['models', model], [model])]),
    ),
    pools: (document.pools ?? []).flatMap((pool, at) => compilePool(pool, at, resolve)),
    attempts: document.attempts ?? defaultAttempts,
    attemptMs: ms(document.attemptSeconds),
    firstByteMs: ms(document.firstByteSeconds),
    totalMs: ms(document.totalSeconds),
    maxUsd: document.maxUsd ?? null,
    drop: (document.drop ?? ['neutral']).flatMap((entry) => (entry === 'neutral' ? neutralDrops : [entry])),
    inspectBytes: (document.inspectKiB ?? defaultInspectKiB) * 1024,
  };
}

/** Removes members that this provider's traffic cannot use; returns no pool if fewer than two are left. */
function compilePool(document: PoolDocument, at: number, resolve: ResolveTarget): TargetPool[] {
  const targets = document.targets.flatMap((text, index) => {
    const target = resolve(text, ['pools', at, 'targets', index]);
    return target === null ? [] : [{ target, weight: document.weights?.[index] ?? 1 }];
  });
  return targets.length < 2 ? [] : [{ name: document.name, pick: document.pick ?? 'weighted', targets }];
}

function ms(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.round(seconds * 1000);
}
