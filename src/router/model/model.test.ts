import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { SluiceError } from '../../lib/errors.ts';
import { classicSettings, fit, rawScores } from '../training/fit.ts';
import { featureMatrix } from '../training/matrix.ts';
import { rows, small, trainSmall } from '../training/testing/small.ts';
import type { Trained } from '../training/train.ts';
import { textFeatures } from './features.ts';
import { decodeModel, defaultModelFile, encodeModel, readModel } from './file.ts';
import type { RouterModel } from './model.ts';

let trained: Trained;
let model: RouterModel;
beforeAll(() => {
  trained = trainSmall(small);
  model = decodeModel(trained.bytes, 'small');
});

describe('a trained model', () => {
  test('predicts from its file what it predicted in training', () => {
    const parts = fit(featureMatrix(rows.map(({ prompt }) => prompt)), rows, Int32Array.from(rows.keys()), small);
    const matrix = featureMatrix(rows.map(({ prompt }) => prompt));
    const raw = rawScores(parts, matrix, Int32Array.from(rows.keys()), small);
    const { raw: points, home } = model.header.calibration;
    for (const [at, row] of rows.entries()) {
      // All of these words are known, so the gain lies on the curve at home.
      const next = points.findIndex((point) => point >= raw[at]!.raw);
      if (next < 1) continue;
      const { gain, familiarity } = model.predict(row.prompt);
      expect(familiarity).toBeCloseTo(raw[at]!.familiarity, 12);
      expect(gain).toBeGreaterThan(home[next - 1]! - 0.01);
      expect(gain).toBeLessThan(home[next]! + 0.01);
    }
  });

  test('tells the two kinds apart, about as far as they are', () => {
    const mean = (sums: boolean): number => {
      const gains = rows.filter((_, at) => (at % 2 === 0) === sums).map(({ prompt }) => model.predict(prompt).gain);
      return gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
    };
    // The real means are about 0.6 and 0; few rows pull both to the middle.
    expect(mean(true) - mean(false)).toBeGreaterThan(0.1);
    expect((mean(true) + mean(false)) / 2).toBeCloseTo(rows.reduce((sum, { weak, strong }) => sum + strong - weak, 0) / rows.length, 1);
  });

  test('abstains on what it has never seen, and is less certain there', () => {
    const strange = model.predict('Бүгін ауа райы қандай болады, маған айтып берші');
    expect(strange).toMatchObject({ abstain: true, familiarity: 0 });
    expect(strange.uncertainty).toBeGreaterThan(model.predict(rows[0]!.prompt).uncertainty);
    expect(model.predict(rows[0]!.prompt).abstain).toBe(false);
  });

  test('says the same with features that the classifier computed', () => {
    for (const { prompt } of rows.slice(0, 20)) expect(model.predict(prompt, textFeatures(prompt))).toEqual(model.predict(prompt));
  });

  test('names features, not words, as what moved the score; their shares tell the two kinds apart', () => {
    const influences = model.influences(rows[0]!.prompt, 5);
    expect(influences.length).toBeLessThanOrEqual(5);
    for (const { name } of influences) expect([...model.header.features, 'words']).toContain(name);
    const sum = (prompt: string): number => model.influences(prompt, 1_000).reduce((total, { share }) => total + share, 0);
    expect(sum(rows[0]!.prompt)).toBeGreaterThan(sum(rows[1]!.prompt));
  });

  test('the classic kind is trained, calibrated and read the same way', () => {
    const classic = decodeModel(trainSmall({ ...classicSettings, seed: 5 }).bytes, 'classic');
    expect(classic.header).toMatchObject({ kind: 'classic', trees: 0 });
    expect(classic.predict(rows[0]!.prompt).gain).toBeGreaterThan(classic.predict(rows[1]!.prompt).gain);
  });
});

describe('a model file', () => {
  test('reads back as it was written', () => {
    expect(encodeModel(model.header, model.tables).equals(trained.bytes)).toBe(true);
  });

  test('that is cut, grown, changed in its header or of another kind is refused, with the reason', () => {
    const say = (bytes: Buffer): string => {
      try {
        decodeModel(bytes, 'router.model');
        return 'read';
      } catch (error) {
        expect(error).toBeInstanceOf(SluiceError);
        expect((error as SluiceError).where).toBe('router.model');
        return (error as SluiceError).message;
      }
    };
    expect(say(Buffer.from('{}'))).toContain('no model file');
    expect(say(trained.bytes.subarray(0, 16))).toContain('ends within its header');
    expect(say(trained.bytes.subarray(0, 1_000))).toContain('ends within its header');
    expect(say(trained.bytes.subarray(0, -100))).toContain('that the header asks for');
    expect(say(encodeModel({ ...model.header, features: ['other'] }, model.tables))).toContain('other features');
    expect(say(encodeModel({ ...model.header, treeShare: 2 }, model.tables))).toContain('treeShare');
    expect(say(encodeModel(model.header, { ...model.tables, feature: model.tables.feature.map(() => 250) }))).toContain('does not exist');
  });
});

describe('the model that comes with Sluice', () => {
  test('is small, has a card, and predicts a bounded number for any text', async () => {
    const shipped = await readModel(defaultModelFile);
    expect(shipped.header.card.sources.map(({ licence }) => licence).every((licence) => licence !== 'not stated')).toBe(true);
    expect(shipped.header.card.away).not.toBeNull();
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ maxLength: 5_000 })), (text) => {
        const { gain, uncertainty, familiarity } = shipped.predict(text);
        expect(Math.abs(gain)).toBeLessThan(1.5);
        expect(uncertainty).toBeGreaterThan(0);
        expect(familiarity).toBeGreaterThanOrEqual(0);
        expect(familiarity).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('takes code and sums for work that needs the stronger model more than common knowledge', async () => {
    const shipped = await readModel(defaultModelFile);
    const { gain: code } = shipped.predict('Write a function in Python to find the longest common subsequence of two strings.');
    const { gain: sums } = shipped.predict(
      'Anna has 12 apples and buys twice as many each day for 5 days, then sells 30 at $2 each. How much money does she make?',
    );
    const { gain: facts } = shipped.predict(
      'Which organ pumps blood through the body?\nA. the liver\nB. the heart\nC. the lung\nD. the spleen',
    );
    expect(code).toBeGreaterThan(facts);
    expect(sums).toBeGreaterThan(facts);
  });
});
