import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { freePorts, Stack, type StackOptions } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { conventionProblems } from './support/genai-conventions.ts';
import { OtlpReceiver, type ReceivedSpan } from './support/otlp-receiver.ts';
import { ScriptedProvider, status, well } from './support/scripted-provider.ts';

const policy = `
version: 1
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  prompts: { capture: truncate, units: 20 }
sections:
  - { name: openai, match: { provider: [openai] } }
`;

const simulator = new ProviderSimulator();
const receiver = new OtlpReceiver();
let endpoints: { readonly grpc: string; readonly http: string };
let endpoint: string;
const stacks: Stack[] = [];

beforeAll(async () => {
  endpoints = await receiver.listen();
  endpoint = await simulator.listen();
});

afterAll(async () => {
  for (const stack of stacks) await stack.stop();
  receiver.close();
  await simulator.close();
});

async function start(env: Record<string, string>, more: Partial<StackOptions> = {}): Promise<Stack> {
  const stack = new Stack({ policy, endpoint, env, ...more });
  stacks.push(stack);
  await stack.start();
  return stack;
}

async function ask(stack: Stack, headers: Record<string, string>, body: object = {}): Promise<string> {
  const response = await fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }], ...body }),
  });
  await response.text();
  return response.headers.get('x-sluice-decision')!;
}

async function spansOf(traceId: string, count: number): Promise<Record<string, ReceivedSpan>> {
  const found = (): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await expect.poll(() => found().length, { timeout: 10_000 }).toBe(count);
  return Object.fromEntries(found().map((span) => [span.name, span]));
}

describe.each(['http/protobuf', 'grpc'] as const)('spans over %s', (protocol) => {
  it('are one connected trace from the app through Envoy and Sluice to the provider', async () => {
    const stack = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? endpoints.grpc : endpoints.http,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
    });
    const app = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'app' }),
      spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoints.http}/v1/traces` }) })],
    });
    const calling = app.getTracer('app').startSpan('POST /ask');
    const { traceId, spanId } = calling.spanContext();
    const before = simulator.received.length;
    const id = await ask(
      stack,
      { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=1', 'x-sluice-workspace': 'red' },
      { stream: true, stream_options: { include_usage: true } },
    );
    calling.end();
    await app.shutdown();

    const spans = await spansOf(traceId, 6);
    const own = spans['sluice']!;
    const call = spans['chat gpt-5-nano']!;
    expect(
      Object.values(spans)
        .map(({ name, service }) => `${service}: ${name}`)
        .sort(),
    ).toEqual([
      'app: POST /ask',
      'sluice: chat gpt-5-nano',
      'sluice: sluice',
      'sluice: sluice.classify',
      'sluice: sluice.decide',
      'sluice: sluice.stream',
    ]);
    expect(own.parentId).toBe(spanId);
    for (const name of ['sluice.classify', 'sluice.decide', 'sluice.stream', 'chat gpt-5-nano']) expect(spans[name]!.parentId).toBe(own.id);
    expect(simulator.received[before]!.headers['traceparent']).toBe(`00-${traceId}-${call.id}-01`);
    expect(simulator.received[before]!.headers['tracestate']).toBe('vendor=1');

    expect(call).toMatchObject({ kind: 3, failed: false });
    expect(spans['sluice.stream']!.events).toEqual(['gen_ai.first_token']);
    expect(own.kind).toBe(2);
    const record = (await fetch(`${stack.adminUrl}/decisions/${id}`).then((response) => response.json())) as ExchangeRecord;
    expect(call.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-5-nano',
      'gen_ai.response.model': 'gpt-5-nano',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': record.usage!.totalInput,
      'gen_ai.usage.output_tokens': record.usage!.totalOutput,
      'http.response.status_code': 200,
      'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"What is a CDN?"}]}]',
    });
    expect(own.attributes).toMatchObject({
      'sluice.decision.id': id,
      'sluice.workspace': 'red',
      'sluice.requested.model': 'gpt-5.1',
      'sluice.served.model': 'gpt-5-nano',
      'sluice.tier': 'simple',
      'sluice.reason': 'tier',
      'sluice.outcome': 'complete',
      'sluice.chain': ['openai/gpt-5-nano'],
      'sluice.policy.hash': record.policy.hash,
      'sluice.score': record.verdict!.score,
      'sluice.cost.usd': (record.cost as { usd: number }).usd,
      'sluice.cache': 'off',
    });
    for (const child of [spans['sluice.classify']!, spans['sluice.decide']!, spans['sluice.stream']!, call]) {
      expect(child.start).toBeGreaterThanOrEqual(own.start);
      expect(child.end).toBeLessThanOrEqual(own.end);
      expect(child.end).toBeGreaterThanOrEqual(child.start);
    }
    await expect
      .poll(() => fetch(`${stack.adminUrl}/metrics`).then((response) => response.text()))
      .toMatch(/^llm_proxy_spans_total\{result="exported"\} 5$/m);
  });

  it('are not made of what the caller did not sample, whose trace goes on all the same', async () => {
    const traceId = (protocol === 'grpc' ? 'a' : 'b').repeat(32);
    const before = simulator.received.length;
    await ask(stacks.at(-1)!, { traceparent: `00-${traceId}-00f067aa0ba902b7-00` });
    await ask(stacks.at(-1)!, { traceparent: 'nonsense' });
    expect(simulator.received[before]!.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-(?!00f067aa0ba902b7)[0-9a-f]{16}-00$`));
    const begun = /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(String(simulator.received[before + 1]!.headers['traceparent']))![1]!;
    await spansOf(begun, 4);
    expect(receiver.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });
});

/** Every span's parent is another of them, but for the root's. */
function rootOf(spans: readonly ReceivedSpan[]): ReceivedSpan {
  const ids = new Set(spans.map(({ id }) => id));
  const roots = spans.filter(({ parentId }) => !ids.has(parentId));
  expect(roots.map(({ service, name }) => `${service}: ${name}`)).toHaveLength(1);
  return roots[0]!;
}

describe('where Envoy traces too', () => {
  let stack: Stack;
  const traceOf = async (id: string): Promise<ReceivedSpan[]> => {
    const all = (): ReceivedSpan[] => {
      const own = receiver.spans.find(({ attributes }) => attributes['sluice.decision.id'] === id);
      return receiver.spans.filter(({ traceId }) => traceId === own?.traceId);
    };
    // Envoy sends its spans every few seconds.
    await expect
      .poll(
        () =>
          all().filter(({ service, parentId }) => service === 'envoy' && parentId === '').length +
          all().filter(({ service }) => service === 'app').length,
        { timeout: 15_000 },
      )
      .toBe(1);
    await expect
      .poll(() => all().some(({ service, name }) => service === 'envoy' && name.startsWith('router')), { timeout: 15_000 })
      .toBe(true);
    return all();
  };

  beforeAll(async () => {
    stack = await start(
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoints.grpc, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      { otlp: endpoints.grpc.replace('http://', '') },
    );
  });

  it('its span is between the app and Sluice, and the provider hears of the same trace', async () => {
    const app = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'app' }),
      spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoints.http}/v1/traces` }) })],
    });
    const calling = app.getTracer('app').startSpan('POST /ask');
    const { traceId, spanId } = calling.spanContext();
    const before = simulator.received.length;
    const id = await ask(stack, { traceparent: `00-${traceId}-${spanId}-01` });
    calling.end();
    await app.shutdown();

    const spans = await traceOf(id);
    const named = new Map(spans.map((span) => [span.id, span]));
    const own = spans.find(({ service, name }) => service === 'sluice' && name === 'sluice')!;
    const way = (span: ReceivedSpan | undefined): string[] => (span === undefined ? [] : [span.service, ...way(named.get(span.parentId))]);
    expect(way(own)).toEqual(['sluice', 'envoy', 'envoy', 'app']);
    const heard = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(String(simulator.received[before]!.headers['traceparent']))!;
    expect(heard[1]).toBe(traceId);
    expect(named.get(heard[2]!)?.service).toBe('envoy');
    expect(rootOf(spans).service).toBe('app');
  });

  it('and the app does not, the trace begins in Envoy', async () => {
    const spans = await traceOf(await ask(stack, {}));
    expect(rootOf(spans).service).toBe('envoy');
    expect(spans.some(({ service, name }) => service === 'sluice' && name === 'chat gpt-5-nano')).toBe(true);
  });
});

describe("the span of a call to a model, by OpenTelemetry's conventions", () => {
  it('says what was asked, where it went, and what came back', async () => {
    const stack = await start(
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoints.http },
      { policy: policy.replace('prompts:', 'sessions: {}\n  prompts:') },
    );
    const traceId = 'e'.repeat(32);
    const id = await ask(
      stack,
      { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'x-sluice-session': 'thread-7' },
      {
        stream: true,
        stream_options: { include_usage: true },
        max_completion_tokens: 400,
        temperature: 0.5,
        top_p: 1,
        seed: 7,
        n: 2,
        response_format: { type: 'json_object' },
      },
    );
    await expect
      .poll(() => receiver.spans.filter((span) => span.traceId === traceId && span.name.startsWith('chat ')).length, { timeout: 10_000 })
      .toBe(1);
    const call = receiver.spans.find((span) => span.traceId === traceId && span.name.startsWith('chat '))!;
    const record = (await fetch(`${stack.adminUrl}/decisions/${id}`).then((response) => response.json())) as ExchangeRecord;
    const url = new URL(endpoint);
    expect(conventionProblems(call.attributes)).toEqual([]);
    expect(call.schemaUrl).toBe('https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev');
    expect(call.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': record.servedModel,
      'gen_ai.conversation.id': 'thread-7',
      'gen_ai.request.stream': true,
      'gen_ai.output.type': 'json',
      'gen_ai.request.max_tokens': 400,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.request.top_p': 1,
      'gen_ai.request.seed': 7,
      'gen_ai.request.choice.count': 2,
      'gen_ai.response.id': record.responseId,
      'gen_ai.usage.cache_read.input_tokens': record.usage!.cachedRead,
      'server.address': url.hostname,
      'server.port': Number(url.port),
    });
    const first = call.attributes['gen_ai.response.time_to_first_chunk'] as number;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(record.timing.firstTokenMs! / 1000);
  });

  it('has nothing of what was not asked', async () => {
    const traceId = 'f'.repeat(32);
    await ask(stacks.at(-1)!, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    await expect
      .poll(() => receiver.spans.filter((span) => span.traceId === traceId && span.name.startsWith('chat ')).length, { timeout: 10_000 })
      .toBe(1);
    const { attributes } = receiver.spans.find((span) => span.traceId === traceId && span.name.startsWith('chat '))!;
    expect(conventionProblems(attributes)).toEqual([]);
    for (const name of [
      'conversation.id',
      'request.stream',
      'output.type',
      'request.max_tokens',
      'request.temperature',
      'request.choice.count',
      'response.time_to_first_chunk',
    ])
      expect(Object.keys(attributes)).not.toContain(`gen_ai.${name}`);
  });

  it('is refused by the table where it differs', () => {
    expect(
      conventionProblems({
        'gen_ai.system': 'openai',
        'gen_ai.request.max_tokens': '4',
        'gen_ai.operation.name': 'ask',
        'server.address': 'a',
      }),
    ).toEqual([
      'gen_ai.provider.name is missing',
      'gen_ai.request.model is missing',
      'server.port is missing',
      'gen_ai.system is in no convention',
      'gen_ai.request.max_tokens is no int',
      'gen_ai.operation.name is ask',
    ]);
  });
});

it('each attempt of a chain has a span, and each provider hears of its own', async () => {
  const provider = new ScriptedProvider();
  provider.behaviour = (got, response, answer) => (got.model === 'gpt-5-nano' ? status(503) : well)(got, response, answer);
  const chained = policy.replace('prompts:', 'fallback: { tiers: { simple: [openai/gpt-5-mini] } }\n  prompts:');
  const stack = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoints.http }, { policy: chained, endpoint: await provider.listen() });
  try {
    const traceId = 'c'.repeat(32);
    await ask(stack, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    const spans = await spansOf(traceId, 5);
    const [failed, answered] = [spans['chat gpt-5-nano']!, spans['chat gpt-5-mini']!];
    expect(provider.got.map(({ headers }) => headers['traceparent'])).toEqual([failed, answered].map(({ id }) => `00-${traceId}-${id}-01`));
    expect([failed.parentId, answered.parentId]).toEqual([spans['sluice']!.id, spans['sluice']!.id]);
    expect(failed).toMatchObject({ failed: true, attributes: { 'http.response.status_code': 503, 'error.type': '503' } });
    expect(answered.failed).toBe(false);
    // Content is not exported unless it was requested.
    expect(JSON.stringify(Object.values(spans).map(({ attributes }) => attributes))).not.toContain('CDN');

    const open = await fetch(`${stack.adminUrl}/metrics`, {
      headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' },
    });
    expect(open.headers.get('content-type')).toContain('application/openmetrics-text');
    const text = await open.text();
    const exemplar = (model: string, error: string): RegExp =>
      new RegExp(
        `^gen_ai_client_inference_duration_seconds_bucket\\{le="[^"]+",gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="${model}",error_type="${error}"\\} 1 # \\{trace_id="${traceId}",span_id="([0-9a-f]{16})"\\} `,
        'm',
      );
    expect(exemplar('gpt-5-nano', 'provider-error').exec(text)?.[1]).toBe(failed.id);
    expect(exemplar('gpt-5-mini', '').exec(text)?.[1]).toBe(answered.id);
    expect(text).toMatch(/^gen_ai_client_inference_operation_output_tokens_count\{.*gen_ai_request_model="gpt-5-mini"\} 1$/m);
    expect(text).toMatch(/^# TYPE llm_proxy_fallback counter\n(?:.*\n)?llm_proxy_fallback_total\{/m);
    expect(text.endsWith('# EOF\n')).toBe(true);
    // The other format is as it was.
    const plain = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    expect(plain).toMatch(/^# TYPE llm_proxy_fallback_total counter\nllm_proxy_fallback_total\{/m);
    expect(plain).not.toContain('# {');
  } finally {
    await provider.close();
  }
});

const tools = process.env['SLUICE_TEST_TOOLS'];
it.skipIf(tools === undefined)("OpenTelemetry's own collector takes them", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-otelcol-'));
  const [port] = await freePorts(1);
  const file = join(folder, 'spans.jsonl');
  writeFileSync(
    join(folder, 'config.yaml'),
    `
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${port!}" } } } }
exporters: { file: { path: "${file}", flush_interval: 100ms } }
service: { telemetry: { metrics: { level: none } }, pipelines: { traces: { receivers: [otlp], exporters: [file] } } }
`,
  );
  const collector = spawn(join(tools!, 'otelcol-test'), ['--config', join(folder, 'config.yaml')], { stdio: 'ignore' });
  try {
    const stack = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port!}`, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
    const traceId = 'd'.repeat(32);
    await ask(stack, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    await expect
      .poll(() => (existsSync(file) ? readFileSync(file, 'utf8').split(`"traceId":"${traceId}"`).length - 1 : 0), { timeout: 10_000 })
      .toBe(4);
  } finally {
    collector.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('spans', () => {
  it('are off and leave headers alone unless they are asked for', async () => {
    const stack = await start({});
    const before = simulator.received.length;
    await ask(stack, {});
    await ask(stack, { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
    expect(simulator.received[before]!.headers['traceparent']).toBeUndefined();
    expect(simulator.received[before + 1]!.headers['traceparent']).toBe('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
  });

  it('that no collector takes are dropped and counted, and no request notices', async () => {
    const stack = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_TIMEOUT: '300',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    });
    expect(await ask(stack, {})).not.toBeNull();
    await expect
      .poll(() => fetch(`${stack.adminUrl}/metrics`).then((response) => response.text()), { timeout: 15_000 })
      .toMatch(/^llm_proxy_spans_total\{result="dropped"\} 4$/m);
  });
});
