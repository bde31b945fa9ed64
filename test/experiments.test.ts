import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadCatalog } from '../src/catalog/index.ts';
import { Stack } from '../src/demo/stack.ts';
import type { RolloutStatus } from '../src/experiments/rollout.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { ScriptedProvider, status, well, type Got } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';
import { entry } from './support/entry.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'sluice-experiments-'));
const provider = new ScriptedProvider();
let stack: Stack;
let openai: OpenAI;

const old = (more = ''): string => `
version: 1
defaults: { candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] } }
${more}`;
const ab = old('experiments: [{ name: strong, kind: ab, share: 50%, model: openai/gpt-5-mini }]');
const rolling = (model: string): string => `
version: 1
rollout: { stages: [50%], requests: 6, minutes: 0, tolerance: { cost: 10, latency: 10 } }
defaults: { candidates: { simple: [openai/${model}], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] } }
`;

beforeAll(async () => {
  const endpoint = await provider.listen();
  stack = new Stack({ policy: old(), endpoint, serve: ['--state', join(folder, 'state.json')] });
  await stack.start();
  openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
});

afterAll(async () => {
  await stack.stop();
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Answered {
  readonly arm: string | null;
  readonly model: string | null;
  readonly id: string;
}

async function ask(session: string): Promise<Answered> {
  const { headers } = await fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', 'x-sluice-session': session },
    body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
  });
  return { arm: headers.get('x-sluice-arm'), model: headers.get('x-sluice-model'), id: headers.get('x-sluice-decision') ?? '' };
}

const rollout = async (): Promise<RolloutStatus> =>
  (await fetch(`${stack.adminUrl}/rollout`).then((response) => response.json())) as RolloutStatus;
const policyHash = async (): Promise<string> =>
  ((await fetch(`${stack.adminUrl}/policy`).then((response) => response.json())) as { hash: string }).hash;
const sluice = async (...args: string[]): Promise<string> =>
  (await run(process.execPath, [entry, ...args, '--admin', stack.adminUrl])).stdout;
const asks = async (count: number, name: string): Promise<Answered[]> => {
  const answers: Answered[] = [];
  for (let i = 0; i < count; i++) answers.push(await ask(`${name}${i}`));
  return answers;
};

it('splits conversations between two models, says so in the header, the record and the figures, and stops at once', async () => {
  provider.behaviour = well;
  const before = await policyHash();
  stack.writePolicy(ab);
  await expect.poll(policyHash).not.toBe(before);
  const answers = await asks(16, 'a');
  expect(new Set(answers.map(({ arm, model }) => `${arm ?? ''} ${model ?? ''}`))).toEqual(
    new Set(['strong:control gpt-5-nano', 'strong:treatment gpt-5-mini']),
  );
  // The same conversation stays in its arm, also as the OpenAI SDK asks.
  const sdk = await openai.chat.completions
    .create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'And what is a PoP?' }] }, { headers: { 'x-sluice-session': 'a0' } })
    .withResponse();
  expect(sdk.response.headers.get('x-sluice-arm')).toBe(answers[0]?.arm);
  const again = await asks(16, 'a');
  expect(again.map(({ arm }) => arm)).toEqual(answers.map(({ arm }) => arm));
  const treated = answers.find(({ arm }) => arm === 'strong:treatment')!;
  const record = await recordOf(stack.adminUrl, treated.id, ({ arm }) => arm === 'strong:treatment');
  expect(record).toMatchObject({ decision: { reason: 'experiment', rule: 'strong' } });
  expect(await sluice('experiments')).toMatch(/^strong: ab, 50%, running\n +control +of +treatment +of +towards an alarm\n/);
  expect(await sluice('experiments', 'stop', 'strong')).toContain('strong: ab, 50%, stopped');
  expect((await asks(8, 'a')).map(({ arm, model }) => `${arm ?? 'none'} ${model ?? ''}`)).toEqual(Array(8).fill('none gpt-5-nano'));
  // A stopped experiment stays so when the server starts again.
  await stack.stopSluice('SIGTERM');
  await stack.startSluice();
  expect((await ask('a0')).arm).toBeNull();
  expect(await sluice('experiments', 'start', 'strong')).toContain('running');
  const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  expect(metrics).toContain('llm_proxy_experiment_evidence{experiment="strong",metric="quality"}');
});

it('rolls a policy out while its answers are good, and back at a word', async () => {
  provider.behaviour = well;
  const before = await policyHash();
  stack.writePolicy(rolling('gpt-5-mini'));
  await expect.poll(async () => (await rollout()).candidate?.share).toBe(0.5);
  const arms: Answered[] = [];
  // Which half a conversation is in depends on the policy's hash, and that on this run's ports.
  for (
    let i = 0;
    i < 60 && !(arms.some(({ arm }) => arm === 'rollout:treatment') && arms.some(({ arm }) => arm?.startsWith('rollout:control') === true));
    i++
  )
    arms.push(await ask(`r${i}`));
  expect(arms.filter(({ arm }) => arm === 'rollout:control,strong:control').every(({ model }) => model === 'gpt-5-nano')).toBe(true);
  expect(new Set(arms.filter(({ arm }) => arm === 'rollout:treatment').map(({ model }) => model))).toEqual(new Set(['gpt-5-mini']));
  expect(await sluice('rollout')).toMatch(/rolling out {2}[0-9a-f]{16}, 50% of the requests \(stage 1 of 1\)|kept /);
  let more = 0;
  await expect
    .poll(
      async () => {
        await asks(4, `more${more++}-`);
        return (await rollout()).candidate;
      },
      { timeout: 20_000 },
    )
    .toBeNull();
  const promoted = await rollout();
  expect(promoted).toMatchObject({ kept: { policy: before } });
  expect([await ask('any').then(({ model }) => model), await policyHash()]).toEqual(['gpt-5-mini', promoted.stable]);
  expect(await sluice('rollback')).toContain(`in force     ${before}\nrolled back  ${promoted.stable}\n`);
  expect(await policyHash()).toBe(before);
  await expect(sluice('rollout', 'promote')).rejects.toThrow('SLUICE_TRIALS');
});

it('takes a policy back by itself when its model fails', async () => {
  const before = await policyHash();
  provider.behaviour = (got, response, answer) => (got.model === 'gpt-4.1-nano' ? status(500)(got, response, answer) : answer());
  // Only errors may decide: so few requests must not be enough to go on.
  stack.writePolicy(rolling('gpt-4.1-nano').replace('requests: 6', 'requests: 5000'));
  await expect.poll(async () => (await rollout()).candidate?.share).toBe(0.5);
  const failing = (await rollout()).candidate!.policy;
  let more = 0;
  await expect
    .poll(
      async () => {
        await asks(10, `f${more++}-`);
        return (await rollout()).rolledBack.includes(failing);
      },
      { timeout: 30_000 },
    )
    .toBe(true);
  expect(await policyHash()).toBe(before);
  expect(await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text())).toContain(
    'llm_proxy_rollout_event_total{event="rolled-back",cause="errors"} 1',
  );
});

it('mirrors requests to another model, whose answers are graded and go to nobody', async () => {
  provider.behaviour = well;
  stack.writePolicy(old('experiments: [{ name: copies, kind: shadow, share: 100%, model: openai/gpt-5-mini, maxUsdPerDay: 1 }]'));
  await expect.poll(async () => (await sluice('experiments')).includes('copies: shadow, 100%, running')).toBe(true);
  provider.got.length = 0;
  const { data, response } = await openai.chat.completions
    .create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] })
    .withResponse();
  expect([data.model, response.headers.get('x-sluice-model'), response.headers.get('x-sluice-arm')]).toEqual([
    'gpt-5-nano',
    'gpt-5-nano',
    'copies:control',
  ]);
  await expect.poll(() => provider.got.map(({ model }) => model)).toEqual(['gpt-5-nano', 'gpt-5-mini']);
  const [original, copy] = provider.got as [Got, Got];
  expect(copy.body.replace('gpt-5-mini', 'gpt-5-nano')).toBe(original.body);
  expect([copy.path, copy.headers.authorization, copy.headers.host]).toEqual([original.path, 'Bearer sk-test', original.headers.host]);
  // Of Sluice's own a provider sees the name of the copy's cluster, which says nothing.
  expect([original, copy].map(({ headers }) => Object.keys(headers).filter((name) => name.startsWith('x-sluice')))).toEqual([
    ['x-sluice-mirror'],
    [],
  ]);
  expect(original.headers['x-sluice-mirror']).toMatch(/^copy_[0-9a-f]{8}$/);
  const records = async (): Promise<readonly ExchangeRecord[]> =>
    (
      (await fetch(`${stack.adminUrl}/decisions?limit=20`).then((found) => found.json())) as {
        readonly decisions: readonly ExchangeRecord[];
      }
    ).decisions;
  const id = response.headers.get('x-sluice-decision');
  await expect.poll(async () => (await records()).some(({ shadowOf }) => shadowOf === id)).toBe(true);
  const record = (await records()).find(({ shadowOf }) => shadowOf === id)!;
  expect(record).toMatchObject({
    kind: 'shadow',
    arm: 'copies:treatment',
    servedModel: 'gpt-5-mini',
    outcome: 'complete',
    status: 200,
    quality: { score: 1, depth: 'whole' },
    // Nobody would have paid for it without Sluice.
    baseline: { known: true, usd: 0 },
  });
  expect(record.cost.known && record.cost.usd > 0).toBe(true);
  expect(record.savings).toEqual({ known: true, usd: record.cost.known ? -record.cost.usd : null });

  // A stream is copied as one; the client hears nothing of it.
  provider.got.length = 0;
  const stream = await openai.chat.completions
    .create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a PoP?' }], stream: true })
    .withResponse();
  for await (const chunk of stream.data) expect(chunk.model).toBe('gpt-5-nano');
  await expect
    .poll(
      async () =>
        (await records()).find(({ shadowOf }) => shadowOf === stream.response.headers.get('x-sluice-decision'))?.usage?.totalOutput ?? 0,
    )
    .toBeGreaterThan(0);
  expect(provider.got.map(({ model }) => model)).toEqual(['gpt-5-nano', 'gpt-5-mini']);
  expect(await sluice('experiments', 'stop', '*')).toContain('stopped');
  provider.got.length = 0;
  expect((await ask('later')).arm).toBeNull();
  expect(provider.got.map(({ model }) => model)).toEqual(['gpt-5-nano']);
  await sluice('experiments', 'start', '*');
});

it('mirrors no more than a day may cost', async () => {
  stack.writePolicy(old('experiments: [{ name: dear, kind: shadow, share: 100%, model: openai/gpt-5.1, maxUsdPerDay: 0.000001 }]'));
  await expect.poll(async () => (await sluice('experiments')).includes('dear: shadow')).toBe(true);
  provider.got.length = 0;
  await ask('one');
  expect(provider.got.map(({ model }) => model)).toEqual(['gpt-5-nano']);
  expect(await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text())).toContain(
    'llm_proxy_shadow_total{experiment="dear",result="budget"} 1',
  );
});

it('docs/experiments.md shows policies that are good', async () => {
  const page = readFileSync(new URL('../docs/experiments.md', import.meta.url), 'utf8');
  const texts = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  expect(texts.length).toBeGreaterThan(0);
  const catalog = await loadCatalog();
  for (const text of texts) expect(compilePolicy([{ name: 'policy.yaml', text }], { catalog }).problems).toEqual([]);
});
