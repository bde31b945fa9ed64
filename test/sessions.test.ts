import { readFileSync } from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadCatalog } from '../src/catalog/index.ts';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { sessionHeaders } from '../src/sessions/key.ts';
import { recordOf as recordAt } from './support/record.ts';

const policy = `
version: 1
defaults:
  candidates:
    simple: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    standard: [openai/gpt-5-mini, anthropic/claude-haiku-4-5]
    complex: [openai/gpt-5.1, anthropic/claude-sonnet-4-6]
  sessions: { mode: on }
sections:
  - { name: loose, match: { workspace: [loose] }, sessions: { mode: 'off' } }
  - name: close
    match: { workspace: [close] }
    # Without a cache gpt-5-mini is the dearer of the two.
    candidates: { simple: [openai/gpt-5-mini, openai/gpt-4.1-nano], standard: [openai/gpt-5-mini, openai/gpt-4.1-nano], complex: [openai/gpt-5-mini, openai/gpt-4.1-nano] }
    rules: [ { name: first, when: "request.userTurns == 1", then: { model: openai/gpt-5-mini } } ]
`;

const simulator = new ProviderSimulator();
let stack: Stack;
let openai: OpenAI;

beforeAll(async () => {
  stack = new Stack({ policy, endpoint: await simulator.listen() });
  await stack.start();
  openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
});

const recordOf = (id: string | null): Promise<ExchangeRecord> => recordAt(stack.adminUrl, id);

const hard =
  'Prove step by step that every continuous function on a compact metric space is uniformly continuous, and explain where compactness is needed, with a counterexample when it fails.';

it('keeps a later turn of a conversation at the tier that its question needed, by its first message alone', async () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: hard }];
  const first = await openai.chat.completions.create({ model: 'gpt-5.1', messages }).withResponse();
  const before = await recordOf(first.response.headers.get('x-sluice-decision'));
  expect(before.verdict?.tier).toBe('complex');
  messages.push({ role: 'assistant', content: 'Done. Anything else?' }, { role: 'user', content: 'What is a CDN?' });
  const ask = (workspace: string) =>
    openai.chat.completions.create({ model: 'gpt-5.1', messages }, { headers: { 'x-sluice-workspace': workspace } }).withResponse();
  const second = await ask('default');
  const record = await recordOf(second.response.headers.get('x-sluice-decision'));
  expect(record).toMatchObject({
    servedModel: 'gpt-5.1',
    decision: { tier: 'complex', session: { source: 'opening', turn: 2, floor: 'complex', raised: true, last: { model: 'gpt-5.1' } } },
  });
  expect(record.verdict?.tier).not.toBe('complex');
  const text = await fetch(`${stack.adminUrl}/decisions/${record.id}?format=text`).then((response) => response.text());
  expect(text).toMatch(/session {5}[0-9a-f]{16}, named by its first message, turn 2, not below complex \(this turn alone would be\)/);
  // Without conversation affinity the same turn is decided on its own.
  expect((await recordOf((await ask('loose')).response.headers.get('x-sluice-decision'))).decision?.tier).toBe(record.verdict?.tier);
});

it('knows a conversation of the Anthropic SDK by its header', async () => {
  const anthropic = new Anthropic({ apiKey: 'test', baseURL: stack.url, maxRetries: 0 });
  const ask = async (content: string, session: string) => {
    const { response } = await anthropic.messages
      .create(
        { model: 'claude-sonnet-4-6', max_tokens: 500, messages: [{ role: 'user', content }] },
        { headers: { 'x-sluice-session': session } },
      )
      .withResponse();
    return recordOf(response.headers.get('x-sluice-decision'));
  };
  const [one, two] = [await ask(hard, 's1'), await ask('yes, do it', 's1')];
  expect([one.decision?.tier, two.decision?.tier]).toEqual(['complex', 'complex']);
  expect((await ask('yes, do it', 's2')).decision?.tier).toBe('simple');
});

it('does not throw a long prompt’s cache away for a model that is cheaper without it', async () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'You answer briefly. '.repeat(1_500) },
    { role: 'user', content: 'What is a CDN?' },
  ];
  const ask = async () => {
    const { response } = await openai.chat.completions
      .create({ model: 'gpt-5.1', messages, max_completion_tokens: 64 }, { headers: { 'x-sluice-workspace': 'close' } })
      .withResponse();
    return recordOf(response.headers.get('x-sluice-decision'));
  };
  expect((await ask()).servedModel).toBe('gpt-5-mini');
  messages.push({ role: 'assistant', content: 'A network of caches.' }, { role: 'user', content: 'What is a PoP?' });
  const second = await ask();
  expect(second).toMatchObject({
    servedModel: 'gpt-5-mini',
    decision: { reason: 'tier', session: { turn: 2, last: { model: 'gpt-5-mini' }, keptForCache: true } },
  });
  expect(second.decision?.session?.cachedTokens).toBeGreaterThan(1_024);
});

it('docs/sessions.md shows a policy that is good, and every header', async () => {
  const page = readFileSync(new URL('../docs/sessions.md', import.meta.url), 'utf8');
  const texts = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  expect(texts.length).toBeGreaterThan(0);
  const catalog = await loadCatalog();
  for (const text of texts) expect(compilePolicy([{ name: 'policy.yaml', text }], { catalog }).problems).toEqual([]);
  for (const header of sessionHeaders) expect(page).toContain(`\`${header}\``);
});
