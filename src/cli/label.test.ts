import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAnswer } from './label.ts';
import { sluice } from './testing/run.ts';

const shown = { tier: 'standard', task: 'writing', domain: 'general' };

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-label-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function run(args: readonly string[], stdin: string): Promise<{ code: number; out: string; said: string }> {
  const { code, stdout: out, stderr: said } = await sluice(args, { stdin });
  return { code, out, said };
}

const file = (name: string): string => join(folder, name);
const write = (rows: readonly object[]): void => writeFileSync(file('in.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
const written = (): Record<string, unknown>[] =>
  readFileSync(file('out.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const label = (...answers: readonly string[]): ReturnType<typeof run> =>
  run(['label', file('in.jsonl'), '--out', file('out.jsonl')], answers.map((answer) => `${answer}\n`).join(''));

describe('sluice label', () => {
  it('writes what is accepted and what is corrected, goes on where it stopped, and classify --check reads it', async () => {
    write([
      { prompt: 'What is 2 + 2?' },
      { id: 'b', messages: [{ role: 'user', content: 'Say\u001b[2J hi to Ann' }] },
      { prompt: 'Write a poem about rain' },
    ]);
    const first = await label('', '3 class med', 'q');
    expect(first.code).toBe(0);
    expect(first.out).not.toContain('\u001b');
    expect(first.out).toContain(`2 of 3 prompts labelled in ${file('out.jsonl')}. The classifier agrees on 1 tiers`);
    expect(written().map(({ id, expected_tier, task, domain }) => [id, expected_tier, task, domain])).toEqual([
      [1, 'simple', 'maths', 'maths'],
      ['b', 'complex', 'classification', 'medical'],
    ]);

    const second = await label('. . humanities');
    expect(second.out).toContain('--- 3 of 3');
    expect(second.out).not.toContain('--- 1 of 3');
    expect(written()).toHaveLength(3);
    expect((await label()).out).toContain('Nothing is left: 3 prompts labelled');

    const check = await run(['classify', file('out.jsonl'), '--check', '0.3'], '');
    expect([check.code, check.said]).toEqual([0, expect.stringContaining('tier: 2 of 3 right')]);
  });

  it('goes back to correct, says what it does not understand, and leaves out what is skipped', async () => {
    write([
      { id: 1, prompt: 'What is 2 + 2?' },
      { id: 2, prompt: 'Hello' },
      { id: 3, prompt: 'Write a poem about rain' },
    ]);
    const { out } = await label('1', 'b', '2', '-', 'hard', 's', '. coding', 'complex');
    expect(out).toContain('"hard" is no tier. Did you mean complex?');
    expect(out).toContain('"s" is no tier. Did you mean simple or standard?');
    expect(out).toContain('"coding" is no task. Did you mean code?');
    expect(written().map(({ id, expected_tier }) => [id, expected_tier])).toEqual([
      [1, 'standard'],
      [3, 'complex'],
    ]);
    expect((await label()).out).toContain('--- 2 of 3');
  });

  it('takes the beginnings of prompts from records, and leaves out records without', async () => {
    write([
      { level: 'info', msg: 'started' },
      { level: 'info', msg: 'exchange', record: { id: 'r0', request: { messages: 1, promptHash: 'aa', promptStart: 'Hi' } } },
      { id: 'r1', request: { messages: 1, promptHash: 'ab', promptStart: 'What is 2 + 2?' } },
      { id: 'r2', request: { messages: 1, promptHash: 'cd', promptStart: null } },
      { msg: 'mine', prompt: 'Hello' },
    ]);
    expect((await label('', '', '')).out).toContain('1 record without their prompt');
    expect(written()).toMatchObject([
      { id: 'r0', prompt: 'Hi' },
      { id: 'r1', prompt: 'What is 2 + 2?', expected_tier: 'simple' },
      { prompt: 'Hello' },
    ]);
  });

  it('refuses what it cannot read, and never overwrites a file that it did not write', async () => {
    write([
      { id: 1, prompt: 'a b' },
      { id: 1, prompt: 'c d' },
    ]);
    expect((await label()).said).toContain('in.jsonl:2');
    write([{ id: 1, prompt: 'a b' }]);
    writeFileSync(file('out.jsonl'), '{"prompt":"other"}\n');
    const { code, said } = await label('');
    expect([code, readFileSync(file('out.jsonl'), 'utf8')]).toEqual([1, '{"prompt":"other"}\n']);
    expect(said).toContain('--out');
    expect((await run(['label', '-'], '')).code).toBe(2);
  });
});

it.each([
  ['', { kind: 'labels', labels: shown }],
  ['2', { kind: 'labels', labels: { ...shown, tier: 'standard' } }],
  ['c, code, tech', { kind: 'labels', labels: { tier: 'complex', task: 'code', domain: 'technology' } }],
  ['. . LEGAL', { kind: 'labels', labels: { ...shown, domain: 'legal' } }],
  ['b', { kind: 'back' }],
  ['-', { kind: 'skip' }],
  ['q', { kind: 'quit' }],
])('reads the answer %j', (line, answer) => {
  expect(readAnswer(line, shown)).toEqual(answer);
});
