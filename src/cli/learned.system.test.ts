import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sluice, type CommandResult } from './testing/run.ts';

let folder: string;
let data: string;
let model: string;
let trainOutput: string;

const labelled = Array.from({ length: 160 }, (_, at) => ({
  id: `row-${at}`,
  prompt:
    at % 2 === 0
      ? `Compute ${at} times ${at + 3} and explain each step.`
      : `What colour is the ${['sky', 'sea', 'grass', 'snow'][at % 4]!} in picture ${at}?`,
  weak_score: at % 2 === 0 ? (at % 8 === 0 ? 1 : 0) : 1,
  strong_score: 1,
  source: at % 2 === 0 ? 'sums' : 'colours',
  task: `task-${at % 8}`,
  licence: 'CC0-1.0',
}));

const command = (...args: string[]): Promise<CommandResult> => sluice(args);
const scoreStdin = (stdin: string): Promise<CommandResult> => sluice(['score', '--model', model], { stdin });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-train-'));
  data = join(folder, 'rows.jsonl.gz');
  model = join(folder, 'router.model');
  writeFileSync(data, gzipSync(labelled.map((row) => JSON.stringify(row)).join('\n')));
  const { code, stdout, stderr } = await command(
    'train',
    data,
    '--out',
    model,
    '--folds',
    '2',
    '--test',
    data,
    '--html',
    join(folder, 'report.html'),
  );
  expect(stderr).toContain('cross-validation by group: fold 2 of 2');
  expect(code).toBe(0);
  trainOutput = stdout;
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('train', () => {
  test('reports every router, every source and other gaps, as text and as one HTML page', () => {
    for (const name of ['this router', 'longer is harder', 'keyword rule', 'random', 'oracle', 'sums', 'colours', 'gap'])
      expect(trainOutput).toContain(`| ${name} |`);
    expect(trainOutput).toContain('Tasks that were left out');
    expect(trainOutput).toContain('Sources that were left out');
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    expect(html.match(/<svg/g)).toHaveLength(12);
    expect(html).toContain('CC0-1.0');
    expect(html).not.toMatch(/<script|(?:src|href)=/);
  });

  test('says where rows do not fit, and refuses too few', async () => {
    const bad = join(folder, 'bad.jsonl');
    writeFileSync(bad, `${JSON.stringify(labelled[0])}\n{"prompt":"x","weak_score":2,"strong_score":1}\n`);
    expect(await command('train', bad)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`SLUICE_ROWS_INVALID ${bad}:2: weak_score`) as string,
    });
    const few = join(folder, 'few.jsonl');
    writeFileSync(few, JSON.stringify(labelled[0]));
    expect(await command('train', few)).toMatchObject({ code: 1, stderr: expect.stringContaining('too few to learn from') as string });
    expect((await command('train', data, '--seed', 'x')).code).toBe(2);
    expect((await command('train')).code).toBe(2);
    expect((await command('train', data, '--from-ledger')).code).toBe(2);
    expect((await command('train', data, '--window', '1d')).code).toBe(2);
  });
});

describe('score', () => {
  test('writes one line a row, in order, with the id as it came', async () => {
    const { code, stdout } = await scoreStdin(
      `${JSON.stringify({ id: 7, prompt: labelled[0]!.prompt })}\r\n\n${JSON.stringify({ prompt: labelled[1]!.prompt })}\n${JSON.stringify({ id: 'ü', prompt: '' })}`,
    );
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: unknown; gain: number; uncertainty: number; abstain: boolean });
    expect(lines.map(({ id }) => id)).toEqual([7, 3, 'ü']);
    for (const line of lines) expect(Object.keys(line)).toEqual(['id', 'gain', 'uncertainty', 'abstain']);
    expect(lines[0]!.gain).toBeGreaterThan(lines[1]!.gain);
    expect(lines[2]!.abstain).toBe(true);
  });

  test('stops at a line that is no row, and names it', async () => {
    const { code, stderr } = await scoreStdin('{"prompt":"a"}\n{"text":"b"}\n');
    expect(code).toBe(1);
    expect(stderr).toContain('SLUICE_ROWS_INVALID stdin:2: prompt');
    expect(await command('score', '--model', data, data)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('SLUICE_MODEL_INVALID') as string,
    });
    expect(await command('score', '--model', model, join(folder, 'none.jsonl'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('SLUICE_FILE_UNREADABLE') as string,
    });
  });

  test('reads a gzipped file and explains', async () => {
    const { stdout } = await command('score', data, '--model', model, '--explain');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(labelled.length);
    expect(JSON.parse(lines[0]!)).toMatchObject({ id: 'row-0', influences: expect.arrayContaining([]) as unknown[] });
  });
});

describe('evaluate', () => {
  test('says of scores what it says of the model that made them', async () => {
    const scores = join(folder, 'scores.jsonl');
    writeFileSync(scores, (await command('score', data, '--model', model)).stdout);
    const [byModel, byScores] = await Promise.all([
      command('evaluate', data, '--model', model, '--json'),
      command('evaluate', data, '--scores', scores, '--json'),
    ]);
    const figures = ({ stdout }: { stdout: string }): object => (JSON.parse(stdout) as { sources: object }).sources;
    expect(figures(byScores)).toEqual(figures(byModel));
    expect((await command('evaluate', data, '--model', model, '--threshold-from', data, '--loss', '0.01')).stdout).toMatch(
      /Threshold -?\d\.\d{4}: \d+\.\d% on the weak model/,
    );
  });

  test('refuses rows without a score, and both a model and scores', async () => {
    const scores = join(folder, 'one.jsonl');
    writeFileSync(scores, '{"id":"row-0","gain":0.5}\n');
    expect(await command('evaluate', data, '--scores', scores)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no score for the row row-1') as string,
    });
    expect((await command('evaluate', data, '--scores', scores, '--model', model)).code).toBe(2);
  });
});

test('simulate-learning streams rows of several models, and names what has no price', async () => {
  const rows = join(folder, 'outcomes.jsonl');
  const row = (at: number): object => ({
    id: `r${at}`,
    dataset: at % 2 === 0 ? 'sums' : 'colours',
    prompt: labelled[at % labelled.length]!.prompt,
    scores: { 'gpt-4o-2024-08-06': 1, 'gpt-4o-mini-2024-07-18': at % 2 === 0 ? 1 : 0, 'made-up': 1 },
    output_chars: { 'gpt-4o-2024-08-06': 400, 'gpt-4o-mini-2024-07-18': 400, 'made-up': 4 },
  });
  writeFileSync(rows, Array.from({ length: 120 }, (_, at) => JSON.stringify(row(at))).join('\n'));
  const { code, stdout } = await command(
    'simulate-learning',
    rows,
    '--leave-out',
    'group',
    '--seeds',
    '1',
    '--requests',
    '1000',
    '--warmup',
    '500',
  );
  expect(code).toBe(0);
  expect(stdout).toContain('always gpt-4o-2024-08-06 = 100% cost');
  expect(stdout).toContain('Left out (no price, or thoughts that the rows do not count): made-up.');
  expect(stdout).toContain('Output tokens: fewer than 220 answers of any data set and model.');
  expect(stdout).toMatch(/2 models, public outcomes alone \| \d+\.\d% .*(yes|no) \|/);
  expect(await command('simulate-learning', rows, '--requested', 'made-up')).toMatchObject({ code: 2 });
});
