import { abilitiesOf } from './abilities.ts';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { findEnvoy } from './binary.ts';
import { renderEnvoy } from './render.ts';
import { envoyOptions as options } from './testing/options.ts';

const envoy = await findEnvoy();

describe('the rendered bootstrap', () => {
  it.skipIf(envoy === null).each([
    ['a Unix socket, fail-open', options],
    ['chains as endpoints', { ...options, abilities: abilitiesOf('1.38') }],
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
    ['fail-closed for one provider', { ...options, closedProviders: ['anthropic'] }],
    ['TCP, fail-closed, no admin', { ...options, sluice: '127.0.0.1:9000', failClosed: true, admin: null }],
    ['answers collected', { ...options, usage: 'collect' as const }],
    ['answers read by the AI Protocol Manager', { ...options, usage: 'protocol-manager' as const }],
    ['bounded memory', { ...options, memoryBytes: 1024 ** 3 }],
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
});
