import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { SluiceError } from '../../lib/errors.ts';
import { fit, gainSettings, classicSettings, rawScores, type FitSettings, type RawScore } from '../training/fit.ts';
import { featureMatrix } from '../training/matrix.ts';
import { seeded } from '../training/random.ts';
import type { LabelledRow } from '../training/rows.ts';
import { train, type Trained } from '../training/train.ts';
import { textFeatures } from './features.ts';
import { decodeModel, defaultModelFile, encodeModel, readModel } from './file.ts';
import type { RouterModel } from './model.ts';

/** Two kinds of work: sums, where the strong model is needed, and notes, where it mostly is not. */
function rowsOf(count: number): LabelledRow[] {
  const random = seeded(11);
  return Array.from({ length: count }, (_, at) => {
    const sums = at % 2 === 0;
    const prompt = sums
      ? `A baker sells ${Math.floor(random() * 90)} loaves at $${Math.floor(random() * 9)} each and pays ${Math.floor(random() * 50)} for flour. How much is left?`
      : `Summarise this note for the team: the ${['meeting', 'release', 'audit'][at % 3]!} moved to ${['Monday', 'Friday'][at % 2]!}, thanks.`;
    return {
      id: String(at),
      prompt,
      weak: sums && random() < 0.6 ? 0 : 1,
      strong: 1,
      group: `g${at}`,
      task: `t${at % 4}`,
      category: null,
      source: 'made',
      licence: 'none',
      weakModel: 'w',
      strongModel: 's',
    };
  });
}

const rows = rowsOf(240);
const small: FitSettings = { ...gainSettings, seed: 5, trees: 30, forests: 1 };
const trainSmall = (settings: FitSettings): Trained =>
  train({ rows, sha256: 'x' }, { settings, name: 'small', trainedWith: 'test', folds: 2, progress: () => undefined });

let trained: Trained;
let model: RouterModel;
beforeAll(() => {
  trained = trainSmall(small);
  model = decodeModel(trained.bytes, 'small');
});

describe('a trained model', () => {
  test('is the same, byte for byte, for the same rows and seed', () => {
    expect(trainSmall(small).bytes.equals(trained.bytes)).toBe(true);
    expect(trainSmall({ ...small, seed: 6 }).bytes.equals(trained.bytes)).toBe(false);
  });

  test('goes on from the folds that an interrupted run had finished, to the same bytes', () => {
    const kept = new Map<string, readonly RawScore[]>();
    const store = {
      get: (fold: string) => kept.get(fold) ?? null,
      put: (fold: string, scores: readonly RawScore[]) => void kept.set(fold, scores),
    };
    const options = { settings: small, name: 'small', trainedWith: 'test', folds: 2, checkpoint: store };
    let folds = 0;
    const crash = (): void => {
      if (++folds === 2) throw new Error('crash');
    };
    expect(() =>
      train({ rows, sha256: 'x' }, { ...options, progress: (message) => (message.includes('fold') ? crash() : undefined) }),
    ).toThrow('crash');
    expect(kept.size).toBe(2);
    expect(train({ rows, sha256: 'x' }, { ...options, progress: () => undefined }).bytes.equals(trained.bytes)).toBe(true);
  });

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
