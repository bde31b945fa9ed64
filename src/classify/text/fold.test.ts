import { describe, expect, it } from 'vitest';
import { foldVectors } from './fold.ts';
import { head, textFields } from './heads.ts';
import { hashRows, outputsOf, trainText } from './train.ts';
import { type TextRow } from './example.ts';
import type { WordVectors } from './vectors.ts';

/** Vectors of two numbers: the first stands for medicine, the second for the kitchen. No concept names the words. */
const near = { qevor: [1, 0], mirnat: [0.9, 0.1], dolpik: [0.95, 0.05], zanet: [0, 1], wulot: [0.1, 0.9], pirgo: [0.05, 0.95] };
const words = Object.keys(near);
const vectors: WordVectors = {
  size: 2,
  words,
  numbers: Float32Array.from(Object.values(near).flat()),
  placeOf: new Map(words.map((word, at) => [word, at])),
};

const row = (prompt: string, field: 'medical' | 'culture', level: number): TextRow => ({
  prompt,
  system: '',
  task: 'question',
  fields: [field],
  level,
  tier: null,
  group: prompt,
  weight: 1,
});
const rows = Array.from({ length: 10 }, () => [row('my qevor and mirnat', 'medical', 5), row('zanet and wulot', 'culture', 1)]).flat();

describe('word vectors folded into the weights', () => {
  const hashed = hashRows(rows, vectors);
  const plain = trainText(rows, hashed);
  const folded = foldVectors(
    plain,
    { rows, hashed, vectors },
    { level: 1, field: 1, task: 0, pull: { level: 0.01, field: 0.01, task: 1 }, most: 6 },
  );
  const [unseen, other] = hashRows(
    [
      { prompt: 'dolpik', system: '' },
      { prompt: 'pirgo', system: '' },
    ],
    vectors,
  );
  const medical = head.field + textFields.indexOf('medical');

  it('give words that no prompt has the field and the level of their neighbours', () => {
    const [dolpik, pirgo] = [outputsOf(folded, unseen!), outputsOf(folded, other!)];
    expect(dolpik[medical]!).toBeGreaterThan(pirgo[medical]! + 0.5);
    expect(dolpik[head.level]!).toBeGreaterThan(pirgo[head.level]! + 0.2);
    // Without the vectors both words say nothing of the field.
    expect(Math.abs(outputsOf(plain, unseen!)[medical]! - outputsOf(plain, other!)[medical]!)).toBeLessThan(0.2);
  });

  it('give nothing to words that are more frequent in other languages, nor fit prompts in those', () => {
    const foreign = [...rows, ...rows.map((each) => ({ ...each, language: 'de', prompt: 'pirgo kuchen', fields: ['medical'] as const }))];
    const with2 = hashRows(foreign, vectors);
    const from = trainText(foreign, with2);
    const options = { level: 1, field: 1, task: 0, pull: { level: 0.01, field: 0.01, task: 1 }, most: 6 };
    const result = foldVectors(from, { rows: foreign, hashed: with2, vectors }, options);
    const [pirgo, zanet, dolpik] = hashRows(
      ['pirgo', 'zanet', 'dolpik'].map((prompt) => ({ prompt, system: '' })),
      vectors,
    );
    expect(outputsOf(result, pirgo!)).toEqual(outputsOf(from, pirgo!));
    expect(outputsOf(result, zanet!)[head.level]!).toBeLessThan(outputsOf(from, zanet!)[head.level]!);
    expect(outputsOf(result, dolpik!)[medical]!).toBeGreaterThan(outputsOf(from, dolpik!)[medical]! + 0.5);
  });

  it('leave the other heads and the rows that were there as they are', () => {
    expect(outputsOf(folded, hashed[0]!).slice(0, head.field)).toEqual(outputsOf(plain, hashed[0]!).slice(0, head.field));
    expect([...plain.rows].every(([hash, place]) => folded.rows.get(hash) === place)).toBe(true);
  });
});
