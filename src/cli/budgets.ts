import type { Command } from 'commander';
import type { BudgetView } from '../budgets/view.ts';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { askAdmin } from './ask-admin.ts';
import { alignColumns, dollars, percent } from '../record/columns.ts';
import { shared } from './flags/shared.ts';

interface BudgetsFlags {
  readonly admin: string;
  readonly limit: string;
  readonly json?: boolean;
}

interface BudgetsAnswer {
  readonly store: string;
  readonly up: boolean;
  readonly counters: number;
  readonly budgets: readonly BudgetView[];
}

/** `sluice budgets [NAME]`: the remaining budgets of a running server, as a table or JSON. */
export function registerBudgets(program: Command): void {
  program
    .command('budgets')
    .description('what is spent of the budgets in their present periods, the fullest first')
    .argument('[name]', 'one budget only')
    .option(...shared.admin)
    .option('--limit <n>', 'at most this many counters', '50')
    .option(...shared.json)
    .action(async (name: string | undefined, flags: BudgetsFlags) => {
      const limit = Number(flags.limit);
      if (!Number.isInteger(limit) || limit < 1 || limit > limits.budgetAnswers)
        throw new SluiceError('SLUICE_CLI_USAGE', `a whole number from 1 to ${limits.budgetAnswers} is asked for.`, { where: '--limit' });
      const query = new URLSearchParams({ limit: flags.limit, ...(name === undefined ? {} : { budget: name }) });
      const answer = (await askAdmin(flags.admin, '/budgets', { query })) as BudgetsAnswer;
      process.stdout.write(flags.json === true ? `${JSON.stringify(answer, null, 2)}\n` : `${table(answer)}\n`);
    });
}

function table({ store, up, counters, budgets }: BudgetsAnswer): string {
  if (budgets.length === 0) return 'The policy in force has no budgets.';
  const rows = budgets.map(({ budget, of, period, end, limitUsd, spentUsd, reservedUsd, used, state }) => [
    budget,
    Object.entries(of)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ') || '–',
    period,
    dollars(spentUsd),
    dollars(reservedUsd),
    dollars(limitUsd),
    percent(used),
    state,
    end.replace('T', ' ').slice(0, 16),
  ]);
  const more = counters > budgets.length ? `\nand ${counters - budgets.length} more; --limit shows them` : '';
  const where =
    store !== 'redis'
      ? 'Counted in this process.'
      : up
        ? 'Counted in Redis, for all replicas.'
        : 'Redis does not answer: this is what this replica saw last, what it has spent since is not in it, and nothing is refused until Redis is back.';
  return `${alignColumns(['budget', 'for', 'period', 'spent', 'on its way', 'limit', 'used', 'state', 'ends (UTC)'], rows, new Set([3, 4, 5, 6]))}${more}\n${where}`;
}
