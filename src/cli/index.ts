import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import { registerBudgets } from './budgets.ts';
import { registerLimits } from './limits.ts';
import { registerCache } from './cache.ts';
import { registerCaBundle } from './ca-bundle.ts';
import { registerCatalog } from './catalog.ts';
import { registerClassify } from './classify.ts';
import { registerDemo } from './demo.ts';
import { registerDoctor } from './doctor.ts';
import { registerDrain } from './drain.ts';
import { registerEvaluate } from './evaluate.ts';
import { registerExplain } from './explain.ts';
import { registerDecisions } from './decisions.ts';
import { registerLabel } from './label.ts';
import { registerLearning } from './learning.ts';
import { registerLedger } from './ledger.ts';
import { registerCompare } from './compare.ts';
import { registerReconcile } from './reconcile.ts';
import { registerReport } from './report.ts';
import { registerReplay } from './replay.ts';
import { registerRender } from './render.ts';
import { registerSavings } from './savings.ts';
import { registerScore } from './score.ts';
import { registerServe } from './serve.ts';
import { registerSimulateLearning } from './simulate-learning.ts';
import { registerStatus } from './status.ts';
import { registerTrain } from './train.ts';
import { registerTrials } from './trials.ts';
import { registerValidate } from './validate.ts';
import { unwritable } from './write-text.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('sluice')
  .description('Routes, records and prices LLM traffic as an Envoy external processor')
  .version(version)
  .showHelpAfterError('Run the command with --help to see what it takes.')
  .exitOverride();

for (const register of [
  registerServe,
  registerStatus,
  registerDoctor,
  registerDemo,
  registerValidate,
  registerExplain,
  registerDecisions,
  registerSavings,
  registerReport,
  registerReconcile,
  registerLedger,
  registerLearning,
  registerCatalog,
  registerCache,
  registerBudgets,
  registerLimits,
  registerCompare,
  registerReplay,
  registerRender,
  registerDrain,
  registerCaBundle,
  registerTrain,
  registerTrials,
  registerClassify,
  registerLabel,
  registerScore,
  registerEvaluate,
  registerSimulateLearning,
]) {
  register(program);
}

// `sluice decisions | head` closes its end early, and has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`${unwritable('stdout', error).render()}\n`);
  process.exit(1);
});

// No await here: the package's bundles are no ES modules.
program.parseAsync().catch(failed);

function failed(error: unknown): void {
  if (error instanceof CommanderError) {
    // commander has printed its own message; 2 is the shell's usual code for wrong usage.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof SluiceError) {
    process.stderr.write(`${error.render()}\n`);
    process.exitCode = error.code === 'SLUICE_CLI_USAGE' ? 2 : 1;
  } else {
    process.stderr.write(`SLUICE_INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}
