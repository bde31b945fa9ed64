import { expect, it } from 'vitest';
import { peersOutcome, type LoopSample, type RateSample, type Who } from './outcome.ts';

const at = (p50: number, cpu: number): RateSample => ({ p50, p99: 2 * p50, cpu, failed: 1 });
const loop = (perSecond: number): LoopSample => ({ perSecond, cpu: 100, envoyCpu: 100, memory: 50, failed: 0 });

it('sets what is added against Envoy alone, and Sluice’s ratio to the no-op against another gateway’s', () => {
  const rates = new Map<Who, RateSample[]>([
    ['Envoy alone', [at(1, 0)]],
    ['no-op', [at(1.54, 314)]],
    ['Sluice', [at(2.065, 394)]],
  ]);
  const loops = new Map<Who, LoopSample[]>([
    ['Envoy alone', [loop(8_000)]],
    ['no-op', [loop(4_280)]],
    ['Sluice', [loop(2_944)]],
  ]);
  const { tables, goals } = peersOutcome(
    new Map([[500, rates]]),
    loops,
    new Map<Who, number>([
      ['Envoy alone', 0],
      ['no-op', 10],
      ['Sluice', 90],
    ]),
  );
  expect(tables[0]?.rows).toEqual([
    ['no-op', '0.54', '1.08', '314', '1'],
    ['Sluice', '1.06', '2.13', '394', '1'],
  ]);
  expect(tables[1]?.rows[2]).toEqual(['Sluice', '2944', '100', '100', '5000', '90', '50']);
  expect(goals.map(({ measured, bound, limit }) => [Number(measured.median.toFixed(2)), bound, limit])).toEqual([
    [0.5, 'at most', 0.5],
    [0.5, 'at most', 0.5],
    [1.6, 'at least', 1.6],
  ]);
});
