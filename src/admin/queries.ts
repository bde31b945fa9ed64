import type { Grade } from '../grades/types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { parsePeriod, parseWhere } from '../ledger/query.ts';
import { limits } from '../lib/limits.ts';
import type { RecentRecords } from '../record/recent.ts';
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
  const where = query.getAll('where');
  const span = { window: query.get('window'), month: query.get('month'), from: query.get('from'), to: query.get('to') };
  const spanned = Object.values(span).some((value) => value !== null);
  const id = query.get('id');
  if (id !== null && (id === '' || id.length > limits.joinIdUnits))
    return failure(400, 'bad-id', `id must have 1 to ${limits.joinIdUnits} characters.`);
  if (id !== null && ledger === null) {
    const own = recent.get(id);
    return json(200, { decisions: (own === null ? recent.joined(id) : [own]).slice(0, limit) });
  }
  if (where.length === 0 && !spanned && id === null) {
    return json(200, {
      decisions: recent.list({ limit, workspace: query.get('workspace') ?? undefined, model: query.get('model') ?? undefined }),
    });
  }
  if (ledger === null) return noLedger();
  for (const condition of where) parseWhere(condition);
  const { from, to } = spanned ? parsePeriod(span, Date.now()) : { from: null, to: null };
  return json(200, { decisions: await ledger.decisions({ where, id, from, to, limit }) });
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
  const unknown = [...query.keys()].find((name) => !['window', 'month', 'from', 'to', 'by', 'where', 'limit', 'shadow'].includes(name));
  if (unknown !== undefined)
    return failure(
      400,
      'bad-parameter',
      `There is no parameter ${unknown.slice(0, 64)}: window, month, from, to, by, where, limit and shadow are known.`,
    );
  if (query.size > 0) {
    if (ledger === null) return noLedger();
    const limit = limitOf(query, limits.ledgerAnswers);
    if (limit === null) return badLimit(limits.ledgerAnswers);
    const { from, to } = parsePeriod(
      { window: query.get('window'), month: query.get('month'), from: query.get('from'), to: query.get('to') },
      Date.now(),
    );
    const by = (query.get('by') ?? '').split(',').filter((key) => key !== '');
    return json(200, await ledger.savings({ from, to, by, where: query.getAll('where'), limit, shadow: query.get('shadow') === '1' }));
  }
  const totals = recent.totals();
  const share = ({ known, unknown }: { readonly known: number; readonly unknown: number }): number | null =>
    known + unknown === 0 ? null : unknown / (known + unknown);
  return json(200, {
    ...totals,
    currency: 'USD',
    unknownShare: { cost: share(totals.cost), baseline: share(totals.baseline), savings: share(totals.savings) },
  });
}
