import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { userHash } from '../src/budgets/user.ts';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { redisThere, TestRedis } from './support/redis.ts';
import { ScriptedProvider, status, well } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';
import { entry } from './support/entry.ts';

const provider = new ScriptedProvider();
const messages: { path: string; body: string }[] = [];
let hooks: Server;
let stack: Stack;
let endpoint: string;

const policyFor = (hook: string): string => `
version: 1
defaults:
  candidates:
    simple: [openai/gpt-5-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite]
    standard: [openai/gpt-5-mini, anthropic/claude-haiku-4-5, google/gemini-2.5-flash]
    complex: [openai/gpt-5.1, anthropic/claude-sonnet-4-6, google/gemini-2.5-pro]
  tiers: []
sections:
  - { name: chained, match: { workspace: [chained] }, fallback: { models: { gpt-5.1: [openai/gpt-5-mini] } } }
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
webhooks:
  ops: { url: "${hook}/json" }
  chat: { url: "${hook}/slack", format: slack }
budgets:
  - { name: poor, match: { workspace: [poor] }, period: month, usd: 0.000001, hard: {} }
  - { name: squeezed, match: { workspace: [squeezed] }, period: day, usd: 10, hard: { cheaper: simple, cheaperAt: 0.000001 } }
  - { name: told, match: { workspace: [told] }, per: [user], period: week, zone: Europe/Berlin, usd: 0.01, soft: { at: [1], notify: [ops, chat] } }
  - { name: accounts, match: { workspace: [chained, cached] }, per: [workspace], period: month, usd: 5, hard: {} }
`;

beforeAll(async () => {
  hooks = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      messages.push({ path: request.url ?? '', body });
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve));
  endpoint = await provider.listen();
  stack = new Stack({ policy: policyFor(`http://127.0.0.1:${(hooks.address() as AddressInfo).port}`), endpoint });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await provider.close();
  hooks.closeAllConnections();
  await new Promise((resolve) => hooks.close(resolve));
});

const openai = (workspace: string): OpenAI =>
  new OpenAI({ apiKey: 'test', baseURL: `${stack.url}/v1`, defaultHeaders: { 'x-sluice-workspace': workspace } });

interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly record: ExchangeRecord;
}

async function ask(
  workspace: string,
  headers: Readonly<Record<string, string>> = {},
  content = 'What is a CDN?',
  at = stack,
): Promise<Asked> {
  const response = await fetch(`${at.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace, ...headers },
    body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }] }),
  });
  await response.text();
  return {
    status: response.status,
    headers: response.headers,
    record: await recordOf(at.adminUrl, response.headers.get('x-sluice-decision')),
  };
}

const spentOf = async (budget: string): Promise<Record<string, number>> => {
  const { budgets } = (await fetch(`${stack.adminUrl}/budgets?budget=${budget}`).then((response) => response.json())) as {
    budgets: { of: Record<string, string>; spentUsd: number; reservedUsd: number }[];
  };
  return Object.fromEntries(budgets.map(({ of, spentUsd, reservedUsd }) => [Object.values(of).join(), spentUsd + reservedUsd]));
};

describe('a budget that is used up', () => {
  it('is each official SDK’s own rate-limit error, once, with the time until it starts again', async () => {
    const before = provider.got.length;
    const failure = (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => 'answered',
        (error: unknown) => error,
      );

    const fromOpenai = await failure(
      openai('poor').chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
    );
    expect(fromOpenai).toBeInstanceOf(OpenAI.RateLimitError);
    expect(fromOpenai).toMatchObject({
      status: 429,
      code: 'insufficient_quota',
      type: 'insufficient_quota',
      message: expect.stringContaining('The budget poor is used up until') as string,
    });
    const headers = (fromOpenai as InstanceType<typeof OpenAI.RateLimitError>).headers;
    const untilMonthEnds = (Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1, 1) - Date.now()) / 1000;
    expect(Math.abs(Number(headers.get('retry-after')) - untilMonthEnds)).toBeLessThan(60);

    const streamed = await failure(openai('poor').responses.create({ model: 'gpt-5.1', input: 'What is a CDN?', stream: true }));
    expect(streamed).toBeInstanceOf(OpenAI.RateLimitError);

    const anthropic = new Anthropic({ apiKey: 'test', baseURL: stack.url, defaultHeaders: { 'x-sluice-workspace': 'poor' } });
    const fromAnthropic = await failure(
      anthropic.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 100, messages: [{ role: 'user', content: 'What is a CDN?' }] }),
    );
    expect(fromAnthropic).toBeInstanceOf(Anthropic.RateLimitError);
    expect(fromAnthropic).toMatchObject({ status: 429, error: { type: 'error', error: { type: 'rate_limit_error' } } });

    const google = new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: stack.url, headers: { 'x-sluice-workspace': 'poor' } } });
    const fromGoogle = await failure(google.models.generateContent({ model: 'gemini-2.5-pro', contents: 'What is a CDN?' }));
    expect(fromGoogle).toBeInstanceOf(ApiError);
    expect(fromGoogle).toMatchObject({ status: 429, message: expect.stringContaining('RESOURCE_EXHAUSTED') as string });

    // Nothing reached a provider, and no SDK retried.
    expect(provider.got.length).toBe(before);
    const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    expect(metrics).toContain('llm_proxy_budget_actions_total{budget="poor",action="refused"} 4');
    expect(metrics).toMatch(/^llm_proxy_budget_limit_dollars\{budget="poor"\} 0.000001$/m);
  });

  it('is in the record and its explanation', async () => {
    const { status: code, headers, record } = await ask('poor', { 'x-sluice-user': 'ann@example.test' });
    expect([code, headers.get('x-sluice-reason')]).toEqual([429, 'over-budget']);
    expect(record).toMatchObject({
      outcome: 'blocked',
      cost: { known: true, usd: 0 },
      user: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      decision: { action: 'block', reason: 'over-budget', rule: 'poor' },
      budgets: [{ budget: 'poor', action: 'refused', limit: 0.000001 }],
    });
    const text = await fetch(`${stack.adminUrl}/decisions/${record.id}?format=text`).then((response) => response.text());
    expect(text).toContain('because     a budget is used up ("poor")');
    expect(text).toMatch(/poor: refused the request; used \$0\.0+ of \$0\.00000100/);
    expect(JSON.stringify(record) + readFileSync(stack.logFile, 'utf8')).not.toContain('ann@example');
  });

  it('refuses a request whose caller switched routing off, too', async () => {
    expect((await ask('poor', { 'x-sluice-route': 'off' })).status).toBe(429);
    expect((await ask('accountless', { 'x-sluice-route': 'off' })).status).toBe(200);
  });
});

describe('a budget in use', () => {
  it('moves requests to a cheaper tier before it refuses any', async () => {
    expect((await ask('squeezed')).record).toMatchObject({
      servedModel: 'gpt-5-nano',
      decision: { action: 'route', reason: 'budget', rule: 'squeezed', tier: 'simple' },
      budgets: [
        { budget: 'squeezed', action: 'cheaper' },
        { budget: 'squeezed', action: 'counted' },
      ],
    });
  });

  it('counts what a chain cost, where a failed attempt is free and the next one is not', async () => {
    provider.behaviour = (got, response, answer) => (got.model === 'gpt-5.1' ? status(500) : well)(got, response, answer);
    const { record } = await ask('chained');
    provider.behaviour = well;
    expect(record).toMatchObject({
      servedModel: 'gpt-5-mini',
      outcome: 'complete',
      cost: { known: true },
      budgets: [{ budget: 'accounts', of: { workspace: 'chained' }, action: 'counted' }],
    });
    const cost = record.cost.known ? record.cost.usd : NaN;
    expect(cost).toBeGreaterThan(0);
    expect((await spentOf('accounts'))['chained']).toBeCloseTo(cost, 8);
  });

  it('pays for an answer once, and nothing for its repeats from the cache', async () => {
    const first = await ask('cached');
    const spent = (await spentOf('accounts'))['cached'];
    expect(spent).toBeCloseTo(first.record.cost.known ? first.record.cost.usd : NaN, 8);
    const second = await ask('cached');
    expect(second.record).toMatchObject({ cache: 'hit', budgets: [], cost: { usd: 0 } });
    expect((await spentOf('accounts'))['cached']).toBe(spent);
  });

  it('tells webhooks once, in their own formats, of a user by hash only', async () => {
    for (let i = 0; i < 4; i++) await ask('told', { 'x-sluice-user': 'ann@example.test' });
    await expect.poll(() => messages.length).toBe(2);
    const json = JSON.parse(messages.find(({ path }) => path === '/json')!.body) as Record<string, unknown>;
    expect(json).toMatchObject({
      event: 'threshold',
      budget: 'told',
      percent: 1,
      of: { user: expect.stringMatching(/^[0-9a-f]{16}$/) as string },
      limitUsd: 0.01,
    });
    expect(JSON.parse(messages.find(({ path }) => path === '/slack')!.body)).toMatchObject({
      text: expect.stringContaining('has passed 1%') as string,
    });
    const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    expect(metrics).toContain('llm_proxy_budget_messages_total{budget="told",result="sent"} 2');
  });

  it('knows users by what apps say of them in the body, and believes a header first', async () => {
    const record = async (client: OpenAI, extra: object, headers: Readonly<Record<string, string>> = {}): Promise<string | null> => {
      const { response } = await client.chat.completions
        .create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }], ...extra }, { headers })
        .withResponse();
      const url = `${stack.adminUrl}/decisions/${response.headers.get('x-sluice-decision') ?? ''}`;
      await expect.poll(async () => (await fetch(url)).status).toBe(200);
      return ((await fetch(url).then((answer) => answer.json())) as { user: string | null }).user;
    };
    const client = openai('anyone');
    expect(await record(client, { user: 'ann' })).toBe(userHash('ann'));
    expect(await record(client, { safety_identifier: 'ann' })).toBe(userHash('ann'));
    expect(await record(client, { user: 'ann' }, { 'x-sluice-user': 'bob' })).toBe(userHash('bob'));
    expect(await record(client, {})).toBeNull();
    const anthropic = new Anthropic({ apiKey: 'test', baseURL: stack.url, defaultHeaders: { 'x-sluice-workspace': 'told' } });
    for (const user_id of ['carl', 'carl_session_1', 'carl__session_2'])
      await anthropic.messages.create({
        model: 'claude-sonnet-4-6',
        max_tokens: 50,
        metadata: { user_id },
        messages: [{ role: 'user', content: 'What is a CDN?' }],
      });
    expect(Object.keys(await spentOf('told'))).toContain(userHash('carl'));
    expect(Object.keys(await spentOf('told'))).toHaveLength(2);
  });

  it('is shown by command, and outlives the process', async () => {
    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [entry, 'budgets', '--admin', stack.adminUrl, ...args])).stdout;
    const before = await spentOf('accounts');
    await stack.stopSluice('SIGTERM');
    await stack.startSluice();
    expect(await spentOf('accounts')).toEqual(before);
    const table = await run();
    expect(table).toMatch(/^budget +for +period +spent +on its way +limit +used +state +ends \(UTC\)$/m);
    expect(table).toMatch(/^accounts +workspace chained +month +\$0\.\d+ +\$0\.00 +\$5\.0000 +\d+\.\d% +ok /m);
    expect(table).toContain('Counted in this process.');
    expect(JSON.parse(await run('accounts', '--json'))).toMatchObject({ store: 'memory', counters: 2 });
    await expect(run('nothing')).rejects.toMatchObject({ stderr: expect.stringContaining('has no budget nothing') as string });
    const told = messages.length;
    await ask('told', { 'x-sluice-user': 'ann@example.test' });
    expect(messages.length).toBe(told);
  });
});

describe.skipIf(!redisThere)('budgets in a Redis', () => {
  it('hold for apps behind an Envoy; when it dies their requests go on, counted', async () => {
    const redis = await TestRedis.start();
    const shared = new Stack({
      policy: 'version: 1\nbudgets: [{ name: team, period: day, usd: 0.004, hard: {} }]\n',
      endpoint,
      serve: ['--budgets-redis', redis.url, '--budgets-redis-deadline', '400'],
    });
    await shared.start();
    try {
      const statuses: number[] = [];
      for (let i = 0; i < 5; i++) statuses.push((await ask('any', {}, undefined, shared)).status);
      expect(statuses).toContain(429);
      expect(statuses[0]).toBe(200);
      await redis.stop();
      const { status: code, record } = await ask('any', {}, undefined, shared);
      expect([code, record.budgets]).toEqual([
        200,
        [{ budget: 'team', of: {}, action: 'uncounted', reserved: null, used: null, limit: 0.004 }],
      ]);
      const metrics = await fetch(`${shared.adminUrl}/metrics`).then((response) => response.text());
      const { stdout } = await promisify(execFile)(process.execPath, [entry, 'budgets', '--admin', shared.adminUrl]);
      expect(stdout).toMatch(/\nRedis does not answer: this is what this replica saw last/);
      expect(metrics).toMatch(/^llm_proxy_budget_backend_problem_total\{kind="(?:down|error|timeout)"\} [1-9]/m);
    } finally {
      await shared.stop();
      await redis.remove();
    }
  });
});
