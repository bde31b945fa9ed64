import { Readable, Writable } from 'node:stream';
import { runCommand } from '../program.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Commands write to the process's streams, so only one runs at a time. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs a command in this process, like `bin/sluice`, and returns its output. For commands that end by themselves and do not end the
 * process; a server must be started as its own process. `env`: additional environment variables.
 */
export function sluice(
  args: readonly string[],
  { stdin = '', env = {} }: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CommandResult> {
  const result = last.then(() => run(args, stdin, env));
  last = result.catch(() => undefined);
  return result;
}

async function run(args: readonly string[], stdin: string, env: Readonly<Record<string, string>>): Promise<CommandResult> {
  const { exitCode, env: environment } = process;
  const kept = (['stdin', 'stdout', 'stderr'] as const).map((name) => [name, Object.getOwnPropertyDescriptor(process, name)!] as const);
  const written = { stdout: '', stderr: '' };
  const taking = (name: 'stdout' | 'stderr'): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        done();
      },
    });
  const replaced = {
    stdin: Readable.from([Buffer.from(stdin)], { objectMode: false }),
    stdout: taking('stdout'),
    stderr: taking('stderr'),
  };
  for (const [name, value] of Object.entries(replaced)) Object.defineProperty(process, name, { configurable: true, value });
  process.env = { ...environment, ...env };
  process.exitCode = 0;
  try {
    await runCommand(args);
    return { code: process.exitCode, ...written };
  } finally {
    for (const [name, descriptor] of kept) Object.defineProperty(process, name, descriptor);
    process.env = environment;
    process.exitCode = exitCode;
  }
}
