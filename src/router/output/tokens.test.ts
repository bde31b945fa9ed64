import { expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { seeded } from '../training/random.ts';
import { OutputTokens, type OutputKey } from './tokens.ts';

const key = (template: string, units = 400, kind = 'question'): OutputKey => ({ template, kind, units });

/** Answers around `typical` tokens, a factor of about 1.4 either way. */
function learn(book: OutputTokens, model: string, at: OutputKey, typical: number, count: number, seed = 1, reasoning = 0): void {
  const random = seeded(seed);
  for (let i = 0; i < count; i++) book.observe(model, at, 300, typical * Math.exp(0.7 * (random() - 0.5)), reasoning);
}

it('knows nothing of a model before its first answer, and then what its templates take', () => {
  const book = new OutputTokens();
  expect(book.expected('p/a', key('t'), 300)).toBeNull();
  learn(book, 'p/a', key('short'), 20, 200);
  learn(book, 'p/a', key('long'), 1_500, 200, 2);
  learn(book, 'p/b', key('short'), 900, 200, 3, 600);
  const tokens = (model: string, template: string): number => book.expected(model, key(template), 300)!.tokens;
  expect(tokens('p/a', 'short')).toBeGreaterThan(15);
  expect(tokens('p/a', 'short')).toBeLessThan(28);
  expect(tokens('p/a', 'long')).toBeGreaterThan(1_200);
  expect(tokens('p/a', 'long')).toBeLessThan(2_000);
  expect(tokens('p/b', 'short')).toBeGreaterThan(700);
  expect(book.expected('p/b', key('short'), 300)!.reasoning).toBeGreaterThan(0.5);
  expect(book.expected('p/a', key('short'), 300)!.reasoning).toBe(0);
  // A new template of the same kind starts from that model's others.
  expect(tokens('p/b', 'new')).toBeGreaterThan(500);
  expect(book.expected('p/b', key('new'), 300)!.answers).toBe(0);
});

it('uses the length of the text where the answer follows it, and ignores it where it does not', () => {
  const book = new OutputTokens();
  const random = seeded(4);
  for (let i = 0; i < 300; i++) {
    const units = 100 + Math.floor(random() * 8_000);
    book.observe('p/a', key('echo', units), 300, Math.max(1, units / 4), 0);
    book.observe('p/a', key('label', units), 300, 10 + Math.floor(5 * random()), 0);
  }
  const at = (template: string, units: number): number => book.expected('p/a', key(template, units), 300)!.tokens;
  for (const units of [400, 2_000, 6_000]) {
    expect(at('echo', units) / (units / 4)).toBeGreaterThan(0.6);
    expect(at('echo', units) / (units / 4)).toBeLessThan(1.6);
    expect(at('label', units)).toBeGreaterThan(8);
    expect(at('label', units)).toBeLessThan(20);
  }
});

it('follows a change, and stays bounded', () => {
  const book = new OutputTokens();
  learn(book, 'p/a', key('t'), 100, 2_000);
  learn(book, 'p/a', key('t'), 1_000, 2_000, 2);
  expect(book.expected('p/a', key('t'), 300)!.tokens).toBeGreaterThan(800);
  for (let i = 0; i < limits.outputLevels + 50; i++) book.observe('p/a', key(`t${i}`), 300, 100, 0);
  expect(book.size).toBe(limits.outputLevels);
});
