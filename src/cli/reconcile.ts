import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { SluiceError, unreadable } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { readBill, type Bill } from '../showback/bill.ts';
import { agrees, reasonFor, reconcile, type Compared } from '../showback/reconcile.ts';
import { alignColumns, dollars } from '../record/columns.ts';
import { shared } from './flags/shared.ts';
import { withReader } from './open-ledger.ts';

interface ReconcileFlags {
  readonly bill: string;
  readonly provider?: string;
  readonly tolerance: string;
  readonly ledger?: string;
  readonly json?: boolean;
}

/** `sluice reconcile`: compares a provider's export with the ledger, model by model. Exit 1 if they differ by more than `--tolerance`. */
export function registerReconcile(program: Command): void {
  program
    .command('reconcile')
    .description("hold a provider's usage or cost export against the ledger, model by model")
    .requiredOption('--bill <file>', "CSV from OpenAI's or Anthropic's console: usage or cost; - for stdin")
    .option('--provider <name>', 'whose requests, by its name in the policy (default: openai or anthropic, as the export is)')
    .option('--tolerance <percent>', 'differences up to this are none', '1')
    .option(...shared.ledger)
    .option(...shared.json)
    .action(async (flags: ReconcileFlags) => {
      const tolerance = Number(flags.tolerance) / 100;
      if (!(tolerance >= 0)) throw new SluiceError('SLUICE_CLI_USAGE', 'the tolerance is no number of percent.', { where: '--tolerance' });
      const bill = readBill(textOf(flags.bill), flags.bill);
      const provider = flags.provider ?? bill.provider;
      const { lines } = await withReader(flags.ledger, (ledger) =>
        ledger.savings({ from: bill.from, to: bill.to, by: ['model', 'provider', 'cache'], limit: limits.ledgerAnswers }),
      );
      const compared = reconcile(
        bill,
        // No provider bills what the cache answered.
        lines.filter(({ group: [, by, cache] }) => by === provider && !cacheAnswers.has(cache!)),
      );
      const ok = compared.every((one) => agrees(one, tolerance));
      const { from, to } = { from: new Date(bill.from).toISOString(), to: new Date(bill.to).toISOString() };
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ ok, provider, what: bill.what, from, to, models: compared.map((one) => ({ ...one, agrees: agrees(one, tolerance), reason: reasonFor(one, tolerance) })) }, null, 2)}\n`
          : `${provider}, ${bill.what}, ${from.slice(0, 10)} to ${to.slice(0, 10)} (UTC, not in it)\n${table(bill, compared, tolerance)}\n`,
      );
      if (!ok) process.exitCode = 1;
    });
}

/** Values of `cache` for answers from the cache. */
const cacheAnswers: ReadonlySet<string> = new Set(['hit', 'stale', 'coalesced', 'semantic']);

function table({ what }: Bill, compared: readonly Compared[], tolerance: number): string {
  const cell = (one: Compared['bill'], pick: (line: NonNullable<Compared['bill']>) => number | null): string => {
    const value = one === null ? null : pick(one);
    return value === null ? '–' : what === 'cost' ? dollars(value) : value.toLocaleString('en-US');
  };
  const columns =
    what === 'cost'
      ? [['$', (line: NonNullable<Compared['bill']>): number | null => line.usd] as const]
      : [
          ['requests', (line: NonNullable<Compared['bill']>): number | null => line.requests] as const,
          ['input', (line: NonNullable<Compared['bill']>): number | null => line.input] as const,
          ['output', (line: NonNullable<Compared['bill']>): number | null => line.output] as const,
        ];
  const rows = compared.map((one) => [
    one.model,
    ...columns.flatMap(([, pick]) => [cell(one.bill, pick), cell(one.ledger, pick)]),
    one.off === null ? '–' : `${one.off > 0 ? '+' : ''}${(one.off * 100).toFixed(1)}%`,
    reasonFor(one, tolerance),
  ]);
  const head = ['model', ...columns.flatMap(([name]) => [`${name} billed`, `${name} recorded`]), 'billed is', ''];
  return alignColumns(head, rows, new Set(Array.from({ length: columns.length * 2 + 1 }, (_, at) => at + 1)));
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}
