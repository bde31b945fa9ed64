import { describe, expect, it } from 'vitest';
import { otlpProtocol, remoteSampler, samplesByParent, samplingRatio, spansAskedFor } from './otel-settings.ts';
import { beginTrace, traceparentOf } from './trace.ts';

const given = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('a trace', () => {
  it('goes on from the caller, sampled as the caller says', () => {
    const facts = beginTrace(given, 0);
    expect(facts).toMatchObject({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentId: '00f067aa0ba902b7', sampled: true });
    const first = traceparentOf(facts, 0);
    expect(first).toBe(`00-4bf92f3577b34da6a3ce929d0e0e4736-${facts.attemptIds[0]!}-01`);
    expect(traceparentOf(facts, 1)).not.toBe(first);
    expect(traceparentOf(facts, 0)).toBe(first);
    expect(beginTrace(given.replace(/01$/, '00'), 1).sampled).toBe(false);
    // A version that is not known yet may add fields at its end.
    expect(beginTrace(given.replace(/^00/, '42') + '-more', 0).parentId).toBe('00f067aa0ba902b7');
  });

  it.each([
    undefined,
    '',
    'nonsense',
    given.replace(/^00/, 'ff'),
    given.toUpperCase(),
    given.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
    given.replace('00f067aa0ba902b7', '0'.repeat(16)),
    `${given}x`,
  ])('starts a new trace for %s', (header) => {
    expect(beginTrace(header, 1)).toMatchObject({
      parentId: null,
      sampled: true,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
  });

  it('that begins here is sampled by its id, at the ratio', () => {
    const share = Array.from({ length: 4_000 }, () => beginTrace(undefined, 0.25)).filter(({ sampled }) => sampled).length / 4_000;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
    expect(beginTrace(undefined, 0).sampled).toBe(false);
  });
});

describe('the environment', () => {
  it('asks for spans by an endpoint, and takes it back', () => {
    expect(spansAskedFor({})).toBe(false);
    expect(spansAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBe(false);
    expect(spansAskedFor({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' })).toBe(true);
    expect(spansAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'TRUE' })).toBe(false);
    expect(spansAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_EXPORTER: 'none' })).toBe(false);
  });

  it('says how many traces are sampled', () => {
    expect(samplingRatio({})).toBe(1);
    expect(samplingRatio({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' })).toBe(0.1);
    expect(() => samplingRatio({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' })).toThrow(
      expect.objectContaining({ code: 'SLUICE_OTEL_SETTING' }),
    );
    expect(samplingRatio({ OTEL_TRACES_SAMPLER: 'always_on' })).toBe(1);
    // What is empty is not set.
    expect(samplingRatio({ OTEL_TRACES_SAMPLER: '', OTEL_TRACES_SAMPLER_ARG: '' })).toBe(1);
    expect(samplingRatio({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '' })).toBe(1);
    expect(otlpProtocol({ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: '', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'TRACES')).toBe('grpc');
    expect(otlpProtocol({ OTEL_EXPORTER_OTLP_PROTOCOL: '' }, 'LOGS')).toBe('http/protobuf');
    expect(samplingRatio({ OTEL_TRACES_SAMPLER: 'always_off' })).toBe(0);
    expect([samplesByParent({}), samplesByParent({ OTEL_TRACES_SAMPLER: 'traceidratio' })]).toEqual([true, false]);
    expect(beginTrace('00-ffffffffffffffffffffffffffffffff-0123456789abcdef-01', 0.5, false).sampled).toBe(false);
    expect(() => samplingRatio({ OTEL_TRACES_SAMPLER: 'often' })).toThrow(expect.objectContaining({ code: 'SLUICE_OTEL_SETTING' }));
  });

  it('takes samplers whose rate a server sets, with the rate that holds before it answers, and names them', () => {
    const jaeger = (argument?: string): NodeJS.ProcessEnv => ({
      OTEL_TRACES_SAMPLER: 'parentbased_jaeger_remote',
      ...(argument === undefined ? {} : { OTEL_TRACES_SAMPLER_ARG: argument }),
    });
    expect(samplingRatio(jaeger())).toBe(1);
    expect(samplingRatio(jaeger('endpoint=http://localhost:14250,pollingIntervalMs=5000,initialSamplingRate=0.25'))).toBe(0.25);
    expect(() => samplingRatio(jaeger('initialSamplingRate=25'))).toThrow(expect.objectContaining({ code: 'SLUICE_OTEL_SETTING' }));
    expect([samplesByParent(jaeger()), samplesByParent({ OTEL_TRACES_SAMPLER: 'jaeger_remote' })]).toEqual([true, false]);
    expect([samplingRatio({ OTEL_TRACES_SAMPLER: 'xray' }), samplesByParent({ OTEL_TRACES_SAMPLER: 'xray' })]).toEqual([1, true]);
    expect([remoteSampler(jaeger()), remoteSampler({ OTEL_TRACES_SAMPLER: 'xray' }), remoteSampler({})]).toEqual([
      'parentbased_jaeger_remote',
      'xray',
      null,
    ]);
  });
});
