import type { Command } from 'commander';
import type { LimitView } from '../budgets/rate-view.ts';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { askAdmin } from './ask-admin.ts';
import { alignColumns, percent } from '../record/columns.ts';
import { shared } from './flags/shared.ts';

interface LimitsFlags {
  readonly admin: string;
  readonly rows: string;
  readonly json?: boolean;
}

interface LimitsAnswer {
  readonly store: string;
  readonly up: boolean;
  readonly counters: number;
  readonly limits: readonly LimitView[];
}

/** `sluice limits [NAME]`: the remaining rate limits of a running server, as a table or JSON. */
export function registerLimits(program: Command): void {
  program
    .command('limits')
    .description('what is used of the rate limits in their present windows, the fullest first')
    .argument('[name]', 'one rate limit only')
    .option(...shared.admin)
    .option('--rows <n>', 'at most this many counters', '50')
    .option(...shared.json)
    .action(async (name: string | undefined, flags: LimitsFlags) => {
      const rows = Number(flags.rows);
      if (!Number.isInteger(rows) || rows < 1 || rows > limits.budgetAnswers)
        throw new SluiceError('SLUICE_CLI_USAGE', `a whole number from 1 to ${limits.budgetAnswers} is asked for.`, { where: '--rows' });
      const query = new URLSearchParams({ limit: flags.rows, ...(name === undefined ? {} : { name }) });
      const answer = (await askAdmin(flags.admin, '/limits', { query })) as LimitsAnswer;
      process.stdout.write(flags.json === true ? `${JSON.stringify(answer, null, 2)}\n` : `${table(answer)}\n`);
    });
}

function table({ store, up, counters, limits: found }: LimitsAnswer): string {
  if (found.length === 0) return 'The policy in force has no rate limits.';
  const rows = found.map(({ limit, of, kind, period, used, max, ratio, mode, state, resetsAt }) => [
    limit,
    Object.entries(of)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ') || '–',
    period === null ? 'requests at once' : `${kind} a ${period}`,
    String(used),
    String(max),
    percent(ratio),
    mode,
    state,
    resetsAt?.slice(11, 19) ?? '–',
  ]);
  const more = counters > found.length ? `\nand ${counters - found.length} more; --rows shows them` : '';
  const where =
    store !== 'redis'
      ? 'Counted in this process.'
      : up
        ? 'Counted in Redis, for all replicas.'
        : 'Redis does not answer: this is what this replica saw last, and nothing is refused until Redis is back.';
  return `${alignColumns(['limit', 'for', 'of', 'used', 'limit', 'used', 'mode', 'state', 'ends (UTC)'], rows, new Set([3, 4, 5]))}${more}\n${where}`;
}
