import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { sentenceOf } from '../lib/errors.ts';
import { registerBudgets } from './budgets.ts';
import { registerLimits } from './limits.ts';
import { registerCache } from './cache.ts';
import { registerCaBundle } from './ca-bundle.ts';
import { registerCatalog } from './catalog.ts';
import { registerClassify } from './classify.ts';
import { registerCompletion } from './completion.ts';
import { registerDemo } from './demo.ts';
import { registerDoctor } from './doctor.ts';
import { registerDrain } from './drain.ts';
import { registerEvaluate } from './evaluate.ts';
import { exitCodeOf } from './exit-code.ts';
import { registerExplain } from './explain.ts';
import { registerDecisions } from './decisions.ts';
import { registerLabel } from './label.ts';
import { registerLearning } from './learning.ts';
import { registerLedger } from './ledger.ts';
import { registerCompare } from './compare.ts';
import { registerProbe } from './probe.ts';
import { registerReconcile } from './reconcile.ts';
import { registerReport } from './report.ts';
import { registerReplay } from './replay.ts';
import { registerRender } from './render.ts';
import { registerSavings } from './savings.ts';
import { registerScore } from './score.ts';
import { registerServe } from './serve.ts';
import { registerSimulateLearning } from './simulate-learning.ts';
import { registerStatus } from './status.ts';
import { registerSupportBundle } from './support-bundle.ts';
import { registerTrain } from './train.ts';
import { registerTrials } from './trials.ts';
import { registerValidate } from './validate.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const commands: readonly ((program: Command) => void)[] = [
  registerServe,
  registerStatus,
  registerDoctor,
  registerProbe,
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
  registerSupportBundle,
  registerDrain,
  registerCaBundle,
  registerTrain,
  registerTrials,
  registerClassify,
  registerLabel,
  registerScore,
  registerEvaluate,
  registerSimulateLearning,
  registerCompletion,
];

/** The command line with all its commands. Errors are thrown, not printed. */
export function sluiceProgram(): Command {
  const program = new Command('sluice')
    .description('Routes, records and prices LLM traffic as an Envoy external processor')
    .version(version)
    .showHelpAfterError('Run the command with --help to see what it takes.')
    .exitOverride();
  for (const register of commands) register(program);
  return program;
}

/** Runs one command to its end and sets `process.exitCode`; errors are written to stderr. `args`: without Node and the program's name. */
export async function runCommand(args: readonly string[]): Promise<void> {
  try {
    await sluiceProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = failed(error);
  }
}

/** Prints an error and returns its exit code. */
function failed(error: unknown): number {
  // commander has already printed its own message.
  if (!(error instanceof CommanderError)) process.stderr.write(`${sentenceOf(error)}\n`);
  return exitCodeOf(error);
}
