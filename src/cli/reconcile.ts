import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { counted } from '../lib/counted.ts';
import { SluiceError } from '../lib/errors.ts';
import { withFile } from '../lib/read-file.ts';
import { limits } from '../lib/limits.ts';
import type { SavingsLine } from '../ledger/query.ts';
import { alignColumns, dollars } from '../record/columns.ts';
import { readBill, type Bill } from '../showback/bill.ts';
import { shownTime } from '../showback/bill-time.ts';
import { agrees, reasonFor, reconcile, total, type Compared } from '../showback/reconcile.ts';
import { shared } from './flags/shared.ts';
import { withReader } from './open-ledger.ts';
import { Progress } from './progress.ts';
import { fileOf } from './stdin.ts';

interface ReconcileFlags {
  readonly bill: string;
  readonly provider?: string;
  readonly tolerance: string;
  readonly zone: string;
  readonly usdPer?: string;
  readonly ledger?: string;
  readonly json?: boolean;
}

/** `sluice reconcile`: compares a provider's export with the ledger, model by model. Exit 1 if they differ by more than `--tolerance`. */
export function registerReconcile(program: Command): void {
  program
    .command('reconcile')
    .description("hold a provider's usage or cost export against the ledger, model by model")
    .requiredOption('--bill <file>', "OpenAI's or Anthropic's usage or cost, Google's, Azure's or AWS's cost; CSV or JSON; - for stdin")
    .option(
      '--provider <names>',
      'whose requests, by names in the policy, separated by commas (default: openai, anthropic, google, azure or bedrock, as the export is)',
    )
    .option('--tolerance <percent>', 'differences up to this are none', '1')
    .option('--zone <zone>', 'time zone of dates without one: Europe/Berlin', 'UTC')
    .option('--usd-per <dollars>', "US dollars for one unit of the bill's currency, if it is another")
    .option(...shared.ledger)
    .option(...shared.json)
    .action(async (flags: ReconcileFlags) => {
      const tolerance = positive('--tolerance', flags.tolerance, 'a number of percent') / 100;
      const usdPer = flags.usdPer === undefined ? null : positive('--usd-per', flags.usdPer, 'a number of dollars');
      const { bill, lines } = await read(flags, usdPer);
      const providers = flags.provider?.split(',').map((name) => name.trim()) ?? [bill.provider];
      const own = lines.filter(({ group: [, by, cache] }) => providers.includes(by!) && !cacheAnswers.has(cache!));
      const rows = reconcile(bill, own, await catalogModels());
      const ok = rows.every((one) => agrees(one, tolerance));
      const facts = { bill, rows, providers, tolerance };
      process.stdout.write(flags.json === true ? asJson(facts, ok) : asText(facts));
      warn(bill, own, providers, lines);
      if (!ok) process.exitCode = 1;
    });
}

/** Values of `cache` for answers from the cache: no provider bills them. */
const cacheAnswers: ReadonlySet<string> = new Set(['hit', 'stale', 'coalesced', 'semantic']);

async function read(
  flags: ReconcileFlags,
  usdPer: number | null,
): Promise<{ readonly bill: Bill; readonly lines: readonly SavingsLine[] }> {
  const progress = new Progress('row');
  const name = flags.bill === '-' ? 'stdin' : flags.bill;
  const bill = readBill(bytesOf(flags.bill), name, { zone: flags.zone, usdPer, tick: progress.tick });
  progress.done();
  const { lines, rest } = await withReader(flags.ledger, (ledger) =>
    ledger.savings({ from: bill.from, to: bill.to, by: ['model', 'provider', 'cache'], limit: limits.ledgerAnswers }),
  );
  if (rest !== null)
    throw new SluiceError('SLUICE_BILL', `the ledger has more than ${counted(limits.ledgerAnswers, 'model')} in this time.`, {
      where: name,
      fix: 'Give a shorter period.',
    });
  return { bill, lines };
}

function positive(flag: string, value: string, what: string): number {
  const number = Number(value);
  if (value.trim() === '' || !(number >= 0) || !Number.isFinite(number))
    throw new SluiceError('SLUICE_CLI_USAGE', `"${value}" is not ${what}.`, { where: flag });
  return number;
}

async function catalogModels(): Promise<string[]> {
  const catalog = await loadCatalog();
  return catalog.providers().flatMap((provider) => catalog.models(provider).map(({ model }) => model));
}

interface Facts {
  readonly bill: Bill;
  readonly rows: readonly Compared[];
  readonly providers: readonly string[];
  readonly tolerance: number;
}

function asJson({ bill, rows, providers, tolerance }: Facts, ok: boolean): string {
  const row = (one: Compared): object => ({ ...one, agrees: agrees(one, tolerance), reason: reasonFor(one, tolerance) });
  return `${JSON.stringify(
    {
      ok,
      provider: providers.join(','),
      what: bill.what,
      from: new Date(bill.from).toISOString(),
      to: new Date(bill.to).toISOString(),
      models: rows.map(row),
      total: total(bill, rows),
      others: bill.others,
    },
    null,
    2,
  )}\n`;
}

function asText({ bill, rows, providers, tolerance }: Facts): string {
  const head = `${providers.join(', ')}, ${bill.what}, ${shownTime(bill.from)} to ${shownTime(bill.to)} (UTC, not in it)`;
  const lines = rows.map((one) => [one, reasonFor(one, tolerance)] as const);
  const differ = rows.filter((one) => !agrees(one, tolerance)).length;
  // Sums of all may agree where models do not.
  const all = [total(bill, rows), differ === 0 ? 'agrees' : `${differ} of ${rows.length} lines differ`] as const;
  return `${head}\n${table(bill, rows.length > 1 ? [...lines, all] : lines)}\n`;
}

/** What was left out, and a name that may be wrong. */
function warn({ others }: Bill, own: readonly SavingsLine[], providers: readonly string[], lines: readonly SavingsLine[]): void {
  if (others.rows > 0)
    process.stderr.write(`· ${counted(others.rows, 'row')} of other services left out: ${others.services.slice(0, 8).join(', ')}\n`);
  const there = [...new Set(lines.map(({ group }) => group[1]!))].filter((name) => name !== 'none');
  if (own.length === 0 && there.length > 0)
    process.stderr.write(
      `· the ledger has nothing of ${providers.join(', ')} in this time, but of ${there.join(', ')}: name yours by --provider\n`,
    );
}

function table({ what }: Bill, rows: readonly (readonly [Compared, string])[]): string {
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
  const cells = rows.map(([one, reason]) => [
    one.model,
    ...columns.flatMap(([, pick]) => [cell(one.bill, pick), cell(one.ledger, pick)]),
    one.off === null ? '–' : `${one.off > 0 ? '+' : ''}${(one.off * 100).toFixed(1)}%`,
    reason,
  ]);
  const head = ['model', ...columns.flatMap(([name]) => [`${name} billed`, `${name} recorded`]), 'billed is', ''];
  return alignColumns(head, cells, new Set(Array.from({ length: columns.length * 2 + 1 }, (_, at) => at + 1)));
}

function bytesOf(name: string): Buffer {
  const file = fileOf(name);
  return withFile(name, () => {
    const { size } = statSync(file);
    if (size > limits.billBytes)
      throw new SluiceError('SLUICE_BILL', `it has ${size} bytes, more than ${limits.billBytes}.`, {
        where: name,
        fix: 'Give a shorter period.',
      });
    return readFileSync(file);
  });
}
