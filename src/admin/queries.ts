import type { Grade } from '../grades/types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { parsePeriod, parseWhere } from '../ledger/query.ts';
import { decisionsCsv } from '../ledger/export-fields.ts';
import { savingsCsv } from '../ledger/savings-csv.ts';
import { limits } from '../lib/limits.ts';
import type { RecentRecords, SavingsTotals } from '../record/recent.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { explainRecord } from '../route/explain.ts';
import { failure, json, type AdminAnswer } from './answer.ts';

/** Sources of records. */
export interface Records {
  readonly recent: RecentRecords;
  /** Null if no ledger is kept. */
  readonly ledger: Pick<Ledger, 'decisions' | 'find' | 'savings'> | null;
  /** The known grades of a decision's answer. */
  readonly grades: (id: string) => Promise<readonly Grade[]>;
}

/** Default limit of listed decisions. */
const defaultLimit = 50;

/** GET /decisions: the newest of this process; with conditions or a window, from the ledger. */
export async function decisions({ recent, ledger }: Records, query: URLSearchParams): Promise<AdminAnswer> {
  const limit = limitOf(query, limits.recentDecisions);
  if (limit === null) return badLimit(limits.recentDecisions);
  const format = query.get('format') ?? 'json';
  if (format !== 'json' && format !== 'csv') return failure(400, 'bad-format', 'format must be json or csv.');
  const conditions = query.getAll('where');
  const [workspace, model] = [query.get('workspace') ?? undefined, query.get('model') ?? undefined];
  const span = { window: query.get('window'), month: query.get('month'), from: query.get('from'), to: query.get('to') };
  const spanned = Object.values(span).some((value) => value !== null);
  const id = query.get('id');
  if (id !== null && (id === '' || id.length > limits.joinIdUnits))
    return failure(400, 'bad-id', `id must have 1 to ${limits.joinIdUnits} characters.`);
  if (id !== null && ledger === null) {
    const own = recent.get(id);
    return listed((own === null ? recent.joined(id) : [own]).slice(0, limit), format);
  }
  if (conditions.length === 0 && !spanned && id === null) return listed(recent.list({ limit, workspace, model }), format);
  if (ledger === null) return noLedger();
  if (model !== undefined)
    return failure(
      400,
      'bad-parameter',
      'In the ledger, a model is a condition: where=model=NAME served it, where=requested_model=NAME was asked for.',
    );
  const where = [...conditions, ...(workspace === undefined ? [] : [`workspace=${workspace}`])];
  for (const condition of where) parseWhere(condition);
  const { from, to } = spanned ? parsePeriod(span, Date.now()) : { from: null, to: null };
  return listed(await ledger.decisions({ where, id, from, to, limit }), format);
}

/** Records as JSON, or as the columns of `sluice decisions --csv`. */
export function listed(decisions: readonly ExchangeRecord[], format: 'json' | 'csv'): AdminAnswer {
  return format === 'json' ? json(200, { decisions }) : { status: 200, type: 'text/csv; charset=utf-8', body: decisionsCsv(decisions) };
}

function theOnly(found: readonly ExchangeRecord[]): ExchangeRecord | null {
  return found.length === 1 ? found[0]! : null;
}

/** The requested limit; null if it is not from 1 to `most`. */
export function limitOf(query: URLSearchParams, most: number): number | null {
  const asked = query.get('limit') ?? String(defaultLimit);
  const limit = Number(asked);
  return !/^\d{1,6}$/.test(asked) || limit < 1 || limit > most ? null : limit;
}

export function badLimit(most: number): AdminAnswer {
  return failure(400, 'bad-limit', `limit must be a whole number from 1 to ${most}.`);
}

/** What each path that reads takes; a parameter that it does not know would be ignored, and the answer be one to another question. */
const parameters: Readonly<Record<string, readonly string[]>> = {
  '/decisions': ['where', 'window', 'month', 'from', 'to', 'id', 'limit', 'workspace', 'model', 'format'],
  '/savings': ['window', 'month', 'from', 'to', 'by', 'where', 'limit', 'shadow', 'format'],
  '/budgets': ['limit', 'budget'],
  '/limits': ['limit', 'name'],
  '/recent': [],
  '/policy': [],
  '/policy/generations': [],
  '/rollout': [],
  '/experiments': [],
  '/cache': [],
  '/log': [],
  '/learning': [],
  '/learning/state': [],
};

/** A refusal if a reading path does not know one of the parameters; null otherwise. */
export function unknownParameter(path: string, query: URLSearchParams): AdminAnswer | null {
  const known = path.startsWith('/decisions/') ? ['format'] : parameters[path];
  const unknown = known === undefined ? undefined : [...query.keys()].find((name) => !known.includes(name));
  return known === undefined || unknown === undefined
    ? null
    : failure(
        400,
        'bad-parameter',
        `There is no parameter ${unknown.slice(0, 64)}: ${known.length === 0 ? 'none' : new Intl.ListFormat('en').format(known)} ${known.length < 2 ? 'is' : 'are'} known.`,
      );
}

function noLedger(): AdminAnswer {
  return failure(404, 'no-ledger', 'This server keeps no ledger: start it with --ledger FILE.');
}

/** GET /decisions/{id}. */
export async function decision({ recent, ledger, grades }: Records, id: string, format: string | null): Promise<AdminAnswer> {
  const record = recent.get(id) ?? (await ledger?.find(id)) ?? theOnly(recent.joined(id));
  if (record === null)
    return failure(
      404,
      'no-decision',
      `This id is not among the last ${limits.recentDecisions} decisions of this process, and in no ledger of it. Look it up in the log: sluice explain ID --log FILE`,
    );
  const known = await grades(record.id);
  if (format === null || format === 'json') return json(200, known.length === 0 ? record : { ...record, grades: known });
  if (format === 'text') return { status: 200, type: 'text/plain; charset=utf-8', body: explainRecord(record, known) };
  return failure(400, 'bad-format', 'format must be json or text.');
}

/**
 * GET /savings. Without parameters: since the process started, from memory. With any: from the ledger, for a window, a month or a range.
 */
export async function savings({ recent, ledger }: Records, query: URLSearchParams): Promise<AdminAnswer> {
  if (query.size > 0) {
    if (ledger === null) return noLedger();
    const limit = limitOf(query, limits.ledgerAnswers);
    if (limit === null) return badLimit(limits.ledgerAnswers);
    const { from, to } = parsePeriod(
      { window: query.get('window'), month: query.get('month'), from: query.get('from'), to: query.get('to') },
      Date.now(),
    );
    const by = (query.get('by') ?? '').split(',').filter((key) => key !== '');
    const shadow = query.get('shadow') ?? '0';
    if (shadow !== '0' && shadow !== '1') return failure(400, 'bad-parameter', 'shadow must be 0 or 1.');
    const format = query.get('format') ?? 'json';
    if (format !== 'json' && format !== 'csv') return failure(400, 'bad-format', 'format must be json or csv.');
    const report = await ledger.savings({ from, to, by, where: query.getAll('where'), limit, shadow: shadow === '1' });
    return format === 'json' ? json(200, report) : { status: 200, type: 'text/csv; charset=utf-8', body: savingsCsv(report) };
  }
  return json(200, liveSavings(recent.totals()));
}

/** Totals since the start, with the shares that are unknown. */
export function liveSavings(totals: SavingsTotals): object {
  const share = ({ known, unknown }: { readonly known: number; readonly unknown: number }): number | null =>
    known + unknown === 0 ? null : unknown / (known + unknown);
  return {
    ...totals,
    currency: 'USD',
    unknownShare: { cost: share(totals.cost), baseline: share(totals.baseline), savings: share(totals.savings) },
  };
}
