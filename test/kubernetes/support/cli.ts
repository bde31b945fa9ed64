import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../../src/cli/index.ts', import.meta.url));

/** `sluice …`; resolves with its stdout, rejects with its stderr in the message. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await run(process.execPath, [entry, ...args], { env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 })).stdout;
}
