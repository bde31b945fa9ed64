import { runCommand } from './program.ts';
import { unwritable } from '../lib/errors.ts';

// `sluice decisions | head` closes the pipe early; that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`${unwritable('stdout', error).render()}\n`);
  process.exit(1);
});

// No top-level await: the package's bundles are not ES modules.
void runCommand(process.argv.slice(2));
