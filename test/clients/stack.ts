import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProviderSimulator } from '../../src/demo/simulator.ts';
import { Stack } from '../../src/demo/stack.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';

/** Where `scripts/setup.sh clients` installs the libraries. */
export const tools = fileURLToPath(new URL('../../.tools/clients/', import.meta.url));

export const models = { openai: 'gpt-4.1', anthropic: 'claude-opus-4-5', google: 'gemini-2.5-pro' } as const;

/** An Envoy and a Sluice before one simulator of all providers. Callers without a workspace cross to another API. */
export class Clients {
  readonly simulator = new ProviderSimulator();
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-clients-'));
  direct = '';
  stack!: Stack;

  async start(): Promise<void> {
    this.direct = await this.simulator.listen();
    const providers = ['openai', 'anthropic', 'google'].map((name) => {
      const key = join(this.folder, `key-${name}`);
      writeFileSync(key, `key-of-${name}`);
      return `  ${name}: { endpoint: "${this.direct}", credentialFile: "${key}" }`;
    });
    const to = (targets: readonly string[]): string =>
      Object.values(models)
        .map((model, index) => `{ name: r${index}, when: { model: [${model}] }, then: { model: ${targets[index]!} } }`)
        .join(', ');
    const all = (target: string): string => `{ simple: [${target}], standard: [${target}], complex: [${target}] }`;
    const policy = `
version: 1
providers:
${providers.join('\n')}
defaults:
  allowProviders: [openai, anthropic, google]
  fallback: { drop: [neutral] }
  candidates: ${all('anthropic/claude-haiku-4-5')}
sections:
  - { name: plain, match: { workspace: ['plain-*'] }, tiers: [] }
  - { name: to-openai, match: { workspace: ['to-openai-*'] }, candidates: ${all('openai/gpt-4.1-nano')} }
  - { name: routed, match: { workspace: ['routed-*'] }, tiers: [], overrides: [${to(['openai/gpt-4.1-nano', 'anthropic/claude-haiku-4-5', 'google/gemini-2.5-flash-lite'])}] }
  - { name: cached, match: { workspace: ['cached-*'] }, tiers: [], cache: { mode: on, ttl: 3600 } }
`;
    this.stack = new Stack({ policy, endpoint: null });
    await this.stack.start();
  }

  async stop(): Promise<void> {
    await this.stack.stop();
    await this.simulator.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** All records so far, newest first. */
  async records(): Promise<readonly ExchangeRecord[]> {
    const response = await fetch(`${this.stack.adminUrl}/decisions?limit=1000`);
    return ((await response.json()) as { readonly decisions: readonly ExchangeRecord[] }).decisions;
  }
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What programs get of this process's environment: a test runner sets more, which they would take for their own. */
const plainEnv = Object.fromEntries(['PATH', 'LANG', 'HOME', 'TMPDIR'].flatMap((name) => [[name, process.env[name]]]));

/** Runs a program to its end, or for at most four minutes. */
export async function run(
  command: string,
  args: readonly string[],
  { env = {}, cwd, input = '' }: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string; readonly input?: string } = {},
): Promise<Ran> {
  const child = spawn(command, args, {
    env: { ...plainEnv, ...env },
    stdio: 'pipe',
    timeout: 240_000,
    ...(cwd === undefined ? {} : { cwd }),
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  return { code, out, err };
}
