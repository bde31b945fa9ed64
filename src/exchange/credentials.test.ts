import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { provider } from '../../test/support/decision.ts';
import { compile, short } from '../../test/support/policy.ts';
import { appKeyHeaders, Credentials } from './credentials.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-credentials-'));
const file = join(folder, 'key');
writeFileSync(file, 'k\n');
afterAll(() => rmSync(folder, { recursive: true }));

describe('the gateway’s own credentials', () => {
  const aws = { service: 'bedrock', region: 'eu-central-1', file: null, profile: null };
  const providers = new Map(
    [
      provider('azure', { family: 'azure-openai', credential: { file, type: 'key' } }),
      provider('entra', { family: 'azure-openai', credential: { file, type: 'bearer' } }),
      provider('signed', { family: 'openai', signing: aws }),
      provider('gone', { credential: { file: join(folder, 'none'), type: 'key' } }),
    ].map((one) => [one.name, one]),
  );

  it('are sent as the provider wants them, and take the place of whatever the app sent', async () => {
    const credentials = new Credentials();
    await credentials.refresh({ providers });
    const changes = (name: string) => credentials.swap(providers.get(name)!);
    expect(changes('azure')?.set).toEqual([['api-key', 'k']]);
    expect(changes('entra')?.set).toEqual([['authorization', 'Bearer k']]);
    // Envoy puts the signature in, after the app's own key has gone.
    expect(changes('signed')).toEqual({ set: [], remove: appKeyHeaders });
    expect(changes('gone')).toBeNull();
    expect(['azure', 'entra', 'signed', 'gone', 'unknown'].map((name) => credentials.has(name))).toEqual([true, true, true, false, false]);
    for (const name of ['azure', 'entra']) expect([...changes(name)!.set.map(([header]) => header), ...changes(name)!.remove].sort()).toEqual([...appKeyHeaders].sort());
  });

  it('are either a key or a signature', () => {
    const text = (more: string): string => `version: 1\nproviders: { b: { dialect: openai, endpoint: "https://b.test/openai", catalog: openai, signing: { aws: { service: bedrock, region: eu-central-1 } }${more} } }\n`;
    expect(compile(text(', credentialFile: /key')).problems.map(short)).toEqual([expect.stringContaining('contradiction')]);
    expect(compile(text('')).generation?.providers.get('b')?.signing).toEqual(aws);
  });
});
