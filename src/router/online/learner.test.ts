import { expect, test } from 'vitest';
import { seeded } from '../training/random.ts';
import { Beliefs } from './beliefs.ts';
import { OnlineLearner } from './learner.ts';
import { beliefSettings, defaultLearning, type LearningSettings } from './settings.ts';
import { stateSchema } from './state.ts';
import { bitsApart, nearHash, templateOf } from './template.ts';
import type { LearningMark } from './types.ts';

const pair = { weak: 'openai/small', strong: 'openai/large' };
const words = (text: string): string[] => text.toLowerCase().split(/\s+/);

test('beliefs are those of the joint Gaussian of a workspace, its templates and their grades', () => {
  const random = seeded(3);
  const gainSpreads = [0.1, 0.2, 0.05];
  const beliefs = new Beliefs({ ...beliefSettings, halfLifeMs: Infinity }, 100);
  // Unknowns: the workspace's level and deviation, then a pair for each of three templates. Information form, dense.
  const size = 8;
  const precision = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  const information = new Array<number>(size).fill(0);
  const tie = (row: readonly number[], value: number, weight: number): void => {
    for (const [i, a] of row.entries()) {
      information[i]! += weight * a * value;
      for (const [j, b] of row.entries()) precision[i]![j]! += weight * a * b;
    }
  };
  const unit = (...ones: [number, number][]): number[] => Array.from({ length: size }, (_, at) => ones.find(([i]) => i === at)?.[1] ?? 0);
  const { level, levelError, gainError, levelSpread, noise, pairNoise } = beliefSettings;
  tie(unit([0, 1]), level, 1 / levelError ** 2);
  tie(unit([1, 1]), 0, 1 / gainError ** 2);
  for (const template of [0, 1, 2]) {
    tie(unit([0, -1], [2 + 2 * template, 1]), 0, 1 / levelSpread ** 2);
    tie(unit([1, -1], [3 + 2 * template, 1]), 0, 1 / gainSpreads[template]! ** 2);
  }
  for (let i = 0; i < 40; i++) {
    const template = i % 3 === 0 ? 0 : i % 7 === 0 ? 2 : 1;
    const arm = random() < 0.5 ? 'weak' : 'strong';
    const gain = 0.3 * random();
    const score = random();
    const weight = 0.5 + random() / 2;
    const against = i % 4 === 0 ? random() : null;
    beliefs.observe(`t${template}`, gainSpreads[template]!, arm, gain, score, against, weight, 0);
    if (against !== null) {
      const [weak, strong] = arm === 'weak' ? [score, against] : [against, score];
      tie(unit([2 + 2 * template, 1]), strong, weight / noise);
      tie(unit([3 + 2 * template, 1]), strong - weak - gain, weight / pairNoise);
    } else if (arm === 'strong') tie(unit([2 + 2 * template, 1]), score, weight / noise);
    else tie(unit([2 + 2 * template, 1], [3 + 2 * template, -1]), score + gain, weight / noise);
  }
  const covariance = inverted(precision);
  const mean = covariance.map((row) => row.reduce((sum, value, i) => sum + value * information[i]!, 0));
  for (const template of [0, 1, 2]) {
    const at = 3 + 2 * template;
    expect(beliefs.deviation(`t${template}`, 1).mean).toBeCloseTo(mean[at]!, 9);
    expect(beliefs.deviation(`t${template}`, 1).error).toBeCloseTo(Math.sqrt(covariance[at]![at]!), 9);
  }
  expect(beliefs.deviation('new', 0.3).mean).toBeCloseTo(mean[1]!, 9);
  expect(beliefs.deviation('new', 0.3).error).toBeCloseTo(Math.sqrt(covariance[1]![1]! + 0.3 ** 2), 9);
  const counts = new Map([['t0', { count: 10, spread: 1 }], ['t1', { count: 5, spread: 1 }], ['t2', { count: 2, spread: 1 }]]);
  const weights = unit([3, 10], [5, 5], [7, 2]);
  const variance = weights.reduce((sum, a, i) => sum + a * weights.reduce((inner, b, j) => inner + b * covariance[i]![j]!, 0), 0);
  expect(beliefs.total(counts).error).toBeCloseTo(Math.sqrt(variance), 9);
});

/** Gauss–Jordan. */
function inverted(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < size; i++) {
    const scale = work[i]![i]!;
    work[i] = work[i]!.map((value) => value / scale);
    for (let j = 0; j < size; j++) if (j !== i) {
      const by = work[j]![i]!;
      work[j] = work[j]!.map((value, k) => value - by * work[i]![k]!);
    }
  }
  return work.map((row) => row.slice(size));
}

const settings: LearningSettings = { ...defaultLearning, probeShare: 0 };

test('a router that has not seen the kind, or a pair without calibration, waits for grades of its own', () => {
  const says = (view: { readonly known: boolean; readonly calibrated: boolean }, graded: number): (string | null)[] => {
    const learner = new OnlineLearner(undefined, seeded(1));
    const given = { decisionId: 'd', workspace: 'w', model: pair.weak, requested: pair.strong, score: 1, source: 'judge', weight: 1, time: 0 };
    const all = { pair, gain: 0.02, uncertainty: 0.1, maxLoss: 0.1, fixed: false, ...view };
    for (let i = 0; i < graded; i++) learner.observe({ ...given, mark: learner.assessTemplate('w', 't', '0'.repeat(16), all, settings, 0), against: 1 });
    return Array.from({ length: 300 }, () => learner.assessTemplate('w', 't', '0'.repeat(16), all, settings, 0).says).slice(-1);
  };
  expect(says({ known: true, calibrated: true }, 0)).toEqual(['weak']);
  expect(says({ known: false, calibrated: true }, 10)).toEqual(['strong']);
  expect(says({ known: false, calibrated: true }, 20)).toEqual(['weak']);
  expect(says({ known: true, calibrated: false }, 99)).toEqual([null]);
  expect(says({ known: true, calibrated: false }, 100)).toEqual(['weak']);
});

/** Traffic of two templates: the weak model is as good on one, and fails at the other. The router knows nothing of them. */
function stream(learner: OnlineLearner, requests: number, seed: number): { easyWeak: number; hardWeak: number } {
  const random = seeded(seed);
  const last = { easyWeak: 0, hardWeak: 0 };
  for (let i = 0; i < requests; i++) {
    const easy = random() < 0.5;
    const mark = learner.assessTemplate('w', easy ? 'easy' : 'hard', '0'.repeat(16), { pair, gain: 0.12, uncertainty: 0.1, maxLoss: 0.03, known: true, fixed: false, calibrated: true }, { ...settings, probeShare: 0.1 }, i);
    const arm = mark.says ?? 'strong';
    if (i >= requests - 500 && arm === 'weak') last[easy ? 'easyWeak' : 'hardWeak']++;
    if (mark.why === 'probe') {
      const right = random() < (arm === 'strong' || easy ? 0.9 : 0.4);
      learner.observe({ decisionId: String(i), workspace: 'w', mark, model: pair[arm], requested: pair.strong, score: right ? 1 : 0, source: 'judge', weight: 1, time: i }, { ...settings, upgradeScope: 'none' });
    }
  }
  return last;
}

test('grades move the templates that the weak model is good enough for, and no others', () => {
  const learner = new OnlineLearner(undefined, seeded(1));
  const { easyWeak, hardWeak } = stream(learner, 6_000, 2);
  expect(easyWeak).toBeGreaterThan(180);
  expect(hardWeak).toBeLessThan(50);
});

test('state survives as plain data, and what comes back decides the same', () => {
  const learner = new OnlineLearner(undefined, seeded(1));
  stream(learner, 2_000, 2);
  const text = JSON.stringify(learner.state(0));
  const copy = new OnlineLearner(undefined, seeded(1));
  copy.restore(stateSchema.parse(JSON.parse(text)));
  expect(JSON.stringify(copy.state(0))).toBe(text);
  expect(copy.grades).toBe(learner.grades);
  expect(learner.grades).toBeGreaterThan(50);
});

const mark = (text: string, template = 'a'.repeat(16)): LearningMark => ({ template, near: nearHash(words(text)), pair: null, gain: null, uncertainty: null, expected: null, spread: null, threshold: null, says: null, why: 'prior' });

test('a low grade upgrades near-duplicates within the template at once, until it expires', () => {
  const learner = new OnlineLearner();
  const text = 'summarise the following contract and say which party carries the risk of late delivery of the goods';
  const observed = learner.observe({ decisionId: 'd', workspace: 'w', mark: mark(text), model: 'openai/small', requested: 'openai/large', score: 0.1, source: 'user', weight: 1, time: 1_000 });
  expect(observed).toBe('foreign');
  const says = (what: string, template: string, now: number, workspace = 'w'): string | null => learner.assessTemplate(workspace, template, nearHash(words(what)), null, settings, now).says;
  expect(says(text.replace('late', 'slow'), 'a'.repeat(16), 2_000)).toBe('strong');
  expect(says(text, 'b'.repeat(16), 2_000)).toBeNull();
  expect(says(text, 'a'.repeat(16), 2_000, 'other')).toBeNull();
  expect(says('write a poem on the first snow of the year in four lines that rhyme', 'a'.repeat(16), 2_000)).toBeNull();
  expect(says(text, 'a'.repeat(16), 1_000 + settings.upgradeMs)).toBeNull();
});

test('a frozen learner learns nothing; a reset one knows nothing', () => {
  const learner = new OnlineLearner();
  learner.freeze(true);
  const grade = { decisionId: 'd', workspace: 'w', mark: mark('so what'), model: 'openai/small', requested: 'openai/large', score: 0, source: 'user', weight: 1, time: 0 };
  expect(learner.observe(grade)).toBe('frozen');
  expect(learner.upgrades(1)).toEqual([]);
  learner.freeze(false);
  learner.observe(grade);
  expect(learner.upgrades(1)).toHaveLength(1);
  learner.reset('other');
  expect(learner.upgrades(1)).toHaveLength(1);
  learner.reset('w');
  expect(learner.upgrades(1)).toEqual([]);
});

test('templates go by system prompt and tools, digits aside; without them by the opening words', () => {
  const of = (system: string, toolNames: string[], text: string): string => templateOf({ system, toolNames, tools: toolNames.length }, words(text));
  expect(of('Today is 2026-11-20. Be brief.', [], 'a')).toBe(of('Today is 2026-11-21. Be brief.', [], 'b'));
  expect(of('Be brief.', ['search', 'mail'], 'a')).toBe(of('Be brief.', ['mail', 'search'], 'b'));
  expect(of('Be brief.', ['search'], 'a')).not.toBe(of('Be brief.', [], 'a'));
  expect(of('', [], 'classify this ticket by its urgency 1234 please')).toBe(of('', [], 'classify this ticket by its urgency 99 now'));
  expect(of('', [], 'classify this ticket')).not.toBe(of('', [], 'translate this ticket'));
});

test('texts that differ in a word differ in few bits, others in about half', () => {
  const text = words('the quick brown fox jumps over the lazy dog while the farmer counts his sheep behind the old stone wall');
  expect(bitsApart(nearHash(text), nearHash(text))).toBe(0);
  expect(bitsApart(nearHash(text), nearHash(text.map((word) => (word === 'farmer' ? 'baker' : word))))).toBeLessThanOrEqual(10);
  expect(bitsApart(nearHash(text), nearHash(words('please write a function that adds two numbers and returns their sum in python')))).toBeGreaterThan(18);
  expect(bitsApart('0000000000000000', 'ffffffffffffffff')).toBe(64);
});
