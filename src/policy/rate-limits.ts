import { periodMs, ratePeriods, type RateLimit, type RateMeasure } from './rate-types.ts';
import type { Catalog } from '../catalog/types.ts';
import type { LoadedFile } from './load.ts';
import type { RateLimitDocument } from './options/rate-limits.ts';
import { checkServed, servedOf } from './served-match.ts';
import type { PolicySource } from './source-map.ts';
import type { Problem } from './types.ts';

/** Tokens counted for a call whose tokens are unknown. */
const defaultUnknown = 1_000;

/** Compiles the rate limits of all files. */
export function compileRateLimits(loaded: readonly LoadedFile[], catalog: Catalog, problems: Problem[]): RateLimit[] {
  const found: RateLimit[] = [];
  for (const { source, document } of loaded) {
    for (const [index, limit] of (document.limits ?? []).entries()) {
      const at = ['limits', index];
      if (found.some(({ name }) => name === limit.name))
        problems.push(
          source.problem(
            'error',
            'twice',
            [...at, 'name'],
            `there is another rate limit called ${limit.name}`,
            'Give each rate limit its own name: what is used is kept under it.',
          ),
        );
      checkServed(limit.match, source, at, catalog, problems);
      checkEffect(limit, source, at, problems);
      found.push({
        name: limit.name,
        ...servedOf(limit.match),
        per: limit.per ?? [],
        measures: measuresOf(limit),
        unknown: limit.unknown ?? Math.min(defaultUnknown, ...ratePeriods.map((period) => limit.tokens?.[period] ?? Infinity)),
        soft: limit.mode === 'soft',
        message: limit.message ?? null,
      });
    }
  }
  return found;
}

function measuresOf({ name, requests, tokens, concurrent }: RateLimitDocument): RateMeasure[] {
  const measures: RateMeasure[] = [];
  if (concurrent !== undefined)
    measures.push({ kind: 'concurrent', period: null, windowMs: 0, max: concurrent, counters: `limit/${name}/concurrent` });
  for (const [kind, windows] of [
    ['requests', requests],
    ['tokens', tokens],
  ] as const) {
    for (const period of ratePeriods) {
      const max = windows?.[period];
      if (max !== undefined) measures.push({ kind, period, windowMs: periodMs[period], max, counters: `limit/${name}/${kind}/${period}` });
    }
  }
  return measures;
}

/** Reports measures that another one of the same limit makes ineffective. */
function checkEffect(limit: RateLimitDocument, source: PolicySource, at: readonly PropertyKey[], problems: Problem[]): void {
  if (limit.mode === 'soft' && limit.message !== undefined)
    problems.push(
      source.problem(
        'warning',
        'no-effect',
        [...at, 'message'],
        'a soft limit refuses nobody, so nobody gets its message',
        'Remove it, or remove mode: soft.',
      ),
    );
  if (limit.unknown !== undefined && limit.tokens === undefined)
    problems.push(
      source.problem('warning', 'no-effect', [...at, 'unknown'], 'this limit counts no tokens', 'Remove it, or say tokens as well.'),
    );
  for (const kind of ['requests', 'tokens'] as const) {
    const windows = limit[kind];
    for (const [place, period] of ratePeriods.entries()) {
      const max = windows?.[period];
      const longer = ratePeriods.slice(place + 1).find((other) => (windows?.[other] ?? Infinity) <= (max ?? 0));
      if (max !== undefined && longer !== undefined)
        problems.push(
          source.problem(
            'warning',
            'no-effect',
            [...at, kind, period],
            `${max} ${kind} a ${period} are never reached: no more than ${windows?.[longer] ?? 0} may come in a whole ${longer}`,
            'Lower it, or remove it.',
          ),
        );
    }
  }
  const least = Math.min(...ratePeriods.map((period) => limit.requests?.[period] ?? Infinity));
  if (limit.concurrent !== undefined && limit.concurrent >= (limit.requests?.day ?? Infinity))
    problems.push(
      source.problem(
        'warning',
        'no-effect',
        [...at, 'concurrent'],
        `${limit.concurrent} requests at once are never reached: no more than ${least} may come`,
        'Lower it, or remove it.',
      ),
    );
}
