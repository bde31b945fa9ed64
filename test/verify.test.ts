import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { LearningSummary } from '../src/router/online/state.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { says, ScriptedProvider, well, type Got } from './support/scripted-provider.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-verify-'));
writeFileSync(join(folder, 'key'), 'judge-key\n');
const provider = new ScriptedProvider();
const judge = new ScriptedProvider();
let stack: Stack;
let openai: OpenAI;

const policy = (endpoint: string, judgeAt: string, verify: string): string => `
version: 1
providers:
  openai: { endpoint: "${endpoint}" }
  deepseek: { endpoint: "${judgeAt}", credentialFile: "${join(folder, 'key')}" }
defaults:
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-nano], complex: [openai/gpt-5-nano] }
  learned: { weak: openai/gpt-5-nano, strong: [gpt-5.1], maxQualityLoss: 2% }
  # A request that is drawn by lot goes to the judge first.
  learning: { probes: 0%, upgrade: { scope: none } }
  verify: ${verify}
  grading: { judge: { model: deepseek/deepseek-chat, share: 0%, maxUsdPerDay: 1 } }
`;
let write: (verify: string) => void;

const usage = { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 };
const answers =
  (texts: Readonly<Record<string, string>>) =>
  (got: Got, response: Parameters<typeof provider.behaviour>[1], answer: () => Promise<void>): void | Promise<void> =>
    says({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: got.model,
      choices: [{ index: 0, message: { role: 'assistant', content: texts[got.model] ?? '?' }, finish_reason: 'stop' }],
      usage,
    })(got, response, answer);

beforeAll(async () => {
  const [endpoint, judgeAt] = [await provider.listen(), await judge.listen()];
  stack = new Stack({ policy: policy(endpoint, judgeAt, '{ share: 100%, by: stronger }'), endpoint: null });
  write = (verify) => stack.writePolicy(policy(endpoint, judgeAt, verify));
  await stack.start();
  openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([provider.close(), judge.close()]);
  rmSync(folder, { recursive: true, force: true });
});

async function ask(content: string, model = 'gpt-5.1'): Promise<string> {
  const { response } = await openai.chat.completions
    .create({
      model,
      messages: [
        { role: 'system', content: 'You answer with the number alone.' },
        { role: 'user', content },
      ],
    })
    .withResponse();
  return response.headers.get('x-sluice-decision') ?? '';
}

interface Graded extends ExchangeRecord {
  readonly grades?: readonly { readonly source: string; readonly score: number; readonly against?: number }[];
}

async function graded(id: string): Promise<Graded> {
  let record: Graded | null = null;
  await expect
    .poll(async () => {
      record = (await (await fetch(`${stack.adminUrl}/decisions/${id}`)).json()) as Graded;
      return record.grades?.some(({ source }) => source === 'verify') === true;
    })
    .toBe(true);
  return record!;
}

const verifyGrade = ({ grades }: Graded): unknown => grades?.find(({ source }) => source === 'verify');

async function shadowOf(id: string): Promise<ExchangeRecord | undefined> {
  const { decisions } = (await (await fetch(`${stack.adminUrl}/decisions?limit=50`)).json()) as {
    readonly decisions: readonly ExchangeRecord[];
  };
  return decisions.find((record) => record.shadowOf === id);
}

it('asks the requested model too, in shadow, and grades the served answer by how far they agree', async () => {
  provider.behaviour = answers({ 'gpt-5-nano': '17', 'gpt-5.1': 'The answer is 18.' });
  const wrong = await graded(await ask('What is 9 times 2?'));
  expect([wrong.servedModel, verifyGrade(wrong)]).toEqual(['gpt-5-nano', expect.objectContaining({ score: 0, against: 1 })]);
  provider.behaviour = answers({ 'gpt-5-nano': '18', 'gpt-5.1': 'The answer is 18.' });
  const right = await graded(await ask('What is 9 times 2, then?'));
  expect(verifyGrade(right)).toMatchObject({ score: 1, against: 1 });
  // The other answer is in the ledger with its cost, under the decision that it verifies.
  const copy = await shadowOf(right.id);
  expect(copy).toMatchObject({ kind: 'shadow', servedModel: 'gpt-5.1', arm: null, outcome: 'complete' });
  expect(copy?.cost.known === true && copy.cost.usd > 0).toBe(true);
  expect(judge.got).toHaveLength(0);
  // Learning has both models' grades for these requests.
  const summary = (await (await fetch(`${stack.adminUrl}/learning`)).json()) as LearningSummary;
  expect(summary.grades).toBe(2);
});

it('has a judge grade both answers where nobody can say whether they agree', async () => {
  const [weak, strong] = ['It is a net of servers, I think, which hold things.', 'A CDN caches content close to its readers.'];
  provider.behaviour = answers({ 'gpt-5-nano': weak, 'gpt-5.1': strong });
  judge.behaviour = (got, response, answer) => {
    const { messages } = JSON.parse(got.body) as { readonly messages: readonly { readonly content: string }[] };
    const { a } = JSON.parse(messages[1]!.content) as { readonly a: string };
    const [first, second] = a === weak ? [5, 9] : [9, 5];
    const content = JSON.stringify({ a: first, b: second });
    return says({ choices: [{ message: { content } }], usage })(got, response, answer);
  };
  for (let i = 0; i < 4; i++)
    expect(verifyGrade(await graded(await ask(`What is a CDN, in words of your own? (${i})`)))).toMatchObject({ score: 0.5, against: 0.9 });
  expect(judge.got).toHaveLength(4);
  expect(await (await fetch(`${stack.adminUrl}/metrics`)).text()).toMatch(
    /llm_proxy_verify_total\{result="agreement"\} 2[\s\S]*llm_proxy_verify_total\{result="judge"\} 4/,
  );
});

/** How many answers were not verified since the day's dollars are spent. */
async function beyondBudget(): Promise<number> {
  const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  return Number(/^llm_proxy_shadow_total\{experiment="\(verify\)",result="budget"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}

it('leaves alone what the requested model answers itself, and keeps within a day’s dollars', async () => {
  provider.behaviour = well;
  provider.got.length = 0;
  await ask('What is a PoP?', 'gpt-5-nano');
  write('{ share: 100%, maxUsdPerDay: 0.000001 }');
  await expect
    .poll(
      async () => {
        await ask('What is a CDN?');
        return beyondBudget();
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(0);
  const before = await beyondBudget();
  provider.got.length = 0;
  await ask('What is an edge?');
  await expect.poll(beyondBudget).toBeGreaterThan(before);
  expect(provider.got.map(({ model }) => model)).toEqual(['gpt-5-nano']);
});
