import { expect, it } from 'vitest';
import { importList } from './changes.ts';
import { importLiteLLM } from './import.ts';
import { rowsPerThousand } from './per-thousand.ts';

const file = {
  openai: {
    'gpt-x': {
      input_cost_per_1k_tokens: 0.00125,
      output_cost_per_1k_tokens: 0.01,
      cached_input_cost_per_1k_tokens: 0.000125,
      max_input_tokens: 128_000,
    },
  },
  anthropic: { 'claude-y': { input_cost_per_1k_tokens: 0.003, output_cost_per_1k_tokens: 0.015 } },
  google: { 'gemini-z': { input_cost_per_1k_tokens: 0.0003, output_cost_per_1k_tokens: 'free' } },
  nobody: { m: { input_cost_per_1k_tokens: 1, output_cost_per_1k_tokens: 1 } },
};

it('prices for a thousand tokens are read as prices for a million, exactly', () => {
  const { entries, skipped, problems } = importLiteLLM(file);
  expect(
    entries.map(({ provider, model, mode, prices: { input, output, cachedRead }, contextWindow }) => [
      provider,
      model,
      mode,
      input,
      output,
      cachedRead,
      contextWindow,
    ]),
  ).toEqual([
    ['anthropic', 'claude-y', 'chat', 3, 15, null, null],
    ['google', 'gemini-z', 'chat', 0.3, null, null, null],
    ['openai', 'gpt-x', 'chat', 1.25, 10, 0.125, 128_000],
  ]);
  expect(skipped).toBe(1);
  expect(problems).toEqual([{ provider: 'google', model: 'gemini-z', field: 'output_cost_per_token', problem: 'not-a-price' }]);
});

it('other files are left to others', () => {
  for (const other of [
    null,
    [],
    'x',
    {},
    { 'gpt-x': { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 1e-6 } },
    { openai: 1 },
  ])
    expect(rowsPerThousand(other)).toBeNull();
});

it('such a file changes the prices that it states, and leaves all else that is known', () => {
  const options = { date: '2026-02-03', source: 'a file', accepts: () => true, acceptLoss: false };
  const base = importList(
    { source: 's', version: 'v', date: '2026-01-01', models: [] },
    {
      'gpt-x': {
        litellm_provider: 'openai',
        mode: 'chat',
        input_cost_per_token: 1e-6,
        output_cost_per_token: 2e-6,
        max_input_tokens: 1_000,
        supports_vision: true,
      },
      'gpt-old': { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 },
    },
    options,
  ).file;
  const { file: after, report } = importList(base, { openai: { 'gpt-x': { input_cost_per_1k_tokens: 0.002 } } }, options);
  expect(
    after.models.map(({ model, prices: { input, output }, contextWindow, capabilities: { vision } }) => [
      model,
      input,
      output,
      contextWindow,
      vision,
    ]),
  ).toEqual([
    ['gpt-old', 1, 2, null, null],
    ['gpt-x', 2, 2, 1_000, true],
  ]);
  expect(report).toMatchObject({ removed: [], changed: [{ model: 'gpt-x', field: 'input', from: 1, to: 2 }] });
});
