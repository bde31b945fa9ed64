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

/** How a sampler of OpenTelemetry's specification is taken here. */
interface Sampler {
  /** Share of new traces; `argument`: the argument is the share; `initial`: it names the one that holds before a server has answered. */
  readonly share: 0 | 1 | 'argument' | 'initial';
  /** Whether a server would set the share. Sluice asks none. */
  readonly remote?: true;
}

/** By name. With `parentbased_` before it, and for X-Ray, the caller's sampling decision applies to a trace that the caller began. */
const samplers: Readonly<Record<string, Sampler>> = {
  always_on: { share: 1 },
  always_off: { share: 0 },
  traceidratio: { share: 'argument' },
  parentbased_always_on: { share: 1 },
  parentbased_always_off: { share: 0 },
  parentbased_traceidratio: { share: 'argument' },
  jaeger_remote: { share: 'initial', remote: true },
  parentbased_jaeger_remote: { share: 'initial', remote: true },
  xray: { share: 1, remote: true },
};

const samplerOf = (env: NodeJS.ProcessEnv): string => setting(env, 'OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';

/** Whether the caller's sampling decision applies to a trace that the caller began; otherwise the ratio below applies to all traces. */
export function samplesByParent(env: NodeJS.ProcessEnv): boolean {
  const name = samplerOf(env);
  return name.startsWith('parentbased_') || name === 'xray';
}

/**
 * Share of the traces beginning here that are sampled, 0 to 1, from OTEL_TRACES_SAMPLER and its argument. Throws SluiceError
 * SLUICE_OTEL_SETTING.
 */
export function samplingRatio(env: NodeJS.ProcessEnv): number {
  const name = samplerOf(env);
  if (!Object.hasOwn(samplers, name))
    throw new SluiceError('SLUICE_OTEL_SETTING', `${name} is not one of ${Object.keys(samplers).join(', ')}.`, {
      where: 'OTEL_TRACES_SAMPLER',
    });
  const { share } = samplers[name]!;
  if (typeof share === 'number') return share;
  const argument = setting(env, 'OTEL_TRACES_SAMPLER_ARG');
  if (share === 'argument') return ratioOf(argument ?? '1', '');
  return ratioOf(/(?:^|,)\s*initialSamplingRate\s*=\s*([^,\s]+)/.exec(argument ?? '')?.[1] ?? '1', 'initialSamplingRate ');
}

function ratioOf(value: string, what: string): number {
  const ratio = Number(value);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new SluiceError('SLUICE_OTEL_SETTING', `${what}${value} is no number from 0 to 1.`, { where: 'OTEL_TRACES_SAMPLER_ARG' });
}

/** The sampler of the environment, if a server would set its rate: Sluice asks none. Null otherwise. */
export function remoteSampler(env: NodeJS.ProcessEnv): string | null {
  const name = samplerOf(env);
  return Object.hasOwn(samplers, name) && samplers[name]!.remote === true ? name : null;
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
