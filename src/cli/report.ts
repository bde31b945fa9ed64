import { Option, type Command } from 'commander';
import { parsePeriod } from '../ledger/query.ts';
import { csvText } from '../lib/csv.ts';
import { limits } from '../lib/limits.ts';
import { showback, showbackHtml, sureness, type Showback } from '../showback/report.ts';
import { alignColumns, dollars } from '../record/columns.ts';
import { shared } from './flags/shared.ts';
import { withReader } from './open-ledger.ts';

interface ReportFlags {
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
  readonly window?: string;
  readonly ledger?: string;
  readonly html?: boolean;
  readonly csv?: boolean;
  readonly json?: boolean;
}

/** `sluice report`: cost of each team's models in a period, and how certain it is; text, CSV, JSON, or a page. */
export function registerReport(program: Command): void {
  program
    .command('report')
    .description('what each workspace spent and saved in a period, and how sure that is')
    .option(...shared.month)
    .option(...shared.from)
    .option(...shared.to)
    .option('--window <time>', 'how far back: 24h, 30d (default: 30d)')
    .option(...shared.ledger)
    .addOption(new Option('--html', 'print one page of HTML').conflicts(['csv', 'json']))
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .option(...shared.json)
    .action(async (flags: ReportFlags) => {
      const now = Date.now();
      const { from, to } = parsePeriod(flags, now);
      const report = await withReader(flags.ledger, async (ledger) =>
        showback(
          await ledger.savings({ from, to, by: ['workspace'], limit: limits.ledgerAnswers }),
          await ledger.savings({ from, to, by: ['workspace', 'model'], limit: limits.ledgerAnswers }),
          now,
        ),
      );
      process.stdout.write(
        flags.html === true
          ? showbackHtml(report, dollars)
          : flags.csv === true
            ? csv(report)
            : flags.json === true
              ? `${JSON.stringify(report, null, 2)}\n`
              : text(report),
      );
    });
}

function csv({ teams }: Showback): string {
  return csvText(
    ['team', 'exchanges', 'spent_usd', 'baseline_usd', 'saved_usd', 'cost_known', 'savings_known'],
    teams.map((line) => [line.team, line.exchanges, line.spent, line.baseline, line.saved, line.costKnown, line.savingsKnown]),
  );
}

const money = (usd: number | null): string => (usd === null ? '?' : dollars(usd));

function text({ from, to, open, teams, total }: Showback): string {
  const rows = [...teams, total].map((line) => [
    line.team,
    String(line.exchanges),
    money(line.spent),
    money(line.baseline),
    money(line.saved),
    sureness(line.costKnown),
    sureness(line.savingsKnown),
  ]);
  return `AI cost by team, ${from.slice(0, 16).replace('T', ' ')} to ${to.slice(0, 16).replace('T', ' ')} UTC${open ? ', which is not over' : ''}\n${alignColumns(['team', 'exchanges', 'spent', 'baseline', 'saved', 'spent is', 'saved is'], rows, new Set([1, 2, 3, 4]))}\n`;
}
