import type { Tier } from '../classify/types.ts';
import { neutralDrops } from '../apis/translate.ts';
import type { FallbackDocument, PoolDocument } from './schema.ts';
import type { FallbackPolicy, FallbackTrigger, TargetPool, TargetRef } from './types.ts';

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
    drop: (document.drop ?? []).flatMap((entry) => (entry === 'neutral' ? neutralDrops : [entry])),
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
