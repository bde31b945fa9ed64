import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { BodyPlan, RequestPlan } from './plans.ts';
import { explainRecord } from '../route/explain.ts';
import { bodyOf, chatHeaders, headersOf, pipelineOf } from './testing/pipeline.ts';

describe('traffic that is not decided', () => {
  it.each([
    [
      { ':method': 'GET', ':path': '/v1/models?limit=2' },
      { method: 'GET', path: '/v1/models', about: 'models', reads: true },
      { known: true, usd: 0 },
    ],
    [
      { ':method': 'POST', ':path': '/v1/images/generations' },
      { method: 'POST', path: '/v1/images/generations', about: 'images', reads: false },
      { known: false, reason: 'model' },
    ],
  ])('has a name, and a listing costs nothing: %j', async (line, call, cost) => {
    const { pipeline, records } = await pipelineOf('version: 1\n');
    pipeline.requestHeaders(headersOf({ ...chatHeaders, ...line }), line[':method'] === 'GET');
    pipeline.close();
    expect(records[0]).toMatchObject({ kind: 'observed', call });
    if (cost.known) expect(records[0]!.cost).toEqual(cost);
    else expect(records[0]!.cost.known).toBe(false);
    expect(explainRecord(records[0]!)).toContain(`called      ${call.method} ${call.path} (${call.about})`);
  });
});

describe('a call that is only observed', () => {
  const ban = 'defaults: {overrides: [{ name: dear, when: { model: [gpt-4.1] }, then: { block: "Not this model." } }]}\n';
  const form = (model: string): string =>
    `--B\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nxx\r\n--B--\r\n`;
  const multipart = { 'content-type': 'multipart/form-data; boundary=B' };

  it.each<readonly [string, Record<string, string>, string]>([
    ['speech', { ':path': '/v1/audio/speech' }, '{"model":"gpt-4.1","input":"x"}'],
    ['a name in other letters', { ':path': '/v1/images/generations' }, '{"model":"gpt-4.1-2025-04-14","prompt":"x"}'],
    ['a form', { ':path': '/v1/audio/transcriptions', ...multipart }, form('gpt-4.1')],
    ['a session inside', { ':path': '/v1/realtime/client_secrets' }, '{"session":{"type":"realtime","model":"gpt-4.1"}}'],
    ['lines of a batch', { ':path': '/v1/files', ...multipart }, '--B\r\n\r\n{"custom_id":"a","body":{"model":"gpt-4.1"}}\r\n--B--'],
    [
      'a compressed body',
      { ':path': '/v1/moderations', 'content-encoding': 'gzip' },
      gzipSync('{"model":"gpt-4.1","input":"x"}').toString('latin1'),
    ],
  ])('is refused for a banned model: %s', async (_what, head, body) => {
    const { pipeline, records } = await pipelineOf(`version: 1\n${ban}`);
    const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...head }), false);
    if (plan.kind !== 'read-body') throw new Error('the body was not asked for');
    const refused = plan.handler.take(Buffer.from(body, 'latin1'));
    expect(refused).toMatchObject({ kind: 'respond', status: 403 });
    expect((refused as BodyPlan & { kind: 'respond' }).body.toString()).toContain('Not this model.');
    expect(records).toMatchObject([{ outcome: 'blocked', cost: { known: true, usd: 0 } }]);
    pipeline.close();
  });

  it('is refused for a banned model that the path or the query names, in the words of its API', async () => {
    const { pipeline } = await pipelineOf(
      'version: 1\ndefaults: {websockets: allow, overrides: [{ name: dear, when: { model: [gpt-realtime, imagen-4] }, then: { block: "Not this model." } }]}\n',
    );
    const socket = { ':method': 'GET', ':path': '/v1/realtime?model=gpt-realtime', upgrade: 'websocket' };
    expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, ...socket }), false)).toMatchObject({ kind: 'respond', status: 403 });
    const google = pipeline.requestHeaders(
      headersOf({ ...chatHeaders, ':path': '/v1beta/models/imagen-4:predict', 'x-goog-api-key': 'k' }),
      false,
    );
    expect(google).toMatchObject({ kind: 'respond', status: 403 });
    expect((google as RequestPlan & { kind: 'respond' }).body.toString()).toContain('"PERMISSION_DENIED"');
    pipeline.close();
  });

  it('goes on with another model, as it came, and is not read where nothing is banned', async () => {
    const { pipeline, records } = await pipelineOf(`version: 1\n${ban}`);
    const speech = { ...chatHeaders, ':path': '/v1/audio/speech' };
    expect(bodyOf(pipeline.requestHeaders(headersOf(speech), false), '{"model":"tts-1","input":"gpt-4.1"}')).toMatchObject({
      kind: 'forward',
    });
    expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, ':method': 'GET', ':path': '/v1/models' }), true).kind).toBe('pass');
    pipeline.close();
    expect(records).toHaveLength(2);
    const open = await pipelineOf('version: 1\n');
    expect(open.pipeline.requestHeaders(headersOf(speech), false).kind).toBe('pass');
    open.pipeline.close();
  });

  describe('counts in the rate limits and budgets of its caller', () => {
    const speech = headersOf({ ...chatHeaders, ':path': '/v1/audio/speech' });
    const text = (plan: RequestPlan): string => (plan as RequestPlan & { kind: 'respond' }).body.toString();

    it.each<readonly [string, Record<string, string>, string | null]>([
      ['speech', { ':path': '/v1/audio/speech' }, null],
      ['rerank', { ':path': '/v1/rerank' }, null],
      ['a batch', { ':path': '/v1/batches' }, '{"input_file_id":"f"}'],
      ['a WebSocket', { ':method': 'GET', ':path': '/v1/realtime?model=gpt-realtime', upgrade: 'websocket' }, null],
      ['an unknown path', { ':path': '/v1/unknown' }, null],
      ['a body that is no JSON by its type', { 'content-type': 'text/plain' }, null],
      ['a body that cannot be read', {}, 'no json'],
    ])('as one request: %s', async (_what, head, body) => {
      const { pipeline, records } = await pipelineOf(
        'version: 1\nlimits: [{ name: few, per: [workspace], requests: { day: 1 } }]\ndefaults: {tiers: [], websockets: allow}\n',
      );
      const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ...head }), false);
      expect(body === null ? plan.kind : bodyOf(plan, body).kind).toBe(body === null ? 'pass' : 'forward');
      const refused = pipeline.requestHeaders(speech, false);
      expect(refused).toMatchObject({ kind: 'respond', status: 429 });
      expect(text(refused)).toContain('"rate_limit_exceeded"');
      expect((refused as RequestPlan & { kind: 'respond' }).headers).toContainEqual(['x-ratelimit-remaining-requests', '0']);
      expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, ':method': 'GET', ':path': '/v1/files' }), true).kind).toBe('pass');
      pipeline.close();
      expect(records.filter(({ outcome }) => outcome === 'blocked')).toMatchObject([{ limits: [{ limit: 'few', action: 'refused' }] }]);
      expect(records.some(({ kind, limits }) => kind === 'observed' && limits?.[0]?.action === 'counted')).toBe(true);
    });

    it('with unknown tokens and cost, which are not zero, once for each request of a batch', async () => {
      const { pipeline, records } = await pipelineOf(
        'version: 1\nlimits: [{ name: words, tokens: { day: 1000 }, unknown: 100 }]\nbudgets: [{ name: money, period: day, usd: 10, unknown: 1, hard: {} }]\ndefaults: {tiers: []}\n',
      );
      const batch = headersOf({ ...chatHeaders, ':path': '/v1/messages/batches', 'x-api-key': 'k', 'anthropic-version': '2023-06-01' });
      const four = JSON.stringify({ requests: Array.from({ length: 4 }, (_, at) => ({ custom_id: `${at}`, params: {} })) });
      expect(bodyOf(pipeline.requestHeaders(batch, false), four).kind).toBe('forward');
      expect(pipeline.requestHeaders(speech, false).kind).toBe('pass');
      expect(bodyOf(pipeline.requestHeaders(batch, false), four).kind).toBe('forward');
      expect(text(bodyOf(pipeline.requestHeaders(batch, false), four) as RequestPlan)).toContain('money');
      // What is free counts as nothing.
      const file = headersOf({ ...chatHeaders, ':path': '/v1/files', 'content-type': 'multipart/form-data; boundary=B' });
      expect(pipeline.requestHeaders(file, false).kind).toBe('pass');
      pipeline.close();
      expect(
        records.filter(({ outcome }) => outcome !== 'blocked').map(({ budgets, limits }) => [budgets[0]?.reserved, limits?.[0]?.reserved]),
      ).toEqual([
        [4, 400],
        [1, 100],
        [4, 400],
        [0, 0],
      ]);
    });

    it('by its model, for which its body is read then', async () => {
      const { pipeline } = await pipelineOf(
        'version: 1\nlimits: [{ name: pictures, match: { model: [openai/gpt-image-1] }, requests: { day: 1 } }]\ndefaults: {tiers: []}\n',
      );
      const image = (model: string): string =>
        bodyOf(
          pipeline.requestHeaders(headersOf({ ...chatHeaders, ':path': '/v1/images/generations' }), false),
          JSON.stringify({ model, prompt: 'a cat' }),
        ).kind;
      expect(['gpt-image-1', 'dall-e-3', 'gpt-image-1', 'dall-e-3'].map(image)).toEqual(['forward', 'forward', 'respond', 'forward']);
      pipeline.close();
    });

    it('and is refused in none where the section only watches', async () => {
      const { pipeline, records } = await pipelineOf(
        'version: 1\nlimits: [{ name: few, requests: { day: 1 } }]\ndefaults: {mode: shadow}\n',
      );
      for (let i = 0; i < 3; i++) expect(pipeline.requestHeaders(speech, false).kind).toBe('pass');
      pipeline.close();
      expect(records.map(({ limits }) => limits?.[0]?.action)).toEqual(['counted', 'over', 'over']);
    });
  });
});
