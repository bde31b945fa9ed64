import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { BodyPlan, RequestPlan } from './plans.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { limits } from '../lib/limits.ts';
import { candidates, chatBody, chatHeaders, forwarded, headersOf, pipelineOf } from './testing/pipeline.ts';

describe('a section with a pattern for sensitive data, or that is fail-closed', () => {
  const block = "sensitivity: [{ name: zeus, pattern: 'project zeus', ignoreCase: true, then: { block: 'No.' } }]";
  const text = 'about project zeus';
  const zeus = `{"model":"gpt-5.1","messages":[{"role":"user","content":"${text}"}]}`;
  const answer = async (
    policy: string,
    headers: Readonly<Record<string, string>>,
    body: string | Buffer,
  ): Promise<readonly [string | number, ExchangeRecord | undefined, BodyPlan | RequestPlan]> => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}, ${policy}}\n`);
    const asked = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...headers }), body.length === 0);
    const plan = asked.kind === 'read-body' ? asked.handler.take(Buffer.from(body)) : asked;
    if (plan.kind === 'later') throw new Error('nothing here has to wait');
    pipeline.close();
    return [plan.kind === 'respond' ? plan.status : plan.kind, records[0], plan];
  };

  it.each<readonly [string, Readonly<Record<string, string>>, string | Buffer, number]>([
    ['a pattern', {}, zeus, 403],
    ['text/plain', { 'content-type': 'text/plain' }, zeus, 403],
    ['gzip', { 'content-encoding': 'gzip' }, gzipSync(zeus), 403],
    ['deflate', { 'content-encoding': 'deflate' }, deflateSync(zeus), 403],
    ['bare deflate', { 'content-encoding': 'deflate' }, deflateRawSync(zeus), 403],
    ['br', { 'content-encoding': 'br' }, brotliCompressSync(zeus), 403],
    ['zstd', { 'content-encoding': 'zstd' }, zstdCompressSync(zeus), 403],
    ['two encodings', { 'content-encoding': 'gzip, br' }, brotliCompressSync(gzipSync(zeus)), 403],
    ['an encoding that lies', { 'content-encoding': 'gzip' }, zeus, 415],
    ['an unknown encoding', { 'content-encoding': 'compress' }, zeus, 415],
    ['a byte order mark', {}, `\ufeff${zeus}`, 403],
    ['UTF-16', {}, Buffer.from(zeus, 'utf16le'), 400],
    ['NaN', {}, zeus.replace('{', '{"temperature":NaN,'), 400],
    ['a lone surrogate', {}, zeus.replace('zeus', 'zeus \\ud83d'), 400],
    ['deep nesting', {}, zeus.replace('{', `{"a":${'['.repeat(600)}${']'.repeat(600)},`), 400],
    ['no model', {}, zeus.replace('"model":"gpt-5.1",', ''), 400],
    ['model null', {}, zeus.replace('"gpt-5.1"', 'null'), 400],
    ['model null, then a name', {}, zeus.replace('{', '{"model":null,'), 403],
    ['a name, then model null', {}, zeus.replace('"messages"', '"model":null,"messages"'), 400],
    ['a form', { 'content-type': 'multipart/form-data; boundary=B' }, 'x', 400],
    ['two slashes', { ':path': '/v1//chat/completions' }, zeus, 403],
    ['a slash at the end', { ':path': '/v1/chat/completions/' }, zeus, 403],
    ['an escaped slash', { ':path': '/v1/chat%2Fcompletions' }, zeus, 403],
    ['an escaped letter', { ':path': '/v1/chat/completion%73' }, zeus, 403],
    ['upper case', { ':path': '/v1/CHAT/Completions' }, zeus, 403],
    ['dots', { ':path': '/v1/x/../chat/./completions' }, zeus, 403],
    ['a path that is not known', { ':path': '/v1/whatever' }, zeus, 404],
    ['a file', { ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' }, `--B\r\n\r\n${text}`, 403],
    ['an image', { ':path': '/v1/images/generations' }, `{"prompt":"${text}"}`, 403],
    ['speech', { ':path': '/v1/audio/speech' }, `{"input":"${text}"}`, 403],
    ['a conversation', { ':path': '/v1/conversations' }, `{"items":[{"content":"${text}"}]}`, 403],
    ['compaction', { ':path': '/v1/responses/compact' }, `{"input":"${text}"}`, 403],
    ['a thread', { ':path': '/v1/threads/t/messages' }, `{"role":"user","content":"${text}"}`, 403],
    ['a batch', { ':path': '/v1/messages/batches' }, `{"requests":[{"params":{"system":"${text}"}}]}`, 403],
    [
      'an escaped colon',
      { ':path': '/v1beta/models/gemini-2.5-flash%3AgenerateContent' },
      `{"contents":[{"parts":[{"text":"${text}"}]}]}`,
      403,
    ],
    ['Gemini’s tokens', { ':path': '/v1beta/models/gemini-2.5-flash:countTokens' }, `{"contents":[{"parts":[{"text":"${text}"}]}]}`, 403],
    [
      'Gemini’s embeddings',
      { ':path': '/v1beta/models/gemini-embedding-001:embedContent' },
      `{"content":{"parts":[{"text":"${text}"}]}}`,
      403,
    ],
    ['a body that is too large', { 'content-length': String(limits.requestBodyBytes + 1) }, zeus, 413],
    ['a WebSocket', { ':method': 'GET', upgrade: 'websocket', ':path': '/v1/realtime' }, '', 403],
    ['route off', { 'x-sluice-route': 'off' }, zeus, 403],
  ])('refuses %s in the words of the API, and records it', async (_name, headers, body, status) => {
    for (const policy of [block, `failClosed: true, ${block}`]) {
      const [came, record, plan] = await answer(policy, headers, body);
      expect(came).toBe(status);
      expect(record).toMatchObject({ outcome: 'blocked', status });
      expect(JSON.stringify(record)).not.toContain('zeus today');
      expect(JSON.parse((plan as BodyPlan & { kind: 'respond' }).body.toString())).toHaveProperty('error');
    }
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string | Buffer]>([
    ['a compressed body', { 'content-encoding': 'gzip' }, gzipSync(chatBody())],
    ['a body with a mark', {}, `\ufeff${chatBody()}`],
  ])('decides %s, and sends on what it has read', async (_name, headers, body) => {
    const [kind, record, plan] = await answer(block, headers, body);
    expect([kind, record?.decision?.served.model]).toEqual(['forward', 'gpt-5-nano']);
    const sent = forwarded(plan as BodyPlan);
    expect(sent.body).toBe(chatBody().replace('gpt-5.1', 'gpt-5-nano'));
    expect(sent.headers['content-type']).toBe('application/json');
    expect(sent.remove).toContain('content-encoding');
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ['a question', {}, chatBody()],
    ['an image’s prompt', { ':path': '/v1/images/generations' }, '{"prompt":"a cat"}'],
    ['a file', { ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' }, '--B\r\n\r\nhello'],
  ])('refuses the beginning of %s whose length nobody said, however well it reads', async (_name, headers, body) => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}, ${block}}\n`);
    const asked = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...headers }), false);
    expect(asked).toMatchObject({ kind: 'read-body', beginning: true });
    const plan = (asked as RequestPlan & { kind: 'read-body' }).handler.take(Buffer.from(`${body}   `), true);
    expect(plan).toMatchObject({ kind: 'respond', status: 413 });
    expect(records[0]).toMatchObject({ outcome: 'blocked', status: 413, passReason: 'too-large' });
    pipeline.close();
  });

  it.each<readonly [string, string, string, string]>([
    ['lets the beginning of a question pass where nothing must be read', '', '/v1/chat/completions', 'forward'],
    ['refuses the beginning of a call that may name a banned model', 'bans', '/v1/audio/transcriptions', 'respond'],
    ['lets the beginning of a file pass where a model is banned', 'bans', '/v1/files', 'forward'],
  ])('%s', async (_name, bans, path, kind) => {
    const rules = bans === '' ? '' : ", rules: [{ name: no, when: 'request.model == \"gpt-5.1\"', then: { block: 'No.' } }]";
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}${rules}}\n`);
    const type = path.includes('chat') ? 'application/json' : 'multipart/form-data; boundary=B';
    const asked = pipeline.requestHeaders(headersOf({ ...chatHeaders, ':path': path, 'content-type': type }), false);
    const body = path.includes('chat') ? chatBody().slice(0, -5) : '--B\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello';
    const plan = asked.kind === 'read-body' ? asked.handler.take(Buffer.from(body), true) : asked;
    expect(plan.kind === 'pass' ? 'forward' : plan.kind).toBe(kind);
    pipeline.close();
  });

  it('decides a body with a mark where nothing is looked for, too', async () => {
    const [kind, record, plan] = await answer('', {}, `\ufeff${chatBody()}`);
    expect([kind, record?.decision?.served.model]).toEqual(['forward', 'gpt-5-nano']);
    expect(forwarded(plan as BodyPlan).body).toBe(chatBody().replace('gpt-5.1', 'gpt-5-nano'));
  });

  it('decides JSON that calls itself text', async () => {
    const [kind, record] = await answer(block, { 'content-type': 'text/plain' }, chatBody());
    expect([kind, record?.decision?.served.model]).toEqual(['forward', 'gpt-5-nano']);
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ['a list of files', { ':method': 'GET', ':path': '/v1/files' }, ''],
    ['an upload that holds nothing', { ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' }, '--B\r\n\r\nhello'],
    ['an image’s prompt', { ':path': '/v1/images/generations' }, '{"prompt":"a cat"}'],
  ])('lets %s pass, and records it', async (_name, headers, body) => {
    const [kind, record] = await answer(`failClosed: true, ${block}`, headers, body);
    expect(['pass', 'forward']).toContain(kind);
    expect(record).toMatchObject({ kind: 'observed', outcome: 'unobserved' });
  });

  it('keeps nothing of a text that it sends to a secure model', async () => {
    const [kind, record] = await answer(
      'prompts: {capture: truncate, units: 100}, cache: {mode: on}, sensitivity: [{ name: zeus, pattern: zeus, then: { model: openai/gpt-5-mini } }]',
      {},
      zeus,
    );
    expect(kind).toBe('forward');
    expect(record).toMatchObject({ decision: { reason: 'sensitivity' }, cache: 'off', request: { promptStart: null, promptHash: null } });
    expect(JSON.stringify(record)).not.toContain(text);
  });

  it('lets a WebSocket pass where the policy allows it, and records it', async () => {
    const [kind, record] = await answer(
      `websockets: allow, ${block}`,
      { ':method': 'GET', upgrade: 'websocket', ':path': '/v1/realtime' },
      '',
    );
    expect([kind, record?.passReason]).toEqual(['pass', 'upgrade']);
  });
});
