import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { allWell, ScriptedProvider, status, type Behaviour } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-pools-'));
const providers = { openai: new ScriptedProvider(), twin: new ScriptedProvider(), anthropic: new ScriptedProvider() };
let stack: Stack;

beforeAll(async () => {
  writeFileSync(join(folder, 'key'), 'key-of-the-gateway');
  const key = join(folder, 'key');
  const pool = (pick: string, model = 'gpt-4.1-nano'): string =>
    `fallback: { pools: [{ name: nano, pick: ${pick}, targets: [openai/${model}, twin/${model}] }] }`;
  const policy = `
version: 1
providers:
  openai: { endpoint: "${await providers.openai.listen()}" }
  twin: { dialect: openai, endpoint: "${await providers.twin.listen()}", catalog: openai, credentialFile: "${key}" }
  anthropic: { endpoint: "${await providers.anthropic.listen()}", credentialFile: "${key}" }
defaults:
  allowProviders: [twin, anthropic]
  candidates: { simple: [openai/gpt-4.1-nano], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }
sections:
  - { name: in-turn, match: { workspace: [in-turn] }, ${pool('round-robin')} }
  - { name: fastest, match: { workspace: [fastest] }, candidates: { simple: [openai/gpt-4.1-mini], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }, ${pool('least-latency', 'gpt-4.1-mini')} }
  - { name: sticky, match: { workspace: [sticky] }, ${pool('sticky')} }
  - { name: across, match: { workspace: [across] }, fallback: { tiers: { simple: [anthropic/claude-haiku-4-5] } } }
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all(Object.values(providers).map((provider) => provider.close()));
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  allWell(Object.values(providers));
});

async function ask(
  workspace: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string; record: ExchangeRecord }> {
  const response = await fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace, ...headers },
    body: JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
  });
  const text = await response.text();
  return { status: response.status, text, record: await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision')) };
}

const counts = (): number[] => [providers.openai.got.length, providers.twin.got.length];

describe('a pool of equal targets', () => {
  it('shares requests out in turn, each with the key of its provider', async () => {
    for (let at = 0; at < 6; at++) expect((await ask('in-turn')).status).toBe(200);
    expect(counts()).toEqual([3, 3]);
    expect(providers.openai.got.every(({ headers }) => headers.authorization === 'Bearer sk-app')).toBe(true);
    expect(providers.twin.got.every(({ headers }) => headers.authorization === 'Bearer key-of-the-gateway')).toBe(true);
  });

  it('goes on with the other when one fails, whichever was first', async () => {
    providers.twin.behaviour = status(503);
    const asked = [await ask('in-turn'), await ask('in-turn')];
    expect(asked.map(({ status: code }) => code)).toEqual([200, 200]);
    expect(
      asked.map(({ record }) => record.attempts.map(({ target, reason }) => [target.provider, reason])).sort((a, b) => a.length - b.length),
    ).toEqual([
      [['openai', null]],
      [
        ['twin', 'server-error'],
        ['openai', null],
      ],
    ]);
    for (const { record } of asked) expect(record.decision).toMatchObject({ reason: 'tier', pool: { pool: 'nano', pick: 'round-robin' } });
  });

  it('prefers the one whose answers begin sooner', async () => {
    // Slower than the other is on a busy machine.
    const slowMs = 800;
    const slow: Behaviour = async (_got, _response, answer) => {
      await new Promise((resolve) => setTimeout(resolve, slowMs));
      await answer();
    };
    providers.openai.behaviour = slow;
    // The first two find out how fast each is.
    for (let at = 0; at < 8; at++) await ask('fastest');
    expect(counts()).toEqual([1, 7]);
    const { record } = await ask('fastest');
    expect(record.decision?.pool?.order.map(({ target }) => target.provider)).toEqual(['twin', 'openai']);
    expect(record.decision?.pool?.order[1]?.latencyMs).toBeGreaterThanOrEqual(slowMs);
  });

  it('keeps a session with one of them', async () => {
    const served = new Map<string, Set<string>>();
    for (let at = 0; at < 24; at++) {
      const session = `conversation ${at % 8}`;
      const { record } = await ask('sticky', { 'x-sluice-session': session });
      const seen = served.get(session) ?? new Set();
      served.set(session, seen.add(record.attempts[0]!.target.provider));
    }
    expect([...served.values()].every((seen) => seen.size === 1)).toBe(true);
    expect(new Set([...served.values()].flatMap((seen) => [...seen]))).toEqual(new Set(['openai', 'twin']));
  });
});

describe('a chain whose only target that is awake is in another API', () => {
  it('is translated all the same', async () => {
    providers.openai.behaviour = status(429, { error: { message: 'slow down' } }, { 'retry-after': '60' });
    expect((await ask('across')).record.attempts.map(({ target }) => target.provider)).toEqual(['openai', 'anthropic']);
    const asked = await ask('across');
    expect(asked.record.decision).toMatchObject({ reason: 'cooling-down', chain: [{ provider: 'anthropic' }, { provider: 'openai' }] });
    // A target in cooldown comes last and is not tried if another one answers.
    expect(asked.record.attempts.map(({ target }) => target.provider)).toEqual(['anthropic']);
    expect(asked.status).toBe(200);
    expect(JSON.parse(asked.text)).toMatchObject({ object: 'chat.completion' });
    expect(providers.anthropic.got.map(({ path }) => path)).toEqual(['/v1/messages', '/v1/messages']);
  });
});
