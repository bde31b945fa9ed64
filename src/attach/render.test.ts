import { abilitiesOf } from './abilities.ts';
import { describe, expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { streamsOfRequest } from './breakers.ts';
import { compiled } from '../../test/support/policy.ts';
import { requestPolicyOf } from './ext-proc.ts';
import { renderEnvoy } from './render.ts';
import { envoyOptions as options } from './testing/options.ts';

interface Bootstrap {
  readonly static_resources: {
    readonly clusters: readonly { readonly name: string; readonly circuit_breakers: { readonly thresholds: unknown } }[];
  };
}

describe('the rendered bootstrap', () => {
  it('lets requests pass without Sluice unless it is told to fail closed', () => {
    const text = (failClosed: boolean): string => JSON.stringify(renderEnvoy({ ...options, failClosed }));
    expect(text(false)).toContain(
      '"stat_prefix":"sluice_request","grpc_service":{"envoy_grpc":{"cluster_name":"sluice"},"timeout":"0s"},"failure_mode_allow":true',
    );
    expect(text(true)).toContain('"failure_mode_allow":false,"status_on_error":{"code":"ServiceUnavailable"}');
  });

  it('closes the routes of the providers whose sections are closed', () => {
    const generation = compiled('version: 1\nsections: [{name: a, match: {provider: [anthropic]}, failClosed: true}]\n');
    expect(requestPolicyOf(generation)).toMatchObject({ failClosed: false, closedProviders: ['anthropic'] });
    expect(requestPolicyOf(compiled('version: 1\ndefaults: {failClosed: true}\n'))).toMatchObject({
      failClosed: true,
      closedProviders: [],
    });
    const open = '"overrides":{"failure_mode_allow":false}';
    expect(JSON.stringify(renderEnvoy(options))).not.toContain(open);
    const closed = JSON.stringify(renderEnvoy({ ...options, closedProviders: ['anthropic'] }));
    // Where a request arrives, not where Sluice has chosen the provider.
    const routes = [...closed.matchAll(/\{"match":\{(?:(?!\{"match":).)*"cluster":"provider_(\w+)"(?:(?!\{"match":).)*/g)];
    const arriving = routes.filter(([text]) => !text.includes('x-sluice-cluster'));
    expect(new Set(arriving.filter(([text]) => text.includes(open)).map(([, provider]) => provider))).toEqual(new Set(['anthropic']));
    expect(new Set(arriving.filter(([text]) => !text.includes(open)).map(([, provider]) => provider))).not.toContain('anthropic');
    expect(arriving.length).toBeGreaterThan(10);
    expect(closed).toContain('"failure_mode_allow":true,"status_on_error":{"code":"ServiceUnavailable"}');
  });

  it("keeps an endpoint's own path", () => {
    expect(JSON.stringify(renderEnvoy(options))).toContain('{"pattern":{"regex":"^/local/"},"substitution":"/base/"}');
  });

  it('takes the headers that choose a cluster away from clients', () => {
    expect(JSON.stringify(renderEnvoy(options))).toContain(
      '"mutations":[{"remove":"x-sluice-cluster"},{"remove":"x-sluice-chain"},{"remove":"x-sluice-mirror"},{"remove":"x-sluice-shadow"},{"remove":"x-sluice-retry"},{"remove":"x-envoy-hedge-on-per-try-timeout"},{"remove":"x-sluice-chains"},{"remove":"x-sluice-usage"}]',
    );
  });

  it.each(['1.40', '1.38', '1.36'])(
    'has breakers of one size for all providers, and room at Sluice for every stream of their requests (%s)',
    (version) => {
      const {
        static_resources: { clusters },
      } = renderEnvoy({ ...options, abilities: abilitiesOf(version) }) as unknown as Bootstrap;
      for (const { name, circuit_breakers } of clusters) {
        const most = name === 'sluice' ? limits.grpcStreams : limits.envoyRequests;
        expect(circuit_breakers.thresholds, name).toEqual([
          { priority: 'DEFAULT', max_connections: most, max_pending_requests: most, max_requests: most, max_retries: most },
        ]);
      }
      expect(clusters.length).toBeGreaterThan(1);
      expect(limits.grpcStreams).toBeGreaterThanOrEqual(streamsOfRequest * limits.envoyRequests);
      expect(JSON.stringify(clusters)).toContain(
        `"max_concurrent_streams":${limits.grpcStreams},"max_outbound_control_frames":${limits.grpcStreams}`,
      );
    },
  );

  it('waits for Sluice longer than Sluice lets its event loop be late', () => {
    expect(JSON.stringify(renderEnvoy(options))).toContain(`"message_timeout":"${limits.messageMs / 1_000}s"`);
    expect(limits.eventLoopLateMs).toBeLessThan(limits.messageMs);
    const withheld = JSON.stringify(renderEnvoy({ ...options, withholds: true }));
    expect(withheld).toContain(`"stat_prefix":"sluice_request"`);
    expect(withheld).toContain(`"message_timeout":"${limits.withheldMessageMs / 1_000}s"`);
    expect(limits.withheldMessageMs).toBeGreaterThan(limits.messageMs);
    expect(limits.withheldLateMs).toBeLessThan(limits.withheldMessageMs);
  });

  it.each([
    ['blocks by what a request holds', { withholds: true }, true],
    ['is closed', { failClosed: true }, true],
    ['is closed for one provider', { closedProviders: ['openai'] }, true],
    ['does neither', {}, false],
  ])('waits long, and asks the next Sluice what the last one has not answered, where the policy %s', (_, more, waits) => {
    const text = JSON.stringify(renderEnvoy({ ...options, ...more }));
    const filter = /"stat_prefix":"sluice_request".*?"max_message_timeout"/.exec(text)![0];
    expect(filter.includes('"retry_policy":{"retry_on":"reset,connect-failure,refused-stream","num_retries":8')).toBe(waits);
    expect(filter).toContain(`"message_timeout":"${waits ? 30 : 0.5}s"`);
  });
});
