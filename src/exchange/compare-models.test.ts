import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { decideRequest } from '../cli/decide-request.ts';
import { explainRecord } from '../route/explain.ts';
import type { ExchangeRecord } from '../record/types.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-models-'));
afterAll(() => rmSync(folder, { recursive: true }));

const policy = (models: string): string => `version: 1
defaults:
  tiers: []
  models:
    for: [gpt-4o]
${models}
`;

async function decided(models: string, prompt: string, more: object = {}): Promise<ExchangeRecord> {
  const file = join(folder, 'policy.yaml');
  const request = join(folder, 'request.json');
  writeFileSync(file, policy(models));
  writeFileSync(request, JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: prompt }], ...more }));
  return decideRequest({ policy: file, request, path: '/v1/chat/completions', host: 'api.openai.com', header: [] });
}

/** Written for this test, of the kind that public rows of grade school sums are. */
const sum =
  'Maria has 14 boxes of pencils. Each box holds 12 pencils. She gives 30 pencils to her brother and sells half of the rest for $2 each. How many dollars does she make?';
const cheapest = '    list: [openai/gpt-4o-mini, openai/gpt-3.5-turbo-0125]\n    maxQualityLoss: 8%';

test('a kind of work that public outcomes know goes to the cheapest model within the promise', async () => {
  const record = await decided(cheapest, sum);
  expect([record.servedModel, record.decision?.reason]).toEqual(['gpt-4o-mini', 'models']);
  expect(record.decision?.models?.candidates.map(({ model, usable }) => [model, usable])).toEqual([
    ['openai/gpt-4o-mini', true],
    ['openai/gpt-3.5-turbo-0125', true],
  ]);
  expect(explainRecord(record)).toContain('the cheapest within 8.0% loss; too little traffic for a price of quality');
});

test('a promise that none keeps keeps the requested model', async () => {
  const record = await decided(cheapest.replace('8%', '0.1%'), sum);
  expect([record.servedModel, record.decision?.reason]).toEqual(['gpt-4o', 'kept-models']);
});

test('work that public outcomes do not know is left to the next step', async () => {
  const record = await decided(cheapest, 'Write a short poem for the birthday of my aunt, who keeps bees.');
  expect([record.servedModel, record.decision?.reason]).toEqual(['gpt-4o', 'kept-tier-not-routed']);
  expect(record.decision?.models?.candidates.some(({ usable }) => usable)).toBe(false);
});

test('conversations and tools are not the single questions that public rows are', async () => {
  const turns = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello!' },
    { role: 'user', content: sum },
  ];
  expect((await decided(cheapest, sum, { messages: turns })).decision?.reason).toBe('kept-tier-not-routed');
});

test('a price of a point weighs quality against cost', async () => {
  const list = '    list: [openai/gpt-4o-mini, openai/gpt-3.5-turbo-0125]\n';
  expect((await decided(`${list}    usdPerPoint: 0.0000001`, sum)).servedModel).toBe('gpt-4o-mini');
  expect((await decided(`${list}    usdPerPoint: 10`, sum)).decision?.reason).toBe('kept-models');
});

test('without a list the candidates of the tier are compared, and one objective is said', async () => {
  const tiers =
    '    maxQualityLoss: 8%\n  candidates: { simple: [openai/gpt-4o-mini], standard: [openai/gpt-4o-mini], complex: [openai/gpt-4o-mini] }';
  expect((await decided(tiers, sum)).decision?.reason).toBe('models');
  await expect(decided(`${cheapest}\n    maxCost: 40%`, sum)).rejects.toThrow(/exactly one of maxQualityLoss, maxCost, usdPerPoint/);
});
