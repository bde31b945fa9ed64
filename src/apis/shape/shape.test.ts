import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planShape, readExchange, recognise, shapeEdits, spliceRequest, type Shape, type ShapePlan } from '../index.ts';
import type { ParsedRequest } from '../types.ts';
import { strictest } from './types.ts';

const apis = {
  chat: ['/v1/chat/completions', 'openai', 'openai'],
  responses: ['/v1/responses', 'openai', 'openai'],
  completions: ['/v1/completions', 'openai', 'openai'],
  anthropic: ['/v1/messages', 'anthropic', 'anthropic'],
  gemini: ['/v1beta/models/MODEL:generateContent', 'gemini', 'google'],
} as const;
type Name = keyof typeof apis;

const none: Shape = { maxOutputTokens: null, reasoning: null, thinkingTokens: null, serviceTier: null };

function read(api: Name, model: string, text: string): ParsedRequest {
  const [path, family] = apis[api];
  const recognition = recognise(
    {
      method: 'POST',
      path: path.replace('MODEL', model),
      authority: '',
      contentType: 'application/json',
      contentEncoding: '',
      contentLength: null,
      upgrade: false,
    },
    family,
  );
  if (recognition.kind !== 'readable') throw new Error(recognition.reason);
  const result = readExchange(recognition, Buffer.from(text));
  if (!result.ok) throw new Error(result.reason);
  return result.exchange;
}

/** The members that a shape changed, and what was left alone. */
function shaped(
  api: Name,
  model: string,
  body: object,
  shape: Partial<Shape>,
  more: { readonly models?: readonly string[]; readonly translated?: boolean; readonly provider?: string } = {},
): readonly [body: Record<string, unknown>, left: readonly string[]] {
  const text = JSON.stringify(api === 'gemini' ? body : { model, ...body });
  const exchange = read(api, model, text);
  const targets = (more.models ?? [model]).map((name) => ({ provider: more.provider ?? apis[api][2], model: name }));
  const plan: ShapePlan = planShape(exchange, { ...none, ...shape }, targets, more.translated ?? false);
  const bytes = Buffer.concat(
    spliceRequest(Buffer.from(text), exchange, { askUsage: false, edits: shapeEdits(Buffer.from(text), exchange.api, plan.changes) }),
  );
  const after = JSON.parse(bytes.toString()) as Record<string, unknown>;
  delete after['model'];
  return [after, plan.left.map(({ part, why }) => `${part} ${why}`)];
}

describe('the limit on an answer', () => {
  it.each<[Name, string, object, object]>([
    ['chat', 'gpt-4.1', { max_tokens: 4_000, messages: [] }, { max_tokens: 800, messages: [] }],
    ['chat', 'gpt-5', { max_completion_tokens: 4_000 }, { max_completion_tokens: 800 }],
    ['chat', 'gpt-4.1', { max_tokens: 900, max_completion_tokens: 500 }, { max_tokens: 800, max_completion_tokens: 500 }],
    ['chat', 'gpt-4.1', {}, { max_completion_tokens: 800 }],
    ['chat', 'gpt-4.1', { max_tokens: null }, { max_tokens: 800 }],
    ['chat', 'gpt-4.1', { max_tokens: 800 }, { max_tokens: 800 }],
    ['chat', 'gpt-4.1', { max_tokens: 20 }, { max_tokens: 20 }],
    ['completions', 'gpt-3.5-turbo-instruct', { max_tokens: 4_000 }, { max_tokens: 800 }],
    ['responses', 'gpt-5', { max_output_tokens: 4_000 }, { max_output_tokens: 800 }],
    ['responses', 'gpt-5', {}, { max_output_tokens: 800 }],
    ['anthropic', 'claude-sonnet-4-6', { max_tokens: 4_000 }, { max_tokens: 800 }],
    ['anthropic', 'claude-sonnet-4-6', { max_tokens: 300 }, { max_tokens: 300 }],
    [
      'gemini',
      'gemini-2.5-pro',
      { generationConfig: { maxOutputTokens: 4_000, topK: 1 } },
      { generationConfig: { maxOutputTokens: 800, topK: 1 } },
    ],
    ['gemini', 'gemini-2.5-pro', { generation_config: { max_output_tokens: 4_000 } }, { generation_config: { max_output_tokens: 800 } }],
    ['gemini', 'gemini-2.5-pro', { generationConfig: {} }, { generationConfig: { maxOutputTokens: 800 } }],
    ['gemini', 'gemini-2.5-pro', { generationConfig: null }, { generationConfig: { maxOutputTokens: 800 } }],
    ['gemini', 'gemini-2.5-pro', { contents: [] }, { contents: [], generationConfig: { maxOutputTokens: 800 } }],
  ])('of %s, %s: %j → %j', (api, model, before, after) => {
    expect(shaped(api, model, before, { maxOutputTokens: 800 })).toEqual([after, []]);
  });

  it('is not said where the API answers with less by itself', () => {
    expect(shaped('completions', 'gpt-3.5-turbo-instruct', {}, { maxOutputTokens: 800 })).toEqual([{}, ['maxOutputTokens not-said']]);
  });

  it('keeps the name that compatible providers take, and leaves Anthropic room to think', () => {
    expect(shaped('chat', 'mistral-small', {}, { maxOutputTokens: 800 }, { provider: 'mistral' })[0]).toEqual({ max_tokens: 800 });
    const thinking = { max_tokens: 32_000, thinking: { type: 'enabled', budget_tokens: 16_000 } };
    expect(shaped('anthropic', 'claude-sonnet-4-5', thinking, { maxOutputTokens: 4_000 })).toEqual([
      { max_tokens: 4_000, thinking: { type: 'enabled', budget_tokens: 2_000 } },
      [],
    ]);
    expect(shaped('anthropic', 'claude-sonnet-4-5', thinking, { maxOutputTokens: 800 })).toEqual([thinking, ['maxOutputTokens no-place']]);
  });
});

describe('the effort to think', () => {
  it.each<[Name, string, object, Partial<Shape>, object, string[]]>([
    ['chat', 'gpt-5', { reasoning_effort: 'high' }, { reasoning: 'low' }, { reasoning_effort: 'low' }, []],
    ['chat', 'gpt-5', {}, { reasoning: 'low' }, { reasoning_effort: 'low' }, []],
    ['chat', 'gpt-5', { reasoning_effort: 'minimal' }, { reasoning: 'low' }, { reasoning_effort: 'minimal' }, []],
    // o3 has no minimal: the lowest that it has.
    ['chat', 'o3', { reasoning_effort: 'high' }, { reasoning: 'minimal' }, { reasoning_effort: 'low' }, []],
    ['chat', 'gpt-5.1', { reasoning_effort: 'high' }, { reasoning: 'minimal' }, { reasoning_effort: 'none' }, []],
    // It does not think unless it is asked to: an effort would raise it.
    ['chat', 'gpt-5.1', {}, { reasoning: 'low' }, {}, ['reasoning not-said']],
    ['chat', 'gpt-5.6-luna', {}, { reasoning: 'low' }, { reasoning_effort: 'low' }, []],
    ['chat', 'gpt-5.1-codex-max', {}, { reasoning: 'low' }, { reasoning_effort: 'low' }, []],
    ['chat', 'gpt-4.1', {}, { reasoning: 'low' }, {}, ['reasoning not-taken']],
    ['chat', 'gpt-5', {}, { thinkingTokens: 500 }, {}, ['thinkingTokens no-place']],
    ['completions', 'gpt-3.5-turbo-instruct', {}, { reasoning: 'low' }, {}, ['reasoning no-place']],
    [
      'responses',
      'gpt-5',
      { reasoning: { effort: 'high', summary: 'auto' } },
      { reasoning: 'medium' },
      { reasoning: { effort: 'medium', summary: 'auto' } },
      [],
    ],
    ['responses', 'gpt-5', { reasoning: { summary: 'auto' } }, { reasoning: 'low' }, { reasoning: { effort: 'low', summary: 'auto' } }, []],
    ['responses', 'gpt-5', {}, { reasoning: 'low' }, { reasoning: { effort: 'low' } }, []],
    ['responses', 'gpt-5', { reasoning: null }, { reasoning: 'low' }, { reasoning: { effort: 'low' } }, []],
    ['responses', 'gpt-5', { reasoning: { effort: null } }, { reasoning: 'low' }, { reasoning: { effort: 'low' } }, []],
    [
      'anthropic',
      'claude-opus-4-6',
      { max_tokens: 9_000, output_config: { effort: 'max' } },
      { reasoning: 'medium' },
      { max_tokens: 9_000, output_config: { effort: 'medium' } },
      [],
    ],
    [
      'anthropic',
      'claude-opus-4-6',
      { max_tokens: 9_000, thinking: { type: 'adaptive' } },
      { reasoning: 'low' },
      { max_tokens: 9_000, thinking: { type: 'adaptive' }, output_config: { effort: 'low' } },
      [],
    ],
    ['anthropic', 'claude-opus-4-6', { max_tokens: 9_000 }, { reasoning: 'low' }, { max_tokens: 9_000 }, ['reasoning not-said']],
    [
      'anthropic',
      'claude-sonnet-5-5',
      { max_tokens: 9_000 },
      { reasoning: 'low' },
      { max_tokens: 9_000, output_config: { effort: 'low' } },
      [],
    ],
    [
      'anthropic',
      'claude-sonnet-5',
      { max_tokens: 9_000, thinking: { type: 'disabled' } },
      { reasoning: 'low' },
      { max_tokens: 9_000, thinking: { type: 'disabled' } },
      ['reasoning not-said'],
    ],
    [
      'anthropic',
      'claude-sonnet-4-5',
      { max_tokens: 9_000, thinking: { type: 'enabled', budget_tokens: 8_000 } },
      { reasoning: 'low' },
      { max_tokens: 9_000, thinking: { type: 'enabled', budget_tokens: 1_024 } },
      [],
    ],
    [
      'anthropic',
      'claude-sonnet-4-5',
      { max_tokens: 9_000, thinking: { type: 'enabled', budget_tokens: 8_000 } },
      { thinkingTokens: 500 },
      { max_tokens: 9_000, thinking: { type: 'enabled', budget_tokens: 1_024 } },
      [],
    ],
    ['anthropic', 'claude-sonnet-4-5', { max_tokens: 9_000 }, { thinkingTokens: 500 }, { max_tokens: 9_000 }, ['thinkingTokens not-said']],
    [
      'gemini',
      'gemini-2.5-pro',
      { generationConfig: { thinkingConfig: { thinkingBudget: 20_000 } } },
      { reasoning: 'low' },
      { generationConfig: { thinkingConfig: { thinkingBudget: 1_024 } } },
      [],
    ],
    [
      'gemini',
      'gemini-2.5-flash',
      { generationConfig: { thinkingConfig: { thinkingBudget: -1 } } },
      { thinkingTokens: 2_000 },
      { generationConfig: { thinkingConfig: { thinkingBudget: 2_000 } } },
      [],
    ],
    ['gemini', 'gemini-2.5-flash', {}, { thinkingTokens: 2_000 }, { generationConfig: { thinkingConfig: { thinkingBudget: 2_000 } } }, []],
    [
      'gemini',
      'gemini-2.5-flash',
      { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } },
      { reasoning: 'low' },
      { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } },
      [],
    ],
    ['gemini', 'gemini-2.5-flash-lite', {}, { reasoning: 'low' }, {}, ['reasoning not-said']],
    ['gemini', 'gemini-2.5-pro', {}, { thinkingTokens: 5 }, {}, ['thinkingTokens not-taken']],
    ['gemini', 'gemini-3-pro-preview', {}, { reasoning: 'low' }, { generationConfig: { thinkingConfig: { thinkingLevel: 'low' } } }, []],
    [
      'gemini',
      'gemini-3-pro-preview',
      { generationConfig: { thinkingConfig: { thinkingLevel: 'HIGH' } } },
      { reasoning: 'low' },
      { generationConfig: { thinkingConfig: { thinkingLevel: 'LOW' } } },
      [],
    ],
  ])('of %s, %s: %j, %j → %j', (api, model, before, shape, after, left) => {
    expect(shaped(api, model, before, shape)).toEqual([after, left]);
  });

  it('is not added where another model of the chain takes none, or gets the request translated', () => {
    expect(shaped('chat', 'gpt-5', {}, { reasoning: 'low' }, { models: ['gpt-5', 'gpt-4.1'] })).toEqual([{}, ['reasoning not-said']]);
    expect(shaped('chat', 'gpt-5', {}, { reasoning: 'low' }, { translated: true })).toEqual([{}, ['reasoning not-said']]);
    // What the app says itself is lowered all the same.
    expect(shaped('chat', 'gpt-5', { reasoning_effort: 'high' }, { reasoning: 'low' }, { translated: true })).toEqual([
      { reasoning_effort: 'low' },
      [],
    ]);
  });
});

describe('the service tier', () => {
  it.each<[Name, string, object, object, string[]]>([
    ['chat', 'gpt-5', {}, { service_tier: 'flex' }, []],
    ['chat', 'gpt-5', { service_tier: 'priority' }, { service_tier: 'flex' }, []],
    ['responses', 'o3', { service_tier: 'auto' }, { service_tier: 'flex' }, []],
    ['chat', 'gpt-4.1', {}, {}, ['serviceTier not-taken']],
    ['anthropic', 'claude-opus-4-6', { max_tokens: 5 }, { max_tokens: 5 }, ['serviceTier no-place']],
    ['gemini', 'gemini-2.5-pro', {}, { serviceTier: 'flex' }, []],
    ['gemini', 'gemini-2.0-flash', {}, {}, ['serviceTier not-taken']],
  ])('of %s, %s: %j → %j', (api, model, before, after, left) => {
    expect(shaped(api, model, before, { serviceTier: 'flex' })).toEqual([after, left]);
  });

  it('is left alone at providers that have none under this name', () => {
    expect(shaped('chat', 'mistral-small', {}, { serviceTier: 'flex' }, { provider: 'mistral' })).toEqual([{}, ['serviceTier not-taken']]);
    expect(shaped('chat', 'gpt-5', {}, { serviceTier: 'flex' }, { translated: true })).toEqual([{}, ['serviceTier not-taken']]);
  });
});

describe('other providers of OpenAI’s API', () => {
  it.each<[string, string, object, object]>([
    ['groq', 'openai/gpt-oss-120b', {}, { reasoning_effort: 'low' }],
    ['together', 'openai/gpt-oss-120b', {}, {}],
    ['xai', 'grok-4.5', {}, { reasoning_effort: 'low' }],
    ['xai', 'grok-4.3', {}, {}],
    ['deepseek', 'deepseek-v4-pro', {}, { reasoning_effort: 'low' }],
    // It can think, or not.
    ['mistral', 'mistral-small-latest', { reasoning_effort: 'high' }, { reasoning_effort: 'none' }],
  ])('think by their own default: %s, %s: %j → %j', (provider, model, before, after) => {
    expect(shaped('chat', model, before, { reasoning: 'low' }, { provider })[0]).toEqual(after);
  });
});

it('raises nothing, whatever the app asks for, and changes no other byte', () => {
  const effort = fc.option(fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh'), { nil: undefined });
  const order = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];
  fc.assert(
    fc.property(
      fc.option(fc.nat(200_000), { nil: undefined }),
      effort,
      fc.constantFrom('gpt-5', 'gpt-5.1', 'gpt-5.2', 'o3', 'gpt-4.1'),
      fc.integer({ min: 16, max: 100_000 }),
      fc.constantFrom('minimal', 'low', 'medium', 'high'),
      fc.string(),
      (limit, asks, model, most, cap, text) => {
        const body = {
          ...(limit === undefined ? {} : { max_completion_tokens: limit }),
          ...(asks === undefined ? {} : { reasoning_effort: asks }),
          big: 9_007_199_254_740_991,
          text,
        };
        const [after] = shaped('chat', model, body, { maxOutputTokens: most, reasoning: cap });
        expect(after['max_completion_tokens']).toBe(Math.min(limit ?? Infinity, most));
        if (asks !== undefined) expect(order.indexOf(after['reasoning_effort'] as string)).toBeLessThanOrEqual(order.indexOf(asks));
        expect([after['text'], after['big']]).toEqual([text, body.big]);
      },
    ),
  );
});

it('keeps numbers and spaces as they came', () => {
  const text = '{ "model" : "gpt-4.1", "seed": 12345678901234567890, "max_tokens" :  9000 , "x":[1.0] }';
  const exchange = read('chat', 'gpt-4.1', text);
  const plan = planShape(exchange, { ...none, maxOutputTokens: 800 }, [{ provider: 'openai', model: 'gpt-4.1' }], false);
  expect(plan.changes).toEqual([{ part: 'maxOutputTokens', path: 'max_tokens', from: 9000, to: 800 }]);
  expect(
    Buffer.concat(
      spliceRequest(Buffer.from(text), exchange, { askUsage: false, edits: shapeEdits(Buffer.from(text), 'openai-chat', plan.changes) }),
    ).toString(),
  ).toBe(text.replace('9000', '800'));
});

it('takes the strictest of several shapes', () => {
  expect(
    strictest([
      { ...none, maxOutputTokens: 800, reasoning: 'high' },
      { ...none, maxOutputTokens: 2_000, reasoning: 'low' },
      { ...none, serviceTier: 'flex', thinkingTokens: 9 },
    ]),
  ).toEqual({ maxOutputTokens: 800, reasoning: 'low', thinkingTokens: 9, serviceTier: 'flex' });
});
