/**
 * Loaded into Node by `npm test -- --clock` (`--import`): Node and shells that it starts keep libfaketime, and everything else has the
 * machine's clock, because Redis and Envoy do not run under it.
 */
import childProcess, { ChildProcess } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

interface Start {
  readonly file?: string;
  envPairs?: readonly string[] | undefined;
}

const moved: ReadonlySet<string> = new Set(['node', 'npm', 'npx', 'sh', 'bash', 'sluice']);
const keepsClock = (file: string): boolean => moved.has(basename(file));

const children = ChildProcess.prototype as unknown as { spawn: (this: ChildProcess, start: Start) => unknown };
const { spawn } = children;
children.spawn = function (start) {
  if (!keepsClock(start.file ?? '')) start.envPairs = start.envPairs?.filter((pair) => !pair.startsWith('LD_PRELOAD='));
  return spawn.call(this, start);
};

type Sync = (file: string, ...rest: unknown[]) => unknown;

/** The same for a call that waits for the program's end: `file`, then arguments and options, both of which may be absent. */
function withoutClock(call: Sync): Sync {
  return (file, ...rest) => {
    if (keepsClock(file)) return call(file, ...rest);
    const args = Array.isArray(rest[0]) ? (rest[0] as unknown[]) : [];
    const options = (Array.isArray(rest[0]) ? rest[1] : rest[0]) as { readonly env?: NodeJS.ProcessEnv } | undefined;
    return call(file, args, { ...options, env: { ...(options?.env ?? process.env), LD_PRELOAD: undefined } });
  };
}

const sync = childProcess as unknown as Record<'spawnSync' | 'execFileSync', Sync>;
for (const name of ['spawnSync', 'execFileSync'] as const) sync[name] = withoutClock(sync[name]);
syncBuiltinESMExports();
