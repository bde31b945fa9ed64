import { counted } from '../lib/counted.ts';
import { Option, type Command } from 'commander';
import { parsePeriod, savingsKeys, type SavingsLine, type SavingsReport } from '../ledger/query.ts';
import { allLines, savingsCsv } from '../ledger/savings-csv.ts';
import { limits } from '../lib/limits.ts';
import { askAdmin } from './ask-admin.ts';
import { alignColumns, dollars, percent } from '../record/columns.ts';
import { shared, whereOption } from './flags/shared.ts';
import { withReader } from './open-ledger.ts';

interface SavingsFlags {
  readonly window?: string;
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
  readonly by?: string;
  readonly where: readonly string[];
  readonly csv?: boolean;
  readonly shadow?: boolean;
  readonly ledger?: string;
  readonly admin?: string;
  readonly json?: boolean;
}

/** `sluice savings`: cost and savings of routing in a window, with the share that is unknown. */
export function registerSavings(program: Command): void {
  program
    .command('savings')
    .description('what routing saved, and for which share that is unknown')
    .option('--window <time>', 'how far back: 24h, 30d; periods are of whole hours (default: 30d)')
    .option(...shared.month)
    .option(...shared.from)
    .option(...shared.to)
    .option('--by <keys>', `group by ${savingsKeys.join(', ')}; several with commas`)
    .addOption(whereOption('only exchanges that meet it, as decisions takes them: user=…, rule=…, arm~…'))
    .option('--shadow', 'also what sections in shadow mode would have saved; from records that are kept')
    .option(...shared.ledger)
    .option(...shared.adminInstead)
    .addOption(new Option('--json', 'print the report as JSON').conflicts('csv'))
    .option('--csv', 'print its lines, or with no --by its days (hours, up to three days), as CSV')
    .action(async (flags: SavingsFlags) => {
      const report = await reportFor(flags);
      process.stdout.write(
        flags.csv === true
          ? savingsCsv(report)
          : flags.json === true
            ? `${JSON.stringify(report, null, 2)}\n`
            : savingsText(report, periodName(flags)),
      );
    });
}

async function reportFor(flags: SavingsFlags): Promise<SavingsReport> {
  const by = (flags.by ?? '').split(',').filter((key) => key !== '');
  if (flags.admin !== undefined) {
    return (await askAdmin(flags.admin, '/savings', {
      query: new URLSearchParams([
        ...Object.entries({ ...spanOf(flags), by: by.join(','), limit: String(limits.ledgerAnswers) }),
        ...(flags.shadow === true ? [['shadow', '1'] as [string, string]] : []),
        ...flags.where.map((condition): [string, string] => ['where', condition]),
      ]),
    })) as SavingsReport;
  }
  const { from, to } = parsePeriod(flags, Date.now());
  return withReader(flags.ledger, (ledger) =>
    ledger.savings({ from, to, by, where: flags.where, limit: limits.ledgerAnswers, shadow: flags.shadow === true }),
  );
}

/** The time flags as parameters for the admin server. */
function spanOf({ window, month, from, to }: SavingsFlags): Record<string, string> {
  const said = Object.entries({ window, month, from, to }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return said.length === 0 ? { window: '30d' } : Object.fromEntries(said);
}

function periodName({ window, month, from, to }: SavingsFlags): string {
  return month ?? (from === undefined ? (window ?? '30d') : `${from} to ${to ?? 'now'}`);
}

/** The report as text. A sum of unknowns only is `?`, not zero. */
export function savingsText(report: SavingsReport, window: string): string {
  const { total } = report;
  const minute = (time: string): string => time.slice(0, 16).replace('T', ' ');
  const title = `AI cost saved by routing (${window}: ${minute(report.from)} to ${minute(report.to)} UTC)`;
  if (total.exchanges === 0)
    return `${title}\n  no exchanges in this window${report.basis === 'rows' ? ' among the records that are kept' : ''}\n`;
  const text = [
    title,
    `  saved     ${savedText(total)}${shareOf(total)}`,
    `  cost      ${costOf(total)}`,
    `  baseline  ${baselineOf(total)}`,
    ...(total.apart === 0 ? [] : [`  apart     ${dollars(total.apart)} spent on exchanges without a baseline: in none of the others`]),
    ...(total.shadow === undefined
      ? []
      : [`  shadow    ${dollars(total.shadow)} that sections in shadow mode would have saved: in none of the others`]),
    ...(report.basis === 'rows' ? ['  from      records: those that are too old for the ledger, or were erased, are not in it'] : []),
    `  unknown   ${percent(total.costUnknown / total.exchanges)} of ${counted(total.exchanges, 'exchange')}: their price or usage is not known, and they are in no sum`,
    ...(total.savingsUnknown === total.costUnknown
      ? []
      : [
          `  no base   ${counted(total.savingsUnknown - total.costUnknown, 'exchange')} of known cost: refused, or the requested model has no price`,
        ]),
  ].join('\n');
  if (report.by.length === 0) return `${text}\n`;
  const head = [
    ...report.by,
    'exchanges',
    'cost',
    'baseline',
    'saved',
    '',
    'apart',
    ...(total.shadow === undefined ? [] : ['shadow']),
    'unknown',
  ];
  const first = report.by.length;
  const rows = allLines(report).map((line) => [
    ...line.group,
    String(line.exchanges),
    costOf(line),
    baselineOf(line),
    savedText(line),
    shareOf(line).trim(),
    line.apart === 0 ? '–' : dollars(line.apart),
    ...(line.shadow === undefined ? [] : [line.shadow === 0 ? '–' : dollars(line.shadow)]),
    percent(line.exchanges === 0 ? null : line.costUnknown / line.exchanges),
  ]);
  return `${text}\n\n${alignColumns(head, rows, new Set([...head.keys()].filter((column) => column >= first)))}\n`;
}

function costOf({ cost, costUnknown, exchanges }: SavingsLine): string {
  return costUnknown === exchanges ? '?' : dollars(cost);
}

/** Known baselines are not counted separately: if no savings are known, the baseline is known only if it is not 0. */
function baselineOf({ baseline, savingsUnknown, exchanges }: SavingsLine): string {
  return savingsUnknown === exchanges && baseline === 0 ? '?' : dollars(baseline);
}

function savedText({ savings, savingsUnknown, exchanges }: SavingsLine): string {
  return savingsUnknown === exchanges ? '?' : dollars(savings);
}

/** Savings as a share of the baseline, if there is one. */
function shareOf({ savings, baseline, savingsUnknown, exchanges }: SavingsLine): string {
  return baseline > 0 && savingsUnknown < exchanges ? ` (${percent(savings / baseline)})` : '';
}
