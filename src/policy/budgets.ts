import { Calendar } from './period.ts';
import { nanoUsd, type Budget, type Webhook } from './budget-types.ts';
import type { Catalog } from '../catalog/types.ts';
import type { LoadedFile } from './load.ts';
import { didYouMean } from './nearest.ts';
import { compileShape } from './options/shape.ts';
import { checkServed, servedOf } from './served-match.ts';
import type { BudgetDocument, WebhookDocument } from './options/budgets.ts';
import type { PolicySource } from './source-map.ts';
import type { PolicySnapshot, Problem } from './types.ts';

const defaultSoft: readonly number[] = [80, 100];
const defaultCheaperAt = 90;
/** US dollars counted for a request of unknown price. */
const defaultUnknown = 0.05;

/** Compiles the budgets of all files and their webhooks. */
export function compileBudgets(
  loaded: readonly LoadedFile[],
  catalog: Catalog,
  problems: Problem[],
): Pick<PolicySnapshot, 'budgets' | 'webhooks'> {
  const webhooks = new Map<string, Webhook>();
  for (const { source, document } of loaded) {
    for (const [name, webhook] of Object.entries(document.webhooks ?? {})) {
      if (webhooks.has(name))
        problems.push(
          source.problem('error', 'twice', ['webhooks', name], `there is a webhook ${name} in another file too`, 'Keep one of them.'),
        );
      webhooks.set(name, webhookOf(name, webhook));
    }
  }
  const budgets: Budget[] = [];
  for (const { source, document } of loaded) {
    for (const [index, budget] of (document.budgets ?? []).entries()) {
      const at = ['budgets', index];
      if (budgets.some(({ name }) => name === budget.name))
        problems.push(
          source.problem(
            'error',
            'twice',
            [...at, 'name'],
            `there is another budget called ${budget.name}`,
            'Give each budget its own name: what is spent is kept under it.',
          ),
        );
      check(budget, source, at, webhooks, catalog, problems);
      const calendar = calendarOf(budget, source, at, problems);
      if (calendar !== null) budgets.push(budgetOf(budget, calendar));
    }
  }
  return { budgets, webhooks };
}

function webhookOf(name: string, { url, urlFile, format }: WebhookDocument): Webhook {
  return { name, url: url ?? null, file: urlFile ?? null, format: format ?? 'json' };
}

function budgetOf(document: BudgetDocument, calendar: Calendar): Budget {
  const { name, match, per, period, usd, soft, hard, unknown } = document;
  const limit = nanoUsd(usd);
  return {
    name,
    ...servedOf(match),
    per: per ?? [],
    period,
    calendar,
    limit,
    soft: [...new Set(soft?.at ?? defaultSoft)].sort((a, b) => a - b),
    notify: soft?.notify ?? [],
    hard:
      hard === undefined
        ? null
        : {
            cheaper: hard.cheaper ?? null,
            shape: compileShape(hard.shape),
            cheaperAt: Math.floor((limit * (hard.cheaperAt ?? defaultCheaperAt)) / 100),
            message: hard.message ?? null,
          },
    unknown: unknown === 'refuse' ? null : nanoUsd(unknown ?? defaultUnknown),
  };
}

function check(
  budget: BudgetDocument,
  source: PolicySource,
  at: readonly PropertyKey[],
  webhooks: ReadonlyMap<string, Webhook>,
  catalog: Catalog,
  problems: Problem[],
): void {
  for (const [index, name] of (budget.soft?.notify ?? []).entries()) {
    if (!webhooks.has(name))
      problems.push(
        source.problem(
          'error',
          'unknown-webhook',
          [...at, 'soft', 'notify', index],
          `there is no webhook ${name}`,
          didYouMean(name, webhooks.keys(), 'Write it down under webhooks.'),
        ),
      );
  }
  if (budget.unknown === 'refuse' && budget.hard === undefined)
    problems.push(
      source.problem('error', 'no-effect', [...at, 'unknown'], 'a budget without hard refuses nothing', 'Add hard, or give dollars.'),
    );
  if (budget.hard?.cheaperAt !== undefined && budget.hard.cheaper === undefined && budget.hard.shape === undefined)
    problems.push(
      source.problem(
        'warning',
        'no-effect',
        [...at, 'hard', 'cheaperAt'],
        'cheaperAt does nothing without cheaper or shape',
        'Remove it, or name the cheaper tier.',
      ),
    );
  checkServed(budget.match, source, at, catalog, problems);
}

function calendarOf(
  { period, zone }: BudgetDocument,
  source: PolicySource,
  at: readonly PropertyKey[],
  problems: Problem[],
): Calendar | null {
  try {
    return new Calendar(period, zone ?? 'UTC');
  } catch {
    problems.push(
      source.problem(
        'error',
        'time-zone',
        [...at, 'zone'],
        `there is no time zone ${zone ?? ''}`,
        didYouMean(zone ?? '', Intl.supportedValuesOf('timeZone'), 'Use an IANA name such as Europe/Berlin.'),
      ),
    );
    return null;
  }
}
