import { spawn } from 'node:child_process';
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
