import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importLiteLLM, perMillion } from './import.ts';
import { catalogSchema } from './schema.ts';
import { smallList } from './testing/list.ts';

function one(row: Record<string, unknown>) {
  const { entries, problems } = importLiteLLM({ m: { litellm_provider: 'anthropic', mode: 'chat', ...row } });
  return { entry: entries[0]!, problems };
}

describe('price conversion', () => {
  it.each([
    [1.25e-6, 1.25],
    [1.5e-7, 0.15],
    [6.25e-8, 0.0625],
    [2.8e-8, 0.028],
    [3e-9, 0.003],
    [0.00003, 30],
    [0, 0],
    [0.0375, 37500],
  ])('%d dollars a token are exactly %d dollars a million', (perToken, expected) => {
    expect(perMillion(perToken)).toBe(expected);
  });

  it('moves the decimal point of any price, without binary dust', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999 }), fc.integer({ min: -14, max: -8 }), (digits, exponent) => {
        const price = perMillion(Number(`${digits}e${exponent}`));
        expect(price).toBe(Number(`${digits}e${exponent + 6}`));
      }),
    );
  });

  it.each([[undefined], [null], ['0.1'], [Number.NaN], [Number.POSITIVE_INFINITY], [-1e-6], [true], [0.2]])(
    'takes %s for no price',
    (value) => {
      expect(perMillion(value)).toBeNull();
    },
  );
});

describe('reading a price list', () => {
  const { entries, skipped, problems } = importLiteLLM(smallList());
  const entry = (id: string) => entries.find(({ provider, model }) => `${provider}/${model}` === id);

  it('takes models of known providers and kinds, sorted, and counts the rest', () => {
    expect(entries.map(({ provider, model }) => `${provider}/${model}`)).toEqual([
      'amazon/some.model-v1:0',
      'anthropic/anthropic-y',
      'google/gemini-z',
      'openai/gpt-x',
      'openai/text-embedding-w',
    ]);
    expect(skipped).toBe(4);
    expect(problems).toEqual([]);
  });

  it('reads every price class, and leaves null what is not stated', () => {
    expect(entry('openai/gpt-x')!.prices).toEqual({
      input: 1.25,
      output: 10,
      cachedRead: 0.125,
      cacheWrite5m: null,
      cacheWrite1h: null,
      reasoning: null,
      audioInput: 40,
      audioOutput: 80,
      batchInput: 0.625,
      batchOutput: 5,
      imageInput: 0.0025,
      imageOutput: null,
      services: [
        {
          tier: 'batch',
          input: 0.625,
          output: 5,
          cachedRead: null,
          cacheWrite5m: null,
          cacheWrite1h: null,
          reasoning: null,
          audioInput: null,
          audioOutput: null,
        },
      ],
      tiers: [],
    });
    expect(entry('openai/text-embedding-w')!.prices.output).toBe(0);
  });

  it('reads cache writes and long-context tiers, in ascending order', () => {
    const { prices } = entry('anthropic/anthropic-y')!;
    expect(prices).toMatchObject({ cacheWrite5m: 3.75, cacheWrite1h: 6 });
    expect(prices.tiers).toEqual([
      {
        aboveTokens: 200000,
        input: 6,
        output: 22.5,
        cachedRead: 0.6,
        cacheWrite5m: 7.5,
        cacheWrite1h: 12,
        reasoning: null,
        audioInput: null,
        audioOutput: null,
      },
    ]);
    expect(entry('google/gemini-z')!.prices.tiers.map(({ aboveTokens, input }) => [aboveTokens, input])).toEqual([
      [128000, 0.3],
      [200000, 0.6],
    ]);
  });

  it('takes Anthropic’s long-context prices from Vertex AI where its own row has none and the same base prices', () => {
    const row = { mode: 'chat', input_cost_per_token: 3e-6, output_cost_per_token: 15e-6 };
    const long = { input_cost_per_token_above_200k_tokens: 6e-6, output_cost_per_token_above_200k_tokens: 22.5e-6 };
    const { entries } = importLiteLLM({
      'claude-x': { ...row, litellm_provider: 'anthropic' },
      'claude-x-20250929': { ...row, litellm_provider: 'anthropic' },
      'claude-dear': { ...row, litellm_provider: 'anthropic', output_cost_per_token: 20e-6 },
      'claude-none': { ...row, litellm_provider: 'anthropic' },
      'vertex_ai/claude-x': { ...row, ...long, litellm_provider: 'vertex_ai-anthropic_models' },
      'vertex_ai/claude-dear': { ...row, ...long, litellm_provider: 'vertex_ai-anthropic_models' },
    });
    expect(
      entries.map(({ model, prices }) => [model, prices.tiers.map(({ aboveTokens, input, output }) => [aboveTokens, input, output])]),
    ).toEqual([
      ['claude-dear', []],
      ['claude-none', []],
      ['claude-x', [[200_000, 6, 22.5]]],
      ['claude-x-20250929', [[200_000, 6, 22.5]]],
    ]);
  });

  it('reads what is billed beside the tokens, what multiplies them, and the tiers of service tiers', () => {
    const { prices } = one({
      input_cost_per_token: 1e-6,
      input_cost_per_token_above_200k_tokens: 2e-6,
      input_cost_per_token_flex: 5e-7,
      input_cost_per_token_above_200k_tokens_flex: 1e-6,
      cache_read_input_audio_token_cost: 3e-7,
      output_cost_per_image_token: 3e-5,
      search_context_cost_per_query: { search_context_size_low: 0.01, search_context_size_high: 0.01 },
      provider_specific_entry: { us: 1.1, fast: 2, odd: 3 },
    }).entry;
    expect(prices).toMatchObject({
      cachedAudio: 0.3,
      imageTokenOutput: 30,
      fees: { webSearch: 0.01 },
      uplifts: { us: 1.1, fast: 2 },
      services: [{ tier: 'flex', input: 0.5, tiers: [{ aboveTokens: 200_000, input: 1 }] }],
    });
    expect(prices.tiers).toMatchObject([{ aboveTokens: 200_000, input: 2 }]);
    expect(
      one({ search_context_cost_per_query: { low: 0.01, high: 0.02 }, provider_specific_entry: { us: 0.5 } }).entry.prices,
    ).not.toHaveProperty('fees');
    const { entries } = importLiteLLM({
      'gemini/g': { litellm_provider: 'gemini', mode: 'chat', search_context_cost_per_query: { low: 0.035 } },
      'vertex_ai/g': { litellm_provider: 'vertex_ai-language-models', mode: 'chat', regional_endpoint_uplift_multiplier: 1.1 },
      'rerank-x': { litellm_provider: 'cohere', mode: 'rerank', input_cost_per_query: 0.002 },
      'whisper-x': { litellm_provider: 'openai', mode: 'audio_transcription', input_cost_per_second: 0.0001 },
      'gpt-x': { litellm_provider: 'openai', mode: 'chat', regional_processing_uplift_multiplier_eu: 1.1 },
    });
    // Some of Google's searches are free, so their number gives no price.
    expect(entries.map(({ model, prices: { fees, uplifts } }) => [model, fees, uplifts])).toEqual([
      ['rerank-x', { searchUnit: 0.002 }, undefined],
      ['g', undefined, { vertex: 1.1 }],
      ['gpt-x', undefined, { eu: 1.1 }],
      ['whisper-x', { second: 0.0001 }, undefined],
    ]);
  });

  it('reads capabilities as true, false or not stated', () => {
    expect(entry('openai/gpt-x')!.capabilities).toEqual({
      vision: true,
      tools: true,
      jsonObject: true,
      jsonSchema: true,
      audioInput: false,
      audioOutput: null,
      files: false,
      reasoning: null,
    });
    expect(entry('google/gemini-z')!.capabilities).toMatchObject({ vision: null, audioInput: true });
  });

  it('does not take a missing schema mode for a missing JSON mode', () => {
    expect(one({ supports_response_schema: false }).entry.capabilities).toMatchObject({ jsonSchema: false, jsonObject: null });
  });

  it('reads windows and kinds', () => {
    expect(entry('openai/gpt-x')).toMatchObject({ mode: 'chat', contextWindow: 272000, maxOutput: 128000 });
    expect(entry('google/gemini-z')!.maxOutput).toBeNull();
    expect(entry('openai/text-embedding-w')!.mode).toBe('embedding');
  });

  it('keeps the row with the provider’s own prefix when a model is listed twice, in either order', () => {
    const plain = { litellm_provider: 'deepseek', mode: 'chat', input_cost_per_token: 1e-6 };
    const own = { ...plain, input_cost_per_token: 2e-6 };
    expect(importLiteLLM({ m: plain, 'deepseek/m': own }).entries.map(({ prices }) => prices.input)).toEqual([2]);
    expect(importLiteLLM({ 'deepseek/m': own, m: plain }).entries.map(({ prices }) => prices.input)).toEqual([2]);
  });
});

describe('a list that is broken', () => {
  it('names a price that is no number and leaves it unknown', () => {
    const { entry, problems } = one({ input_cost_per_token: '3e-6', output_cost_per_token: -1, cache_read_input_token_cost: 0.5 });
    expect(entry.prices).toMatchObject({ input: null, output: null, cachedRead: null });
    expect(problems.map(({ field, problem }) => [field, problem])).toEqual([
      ['input_cost_per_token', 'not-a-price'],
      ['output_cost_per_token', 'not-a-price'],
      ['cache_read_input_token_cost', 'not-a-price'],
    ]);
  });

  it('says that lower prices at some hours are left out', () => {
    expect(one({ input_cost_per_token: 1e-6, off_peak_pricing: {} }).problems).toEqual([
      { provider: 'anthropic', model: 'm', field: 'off_peak_pricing', problem: 'off-peak-price' },
    ]);
  });

  it.each([['a\nb'], [''], ['x'.repeat(300)]])('leaves out the model id %j', (model) => {
    const { entries, problems } = importLiteLLM({ [`mistral/${model}`]: { litellm_provider: 'mistral', mode: 'chat' } });
    expect(entries).toEqual([]);
    expect(problems).toMatchObject([{ problem: 'bad-id' }]);
  });

  it.each([[null], [[]], ['text'], [7], [{ m: null, n: 3, o: [], p: { litellm_provider: 'constructor', mode: 'toString' } }]])(
    'reads nothing from %j',
    (list) => {
      expect(importLiteLLM(list).entries).toEqual([]);
    },
  );

  it('makes entries that fit the catalog’s schema from any JSON at all', () => {
    const row = fc.record(
      {
        litellm_provider: fc.constantFrom('openai', 'gemini', 'bedrock', '__proto__'),
        mode: fc.constantFrom('chat', 'embedding', 'hasOwnProperty'),
        input_cost_per_token: fc.jsonValue(),
        output_cost_per_token: fc.double(),
        input_cost_per_token_above_200k_tokens: fc.double({ min: 0, max: 1 }),
        input_cost_per_token_above_0k_tokens: fc.jsonValue(),
        input_cost_per_image: fc.double(),
        max_input_tokens: fc.jsonValue(),
        max_output_tokens: fc.oneof(fc.integer(), fc.double()),
        supports_vision: fc.jsonValue(),
        supported_modalities: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), row), (list) => {
        const { entries } = importLiteLLM(JSON.parse(JSON.stringify(list)));
        const parsed = catalogSchema.safeParse({ source: 's', version: 'v', date: '2026-01-01', models: entries });
        expect(parsed.error?.issues ?? []).toEqual([]);
      }),
    );
  });
});
