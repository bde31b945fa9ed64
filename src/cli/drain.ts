import { counted } from '../lib/counted.ts';
import { parseArgs } from 'node:util';
import type { Command } from 'commander';
import { drainEnvoy } from '../attach/drain.ts';
import { SluiceError } from '../lib/errors.ts';
import { shared } from './flags/shared.ts';

interface DrainFlags {
  readonly envoyAdmin: string;
  readonly seconds: string;
  readonly atLeast: string;
  readonly json?: boolean;
}

const defaults: DrainFlags = { envoyAdmin: '127.0.0.1:9902', seconds: '25', atLeast: '3' };

/** `sluice drain`: run in a pod before it stops. Exit 0 even if requests are left at the end of the wait. */
export function registerDrain(program: Command): void {
  program
    .command('drain')
    .description('have Envoy close its connections after their current request, and wait until none is open')
    .option('--envoy-admin <host:port>', "Envoy's admin", defaults.envoyAdmin)
    .option('--seconds <seconds>', 'longest wait', defaults.seconds)
    .option('--at-least <seconds>', 'shortest wait: other nodes go on sending until they know', defaults.atLeast)
    .option(...shared.json)
    .action(drain);
}

async function drain(flags: DrainFlags): Promise<void> {
  const [most, least] = [Number(flags.seconds), Number(flags.atLeast)];
  if (!(most >= 0) || !(least >= 0))
    throw new SluiceError('SLUICE_CLI_USAGE', 'that is no number of seconds.', { where: '--seconds, --at-least' });
  const left = await drainEnvoy(flags.envoyAdmin, { leastMs: least * 1000, mostMs: most * 1000 });
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ open: left })}\n`);
  else process.stdout.write(left === 0 ? 'drained\n' : `still open: ${counted(left, 'request')}\n`);
}

// The chart's preStop hook runs this file alone: on a busy node, loading the whole program takes seconds, and the drain has few.
if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: defaults.seconds } } });
  // No top-level await: the package's bundles are not ES modules.
  void drain({ ...defaults, seconds: values.seconds });
}
