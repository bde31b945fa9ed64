/**
 * Loaded into Node by `npm test -- --clock` (`--import`): Node and shells that it starts keep libfaketime, and everything else has the
 * machine's clock, because Redis and Envoy do not run under it.
 */
import { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';

interface Start {
  readonly file?: string;
  envPairs?: readonly string[] | undefined;
}

const moved: ReadonlySet<string> = new Set(['node', 'npm', 'npx', 'sh', 'bash', 'sluice']);
const children = ChildProcess.prototype as unknown as { spawn: (this: ChildProcess, start: Start) => unknown };
const { spawn } = children;

children.spawn = function (start) {
  if (!moved.has(basename(start.file ?? ''))) start.envPairs = start.envPairs?.filter((pair) => !pair.startsWith('LD_PRELOAD='));
  return spawn.call(this, start);
};
