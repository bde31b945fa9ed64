import { describe, expect, it } from 'vitest';
import { readAnswer } from '../apis/index.ts';
import type { ApiName, Usage } from '../apis/types.ts';
import { readUsage } from '../apis/usage.ts';
import { catalogOf, loadCatalog } from './index.ts';
import type { CatalogFile } from './schema.ts';

const catalog = await loadCatalog();

function usage(api: ApiName, said: object): Usage {
  const read = readUsage(api, said, '');
  if (read === null) throw new Error('unreadable');
  return read;
}

function answered(api: ApiName, body: object): Usage {
  const reader = readAnswer({ api, status: 200, contentType: 'application/json', contentEncoding: '', usageNotAsked: false });
  reader.push(Buffer.from(JSON.stringify(body)));
  const { usage: read } = reader.end(true);
  if (read === null) throw new Error('unreadable');
  return read;
}

function streamed(api: ApiName, events: readonly object[]): Usage {
  const reader = readAnswer({ api, status: 200, contentType: 'text/event-stream', contentEncoding: '', usageNotAsked: false });
  for (const event of events) reader.push(Buffer.from(`data: ${JSON.stringify(event)}\n\n`));
  const { usage: read } = reader.end(true);
  if (read === null) throw new Error('unreadable');
  return read;
}

describe('thoughts beside the completion', () => {
  it('are found by the total: named, as xAI has them', () => {
    expect(
      usage('openai-chat', {
        prompt_tokens: 500,
        completion_tokens: 900,
        total_tokens: 1_700,
        completion_tokens_details: { reasoning_tokens: 300 },
      }),
    ).toMatchObject({ output: 900, reasoning: 300, totalOutput: 1_200 });
    expect(
      usage('openai-chat', {
        prompt_tokens: 10,
        completion_tokens: 20,
        total_tokens: 60,
        completion_tokens_details: { reasoning_tokens: 30 },
      }),
    ).toMatchObject({ output: 20, reasoning: 30 });
  });

  it('are found by the total: without a name, as Gemini’s API in OpenAI’s words has them', () => {
    expect(usage('openai-chat', { prompt_tokens: 10, completion_tokens: 20, total_tokens: 130 })).toMatchObject({
      output: 20,
      reasoning: 100,
      totalOutput: 120,
    });
  });

  it('are inside it where the total says so, or nothing', () => {
    expect(
      usage('openai-chat', {
        prompt_tokens: 500,
        completion_tokens: 500,
        total_tokens: 1_000,
        completion_tokens_details: { reasoning_tokens: 200 },
      }),
    ).toMatchObject({ output: 300, reasoning: 200, totalOutput: 500 });
    expect(
      usage('openai-chat', { prompt_tokens: 500, completion_tokens: 500, completion_tokens_details: { reasoning_tokens: 200 } }),
    ).toMatchObject({ totalOutput: 500 });
  });

  it('leave the cost open where the total holds something else', () => {
    expect(
      usage('openai-chat', {
        prompt_tokens: 500,
        completion_tokens: 500,
        total_tokens: 1_100,
        completion_tokens_details: { reasoning_tokens: 200 },
      }).beyond,
    ).toEqual(['total_tokens']);
  });
});

describe('tokens of other kinds', () => {
  it('cached at the top, as Moonshot says it', () =>
    expect(usage('openai-chat', { prompt_tokens: 100, completion_tokens: 1, cached_tokens: 60 })).toMatchObject({
      input: 40,
      cachedRead: 60,
    }));

  it('cached sound is counted once, and its price is open', () => {
    expect(
      usage('openai-chat', {
        prompt_tokens: 2_000,
        completion_tokens: 100,
        prompt_tokens_details: {
          cached_tokens: 1_200,
          audio_tokens: 1_000,
          cached_tokens_details: { text_tokens: 500, audio_tokens: 700 },
        },
      }),
    ).toMatchObject({ input: 500, audioInput: 300, cachedRead: 1_200, beyond: ['cached audio'] });
    expect(
      usage('gemini-generate', {
        promptTokenCount: 1_000,
        cachedContentTokenCount: 400,
        promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 600 }],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 400 }],
      }),
    ).toMatchObject({ input: 400, audioInput: 200, cachedRead: 400, beyond: ['cached audio'] });
  });

  it('sound in the prompts of tools', () => {
    expect(
      usage('gemini-generate', {
        promptTokenCount: 100,
        candidatesTokenCount: 10,
        toolUsePromptTokenCount: 5_000,
        toolUsePromptTokensDetails: [{ modality: 'AUDIO', tokenCount: 5_000 }],
      }),
    ).toMatchObject({ input: 100, audioInput: 5_000 });
  });

  it('a compaction is part of the bill, and its totals leave it out', () => {
    const compacted = usage('anthropic-messages', {
      input_tokens: 23_000,
      output_tokens: 1_000,
      iterations: [
        { type: 'compaction', input_tokens: 180_000, output_tokens: 3_500 },
        { type: 'message', input_tokens: 23_000, output_tokens: 1_000 },
      ],
    });
    expect(compacted).toMatchObject({ input: 203_000, output: 4_500 });
    expect(compacted.beyond).toBeUndefined();
    expect(
      usage('anthropic-messages', {
        input_tokens: 5,
        output_tokens: 1,
        iterations: [{ type: 'advisor_message', input_tokens: 5, output_tokens: 3 }],
      }).beyond,
    ).toEqual(['iterations advisor_message']);
  });
});

describe('what is billed beyond the tokens', () => {
  it.each([
    [
      'anthropic-messages',
      { input_tokens: 5, output_tokens: 1, server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 } },
      ['web_search_requests'],
    ],
    [
      'anthropic-messages',
      { input_tokens: 5, output_tokens: 1, speed: 'fast', inference_geo: 'us', service_tier: 'standard' },
      ['speed fast', 'inference_geo us'],
    ],
    [
      'anthropic-messages',
      { input_tokens: 5, output_tokens: 1, speed: 'standard', inference_geo: 'global', service_tier: 'priority' },
      ['service_tier priority'],
    ],
    ['openai-chat', { prompt_tokens: 5, completion_tokens: 1, num_sources_used: 4, queue_time: 0.2, cost: 0.1 }, ['num_sources_used']],
    ['openai-chat', { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { brand_new_tokens: 3 } }, ['brand_new_tokens']],
    [
      'gemini-generate',
      { promptTokenCount: 5, candidatesTokenCount: 1, candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1 }] },
      ['image output'],
    ],
  ] as const)('%s %j', (api, said, beyond) => {
    const read = usage(api, said);
    expect(read.beyond).toEqual(beyond);
    const model = {
      'openai-chat': ['openai', 'gpt-4.1'],
      'anthropic-messages': ['anthropic', 'claude-haiku-4-5'],
      'gemini-generate': ['google', 'gemini-2.5-flash'],
    }[api] as [string, string];
    expect(catalog.cost(...model, read)).toMatchObject({ known: false, reason: 'beyond', atLeastUsd: expect.any(Number) as number });
  });

  it('calls of tools that OpenAI runs, streamed and not', () => {
    const response = {
      object: 'response',
      status: 'completed',
      model: 'gpt-4.1',
      output: [
        { type: 'web_search_call', id: 'w' },
        { type: 'message', content: [] },
      ],
      usage: { input_tokens: 3, output_tokens: 1 },
    };
    expect(answered('openai-responses', response).beyond).toEqual(['web_search_call']);
    expect(streamed('openai-responses', [{ type: 'response.completed', response }]).beyond).toEqual(['web_search_call']);
    expect(
      answered('openai-responses', { ...response, output: [{ type: 'function_call' }, { type: 'reasoning' }] }).beyond,
    ).toBeUndefined();
  });

  it('grounding at Google, streamed and not', () => {
    const answer = {
      candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP', groundingMetadata: { webSearchQueries: ['x'] } }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1 },
    };
    expect(answered('gemini-generate', answer).beyond).toEqual(['grounding']);
    expect(
      streamed('gemini-generate', [{ candidates: [{ content: { parts: [{ text: 'x' }] } }], modelVersion: 'm' }, answer]).beyond,
    ).toEqual(['grounding']);
  });
});

describe('service tiers', () => {
  const used = { prompt_tokens: 1_000_000, completion_tokens: 100_000, total_tokens: 1_100_000 };

  it('have their own prices where the list states them', () => {
    expect(catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'flex', choices: [], usage: used }))).toEqual({
      known: true,
      usd: 0.045,
    });
    expect(catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'default', choices: [], usage: used }))).toEqual({
      known: true,
      usd: 0.09,
    });
    const chunks = [
      { service_tier: 'flex', model: 'm', choices: [{ delta: { content: 'x' }, finish_reason: 'stop' }] },
      { service_tier: 'flex', choices: [], usage: used },
    ];
    expect(catalog.cost('openai', 'gpt-5-nano', streamed('openai-chat', chunks))).toEqual({ known: true, usd: 0.045 });
  });

  it('have an unknown one where it does not, and what was bought ahead is known at least', () => {
    expect(catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'priority', choices: [], usage: used }))).toEqual({
      known: false,
      reason: 'price',
    });
    expect(
      catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'scale', choices: [], usage: used })),
    ).toMatchObject({ known: false, reason: 'beyond' });
  });
});

it('a catalog file that was edited under its old version gets another one', () => {
  const file: CatalogFile = { source: 's', version: 'mine', date: '2026-01-01', models: [] };
  const [model] = catalog.models('openai');
  const { version } = catalogOf(file);
  expect(version).toMatch(/^mine\+[0-9a-f]{8}$/);
  expect(catalogOf({ ...file, models: [model as CatalogFile['models'][number]] }).version).not.toBe(version);
});

describe('what is paid beside the tokens, or in their place', () => {
  it('is a search for each request where the model searches by itself', () => {
    const said = { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 };
    expect(catalog.cost('openai', 'gpt-4o-search-preview', usage('openai-chat', said))).toEqual({
      known: false,
      reason: 'beyond',
      atLeastUsd: 0.000055,
    });
    expect(catalog.cost('openai', 'gpt-4o', usage('openai-chat', said))).toEqual({ known: true, usd: 0.000055 });
  });

  it('is throughput that was bought ahead', () => {
    const said = (trafficType: string): Usage =>
      usage('gemini-generate', { promptTokenCount: 10, candidatesTokenCount: 3, totalTokenCount: 13, trafficType });
    expect(catalog.cost('google', 'gemini-2.5-flash', said('PROVISIONED_THROUGHPUT')).known).toBe(false);
    expect(catalog.cost('google', 'gemini-2.5-flash', said('ON_DEMAND'))).toEqual({ known: true, usd: 0.0000105 });
  });
});
