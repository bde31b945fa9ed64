import { CommanderError } from 'commander';
import { SluiceError, type ErrorCode } from '../lib/errors.ts';

/** What is wrong with the words of the command line, by whoever read them. */
const usage: ReadonlySet<ErrorCode> = new Set(['SLUICE_CLI_USAGE', 'SLUICE_LEDGER_WINDOW', 'SLUICE_LEDGER_WHERE', 'SLUICE_LEDGER_GROUP']);

/** The exit code of a command that failed: 2, the shell's usual code, for wrong usage; else 1. commander's own successes (--help) are 0. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof SluiceError && usage.has(error.code) ? 2 : 1;
}
