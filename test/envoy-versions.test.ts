import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { says, ScriptedProvider, status, well, type Behaviour } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';
import { entry } from './support/entry.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
/** All that scripts/setup.sh fetches; those of 1.36 carry out no chains. */
const versions = ['1.36.2', '1.36.4', '1.37.0', '1.38.3', '1.39.3', '1.40.0'] as const;

const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
const openai = new ScriptedProvider();
const anthropic = new ScriptedProvider();
let policy: string;
let endpoint: string;

beforeAll(async () => {
  await run('sh', ['scripts/setup.sh', 'envoy-versions'], { cwd: root });
  writeFileSync(join(keys, 'anthropic'), 'key-of-anthropic');
  endpoint = await openai.listen();
  policy = `
version: 1
providers:
  openai: { endpoint: "${endpoint}" }
  anthropic: { endpoint: "${await anthropic.listen()}", credentialFile: "${join(keys, 'anthropic')}" }
defaults:
  allowProviders: [anthropic]
  candidates: { simple: [openai/gpt-4.1-nano], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }
  fallback: { tiers: { simple: [openai/gpt-4.1-mini, anthropic/claude-haiku-4-5] }, on: [reset, timeout, server-error, invalid-json, stream-error], attemptSeconds: 20 }
`;
}, 240_000);

afterAll(async () => {
  await Promise.all([openai.close(), anthropic.close()]);
  rmSync(keys, { recursive: true, force: true });
});

const onlyNano =
  (behaviour: Behaviour): Behaviour =>
  (got, response, answer) =>
    (got.model === 'gpt-4.1-nano' ? behaviour : well)(got, response, answer);

describe.each(versions)('Envoy %s', (version) => {
  const chains = !version.startsWith('1.36.');
  let stack: Stack;
  let client: OpenAI;

  beforeAll(async () => {
    stack = new Stack({ policy, endpoint: null, envoy: { binary: join(root, '.tools/envoy-versions', version, 'envoy'), version } });
    await stack.start();
    client = new OpenAI({ apiKey: 'sk-app', baseURL: `${stack.url}/v1`, maxRetries: 0 });
  });

  afterAll(() => stack.stop());

  const body = { model: 'gpt-4.1', messages: [{ role: 'user' as const, content: 'What is a CDN?' }] };

  async function ask(
    behaviour: Behaviour,
    extra: object = {},
  ): Promise<{ text: string; served: (string | null)[]; record: ExchangeRecord }> {
    openai.behaviour = behaviour;
    openai.got.length = anthropic.got.length = 0;
    const { data, response } = await client.chat.completions.create({ ...body, ...extra, stream: false }).withResponse();
    return { text: data.choices[0]?.message.content ?? '', ...(await seen(response)) };
  }

  async function askStream(behaviour: Behaviour): Promise<{ text: string; served: (string | null)[]; record: ExchangeRecord }> {
    openai.behaviour = behaviour;
    openai.got.length = anthropic.got.length = 0;
    const { data, response } = await client.chat.completions.create({ ...body, stream: true }).withResponse();
    let text = '';
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
    return { text, ...(await seen(response)) };
  }

  async function seen(response: Response): Promise<{ served: (string | null)[]; record: ExchangeRecord }> {
    return {
      served: [response.headers.get('x-sluice-model'), response.headers.get('x-sluice-attempts')],
      record: await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision')),
    };
  }

  const ends = (record: ExchangeRecord): unknown[] => record.attempts.map(({ target, reason }) => [target.model, reason]);
  const internal = (headers: object): string[] =>
    Object.keys(headers).filter(
      (name) => name.startsWith('x-sluice') || name.startsWith('x-envoy-retry') || name.startsWith('x-envoy-max'),
    );

  it('routes a request, whole and streamed, and tells the provider nothing of it', async () => {
    const whole = await ask(well);
    expect(whole.served).toEqual(['gpt-4.1-nano', '1']);
    expect(openai.got.map(({ model, path }) => [model, path])).toEqual([['gpt-4.1-nano', '/v1/chat/completions']]);
    expect(internal(openai.got[0]!.headers)).toEqual([]);
    expect(openai.got[0]!.headers.authorization).toBe('Bearer sk-app');
    const streamed = await askStream(well);
    expect(streamed.served).toEqual(['gpt-4.1-nano', '1']);
    expect(streamed.text).toContain('plausible');
    expect(streamed.record).toMatchObject({ outcome: 'complete', servedModel: 'gpt-4.1-nano' });
  });

  it.runIf(chains)('goes on with another model of the same provider, whole and streamed', async () => {
    for (const asked of [await ask(onlyNano(status(500))), await askStream(onlyNano(status(500)))]) {
      expect(asked.served).toEqual(['gpt-4.1-mini', '2']);
      expect(ends(asked.record)).toEqual([
        ['gpt-4.1-nano', 'server-error'],
        ['gpt-4.1-mini', null],
      ]);
      expect(asked.text).toContain('plausible');
    }
    expect(openai.got.map(({ headers }) => headers.authorization)).toEqual(['Bearer sk-app', 'Bearer sk-app']);
    expect(openai.got.flatMap(({ headers }) => internal(headers))).toEqual([]);
  });

  it.runIf(chains)('goes on in another dialect, whole and streamed, with that provider’s key', async () => {
    for (const asked of [await ask(status(503)), await askStream(status(503))]) {
      expect(asked.served).toEqual(['claude-haiku-4-5', '3']);
      expect(ends(asked.record)).toEqual([
        ['gpt-4.1-nano', 'server-error'],
        ['gpt-4.1-mini', 'server-error'],
        ['claude-haiku-4-5', null],
      ]);
      expect(asked.text).toContain('plausible');
      expect(anthropic.got.map(({ path, headers }) => [path, headers['x-api-key'], headers.authorization])).toEqual([
        ['/v1/messages', 'key-of-anthropic', undefined],
      ]);
      expect(internal(anthropic.got[0]!.headers)).toEqual([]);
    }
  });

  it.runIf(chains)('turns away from an answer that is not what was asked for', async () => {
    const prose = says({
      model: 'gpt-4.1-nano',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Sure!' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    });
    const asked = await ask(onlyNano(prose), { response_format: { type: 'json_object' } });
    expect(ends(asked.record)).toEqual([
      ['gpt-4.1-nano', 'invalid-json'],
      ['gpt-4.1-mini', null],
    ]);
    expect(asked.record.attempts[0]?.cost).toMatchObject({ known: true });
  });

  it.runIf(chains)('goes on after a provider that resets', async () => {
    const asked = await ask(onlyNano((_got, response) => void response.destroy()));
    expect(ends(asked.record)).toEqual([
      ['gpt-4.1-nano', 'reset'],
      ['gpt-4.1-mini', null],
    ]);
  });

  it.runIf(chains)('never shows a provider what is meant for one that this Envoy does not know yet', async () => {
    const late = policy
      .replace(
        '\ndefaults:',
        `\n  late: { dialect: openai, endpoint: "${endpoint}", catalog: openai, credentialFile: "${join(keys, 'anthropic')}" }\ndefaults:`,
      )
      .replace('[openai/gpt-4.1-mini, anthropic', '[late/gpt-4.1, anthropic')
      .replace('[anthropic]', '[anthropic, late]');
    stack.writePolicy(late);
    await expect
      .poll(async () => ((await (await fetch(`${stack.adminUrl}/policy`)).json()) as { number: number }).number, { timeout: 10_000 })
      .toBe(2);
    // Until its key has been read it is no target at all.
    const answered = (): Promise<unknown> =>
      ask(onlyNano(status(500))).then(
        () => 200,
        (error: unknown) => (error instanceof OpenAI.APIError ? (error.status as unknown) : error),
      );
    await expect.poll(answered, { timeout: 10_000, interval: 200 }).toBe(503);
    expect(anthropic.got).toEqual([]);
    expect(openai.got.map(({ model }) => model)).toEqual(['gpt-4.1-nano']);
  });

  it.skipIf(chains)('has one attempt, whose error is the app’s, though the policy has a chain', async () => {
    await expect(ask(status(503))).rejects.toMatchObject({ status: 503 });
    expect(openai.got.map(({ model }) => model)).toEqual(['gpt-4.1-nano']);
    expect(anthropic.got).toEqual([]);
    // It is still there.
    expect((await ask(well)).served).toEqual(['gpt-4.1-nano', '1']);
  });
});

describe('sluice render envoy --envoy-version', () => {
  async function render(version: string): Promise<{ stdout: string; stderr: string }> {
    writeFileSync(join(keys, 'policy.yaml'), policy);
    return run(process.execPath, [entry, 'render', 'envoy', '--policy', join(keys, 'policy.yaml'), '--envoy-version', version], {
      cwd: root,
      maxBuffer: 16 * 1024 * 1024,
    });
  }

  it.each([
    ['1.38', ''],
    ['v1.40.0', ''],
    ['1.41', ''],
    ['1.36.2', 'one attempt'],
  ])('writes config for %s', async (version, warning) => {
    const { stdout, stderr } = await render(version);
    expect(stdout).toContain('llm_egress');
    expect(stderr).toContain(warning);
    expect(stderr === '').toBe(warning === '');
  });

  it.each(['1.35', '2.0', 'latest'])('refuses %s', async (version) => {
    await expect(render(version)).rejects.toMatchObject({ stderr: expect.stringContaining('SLUICE_CLI_USAGE') as string });
  });
});
