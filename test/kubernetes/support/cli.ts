import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { entry } from '../../support/entry.ts';

const run = promisify(execFile);

/** `sluice …`; resolves with its stdout, rejects with its stderr in the message. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await run(process.execPath, [entry, ...args], { env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 })).stdout;
}
