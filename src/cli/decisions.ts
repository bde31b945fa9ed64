import type { Command } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import { parseWindow } from '../ledger/query.ts';
import { limits } from '../lib/limits.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { askAdmin } from './ask-admin.ts';
import { alignColumns, costText } from './columns.ts';
import { withReader } from './open-ledger.ts';

interface DecisionsFlags {
  readonly where: readonly string[];
  readonly id?: string;
  readonly window?: string;
  readonly limit: string;
  readonly ledger?: string;
  readonly admin?: string;
  readonly json?: boolean;
}

/** `sluice decisions`: records of the ledger, newest first; a table, or one JSON line each. */
export function registerDecisions(program: Command): void {
  program
    .command('decisions')
    .description('list decisions of the ledger, newest first')
    .option('--where <condition>', 'e.g. tier=simple, cost>0.01, workspace~team-, cost=unknown; may be given more than once', (value: string, all: readonly string[]) => [...all, value], [])
    .option('--id <id>', "only those with this id: Sluice's or its beginning, the provider's of its answer, the app's of its request, or the trace's")
    .option('--window <time>', 'how far back: 90m, 24h, 30d (default: all)')
    .option('--limit <n>', 'at most this many', '50')
    .option('--ledger <file>', 'the ledger (default: $SLUICE_LEDGER, or where serve keeps it)')
    .option('--admin <url>', 'ask a running server instead')
    .option('--json', 'print records as JSON lines')
    .action(async (flags: DecisionsFlags) => {
      const limit = Number(flags.limit);
      if (!Number.isInteger(limit) || limit < 1 || limit > limits.ledgerAnswers) throw new SluiceError('SLUICE_CLI_USAGE', `a whole number from 1 to ${limits.ledgerAnswers} is asked for.`, { where: '--limit' });
      const records = await find(flags, limit);
      process.stdout.write(flags.json === true ? records.map((record) => `${JSON.stringify(record)}\n`).join('') : `${decisionsTable(records)}\n`);
    });
}

async function find(flags: DecisionsFlags, limit: number): Promise<readonly ExchangeRecord[]> {
  if (flags.admin !== undefined) {
    const query = new URLSearchParams([...flags.where.map((condition): [string, string] => ['where', condition]), ['window', flags.window ?? '9999d'], ['limit', String(limit)], ...(flags.id === undefined ? [] : [['id', flags.id] satisfies [string, string]])]);
    return ((await askAdmin(flags.admin, '/decisions', { query })) as { readonly decisions: readonly ExchangeRecord[] }).decisions;
  }
  const from = flags.window === undefined ? null : Date.now() - parseWindow(flags.window);
  return withReader(flags.ledger, (ledger) => ledger.decisions({ where: flags.where, id: flags.id ?? null, from, limit }));
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
  return alignColumns(['time (UTC)', 'id', 'workspace', 'asked for', 'served by', 'tier', 'reason', 'outcome', 'cost', 'saved'], rows, new Set([8, 9]));
}
