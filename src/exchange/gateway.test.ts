import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BodyPlan } from './plans.ts';
import { abilitiesHeader } from '../attach/names.ts';
import { bodyOf, candidates, chatBody, chatHeaders, forwarded, headersOf, pipelineOf } from './testing/pipeline.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-pipeline-'));
const keyFile = join(folder, 'key');

beforeAll(() => writeFileSync(keyFile, 'gateway-key\n'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the pipeline', () => {
  it('asks for no body of what it cannot use, and counts why', async () => {
    const { pipeline, metrics } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    const kinds = [
      { ...chatHeaders, ':path': '/healthz' },
      { ...chatHeaders, 'content-type': 'multipart/form-data' },
      { ...chatHeaders, 'content-encoding': 'compress' },
      { ...chatHeaders, 'content-length': String(64 * 1024 * 1024) },
      { ...chatHeaders, ':method': 'GET', ':path': '/v1/responses', upgrade: 'websocket' },
    ].map((headers) => pipeline.requestHeaders(headersOf(headers), false).kind);
    expect(kinds).toEqual(['pass', 'pass', 'pass', 'pass', 'pass']);
    const text = await metrics.registry.metrics();
    for (const reason of ['not-json', 'encoded-body', 'too-large', 'upgrade'])
      expect(text).toMatch(new RegExp(`llm_proxy_passthrough_total\\{reason="${reason}"\\} 1`));
    pipeline.close();
  });

  it('writes the record of an exchange whose answer never came, and says so', async () => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody());
    expect(pipeline.pending).toBe(1);
    pipeline.close();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ outcome: 'unobserved', usageUnknown: 'not-observed', cost: { known: false } });
  });

  it('ignores an answer that it knows nothing of', async () => {
    const { pipeline } = await pipelineOf('version: 1\n');
    expect(pipeline.responseHeaders(headersOf({ ':status': '200' }), { id: 'somebody else’s' }, false)).toEqual({ kind: 'ignore' });
    expect(pipeline.responseHeaders(headersOf({ ':status': '200' }), null, false)).toEqual({ kind: 'ignore' });
    pipeline.close();
  });

  it('observes Bedrock, which it cannot rewrite', async () => {
    const { pipeline, records } = await pipelineOf(
      'version: 1\nproviders: {aws: {dialect: bedrock, endpoint: "https://bedrock-runtime.us-east-1.amazonaws.com"}}\n',
    );
    const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, ':path': '/model/anthropic.claude-3-haiku/converse' }), false);
    if (plan.kind !== 'pass') throw new Error(plan.kind);
    pipeline.responseHeaders(headersOf({ ':status': '200', 'content-type': 'application/json' }), plan.metadata ?? null, true);
    pipeline.close();
    expect(records[0]).toMatchObject({
      kind: 'observed',
      api: 'bedrock',
      requestedModel: 'anthropic.claude-3-haiku',
      passReason: 'not-rewritable',
      usageUnknown: 'unreadable',
      status: 200,
    });
  });

  it('changes nothing in shadow mode, and records what it would have done', async () => {
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {mode: shadow, ${candidates}}\n`);
    expect(forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody())).body).toBeUndefined();
    pipeline.close();
    expect(records[0]).toMatchObject({
      mode: 'shadow',
      servedModel: 'gpt-5.1',
      decision: { reason: 'shadow', wouldServe: { model: 'gpt-5-nano' } },
    });
  });

  it('reads nothing where the policy is off', async () => {
    const { pipeline } = await pipelineOf('version: 1\nsections: [{name: quiet, match: {workspace: [quiet]}, mode: "off"}]\n');
    expect(pipeline.requestHeaders(headersOf({ ...chatHeaders, 'x-sluice-workspace': 'quiet' }), false).kind).toBe('pass');
    expect(pipeline.requestHeaders(headersOf(chatHeaders), false).kind).toBe('read-body');
    pipeline.close();
  });

  it('adds stream_options where the policy asks for usage and the app said nothing', async () => {
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {streamUsage: ask, ${candidates}}\n`);
    const ask = (more: string) =>
      forwarded(bodyOf(pipeline.requestHeaders(headersOf({ ...chatHeaders, [abilitiesHeader]: 'none' }), false), chatBody(more))).body;
    expect(ask('"stream":true,')).toBe(
      chatBody('"stream":true,').replace('{"model":"gpt-5.1"', '{"stream_options":{"include_usage":true},"model":"gpt-5-nano"'),
    );
    expect(ask('"stream":true,"stream_options":{"include_usage":false},')).not.toContain('true},"model');
    expect(ask('')).not.toContain('stream_options');
    pipeline.close();
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('reads and decides a body in %s, which goes on decoded', async (encoding, encode) => {
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, 'content-encoding': encoding }), false);
    if (plan.kind !== 'read-body') throw new Error(plan.kind);
    const { body, remove } = forwarded(plan.handler.take(encode(Buffer.from(chatBody()))) as BodyPlan);
    expect([body, remove]).toEqual([chatBody().replace('gpt-5.1', 'gpt-5-nano'), ['content-encoding']]);
    pipeline.close();
  });

  it('leaves a compressed body as it came where it cannot be decoded, and in shadow mode', async () => {
    const zipped = gzipSync(Buffer.from(chatBody()));
    for (const [mode, sent] of [
      ['enabled', zipped.subarray(0, 40)],
      ['shadow', zipped],
    ] as const) {
      const { pipeline, metrics } = await pipelineOf(`version: 1\ndefaults: {mode: ${mode}, ${candidates}}\n`);
      const plan = pipeline.requestHeaders(headersOf({ ...chatHeaders, 'content-encoding': 'gzip' }), false);
      if (plan.kind !== 'read-body') throw new Error(plan.kind);
      const { body, remove } = forwarded(plan.handler.take(sent) as BodyPlan);
      expect([body, remove]).toEqual([undefined, []]);
      const passed = /llm_proxy_passthrough_total\{reason="encoded-body"\} 1/.test(await metrics.registry.metrics());
      expect(passed).toBe(mode === 'enabled');
      pipeline.close();
    }
  });

  it('rewrites a Gemini model in the path and leaves the query', async () => {
    const { pipeline } = await pipelineOf(
      'version: 1\ndefaults: {candidates: {simple: [google/gemini-2.5-flash-lite], standard: [google/gemini-2.5-flash], complex: [google/gemini-2.5-pro]}}\n',
    );
    const plan = pipeline.requestHeaders(
      headersOf({ ...chatHeaders, ':path': '/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse' }),
      false,
    );
    const { headers, clear, body } = forwarded(bodyOf(plan, '{"contents":[{"parts":[{"text":"What is DNS?"}]}]}'));
    expect(headers[':path']).toBe('/v1beta/models/gemini-2.5-flash-lite:streamGenerateContent?alt=sse');
    expect([clear, body]).toEqual([true, undefined]);
    pipeline.close();
  });

  describe('crossing providers', () => {
    const policy = (credential: string): string => `version: 1
providers: {mistral: {${credential}}}
sections: [{name: crossing, match: {provider: [openai]}, allowProviders: [mistral], candidates: {simple: [mistral/mistral-small-latest], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1]}}]
`;

    it("swaps the app's key for the gateway's own, so that it never reaches a stranger", async () => {
      const { pipeline } = await pipelineOf(policy(`credentialFile: ${JSON.stringify(keyFile)}`));
      const { body, headers, remove, clear } = forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody()));
      expect(body).toContain('"model":"mistral-small-latest"');
      expect(headers).toMatchObject({
        authorization: 'Bearer gateway-key',
        'x-sluice-cluster': 'provider_mistral',
        ':path': '/mistral/v1/chat/completions',
      });
      expect(remove).toEqual(expect.arrayContaining(['x-api-key', 'api-key', 'x-goog-api-key']));
      expect(clear).toBe(true);
      pipeline.close();
    });

    it('stays at home when the key is missing', async () => {
      const { pipeline, records } = await pipelineOf(policy(`credentialFile: ${JSON.stringify(join(folder, 'gone'))}`));
      const { headers } = forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody()));
      expect(headers['x-sluice-cluster']).toBeUndefined();
      pipeline.close();
      expect(records[0]?.decision?.candidates[0]).toMatchObject({ target: { provider: 'mistral' }, disqualified: 'no-credential' });
    });
  });

  it('passes a request after an error of its own, counts it, and answers 503 only where the policy is fail-closed', async () => {
    const plans = await Promise.all(
      ['false', 'true'].map(async (failClosed) => {
        const { pipeline, generation, errors, metrics } = await pipelineOf(
          `version: 1\ndefaults: {failClosed: ${failClosed}, ${candidates}}\n`,
        );
        const asked = pipeline.requestHeaders(headersOf(chatHeaders), false);
        Object.defineProperty(generation, 'catalog', {
          get: () => {
            throw new Error('broken on purpose');
          },
        });
        const plan = bodyOf(asked, chatBody());
        expect(errors.length).toBeGreaterThan(0);
        expect(await metrics.registry.getSingleMetricAsString('llm_proxy_fail_open_total')).toContain('internal-error');
        return plan;
      }),
    );
    expect(plans[0]).toEqual({ kind: 'forward' });
    expect(plans[1]).toMatchObject({ kind: 'respond', status: 503 });
  });
});

it('learns from answers how many output tokens a model takes, and reckons with that', async () => {
  const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}, tiers: [simple, standard, complex]}\n`);
  const usage = '{"prompt_tokens":20,"completion_tokens":1500,"total_tokens":1520,"completion_tokens_details":{"reasoning_tokens":1400}}';
  const answer = `{"id":"x","object":"chat.completion","model":"gpt-5-nano","choices":[{"index":0,"message":{"role":"assistant","content":"A network."},"finish_reason":"stop"}],"usage":${usage}}`;
  for (let i = 0; i < 20; i++) {
    const plan = bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chatBody());
    const read = pipeline.responseHeaders(
      headersOf({ ':status': '200', 'content-type': 'application/json' }),
      plan.metadata ?? null,
      false,
    );
    if (read.kind === 'read') {
      read.observer.chunk(Buffer.from(answer));
      read.observer.end(true, false);
    }
    await vi.waitFor(() => expect(records).toHaveLength(i + 1));
  }
  const tokens = (at: number): number | undefined =>
    records[at]!.decision!.candidates.find(({ target }) => target.model === 'gpt-5-nano')?.outputTokens;
  expect(tokens(0)).toBeUndefined();
  expect(tokens(19)).toBeGreaterThan(1_000);
  expect(records[19]!.decision!.assumedOutputTokens).toBe(tokens(19));
  // Nothing was learnt of the requested model: the task's assumption stands in.
  expect(records[19]!.decision!.baselineOutputTokens).toBe(records[0]!.decision!.assumedOutputTokens);
  pipeline.close();
});
