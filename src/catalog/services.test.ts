import { describe, expect, it } from 'vitest';
import { readAnswer } from '../apis/index.ts';
import type { ApiName, Usage } from '../apis/types.ts';
import { readUsage } from '../apis/usage.ts';
import { catalogOf, loadCatalog, withOverrides } from './index.ts';
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

function streamed(api: ApiName, events: readonly (object | string)[]): Usage {
  const reader = readAnswer({ api, status: 200, contentType: 'text/event-stream', contentEncoding: '', usageNotAsked: false });
  for (const event of events) reader.push(Buffer.from(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`));
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

  it('cached sound is counted once', () => {
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
    ).toMatchObject({ input: 500, audioInput: 300, cachedRead: 1_200, cachedAudio: 700 });
    expect(
      usage('gemini-generate', {
        promptTokenCount: 1_000,
        cachedContentTokenCount: 400,
        promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 600 }],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 400 }],
      }),
    ).toMatchObject({ input: 400, audioInput: 200, cachedRead: 400, cachedAudio: 400 });
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
    ['anthropic-messages', { input_tokens: 5, output_tokens: 1, fallback_credit: { type: 'redeemed' } }, ['fallback_credit']],
    [
      'anthropic-messages',
      { input_tokens: 5, output_tokens: 1, speed: 'standard', inference_geo: 'global', service_tier: 'priority' },
      ['service_tier priority'],
    ],
    ['openai-chat', { prompt_tokens: 5, completion_tokens: 1, num_sources_used: 4, queue_time: 0.2, cost: 0.1 }, ['num_sources_used']],
    ['openai-chat', { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { brand_new_tokens: 3 } }, ['brand_new_tokens']],
    ['openai-chat', { prompt_tokens: 5, completion_tokens: 1, prompt_audio_seconds: 12 }, ['prompt_audio_seconds']],
    [
      'gemini-generate',
      { promptTokenCount: 5, candidatesTokenCount: 1, candidatesTokensDetails: [{ modality: 'VIDEO', tokenCount: 1 }] },
      ['video output'],
    ],
    ['gemini-generate', { promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 900 }, ['totalTokenCount']],
    [
      'gemini-generate',
      { promptTokenCount: 5, candidatesTokenCount: 1, trafficType: 'ON_DEMAND_OFFPEAK' },
      ['service_tier ON_DEMAND_OFFPEAK'],
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
    expect(answered('openai-responses', response).calls).toEqual({ web_search_call: 1 });
    // The same items in two events are not counted twice.
    expect(
      streamed('openai-responses', [
        { type: 'response.created', response: { ...response, usage: null } },
        { type: 'response.completed', response },
      ]).calls,
    ).toEqual({ web_search_call: 1 });
    expect(answered('openai-responses', { ...response, output: [{ type: 'function_call' }, { type: 'reasoning' }] }).calls).toBeUndefined();
  });

  it('grounding at Google, streamed and not', () => {
    const answer = {
      candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP', groundingMetadata: { webSearchQueries: ['x'] } }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1 },
    };
    expect(answered('gemini-generate', answer).calls).toEqual({ grounding: 1 });
    expect(
      streamed('gemini-generate', [{ candidates: [{ content: { parts: [{ text: 'x' }] } }], modelVersion: 'm' }, answer]).calls,
    ).toEqual({ grounding: 1 });
    expect(catalog.cost('google', 'gemini-2.5-flash', answered('gemini-generate', answer))).toMatchObject({ reason: 'beyond' });
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
    expect(catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'ultrafast', choices: [], usage: used }))).toEqual({
      known: false,
      reason: 'price',
    });
    expect(
      catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'scale', choices: [], usage: used })),
    ).toMatchObject({ known: false, reason: 'beyond' });
    expect(
      catalog.cost('openai', 'gpt-5-nano', answered('openai-chat', { service_tier: 'tomorrow', choices: [], usage: used })),
    ).toMatchObject({ known: false, reason: 'beyond' });
  });

  it('have their own long-context prices, or none', () => {
    const long = { prompt_tokens: 300_000, completion_tokens: 1_000, total_tokens: 301_000 };
    const tier = (service_tier: string): Usage => answered('openai-chat', { service_tier, choices: [], usage: long });
    expect(catalog.cost('openai', 'gpt-5.4', tier('default'))).toEqual({ known: true, usd: 0.3 * 5 + 0.0225 });
    expect(catalog.cost('openai', 'gpt-5.4', tier('flex'))).toEqual({ known: true, usd: 0.3 * 2.5 + 0.01125 });
    expect(catalog.cost('openai', 'gpt-5.4', tier('priority'))).toEqual({ known: false, reason: 'price' });
  });

  it('a batch has its prices of cached tokens', () => {
    const batch = { input_tokens: 1_000, cache_read_input_tokens: 10_000, output_tokens: 100, service_tier: 'batch' };
    expect(catalog.cost('anthropic', 'claude-opus-5', usage('anthropic-messages', batch))).toEqual({ known: true, usd: 0.00625 });
  });
});

describe('what has a price of its own', () => {
  const said = { input_tokens: 1_000, output_tokens: 100 };

  it('searches at Anthropic are paid for each, fetched pages by their tokens', () => {
    const searched = { ...said, server_tool_use: { web_search_requests: 2, web_fetch_requests: 3 } };
    expect(catalog.cost('anthropic', 'claude-opus-5', usage('anthropic-messages', searched))).toEqual({ known: true, usd: 0.0275 });
    const ran = { ...said, server_tool_use: { code_execution_requests: 1 } };
    expect(catalog.cost('anthropic', 'claude-opus-5', usage('anthropic-messages', ran))).toMatchObject({
      reason: 'beyond',
      atLeastUsd: 0.0075,
    });
  });

  it('the fast mode and a region multiply all tokens, and no fee', () => {
    const fast = { ...said, speed: 'fast', inference_geo: 'us', server_tool_use: { web_search_requests: 1 } };
    expect(catalog.cost('anthropic', 'claude-opus-5', usage('anthropic-messages', fast))).toEqual({ known: true, usd: 0.0265 });
    // No price of its fast mode is listed, nor of another region.
    expect(catalog.cost('anthropic', 'claude-opus-4-7', usage('anthropic-messages', fast))).toMatchObject({ reason: 'beyond' });
    expect(catalog.cost('anthropic', 'claude-opus-5', usage('anthropic-messages', { ...said, inference_geo: 'mars' }))).toMatchObject({
      reason: 'beyond',
      atLeastUsd: 0.0075,
    });
  });

  it('searches at OpenAI, where the list has the price of the tool that all may use', () => {
    const response = (...output: readonly object[]): Usage =>
      answered('openai-responses', { object: 'response', status: 'completed', output, usage: said });
    const search = { type: 'web_search_call', action: { type: 'search', query: 'x' } };
    expect(catalog.cost('openai', 'gpt-5.1', response(search, search))).toEqual({ known: true, usd: 0.02225 });
    expect(catalog.cost('openai', 'gpt-4.1', response(search))).toMatchObject({ reason: 'beyond' });
    expect(catalog.cost('openai', 'gpt-5.1', response(search, { type: 'web_search_call', action: { type: 'open_page' } }))).toEqual({
      known: false,
      reason: 'beyond',
      atLeastUsd: 0.01225,
    });
    expect(catalog.cost('openai', 'gpt-5.1', response({ type: 'file_search_call' }))).toEqual({ known: true, usd: 0.00475 });
    for (const type of ['code_interpreter_call', 'image_generation_call', 'shell_call'])
      expect(catalog.cost('openai', 'gpt-5.1', response({ type }))).toMatchObject({ reason: 'beyond' });
  });

  it('a container that was started and not used', () => {
    const tools = [{ type: 'code_interpreter', container: { type: 'auto' } }];
    const response = { object: 'response', status: 'completed', output: [{ type: 'message' }], tools, usage: said };
    expect(catalog.cost('openai', 'gpt-5.1', answered('openai-responses', response))).toEqual({
      known: false,
      reason: 'beyond',
      atLeastUsd: 0.00225,
    });
    expect(streamed('openai-responses', [{ type: 'response.completed', response }]).beyond).toEqual(['container']);
    // One that ran code is known by its calls, which may have a price.
    const ran = answered('openai-responses', { ...response, output: [{ type: 'code_interpreter_call' }] });
    expect(ran.calls).toEqual({ code_interpreter_call: 1 });
    expect(ran.beyond).toBeUndefined();
    const plain = {
      ...response,
      tools: [
        { type: 'function', name: 'f' },
        { type: 'shell', environment: { type: 'local' } },
      ],
    };
    expect(catalog.cost('openai', 'gpt-5.1', answered('openai-responses', plain))).toEqual({ known: true, usd: 0.00225 });
  });

  it('an assistant’s searches in files cost their tokens, its code interpreter something more', () => {
    const run = (type: string, status: string, used: object | null) => ({
      id: 'run_1',
      object: 'thread.run',
      model: 'gpt-4.1',
      status,
      tools: [{ type }],
      usage: used,
    });
    const step = (used: object) => ({
      id: 'step_1',
      object: 'thread.run.step',
      type: 'tool_calls',
      status: 'completed',
      step_details: { type: 'tool_calls', tool_calls: [{ id: 'call_1', type: 'file_search', file_search: { results: [{}] } }] },
      usage: used,
    });
    const [first, total] = [
      { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
      { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 },
    ];
    const ran = (type: string): Usage =>
      streamed('other-llm', [run(type, 'in_progress', null), step(first), run(type, 'completed', total), step(first), '[DONE]']);
    expect(catalog.cost('openai', 'gpt-4.1', ran('file_search'))).toEqual({ known: true, usd: 0.0028 });
    expect(catalog.cost('openai', 'gpt-4.1', ran('code_interpreter'))).toEqual({ known: false, reason: 'beyond', atLeastUsd: 0.0028 });
    // The run's total, with these tokens, comes after the app has answered.
    expect(() => streamed('other-llm', [step(first), run('file_search', 'requires_action', null), '[DONE]'])).toThrow('unreadable');
  });

  it('a shell in a container, and none that the app runs', () => {
    const response = (type: string): Usage =>
      answered('openai-responses', {
        object: 'response',
        output: [{ type: 'shell_call', action: { commands: ['ls'] }, environment: { type } }],
        tools: [{ type: 'shell', environment: { type: type === 'local' ? 'local' : 'container_auto' } }],
        usage: said,
      });
    expect(catalog.cost('openai', 'gpt-5.1', response('container_reference'))).toMatchObject({ reason: 'beyond' });
    expect(catalog.cost('openai', 'gpt-5.1', response('local'))).toEqual({ known: true, usd: 0.00225 });
  });

  it('Anthropic’s containers', () => {
    const container = { id: 'container_1', expires_at: '2026-12-01T00:00:00Z' };
    const message = { type: 'message', content: [], usage: said, stop_reason: 'end_turn' };
    expect(answered('anthropic-messages', { ...message, container }).beyond).toEqual(['container']);
    expect(answered('anthropic-messages', { ...message, container: null }).beyond).toBeUndefined();
    const events = (value: unknown): readonly object[] => [
      { type: 'message_start', message: { ...message, container: null } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', container: value }, usage: { output_tokens: 100 } },
      { type: 'message_stop' },
    ];
    expect(streamed('anthropic-messages', events(container)).beyond).toEqual(['container']);
    expect(streamed('anthropic-messages', events(null)).beyond).toBeUndefined();
  });

  it('tools that Groq ran', () => {
    const counts = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };
    const ran = [{ index: 0, type: 'search', arguments: '{"query":"x"}', output: 'y' }];
    const choice = (message: object): object => ({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage: counts });
    const searched = answered('openai-chat', choice({ role: 'assistant', content: 'x', executed_tools: ran }));
    expect(searched.beyond).toEqual(['executed_tools search']);
    expect(catalog.cost('groq', 'openai/gpt-oss-120b', searched)).toMatchObject({ known: false, reason: 'beyond' });
    expect(answered('openai-chat', choice({ role: 'assistant', content: 'x', executed_tools: [] })).beyond).toBeUndefined();
    const chunks = [
      { model: 'm', choices: [{ delta: { content: 'x' } }] },
      { model: 'm', choices: [{ delta: { executed_tools: ran } }] },
      { model: 'm', choices: [{ delta: {}, finish_reason: 'stop' }], x_groq: { usage: counts } },
    ];
    expect(streamed('openai-chat', chunks).beyond).toEqual(['executed_tools search']);
  });

  it('pictures that a response’s tool made', () => {
    const counts = { image_gen: { input_tokens: 3, output_tokens: 4_160 }, web_search: { num_requests: 0 } };
    const response = { object: 'response', status: 'completed', output: [], usage: said, tool_usage: counts };
    expect(answered('openai-responses', response).beyond).toEqual(['image_gen']);
    expect(streamed('openai-responses', [{ type: 'response.completed', response }]).beyond).toEqual(['image_gen']);
  });

  it('cached sound, and tokens of pictures', () => {
    const heard = {
      promptTokenCount: 1_000,
      candidatesTokenCount: 100,
      cachedContentTokenCount: 400,
      promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 600 }],
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 400 }],
    };
    expect(catalog.cost('google', 'gemini-2.5-flash', usage('gemini-generate', heard))).toEqual({ known: true, usd: 0.00061 });
    const drawn = {
      promptTokenCount: 10,
      candidatesTokenCount: 1_300,
      candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1_290 }],
    };
    expect(catalog.cost('google', 'gemini-2.5-flash-image', usage('gemini-generate', drawn))).toEqual({ known: true, usd: 0.038728 });
    expect(catalog.cost('google', 'gemini-2.5-flash', usage('gemini-generate', drawn))).toMatchObject({ reason: 'beyond' });
    const made = {
      input_tokens: 110,
      output_tokens: 4_160,
      total_tokens: 4_270,
      input_tokens_details: { text_tokens: 10, image_tokens: 100 },
    };
    expect(catalog.cost('openai', 'gpt-image-1', usage('openai-chat', made))).toEqual({ known: true, usd: 0.16745 });
  });

  it('an endpoint of one region, for the models that cost more there', () => {
    const chat = usage('openai-chat', { prompt_tokens: 1_000, completion_tokens: 100 });
    const eu = (model: string, region: string): unknown => catalog.cost('openai', model, chat, region);
    expect(eu('gpt-5.4', 'eu')).toEqual({ known: true, usd: 0.0044 });
    expect(eu('gpt-5.4', 'jp')).toMatchObject({ known: false, reason: 'beyond', atLeastUsd: 0.004 });
    expect(eu('gpt-4.1', 'eu')).toEqual(catalog.cost('openai', 'gpt-4.1', chat));
  });

  it('a prompt that was read in rounds has long-context prices by its longest', () => {
    const tiered = catalogOf({
      source: 's',
      version: 'v',
      date: '2026-01-01',
      models: [{ ...catalog.lookup('xai', 'grok-4.5')!, provider: 'anthropic', model: 'claude-x' } as CatalogFile['models'][number]],
    });
    const rounds = (...inputs: readonly number[]): Usage =>
      usage('anthropic-messages', {
        input_tokens: inputs.at(-1),
        output_tokens: 0,
        iterations: inputs.map((input_tokens, index) => ({ type: index === 0 ? 'compaction' : 'message', input_tokens, output_tokens: 0 })),
      });
    expect(tiered.cost('anthropic', 'claude-x', rounds(150_000, 100_000))).toEqual({ known: true, usd: 0.5 });
    expect(tiered.cost('anthropic', 'claude-x', rounds(250_000, 100_000))).toEqual({ known: true, usd: 1.4 });
  });

  it('tokens written to a cache in a proxy’s words, and totals alone of embeddings', () => {
    expect(
      usage('openai-chat', {
        prompt_tokens: 100,
        completion_tokens: 1,
        prompt_tokens_details: { cached_tokens: 20, cache_creation_tokens: 30 },
      }),
    ).toMatchObject({ input: 50, cachedRead: 20, cacheWrite5m: 30 });
    expect(usage('openai-embeddings', { total_tokens: 12 })).toMatchObject({ input: 12, output: 0 });
    expect(readUsage('openai-chat', { total_tokens: 12 }, '')).toBeNull();
  });

  it('what a contract or a list without it says', () => {
    const cheap = withOverrides(catalog, {
      openai: { 'gpt-4.1': { fees: { webSearch: 0.01, fileSearch: 0.0025 }, uplifts: { fast: 3 } } },
    });
    const response = {
      object: 'response',
      status: 'completed',
      output: [{ type: 'web_search_call' }, { type: 'file_search_call' }],
      usage: said,
    };
    expect(cheap.cost('openai', 'gpt-4.1', answered('openai-responses', response))).toEqual({ known: true, usd: 0.0153 });
    expect(cheap.lookup('openai', 'gpt-4.1')!.prices.services).toEqual(catalog.lookup('openai', 'gpt-4.1')!.prices.services);
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
