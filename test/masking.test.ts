import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { createPartFromFunctionResponse, GoogleGenAI } from '@google/genai';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { recordOf } from './support/record.ts';
import { allWell, events, says, ScriptedProvider, status, type Behaviour } from './support/scripted-provider.ts';

const keys = mkdtempSync(join(tmpdir(), 'sluice-masking-'));
const providers = { openai: new ScriptedProvider(), anthropic: new ScriptedProvider(), google: new ScriptedProvider() };
const names = ['openai', 'anthropic', 'google'] as const;
let stack: Stack;

beforeAll(async () => {
  const lines: string[] = [];
  for (const name of names) {
    writeFileSync(join(keys, name), `key-of-${name}`);
    lines.push(`  ${name}: { endpoint: "${await providers[name].listen()}", credentialFile: "${join(keys, name)}" }`);
  }
  writeFileSync(join(keys, 'mask'), 'a secret that replicas share');
  const policy = `
version: 1
providers:
${lines.join('\n')}
defaults:
  tiers: []
  prompts: { capture: truncate, units: 1000 }
  allowProviders: [openai, anthropic, google]
  sensitivity:
    - { name: zeus, pattern: 'project zeus', then: { block: 'Not that one.' } }
    - { name: email, pattern: '[\\w.+-]+@[\\w-]+\\.\\w+', then: { mask: true } }
    - { name: card, pattern: '\\b\\d{16}\\b', then: { mask: true, block: 'No cards here.' } }
sections:
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on, ttl: 3600 } }
  - { name: chained, match: { workspace: [chained] }, fallback: { models: { gpt-4.1: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite] }, attempts: 4, on: [server-error, overloaded] } }
  - name: restored
    match: { workspace: [restored] }
    cache: { mode: on, ttl: 3600 }
    sensitivity: &restored [{ name: email, pattern: '[\\w.+-]+@[\\w-]+\\.\\w+', then: { mask: true, restore: true } }, { name: word, pattern: 'so-called "\\w+"', then: { mask: true, restore: true } }]
  - name: crossed
    match: { workspace: [crossed] }
    fallback: { models: { gpt-4.1: [anthropic/claude-haiku-4-5] }, on: [server-error] }
    sensitivity: *restored
  - { name: shadow, match: { workspace: [shadow] }, mode: shadow }
`;
  stack = new Stack({ policy, endpoint: null, serve: ['--mask-key', join(keys, 'mask')] });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all(names.map((name) => providers[name].close()));
  rmSync(keys, { recursive: true, force: true });
});

beforeEach(() => {
  allWell(names.map((name) => providers[name]));
});

const address = 'alice.canary@example.com';
const card = '4111111111111111';
const emailToken = /\[EMAIL_(?:[0-9][a-f]){5}\]/;
const apps = (workspace = 'default') => {
  const defaultHeaders = { 'x-sluice-workspace': workspace };
  return {
    openai: new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0, defaultHeaders }),
    anthropic: new Anthropic({ apiKey: 'test', baseURL: stack.url, maxRetries: 0, defaultHeaders }),
    google: new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: stack.url, headers: defaultHeaders } }),
  };
};
const got = (name: (typeof names)[number]): string => providers[name].got.at(-1)?.body ?? 'nothing came';
const ask = (text: string, more: object = {}): OpenAI.ChatCompletionCreateParamsNonStreaming => ({
  model: 'gpt-4.1',
  messages: [{ role: 'user', content: text }],
  ...more,
});

async function records(): Promise<readonly ExchangeRecord[]> {
  const { decisions } = (await fetch(`${stack.adminUrl}/decisions?limit=100`).then((response) => response.json())) as {
    decisions: ExchangeRecord[];
  };
  return decisions;
}

/** What the provider got of a text: the same text with a token in the place of the address. */
function masked(body: string, before: string, after: string): string {
  const at = body.indexOf(before);
  const token = emailToken.exec(body.slice(at))?.[0] ?? '';
  expect(body).toContain(before + token + after);
  expect(body).not.toContain(address);
  expect(token).toMatch(emailToken);
  return token;
}

describe('what a rule masks leaves as a token', () => {
  it('in every API of the official SDKs, streamed or not, the same one in a workspace', async () => {
    const { openai, anthropic, google } = apps();
    const tokens = new Set<string>();
    await openai.chat.completions.create(ask(`Write to ${address}, please.`));
    tokens.add(masked(got('openai'), 'Write to ', ', please.'));
    for await (const chunk of await openai.chat.completions.create({ ...ask(`Write to ${address}, please.`), stream: true }))
      expect(chunk).toBeTypeOf('object');
    tokens.add(masked(got('openai'), 'Write to ', ', please.'));
    await openai.responses.create({
      model: 'gpt-4.1',
      instructions: `You are ${address}.`,
      input: [{ role: 'user', content: 'Who are you?' }],
    });
    tokens.add(masked(got('openai'), 'You are ', '."'));
    await openai.embeddings.create({ model: 'text-embedding-3-small', input: ['a', `to ${address}`] });
    tokens.add(masked(got('openai'), '"to ', '"'));
    await anthropic.messages.create({
      model: 'claude-haiku-4-5',
      max_tokens: 10,
      system: `You are ${address}.`,
      messages: [{ role: 'user', content: 'Who are you?' }],
    });
    tokens.add(masked(got('anthropic'), 'You are ', '."'));
    await google.models.generateContent({
      model: 'gemini-2.5-flash',
      contents: [{ role: 'user', parts: [{ text: 'Who?' }, createPartFromFunctionResponse('call_1', 'f', { who: address })] }],
    });
    tokens.add(masked(got('google'), '"who":"', '"'));
    expect(tokens.size).toBe(1);
    await apps('elsewhere').openai.chat.completions.create(ask(`Write to ${address}, please.`));
    expect(tokens).not.toContain(masked(got('openai'), 'Write to ', ', please.'));
  });

  it('in tools’ arguments and results, and numbers of them', async () => {
    await apps().openai.chat.completions.create(
      ask('', {
        messages: [
          { role: 'user', content: 'Pay.' },
          {
            role: 'assistant',
            tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'pay', arguments: `{"card":${card},"to":"${address}"}` } }],
          },
          { role: 'tool', tool_call_id: 'call_1', content: `{"paid":"${address}"}` },
        ],
      }),
    );
    const { messages } = JSON.parse(got('openai')) as {
      messages: { content: string; tool_calls?: { function: { arguments: string } }[] }[];
    };
    expect(JSON.parse(messages[1]!.tool_calls![0]!.function.arguments)).toEqual({
      card: expect.stringMatching(/^\[CARD_\w{10}\]$/) as string,
      to: expect.stringMatching(emailToken) as string,
    });
    expect(messages[2]!.content).toMatch(/^\{"paid":"\[EMAIL_\w{10}\]"\}$/);
  });

  it('and every other byte is as it came, whatever the caller says', async () => {
    const body = (value: string): string =>
      `{ "model" : "gpt-4.1","seed":12345678901234567890, "messages":[{"role":"user","content":"\\u0041 ${value} é"}] }`;
    const post = async (headers: object = {}): Promise<number> =>
      (
        await fetch(`${stack.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', ...headers },
          body: body(address),
        })
      ).status;
    for (const headers of [{}, { 'x-sluice-route': 'off' }]) {
      expect(await post(headers)).toBe(200);
      expect(got('openai')).toBe(body(emailToken.exec(got('openai'))?.[0] ?? ''));
      expect(providers.openai.got.at(-1)!.headers['content-length']).toBe(String(Buffer.byteLength(got('openai'))));
    }
  });

  it('in a body of megabytes', async () => {
    const long = `${'Lorem ipsum dolor sit amet. '.repeat(60_000)}${address}`;
    await apps().openai.chat.completions.create(ask(long));
    expect(got('openai')).toContain('Lorem ipsum dolor sit amet. [EMAIL_');
    expect(got('openai')).not.toContain(address);
  });

  it('at every attempt of a chain, in other APIs too', async () => {
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = status(529);
    await apps('chained').openai.chat.completions.create(ask(`What is ${address}?`));
    expect(providers.openai.got.map(({ model }) => model)).toEqual(['gpt-4.1', 'gpt-4.1-nano']);
    const bodies = names.flatMap((name) => providers[name].got.map(({ body }) => body));
    expect(new Set(bodies.map((body) => masked(body, 'What is ', '?'))).size).toBe(1);
    expect(bodies).toHaveLength(4);
  });

  it('in files and batches', async () => {
    const { openai, anthropic } = apps();
    await openai.files.create({
      purpose: 'batch',
      file: await toFile(Buffer.from(`{"custom_id":"1","body":{"messages":[{"role":"user","content":"to ${address}"}]}}\n`), 'batch.jsonl'),
    });
    masked(got('openai'), '"to ', '"');
    await anthropic.messages.batches.create({
      requests: [
        { custom_id: '1', params: { model: 'claude-haiku-4-5', max_tokens: 10, messages: [{ role: 'user', content: `to ${address}` }] } },
      ],
    });
    masked(got('anthropic'), '"to ', '"');
  });
});

describe('what cannot be masked', () => {
  const inBase64 = (text: string): string => `data:text/plain;base64,${Buffer.from(text).toString('base64')}`;
  it.each<readonly [string, string, string]>([
    ['a file in base64', address, 'This request holds email where it cannot be masked.'],
    ['a file in base64, in the rule’s words', card, 'No cards here.'],
  ])('is refused: %s', async (_name, value, message) => {
    const file = { type: 'file', file: { filename: 'a.txt', file_data: inBase64(`It is ${value}.`) } } as const;
    await expect(apps().openai.chat.completions.create(ask('', { messages: [{ role: 'user', content: [file] }] }))).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining(message) as string,
    });
    expect(providers.openai.got).toEqual([]);
    await expect.poll(async () => (await records()).find(({ outcome }) => outcome === 'blocked')).toMatchObject({ passReason: 'unmasked' });
  });

  it('is refused in an upload that is no text', async () => {
    const file = await toFile(Buffer.concat([Buffer.from([0xff, 0, 0xd8]), Buffer.from(` ${address} `)]), 'a.bin');
    await expect(apps().openai.files.create({ purpose: 'user_data', file })).rejects.toMatchObject({ status: 403 });
    expect(providers.openai.got).toEqual([]);
  });

  it('does not matter where another rule refuses the request', async () => {
    await expect(apps().openai.chat.completions.create(ask(`${address} works on project zeus`))).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining('Not that one.') as string,
    });
    expect(providers.openai.got).toEqual([]);
  });
});

describe('an answer with restore: true', () => {
  const word = 'so-called "Apollo"';
  const question = `Who is ${address}, ${word}?`;
  /** The tokens of the request, and a text that says them in pieces. */
  const heard = (body: string): readonly [email: string, word: string] => [
    emailToken.exec(body)?.[0] ?? '',
    /\[WORD_\w{10}\]/.exec(body)?.[0] ?? '',
  ];
  const pieces = (text: string): readonly string[] => text.match(/[^]{1,5}/g) ?? [];
  const sse = (data: object, name?: string): string => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
  const usage = { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 };
  const wanted = `That is ${address}, ${word}.`;
  const say = ([email, second]: readonly [string, string]): string => `That is ${email}, ${second}.`;
  const args = ([email, second]: readonly [string, string]): string => JSON.stringify({ to: email, note: second });
  const chat: Behaviour = (request, response, answer) => {
    const tokens = heard(request.body);
    const call = { id: 'call_1', type: 'function', function: { name: 'send', arguments: args(tokens) } };
    if (!request.body.includes('"stream":true'))
      return says({
        id: 'c',
        object: 'chat.completion',
        model: 'gpt-4.1',
        choices: [{ index: 0, message: { role: 'assistant', content: say(tokens), tool_calls: [call] }, finish_reason: 'tool_calls' }],
        usage,
      })(request, response, answer);
    const chunk = (delta: object, finish_reason: string | null = null): string =>
      sse({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4.1', choices: [{ index: 0, delta, finish_reason }] });
    const stream = [
      chunk({ role: 'assistant', content: '' }),
      ...pieces(say(tokens)).map((content) => chunk({ content })),
      chunk({ tool_calls: [{ index: 0, ...call, function: { name: 'send', arguments: '' } }] }),
      ...pieces(args(tokens)).map((text) => chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
      chunk({}, 'tool_calls'),
      sse({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4.1', choices: [], usage }),
      'data: [DONE]\n\n',
    ].join('');
    // Cut anywhere, within events and letters.
    return events(stream.match(/[^]{1,97}/g) ?? [])(request, response, answer);
  };
  const messages: Behaviour = (request, response, answer) => {
    const tokens = heard(request.body);
    const message = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude-haiku-4-5',
      stop_reason: null,
      usage: { input_tokens: 9, output_tokens: 9 },
    };
    const tool = { type: 'tool_use', id: 'toolu_1', name: 'send' };
    if (!request.body.includes('"stream":true'))
      return says({
        ...message,
        stop_reason: 'tool_use',
        content: [
          { type: 'text', text: say(tokens) },
          { ...tool, input: JSON.parse(args(tokens)) as object },
        ],
      })(request, response, answer);
    return events([
      sse({ type: 'message_start', message: { ...message, content: [] } }, 'message_start'),
      sse({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }, 'content_block_start'),
      ...pieces(say(tokens)).map((text) =>
        sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }, 'content_block_delta'),
      ),
      sse({ type: 'content_block_stop', index: 0 }, 'content_block_stop'),
      sse({ type: 'content_block_start', index: 1, content_block: { ...tool, input: {} } }, 'content_block_start'),
      ...pieces(args(tokens)).map((partial_json) =>
        sse({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json } }, 'content_block_delta'),
      ),
      sse({ type: 'content_block_stop', index: 1 }, 'content_block_stop'),
      sse({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } }, 'message_delta'),
      sse({ type: 'message_stop' }, 'message_stop'),
    ])(request, response, answer);
  };
  const gemini: Behaviour = (request, response, answer) => {
    const tokens = heard(request.body);
    const part = (parts: readonly object[], more: object = {}): object => ({
      candidates: [{ index: 0, content: { role: 'model', parts }, ...more }],
      usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 9, totalTokenCount: 18 },
      modelVersion: 'gemini-2.5-flash',
    });
    const call = { functionCall: { name: 'send', args: JSON.parse(args(tokens)) as object } };
    if (!request.path.includes('streamGenerateContent'))
      return says(part([{ text: say(tokens) }, call], { finishReason: 'STOP' }))(request, response, answer);
    return events([...pieces(say(tokens)).map((text) => sse(part([{ text }]))), sse(part([call], { finishReason: 'STOP' }))])(
      request,
      response,
      answer,
    );
  };
  const noted = { to: address, note: word };

  it('has the originals: OpenAI chat, streamed or not', async () => {
    providers.openai.behaviour = chat;
    const { openai } = apps('restored');
    const whole = await openai.chat.completions.create(ask(question));
    expect(got('openai')).not.toMatch(/canary|Apollo/);
    expect(whole.choices[0]!.message.content).toBe(wanted);
    const { message } = (await openai.chat.completions.stream({ ...ask(question), stream: true }).finalChatCompletion()).choices[0]!;
    for (const one of [whole.choices[0]!.message, message]) {
      expect(one.content).toBe(wanted);
      expect(one.tool_calls?.map((call) => (call.type === 'function' ? (JSON.parse(call.function.arguments) as object) : call))).toEqual([
        noted,
      ]);
    }
  });

  it('has the originals: OpenAI Responses, streamed or not', async () => {
    const { openai } = apps('restored');
    const output = (tokens: readonly [string, string]): object[] => [
      {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: say(tokens), annotations: [] }],
      },
    ];
    const body = (tokens: readonly [string, string], done: boolean): object => ({
      id: 'r',
      object: 'response',
      created_at: 1,
      model: 'gpt-4.1',
      status: done ? 'completed' : 'in_progress',
      output: done ? output(tokens) : [],
      usage: {
        input_tokens: 9,
        output_tokens: 9,
        total_tokens: 18,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens_details: { reasoning_tokens: 0 },
      },
    });
    providers.openai.behaviour = (request, response, answer) => {
      const tokens = heard(request.body);
      if (!request.body.includes('"stream":true')) return says(body(tokens, true))(request, response, answer);
      const at = { item_id: 'msg_1', output_index: 0, content_index: 0 };
      const event = (data: { readonly type: string }): string => sse(data, data.type);
      return events([
        event({ type: 'response.created', ...{ response: body(tokens, false) } }),
        event({ type: 'response.output_item.added', ...{ output_index: 0, item: { ...output(tokens)[0], content: [] } } }),
        event({ type: 'response.content_part.added', ...at, ...{ part: { type: 'output_text', text: '', annotations: [] } } }),
        ...pieces(say(tokens)).map((delta) => event({ type: 'response.output_text.delta', ...at, ...{ delta } })),
        event({ type: 'response.output_text.done', ...at, ...{ text: say(tokens) } }),
        event({ type: 'response.output_item.done', ...{ output_index: 0, item: output(tokens)[0] } }),
        event({ type: 'response.completed', ...{ response: body(tokens, true) } }),
      ])(request, response, answer);
    };
    expect((await openai.responses.create({ model: 'gpt-4.1', input: question })).output_text).toBe(wanted);
    let said = '';
    for await (const event of await openai.responses.create({ model: 'gpt-4.1', input: question, stream: true })) {
      if (event.type === 'response.output_text.delta') said += event.delta;
      if (event.type === 'response.completed') expect(JSON.stringify(event.response.output)).toContain(address);
    }
    expect(said).toBe(wanted);
  });

  it('has the originals: Anthropic, streamed or not', async () => {
    providers.anthropic.behaviour = messages;
    const { anthropic } = apps('restored');
    const params = { model: 'claude-haiku-4-5', max_tokens: 100, messages: [{ role: 'user' as const, content: question }] };
    for (const { content } of [await anthropic.messages.create(params), await anthropic.messages.stream(params).finalMessage()]) {
      expect(content).toMatchObject([
        { type: 'text', text: wanted },
        { type: 'tool_use', input: noted },
      ]);
    }
    expect(got('anthropic')).not.toMatch(/canary|Apollo/);
  });

  it('has the originals: Gemini, streamed or not', async () => {
    providers.google.behaviour = gemini;
    const { google } = apps('restored');
    const whole = await google.models.generateContent({ model: 'gemini-2.5-flash', contents: question });
    expect([whole.text, whole.functionCalls?.[0]?.args]).toEqual([wanted, noted]);
    let said = '';
    for await (const { text, functionCalls } of await google.models.generateContentStream({
      model: 'gemini-2.5-flash',
      contents: question,
    })) {
      said += text ?? '';
      if (functionCalls !== undefined) expect(functionCalls[0]?.args).toEqual(noted);
    }
    expect(said).toBe(wanted);
    expect(got('google')).not.toMatch(/canary|Apollo/);
  });

  it('has the originals from another provider’s API, streamed or not', async () => {
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = messages;
    const { openai } = apps('crossed');
    const whole = (await openai.chat.completions.create(ask(question))).choices[0]!.message;
    const streamed = (await openai.chat.completions.stream({ ...ask(question), stream: true }).finalChatCompletion()).choices[0]!.message;
    for (const one of [whole, streamed]) {
      expect(one.content).toBe(wanted);
      expect(one.tool_calls?.map((call) => (call.type === 'function' ? (JSON.parse(call.function.arguments) as object) : call))).toEqual([
        noted,
      ]);
    }
    expect(got('anthropic')).not.toMatch(/canary|Apollo/);
  });

  it.each([3, 7, 20])('has the originals in %i MB, or its tokens where it is too large to be held', async (megabytes) => {
    const filler = 'x'.repeat(megabytes * 1_000_000);
    providers.openai.behaviour = (request, response, answer) =>
      says({
        id: 'c',
        object: 'chat.completion',
        model: 'gpt-4.1',
        choices: [{ index: 0, message: { role: 'assistant', content: say(heard(request.body)) + filler }, finish_reason: 'stop' }],
        usage,
      })(request, response, answer);
    const { content } = (await apps('restored').openai.chat.completions.create(ask(question))).choices[0]!.message;
    expect(content?.slice(-filler.length)).toBe(filler);
    if (megabytes < 8) expect(content?.slice(0, -filler.length)).toBe(wanted);
    else expect(content?.slice(0, -filler.length)).toMatch(/^That is \[EMAIL_/);
  });

  it('is not kept in the cache', async () => {
    providers.openai.behaviour = chat;
    const call = async (): Promise<string | null | undefined> =>
      (await apps('restored').openai.chat.completions.create(ask(question))).choices[0]?.message.content;
    expect([await call(), await call()]).toEqual([wanted, wanted]);
    expect(providers.openai.got).toHaveLength(2);
    await expect
      .poll(async () => (await records())[0])
      .toMatchObject({
        cache: 'off',
        outcome: 'complete',
        usage: { totalOutput: 9 },
        masked: [
          { rule: 'email', matches: 1 },
          { rule: 'word', matches: 1 },
        ],
      });
  });
});

describe('what was masked', () => {
  it('is counted, and explained', async () => {
    const before = await metric('email');
    const { response } = await apps()
      .openai.chat.completions.create(ask(`${address} and bob.canary@example.com, and ${address}`))
      .withResponse();
    const record = await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision'));
    expect(record).toMatchObject({ masked: [{ rule: 'email', matches: 3 }], request: { promptStart: null, promptHash: null } });
    expect((await metric('email')) - before).toBe(3);
    const explained = execFileSync('bin/sluice', ['explain', '--admin', stack.adminUrl, record.id], { encoding: 'utf8' });
    expect(explained).toContain('Masked: 3 of email');
  });

  it('shares answers in the cache under its tokens', async () => {
    const call = async (): Promise<string | null> =>
      (
        await apps('cached')
          .openai.chat.completions.create(ask(`Who is ${address}?`))
          .withResponse()
      ).response.headers.get('x-sluice-cache');
    expect([await call(), await call()]).toEqual(['miss', 'hit']);
    expect(providers.openai.got).toHaveLength(1);
  });

  it('goes out as it is where the policy only looks on', async () => {
    await apps('shadow').openai.chat.completions.create(ask(`What is ${address}?`));
    expect(got('openai')).toContain(address);
  });

  it('is kept nowhere', async () => {
    expect(JSON.stringify(await records())).not.toMatch(/canary|Apollo|4111111111111111/);
    const files = readdirSync(stack.folder, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && /ledger|sluice\.log|budgets/.test(entry.name),
    );
    expect(files.length).toBeGreaterThan(1);
    for (const { parentPath, name } of files)
      expect(readFileSync(join(parentPath, name)).toString('latin1'), name).not.toMatch(/canary|Apollo|4111111111111111/);
  });
});

async function metric(rule: string): Promise<number> {
  const text = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  return Number(new RegExp(`llm_proxy_masked_total\\{rule="${rule}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}
