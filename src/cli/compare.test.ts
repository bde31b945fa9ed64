import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { PolicyFigures } from '../replay/comparison.ts';
import { sluice } from './testing/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const prompts = file(
  'prompts.jsonl',
  ['What is a CDN?', 'What is a CDN?', 'Translate to French: good morning', 'Thanks!']
    .map((prompt) => JSON.stringify({ prompt }))
    .join('\n'),
);
const cheap = file(
  'cheap.yaml',
  'version: 1\ndefaults:\n  candidates: { simple: [gpt-5-nano], standard: [gpt-5-nano], complex: [gpt-5-nano] }\n  fallback: { escalate: true, tiers: { simple: [gpt-5-mini], standard: [gpt-5-mini], complex: [gpt-5-mini] } }\n  cache: { mode: on }\n',
);
const naive = file('naive.yaml', 'version: 1\ndefaults: { tiers: [] }\n');

async function compare(...args: string[]): Promise<readonly PolicyFigures[]> {
  return (JSON.parse((await sluice(['compare', '--json', ...args])).stdout) as { policies: readonly PolicyFigures[] }).policies;
}

test('puts the same prompts to several policies: models, savings, exact repeats, chains', async () => {
  const [kept, moved] = await compare(naive, cheap, '--on', prompts);
  expect(kept).toMatchObject({
    name: 'naive.yaml',
    requests: 4,
    moved: 0,
    cached: 0,
    models: [['openai/gpt-5.1', 4]],
    savings: { sum: 0 },
  });
  expect(moved).toMatchObject({ requests: 4, moved: 3, cached: 1, chained: 3, models: [['openai/gpt-5-nano', 3]], lossKnown: 0 });
  expect(moved!.costUsd).toBeLessThan(0.2 * kept!.costUsd);
  expect(moved!.baselineUsd).toBe(kept!.baselineUsd);
});

test('prices recorded requests by the tokens that they used, and counts failures that have another target', async () => {
  const record = (id: string, outcome: string): object => ({
    kind: 'decision',
    id,
    time: '2026-11-01T10:00:00.000Z',
    workspace: 'default',
    user: null,
    provider: 'openai',
    api: 'openai-chat',
    operation: 'generate',
    stream: false,
    requestedModel: 'gpt-5.1',
    servedModel: 'gpt-5.1',
    outcome,
    request: {
      bytes: 100,
      promptHash: id,
      promptStart: null,
      estimatedTokens: 20,
      messages: 1,
      tools: 0,
      images: 0,
      asks: {
        userTurns: 1,
        userUnits: 40,
        audioInputs: 0,
        audioOutput: false,
        files: 0,
        jsonOutput: 'none',
        maxOutputTokens: null,
        answers: 1,
        reasoning: null,
      },
    },
    caller: { userTier: null, quality: null, task: null },
    verdict: {
      tier: 'simple',
      score: 0.1,
      confidence: 0.9,
      unsure: false,
      task: 'question',
      domain: 'general',
      language: 'en',
      signals: [],
    },
    decision: { reason: 'kept-tier-not-routed', candidates: [] },
    usage: {
      input: 1_000_000,
      cachedRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
      output: 0,
      reasoning: 0,
      audioInput: 0,
      audioOutput: 0,
      totalInput: 1_000_000,
      totalOutput: 0,
    },
  });
  const log = file('records.jsonl', [record('a', 'complete'), record('b', 'provider-error')].map((one) => JSON.stringify(one)).join('\n'));
  const [kept, moved] = await compare(naive, cheap, '--on', log);
  expect(kept).toMatchObject({ requests: 2, moved: 0, failed: 1, rescued: 0 });
  expect(moved).toMatchObject({ requests: 2, moved: 2, failed: 1, rescued: 1 });
  expect(kept!.costUsd).toBeCloseTo(2 * 1.25, 6);
  expect(moved!.costUsd).toBeCloseTo(2 * 0.05, 6);
});

test('prints the classic ladder, every step with its policy', async () => {
  const { stdout } = await sluice(['compare', '--strategies', '--on', prompts]);
  for (const name of ['naive', 'token-based', 'tiers', 'learned', 'with fallback', 'segmented with cache']) expect(stdout).toContain(name);
  expect(stdout).toContain('costs are estimates');
});

test('refuses a row without a prompt, and no policy at all', async () => {
  const bad = file('bad.jsonl', '{"prompt":"Hi"}\n{"text":"Hi"}\n');
  expect(await sluice(['compare', naive, '--on', bad])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('bad.jsonl:2') as string,
  });
  expect(await sluice(['compare', '--on', prompts])).toMatchObject({ code: 2 });
});
