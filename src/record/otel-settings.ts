import { SluiceError } from '../lib/errors.ts';

/** One of OpenTelemetry's variables. An empty one is not set, as its specification has it. */
function setting(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

/**
 * Whether the environment enables spans through OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT or
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. Other such variables set protocol, headers, time-outs, certificates and resource.
 */
export function spansAskedFor(env: NodeJS.ProcessEnv): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  return ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'].some((name) => setting(env, name) !== undefined);
}

/** Whether the caller's sampling decision applies to a trace that the caller began; otherwise the ratio below applies to all traces. */
export function samplesByParent(env: NodeJS.ProcessEnv): boolean {
  return !/^(?:always_on|always_off|traceidratio|jaeger_remote)$/.test(env['OTEL_TRACES_SAMPLER'] ?? '');
}

/**
 * Share of the traces beginning here that are sampled, 0 to 1, from OTEL_TRACES_SAMPLER and its argument. Throws SluiceError
 * SLUICE_OTEL_SETTING.
 */
export function samplingRatio(env: NodeJS.ProcessEnv): number {
  const sampler = setting(env, 'OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  switch (sampler) {
    case 'always_on':
    case 'parentbased_always_on':
      return 1;
    case 'always_off':
    case 'parentbased_always_off':
      return 0;
    case 'traceidratio':
    case 'parentbased_traceidratio': {
      const ratio = Number(setting(env, 'OTEL_TRACES_SAMPLER_ARG') ?? '1');
      if (ratio >= 0 && ratio <= 1) return ratio;
      throw new SluiceError('SLUICE_OTEL_SETTING', `${env['OTEL_TRACES_SAMPLER_ARG']!} is no number from 0 to 1.`, {
        where: 'OTEL_TRACES_SAMPLER_ARG',
      });
    }
    case 'jaeger_remote':
    case 'parentbased_jaeger_remote':
      return initialRatio(setting(env, 'OTEL_TRACES_SAMPLER_ARG') ?? '');
    case 'xray':
      return 1;
    default:
      throw new SluiceError(
        'SLUICE_OTEL_SETTING',
        `${sampler} is not one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio, jaeger_remote, parentbased_jaeger_remote, xray.`,
        { where: 'OTEL_TRACES_SAMPLER' },
      );
  }
}

/** The sampler of the environment, if a server would set its rate: Sluice asks none. Null otherwise. */
export function remoteSampler(env: NodeJS.ProcessEnv): string | null {
  const sampler = setting(env, 'OTEL_TRACES_SAMPLER') ?? '';
  return /^(?:(?:parentbased_)?jaeger_remote|xray)$/.test(sampler) ? sampler : null;
}

/** The rate before a sampling server has answered, `initialSamplingRate` among `name=value, …`; 1 if it is not there. */
function initialRatio(argument: string): number {
  const value = /(?:^|,)\s*initialSamplingRate\s*=\s*([^,\s]+)/.exec(argument)?.[1] ?? '1';
  const ratio = Number(value);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new SluiceError('SLUICE_OTEL_SETTING', `initialSamplingRate ${value} is no number from 0 to 1.`, {
    where: 'OTEL_TRACES_SAMPLER_ARG',
  });
}

/** Whether records go to a collector: asked for by a flag, and not taken back by OpenTelemetry's own variables. */
export function recordsWanted(asked: 'otlp' | 'off', env: NodeJS.ProcessEnv): boolean {
  return asked === 'otlp' && env['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true' && env['OTEL_LOGS_EXPORTER'] !== 'none';
}

/** The protocol of a signal's exporter. Throws SluiceError SLUICE_OTEL_SETTING. */
export function otlpProtocol(env: NodeJS.ProcessEnv, signal: 'TRACES' | 'LOGS'): 'grpc' | 'http/protobuf' {
  const protocol = setting(env, `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`) ?? setting(env, 'OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/protobuf';
  if (protocol === 'grpc' || protocol === 'http/protobuf') return protocol;
  throw new SluiceError('SLUICE_OTEL_SETTING', `${protocol} is neither grpc nor http/protobuf.`, { where: 'OTEL_EXPORTER_OTLP_PROTOCOL' });
}
