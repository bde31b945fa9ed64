import { SluiceError } from '../lib/errors.ts';
import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { rollupKeys, type Db } from './sqlite/database.ts';
import { fieldSql, parseWhere, rowKeys, sqliteDialect, type SqlDialect, type Where } from './fields.ts';
import { joinColumns, type GradeEntry } from './types.ts';

export { parseWhere, whereFields, type SqlDialect, type Where } from './fields.ts';

/** The queried time span; ms since the epoch, half-open. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/**
 * A window back from now, a calendar month (`2026-10`, UTC), or a range (`2026-10-01`, `2026-10-01T12:00Z`; a day given as `to` is
 * excluded). Default: 30 days. Throws SluiceError SLUICE_LEDGER_WINDOW.
 */
export function parsePeriod(
  {
    window,
    month,
    from,
    to,
  }: { readonly window?: string | null; readonly month?: string | null; readonly from?: string | null; readonly to?: string | null },
  now: number,
): Period {
  const said = (text: string | null | undefined): text is string => text !== undefined && text !== null;
  if ([said(window), said(month), said(from) || said(to)].filter(Boolean).length > 1)
    throw new SluiceError('SLUICE_LEDGER_WINDOW', 'a window, a month and a range exclude each other.', {
      where: '--window, --month, --from',
    });
  if (said(month)) {
    const found = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(month);
    if (found === null)
      throw new SluiceError('SLUICE_LEDGER_WINDOW', `"${month}" is no month.`, { where: '--month', fix: 'Write 2026-10.' });
    return { from: Date.UTC(Number(found[1]), Number(found[2]) - 1), to: Date.UTC(Number(found[1]), Number(found[2])) };
  }
  if (!said(from) && !said(to)) return { from: now - parseWindow(window ?? '30d'), to: now };
  if (!said(from))
    throw new SluiceError('SLUICE_LEDGER_WINDOW', 'a range begins somewhere.', { where: '--from', fix: 'Give --from as well.' });
  const period = { from: momentOf(from, '--from'), to: said(to) ? momentOf(to, '--to') : now };
  if (period.to <= period.from)
    throw new SluiceError('SLUICE_LEDGER_WINDOW', 'the range ends before it begins.', { where: '--from, --to', fix: 'Swap them.' });
  return period;
}

/** A day or a time in ISO 8601; UTC if it has no zone. */
function momentOf(text: string, where: string): number {
  const found = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const at = found === null ? NaN : Date.parse(found[1] === undefined || found[4] !== undefined ? text : `${text}Z`);
  if (Number.isNaN(at))
    throw new SluiceError('SLUICE_LEDGER_WINDOW', `"${text}" is no time.`, { where, fix: 'Write 2026-10-01, or 2026-10-01T12:00Z.' });
  return at;
}

/** `90m`, `24h`, `30d` in ms. Throws SluiceError SLUICE_LEDGER_WINDOW. */
export function parseWindow(text: string): number {
  const match = /^(\d{1,5})([mhd])$/.exec(text);
  const ms = match === null ? 0 : Number(match[1]) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'm' | 'h' | 'd'];
  if (ms === 0) throw new SluiceError('SLUICE_LEDGER_WINDOW', `"${text}" is no window.`, { where: '--window' });
  return ms;
}

export interface DecisionsQuery {
  readonly where: readonly string[];
  /** Only exchanges with this id: Sluice's own or a prefix of it, the provider's, the app's, or the trace's. */
  readonly id?: string | null;
  /** Ms since the epoch, half-open; null if unbounded. */
  readonly from: number | null;
  readonly to?: number | null;
  readonly limit: number;
}

/** The SQL query for records, newest first. Throws SluiceError for an invalid condition. */
export function decisionsSql(query: DecisionsQuery, dialect: SqlDialect = sqliteDialect): Where {
  const conditions = query.where.map((text) => parseWhere(text, dialect));
  const asked = query.id ?? null;
  const low = asked === null ? null : idPrefix(asked);
  const ids =
    asked === null
      ? null
      : {
          sql: `(${[...(low === null ? [] : ['(id >= ? AND id < ?)']), ...joinColumns.map((name) => `${name} = ?`)].join(' OR ')})`,
          values: [...(low === null ? [] : [low, `${low}g`]), ...joinColumns.map(() => asked)],
        };
  const sql = [
    `kind = 'exchange'`,
    ...(ids === null ? [] : [ids.sql]),
    'body IS NOT NULL',
    ...(query.from === null ? [] : ['at >= ?']),
    ...(query.to == null ? [] : ['at < ?']),
    ...conditions.map((condition) => condition.sql),
  ].join(' AND ');
  return {
    sql: `SELECT body FROM entries WHERE ${sql} ORDER BY at DESC LIMIT ?`,
    values: [
      ...(ids?.values ?? []),
      ...(query.from === null ? [] : [query.from]),
      ...(query.to == null ? [] : [query.to]),
      ...conditions.flatMap((condition) => condition.values),
      query.limit,
    ],
  };
}

/** Records, newest first. Throws SluiceError for an invalid condition. */
export function findDecisions(db: Db, query: DecisionsQuery): ExchangeRecord[] {
  const { sql, values } = decisionsSql(query);
  return db
    .prepare<(string | number)[], string>(sql)
    .pluck()
    .all(...values)
    .map((body) => JSON.parse(body) as ExchangeRecord);
}

/**
 * The record with an id, or the only one with this id prefix; otherwise the only one with this id of a provider, an app or a trace. Throws
 * SluiceError SLUICE_EXPLAIN_AMBIGUOUS.
 */
export function findRecord(db: Db, id: string): ExchangeRecord | null {
  const low = idPrefix(id);
  const own = low === null ? null : theOne(low, db.prepare<[string, string], { id: string; body: string }>(recordSql).all(low, `${low}g`));
  return own ?? theJoined(id, db.prepare<string[], { id: string; body: string }>(joinedSql).all(...joinColumns.map(() => id)));
}

/** One parameter per column: an id of another system. */
export const joinedSql = `SELECT id, body FROM entries WHERE kind = 'exchange' AND body IS NOT NULL AND (${joinColumns.map((name) => `${name} = ?`).join(' OR ')}) ORDER BY at DESC LIMIT 2`;

/** Throws SluiceError SLUICE_EXPLAIN_AMBIGUOUS: an app may send one id with several requests, and a trace may contain many. */
export function theJoined(id: string, found: readonly { readonly id: string; readonly body: string }[]): ExchangeRecord | null {
  if (found.length > 1)
    throw new SluiceError('SLUICE_EXPLAIN_AMBIGUOUS', `${id} is the id of several, ${found[0]!.id} and ${found[1]!.id} among them.`, {
      fix: 'List them with `sluice decisions --id ID`, and give one of theirs.',
    });
  return found[0] === undefined ? null : (JSON.parse(found[0].body) as ExchangeRecord);
}

/** Two parameters: the id prefix, and the first value after all ids with this prefix. */
export const recordSql = `SELECT id, body FROM entries WHERE id >= ? AND id < ? AND id IS NOT NULL AND kind = 'exchange' ORDER BY id LIMIT 2`;

/** One parameter: the full id. */
export const gradesSql = `SELECT body FROM entries WHERE id = ? AND kind = 'grade' AND body IS NOT NULL ORDER BY at`;

/** Null if the text cannot be an id prefix. */
export function idPrefix(id: string): string | null {
  const low = id.toLowerCase();
  return /^[0-9a-f-]{1,36}$/.test(low) ? low : null;
}

/** Throws SluiceError SLUICE_EXPLAIN_AMBIGUOUS. */
export function theOne(low: string, found: readonly { readonly id: string; readonly body: string }[]): ExchangeRecord | null {
  const exact = found.find((row) => row.id === low) ?? (found.length === 1 ? found[0] : undefined);
  if (exact === undefined && found.length > 1)
    throw new SluiceError('SLUICE_EXPLAIN_AMBIGUOUS', `${found[0]!.id} and ${found[1]!.id} both begin with ${low}.`);
  return exact === undefined ? null : (JSON.parse(exact.body) as ExchangeRecord);
}

/** The grades of one decision's answer, oldest first; `id` is the full id. */
export function findGrades(db: Db, id: string): Grade[] {
  return db
    .prepare<[string], string>(gradesSql)
    .pluck()
    .all(id)
    .map((body) => (JSON.parse(body) as GradeEntry).grade);
}

/** Sums are kept by the first keys; for the others savings are computed from rows, as far back as rows exist. */
export const savingsKeys = [...rollupKeys, ...rowKeys] as const;
type SavingsKey = (typeof savingsKeys)[number];

/** Sums of known US dollars, and how many exchanges are included in them and not. */
export interface SavingsLine {
  /** Values of the grouping keys, in their order. */
  readonly group: readonly string[];
  readonly exchanges: number;
  /** Exchanges that took more than one attempt. */
  readonly retried: number;
  /** For the exchanges whose savings are known: baseline - cost = savings. */
  readonly cost: number;
  /** Known cost of exchanges without a baseline; not included in the other sums. Total spending is cost + apart. */
  readonly apart: number;
  readonly costUnknown: number;
  readonly baseline: number;
  readonly savings: number;
  readonly savingsUnknown: number;
  readonly input: number;
  readonly output: number;
  readonly usageUnknown: number;
  /** What sections in shadow mode would have saved, if requested; not included in the other sums. Negative if it would have cost more. */
  readonly shadow?: number;
}

export interface SavingsReport {
  /** ISO 8601; starts on a full hour, and ends on one or now. */
  readonly from: string;
  readonly to: string;
  readonly by: readonly SavingsKey[];
  /** Conditions on the exchanges. */
  readonly where: readonly string[];
  /** `rows`: computed only from records still in the ledger, without those pruned or erased. */
  readonly basis: 'sums' | 'rows';
  readonly currency: 'USD';
  readonly total: SavingsLine;
  /** Share of exchanges whose savings are unknown, 0..1; null if there are no exchanges. */
  readonly unknownShare: number | null;
  /** Highest cost first. */
  readonly lines: readonly SavingsLine[];
  /** All groups beyond the limit of lines together, so that lines and rest add up to the total; null if there are none. */
  readonly rest: SavingsLine | null;
  /** By day, or by hour for windows of up to three days; not grouped by keys. */
  readonly trend: readonly (Omit<SavingsLine, 'group'> & { readonly at: string })[];
}

const hourMs = 3_600_000;
const dayMs = 86_400_000;

const sumsSql = `sum(n) AS exchanges, sum(retried) AS retried, sum(compared_cost) AS cost, sum(cost) - sum(compared_cost) AS apart, sum(cost_unknown) AS "costUnknown", sum(compared_cost) + sum(savings) AS baseline, sum(savings) AS savings,
  sum(savings_unknown) AS "savingsUnknown", sum(input) AS input, sum(output) AS output, sum(usage_unknown) AS "usageUnknown"`;

const empty: Omit<SavingsLine, 'group' | 'shadow'> = {
  exchanges: 0,
  retried: 0,
  cost: 0,
  apart: 0,
  costUnknown: 0,
  baseline: 0,
  savings: 0,
  savingsUnknown: 0,
  input: 0,
  output: 0,
  usageUnknown: 0,
};

export interface SavingsQuery {
  readonly from: number;
  readonly to: number;
  readonly by: readonly string[];
  readonly where?: readonly string[];
  readonly limit: number;
  /** Also compute what shadow mode would have saved; from rows, because the sums do not contain it. */
  readonly shadow?: boolean;
}

type Sums = { [K in keyof typeof empty]: number } & { shadow?: number };
export type SavingsGroup = Sums & Record<SavingsKey, string>;
export type SavingsBucket = Sums & { readonly bucket: number };

/** Whether the result can only be computed from rows, because the sums lack the requested fields. */
export function rowsOnly(by: readonly string[], where: readonly string[]): boolean {
  return where.length > 0 || by.some((key) => !(rollupKeys as readonly string[]).includes(key));
}

/** Exchanges as sums of one each, with the grouping keys; in the form of the roll-ups. */
function rowSource(by: readonly SavingsKey[], { from, to }: Period, where: readonly string[], dialect: SqlDialect, shadow: boolean): Where {
  const conditions = where.map((text) => parseWhere(text, dialect));
  const keys = by.map((key) => `coalesce(${fieldSql(key, dialect)}, 'none') AS "${key}", `).join('');
  const wouldSave = shadow ? `coalesce(CAST(${dialect.inside(['shadowSavings', 'usd'])} AS double precision), 0) AS shadow, ` : '';
  const known = (column: string): string => `CASE WHEN ${column} IS NULL THEN 1 ELSE 0 END`;
  return {
    sql: `(SELECT at, ${keys}1 AS n, CASE WHEN attempts > 1 THEN 1 ELSE 0 END AS retried, coalesce(cost, 0) AS cost, CASE WHEN savings IS NULL THEN 0 ELSE coalesce(cost, 0) END AS compared_cost, ${known('cost')} AS cost_unknown, coalesce(savings, 0) AS savings,
  ${known('savings')} AS savings_unknown, ${wouldSave}coalesce(input, 0) AS input, coalesce(output, 0) AS output, ${known('input')} AS usage_unknown FROM entries WHERE kind = 'exchange' AND body IS NOT NULL AND at >= ? AND at < ?${conditions.map(({ sql }) => ` AND ${sql}`).join('')}) AS sums`,
    values: [from, to, ...conditions.flatMap(({ values }) => values)],
  };
}

/** Hours up to the first midnight, whole days up to the last one, and hours of the final day. */
function sumSource({ from, to }: Period, { hours, days }: SqlDialect): Where {
  const first = Math.ceil(from / dayMs) * dayMs;
  const last = Math.max(first, Math.floor(to / dayMs) * dayMs);
  return {
    sql: `(SELECT * FROM ${hours} WHERE at >= ? AND at < ? UNION ALL SELECT * FROM ${days} WHERE at >= ? AND at < ? UNION ALL SELECT * FROM ${hours} WHERE at >= ? AND at < ?) AS sums`,
    values: [from, Math.min(first, to), first, last, last, to],
  };
}

/**
 * The two queries of a report, and the function that combines their results. `lines` null if no groups are requested. Throws SluiceError
 * for an unknown key or condition.
 */
export function savingsPlan(
  query: SavingsQuery,
  dialect: SqlDialect = sqliteDialect,
): {
  readonly lines: Where | null;
  readonly trend: Where;
  readonly report: (lines: readonly SavingsGroup[], trend: readonly SavingsBucket[]) => SavingsReport;
} {
  const by = query.by.map((key) => {
    if (!(savingsKeys as readonly string[]).includes(key))
      throw new SluiceError('SLUICE_LEDGER_GROUP', `"${key}" is no key.`, { where: '--by', fix: `Known keys: ${savingsKeys.join(', ')}.` });
    return key as SavingsKey;
  });
  const where = query.where ?? [];
  const shadow = query.shadow === true;
  const rows = shadow || rowsOnly(by, where);
  const sums = shadow ? `${sumsSql}, sum(shadow) AS shadow` : sumsSql;
  const period = wholeHours(query);
  const { from, to } = period;
  const fine = query.to - from <= 3 * dayMs;
  const source = rows ? rowSource(by, period, where, dialect, shadow) : sumSource(period, dialect);
  const trend = rows
    ? rowSource([], period, where, dialect, shadow)
    : fine
      ? { sql: `(SELECT * FROM ${dialect.hours} WHERE at >= ? AND at < ?) AS sums`, values: [from, to] }
      : source;
  const bucket = `at - at % ${fine ? hourMs : dayMs}`;
  const keys = by.map((key) => `"${key}"`).join(', ');
  return {
    lines:
      by.length === 0
        ? null
        : {
            sql: `SELECT ${keys}, ${sums} FROM ${source.sql} GROUP BY ${keys} ORDER BY sum(sums.cost) DESC, exchanges DESC, ${keys} LIMIT ?`,
            values: [...source.values, query.limit],
          },
    trend: { sql: `SELECT ${bucket} AS bucket, ${sums} FROM ${trend.sql} GROUP BY bucket ORDER BY bucket`, values: trend.values },
    report: (lines, buckets) => {
      // A window's total is the sum of its trend, which saves one pass over the roll-ups.
      const total = buckets.reduce<Sums>(
        (sum, line) => Object.fromEntries(Object.entries(sum).map(([key, value]) => [key, value + line[key as keyof Sums]!])) as Sums,
        shadow ? { ...empty, shadow: 0 } : empty,
      );
      const shown = lines.map((line) => ({ group: by.map((key) => line[key]), ...onlySums(line) }));
      const whole = { group: by.map(() => restName), ...onlySums(total) };
      return {
        from: new Date(from).toISOString(),
        // The hour that is not over is included as far as it is.
        to: new Date(Math.min(to, Math.max(query.to, Date.now()))).toISOString(),
        by,
        where,
        basis: rows ? 'rows' : 'sums',
        currency: 'USD',
        total: { group: [], ...onlySums(total) },
        unknownShare: total.exchanges === 0 ? null : total.savingsUnknown / total.exchanges,
        lines: shown,
        rest: by.length === 0 || shown.length < query.limit ? null : restOf(whole, shown),
        trend: buckets.map((line) => ({ at: new Date(line.bucket).toISOString(), ...onlySums(line) })),
      };
    },
  };
}

/**
 * The period in whole hours, which is all that the sums can answer; records are taken from the same hours, so that one period has one total
 * whatever it is grouped by.
 */
function wholeHours({ from, to }: Period): Period {
  return { from: Math.floor(from / hourMs) * hourMs, to: Math.ceil(to / hourMs) * hourMs };
}

/** The name of all groups beyond the limit together. */
const restName = '(all others)';

/** What the lines leave of the whole; null if nothing. */
function restOf(whole: SavingsLine, lines: readonly SavingsLine[]): SavingsLine | null {
  const { group, ...sums } = whole;
  const names = Object.keys(sums) as (keyof typeof sums)[];
  const left = names.map((name) => [name, lines.reduce((rest, line) => rest - (line[name] ?? 0), sums[name] ?? 0)] as const);
  const rest: SavingsLine = { group, ...onlySums(Object.fromEntries(left) as Sums) };
  return rest.exchanges > 0 ? rest : null;
}

/**
 * Cost and savings of routing in a window, from the roll-ups. `from` and `to` in ms since the epoch. Throws SluiceError for an unknown key.
 */
export function savingsReport(db: Db, query: SavingsQuery): SavingsReport {
  const { lines, trend, report } = savingsPlan(query);
  return report(
    lines === null ? [] : db.prepare<(string | number)[], SavingsGroup>(lines.sql).all(...lines.values),
    db.prepare<(string | number)[], SavingsBucket>(trend.sql).all(...trend.values),
  );
}

function onlySums(line: Sums): Omit<SavingsLine, 'group'> {
  const names = [...Object.keys(empty), ...(line.shadow === undefined ? [] : ['shadow'])];
  const sums = Object.fromEntries(names.map((key) => [key, line[key as keyof Sums]])) as unknown as Omit<SavingsLine, 'group'>;
  const [cost, savings] = [rounded(sums.cost), rounded(sums.savings)];
  return {
    ...sums,
    cost,
    savings,
    // Baseline - cost = savings holds for the digits that are shown too.
    baseline: rounded(cost + savings),
    apart: rounded(sums.apart),
    ...(sums.shadow === undefined ? {} : { shadow: rounded(sums.shadow) }),
  };
}

/** Dollars without the remainders of binary fractions, such as 0.03330000000000011. */
export function rounded(usd: number): number {
  // Adding 0 makes -0 plain.
  return Math.round(usd * 1e10) / 1e10 + 0;
}
