import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { conventionProblems } from '../../test/support/genai-conventions.ts';
import { sample } from '../../test/support/ledger.ts';
import { OtlpLogsReceiver } from '../../test/support/otlp-logs-receiver.ts';
import { limits } from '../lib/limits.ts';
import { recordsWanted } from './otel-settings.ts';
import { OtlpRecords } from './otlp-records.ts';

const at = Date.UTC(2026, 10, 21, 12, 30);
const receiver = new OtlpLogsReceiver();
let endpoints: { readonly grpc: string; readonly http: string };

beforeAll(async () => {
  endpoints = await receiver.listen();
});
afterAll(() => receiver.close());
afterEach(() => {
  vi.unstubAllEnvs();
  receiver.logs.length = 0;
  receiver.refuses = false;
});

/** The exporters read the environment of the process. */
function open(protocol: 'grpc' | 'http/protobuf', env: Readonly<Record<string, string>> = {}): OtlpRecords {
  const set = {
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? endpoints.grpc : endpoints.http,
    ...env,
  };
  for (const [name, value] of Object.entries(set)) vi.stubEnv(name, value);
  return new OtlpRecords(process.env, '1.2.3');
}

describe.each(['grpc', 'http/protobuf'] as const)('records by OpenTelemetry logs over %s', (protocol) => {
  it('are whole in the body, with attributes to filter by, in the trace of their spans', async () => {
    const trace = {
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      sampled: true,
      parentId: null,
      attemptIds: [],
      steps: [],
      conversation: 'talk',
    };
    const record = sample(at, { trace, workspace: 'red', responseId: 'chatcmpl-1' });
    const cut = sample(at + 1, { outcome: 'cut' });
    const records = open(protocol, { OTEL_SERVICE_NAME: 'gateway' });
    records.record(record);
    records.record(cut);
    expect(records.counts).toMatchObject({ exported: 0, waiting: 2 });
    await records.close();
    expect(records.counts).toEqual({ exported: 2, dropped: 0, waiting: 0 });
    const [log, other] = receiver.logs;
    expect(log).toMatchObject({
      service: 'gateway',
      event: 'sluice.exchange',
      severity: 'INFO',
      time: BigInt(at) * 1_000_000n,
      traceId: trace.traceId,
      spanId: trace.spanId,
    });
    expect(JSON.parse(log!.body)).toEqual(JSON.parse(JSON.stringify(record)));
    expect(log!.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'small',
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.usage.input_tokens': 1_000,
      'sluice.workspace': 'red',
      'sluice.decision.id': record.id,
    });
    expect(conventionProblems(log!.attributes)).toEqual([]);
    expect(other).toMatchObject({ severity: 'WARN' });
  });

  it('that the collector does not take are counted', async () => {
    receiver.refuses = true;
    const records = open(protocol);
    for (let i = 0; i < 3; i++) records.record(sample(at + i));
    await records.close();
    expect([records.counts, receiver.logs.length]).toEqual([{ exported: 0, dropped: 3, waiting: 0 }, 0]);
  });
});

it('no more records wait than the bound, in bytes too, and what does not fit is counted', async () => {
  const records = open('http/protobuf');
  const large = sample(at, { section: 'x'.repeat(limits.otlpRecordBytes / 4) });
  for (let i = 0; i < 6; i++) records.record(large);
  expect(records.counts).toEqual({ exported: 0, dropped: 3, waiting: 3 });
  receiver.refuses = true;
  await records.close();
  expect(records.counts).toEqual({ exported: 0, dropped: 6, waiting: 0 });
});

it('another protocol is refused, and what switches OpenTelemetry off switches records off', () => {
  expect(() => new OtlpRecords({ OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json' }, '1')).toThrow(
    'http/json is neither grpc nor http/protobuf',
  );
  expect(recordsWanted('otlp', {})).toBe(true);
  expect(recordsWanted('off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' })).toBe(false);
  expect(recordsWanted('otlp', { OTEL_SDK_DISABLED: 'true' })).toBe(false);
  expect(recordsWanted('otlp', { OTEL_LOGS_EXPORTER: 'none' })).toBe(false);
});
