import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { catalogOverridesSchema, loadCatalog, readCatalogFile } from '../catalog/index.ts';
import type { Usage } from '../apis/types.ts';
import { registerCatalog } from './catalog.ts';

let folder: string;
let list: string;
let out: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
  list = join(folder, 'prices.json');
  out = join(folder, 'catalog.json');
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

/** Runs `sluice catalog ARGS`: what it printed, and its exit code. Rejects with what the command throws. */
async function catalog(...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += String(text);
      return true;
    });
  }
  process.exitCode = undefined;
  const program = new Command().exitOverride();
  registerCatalog(program);
  for (const command of program.commands.flatMap((group) => [group, ...group.commands])) command.exitOverride();
  try {
    await program.parseAsync(['catalog', ...args], { from: 'user' });
    return { ...printed, code: (process.exitCode as number | undefined) ?? 0 };
  } finally {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  }
}

/** The embedded catalog as a price list in LiteLLM's shape, with `change` on top of its rows. */
async function writeList(change: Record<string, Record<string, unknown>> = {}): Promise<void> {
  const base = await loadCatalog();
  const rows: Record<string, Record<string, unknown>> = {};
  for (const provider of ['openai', 'anthropic']) {
    for (const { model, mode, prices } of base.models(provider)) {
      rows[model] = {
        litellm_provider: provider,
        mode: mode === 'other' ? 'moderation' : mode,
        input_cost_per_token: (prices.input ?? 0) / 1e6,
        output_cost_per_token: (prices.output ?? 0) / 1e6,
      };
    }
  }
  for (const [model, row] of Object.entries(change)) rows[model] = { ...rows[model], ...row };
  await writeFile(list, JSON.stringify(rows));
}

describe('import', () => {
  it('writes nothing without --out', async () => {
    await writeList();
    const { stdout } = await catalog('import', list, '--accept-all');
    expect(stdout).toMatch(/^\d+ models read, 0 rows of other kinds left out\nadded 0, removed \d+, /);
    expect(await readdir(folder)).toEqual(['prices.json']);
  });

  it('holds a jump with exit code 3, names how to accept it, and accepts it', async () => {
    await writeList();
    await catalog('import', list, '--out', out, '--accept-all');
    await writeList({ 'gpt-4o': { input_cost_per_token: 1e-3 }, 'gpt-4o-mini': { output_cost_per_token: 7e-7 } });
    const held = await catalog('import', list, '--out', out);
    expect(held.code).toBe(3);
    expect(held.stdout).toContain('  ~ openai/gpt-4o-mini  output  $0.6 → $0.7\n');
    expect(held.stdout).toContain('  ! openai/gpt-4o  input  $2.5 → $1000\n');
    expect(held.stdout).toContain('--accept openai/gpt-4o\n');
    expect((await loadCatalog(out)).lookup('openai', 'gpt-4o')!.prices.input).toBe(2.5);
    expect((await readCatalogFile(out)).held).toMatchObject([{ provider: 'openai', model: 'gpt-4o', from: 2.5, to: 1000 }]);

    const accepted = await catalog('import', list, '--out', out, '--accept', 'openai/gpt-4o', 'openai/typo');
    expect(accepted).toMatchObject({ code: 0, stderr: '--accept openai/typo: no price of it is held\n' });
    expect((await loadCatalog(out)).lookup('openai', 'gpt-4o')!.prices.input).toBe(1000);
    expect(await readCatalogFile(out)).not.toHaveProperty('held');
  });

  it('prints JSON', async () => {
    await writeList();
    await catalog('import', list, '--out', out, '--accept-all', '--source', 'a test');
    const { stdout } = await catalog('import', list, '--out', out, '--format', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      added: [],
      removed: [],
      changed: [],
      held: [],
      problems: [],
      version: (await readCatalogFile(out)).version,
    });
  });

  it('refuses a list without models, a missing one, and a base that is broken', async () => {
    await writeFile(list, '{}');
    await expect(catalog('import', list)).rejects.toMatchObject({ code: 'SLUICE_CATALOG_INVALID' });
    await expect(catalog('import', join(folder, 'none.json'))).rejects.toMatchObject({ code: 'SLUICE_CATALOG_UNREADABLE' });
    await writeList();
    await writeFile(out, '{}');
    await expect(catalog('import', list, '--out', out)).rejects.toMatchObject({ code: 'SLUICE_CATALOG_INVALID' });
    expect(await readFile(out, 'utf8')).toBe('{}');
  });

  it('refuses an unknown format', async () => {
    await expect(catalog('import', list, '--format', 'xml')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  });
});

describe('diff', () => {
  it('is empty with exit code 0 for one catalog, and lists models and prices with 4 for two', async () => {
    await writeList();
    await catalog('import', list, '--out', out, '--accept-all');
    expect(await catalog('diff', out, out)).toMatchObject({ code: 0 });
    const { code, stdout } = await catalog('diff', out);
    expect(code).toBe(4);
    expect(stdout).toContain('  + google/gemini-2.5-pro\n');
    expect(stdout).toMatch(/ ~ openai\/gpt-4o +cachedRead +unknown → \$1\.25\n/);
  });
});

describe('show', () => {
  it('lists providers, models, and one model’s facts', async () => {
    expect((await catalog('show')).stdout).toMatch(/^catalog \S+\namazon +\d+ models\nanthropic /);
    expect((await catalog('show', 'deepseek')).stdout.split('\n')).toContain('deepseek-chat');
    expect(JSON.parse((await catalog('show', 'openai/gpt-4o')).stdout)).toMatchObject({ model: 'gpt-4o', prices: { input: 2.5 } });
  });

  it('finds a model without its provider, and asks whose where several have it', async () => {
    expect(JSON.parse((await catalog('show', 'deepseek-chat')).stdout)).toMatchObject({ provider: 'deepseek', model: 'deepseek-chat' });
    await expect(catalog('show', 'gpt-4o')).rejects.toMatchObject({ fix: expect.stringMatching(/^Say whose: .*openai\/gpt-4o/) as string });
    await expect(catalog('show', 'gtp-4o')).rejects.toMatchObject({ fix: expect.stringContaining('Did you mean gpt-4o') as string });
    await expect(catalog('show', 'openai/gtp-4o')).rejects.toMatchObject({ fix: expect.stringContaining('Did you mean gpt-4o') as string });
  });

  it.each([['nobody'], ['openai/nothing']])('says that it does not know %s', async (which) => {
    await expect(catalog('show', which)).rejects.toMatchObject({ code: 'SLUICE_CATALOG_MODEL' });
  });
});

describe('docs/catalog.md', async () => {
  const text = await readFile(new URL('../../docs/catalog.md', import.meta.url), 'utf8');
  const commands = [...text.matchAll(/^sluice catalog (.*?)(?: +#.*)?$/gm)].map(([, args]) => args!);

  it('shows commands that run', async () => {
    expect(commands).toHaveLength(9);
    await writeList();
    for (const command of commands) {
      const args = command.split(/ +/).map((arg) => (arg === 'prices.json' ? list : arg === 'catalog.json' ? out : arg));
      // The list of this test is short of most providers, which only --accept-all takes.
      const { code } = await catalog(...args, ...(args[0] === 'import' ? ['--accept-all'] : []));
      expect([command, [0, 4].includes(code)]).toEqual([command, true]);
    }
  });

  it('shows overrides that fit their schema', () => {
    const yaml = /```yaml\n(.*?)```/s.exec(text)![1]!;
    const { catalog: section } = parse(yaml) as { catalog: { overrides: unknown } };
    expect(catalogOverridesSchema.safeParse(section.overrides).error).toBeUndefined();
  });

  const zero = {
    input: 0,
    cachedRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: 0,
    output: 0,
    reasoning: 0,
    audioOutput: 0,
    totalOutput: 0,
    raw: '',
  };
  const convention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' } as const;

  it.each<[string, string, Partial<Usage>]>([
    ['openai', 'gpt-4o', { input: 4_000, cachedRead: 8_000, totalInput: 12_000, output: 1_500 }],
    [
      'anthropic',
      'claude-sonnet-4-5',
      { input: 1_000, cachedRead: 20_000, cacheWrite5m: 4_000, cacheWrite1h: 2_000, totalInput: 27_000, output: 1_200 },
    ],
    ['google', 'gemini-2.5-pro', { input: 200_000, cachedRead: 50_000, totalInput: 250_000, output: 2_000, reasoning: 6_000 }],
  ])('works the example of %s %s to what the catalog computes', async (provider, model, counts) => {
    const cost = (await loadCatalog()).cost(provider, model, { ...zero, convention, totalInput: 0, ...counts });
    const total = /\*\*([\d.]+)\*\* \|$/m.exec(text.slice(text.indexOf(`\`${model}\`: `)))![1];
    expect(cost).toEqual({ known: true, usd: Number(total) });
  });
});
