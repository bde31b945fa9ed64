import { expect, test } from 'vitest';
import { seeded } from '../training/random.ts';
import { Beliefs } from './beliefs.ts';
import { noiseOf } from './evidence.ts';
import { OnlineLearner } from './learner.ts';
import { beliefSettings, defaultLearning, type LearningSettings } from './settings.ts';
import { stateSchema } from './state.ts';
import { bitsApart, nearHash, templateOf } from './template.ts';
import type { LearningMark } from './types.ts';

const pair = { weak: 'openai/small', strong: 'openai/large' };
const words = (text: string): string[] => text.toLowerCase().split(/\s+/);

test('beliefs are those of the joint Gaussian of a pair, its kinds, its templates and their grades', () => {
  const random = seeded(3);
  const beliefs = new Beliefs({ ...beliefSettings, halfLifeMs: Infinity }, 100);
  const keys = [0, 1, 2, 3].map((at) => ({ template: `t${at}`, kind: at < 3 ? 'sums' : 'notes', spread: 0.1 }));
  const grades = Array.from({ length: 90 }, (_, i) => ({
    at: [0, 1, 0, 3, 2, 0][i % 6]!,
    gain: 0.3 * random(),
    strong: random() < 0.8 ? 1 : 0,
    weak: random() < 0.6 ? 1 : 0,
  }));
  for (const { at, gain, strong, weak } of grades)
    beliefs.observe(keys[at]!, { arm: 'strong', gain, score: strong, against: weak, weight: 1, time: 0 });
  const { slope, slopeVariance, between, pairNoise, template, kind } = beliefs.spreads();
  expect(between).not.toBeCloseTo(slope, 2);
  const centers = keys.map((_, at) => {
    const own = grades.filter((one) => one.at === at);
    return own.reduce((sum, { gain }) => sum + gain, 0) / own.length;
  });
  expect(template).toBeGreaterThan(0);
  // Unknowns: the pair's mean, two kinds', four templates'. Information form, dense.
  const size = 7;
  const precision = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  const information = new Array<number>(size).fill(0);
  const tie = (row: readonly number[], value: number, weight: number): void => {
    for (const [i, a] of row.entries()) {
      information[i]! += weight * a * value;
      for (const [j, b] of row.entries()) precision[i]![j]! += weight * a * b;
    }
  };
  const unit = (...ones: [number, number][]): number[] => Array.from({ length: size }, (_, at) => ones.find(([i]) => i === at)?.[1] ?? 0);
  tie(unit([0, 1]), 0, 1 / 0.1 ** 2);
  for (const at of [0, 1]) tie(unit([0, -1], [1 + at, 1]), 0, 1 / kind ** 2);
  for (const at of [0, 1, 2, 3]) tie(unit([at < 3 ? 1 : 2, -1], [3 + at, 1]), (between - slope) * centers[at]!, 1 / template ** 2);
  for (const { at, gain, strong, weak } of grades)
    tie(unit([3 + at, 1]), strong - weak - slope * gain, 1 / noiseOf(beliefs.templates.get(`t${at}`)!.sums, slope, pairNoise));
  const covariance = inverted(precision);
  const mean = covariance.map((row) => row.reduce((sum, value, i) => sum + value * information[i]!, 0));
  for (const at of [0, 1, 2, 3]) {
    expect(beliefs.expected(keys[at]!, 0.2).mean).toBeCloseTo(0.2 * slope + mean[3 + at]!, 9);
    expect(beliefs.expected(keys[at]!, 0.2).error).toBeCloseTo(
      Math.sqrt(covariance[3 + at]![3 + at]! + slopeVariance * (0.2 - centers[at]!) ** 2),
      9,
    );
  }
  const fresh = beliefs.expected({ template: 'new', kind: 'sums', spread: 0.1 }, 0);
  expect(fresh.mean).toBeCloseTo(mean[1]!, 9);
  expect(fresh.error).toBeCloseTo(Math.sqrt(covariance[1]![1]! + template ** 2), 9);
  expect(beliefs.expected({ template: 'new', kind: 'other', spread: 0.1 }, 0).mean).toBeCloseTo(mean[0]!, 9);
  const weights = unit([3, 10], [4, 5], [6, 2]);
  const variance = weights.reduce((sum, a, i) => sum + a * weights.reduce((inner, b, j) => inner + b * covariance[i]![j]!, 0), 0);
  // All requests of graded templates share the slope's error.
  const off = 3 - 10 * centers[0]! - 5 * centers[1]! - 2 * centers[3]!;
  expect(
    beliefs.total([
      { ...keys[0]!, count: 10, gain: 1 },
      { ...keys[1]!, count: 5, gain: 1 },
      { ...keys[3]!, count: 2, gain: 1 },
    ]).error,
  ).toBeCloseTo(Math.sqrt(variance + slopeVariance * off * off), 9);
});

test('spreads are estimated from the grades: templates that differ are told from templates that do not', () => {
  const spreadOf = (gains: readonly number[]): number => {
    const random = seeded(5);
    const beliefs = new Beliefs(beliefSettings, 100);
    for (let i = 0; i < 1_200; i++) {
      const at = i % gains.length;
      beliefs.observe(
        { template: `t${at}`, kind: '', spread: 0.1 },
        { arm: 'strong', gain: 0.1, score: 1, against: random() < gains[at]! ? 0 : 1, weight: 1, time: 0 },
      );
    }
    return beliefs.spreads().template;
  };
  expect(spreadOf([0.2, 0.2, 0.2, 0.2, 0.2, 0.2])).toBeLessThan(0.08);
  expect(spreadOf([0, 0.5, 0.1, 0.4, 0, 0.5])).toBeGreaterThan(0.12);
});

test('what may be luck pays for less loss elsewhere than what is certain', () => {
  const beliefs = new Beliefs(beliefSettings, 100);
  const lucky = { template: 'lucky', kind: '', spread: 0.1 };
  for (let i = 0; i < 8; i++) beliefs.observe(lucky, { arm: 'strong', gain: 0, score: i === 0 ? 0 : 1, against: 1, weight: 1, time: 0 });
  const { mean, error } = beliefs.expected(lucky, 0);
  expect(mean).toBeLessThan(0);
  const few = beliefs.total([{ ...lucky, count: 100, gain: 0 }]).mean;
  expect(few).toBeLessThanOrEqual(0);
  expect(few).toBeGreaterThan(100 * mean + 50 * error);
  for (let i = 0; i < 800; i++)
    beliefs.observe(lucky, { arm: 'strong', gain: 0, score: i % 4 === 0 ? 0 : 1, against: 1, weight: 1, time: 0 });
  expect(beliefs.total([{ ...lucky, count: 100, gain: 0 }]).mean).toBeLessThan(80 * beliefs.expected(lucky, 0).mean);
});

/** Gauss–Jordan. */
function inverted(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < size; i++) {
    const scale = work[i]![i]!;
    work[i] = work[i]!.map((value) => value / scale);
    for (let j = 0; j < size; j++)
      if (j !== i) {
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
    const given = {
      decisionId: 'd',
      workspace: 'w',
      model: pair.weak,
      requested: pair.strong,
      score: 1,
      source: 'judge',
      weight: 1,
      time: 0,
    };
    const all = { pair, gain: 0.02, uncertainty: 0.02, maxLoss: 0.2, fixed: false, ...view };
    for (let i = 0; i < graded; i++)
      learner.observe({
        ...given,
        mark: learner.assessTemplate({ workspace: 'w', template: 't', near: '0'.repeat(16) }, all, settings, 0),
        against: 1,
      });
    return Array.from(
      { length: 300 },
      () => learner.assessTemplate({ workspace: 'w', template: 't', near: '0'.repeat(16) }, all, settings, 0).says,
    ).slice(-1);
  };
  expect(says({ known: true, calibrated: true }, 0)).toEqual(['weak']);
  expect(says({ known: false, calibrated: true }, 4)).toEqual([null]);
  expect(says({ known: false, calibrated: true }, 5)).toEqual(['weak']);
  expect(says({ known: true, calibrated: false }, 99)).toEqual([null]);
  expect(says({ known: true, calibrated: false }, 100)).toEqual(['weak']);
});

/** Traffic of two templates: the weak model is as good on one, and fails at the other. The router knows nothing of them. */
function stream(learner: OnlineLearner, requests: number, seed: number): { easyWeak: number; hardWeak: number } {
  const random = seeded(seed);
  const last = { easyWeak: 0, hardWeak: 0 };
  for (let i = 0; i < requests; i++) {
    const easy = random() < 0.5;
    const mark = learner.assessTemplate(
      { workspace: 'w', template: easy ? 'easy' : 'hard', near: '0'.repeat(16) },
      { pair, gain: 0.12, uncertainty: 0.1, maxLoss: 0.03, known: true, fixed: false, calibrated: true },
      { ...settings, probeShare: 0.1 },
      i,
    );
    const arm = mark.says ?? 'strong';
    if (i >= requests - 500 && arm === 'weak') last[easy ? 'easyWeak' : 'hardWeak']++;
    if (mark.why === 'probe') {
      const right = random() < (arm === 'strong' || easy ? 0.9 : 0.4);
      learner.observe(
        {
          decisionId: String(i),
          workspace: 'w',
          mark,
          model: pair[arm],
          requested: pair.strong,
          score: right ? 1 : 0,
          source: 'judge',
          weight: 1,
          time: i,
        },
        { ...settings, upgradeScope: 'none' },
      );
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

const mark = (text: string, template = 'a'.repeat(16)): LearningMark => ({
  template,
  near: nearHash(words(text)),
  pair: null,
  gain: null,
  uncertainty: null,
  expected: null,
  spread: null,
  threshold: null,
  says: null,
  why: 'prior',
});

test('a low grade upgrades near-duplicates within the template at once, until it expires', () => {
  const learner = new OnlineLearner();
  const text = 'summarise the following contract and say which party carries the risk of late delivery of the goods';
  const observed = learner.observe({
    decisionId: 'd',
    workspace: 'w',
    mark: mark(text),
    model: 'openai/small',
    requested: 'openai/large',
    score: 0.1,
    source: 'user',
    weight: 1,
    time: 1_000,
  });
  expect(observed).toBe('foreign');
  const says = (what: string, template: string, now: number, workspace = 'w'): string | null =>
    learner.assessTemplate({ workspace, template, near: nearHash(words(what)) }, null, settings, now).says;
  expect(says(text.replace('late', 'slow'), 'a'.repeat(16), 2_000)).toBe('strong');
  expect(says(text, 'b'.repeat(16), 2_000)).toBeNull();
  expect(says(text, 'a'.repeat(16), 2_000, 'other')).toBeNull();
  expect(says('write a poem on the first snow of the year in four lines that rhyme', 'a'.repeat(16), 2_000)).toBeNull();
  expect(says(text, 'a'.repeat(16), 1_000 + settings.upgradeMs)).toBeNull();
});

test('a frozen learner learns nothing; a reset one knows nothing', () => {
  const learner = new OnlineLearner();
  learner.freeze(true);
  const grade = {
    decisionId: 'd',
    workspace: 'w',
    mark: mark('so what'),
    model: 'openai/small',
    requested: 'openai/large',
    score: 0,
    source: 'user',
    weight: 1,
    time: 0,
  };
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

test('templates go by system prompt and tools, without names, dates, ids, quotes and context; without both by the kind of work', () => {
  const of = (system: string, toolNames: string[] = [], kind = 'question'): string =>
    templateOf({ system, toolNames, tools: toolNames.length }, kind);
  const same = [
    ['Today is 2026-11-20. Be brief.', 'Today is 2026-11-21. Be brief.'],
    ['Today is Monday, 3 March 2026. Be brief.', 'Today is Friday, 14 August 2026. Be brief.'],
    ['The customer is Ann Lee', 'The customer is Bob Ray'],
    ['Ann Lee is the customer. Be kind.', 'Maria de Souza is the customer. Be kind.'.replace('de ', 'De ')],
    ['You help the user ann.lee@example.com with ticket ABC-1234.', 'You help the user bob@example.org with ticket XY-9.'],
    ['Summarise the mail: "Dear all, we moved." Two lines.', 'Summarise the mail: "Hello team, lunch is at one." Two lines.'],
    [
      'Answer from the document.\n<document>Peas are green.</document>',
      'Answer from the document.\n<document>Snow is cold. And white.</document>',
    ],
    [
      'Answer from the context.\n\nContext:\nPeas are green.\nSo are limes.\n\nRules:\nBe brief.',
      'Answer from the context.\n\nContext:\nSnow is white.\n\nRules:\nBe brief.',
    ],
    ['Session 7f3a9c21-aa: help with billing.', 'Session 00b1c2d3-ff: help with billing.'],
  ];
  for (const [a, b] of same) expect(of(a!), a).toBe(of(b!));
  const others = [
    'Be brief.',
    'Be kind.',
    'Translate into French.',
    'Summarise the mail in two lines.',
    'You are a lawyer.',
    'You are a nurse. Be brief.',
  ];
  expect(new Set(others.map((one) => of(one))).size).toBe(others.length);
  expect(of('Be brief.', ['search', 'mail'])).toBe(of('Be brief.', ['mail', 'search']));
  expect(of('Be brief.', ['search'])).not.toBe(of('Be brief.'));
  expect(of('', [], 'code')).toBe(of('', [], 'code'));
  expect(of('', [], 'code')).not.toBe(of('', [], 'summary'));
});

test('texts that differ in a word differ in few bits, others in about half', () => {
  const text = words('the quick brown fox jumps over the lazy dog while the farmer counts his sheep behind the old stone wall');
  expect(bitsApart(nearHash(text), nearHash(text))).toBe(0);
  expect(bitsApart(nearHash(text), nearHash(text.map((word) => (word === 'farmer' ? 'baker' : word))))).toBeLessThanOrEqual(10);
  expect(
    bitsApart(nearHash(text), nearHash(words('please write a function that adds two numbers and returns their sum in python'))),
  ).toBeGreaterThan(18);
  expect(bitsApart('0000000000000000', 'ffffffffffffffff')).toBe(64);
});

test('grades of several candidates are learnt, kept over a restart and forgotten with their workspace', () => {
  const learner = new OnlineLearner();
  const candidates = [{ model: 'p/small', gain: 0.1, error: 0.15, measured: false }];
  const request = { template: 't', kind: 'k', known: false, candidates };
  const settings = { model: 'v', objective: { kind: 'loss', maxLoss: 0.05 }, probeShare: 0, riskShare: 0 } as const;
  const mark = {
    template: 't',
    near: '0'.repeat(16),
    pair: null,
    gain: null,
    uncertainty: null,
    expected: null,
    spread: null,
    threshold: null,
    says: null,
    why: 'prior',
    kind: 'k',
    models: { requested: 'p/large', known: false, candidates },
  } as const;
  expect(learner.compare('w', 'p/large', request, settings).candidates[0]?.usable).toBe(false);
  for (let i = 0; i < 60; i++)
    learner.observe({
      decisionId: String(i),
      workspace: 'w',
      mark,
      model: 'p/small',
      requested: 'p/large',
      score: 0.9,
      against: 0.9,
      source: 'judge',
      weight: 1,
      time: i,
    });
  const learnt = learner.compare('w', 'p/large', request, settings).candidates[0]!;
  expect(learnt.usable).toBe(true);
  expect(learnt.expected).toBeLessThan(0.03);
  const again = new OnlineLearner();
  again.restore(JSON.parse(JSON.stringify(learner.state(60))) as ReturnType<typeof learner.state>);
  expect(again.compare('w', 'p/large', request, settings).candidates[0]?.expected).toBeCloseTo(learnt.expected, 6);
  expect(again.summary(60).compared[0]?.models).toMatchObject([{ model: 'p/small', grades: 60 }]);
  again.reset('w');
  expect(again.compare('w', 'p/large', request, settings).candidates[0]?.usable).toBe(false);
});
