import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { limits } from '../lib/limits.ts';
import type { BudgetEvent } from './budgets.ts';
import { message, Notifier, slack } from './notify.ts';
import { nano } from '../policy/budget-types.ts';

let server: Server | null = null;
let notifier: Notifier | null = null;
afterEach(async () => {
  notifier?.close();
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
});

const statuses: number[] = [];
const got: { headers: Readonly<Record<string, unknown>>; body: string }[] = [];

async function listen(...answers: number[]): Promise<string> {
  got.length = 0;
  statuses.splice(0, Infinity, ...answers);
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 200, { connection: 'close', location: 'http://127.0.0.1:1/' }).end('ok');
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

function eventFor(
  webhook: string,
  facts: Partial<BudgetEvent> = {},
): { event: BudgetEvent; webhooks: ReturnType<typeof compiled>['webhooks'] } {
  const { budgets, webhooks } = compiled(
    `version: 1\nwebhooks: {ops: ${webhook}}\nbudgets: [{name: team, per: [user], period: day, usd: 10, soft: {notify: [ops]}, hard: {cheaper: simple}}]\n`,
  );
  const [budget] = budgets;
  const { start, end } = budget!.calendar.at(Date.UTC(2026, 10, 21, 12));
  return {
    webhooks,
    event: {
      kind: 'threshold',
      budget: budget!,
      counter: { id: 'team 1 ["<ann>"]', budget: 'team', values: ['<ann>'], start, end },
      percent: 80,
      state: { spent: 8.25 * nano, reserved: nano },
      ...facts,
    },
  };
}

async function send(webhook: string, count = 1): Promise<(readonly [string, string | null])[]> {
  const results: (readonly [string, string | null])[] = [];
  notifier = new Notifier({
    onResult: (_budget, result, error) => results.push([result, error]),
    waits: [1, 1],
    now: () => Date.UTC(2026, 10, 21, 12),
  });
  const { event, webhooks } = eventFor(webhook);
  for (let i = 0; i < count; i++) notifier.send(event, webhooks);
  await expect.poll(() => results.length).toBe(count);
  return results;
}

describe('a message about a budget', () => {
  it('says in JSON all that a program needs', async () => {
    const url = await listen();
    expect(await send(`{url: "${url}"}`)).toEqual([['sent', null]]);
    expect(got[0]!.headers['content-type']).toBe('application/json');
    expect(JSON.parse(got[0]!.body)).toEqual({
      type: 'sluice.budget',
      event: 'threshold',
      budget: 'team',
      of: { user: '<ann>' },
      percent: 80,
      period: { kind: 'day', start: '2026-11-21T00:00:00.000Z', end: '2026-11-22T00:00:00.000Z' },
      limitUsd: 10,
      spentUsd: 8.25,
      reservedUsd: 1,
      at: '2026-11-21T12:00:00.000Z',
      key: 'team 1 ["<ann>"] threshold 80',
    });
  });

  it('is a line for Slack, with nothing in it that Slack would take for a command', async () => {
    const url = await listen();
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-hook-')), 'url');
    writeFileSync(file, `${url}\n`);
    expect(await send(`{urlFile: "${file}", format: slack}`)).toEqual([['sent', null]]);
    expect(JSON.parse(got[0]!.body)).toEqual({
      text: ':warning: Budget *team (user &lt;ann&gt;)* has passed 80%: $8.25 of $10.00. Its day ends <!date^1795305600^{date_short_pretty} {time}|2026-11-22T00:00:00.000Z>.',
    });
    const texts = (['cheaper', 'refused'] as const).map(
      (kind) => (slack(eventFor('{url: "http://x.test/"}', { kind, percent: null }).event) as { text: string }).text,
    );
    expect(texts).toEqual([
      expect.stringContaining('requests go to the simple tier. $9.25 of $10.00'),
      expect.stringContaining('requests are refused'),
    ]);
    expect(message(eventFor('{url: "http://x.test/"}', { kind: 'refused', percent: null }).event, 0)).toMatchObject({
      event: 'refused',
      percent: null,
    });
    rmSync(file);
  });

  it('is tried again when it may help, and not when it cannot', async () => {
    const url = await listen(500, 429, 200);
    expect(await send(`{url: "${url}"}`)).toEqual([['sent', null]]);
    expect(got).toHaveLength(3);
    statuses.push(500, 500, 500);
    expect(await send(`{url: "${url}"}`)).toEqual([['failed', 'it answered 500']]);
    statuses.push(404);
    expect(await send(`{url: "${url}"}`)).toEqual([['failed', 'it answered 404']]);
    // Nobody is sent elsewhere, and an error names no URL.
    statuses.push(302, 302, 302);
    const [[result, error] = ['', '']] = await send(`{url: "${url}"}`);
    expect([result, error]).toEqual(['failed', expect.not.stringContaining('127.0.0.1')]);
    expect(await send('{urlFile: /nowhere/at/all}')).toEqual([['failed', expect.any(String)]]);
  });

  it('is dropped, and counted, when too many wait', () => {
    const results: string[] = [];
    notifier = new Notifier({ onResult: (_budget, result) => results.push(result) });
    const { event, webhooks } = eventFor('{urlFile: /nowhere/at/all}');
    for (let i = 0; i < limits.budgetMessages + 5; i++) notifier.send(event, webhooks);
    expect(results).toEqual(Array(5).fill('dropped'));
  });
});
