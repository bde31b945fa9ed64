import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readExchange, recogniseByPath } from '../../apis/index.ts';
import type { ParsedRequest } from '../../apis/types.ts';
import { classifyRequest } from '../index.ts';
import { defaultThresholds, type Verdict } from '../types.ts';
import { readCorpus } from './corpus.ts';
import { Examples, type LabelledExample } from './examples.ts';
import { textModel } from './file.ts';
import { Teaching } from './teaching.ts';

function exchangeOf(prompt: string, system = ''): ParsedRequest {
  const messages = [...(system === '' ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt }];
  const bytes = Buffer.from(JSON.stringify({ model: 'any', messages }));
  const recognition = recogniseByPath({
    method: 'POST',
    path: '/v1/chat/completions',
    authority: '',
    contentType: 'application/json',
    contentEncoding: '',
    contentLength: bytes.length,
    upgrade: false,
  });
  const read = recognition.kind === 'readable' ? readExchange(recognition, bytes) : null;
  if (read?.ok !== true) throw new Error('unreadable');
  return read.exchange;
}

const taught = (...examples: LabelledExample[]): Teaching => new Teaching(textModel(), [new Examples(textModel(), examples)]);
const seen = ({ signals }: Verdict): string[] => signals.filter(({ name }) => name.startsWith('example ')).map(({ name }) => name);

/** Labels that contradict what the model says, so that only the example can bring them. */
const corpus = readCorpus(fileURLToPath(new URL('../../../data/prompts', import.meta.url)));
const other = { code: 'chitchat', chitchat: 'planning' } as const;

describe('examples of a team', () => {
  it('give every example its own labels, whatever the model says, in every language', () => {
    const rows = corpus.filter((_row, at) => at % 401 === 0);
    const tiers = ['simple', 'standard', 'complex'] as const;
    const examples = rows.map(({ prompt }, at) => {
      const { task, tier } = classifyRequest(exchangeOf(prompt));
      return {
        name: `e${at}`,
        prompt,
        task: task === 'code' ? other.code : other.chitchat,
        domain: 'legal',
        tier: tiers[(tiers.indexOf(tier) + 1 + (at % 2)) % 3]!,
        level: 4,
      } as const;
    });
    expect(new Set(rows.map(({ language }) => language)).size).toBeGreaterThan(10);
    const list = taught(...examples);
    for (const margin of [0, 0.05]) {
      for (const { prompt, name, task, domain, tier, level } of examples) {
        const verdict = classifyRequest(exchangeOf(prompt, 'You are a helpful assistant.'), {
          taught: list,
          thresholds: { ...defaultThresholds, margin },
        });
        expect([verdict.task, verdict.domain, verdict.tier, seen(verdict)[0], verdict.level]).toEqual([
          task,
          domain,
          tier,
          `example ${name}`,
          level,
        ]);
      }
    }
  });

  it('move near prompts in proportion to their likeness, and far ones not at all', () => {
    const list = taught({
      name: 'soap',
      prompt: 'Write a SOAP note for a patient with chest pain',
      domain: 'medical',
      task: 'extraction',
      tier: 'complex',
    });
    const of = (prompt: string): Verdict => classifyRequest(exchangeOf(prompt), { taught: list });
    const plain = (prompt: string): Verdict => classifyRequest(exchangeOf(prompt));
    const near = 'Write a SOAP note for a patient with stomach pain';
    expect([of(near).task, of(near).domain, of(near).tier]).toEqual(['extraction', 'medical', 'complex']);
    const shareOf = (prompt: string): number => {
      const verdict = of(prompt);
      return (verdict.tasks?.extraction ?? 0) - (plain(prompt).tasks?.extraction ?? 0);
    };
    const less = 'Draft a SOAP note for somebody with back pain since two weeks';
    expect(seen(of(less))).toEqual(['example soap']);
    expect(shareOf(less)).toBeLessThan(shareOf(near));
    for (const far of ['Write a card for a neighbour with a new baby', 'Which soap is best for wool?', 'Hi', ''])
      expect(of(far)).toEqual(plain(far));
  });

  it('take of each label the nearest example that says it, and show each that moved something', () => {
    const list = taught(
      { name: 'a', prompt: 'What should the weekly Falcon report show?', task: 'planning' },
      { name: 'b', prompt: 'What should the weekly Falcon report show to the board?', tier: 'complex', task: 'writing' },
    );
    const verdict = classifyRequest(exchangeOf('What should the weekly Falcon report show?'), { taught: list });
    expect([verdict.task, verdict.tier, seen(verdict)]).toEqual(['planning', 'complex', ['example a', 'example b']]);
    const shares = verdict.signals.reduce((sum, { share }) => sum + share, 0);
    expect(verdict.score).toBeCloseTo(shares, 3);
  });

  it('move whatever stands around the ask, and forget the last prompt', () => {
    const list = taught({ name: 'ticket', prompt: 'Sort this ticket into our five queues.', task: 'classification', tier: 'simple' });
    const material = 'Printer on floor three shows error E52 since the update. '.repeat(20);
    expect(classifyRequest(exchangeOf(`Sort this ticket into our five queues.\n\n${material}\n\nThanks`), { taught: list }).task).toBe(
      'classification',
    );
    expect(seen(classifyRequest(exchangeOf('Prove that there are infinitely many primes.'), { taught: list }))).toEqual([]);
  });

  it('change few unrelated prompts of the corpus: five of one class at most one in 250 of the other classes', () => {
    const far = corpus.filter((_row, at) => at % 11 === 5).map((row) => ({ row, exchange: exchangeOf(row.prompt) }));
    const plain = far.map(({ exchange }) => classifyRequest(exchange));
    for (const task of ['translation', 'code', 'writing', 'question'] as const) {
      const five = corpus
        .filter((row, at) => row.task === task && row.language === 'en' && at % 11 === 3)
        .filter((_row, at, all) => at % Math.floor(all.length / 5) === 0)
        .slice(0, 5);
      const list = taught(
        ...five.map(
          ({ prompt }, at) => ({ name: `e${at}`, prompt, task: 'chitchat', domain: 'humanities', tier: 'complex', level: 5 }) as const,
        ),
      );
      let rows = 0;
      let changed = 0;
      for (const [at, { row, exchange }] of far.entries()) {
        if (row.task === task) continue;
        rows++;
        const verdict = classifyRequest(exchange, { taught: list });
        if (JSON.stringify(verdict) !== JSON.stringify(plain[at])) changed++;
      }
      expect(five).toHaveLength(5);
      expect(rows).toBeGreaterThan(1_000);
      expect(changed / rows, task).toBeLessThan(0.004);
    }
  });
});
