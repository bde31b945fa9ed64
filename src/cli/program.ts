import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { sentenceOf } from '../lib/errors.ts';
import { namingStdin } from './stdin.ts';
import { exitCodeOf } from './exit-code.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/** Commands by name, in the order of the help. The file of each is loaded, with all that it needs, when the command is run. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import('./serve.ts')).registerServe,
  status: async () => (await import('./status.ts')).registerStatus,
  egress: async () => (await import('./egress.ts')).registerEgress,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  probe: async () => (await import('./probe.ts')).registerProbe,
  demo: async () => (await import('./demo.ts')).registerDemo,
  validate: async () => (await import('./validate.ts')).registerValidate,
  explain: async () => (await import('./explain.ts')).registerExplain,
  decisions: async () => (await import('./decisions.ts')).registerDecisions,
  savings: async () => (await import('./savings.ts')).registerSavings,
  report: async () => (await import('./report.ts')).registerReport,
  reconcile: async () => (await import('./reconcile.ts')).registerReconcile,
  ledger: async () => (await import('./ledger.ts')).registerLedger,
  learning: async () => (await import('./learning.ts')).registerLearning,
  catalog: async () => (await import('./catalog.ts')).registerCatalog,
  cache: async () => (await import('./cache.ts')).registerCache,
  budgets: async () => (await import('./budgets.ts')).registerBudgets,
  limits: async () => (await import('./limits.ts')).registerLimits,
  compare: async () => (await import('./compare.ts')).registerCompare,
  replay: async () => (await import('./replay.ts')).registerReplay,
  render: async () => (await import('./render.ts')).registerRender,
  'support-bundle': async () => (await import('./support-bundle.ts')).registerSupportBundle,
  drain: async () => (await import('./drain.ts')).registerDrain,
  'ca-bundle': async () => (await import('./ca-bundle.ts')).registerCaBundle,
  train: async () => (await import('./train.ts')).registerTrain,
  rollout: async () => (await import('./trials.ts')).registerRollout,
  rollback: async () => (await import('./trials.ts')).registerRollback,
  experiments: async () => (await import('./trials.ts')).registerExperiments,
  classify: async () => (await import('./classify.ts')).registerClassify,
  label: async () => (await import('./label.ts')).registerLabel,
  score: async () => (await import('./score.ts')).registerScore,
  evaluate: async () => (await import('./evaluate.ts')).registerEvaluate,
  'simulate-learning': async () => (await import('./simulate-learning.ts')).registerSimulateLearning,
  completion: async () => (await import('./completion.ts')).registerCompletion,
};

/** Needs to know all commands to do its own work. */
const ofAll = 'completion';

/**
 * The command line with its commands: all of them, or the one that `only` names (`--version`: none). Errors are thrown when it parses, not
 * printed.
 */
export async function sluiceProgram(only?: string): Promise<Command> {
  const program = new Command('sluice')
    .description('Routes, records and prices LLM traffic as an Envoy external processor')
    .version(version)
    .showHelpAfterError('Run the command with --help to see what it takes.')
    .exitOverride();
  if (only === '--version') return program;
  const known = only !== undefined && only !== ofAll && Object.hasOwn(commands, only) ? [commands[only]!] : Object.values(commands);
  for (const register of await Promise.all(known.map((load) => load()))) register(program);
  return program;
}

/** Runs one command to its end and sets `process.exitCode`; errors are written to stderr. `args`: without Node and the program's name. */
export async function runCommand(args: readonly string[]): Promise<void> {
  try {
    await (await sluiceProgram(args[0])).parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = failed(error);
  }
}

/** Prints an error and returns its exit code. */
function failed(error: unknown): number {
  // commander has already printed its own message.
  if (!(error instanceof CommanderError)) process.stderr.write(`${namingStdin(sentenceOf(error))}\n`);
  return exitCodeOf(error);
}
