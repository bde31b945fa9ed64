import { expect, it } from 'vitest';
import { readCorpus } from './corpus.ts';
import { readTextModel, textModelFile } from './file.ts';
import { rawScore, type TextVerdict } from './model.ts';
import { TextWords } from './scan.ts';
import { scoreCurve } from './training-set.ts';

const prompts = readCorpus(new URL('../../../data/prompts', import.meta.url).pathname).filter((_, at) => at % 40 === 0);
const of = ({ tasks, fields, tiers, level, score, familiarity }: TextVerdict): unknown => ({
  tasks: [...tasks],
  fields: [...fields],
  tiers: [...tiers],
  level,
  score,
  familiarity,
});

it('says the same of a prompt whatever came before it', () => {
  const model = readTextModel(textModelFile);
  const first = prompts.map(({ prompt, system }) => of(model.read(prompt, system)));
  const again = [...prompts].reverse().map(({ prompt, system }) => of(model.read(prompt, system)));
  expect(again.reverse()).toEqual(first);
  // A model that has read nothing yet, while the table of words is full of what the other one read.
  const fresh = prompts.slice(0, 8).map(({ prompt, system }) => of(readTextModel(textModelFile).read(prompt, system)));
  expect(fresh).toEqual(first.slice(0, 8));
});

it('tells words apart that take the place of one another within one prompt', () => {
  const places = new Map<number, Set<string>>();
  const text = new TextWords();
  for (const { prompt } of prompts) {
    const { words, slots } = text.read(prompt);
    // Words of a pair of slots.
    for (const [at, word] of words.entries())
      if (slots[at] !== -1) places.set(slots[at]! >> 1, (places.get(slots[at]! >> 1) ?? new Set()).add(word));
  }
  const rivals = [...places.values()].filter(({ size }) => size > 2).map((words) => [...words]);
  expect(rivals.length).toBeGreaterThan(20);
  const model = readTextModel(textModelFile);
  const other = readTextModel(textModelFile);
  for (const words of rivals) {
    const last = words.at(-1)!;
    for (const [prompt, system] of [
      [words.join(' '), ''],
      [words.slice(0, 2).join(' '), last],
    ] as const) {
      model.read(prompt, system);
      expect([last, of(model.read(last, ''))]).toEqual([last, of(other.read(last, ''))]);
    }
  }
});

it('reads texts of any kind: none, signs alone, words without end, scripts without spaces, halves of characters', () => {
  const model = readTextModel(textModelFile);
  for (const text of [
    '',
    ' \n\t',
    '```',
    '\u0000',
    'a'.repeat(100_000),
    '1'.repeat(5_000),
    '说明'.repeat(3_000),
    '\ud83d',
    'İ'.repeat(2_500),
    'x\n    y\n'.repeat(900),
  ]) {
    const { score, level, tasks } = model.read(text, text);
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(1);
    expect(level).toBeGreaterThanOrEqual(1);
    expect(tasks.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
  }
});

it('lifts what is in a delicate field and not surely simple to standard, in its order; never what is routine or surely simple', () => {
  const curve = scoreCurve(2.6);
  const [simple, standard] = curve.cuts;
  const of = (hardness: number, delicate: number, sure: number, routine = 0): number =>
    rawScore(curve, { hardness, delicate, routine, house: -20, tiers: [sure, 1 - sure, 0] });
  const lifted = [0.8, 1.2, 1.6, 2, 2.4].map((hardness) => of(hardness, 0.35, 0.4));
  for (const [at, score] of lifted.entries()) {
    expect(score).toBeGreaterThan(at === 0 ? simple : lifted[at - 1]!);
    expect(score).toBeLessThan(standard);
  }
  for (const score of [of(1.6, 0.25, 0.4), of(1.6, 0.35, 0.75), of(1.6, 0.35, 0.4, 0.3)]) expect(score).toBeLessThan(simple);
});
