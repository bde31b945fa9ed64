import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseBatch, promptKey, readCorpus, readSecond, withOpinions } from './corpus.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'data', 'prompts');

describe('the labelled prompts', () => {
  const corpus = readCorpus(folder);
  const second = readSecond(folder);

  it('are all readable, in 18 languages, none twice in a language', () => {
    expect(new Set(corpus.map(({ language }) => language)).size).toBe(18);
    const keys = corpus.map((row) => `${row.language} ${promptKey(row)}`);
    expect(keys.length - new Set(keys).size).toBe(0);
  });

  it('have second labels, all of them, each for a prompt that is there', () => {
    const keys = new Set(corpus.map(promptKey));
    expect([...second.keys()].filter((key) => !keys.has(key))).toEqual([]);
    expect(second.size).toBe(keys.size);
  });

  it('are agreed on by both readers as often as the README of the prompts says', () => {
    const both = corpus.flatMap((row) => (second.has(promptKey(row)) ? [[row, second.get(promptKey(row))!] as const] : []));
    const share = (same: (pair: (typeof both)[number]) => boolean, of = both): number =>
      Math.round((100 * of.filter(same).length) / of.length);
    expect({
      task: share(([a, b]) => a.task === b.task),
      field: share(([a, b]) => a.fields[0] === b.fields[0]),
      level: share(([a, b]) => a.level === b.level),
      levelWithinOne: share(([a, b]) => Math.abs(a.level - b.level) <= 1),
      tier: share(
        ([a, b]) => a.tier === b.tier,
        both.filter(([{ tier }]) => tier !== null),
      ),
    }).toEqual({ task: 94, field: 82, level: 70, levelWithinOne: 99, tier: 83 });
  });
});

describe('two opinions', () => {
  it('train as two rows of about half the weight, with the mean level on one of them', () => {
    const [row] = parseBatch('# who\n@ writing|general|2|s\nA toast for my aunt', 'a', 'en');
    const { rows, at } = withOpinions(
      [row!],
      new Map([[promptKey(row!), { task: 'brainstorming', fields: ['culture'], level: 3, tier: 1 }]]),
    );
    expect(rows).toMatchObject([
      { task: 'writing', fields: ['general'], level: 2.5, tier: 0, weight: 0.6 },
      { task: 'brainstorming', fields: ['culture'], level: null, tier: 1, weight: 0.6 },
    ]);
    expect(at).toEqual([0, 0]);
    expect(withOpinions([row!], new Map()).rows).toEqual([row]);
  });
});
