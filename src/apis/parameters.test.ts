import { describe, expect, it } from 'vitest';
import { readExchange, spliceRequest } from './index.ts';
import type { ApiName, ParsedRequest, Recognition } from './types.ts';
import { askedModel, differences, LearntRefusals, limitNameFor, refusedParameter, tableOf } from './parameters.ts';
import { limits } from '../lib/limits.ts';
import { apis } from './registry.ts';

function read(api: ApiName, body: object | string, pathModel: string | null = null): ParsedRequest {
  const recognition: Recognition & { kind: 'readable' } = {
    kind: 'readable',
    api,
    operation: 'generate',
    pathModel: pathModel === null ? null : { model: pathModel, span: { start: 0, end: pathModel.length } },
    stream: null,
  };
  const result = readExchange(recognition, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  if (!result.ok) throw new Error(result.reason);
  return result.exchange;
}

const chat = (body: object): ParsedRequest => read('openai-chat', { model: 'm', messages: [{ role: 'user', content: 'x' }], ...body });
const responses = (body: object): ParsedRequest => read('openai-responses', { model: 'm', input: 'x', ...body });
const messages = (body: object): ParsedRequest =>
  read('anthropic-messages', { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }], ...body });
const gemini = (body: object): ParsedRequest => read('gemini-generate', { contents: [{ parts: [{ text: 'x' }] }], ...body }, 'm');

describe('what OpenAI’s models refuse', () => {
  it.each([
    ['gpt-5-nano', { temperature: 0 }, 'temperature'],
    ['gpt-5-nano', { temperature: 1, top_p: 1 }, null],
    ['gpt-5-nano', { temperature: null, logprobs: null, stop: null, presence_penalty: null, logit_bias: null, max_tokens: null }, null],
    ['gpt-4.1-nano', { temperature: 0, top_p: 0.5, stop: ['a'], logprobs: true, presence_penalty: 1, seed: 3 }, null],
    ['gpt-5-mini', { stop: 'END' }, 'stop'],
    ['o4-mini', { frequency_penalty: 0.2 }, 'frequency_penalty'],
    ['o4-mini', { frequency_penalty: 0 }, null],
    ['o3', { parallel_tool_calls: false }, 'parallel_tool_calls'],
    ['gpt-5-nano', { logprobs: true, top_logprobs: 2 }, 'logprobs'],
    ['gpt-5-nano', { logprobs: false }, null],
    ['gpt-5-nano', { logit_bias: { 1: 2 } }, 'logit_bias'],
    ['gpt-5-nano', { prediction: { type: 'content', content: 'x' } }, 'prediction'],
    ['gpt-4.1-mini', { prediction: { type: 'content', content: 'x' } }, null],
    ['gpt-5-nano', { reasoning_effort: 'none' }, 'reasoning_effort'],
    ['gpt-5-nano', { reasoning_effort: 'minimal' }, null],
    ['gpt-5.1', { reasoning_effort: 'minimal' }, 'reasoning_effort'],
    ['gpt-5.2', { reasoning_effort: 'xhigh' }, null],
    ['gpt-5.1', { reasoning_effort: 'none', temperature: 0.2 }, null],
    ['gpt-5.1', { reasoning_effort: 'low', temperature: 0.2 }, 'temperature'],
    ['gpt-4.1', { reasoning_effort: 'low' }, 'reasoning_effort'],
    ['gpt-4.1', { verbosity: 'low' }, 'verbosity'],
    ['gpt-4.1', { service_tier: 'flex' }, 'service_tier'],
    ['gpt-5-nano', { service_tier: 'flex' }, null],
    ['gpt-5-nano', { service_tier: 'priority' }, 'service_tier'],
    ['gpt-4.1', { service_tier: 'auto' }, null],
    ['gpt-4.1', { web_search_options: {} }, 'web_search_options'],
    ['gpt-4o-search-preview', { web_search_options: {} }, null],
    ['gpt-5-mini', { prompt_cache_retention: '24h' }, 'prompt_cache_retention'],
    ['gpt-4.1', { tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools.custom'],
    ['gpt-4.1', { tools: [{ type: 'function', function: { name: 'x' } }] }, null],
    ['gpt-5.6-terra', { reasoning_effort: 'max' }, null],
    ['gpt-5.5', { reasoning_effort: 'max' }, 'reasoning_effort'],
    ['gpt-5.3-chat-latest', { service_tier: 'flex' }, 'service_tier'],
    ['gpt-5.3-codex', { service_tier: 'priority' }, null],
    ['gpt-5.4-nano', { service_tier: 'flex' }, null],
    ['gpt-5.4-nano', { service_tier: 'priority' }, 'service_tier'],
    ['o3-mini', { service_tier: 'priority' }, 'service_tier'],
  ])('%s, %j: %s', (model, body, refused) => expect(refusedParameter(chat(body), 'openai', model)).toBe(refused));

  const tools = [{ type: 'function', function: { name: 'x' } }];
  it.each([
    ['gpt-5.2', 'high', true],
    ['gpt-5.4', undefined, true],
    ['gpt-5.4-mini', 'none', true],
    ['gpt-5.4', 'low', false],
    ['gpt-5.5', 'high', false],
    ['gpt-5.6-luna', undefined, false],
    ['gpt-5.6', 'none', true],
    ['gpt-6-luna', 'low', false],
    ['gpt-6-sol', 'none', true],
    ['gpt-6-astra', 'none', false],
    ['gpt-6.1-sol', 'none', false],
  ])('functions in chat completions: %s, effort %s: %s', (model, effort, taken) => {
    const asked = chat({ tools, ...(effort === undefined ? {} : { reasoning_effort: effort }) });
    expect(refusedParameter(asked, 'openai', model)).toBe(taken ? null : 'tools.function');
    expect(refusedParameter(responses({ tools, reasoning: { effort: effort ?? null } }), 'openai', model)).toBe(null);
  });

  it.each([
    ['mistral', 'mistral-small-latest', 'high', true],
    ['mistral', 'mistral-small-latest', 'low', false],
    ['mistral', 'mistral-large-4-0', 'low', true],
    ['mistral', 'magistral-medium-latest', 'high', false],
    ['groq', 'openai/gpt-oss-120b', 'low', true],
    ['groq', 'openai/gpt-oss-120b', 'none', false],
    ['groq', 'qwen/qwen3.8-27b', 'none', true],
    ['groq', 'qwen/qwen3.8-27b', 'low', false],
    ['cerebras', 'llama-3.3-70b', 'low', false],
    ['xai', 'grok-4.20-multi-agent', 'high', true],
    ['xai', 'grok-4.20-reasoning', 'high', false],
  ])('efforts of %s, %s: %s: %s', (provider, model, effort, taken) =>
    expect(refusedParameter(chat({ tools, reasoning_effort: effort }), provider, model)).toBe(taken ? null : 'reasoning_effort'),
  );

  it.each([
    ['gpt-4.1', { reasoning: { effort: 'low' } }, 'reasoning.effort'],
    ['gpt-4.1', { reasoning: { summary: 'auto' } }, 'reasoning.summary'],
    ['gpt-4.1', { include: ['reasoning.encrypted_content'] }, 'include.reasoning.encrypted_content'],
    [
      'gpt-4.1',
      {
        input: [
          { type: 'reasoning', id: 'rs' },
          { role: 'user', content: 'x' },
        ],
      },
      'input.reasoning',
    ],
    ['gpt-4.1', { text: { verbosity: 'high' } }, 'text.verbosity'],
    ['gpt-4.1-nano', { tools: [{ type: 'web_search' }] }, 'tools.web_search'],
    ['gpt-4.1-mini', { tools: [{ type: 'web_search' }] }, null],
    ['gpt-5-nano', { tools: [{ type: 'web_search' }], reasoning: { effort: 'minimal' } }, 'tools.web_search'],
    ['gpt-4.1-mini', { tools: [{ type: 'computer_use_preview' }] }, 'tools.computer_use_preview'],
    ['gpt-5-nano', { tools: [{ type: 'image_generation' }, { type: 'code_interpreter' }, { type: 'mcp' }] }, null],
    ['gpt-5-nano', { tools: [{ type: 'brand_new_tool' }] }, 'tools.brand_new_tool'],
    ['gpt-5-nano', { max_output_tokens: 100 }, null],
    ['gpt-5-nano', { include: ['message.output_text.logprobs'] }, 'include.message.output_text.logprobs'],
    ['gpt-4.1-nano', { include: ['message.output_text.logprobs'] }, null],
  ])('responses, %s, %j: %s', (model, body, refused) => expect(refusedParameter(responses(body), 'openai', model)).toBe(refused));

  it('and those of providers that are compatible', () => {
    expect(refusedParameter(chat({ seed: 1 }), 'mistral', 'mistral-small-latest')).toBe('seed');
    expect(refusedParameter(chat({ user: null, metadata: null }), 'mistral', 'mistral-small-latest')).toBeNull();
    expect(refusedParameter(chat({ temperature: 0.2, max_completion_tokens: 9 }), 'mistral', 'mistral-small-latest')).toBeNull();
    expect(refusedParameter(chat({ stop: ['x'] }), 'xai', 'grok-4-fast-reasoning')).toBe('stop');
    expect(refusedParameter(chat({ reasoning_effort: 'low' }), 'xai', 'grok-4')).toBe('reasoning_effort');
    expect(refusedParameter(chat({ logprobs: true }), 'groq', 'llama-3.3-70b-versatile')).toBe('logprobs');
    expect(refusedParameter(chat({ prediction: {} }), 'google', 'gemini-2.5-flash')).toBe('prediction');
    expect(refusedParameter(chat({ temperature: 0.2, top_k: 3 }), 'vllm', 'qwen')).toBeNull();
    const named = { messages: [{ role: 'user', name: 'bob', content: 'x' }] };
    for (const provider of ['groq', 'mistral'])
      expect(refusedParameter(chat(named), provider, 'mistral-small-latest')).toBe('messages.name');
    const developed = { messages: [{ role: 'developer', content: 'x' }] };
    for (const provider of ['deepseek', 'mistral']) expect(refusedParameter(chat(developed), provider, 'x')).toBe('messages.developer');
    expect(refusedParameter(chat({ ...named, ...developed }), 'openai', 'gpt-4.1')).toBeNull();
    expect(refusedParameter(chat({ n: 2 }), 'groq', 'x')).toBe('n');
    expect(refusedParameter(chat({ n: 1 }), 'groq', 'x')).toBeNull();
    expect(refusedParameter(chat({ verbosity: 'low' }), 'groq', 'x')).toBe('verbosity');
    for (const provider of ['vllm', 'together', 'openai'])
      expect(refusedParameter(chat({ web_search_options: {} }), provider, 'x')).toBe('web_search_options');
    expect(refusedParameter(chat({ search_parameters: {} }), 'openai', 'gpt-4.1')).toBe('search_parameters');
    expect(refusedParameter(chat({ search_parameters: {} }), 'xai', 'grok-4.3')).toBeNull();
    expect(refusedParameter(chat({ reasoning_effort: 'none' }), 'xai', 'grok-4.5')).toBe('reasoning_effort');
    expect(refusedParameter(chat({ presence_penalty: 0.5 }), 'google', 'gemini-2.5-flash')).toBe('presence_penalty');
    expect(refusedParameter(chat({ reasoning_effort: 'none' }), 'google', 'gemini-2.5-pro')).toBe('reasoning_effort');
    expect(refusedParameter(chat({ reasoning_effort: 'none' }), 'google', 'gemini-2.5-flash')).toBeNull();
  });
});

describe('what Claude refuses', () => {
  it.each([
    ['claude-haiku-4-5', { thinking: { type: 'adaptive' } }, 'thinking.type'],
    ['claude-sonnet-4-6', { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } }, null],
    ['claude-opus-4-7', { thinking: { type: 'enabled', budget_tokens: 2000 } }, 'thinking.type'],
    ['claude-haiku-4-5', { thinking: { type: 'enabled', budget_tokens: 2000 } }, null],
    ['claude-haiku-4-5', { output_config: { effort: 'low' } }, 'output_config.effort'],
    ['claude-sonnet-4-6', { output_config: { effort: 'xhigh' } }, 'output_config.effort'],
    ['claude-opus-4-7', { temperature: 0.3 }, 'temperature'],
    ['claude-opus-4-7', { temperature: 1 }, null],
    ['claude-sonnet-5', { top_k: 5 }, 'top_k'],
    ['claude-haiku-4-5', { temperature: 0.3, top_p: 0.9 }, 'top_p'],
    ['claude-haiku-4-5', { temperature: 0.3 }, null],
    [
      'claude-sonnet-4-6',
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'assistant', content: '{' },
        ],
      },
      'messages.prefill',
    ],
    [
      'claude-haiku-4-5',
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'assistant', content: '{' },
        ],
      },
      null,
    ],
    [
      'claude-haiku-4-5',
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'system', content: 's' },
          { role: 'user', content: 'y' },
        ],
      },
      'messages.system',
    ],
    ['claude-haiku-4-5', { system: 's' }, null],
    ['claude-haiku-4-5', { tools: [{ type: 'web_search_20260209', name: 'web_search' }] }, 'tools.web_search_20260209'],
    [
      'claude-haiku-4-5',
      {
        tools: [
          { type: 'web_search_20250305', name: 'web_search' },
          { type: 'custom', name: 'own', input_schema: {} },
          { name: 'other', input_schema: {} },
        ],
      },
      null,
    ],
    ['claude-haiku-4-5', { tools: [{ type: 'computer_20251124', name: 'computer' }] }, 'tools.computer_20251124'],
    ['claude-haiku-4-5', { speed: 'fast' }, 'speed'],
    ['claude-haiku-4-5', { context_management: { edits: [{ type: 'compact_20260112' }] } }, 'context_management.compact_20260112'],
    ['claude-haiku-4-5', { context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] } }, null],
    ['claude-haiku-4-5', { inference_geo: 'us' }, 'inference_geo'],
  ])('%s, %j: %s', (model, body, refused) => expect(refusedParameter(messages(body), 'anthropic', model)).toBe(refused));
});

it.each([
  ['claude-haiku-4-5', 'anthropic-beta.context-1m'],
  ['claude-opus-4-5', 'anthropic-beta.context-1m'],
  ['claude-sonnet-4-5', null],
  ['claude-sonnet-4-20250514', null],
  ['claude-opus-4-6', null],
])('%s and the beta of a long window, which comes in a header', (model, refused) => {
  const exchange = messages({});
  const betas = [['anthropic-beta', 'files-api-2025-04-14, context-1m-2025-08-07'] as const, ['x-api-key', 'k'] as const];
  const parameters = apis['anthropic-messages'].request.headerParameters?.(betas) ?? [];
  expect(parameters).toEqual([{ name: 'anthropic-beta.context-1m', value: true }]);
  expect(refusedParameter({ ...exchange, parameters }, 'anthropic', model)).toBe(refused);
});

it.each([
  [{ includeThoughts: true, thinkingBudget: -1 }, null],
  [{ includeThoughts: true }, null],
  [{ thinkingBudget: 1024 }, 'thinking'],
  [{ thinkingBudget: 0 }, 'thinking'],
  [{ thinkingLevel: 'low' }, 'thinking'],
])('Gemini’s thinkingConfig %j asks for thinking: %s', (thinkingConfig, reasoning) => {
  expect(gemini({ generationConfig: { thinkingConfig } }).reasoning).toBe(reasoning);
});

describe('what Gemini refuses', () => {
  it.each([
    ['gemini-2.5-flash', { generationConfig: { thinkingConfig: { thinkingLevel: 'LOW' } } }, 'thinkingConfig.thinkingLevel'],
    ['gemini-3.1-pro-preview', { generation_config: { thinking_config: { thinking_level: 'low' } } }, null],
    ['gemini-2.5-pro', { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } }, 'thinkingConfig.thinkingBudget'],
    ['gemini-2.5-flash', { generationConfig: { thinkingConfig: { thinkingBudget: 0, includeThoughts: false } } }, null],
    ['gemini-2.5-flash-lite', { generationConfig: { thinkingConfig: { thinkingBudget: 100 } } }, 'thinkingConfig.thinkingBudget'],
    ['gemini-2.5-flash', { generationConfig: { thinkingConfig: { thinkingBudget: 30_000 } } }, 'thinkingConfig.thinkingBudget'],
    ['gemini-2.5-flash', { tools: [{ computerUse: {} }] }, 'tools.computerUse'],
    ['gemini-2.5-flash', { tools: [{ google_search: {} }] }, null],
    ['gemini-2.0-flash', { tools: [{ urlContext: {} }] }, 'tools.urlContext'],
    ['gemini-2.5-flash', { cachedContent: 'cachedContents/x' }, 'cachedContent'],
    ['gemini-2.5-flash', { tools: [{ functionDeclarations: [{ name: 'f' }] }] }, null],
    ['gemini-2.5-flash', { tools: [{ googleSearch: {} }, { functionDeclarations: [{ name: 'f' }] }] }, 'tools.functionDeclarations'],
    ['gemini-3.1-pro-preview', { tools: [{ googleSearch: {} }, { function_declarations: [{ name: 'f' }] }] }, null],
    ['gemini-2.5-flash', { tools: [{ googleSearch: {} }], generationConfig: { responseMimeType: 'application/json' } }, 'responseMimeType'],
    ['gemini-2.5-flash', { generation_config: { response_mime_type: 'application/json' } }, null],
    ['gemini-3.1-pro-preview', { tools: [{ googleSearch: {} }], generationConfig: { responseSchema: {} } }, null],
    [
      'gemini-2.5-flash',
      { contents: [{ parts: [{ text: 'x', mediaResolution: { level: 'MEDIA_RESOLUTION_HIGH' } }] }] },
      'parts.mediaResolution',
    ],
    ['gemini-2.5-flash', { generationConfig: { presencePenalty: 0.5 } }, 'presencePenalty'],
    ['gemini-2.5-flash', { generationConfig: { responseModalities: ['TEXT', 'IMAGE'] } }, 'responseModalities'],
    [
      'gemini-2.5-flash',
      { generationConfig: { temperature: 0.1, topP: 0.5, topK: 3, stopSequences: ['x'], responseModalities: ['TEXT'] } },
      null,
    ],
  ])('%s, %j: %s', (model, body, refused) => expect(refusedParameter(gemini(body), 'google', model)).toBe(refused));
});

describe('a limit on the answer', () => {
  it('gets the name that the model takes, and nothing else changes', () => {
    const text = '{ "max_tokens" :\n100, "messages":[{"role":"user","content":"\\"max_tokens\\":1"}], "model":"gpt-4.1"}';
    const exchange = read('openai-chat', text);
    const limitName = limitNameFor(exchange, 'openai', 'gpt-5-nano');
    expect(limitName).toBe('max_completion_tokens');
    const spliced = Buffer.concat(
      spliceRequest(Buffer.from(text), exchange, { model: 'gpt-5-nano', limitName: limitName!, askUsage: true }),
    ).toString();
    expect(spliced).toBe(
      '{"stream_options":{"include_usage":true}, "max_completion_tokens" :\n100, "messages":[{"role":"user","content":"\\"max_tokens\\":1"}], "model":"gpt-5-nano"}',
    );
  });

  it('is renamed wherever it stands beside the model', () => {
    const text = '{"model":"a","max_completion_tokens":5,"model":"b","messages":[]}';
    const exchange = read('openai-chat', text);
    expect(
      Buffer.concat(
        spliceRequest(Buffer.from(text), exchange, { model: 'c', limitName: limitNameFor(exchange, 'mistral', 'x')!, askUsage: false }),
      ).toString(),
    ).toBe('{"model":"c","max_tokens":5,"model":"c","messages":[]}');
  });

  it('keeps its name where the model takes either, or has it already', () => {
    expect(limitNameFor(chat({ max_tokens: 5 }), 'openai', 'gpt-4.1-nano')).toBeNull();
    expect(limitNameFor(chat({ max_completion_tokens: 5 }), 'deepseek', 'deepseek-chat')).toBe('max_tokens');
    expect(limitNameFor(chat({ max_tokens: 5 }), 'deepseek', 'deepseek-chat')).toBeNull();
    expect(limitNameFor(chat({ max_completion_tokens: 5 }), 'openai', 'gpt-5-nano')).toBeNull();
    expect(limitNameFor(responses({ max_output_tokens: 5 }), 'openai', 'gpt-5-nano')).toBeNull();
  });

  it.each([
    '{"model":"a","max\\u005ftokens":5,"messages":[]}',
    '{"model":"a","max_tokens":5,"max_tokens":6,"messages":[]}',
    '{"model":"a","max_tokens":5,"max_completion_tokens":6,"messages":[]}',
  ])('that cannot be renamed keeps the request where it is: %s', (text) => {
    expect(refusedParameter(read('openai-chat', text), 'openai', 'gpt-5-nano')).toBe('max_tokens');
  });
});

describe('what a process has learnt', () => {
  it('is asked beside the table, and is bounded', () => {
    const learnt = new LearntRefusals();
    learnt.learn('openai', 'gpt-4.1-nano', 'seed');
    expect(refusedParameter(chat({ seed: 1 }), 'openai', 'gpt-4.1-nano', learnt.of('openai', 'gpt-4.1-nano'))).toBe('seed');
    expect(refusedParameter(chat({ seed: 1 }), 'openai', 'gpt-4.1-mini', learnt.of('openai', 'gpt-4.1-mini'))).toBeNull();
    for (let i = 0; i < limits.refusingModels; i++) learnt.learn('openai', `m${i}`, 'seed');
    expect(learnt.of('openai', 'gpt-4.1-nano')).toBeNull();
  });

  it('more parameters than are kept are nobody else’s', () => {
    const many = Object.fromEntries(Array.from({ length: limits.parameters + 5 }, (_, at) => [`odd_${at}`, at]));
    const exchange = chat(many);
    expect(exchange.parameters).toHaveLength(limits.parameters);
    expect(refusedParameter(exchange, 'openai', 'gpt-4.1-nano')).toBe('…');
  });
});

it('candidates of one tier are compared by what they take', () => {
  expect(differences(tableOf('openai')!, askedModel('openai', 'gpt-5-nano'), [askedModel('openai', 'gpt-4.1-nano')])).toEqual(
    expect.arrayContaining(['temperature', 'stop', 'logprobs']),
  );
  expect(differences(tableOf('openai')!, askedModel('openai', 'gpt-5-nano'), [askedModel('openai', 'gpt-5-mini')])).not.toContain(
    'temperature',
  );
});

describe('words that are no text of a turn', () => {
  const long = 'lorem ipsum '.repeat(1_000);

  it('are part of the prompt: what a tool answered, and documents in plain text', () => {
    expect(
      gemini({ contents: [{ role: 'user', parts: [{ functionResponse: { name: 'f', response: { output: long } } }] }] }).promptTokens,
    ).toBeGreaterThan(1_900);
    const document = (source: object): number =>
      messages({
        messages: [
          {
            role: 'user',
            content: [
              { type: 'document', source },
              { type: 'text', text: 'sum it up' },
            ],
          },
        ],
      }).promptTokens;
    expect(document({ type: 'text', media_type: 'text/plain', data: long })).toBeGreaterThan(1_900);
    expect(document({ type: 'base64', media_type: 'application/pdf', data: long })).toBeLessThan(1_700);
  });
});
