import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { provider } from '../../test/support/decision.ts';
import { compile, short } from '../../test/support/policy.ts';
import { appKeyHeaders } from '../apis/key-headers.ts';
import { Credentials, missingKeyFiles } from './credentials.ts';

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
    expect(changes('signed')).toEqual({ set: [], remove: appKeyHeaders, file: null });
    expect(changes('gone')).toBeNull();
    expect(['azure', 'entra', 'signed', 'gone', 'unknown'].map((name) => credentials.has(name))).toEqual([true, true, true, false, false]);
    for (const name of ['azure', 'entra'])
      expect([...changes(name)!.set.map(([header]) => header), ...changes(name)!.remove].sort()).toEqual([...appKeyHeaders].sort());
  });

  it('are reported once where their file holds none, from the start or later, until it holds one', async () => {
    const later = join(folder, 'later');
    const told: string[] = [];
    const credentials = new Credentials((_file, problem) => told.push(problem));
    const asked = { providers: new Map([['p', provider('p', { credential: { file: later, type: 'key' } })]]) };
    for (const [text, problems] of [
      [null, 1],
      [null, 1],
      ['k', 1],
      ['', 2],
      ['', 2],
    ] as const) {
      if (text !== null) writeFileSync(later, text);
      await credentials.refresh(asked);
      expect([text, told.length]).toEqual([text, problems]);
    }
    expect(await missingKeyFiles({ ...asked, keyFiles: [file] })).toEqual([later]);
  });

  it('are either a key or a signature', () => {
    const text = (more: string): string =>
      `version: 1\nproviders: { b: { dialect: openai, endpoint: "https://b.test/openai", catalog: openai, signing: { aws: { service: bedrock, region: eu-central-1 } }${more} } }\n`;
    expect(compile(text(', credentialFile: /key')).problems.map(short)).toEqual([expect.stringContaining('contradiction')]);
    expect(compile(text('')).generation?.providers.get('b')?.signing).toEqual(aws);
  });
});

describe('several keys of one provider', () => {
  const files = ['a', 'b', 'c'].map((name) => join(folder, name));
  const pooled = provider('openai', { credential: { file: files[0]!, more: files.slice(1), type: 'key' } });
  const providers = new Map([[pooled.name, pooled]]);
  let now = 1_000;
  const make = async (): Promise<{ readonly credentials: Credentials; readonly problems: string[]; readonly next: () => string }> => {
    for (const file of files) writeFileSync(file, `key-${file.at(-1)!}`);
    const problems: string[] = [];
    const credentials = new Credentials(
      (file, problem) => problems.push(`${file.at(-1)!} ${problem}`),
      () => now,
    );
    await credentials.refresh({ providers });
    return { credentials, problems, next: () => credentials.swap(pooled)!.set[0]![1].replace('Bearer key-', '') };
  };

  it('share the load', async () => {
    const { next } = await make();
    const picked = Array.from({ length: 9 }, next);
    for (const name of ['a', 'b', 'c']) expect(picked.filter((one) => one === name)).toHaveLength(3);
  });

  it('rest when they are limited or refused, as long as is said, and people are told once', async () => {
    const { credentials, problems, next } = await make();
    credentials.answered(files[0]!, 429, 5_000);
    credentials.answered(files[0]!, 429, 5_000);
    credentials.answered(files[1]!, 401, null);
    expect(new Set(Array.from({ length: 6 }, next))).toEqual(new Set(['c']));
    credentials.answered(files[2]!, 429, 60_000);
    // All rest: the one whose time is over first.
    expect(next()).toBe('a');
    now += 5_001;
    expect(new Set(Array.from({ length: 6 }, next))).toEqual(new Set(['a']));
    expect(problems).toEqual(['a limited', 'b refused', 'c limited']);
  });

  it('serve again when their file changes, and a file without one is said', async () => {
    const { credentials, problems, next } = await make();
    credentials.answered(files[1]!, 401, null);
    writeFileSync(files[1]!, 'key-B');
    writeFileSync(files[2]!, '');
    await credentials.refresh({ providers });
    expect(new Set(Array.from({ length: 6 }, next))).toEqual(new Set(['a', 'B']));
    expect(problems).toEqual(['b refused', 'c none']);
  });

  it('give way to those of a section', async () => {
    const { credentials } = await make();
    const scope = { keys: new Map([['openai', [file]]]) };
    await credentials.refresh({ providers, keyFiles: [file] });
    expect(credentials.swap(pooled, scope)?.set).toEqual([['authorization', 'Bearer k']]);
    expect(credentials.has('openai', { keys: new Map([['openai', [join(folder, 'none')]]]) })).toBe(false);
  });
});
