import { describe, expect, it } from 'vitest';
import { type FilterRole, abilitiesHeader, errorsKey } from '../attach/names.ts';
import type { AnswerPass, AnswerRetry, Attempt } from './plans.ts';
import { explainRecord } from '../route/explain.ts';
import { type Bench, bodyOf, candidates, chatBody, chatHeaders, forwarded, headersOf, pipelineOf } from './testing/pipeline.ts';

describe('an attempt that Sluice cannot handle', () => {
  it.each([
    ['anthropic', false, 503, 'prepare an attempt'],
    ['anthropic', true, 502, 'handle the answer'],
    ['openai', false, 503, 'prepare an attempt'],
  ] as const)('is an error of the API of an app of %s (asked: %s): %i', async (form, asked, status, words) => {
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}}\n`);
    const { answer } = pipeline.broken({ [errorsKey]: form }, asked);
    expect(answer.headers.set).toContainEqual([':status', String(status)]);
    const body = JSON.parse(answer.body.toString()) as { type?: string; error: { message: string } };
    expect(body.error.message).toContain(words);
    expect(body.type).toBe(form === 'anthropic' ? 'error' : undefined);
    pipeline.close();
  });
});

describe('a parameter that a chosen model refuses', () => {
  const policy = `version: 1\ndefaults: {${candidates}}\n`;
  const withChains = { ...chatHeaders, [abilitiesHeader]: 'groups' };
  /** Its table entry is gone on purpose: what the model refuses is what nobody knew. */
  const body = chatBody('"odd_setting":1,');

  function refusal(bench: Bench): { readonly kind: string } {
    const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), body);
    expect(forwarded(plan).headers['x-envoy-retry-on']).toBe('retriable-headers');
    const attempt = bench.pipeline.attempt('gate', plan.metadata ?? null, null);
    const answer = attempt?.answer(headersOf({ ':status': '400', 'content-type': 'application/json' }), false);
    if (answer?.kind !== 'whole') throw new Error('the error was not read');
    return answer.judge(
      Buffer.from('{"error":{"message":"Unknown parameter: \'odd_setting\'.","param":"odd_setting","code":"unknown_parameter"}}'),
    );
  }

  it('has the requested model answer once, in a section without fallback too, and is not tried again', async () => {
    const bench = await pipelineOf(policy);
    expect(refusal(bench)).toEqual({ kind: 'retry', reason: 'unsupported-parameter' });
    const next = bench.pipeline.requestHeaders(headersOf(withChains), false);
    const second = forwarded(bodyOf(next, body));
    expect(second.body === undefined ? body : second.body).not.toContain('gpt-5-nano');
    bench.pipeline.close();
    expect(bench.records[0]!.attempts[0]).toMatchObject({ target: { model: 'gpt-5-nano' }, status: 400, reason: 'unsupported-parameter' });
    expect(bench.records[1]!.decision!.candidates[0]).toMatchObject({ disqualified: 'parameter', refused: 'odd_setting' });
    expect(explainRecord(bench.records[1]!)).toContain('it refuses a parameter of the request (odd_setting)');
  });

  it('makes no chain of a request that has none, nor where a rule chose the model', async () => {
    const bench = await pipelineOf(
      policy.replace('defaults: {', 'defaults: {overrides: [{name: small, when: {model: [gpt-5.1]}, then: {model: openai/gpt-5-nano}}], '),
    );
    expect(
      forwarded(bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), body)).headers['x-envoy-retry-on'],
    ).toBeUndefined();
    bench.pipeline.close();
    const plain = await pipelineOf(policy);
    expect(
      forwarded(bodyOf(plain.pipeline.requestHeaders(headersOf(withChains), false), chatBody())).headers['x-envoy-retry-on'],
    ).toBeUndefined();
    plain.pipeline.close();
  });

  describe('a model that an organization has to be verified to stream', () => {
    const stream = chatBody('"stream":true,');
    const unverified = Buffer.from(
      '{"error":{"message":"Your organization must be verified to stream this model.","param":"stream","code":"unsupported_value"}}',
    );
    const retries = (bench: Bench, text: string): string | undefined =>
      forwarded(bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), text)).headers['x-envoy-retry-on'];

    it('is left to the requested model', async () => {
      const bench = await pipelineOf(policy);
      const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), stream);
      const attempt = bench.pipeline.attempt('gate', plan.metadata ?? null, null);
      const answer = attempt?.answer(headersOf({ ':status': '400', 'content-type': 'application/json' }), false);
      if (answer?.kind !== 'whole') throw new Error('the error was not read');
      expect(answer.judge(unverified)).toEqual({ kind: 'retry', reason: 'model-gone' });
      bench.pipeline.close();
    });

    it('needs no chain once it has streamed', async () => {
      const bench = await pipelineOf(policy);
      const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), stream);
      const attempt = bench.pipeline.attempt('gate', plan.metadata ?? null, null);
      expect(attempt?.answer(headersOf({ ':status': '200', 'content-type': 'text/event-stream' }), false)).toEqual({ kind: 'pass' });
      expect(retries(bench, stream)).toBeUndefined();
      bench.pipeline.close();
    });

    it('is no matter for models that stream for everybody', async () => {
      const bench = await pipelineOf(policy.replaceAll('gpt-5-nano', 'gpt-4.1-nano'));
      expect(retries(bench, stream)).toBeUndefined();
      bench.pipeline.close();
    });
  });

  it('writes the limit on the answer in the chosen model’s words, and records that', async () => {
    const bench = await pipelineOf(policy.replace('defaults: {', 'defaults: {fallback: {tiers: {simple: [openai/gpt-4.1-nano]}}, '));
    const plan = bodyOf(bench.pipeline.requestHeaders(headersOf(withChains), false), chatBody('"max_tokens":50,'));
    // Each attempt makes its own request of what the app sent.
    expect(forwarded(plan).body).toBeUndefined();
    const attempt = bench.pipeline.attempt('next', plan.metadata ?? null, null)!;
    const made = attempt.request(Buffer.from(chatBody('"max_tokens":50,')));
    if (made.kind !== 'forward' || made.body === undefined) throw new Error('not forwarded');
    expect(Buffer.concat([made.body].flat()).toString()).toContain('"max_completion_tokens":50');
    bench.pipeline.close();
    expect(bench.records[0]!.attempts.at(-1)).toMatchObject({ adapted: ['max_tokens → max_completion_tokens'] });
  });
});

describe('every attempt counts', () => {
  const policy = `version: 1\ndefaults: {${candidates}, tiers: [], fallback: {models: {gpt-5.1: [openai/gpt-4.1]}, on: [reset, timeout, server-error, stream-error, empty]}}\n`;
  const streamed = chatBody('"stream":true,');

  async function begun(body: string, roles: 'gate' | 'stream') {
    const bench = await pipelineOf(policy);
    const plan = bodyOf(bench.pipeline.requestHeaders(headersOf({ ...chatHeaders, [abilitiesHeader]: 'groups' }), false), body);
    let role: FilterRole = roles;
    const next = (): Attempt => {
      const attempt = bench.pipeline.attempt(role, plan.metadata ?? null, null);
      // The filter of the first attempt begins none.
      if (role === 'gate') role = 'next';
      if (attempt === null) throw new Error('unknown');
      return attempt;
    };
    const answered = (status: string): void => {
      const read = bench.pipeline.responseHeaders(
        headersOf({ ':status': status, 'content-type': 'text/plain' }),
        plan.metadata ?? null,
        false,
      );
      if (read.kind === 'read') read.observer.end(true, false);
      bench.pipeline.close();
    };
    return { bench, next, answered };
  }

  it.each([
    ['sent headers and then nothing', []],
    ['sent comments and never an event', [': wait\n\n', ': wait\n\n']],
  ])('also one that %s', async (_what, sent) => {
    const { bench, next, answered } = await begun(streamed, 'stream');
    const first = next();
    first.request(Buffer.from(streamed));
    const plan = first.answer(headersOf({ ':status': '200', 'content-type': 'text/event-stream' }), false);
    if (plan.kind !== 'relay') throw new Error('not relayed');
    for (const bytes of sent) expect(plan.relay.push(Buffer.from(bytes))).toEqual({ kind: 'hold' });
    const second = next();
    second.request(Buffer.from(streamed));
    second.answer(headersOf({ ':status': '400', 'content-type': 'application/json' }), true);
    answered('400');
    expect(bench.records[0]!.attempts.map(({ status, outcome, reason }) => ({ status, outcome, reason }))).toEqual([
      { status: 200, outcome: 'cut', reason: 'reset' },
      { status: 400, outcome: 'provider-error', reason: null },
    ]);
    expect(bench.records[0]!.cost).toEqual({ known: false, reason: 'attempt' });
  });

  const pageHeaders = { ':status': '200', 'content-type': 'text/html' };
  const page = Buffer.from('<html>sign in</html>');

  it.each([
    ['nothing', { ':status': '200', 'content-type': 'application/json', 'content-length': '0' }, true],
    ['nothing, as a redirect', { ':status': '302', location: '/login' }, true],
    ['events that were not asked for', { ':status': '200', 'content-type': 'text/event-stream' }, false],
  ])('also one that sent %s', async (_what, headers, endOfStream) => {
    const { next } = await begun(chatBody(), 'gate');
    const first = next();
    first.request(Buffer.from(chatBody()));
    expect(first.answer(headersOf(headers), endOfStream)).toEqual({ kind: 'retry', reason: 'server-error' });
  });

  it.each([
    ['a page', pageHeaders, page],
    ['half an answer', { ':status': '200', 'content-type': 'application/json' }, Buffer.from('{"id":"a","choi')],
    ['nothing', { ':status': '200', 'content-type': 'application/json' }, null],
  ])('where the last one sent %s, the app gets an error of its API', async (_what, headers, body) => {
    const { bench, next, answered } = await begun(chatBody(), 'gate');
    const judged = (sent: Readonly<Record<string, string>>, bytes: Buffer | null): AnswerPass | AnswerRetry => {
      const attempt = next();
      attempt.request(Buffer.from(chatBody()));
      const plan = attempt.answer(headersOf(sent), bytes === null);
      if (plan.kind === 'relay') throw new Error('relayed');
      return plan.kind === 'whole' ? plan.judge(bytes ?? Buffer.alloc(0)) : plan;
    };
    expect(judged(pageHeaders, page)).toMatchObject({ kind: 'retry' });
    const last = judged(headers, body);
    if (last.kind !== 'pass') throw new Error(last.kind);
    expect(last.headers?.set).toContainEqual([':status', '502']);
    expect(JSON.parse(last.body!.toString())).toMatchObject({ error: { message: 'openai sent no answer that can be read.' } });
    answered('502');
    expect(bench.records[0]!.attempts.map(({ reason }) => reason)).toEqual(['server-error', 'server-error']);
    expect(bench.records[0]).toMatchObject({ outcome: 'provider-error', cost: { known: false } });
  });

  it('holds no comments of the last one, whose answer nobody else could give', async () => {
    const { bench, next } = await begun(streamed, 'stream');
    next();
    const last = next();
    last.request(Buffer.from(streamed));
    const plan = last.answer(headersOf({ ':status': '200', 'content-type': 'text/event-stream' }), false);
    if (plan.kind !== 'relay') throw new Error('not relayed');
    expect(plan.relay.push(Buffer.from(': wait\n\n'))).toEqual({ kind: 'go', bytes: Buffer.from(': wait\n\n') });
    bench.pipeline.close();
  });
});
