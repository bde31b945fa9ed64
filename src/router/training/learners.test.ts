import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { thresholdFor } from '../model/verdict.ts';
import { boost, forestAt, meanForest } from './boost.ts';
import { groupFolds, taskFolds } from './folds.ts';
import { risingCurve, valueAt } from './isotonic.ts';
import { linearAt, logistic, ridge } from './linear.ts';
import { featureMatrix, tfidf, vocabulary } from './matrix.ts';
import { calibratePairs, type PairRow } from './pairs.ts';
import { seeded, shuffled } from './random.ts';
import type { LabelledRow } from './rows.ts';

const range = (length: number): Int32Array => Int32Array.from({ length }, (_, at) => at);

describe('boosted trees', () => {
  const random = seeded(7);
  const columns = [0, 1, 2].map(() => Float64Array.from({ length: 600 }, () => random()));
  const targets = Float64Array.from({ length: 600 }, (_, row) => (columns[0]![row]! > 0.5 && columns[1]![row]! > 0.5 ? 1 : 0));
  const options = { trees: 80, depth: 3, rate: 0.1, leaf: 5, shrink: 1, rowShare: 0.8, featureShare: 1, seed: 3 };

  test('learn an interaction, and do so the same way for the same seed', () => {
    const forest = boost(columns, range(600), targets, options);
    let error = 0;
    for (let row = 0; row < 600; row++) error += Math.abs(forestAt(forest, columns, row) - targets[row]!) / 600;
    // Answering the mean would miss by 0.37.
    expect(error).toBeLessThan(0.08);
    expect(boost(columns, range(600), targets, options)).toEqual(forest);
    expect(boost(columns, range(600), targets, { ...options, seed: 4 })).not.toEqual(forest);
  });

  test('side by side answer as their mean', () => {
    const [a, b] = [1, 2].map((seed) => boost(columns, range(600), targets, { ...options, seed })) as [
      ReturnType<typeof boost>,
      ReturnType<typeof boost>,
    ];
    const both = meanForest([a, b]);
    for (const row of [0, 100, 599])
      expect(forestAt(both, columns, row)).toBeCloseTo((forestAt(a, columns, row) + forestAt(b, columns, row)) / 2, 5);
  });
});

describe('linear models of words', () => {
  const prompts = Array.from({ length: 200 }, (_, at) =>
    at % 2 === 0 ? `please summarise the note number ${at % 10} for me` : `prove the lemma about graph ${at % 10} for me`,
  );
  const matrix = featureMatrix(prompts);
  const words = vocabulary(matrix, range(200));
  const values = tfidf(matrix, words);
  const targets = Float64Array.from({ length: 200 }, (_, at) => at % 2);

  test('ridge and logistic regression tell two kinds of prompts apart', () => {
    const line = ridge(matrix, values, range(200), targets, 0.1);
    const odds = logistic(matrix, values, range(200), targets, 0.1);
    for (let row = 0; row < 200; row++) {
      expect(linearAt(line, matrix, values, row)).toBeCloseTo(row % 2, 1);
      expect(Math.sign(linearAt(odds, matrix, values, row))).toBe(row % 2 === 1 ? 1 : -1);
    }
  });

  test('a large penalty leaves the mean', () => {
    const line = ridge(matrix, values, range(200), targets, 1e9);
    expect(linearAt(line, matrix, values, 0)).toBeCloseTo(0.5, 4);
  });
});

test('a rising curve rises, whatever the outcomes', () => {
  const pair = fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true }));
  fc.assert(
    fc.property(
      fc.array(pair, { minLength: 30, maxLength: 200 }),
      fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 2, maxLength: 20 }),
      (data, places) => {
        const curve = risingCurve(
          Float64Array.from(data, ([x]) => x),
          Float64Array.from(data, ([, y]) => y),
          10,
          5,
        );
        const seen = [...places].sort((a, b) => a - b).map((place) => valueAt(curve, place));
        for (let i = 1; i < seen.length; i++) expect(seen[i]!).toBeGreaterThanOrEqual(seen[i - 1]! - 1e-12);
      },
    ),
  );
});

describe('folds', () => {
  const row = (at: number): LabelledRow => ({
    id: String(at),
    prompt: '',
    weak: 0,
    strong: 1,
    group: `g${at % 37}`,
    task: `t${at % 6}`,
    category: null,
    source: 's',
    licence: '',
    weakModel: 'w',
    strongModel: 'x',
  });
  const rows = Array.from({ length: 400 }, (_, at) => row(at));

  test('keep groups and tasks whole and are of about one size', () => {
    for (const [folds, key] of [
      [groupFolds(rows, 5, 1), 'group'],
      [taskFolds(rows, 3, 1)!, 'task'],
    ] as const) {
      const foldOf = new Map<string | null, number>();
      for (const [at, one] of rows.entries()) {
        expect(foldOf.get(one[key]) ?? folds.of[at]).toBe(folds.of[at]);
        foldOf.set(one[key], folds.of[at]!);
      }
      const sizes = Array.from({ length: folds.count }, (_, fold) => folds.of.filter((one) => one === fold).length);
      expect(Math.max(...sizes) / Math.min(...sizes)).toBeLessThan(1.5);
    }
  });

  test('few tasks cannot be left out', () => {
    expect(
      taskFolds(
        rows.map((one) => ({ ...one, task: null })),
        5,
        1,
      ),
    ).toBeNull();
  });
});

describe('thresholds with a bound', () => {
  /** Prompts of score s lose with chance s when they go to the weak model. */
  const draw = (count: number, random: () => number): PairRow[] =>
    Array.from({ length: count }, (_, at) => {
      const score = random();
      return { score, weak: random() < score ? 0 : 1, strong: 1, group: `g${at}`, weakModel: 'w', strongModel: 's' };
    });

  test('keep their promise on other rows in at least 95 of 100 draws, and do save', () => {
    const most = 0.05;
    let broken = 0;
    let saved = 0;
    for (let seed = 0; seed < 100; seed++) {
      const point = thresholdFor(calibratePairs(draw(1_000, seeded(seed)))[0]!.points, most);
      // A threshold of t loses t²/2 in the long run.
      const threshold = point?.threshold ?? 0;
      if (threshold ** 2 / 2 > most) broken++;
      saved += threshold / 100;
    }
    expect(broken).toBeLessThanOrEqual(5);
    // The best threshold that keeps it is 0.316.
    expect(saved).toBeGreaterThan(0.22);
  });

  test('there is none where even the safest loses too much', () => {
    const rows = draw(400, seeded(1)).map((row) => ({ ...row, weak: 0 }));
    expect(thresholdFor(calibratePairs(rows)[0]!.points, 0.01)).toBeNull();
  });

  test('a pair of few rows is not calibrated', () => {
    expect(calibratePairs(draw(20, seeded(1)))).toEqual([]);
  });
});

test('shuffling keeps the elements', () => {
  expect(shuffled([1, 2, 3, 4, 5], seeded(2)).sort()).toEqual([1, 2, 3, 4, 5]);
});
