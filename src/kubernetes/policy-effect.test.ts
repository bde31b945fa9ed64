import { describe, expect, it } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { Move } from '../replay/replay.ts';
import { describeEffect, effectOf, type EffectReport } from './policy-effect.ts';

const move = (requests: number, more: Partial<Move> = {}): Move => ({ from: 'openai/a', to: 'openai/b', requests, ...more });
const hour = 3_600_000;
const report = (replayed: number, moves: readonly Move[], usd = 0, more: Partial<EffectReport> = {}): EffectReport => ({
  replayed,
  skipped: {},
  moved: moves.reduce((sum, { requests }) => sum + requests, 0),
  moves,
  cost: { compared: replayed, unknown: 0, beforeUsd: 1, afterUsd: 1 + usd, difference: null, relative: null },
  ...more,
});

describe('what an edit would change, in words', () => {
  it('is the share of requests, and dollars a day', () => {
    expect(describeEffect(report(1_000, [move(310)], 1.71), hour)).toEqual([
      'effect: 31% of the last 1,000 requests of this replica would move from openai/a to openai/b.',
      'effect: about +$41 a day by the usage of 1,000 requests.',
    ]);
    expect(describeEffect(report(1_000, [move(3)], -0.01), hour)).toEqual([
      'effect: 0.3% of the last 1,000 requests of this replica would move from openai/a to openai/b.',
      'effect: about -$0.24 a day by the usage of 1,000 requests.',
    ]);
  });

  it('makes no day of a few requests', () => {
    expect(describeEffect(report(10, [move(10)], 0.5), hour).at(-1)).toBe('effect: about +$0.50 in all by the usage of 10 requests.');
    expect(describeEffect(report(1_000, [move(10)], 0.5), 1_000).at(-1)).toContain('+$0.50 in all');
  });

  it('never takes an unknown cost for nothing', () => {
    const cost = report(10, []).cost;
    expect(describeEffect(report(10, [move(10)], 0, { cost: { ...cost, compared: 0, unknown: 10 } }), hour).at(-1)).toBe(
      'effect: what that costs is unknown.',
    );
    expect(describeEffect(report(10, [move(10)], 0, { cost: { ...cost, compared: 4, unknown: 6 } }), hour).at(-1)).toContain(
      'by the usage of 4 requests; 6 more have no known cost.',
    );
  });

  it('names refusals and the largest moves, sums up the rest, and says what would not be looked at', () => {
    const moves = [move(20, { to: 'refused' }), move(10, { from: 'refused' }), move(5), move(4), move(3), move(2)];
    const lines = describeEffect(report(90, moves, 1, { skipped: { 'policy-off': 10 } }), 24 * hour);
    expect(lines).toHaveLength(7);
    expect(lines[0]).toContain('20% of the last 100 requests of this replica would be refused (now openai/a)');
    expect(lines[1]).toContain('would be answered by openai/b (now refused)');
    expect(lines[4]).toBe('effect: 5% would go elsewhere in other ways.');
    expect(lines[5]).toBe('effect: 10% of the last 100 requests of this replica would pass without a decision.');
  });

  it('is said also when it is nothing', async () => {
    const { generation } = compilePolicy([{ name: 'policy.yaml', text: 'version: 1\n' }], { catalog: await loadCatalog() });
    expect((await effectOf({ list: () => [] }, generation!, generation!, 0))[0]).toContain('has decided no request yet');
    expect(describeEffect(report(5, []), 1)).toEqual(['effect: none of the last 5 requests of this replica would go elsewhere.']);
  });
});
