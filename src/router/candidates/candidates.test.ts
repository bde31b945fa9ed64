import { describe, expect, test } from 'vitest';
import { textFeatures } from '../../classify/features.ts';
import { decodeQuality, readQuality } from '../quality/file.ts';
import type { OutcomeData, OutcomeRow } from '../quality/outcomes.ts';
import { trainQuality } from '../quality/train.ts';
import { seeded } from '../training/random.ts';
import { pickCandidate } from './pick.ts';
import { CandidateRouter } from './router.ts';
import { simulateCompare, type CompareOptions } from './simulate.ts';
import type { CandidateView } from './types.ts';

/** Two kinds of work: on sums `cheap` is as good as `dear`, on proofs it fails at every second; `useless` fails everywhere. */
function rowsOf(seed: number): OutcomeRow[] {
  const random = seeded(seed);
  const right = (share: number): number => (random() < share ? 1 : 0);
  return Array.from({ length: 600 }, (_, at) => {
    const sums = at % 2 === 0;
    return {
      id: String(at),
      kind: sums ? 'sums' : 'proofs',
      source: 'test',
      licence: 'CC0-1.0',
      prompt: sums
        ? `Anna buys ${at} apples and sells ${at % 7} of them, how many are left in her basket today`
        : `Prove that for every prime p above ${at} the polynomial is irreducible over the rationals`,
      scores: new Map([
        ['dear', right(0.9)],
        ['cheap', right(sums ? 0.9 : 0.45)],
        ['useless', right(0.1)],
      ]),
      outputTokens: new Map([
        ['dear', sums ? 100 : 400],
        ['cheap', sums ? 100 : 400],
        ['useless', 50],
      ]),
    };
  });
}

const data = (rows: readonly OutcomeRow[]): OutcomeData => ({ rows, models: ['dear', 'cheap', 'useless'], sha256: '' });
const background = [
  'Hi there',
  'Write a poem about the sea at night',
  'Summarise this mail for my boss please',
  'What is the capital of France',
  'Plan a weekend in Lisbon with two small children',
];
const trained = decodeQuality(
  trainQuality(data(rowsOf(1)), {
    name: 'test',
    trainedWith: 'test',
    seed: 1,
    folds: 4,
    background: Array.from({ length: 60 }, (_, at) => background[at % 5]!),
  }).bytes,
  'test',
);
const prices = new Map([
  ['dear', { input: 10, output: 10 }],
  ['cheap', { input: 1, output: 1 }],
  ['useless', { input: 0.1, output: 0.1 }],
]);
const options: CompareOptions = {
  quality: trained,
  prices,
  requested: 'dear',
  objective: { kind: 'loss', maxLoss: 0.03 },
  seeds: 3,
  requests: 3_000,
  warmup: 1_000,
  graded: 0,
  grades: 'both',
};
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const shareOf = (model: string, results: ReturnType<typeof simulateCompare>): number =>
  mean(results.map(({ shares }) => shares.get(model) ?? 0));

describe('the quality model', () => {
  test('says by kind which model falls short, and that it does not know other work', () => {
    const gain = (prompt: string, weak: string): number => {
      const view = trained.view(textFeatures(prompt).tokens);
      return trained.gain(view, trained.indexOf(weak), trained.indexOf('dear')).gain;
    };
    expect(gain('Anna buys 12 apples and sells 5 of them, how many are left', 'cheap')).toBeLessThan(0.1);
    expect(gain('Prove that for every prime p the polynomial is irreducible', 'cheap')).toBeGreaterThan(0.3);
    expect(trained.view(textFeatures('Write a poem about the sea at night').tokens).known).toBe(0);
    expect(gain('Write a poem about the sea at night', 'cheap')).toBeGreaterThan(0.3);
    expect(trained.indexOf('nobody-knows-it')).toBe(-1);
  });

  test('that comes with Sluice knows models with and without their dates and hosts', () => {
    const shipped = readQuality();
    expect(shipped.indexOf('gpt-4o')).toBe(shipped.indexOf('gpt-4o-2024-08-06'));
    expect(shipped.indexOf('meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo')).toBe(shipped.indexOf('Meta-Llama-3.1-70B-Instruct'));
    expect(shipped.indexOf('Meta-Llama-3.1-70B-Instruct')).not.toBe(-1);
    expect(shipped.view(textFeatures('Hi').tokens).known).toBe(0);
  });

  test('is refused when its tables are cut short', () => {
    const { bytes } = trainQuality(data(rowsOf(1).slice(0, 200)), { name: 'test', trainedWith: 'test', seed: 1, folds: 2 });
    expect(() => decodeQuality(bytes.subarray(0, bytes.length - 20), 'x')).toThrow(/damaged/);
  });
});

describe('one request', () => {
  const view = (expected: number, usable = true): CandidateView => ({
    model: 'p/m',
    gain: expected,
    error: 0,
    measured: true,
    expected,
    spread: 0.01,
    grades: 0,
    usable,
  });
  const base = { usdPerScore: null, level: 0.9, requestedUsd: 1, candidates: [view(0.001), view(0.3)], usd: [0.5, 0.1] };

  test('goes to the cheapest candidate that keeps the promise by itself while no price of quality is known', () => {
    expect(pickCandidate({ ...base, objective: { kind: 'loss', maxLoss: 0.02 } })).toBe(0);
    expect(pickCandidate({ ...base, objective: { kind: 'loss', maxLoss: 0.005 } })).toBe(-1);
  });

  test('goes to the best one within a cost', () => {
    expect(pickCandidate({ ...base, objective: { kind: 'cost', maxShare: 0.6 } })).toBe(0);
    expect(pickCandidate({ ...base, objective: { kind: 'cost', maxShare: 0.2 } })).toBe(1);
  });

  test('goes by the price of a point, and never to what is not usable or cannot take it', () => {
    expect(pickCandidate({ ...base, objective: { kind: 'price', usd: 0.1 } })).toBe(1);
    expect(pickCandidate({ ...base, objective: { kind: 'price', usd: 10 } })).toBe(0);
    expect(pickCandidate({ ...base, objective: { kind: 'price', usd: 0.1 }, usd: [NaN, NaN] })).toBe(-1);
    expect(pickCandidate({ ...base, objective: { kind: 'price', usd: 0.1 }, candidates: [view(0.001, false), view(0.3, false)] })).toBe(-1);
  });
});

describe('a stream', () => {
  test('sends sums to the cheap model and keeps proofs, by public outcomes alone', () => {
    const results = simulateCompare(rowsOf(2), options);
    expect(shareOf('cheap', results)).toBeGreaterThan(0.2);
    expect(shareOf('cheap', results)).toBeLessThan(0.62);
    expect(shareOf('useless', results)).toBeLessThan(0.02);
    expect(mean(results.map(({ loss }) => loss))).toBeLessThan(0.05);
  });

  test('moves nothing of what no public outcome and no grade is about, and learns it from grades', () => {
    const strange = {
      ...options,
      quality: decodeQuality(
        trainQuality({ ...data(rowsOf(1)), models: ['useless'] }, { name: 'test', trainedWith: 'test', seed: 1, folds: 4 }).bytes,
        'test',
      ),
    };
    expect(shareOf('dear', simulateCompare(rowsOf(2), strange))).toBeCloseTo(1);
    const learnt = simulateCompare(rowsOf(2), { ...strange, graded: 0.2, requests: 6_000, warmup: 4_000 });
    expect(shareOf('cheap', learnt)).toBeGreaterThan(0.3);
    expect(mean(learnt.map(({ loss }) => loss))).toBeLessThan(0.04);
  });

  test('spends no more than a share, and as much as that allows', () => {
    const results = simulateCompare(rowsOf(2), { ...options, objective: { kind: 'cost', maxShare: 0.9 } });
    expect(mean(results.map(({ cost }) => cost))).toBeLessThan(0.91);
    expect(mean(results.map(({ cost }) => cost))).toBeGreaterThan(0.7);
    // It is the proofs that keep the dear model.
    expect(mean(results.map(({ loss }) => loss))).toBeLessThan(0.05);
  });

  test('is the same for the same seed', () => {
    expect(simulateCompare(rowsOf(3), { ...options, seeds: 1, graded: 0.05 })).toEqual(
      simulateCompare(rowsOf(3), { ...options, seeds: 1, graded: 0.05 }),
    );
  });
});

test('a grade never makes a candidate less certain', () => {
  const router = new CandidateRouter();
  const request = { template: 't', kind: 'k', known: true, candidates: [{ model: 'p/m', gain: 0.02, error: 0.03, measured: true }] };
  const before = router.views(request)[0]!.spread;
  for (let i = 0; i < 30; i++)
    router.observe(request, request.candidates[0]!, { score: i % 3 === 0 ? 0 : 1, against: 1, weight: 1, time: i, others: [] });
  const after = router.views(request)[0]!;
  expect(after.spread).toBeLessThan(before);
  expect(after.expected).toBeGreaterThan(0.02);
});
