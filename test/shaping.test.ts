import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadCatalog } from '../src/catalog/index.ts';
import { Stack } from '../src/demo/stack.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { recordOf } from './support/record.ts';
import { ScriptedProvider, status, well } from './support/scripted-provider.ts';

const provider = new ScriptedProvider();
let stack: Stack;

const folder = mkdtempSync(join(tmpdir(), 'shaping-'));
writeFileSync(join(folder, 'key'), 'sk-gateway');

const policyFor = (endpoint: string): string => `
version: 1
defaults:
  tiers: []
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5] }
  rules:
    - { name: short, when: 'caller.workspace in ["short", "chained", "crossing"]', then: { shape: { maxOutputTokens: 800, reasoning: low } } }
    - { name: moved, when: 'caller.workspace == "short" && request.stream', then: { model: openai/gpt-5-mini, shape: { maxOutputTokens: 500 } } }
    - { name: thrifty, when: 'caller.workspace == "flexible"', then: { keep: true, shape: { serviceTier: flex } } }
    - { name: loose, when: 'caller.workspace == "loose"', then: { shape: { maxOutputTokens: 5000 } } }
providers:
  openai: { endpoint: "${endpoint}" }
  anthropic: { endpoint: "${endpoint}", credentialFile: ${join(folder, 'key')} }
  google: { endpoint: "${endpoint}" }
sections:
  - { name: crossing, match: { workspace: [crossing] }, allowProviders: [anthropic], fallback: { models: { gpt-5: [anthropic/claude-opus-4-6] } } }
  - { name: chained, match: { workspace: [chained] }, fallback: { models: { gpt-5: [openai/gpt-5-mini] } } }
  - { name: by-tier, match: { workspace: [by-tier] }, tiers: [simple, standard, complex], shape: { simple: { maxOutputTokens: 200 } } }
  - { name: watched, match: { workspace: [watched] }, mode: shadow, shape: { simple: { maxOutputTokens: 200 }, standard: { maxOutputTokens: 200 }, complex: { maxOutputTokens: 200 } } }
budgets:
  - { name: tight, match: { workspace: [tight] }, period: day, usd: 10, hard: { shape: { maxOutputTokens: 300 }, cheaperAt: 0.000001 } }
`;

beforeAll(async () => {
  stack = new Stack({ policy: policyFor(await provider.listen()), endpoint: null });
  await stack.start();
});
afterEach(() => {
  provider.behaviour = well;
});
afterAll(async () => {
  await stack.stop();
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

const messages = [{ role: 'user' as const, content: 'What is a CDN?' }];
const openai = (workspace: string): OpenAI =>
  new OpenAI({ apiKey: 'test', baseURL: `${stack.url}/v1`, defaultHeaders: { 'x-sluice-workspace': workspace } });
const lastBody = (): Record<string, unknown> => JSON.parse(provider.got.at(-1)!.body) as Record<string, unknown>;
const record = (response: Response): Promise<ExchangeRecord> => recordOf(stack.adminUrl, response.headers.get('x-sluice-decision'));

describe('a rule that shapes', () => {
  it('caps OpenAI’s chat, and the record and its explanation say so', async () => {
    const { response } = await openai('short')
      .chat.completions.create({ model: 'gpt-5', max_completion_tokens: 4_000, reasoning_effort: 'high', messages })
      .withResponse();
    expect(lastBody()).toMatchObject({ model: 'gpt-5', max_completion_tokens: 800, reasoning_effort: 'low' });
    const kept = await record(response);
    expect(kept.decision?.shape).toMatchObject({
      by: ['rule short'],
      changes: [
        { part: 'maxOutputTokens', path: 'max_completion_tokens', from: 4_000, to: 800 },
        { part: 'reasoning', path: 'reasoning_effort', from: 'high', to: 'low' },
      ],
      left: [],
    });
    expect(kept.shapeSavings).toMatchObject({ known: true });
    const text = await fetch(`${stack.adminUrl}/decisions/${kept.id}?format=text`).then((answer) => answer.text());
    expect(text).toMatch(/Shape, by rule short\n {2}max_completion_tokens: 4000 → 800\n {2}reasoning_effort: high → low\n {2}saved about /);
    const metrics = await fetch(`${stack.adminUrl}/metrics`).then((answer) => answer.text());
    expect(metrics).toContain('llm_proxy_shape_total{part="maxOutputTokens",result="changed"} 1');
  });

  it('leaves the target to the rules after it, whose caps count too', async () => {
    const stream = await openai('short').chat.completions.create({ model: 'gpt-5', max_completion_tokens: 4_000, messages, stream: true });
    for await (const chunk of stream) expect(chunk.object).toBe('chat.completion.chunk');
    expect(lastBody()).toMatchObject({ model: 'gpt-5-mini', max_completion_tokens: 500, reasoning_effort: 'low' });
  });

  it('speaks the words of each API', async () => {
    await openai('short').responses.create({
      model: 'gpt-5',
      input: 'What is a CDN?',
      max_output_tokens: 4_000,
      reasoning: { effort: 'high' },
    });
    expect(lastBody()).toMatchObject({ max_output_tokens: 800, reasoning: { effort: 'low' } });
    await new Anthropic({ apiKey: 'test', baseURL: stack.url, defaultHeaders: { 'x-sluice-workspace': 'short' } }).messages.create({
      model: 'claude-opus-4-6',
      max_tokens: 4_000,
      thinking: { type: 'adaptive' },
      messages,
    });
    expect(lastBody()).toMatchObject({ max_tokens: 800, output_config: { effort: 'low' } });
    await new GoogleGenAI({
      apiKey: 'test',
      httpOptions: { baseUrl: stack.url, headers: { 'x-sluice-workspace': 'short' } },
    }).models.generateContent({ model: 'gemini-2.5-pro', contents: 'What is a CDN?', config: { maxOutputTokens: 4_000 } });
    expect(lastBody()).toMatchObject({ generationConfig: { maxOutputTokens: 800, thinkingConfig: { thinkingBudget: 1_024 } } });
  });

  it('never raises what the app asks for, and records what it leaves alone', async () => {
    const body = { model: 'gpt-4.1', max_completion_tokens: 50, messages };
    const { response } = await openai('short').chat.completions.create(body).withResponse();
    expect(lastBody()).toEqual(body);
    expect((await record(response)).decision?.shape).toMatchObject({ changes: [], left: [{ part: 'reasoning', why: 'not-taken' }] });
    await openai('loose').chat.completions.create({ ...body, max_completion_tokens: 4_999 });
    expect(lastBody()['max_completion_tokens']).toBe(4_999);
  });

  it('prefers the flex tier where the model has one', async () => {
    await openai('flexible').chat.completions.create({ model: 'gpt-5', messages });
    expect(lastBody()['service_tier']).toBe('flex');
    const { response } = await openai('flexible').chat.completions.create({ model: 'gpt-4.1', messages }).withResponse();
    expect(lastBody()).not.toHaveProperty('service_tier');
    expect((await record(response)).decision?.shape?.left).toEqual([{ part: 'serviceTier', why: 'not-taken' }]);
  });

  it('holds for every attempt of a chain', async () => {
    provider.behaviour = (got, response, answer) => (got.model === 'gpt-5' ? status(500) : well)(got, response, answer);
    await openai('chained').chat.completions.create({ model: 'gpt-5', max_completion_tokens: 4_000, messages });
    expect(lastBody()).toMatchObject({ model: 'gpt-5-mini', max_completion_tokens: 800, reasoning_effort: 'low' });
  });

  it('holds for a target of another API, in its words', async () => {
    provider.behaviour = (got, response, answer) => (got.model === 'gpt-5' ? status(500) : well)(got, response, answer);
    const { response } = await openai('crossing')
      .chat.completions.create({ model: 'gpt-5', max_completion_tokens: 4_000, reasoning_effort: 'high', messages })
      .withResponse();
    // Its own limit has room to think, as translations give it.
    expect(lastBody()).toMatchObject({ model: 'claude-opus-4-6', output_config: { effort: 'low' } });
    expect(Number(lastBody()['max_tokens'])).toBeLessThan(4_000);
    expect((await record(response)).attempts.map(({ target }) => target.model)).toEqual(['gpt-5', 'claude-opus-4-6']);
  });

  it('changes nothing for a caller that keeps its model', async () => {
    const body = { model: 'gpt-5', max_completion_tokens: 4_000, messages };
    await openai('short').chat.completions.create(body, { headers: { 'x-sluice-route': 'off' } });
    expect(lastBody()).toEqual(body);
  });
});

it('a tier’s shape is that of the tier that answers, and shadow mode only records it', async () => {
  const { response } = await openai('by-tier').chat.completions.create({ model: 'gpt-5', messages }).withResponse();
  expect((await record(response)).decision).toMatchObject({ tier: 'simple', shape: { by: ['tier simple'] } });
  expect(lastBody()).toMatchObject({ model: 'gpt-5-nano', max_completion_tokens: 200 });
  const body = { model: 'gpt-5', messages };
  const watched = await openai('watched').chat.completions.create(body).withResponse();
  expect(lastBody()).toEqual(body);
  const kept = await record(watched.response);
  expect(kept.decision?.shape?.changes).toHaveLength(1);
  expect(kept).not.toHaveProperty('shapeSavings');
});

it('a budget caps what requests ask for before it refuses them', async () => {
  const { response } = await openai('tight').chat.completions.create({ model: 'gpt-5', messages }).withResponse();
  expect(lastBody()).toMatchObject({ model: 'gpt-5', max_completion_tokens: 300 });
  expect(await record(response)).toMatchObject({
    decision: { shape: { by: ['budget tight'] } },
    budgets: [
      { budget: 'tight', action: 'cheaper' },
      { budget: 'tight', action: 'counted' },
    ],
  });
});

it('docs/shaping.md shows a good policy', async () => {
  const text = /```yaml\n([\s\S]*?)```/.exec(readFileSync(new URL('../docs/shaping.md', import.meta.url), 'utf8'))![1]!;
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text }], { catalog: await loadCatalog() });
  expect(problems).toEqual([]);
  const { rules, shapes } = generation!.section('default', 'openai');
  expect([
    rules.map(({ shape }) => shape !== null),
    shapes?.simple?.maxOutputTokens,
    generation!.budgets[0]?.hard?.shape?.serviceTier,
  ]).toEqual([[true, true], 400, 'flex']);
});
