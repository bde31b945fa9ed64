import { CommanderError } from 'commander';
import { SluiceError, type ErrorCode } from '../lib/errors.ts';

/** Error codes for wrong command-line usage, whichever part reported it. */
const usage: ReadonlySet<ErrorCode> = new Set(['SLUICE_CLI_USAGE', 'SLUICE_LEDGER_WINDOW', 'SLUICE_LEDGER_WHERE', 'SLUICE_LEDGER_GROUP']);

/** The exit code of a failed command: 2, as usual in shells, for wrong usage; else 1. commander's own successes (--help) are 0. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof SluiceError && usage.has(error.code) ? 2 : 1;
}
