import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { limits } from '../src/lib/limits.ts';
import { recordOf } from './support/record.ts';
import { ScriptedProvider, status, type Behaviour } from './support/scripted-provider.ts';

/** Envoy holds whole answers for Sluice in a provider's cluster, and Envoy 1.40 breaks down there where too much waits for Sluice. */
const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
const openai = new ScriptedProvider();
const anthropic = new ScriptedProvider();
let stack: Stack;

beforeAll(async () => {
  writeFileSync(join(keys, 'anthropic'), 'key-of-anthropic');
  const policy = `
version: 1
providers:
  openai: { endpoint: "${await openai.listen()}" }
  anthropic: { endpoint: "${await anthropic.listen()}", credentialFile: "${join(keys, 'anthropic')}" }
defaults:
  allowProviders: [openai, anthropic]
  candidates: { simple: [openai/gpt-4.1], standard: [openai/gpt-4.1], complex: [openai/gpt-4.1] }
sections:
  - name: crossed
    match: { workspace: [crossed] }
    candidates: { simple: [anthropic/claude-haiku-4-5], standard: [anthropic/claude-haiku-4-5], complex: [anthropic/claude-haiku-4-5] }
  - { name: next, match: { workspace: [next] }, fallback: { models: { gpt-4.1: [openai/gpt-4.1-mini] }, on: [server-error, empty, invalid-json, refusal, context-window] } }
experiments: [{ name: copies, kind: shadow, match: { workspace: [copied] }, share: 100%, model: openai/gpt-5-mini, maxUsdPerDay: 100 }]
`;
  // A sidecar's memory, and more patience than on a busy machine is needed: the less memory Envoy has, the less it reads at once.
  stack = new Stack({ policy, endpoint: null, envoyMemoryBytes: 512 * 1024 ** 2, messageTimeout: '10s' });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([openai.close(), anthropic.close()]);
  rmSync(keys, { recursive: true, force: true });
});

let envoy = 0;

beforeEach(() => {
  envoy = stack.envoyPid;
  for (const provider of [openai, anthropic]) provider.got.length = 0;
});

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const chat = (content: string): unknown => ({
  id: 'c',
  object: 'chat.completion',
  model: 'gpt-4.1',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage,
});
const message = (text: string): unknown => ({
  id: 'm',
  type: 'message',
  role: 'assistant',
  model: 'claude-haiku-4-5',
  content: [{ type: 'text', text }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
});
/** An answer whose length its headers do not say, as most large ones come. */
const chunked =
  (body: unknown, code = 200): Behaviour =>
  (_got, response) => {
    const bytes = Buffer.from(JSON.stringify(body));
    response.writeHead(code, { 'content-type': 'application/json' });
    response.write(bytes.subarray(0, 100));
    response.end(bytes.subarray(100));
  };
const filler = (megabytes: number): string => 'x'.repeat(megabytes * 1_000_000);

async function ask(workspace: string): Promise<Response> {
  return fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace },
    body: JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
  });
}

async function said(response: Response): Promise<string> {
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
  return choices[0]!.message.content;
}

/** Checks that the Envoy started by the test still runs and answers. */
async function lives(): Promise<void> {
  expect(stack.envoyPid).toBe(envoy);
  expect((await fetch(`${stack.envoyAdminUrl}/ready`)).status).toBe(200);
}

const sizes = [3, 7, 20];

it.each(sizes)('an answer of %i MB in another API is translated', async (megabytes) => {
  const text = `That is it. ${filler(megabytes)}`;
  anthropic.behaviour = chunked(message(text));
  const response = await ask('crossed');
  expect(response.status).toBe(200);
  expect((await said(response)) === text).toBe(true);
  await lives();
  expect(await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision'))).toMatchObject({
    outcome: 'complete',
    servedModel: 'claude-haiku-4-5',
  });
});

it.each(['crossed', 'next'])('clients that read late and slowly get their whole answers: %s', async (workspace) => {
  const text = filler(7);
  anthropic.behaviour = chunked(message(text));
  openai.behaviour = chunked(chat(text));
  const read = async (): Promise<number> => {
    const response = await ask(workspace);
    expect(response.status).toBe(200);
    // The body is locked before the pause: fetch cancels a body that nobody reads once its response is collected as garbage.
    const chunks = response.body!.values();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += (chunk as Uint8Array).length;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return bytes;
  };
  for (const bytes of await Promise.all([read(), read(), read()])) expect(bytes).toBeGreaterThan(text.length);
  await lives();
});

it.each(sizes)('an error of %i MB in another API is translated', async (megabytes) => {
  anthropic.behaviour = chunked({ type: 'error', error: { type: 'invalid_request_error', message: filler(megabytes) } }, 400);
  const response = await ask('crossed');
  const { error } = (await response.json()) as { error: { message: string } };
  expect([response.status, error.message.length]).toEqual([400, megabytes * 1_000_000]);
  await lives();
});

it.each(sizes)('a first attempt’s answer of %i MB is looked into and comes as it was', async (megabytes) => {
  const text = filler(megabytes);
  openai.behaviour = chunked(chat(text));
  expect((await said(await ask('next'))) === text).toBe(true);
  await lives();
});

it.each(sizes)('a first attempt’s error of %i MB is looked into and comes as it was', async (megabytes) => {
  openai.behaviour = chunked({ error: { message: filler(megabytes), type: 'invalid_request_error' } }, 400);
  const response = await ask('next');
  expect([response.status, (await response.text()).length > megabytes * 1_000_000]).toEqual([400, true]);
  await lives();
});

it.each(sizes)('a later attempt’s answer of %i MB is looked into and comes as it was', async (megabytes) => {
  const text = filler(megabytes);
  openai.behaviour = (got, response, answer) => (got.model === 'gpt-4.1' ? status(503) : chunked(chat(text)))(got, response, answer);
  expect((await said(await ask('next'))) === text).toBe(true);
  await lives();
});

it.each(sizes)('a copy’s answer of %i MB is read and goes to nobody', async (megabytes) => {
  openai.behaviour = (got, response, answer) =>
    chunked(chat(got.model === 'gpt-5-mini' ? filler(megabytes) : 'short'))(got, response, answer);
  expect(await said(await ask('copied'))).toBe('short');
  await expect.poll(() => openai.got.map(({ model }) => model)).toContain('gpt-5-mini');
  const ended = async (): Promise<number> =>
    (
      (await fetch(`${stack.adminUrl}/decisions?limit=20`).then((response) => response.json())) as { decisions: { kind: string }[] }
    ).decisions.filter(({ kind }) => kind === 'shadow').length;
  await expect.poll(ended).toBe(sizes.indexOf(megabytes) + 1);
  await lives();
});

it('many large answers at once are all right: together they are more than one message may be', async () => {
  const text = filler(7);
  const count = 12;
  expect(count * text.length).toBeGreaterThan(limits.grpcMessageBytes);
  openai.behaviour = chunked(chat(text));
  const answers = await Promise.all(Array.from({ length: count }, async () => (await said(await ask('next'))) === text));
  expect(answers).toEqual(answers.map(() => true));
  await lives();
});

it('an answer beyond what Envoy holds is an error, and Envoy lives', async () => {
  anthropic.behaviour = chunked(message(filler(40)));
  // Clears the cooldowns caused by earlier errors.
  await stack.stopSluice('SIGKILL');
  await stack.startSluice();
  // A kept connection may be one that Envoy closes just then, for the memory that the answers before took.
  const { status } = await ask('crossed').catch(() => ask('crossed'));
  expect(status).toBe(500);
  await lives();
});
