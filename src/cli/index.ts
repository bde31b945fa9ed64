import { runCommand } from './program.ts';
import { unwritable } from './write-text.ts';

// `sluice decisions | head` closes its end early, and has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`${unwritable('stdout', error).render()}\n`);
  process.exit(1);
});

// No await here: the package's bundles are no ES modules.
void runCommand(process.argv.slice(2));
