import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { OtlpReceiver } from './support/otlp-receiver.ts';
import { ScriptedProvider, type Behaviour } from './support/scripted-provider.ts';
import { entry } from './support/entry.ts';

/** Planted texts, by name. They may leave Sluice or Envoy only to their intended recipient. */
const planted = new Map<string, string>();

/** A text that is nowhere else. */
function canary(name: string): string {
  let text = planted.get(name);
  if (text === undefined) planted.set(name, (text = `canary${Math.floor(Math.random() * 1e15).toString(36)}${name.replace(/\W/g, '')}`));
  return text;
}

const keys = mkdtempSync(join(tmpdir(), 'sluice-canaries-'));
const provider = new ScriptedProvider();
const receiver = new OtlpReceiver();
let stack: Stack;

/** What the requested model decides: a good answer, a failure that says what was sent, or a stream that breaks with it. */
const behaviour: Behaviour = (got, response) => {
  const json = (status: number, body: unknown): void => {
    response.writeHead(status, {
      'content-type': 'application/json',
      'set-cookie': `session=${canary('answer cookie')}`,
      'x-request-id': canary('answer header'),
    });
    response.end(JSON.stringify(body));
  };
  const said = canary('answer');
  if (got.body.includes('make-it-fail') && got.model !== 'claude-haiku-4-5')
    return json(503, { error: { message: canary('error message'), type: 'server_error', param: canary('error param') } });
  if (got.body.includes('refuse-it')) return json(400, { error: { message: canary('error message'), type: 'invalid_request_error' } });
  if (got.body.includes('break-it')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(
      `data: {"choices":[{"delta":{"content":"${said}"}}]}\n\ndata: {"error":{"message":"${canary('error message')}","type":"server_error"}}\n\n`,
    );
    return;
  }
  if (got.body.includes('no-json-at-all')) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"choices": [${canary('broken answer')}`);
    return;
  }
  if (got.path.includes('/messages'))
    return json(200, {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: got.model,
      content: [{ type: 'text', text: said }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 9, output_tokens: 9 },
    });
  if (got.path.includes('generateContent'))
    return json(200, {
      candidates: [{ content: { role: 'model', parts: [{ text: said }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 9, totalTokenCount: 18 },
    });
  if (got.path.includes('/responses'))
    return json(200, {
      id: 'r',
      object: 'response',
      status: 'completed',
      model: got.model,
      output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: said }] }],
      usage: { input_tokens: 9, output_tokens: 9, total_tokens: 18 },
    });
  return json(200, {
    id: 'c',
    object: 'chat.completion',
    model: got.model,
    choices: [{ index: 0, message: { role: 'assistant', content: said, tool_calls: null }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 },
  });
};

beforeAll(async () => {
  provider.behaviour = behaviour;
  const endpoint = await provider.listen();
  const { http } = await receiver.listen();
  writeFileSync(join(keys, 'anthropic'), `${canary('provider key')}\n`);
  writeFileSync(join(keys, 'admin'), `${canary('admin token')}\n`);
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFileSync(join(keys, 'ledger.pem'), pem);
  planted.set('ledger key', pem.split('\n')[1]!);
  const policy = `
version: 1
providers:
  openai: { endpoint: "${endpoint}" }
  google: { endpoint: "${endpoint}" }
  anthropic: { endpoint: "${endpoint}", credentialFile: "${join(keys, 'anthropic')}" }
sections:
  - { name: open, match: { workspace: [aviary-open] }, sensitivity: [] }
defaults:
  allowProviders: [anthropic]
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }
  cache: { mode: on, ttl: 600 }
  fallback: { tiers: { simple: [anthropic/claude-haiku-4-5], standard: [anthropic/claude-haiku-4-5] } }
  sensitivity: [{ name: ssn, pattern: '\\b\\d{3}-\\d{2}-\\d{4}\\b', then: { block: Not to a model. } }]
`;
  stack = new Stack({
    policy,
    endpoint: null,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: http,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${canary('collector key')}`,
      OPENAI_API_KEY: canary('environment key'),
    },
    serve: ['--log-level', 'trace', '--admin-token', join(keys, 'admin'), '--ledger-key', join(keys, 'ledger.pem')],
  });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  receiver.close();
  await provider.close();
  rmSync(keys, { recursive: true, force: true });
});

/** The key that an app sends, in the header of the SDK that calls such a path: two of them would contradict each other. */
function keyOf(path: string): Record<string, string> {
  if (path.startsWith('/v1/messages')) return { 'x-api-key': canary('app api key') };
  if (path.startsWith('/v1beta/')) return { 'x-goog-api-key': canary('app google key') };
  return { authorization: `Bearer ${canary('app key')}` };
}

async function send(path: string, body: unknown, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(stack.url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...keyOf(path),
      cookie: `id=${canary('cookie')}`,
      'x-sluice-session': canary('session'),
      'x-sluice-workspace': 'aviary',
      'x-own-header': canary('header'),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }).catch(() => null);
  return (await response?.text().catch(() => '')) ?? '';
}

const chat = (prompt: string, more: object = {}): object => ({
  model: 'gpt-5.1',
  messages: [
    { role: 'system', content: canary('system prompt') },
    {
      role: 'assistant',
      content: canary('earlier answer'),
      tool_calls: [{ id: 't', type: 'function', function: { name: 'look', arguments: JSON.stringify({ q: canary('tool arguments') }) } }],
    },
    { role: 'tool', tool_call_id: 't', content: canary('tool result') },
    { role: 'user', content: `${prompt} ${canary('prompt')}` },
  ],
  user: canary('user'),
  metadata: { note: canary('metadata') },
  tools: [{ type: 'function', function: { name: 'look', description: canary('tool description'), parameters: { type: 'object' } } }],
  ...more,
});

/** Sends requests that Sluice cannot parse or whose path it does not know. */
async function unreadable(headers: Record<string, string>): Promise<string[]> {
  return [
    await send('/v1/chat/completions', `{"model":"gpt-5.1","messages":[{"role":"user","content":"${canary('broken json')}`, headers),
    await send('/v1/chat/completions', canary('no json'), headers),
    await send(
      '/v1/chat/completions',
      { model: { name: canary('model of a wrong kind') }, messages: canary('messages of a wrong kind') },
      headers,
    ),
    await send('/v1/chat/completions', `{"model":"gpt-5.1","messages":${'['.repeat(600)}"${canary('deep')}"${']'.repeat(600)}}`, headers),
    await send(`/v1/files/${canary('path')}?token=${canary('query')}`, { anything: canary('other body') }, headers),
    await send('/v1/audio/transcriptions', `--x\r\n\r\n${canary('upload')}\r\n--x--`, {
      ...headers,
      'content-type': 'multipart/form-data; boundary=x',
    }),
  ];
}

/** Everything that an app may send, well formed and not. Returns what it got. */
async function traffic(): Promise<string[]> {
  const image = `data:image/png;base64,${canary('image')}`;
  return [
    await send('/v1/chat/completions', chat('What is a CDN?')),
    await send('/v1/chat/completions', chat('What is a CDN?')),
    await send('/v1/chat/completions', chat('break-it', { stream: true })),
    await send('/v1/chat/completions', chat('refuse-it')),
    await send('/v1/chat/completions', chat('no-json-at-all')),
    await send('/v1/chat/completions', {
      model: 'gpt-5.1',
      messages: [{ role: 'user', content: `make-it-fail ${canary('crossing prompt')}` }],
    }),
    await send('/v1/chat/completions', chat('My number is 123-45-6789')),
    await send('/v1/chat/completions', {
      model: 'gpt-5.1',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: canary('part') },
            { type: 'image_url', image_url: { url: image } },
          ],
        },
      ],
    }),
    await send('/v1/responses', { model: 'gpt-5.1', instructions: canary('instructions'), input: canary('input') }),
    await send(
      '/v1/messages',
      { model: 'claude-sonnet-4-6', max_tokens: 9, system: canary('system'), messages: [{ role: 'user', content: canary('message') }] },
      { 'anthropic-version': '2023-06-01' },
    ),
    await send(`/v1beta/models/gemini-2.5-pro:generateContent?key=${canary('key in the address')}`, {
      contents: [{ role: 'user', parts: [{ text: canary('contents') }] }],
      systemInstruction: { parts: [{ text: canary('system instruction') }] },
    }),
    await send('/v1/embeddings', { model: 'text-embedding-3-small', input: canary('embedded') }),
    await send('/v1/models/m', chat('keys of three providers'), {
      'x-api-key': canary('app api key'),
      'x-goog-api-key': canary('app google key'),
      'anthropic-version': '2023-06-01',
    }),
    // What cannot be read is refused where a pattern looks for data, and passes elsewhere.
    ...(await unreadable({})),
    ...(await unreadable({ 'x-sluice-workspace': 'aviary-open' })),
    await send('/v1/feedback', { decision: canary('feedback') }),
    await send('/v1/chat/completions', chat('What is a CDN?'), { 'x-sluice-route': 'off', 'x-sluice-cache': canary('cache control') }),
    await send('/v1/chat/completions', chat('What is a CDN?'), { traceparent: canary('traceparent') }),
  ];
}

async function admin(path: string, init: RequestInit = {}): Promise<string> {
  return fetch(stack.adminUrl + path, init).then((response) => response.text());
}

describe('secrets and prompts', () => {
  it('come out nowhere: not in logs, the ledger, metrics, spans, the admin API, nor in what Envoy says', async () => {
    const got = await traffic();
    // They did go where they were meant to go.
    expect(got[0]).toContain(canary('answer'));
    const sent = provider.got.map(({ path, headers, body }) => `${path} ${JSON.stringify(headers)} ${body}`).join('\n');
    for (const name of [
      'prompt',
      'crossing prompt',
      'app key',
      'app api key',
      'app google key',
      'provider key',
      'cookie',
      'tool arguments',
      'key in the address',
      'image',
      'upload',
      'query',
      'deep',
      'broken json',
    ])
      expect(sent.includes(canary(name)), name).toBe(true);

    await expect
      .poll(async () => (JSON.parse(await admin('/decisions?limit=100')) as { decisions: unknown[] }).decisions.length, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(14);
    await admin('/try', {
      method: 'POST',
      headers: { authorization: `Bearer ${canary('admin token')}` },
      body: JSON.stringify({
        body: JSON.stringify(chat('tried')),
        policy: [{ name: 'p', text: `version: 1\nproviders: { openai: { key: ${canary('edited policy')} } }` }],
      }),
    });
    await admin('/try', { method: 'POST', headers: { authorization: `Bearer ${canary('wrong token')}` }, body: canary('tried body') });
    await admin('/v1/feedback', { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"${canary('admin feedback')}` });
    await fetch(`${stack.adminUrl}/${canary('admin path')}`);

    const { decisions } = JSON.parse(await admin('/decisions?limit=100')) as { decisions: ExchangeRecord[] };
    const outputs = new Map<string, string>();
    for (const { id } of decisions)
      for (const format of ['json', 'text'])
        outputs.set(`/decisions/${id}?format=${format}`, await admin(`/decisions/${id}?format=${format}`));
    for (const path of [
      '/decisions?limit=100',
      '/decisions?window=1h&limit=100',
      '/savings',
      '/savings?window=1h&by=workspace,model,reason',
      '/recent',
      '/policy',
      '/policy/generations',
      '/cache',
      '/log',
      '/metrics',
    ])
      outputs.set(path, await admin(path));
    outputs.set('/metrics (OpenMetrics)', await admin('/metrics', { headers: { accept: 'application/openmetrics-text' } }));
    for (const { cacheEntry } of decisions)
      if (cacheEntry !== null) outputs.set(`/cache/entries/${cacheEntry.id}`, await admin(`/cache/entries/${cacheEntry.id}`));
    for (const path of ['config_dump', 'stats', 'clusters', 'listeners', 'server_info'])
      outputs.set(`Envoy /${path}`, await fetch(`${stack.envoyAdminUrl}/${path}`).then((response) => response.text()));
    await expect.poll(() => receiver.spans.filter(({ name }) => name === 'sluice').length, { timeout: 10_000 }).toBeGreaterThanOrEqual(14);
    outputs.set(
      'spans',
      JSON.stringify(receiver.spans, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    );

    await stack.stopSluice('SIGTERM');
    const exported = join(stack.folder, 'exported.csv');
    execFileSync(process.execPath, [entry, 'ledger', 'export', '--ledger', stack.ledgerFile, '--format', 'csv', '--out', exported], {
      stdio: 'ignore',
    });
    for (const file of readdirSync(stack.folder, { withFileTypes: true }))
      if (file.isFile()) outputs.set(file.name, readFileSync(join(stack.folder, file.name), 'latin1'));

    for (const name of ['sluice.log', 'ledger.db', 'envoy.log', 'sluice.err', 'envoy.json']) expect([...outputs.keys()]).toContain(name);
    for (const name of ['sluice.log', 'ledger.db', 'spans', '/savings?window=1h&by=workspace,model,reason'])
      expect(outputs.get(name)?.includes('aviary'), name).toBe(true);
    // The policy's text names the key's file, and that is all.
    expect(outputs.get('/policy/generations')).toContain(join(keys, 'anthropic'));
    const leaks = [...outputs].flatMap(([where, text]) =>
      [...planted].filter(([, secret]) => text.includes(secret)).map(([name]) => `${name} in ${where}`),
    );
    expect(leaks).toEqual([]);

    // What a log line says is a fixed text; what differs is in its fields.
    const source = sources(fileURLToPath(new URL('../src', import.meta.url)));
    const messages = new Set(
      outputs
        .get('sluice.log')!
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    );
    expect([...messages]).toEqual(expect.arrayContaining(['ready', 'exchange', 'a request passed undecided', 'stopped']));
    expect([...messages].filter((message) => !source.includes(`'${message}'`))).toEqual([]);
  });
});

function sources(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}
