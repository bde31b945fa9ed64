import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const entry = fileURLToPath(new URL('../src/cli/index.ts', import.meta.url));

/** Processes whose command line names this folder's demo parts, by their parent being gone or the demo. */
function run(args: readonly string[]): {
  readonly done: Promise<{ code: number | null; out: string; err: string }>;
  readonly child: ReturnType<typeof spawn>;
} {
  const child = spawn(process.execPath, [entry, 'demo', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  return { child, done: new Promise((resolve) => child.once('exit', (code) => resolve({ code, out, err }))) };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

describe('the demo', () => {
  it('sends about thirty requests, shows them all, and ends with --once', async () => {
    const { code, out, err } = await run(['--once']).done;
    expect(err).not.toMatch(/no record|Error/);
    expect(code).toBe(0);
    const rows = out.split('\n').filter((line) => /^[·≈] /.test(line));
    expect(rows.length).toBeGreaterThanOrEqual(30);
    expect(rows.filter((line) => line.includes('gpt-5-nano')).length).toBeGreaterThan(3);
    expect(rows.some((line) => line.includes('(blocked)'))).toBe(true);
    expect(out).toMatch(/saved \$\d+\.\d+ \(\d+%\)/);
    for (const line of rows) expect(line.length).toBeLessThanOrEqual(125);
  });

  it('answers an app of the caller without a key, under a policy of the caller, and shows its requests', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-demo-test-'));
    const policy = join(folder, 'policy.yaml');
    writeFileSync(
      policy,
      'version: 1\nproviders:\n  openai: { credentialFile: /nowhere/key }\n  mine: { dialect: openai, endpoint: https://llm.invalid, pathPrefix: /mine }\ndefaults:\n  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }\n',
    );
    const { child, done } = run(['--app', '--policy', policy]);
    let out = '';
    child.stdout!.on('data', (data: Buffer) => (out += data.toString()));
    await expect.poll(() => out, { timeout: 60_000 }).toContain('until Ctrl-C');
    const url = /OPENAI_BASE_URL=(\S+)\/v1/.exec(out)![1]!;
    const ask = async (path: string): Promise<number> =>
      (
        await fetch(`${url}${path}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
        })
      ).status;
    expect(await ask('')).toBe(200);
    expect(await ask('/mine')).toBe(200);
    await expect.poll(() => out.split('\n').filter((line) => line.startsWith('· default')).length, { timeout: 20_000 }).toBe(2);
    expect(out).toMatch(/gpt-5\.1 +gpt-5-nano +simple/);
    child.kill('SIGINT');
    expect((await done).code).toBe(0);
    rmSync(folder, { recursive: true, force: true });
  });

  it('stays up until it is told to stop, explains a decision meanwhile, and leaves nothing running', async () => {
    const { child, done } = run([]);
    let out = '';
    child.stdout!.on('data', (data: Buffer) => (out += data.toString()));
    await expect.poll(() => out, { timeout: 15_000 }).toContain('until Ctrl-C');
    const admin = /(http:\/\/127\.0\.0\.1:\d+)\/metrics/.exec(out)![1]!;
    const gateway = /curl -si (http:\/\/127\.0\.0\.1:\d+)/.exec(out)![1]!;
    const id = /explain (\S+) --admin/.exec(out)![1]!;
    const explained = spawn(process.execPath, [entry, 'explain', id, '--admin', admin], { stdio: ['ignore', 'pipe', 'inherit'] });
    let words = '';
    explained.stdout.on('data', (data: Buffer) => (words += data.toString()));
    await new Promise((resolve) => explained.once('exit', resolve));
    expect(words).toContain(id);
    expect(words).toContain('gpt-5');
    expect(await answers(`${admin}/metrics`)).toBe(true);
    child.kill('SIGINT');
    expect((await done).code).toBe(0);
    expect(await answers(`${admin}/metrics`)).toBe(false);
    expect(await answers(`${gateway}/`)).toBe(false);
  });

  it('says what to do when --live has no key', async () => {
    const env = { ...process.env };
    for (const name of ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY']) Reflect.deleteProperty(env, name);
    const child = spawn(process.execPath, [entry, 'demo', '--live', '--once'], { stdio: ['ignore', 'ignore', 'pipe'], env });
    let err = '';
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect([code, err.includes('OPENAI_API_KEY')]).toEqual([1, true]);
  });
});
