import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { limits } from '../lib/limits.ts';
import { mergeProviders } from '../policy/providers.ts';
import { findEnvoy } from './binary.ts';
import { streamsOfRequest } from './breakers.ts';
import { renderEnvoy, type EnvoyOptions } from './render.ts';

const options: EnvoyOptions = {
  providers: [...mergeProviders({ local: { dialect: 'openai', endpoint: 'http://127.0.0.1:9/base', pathPrefix: '/local' } }).values()],
  sluice: 'unix:/tmp/sluice.sock',
  listen: '127.0.0.1:10000',
  admin: '127.0.0.1:9902',
  failClosed: false,
  caFile: '/etc/ssl/certs/ca-certificates.crt',
  otlp: null,
  chains: 'groups',
  usage: 'observe',
};
const envoy = await findEnvoy();

interface Bootstrap {
  readonly static_resources: {
    readonly clusters: readonly { readonly name: string; readonly circuit_breakers: { readonly thresholds: unknown } }[];
  };
}

describe('the rendered bootstrap', () => {
  it.skipIf(envoy === null).each([
    ['a Unix socket, fail-open', options],
    ['chains as endpoints', { ...options, chains: 'hosts' as const }],
    [
      'requests signed for AWS',
      {
        ...options,
        providers: options.providers.map((provider) => ({
          ...provider,
          signing: { service: 'bedrock', region: 'eu-central-1', file: null, profile: null },
        })),
      },
    ],
    ['TCP, fail-closed, no admin', { ...options, sluice: '127.0.0.1:9000', failClosed: true, admin: null }],
    ['answers collected', { ...options, usage: 'collect' as const }],
    ['answers read by the AI Protocol Manager', { ...options, usage: 'protocol-manager' as const }],
    ['with spans of its own', { ...options, otlp: '127.0.0.1:4317' }],
  ])('is taken by Envoy: %s', (_name, variant) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-render-'));
    try {
      const file = join(folder, 'envoy.yaml');
      writeFileSync(file, stringify(renderEnvoy(variant), { aliasDuplicateObjects: false }));
      expect(execFileSync(envoy!, ['--mode', 'validate', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] }).toString()).toContain('OK');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('lets requests pass without Sluice unless it is told to fail closed', () => {
    const text = (failClosed: boolean): string => JSON.stringify(renderEnvoy({ ...options, failClosed }));
    expect(text(false)).toContain(
      '"stat_prefix":"sluice_request","grpc_service":{"envoy_grpc":{"cluster_name":"sluice"},"timeout":"0s"},"failure_mode_allow":true',
    );
    expect(text(true)).toContain('"failure_mode_allow":false,"status_on_error":{"code":"ServiceUnavailable"}');
  });

  it("keeps an endpoint's own path", () => {
    expect(JSON.stringify(renderEnvoy(options))).toContain('{"pattern":{"regex":"^/local/"},"substitution":"/base/"}');
  });

  it('takes the headers that choose a cluster away from clients', () => {
    expect(JSON.stringify(renderEnvoy(options))).toContain(
      '"mutations":[{"remove":"x-sluice-cluster"},{"remove":"x-sluice-chain"},{"remove":"x-sluice-mirror"},{"remove":"x-sluice-shadow"},{"remove":"x-sluice-retry"},{"remove":"x-envoy-hedge-on-per-try-timeout"},{"remove":"x-sluice-chains"},{"remove":"x-sluice-usage"}]',
    );
  });

  it.each(['groups', 'hosts', 'none'] as const)(
    'has breakers of one size for all providers, and room at Sluice for every stream of their requests (%s)',
    (chains) => {
      const {
        static_resources: { clusters },
      } = renderEnvoy({ ...options, chains }) as unknown as Bootstrap;
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
  });
});
