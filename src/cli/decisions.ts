import { Option, type Command } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import { decisionsCsv } from '../ledger/export-fields.ts';
import { parsePeriod } from '../ledger/query.ts';
import { limits } from '../lib/limits.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { askAdmin } from './ask-admin.ts';
import { alignColumns, costText } from '../record/columns.ts';
import { shared, whereOption } from './flags/shared.ts';
import { withReader } from './open-ledger.ts';

interface DecisionsFlags {
  readonly where: readonly string[];
  readonly id?: string;
  readonly window?: string;
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: boolean;
  readonly limit: string;
  readonly ledger?: string;
  readonly admin?: string;
  readonly json?: boolean;
}

/** `sluice decisions`: records of the ledger, newest first, as a table or as JSON lines. */
export function registerDecisions(program: Command): void {
  program
    .command('decisions')
    .description('list decisions of the ledger, newest first')
    .addOption(whereOption('e.g. tier=simple, cost>0.01, workspace~team-, cost=unknown'))
    .option(
      '--id <id>',
      "only those with this id: Sluice's or its beginning, the provider's of its answer, the app's of its request, or the trace's",
    )
    .option(...shared.window)
    .option(...shared.month)
    .option(...shared.from)
    .option(...shared.to)
    .option('--limit <n>', 'at most this many', '50')
    .option(...shared.ledger)
    .option(...shared.adminInstead)
    .addOption(new Option('--json', 'print records as JSON lines').conflicts('csv'))
    .option('--csv', 'print the fields of `ledger export --format csv`')
    .action(async (flags: DecisionsFlags) => {
      const limit = Number(flags.limit);
      if (!Number.isInteger(limit) || limit < 1 || limit > limits.ledgerAnswers)
        throw new SluiceError('SLUICE_CLI_USAGE', `a whole number from 1 to ${limits.ledgerAnswers} is asked for.`, { where: '--limit' });
      const records = await find(flags, limit);
      process.stdout.write(
        flags.csv === true
          ? decisionsCsv(records)
          : flags.json === true
            ? records.map((record) => `${JSON.stringify(record)}\n`).join('')
            : records.length === 0
              ? 'no decisions were found\n'
              : `${decisionsTable(records)}\n`,
      );
    });
}

async function find(flags: DecisionsFlags, limit: number): Promise<readonly ExchangeRecord[]> {
  if (flags.admin !== undefined) {
    const query = new URLSearchParams([
      ...flags.where.map((condition): [string, string] => ['where', condition]),
      ...spanOf(flags),
      ['limit', String(limit)],
      ...(flags.id === undefined ? [] : [['id', flags.id] satisfies [string, string]]),
    ]);
    return ((await askAdmin(flags.admin, '/decisions', { query })) as { readonly decisions: readonly ExchangeRecord[] }).decisions;
  }
  const { from, to } = spanOf(flags).some(([, value]) => value === everything) ? { from: null, to: null } : parsePeriod(flags, Date.now());
  return withReader(flags.ledger, (ledger) => ledger.decisions({ where: flags.where, id: flags.id ?? null, from, to, limit }));
}

/** A window that includes everything. */
const everything = '9999d';

/** The time flags as parameters for the admin server; everything if there are none. */
function spanOf({ window, month, from, to }: DecisionsFlags): [string, string][] {
  const said = Object.entries({ window, month, from, to }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return said.length === 0 ? [['window', everything]] : said;
}

function decisionsTable(records: readonly ExchangeRecord[]): string {
  const rows = records.map((record) => [
    record.time.replace('T', ' ').slice(0, 19),
    record.id,
    record.workspace,
    record.requestedModel ?? (record.call === undefined ? '–' : `${record.call.method} ${record.call.about ?? record.call.path}`),
    record.servedModel ?? '–',
    record.decision?.tier ?? '–',
    record.decision?.reason ?? record.passReason ?? '–',
    record.outcome,
    costText(record.cost),
    costText(record.savings),
  ]);
  return alignColumns(
    ['time (UTC)', 'id', 'workspace', 'asked for', 'served by', 'tier', 'reason', 'outcome', 'cost', 'saved'],
    rows,
    new Set([8, 9]),
  );
}
