import { describe, expect, it, vi } from 'vitest';
import { MemoryGate } from './memory-gate.ts';
import type { RequestPlan } from './plans.ts';
import { LoadGate } from './load-gate.ts';
import { limits } from '../lib/limits.ts';
import { BodyReader } from './body-reader.ts';
import { type Bench, bodyOf, candidates, chatBody, chatHeaders, forwarded, headersOf, pipelineOf, promised } from './testing/pipeline.ts';

describe('an Envoy without memory for another large body', () => {
  const large = { ...chatHeaders, 'content-length': '30000000' };
  const bench = (admission?: LoadGate): Promise<Bench> =>
    pipelineOf(`version: 1\ndefaults: {${candidates}}`, {
      memory: new MemoryGate(200_000_000),
      ...(admission === undefined ? {} : { admission }),
    });
  const plan = ({ pipeline }: Bench, headers: Readonly<Record<string, string>> = large): RequestPlan =>
    pipeline.requestHeaders(headersOf(headers), false);

  it('refuses large requests in the words of their API, records and counts them, and lets small ones in', async () => {
    const one = await bench();
    expect([plan(one).kind, plan(one).kind]).toEqual(['read-body', 'respond']);
    expect(plan(one, chatHeaders).kind).toBe('read-body');
    const refused = plan(one) as Extract<RequestPlan, { kind: 'respond' }>;
    expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([503, { error: { code: 'unreadable_memory' } }]);
    expect(refused.headers).toContainEqual(['retry-after', '1']);
    expect(one.records[0]).toMatchObject({ passReason: 'memory', outcome: 'blocked', status: 503 });
    expect(await one.metrics.registry.metrics()).toContain('llm_proxy_refused_total{reason="memory"} 2');
  });

  it('has room again when the client leaves, and room for one more when the answer has begun', async () => {
    const one = await bench();
    const first = plan(one) as Extract<RequestPlan, { kind: 'read-body' }>;
    first.handler.aborted();
    const second = plan(one) as Extract<RequestPlan, { kind: 'read-body' }>;
    const decided = second.handler.take(Buffer.from(chatBody()));
    const other = { ...chatHeaders, 'content-length': '27000000' };
    // Forwarded, a body counts once: 30 MB and 105 MB fit into 200 MB, and 94.5 MB more do not until the first is answered.
    expect([plan(one).kind, plan(one, other).kind]).toEqual(['read-body', 'respond']);
    const { metadata } = decided as unknown as { readonly metadata: { readonly id: string } };
    one.pipeline.responseHeaders(headersOf({ ':status': '200' }), metadata, true);
    expect(plan(one, other).kind).toBe('read-body');
  });

  it('counts bodies of requests that pass undecided, too', async () => {
    let now = 0;
    const admission = new LoadGate(100, () => now);
    now = 1_000;
    admission.tick();
    const one = await bench(admission);
    const kinds = Array.from({ length: 5 }, () => plan(one).kind);
    expect(kinds).toEqual(['pass', 'pass', 'pass', 'pass', 'respond']);
  });
});

describe('a processor that is behind', () => {
  /** Late from the start, as a fake clock has it. */
  const behind = (): LoadGate => {
    let now = 0;
    const admission = new LoadGate(100, () => now);
    now = 1_000;
    admission.tick();
    return admission;
  };

  it('lets new requests pass undecided, and counts them', async () => {
    const { pipeline, metrics } = await pipelineOf(`version: 1\ndefaults: {${candidates}}`, { admission: behind() });
    expect(pipeline.requestHeaders(headersOf(chatHeaders), false)).toMatchObject({ kind: 'pass', metadata: { reason: 'overload' } });
    expect(await metrics.registry.metrics()).toContain('llm_proxy_passthrough_total{reason="overload"} 1');
  });

  it.each(['failClosed: true', "sensitivity: [{ name: zeus, pattern: zeus, then: { block: 'No.' } }]"])(
    'refuses them where the policy says %s',
    async (setting) => {
      const { pipeline, records, metrics } = await pipelineOf(`version: 1\ndefaults: {${candidates}, ${setting}}`, { admission: behind() });
      expect(pipeline.requestHeaders(headersOf(chatHeaders), false)).toMatchObject({ kind: 'respond', status: 503 });
      expect(records).toMatchObject([{ passReason: 'overload', outcome: 'blocked', status: 503 }]);
      expect(await metrics.registry.metrics()).toContain('llm_proxy_refused_total{reason="overload"} 1');
    },
  );

  it('counts a request whose body is awaited once, however it ends', async () => {
    const admission = new LoadGate();
    const { pipeline } = await pipelineOf(`version: 1\ndefaults: {${candidates}}`, { admission });
    const open = (): Extract<RequestPlan, { kind: 'read-body' }> => pipeline.requestHeaders(headersOf(chatHeaders), false) as never;
    const [read, left] = [open(), open()];
    expect(admission.open).toBe(2);
    void read.handler.take(Buffer.from(chatBody()));
    read.handler.aborted();
    left.handler.aborted();
    left.handler.aborted();
    expect(admission.open).toBe(0);
  });

  it('decides a large body that another thread reads like any other, and nothing for a client that left meanwhile', async () => {
    const bodies = new BodyReader();
    const { pipeline, records } = await pipelineOf(`version: 1\ndefaults: {${candidates}}`, { bodies });
    const large = chatBody(`"user":"${'x'.repeat(limits.inlineBodyBytes)}",`);
    const open = (): Extract<RequestPlan, { kind: 'read-body' }> => pipeline.requestHeaders(headersOf(chatHeaders), false) as never;
    const here = forwarded(bodyOf(open(), large));
    // Until the thread has begun nothing has to wait.
    const elsewhere = await vi.waitFor(() => promised(open().handler.take(Buffer.from(large))), { timeout: 30_000, interval: 50 });
    expect(forwarded(elsewhere)).toEqual(here);
    expect(here.body).toBe(large.replace('"gpt-5.1"', '"gpt-5-nano"'));

    const leaving = open();
    const dropped = promised(leaving.handler.take(Buffer.from(large)));
    leaving.handler.aborted();
    const before = pipeline.pending;
    expect(await dropped).toEqual({ kind: 'forward' });
    expect(pipeline.pending).toBe(before);

    const unread = promised(open().handler.take(Buffer.from(large)));
    pipeline.close();
    expect(await unread).toEqual({ kind: 'forward', metadata: { reason: 'internal-error' } });
    expect(new Set(records.map(({ decision }) => decision?.served.model))).toEqual(new Set(['gpt-5-nano']));
  });
});
