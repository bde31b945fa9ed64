import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readCorpus } from './text/corpus.ts';
import { percents, scoreCounts, scoreSteps, stepOf, tierShares } from './tier-shares.ts';
import { defaultThresholds } from './types.ts';

const corpus = readCorpus(fileURLToPath(new URL('../../data/prompts', import.meta.url)));
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

it('has the score of every labelled prompt once, by its task and its domain', () => {
  const { prompts, all, tasks, domains } = scoreCounts();
  expect([prompts, sum(all)]).toEqual([corpus.length, corpus.length]);
  for (const [task, counts] of Object.entries(tasks))
    expect([task, sum(counts)]).toEqual([task, corpus.filter((row) => row.task === task).length]);
  for (const [domain, counts] of Object.entries(domains))
    expect([domain, sum(counts)]).toEqual([domain, corpus.filter(({ fields }) => fields[0] === domain).length]);
});

it('splits them by the thresholds, a margin and a score between two steps included', () => {
  const counts = new Array<number>(scoreSteps).fill(0);
  for (const score of [0.01, 0.29, 0.31, 0.59, 0.61, 0.999, 1]) counts[stepOf(score)]!++;
  const of = (simple: number, standard: number, margin = 0): string =>
    percents(
      tierShares(counts, {
        simple: { ...defaultThresholds.simple, score: simple },
        standard: { ...defaultThresholds.standard, score: standard },
        margin,
      }),
    );
  expect(of(0.3, 0.6)).toBe('29/29/43');
  expect(of(0, 1)).toBe('0/100/0');
  expect(of(0.3, 0.6, 0.02)).toBe('14/29/57');
  expect(of(0.29, 0.6)).toBe('21/36/43');
});

it('agrees with what the tiers are for: routine tasks below complex, medical and legal prompts less often simple than all', () => {
  const { all, tasks, domains } = scoreCounts();
  for (const task of ['translation', 'extraction', 'rewrite'])
    expect(tierShares(tasks[task]!, defaultThresholds).complex).toBeLessThan(0.2);
  expect(tierShares(tasks['chitchat']!, defaultThresholds).simple).toBeGreaterThan(0.6);
  for (const domain of ['medical', 'legal'])
    expect(tierShares(domains[domain]!, defaultThresholds).simple).toBeLessThan(tierShares(all, defaultThresholds).simple);
});
