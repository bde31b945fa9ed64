import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { numberedBody } from '../../bench/bodies.ts';
import { Driver, ExchangePlan } from '../../bench/direct/driver.ts';
import { nodeFlags } from '../../src/lib/node-flags.ts';

/**
 * Bytes of a body, and how many such requests are sent: enough for the functions of the request path to have run, the large ones' thread
 * among them.
 */
const traffic = [
  [1_024, 200],
  [1_024 * 1_024, 4],
] as const;
const mostMs = 60_000;

/**
 * Runs the built program once, with the flags that it has in service, since V8 takes no code that was made under others, with some traffic
 * and has it leave the code that V8 made beside its files. Throws when there is none in the end.
 */
export async function recordCode(out: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-record-'));
  const socket = join(folder, 'sluice.sock');
  const modules = join(out, 'node_modules');
  const lent = !existsSync(modules);
  // The native package, which is installed beside the built one later.
  if (lent) symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), modules);
  const child = spawn(
    process.execPath,
    [
      ...nodeFlags,
      join(out, 'sluice.cjs'),
      'serve',
      '--listen',
      `unix:${socket}`,
      '--admin',
      '127.0.0.1:0',
      '--log',
      join(folder, 'log'),
      '--ledger',
      join(folder, 'ledger.db'),
      '--budgets',
      join(folder, 'budgets.json'),
      '--policy-kept',
      'off',
      '--max-delay',
      '0',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { PATH: process.env['PATH'], SLUICE_RECORD_CODE: '1' } },
  );
  try {
    const gone = new Promise<never>((_, reject) => child.once('exit', (code) => reject(new Error(`the built program ended with ${code}`))));
    gone.catch(() => undefined);
    await Promise.race([drive(socket), gone]);
    // Each thread writes its code every half a second.
    await sleep(2_000);
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
    if (lent) rmSync(modules);
  }
  // The program may have ended while a thread wrote.
  const half = readdirSync(join(out, 'code'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.code.new'));
  for (const name of half) rmSync(join(out, 'code', name));
  for (const name of ['sluice', 'ledger-worker', 'body-worker'])
    if (!readdirSync(join(out, 'code', name)).includes(`${name}.cjs.code`)) throw new Error(`no code was recorded for ${name}`);
}

async function drive(socket: string): Promise<void> {
  const until = performance.now() + mostMs;
  for (;;) {
    try {
      const driver = await Driver.connect(socket);
      for (const [bytes, count] of traffic) await driver.run(new ExchangePlan(numberedBody(bytes)), count, 2);
      driver.close();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(100);
    }
  }
}
