import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadCatalog } from '../src/catalog/index.ts';
import { Stack } from '../src/demo/stack.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { explainRecord } from '../src/route/explain.ts';
import type { Grade } from '../src/grades/types.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { says, ScriptedProvider, well } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-feedback-'));
writeFileSync(join(folder, 'key'), 'judge-key\n');
const provider = new ScriptedProvider();
const judge = new ScriptedProvider();
let stack: Stack;
let openai: OpenAI;

beforeAll(async () => {
  const policy = `
version: 1
providers:
  openai: { endpoint: "${await provider.listen()}" }
  deepseek: { endpoint: "${await judge.listen()}", credentialFile: "${join(folder, 'key')}" }
defaults:
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }
  grading: { checks: on }
sections:
  - { name: judged, match: { workspace: [judged] }, grading: { judge: { model: deepseek/deepseek-chat, share: 100%, maxUsdPerDay: 1 } } }
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
  openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([provider.close(), judge.close()]);
  rmSync(folder, { recursive: true, force: true });
});

type Graded = ExchangeRecord & { readonly grades?: readonly Grade[] };

const graded = (id: string, until?: (record: Graded) => boolean): Promise<Graded> => recordOf<Graded>(stack.adminUrl, id, until);

async function ask(workspace: string, more: object = {}): Promise<string> {
  const { response } = await openai.chat.completions
    .create(
      { model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }], ...more },
      { headers: { 'x-sluice-workspace': workspace } },
    )
    .withResponse();
  return response.headers.get('x-sluice-decision') ?? '';
}

const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${url}/v1/feedback`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });

it('takes an app’s grade through the gateway, by the id in the response header, and explains it', async () => {
  provider.behaviour = well;
  const decision = await ask('red');
  expect((await graded(decision)).quality).toEqual({ score: 1, fault: null, depth: 'ending' });
  const others = await post(stack.url, { decision, thumbs: 'down', source: 'user' }, { 'x-sluice-workspace': 'blue' });
  expect(others.status).toBe(404);
  const response = await post(stack.url, { decision, thumbs: 'down', source: 'user' }, { 'x-sluice-workspace': 'red' });
  expect([response.status, await response.json()]).toEqual([202, { decision, score: 0, source: 'user', result: 'accepted' }]);
  const record = await graded(decision, ({ grades }) => grades?.some(({ source }) => source === 'user') === true);
  expect(record.grades?.find(({ source }) => source === 'user')).toMatchObject({ decision, score: 0 });
  expect(await fetch(`${stack.adminUrl}/decisions/${decision}?format=text`).then((text) => text.text())).toContain(
    'graded      0.00 by user at ',
  );
  const metrics = await fetch(`${stack.adminUrl}/metrics`).then((text) => text.text());
  expect(metrics).toContain('llm_proxy_feedback_total{source="user",result="accepted"} 1');
  expect(metrics).toContain('llm_proxy_grade_total{source="user",tier="simple",model="gpt-5-nano"} 1');
  // Nothing of it went to the provider.
  expect(provider.got.every(({ path }) => path === '/v1/chat/completions')).toBe(true);
});

it('takes grades on the admin address, also of decisions from before a restart', async () => {
  provider.behaviour = well;
  const decision = await ask('red');
  await graded(decision);
  expect((await post(stack.adminUrl, { decision, score: 0.4, source: 'reviewer' })).status).toBe(202);
  await stack.stopSluice('SIGTERM');
  await stack.startSluice();
  expect((await post(stack.adminUrl, { decision, score: 0.8 })).status).toBe(202);
  expect((await graded(decision)).grades?.map(({ source, score }) => [source, score])).toEqual([
    ['reviewer', 0.4],
    ['app', 0.8],
  ]);
  expect(
    (await fetch(`${stack.adminUrl}/v1/feedback`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' })).status,
  ).toBe(415);
});

it('finds an answer that breaks the schema that was asked for, also in a stream', async () => {
  const response_format = {
    type: 'json_schema',
    json_schema: { name: 'n', schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } },
  };
  provider.behaviour = says({
    id: 'x',
    model: 'gpt-5-nano',
    choices: [{ index: 0, message: { role: 'assistant', content: '{"n":"one"}' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 4 },
  });
  expect((await graded(await ask('red', { response_format }))).quality).toEqual({ score: 0, fault: 'invalid-json', depth: 'whole' });
  // The simulator's answers have other members.
  provider.behaviour = well;
  const stream = await openai.chat.completions
    .create({
      model: 'gpt-5.1',
      messages: [{ role: 'user', content: 'What is n?' }],
      response_format: response_format as never,
      stream: true,
      stream_options: { include_usage: true },
    })
    .withResponse();
  for await (const chunk of stream.data) expect(chunk.id).not.toBe('');
  expect((await graded(stream.response.headers.get('x-sluice-decision') ?? '')).quality).toEqual({
    score: 0,
    fault: 'invalid-json',
    depth: 'whole',
  });
});

it('asks the judge beside the traffic, with the gateway’s key', async () => {
  provider.behaviour = well;
  judge.behaviour = says({
    choices: [{ index: 0, message: { role: 'assistant', content: '{"score": 3}' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 200, completion_tokens: 8 },
  });
  const decision = await ask('judged');
  const record = await graded(decision, ({ grades }) => grades?.some(({ source }) => source === 'judge') === true);
  expect(record.grades?.find(({ source }) => source === 'judge')).toMatchObject({ score: 0.3 });
  expect(judge.got).toHaveLength(1);
  expect(judge.got[0]?.headers.authorization).toBe('Bearer judge-key');
  expect(judge.got[0]?.body).toContain('What is a CDN?');
  // 200 tokens read and 8 written of deepseek-chat: a cost that no app asked for.
  const paid = (await stack.decisions(20)).find(({ judgeOf }) => judgeOf === decision)!;
  expect(paid).toMatchObject({
    kind: 'judge',
    workspace: 'judged',
    section: 'judged',
    provider: 'deepseek',
    servedModel: 'deepseek-chat',
    outcome: 'complete',
    status: 200,
    usage: { totalInput: 200, totalOutput: 8 },
    baseline: { known: true, usd: 0 },
  });
  expect(paid.cost.known && paid.cost.usd > 0).toBe(true);
  expect(paid.savings).toEqual({ known: true, usd: paid.cost.known ? -paid.cost.usd : null });
  expect(explainRecord(paid)).toContain(`graded      the answer of ${decision}`);
});

it('docs/feedback.md shows policies that are good', async () => {
  const page = readFileSync(new URL('../docs/feedback.md', import.meta.url), 'utf8');
  const texts = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  expect(texts.length).toBeGreaterThan(0);
  const catalog = await loadCatalog();
  for (const text of texts) expect(compilePolicy([{ name: 'policy.yaml', text }], { catalog }).problems).toEqual([]);
});
