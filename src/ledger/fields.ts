import { SluiceError } from '../lib/errors.ts';
import type { LedgerColumns } from './types.ts';

/** Where a field of a row is stored: in a column, or at a path of its record. */
type Field = { readonly kind: 'text' | 'number' } & ({ readonly column: keyof LedgerColumns } | { readonly path: readonly string[] });

const text = (column: keyof LedgerColumns): Field => ({ kind: 'text', column });
const number = (column: keyof LedgerColumns): Field => ({ kind: 'number', column });
const inside = (kind: 'text' | 'number', ...path: readonly string[]): Field => ({ kind, path });

/** The fields of `--where`, and how their values are read. */
const fields = {
  id: text('id'),
  workspace: text('workspace'),
  user: text('user'),
  api: text('api'),
  requested_provider: text('requested_provider'),
  requested_model: text('requested_model'),
  provider: text('provider'),
  model: text('model'),
  tier: text('tier'),
  reason: text('reason'),
  rule: text('rule'),
  outcome: text('outcome'),
  cache: text('cache'),
  policy: text('policy'),
  unknown: text('unknown'),
  section: inside('text', 'section'),
  mode: inside('text', 'mode'),
  arm: inside('text', 'arm'),
  key: inside('text', 'key'),
  template: inside('text', 'template'),
  catalog: inside('text', 'catalogVersion'),
  status: number('status'),
  attempts: number('attempts'),
  cost: number('cost'),
  baseline: number('baseline'),
  savings: number('savings'),
  input: number('input'),
  output: number('output'),
  score: number('score'),
  overhead: number('overhead'),
  ttft: number('ttft'),
  latency: number('latency'),
  response_id: text('response_id'),
  request_id: text('request_id'),
  trace: text('trace'),
} as const satisfies Readonly<Record<string, Field>>;

export const whereFields = Object.keys(fields);

/** Fields by which savings can only be grouped from rows: the sums do not contain them. */
export const rowKeys = [
  'user',
  'rule',
  'arm',
  'key',
  'template',
  'section',
  'mode',
  'api',
  'requested_provider',
  'policy',
] as const satisfies readonly (keyof typeof fields)[];

export interface Where {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** How a database expresses what standard SQL leaves open. */
export interface SqlDialect {
  /** Also true for NULL. */
  readonly isNot: string;
  readonly is: string;
  /** Whether a column contains the text `?`, ignoring case. */
  readonly holds: (column: string) => string;
  /** A numeric placeholder for comparisons. */
  readonly number: string;
  /** The text at a path of the record in `body`; NULL if there is none. */
  readonly inside: (path: readonly string[]) => string;
  /** Tables or views of the sums by hour and by day. */
  readonly hours: string;
  readonly days: string;
}

export const sqliteDialect: SqlDialect = {
  is: 'IS',
  isNot: 'IS NOT',
  holds: (column) => `instr(lower(${column}), lower(?)) > 0`,
  number: '?',
  inside: (path) => `json_extract(body, '$.${path.join('.')}')`,
  hours: 'by_hour',
  days: 'by_day',
};

/** A field as SQL. `name` is one of `whereFields`. */
export function fieldSql(name: string, dialect: SqlDialect): string {
  const field: Field = fields[name as keyof typeof fields];
  return 'column' in field ? `"${field.column}"` : dialect.inside(field.path);
}

/**
 * Parses one condition: `tier=simple`, `cost>0.01`, `model!=gpt-5.1`, `workspace~team-` (contains the text), `cost=unknown`. Throws
 * SluiceError SLUICE_LEDGER_WHERE.
 */
export function parseWhere(condition: string, dialect: SqlDialect = sqliteDialect): Where {
  const match = /^\s*([a-z_]+)\s*(!=|>=|<=|=|>|<|~)\s*(.*?)\s*$/.exec(condition);
  if (match === null) throw new SluiceError('SLUICE_LEDGER_WHERE', `"${condition}" is no condition.`, { where: '--where' });
  const [, name, operator, value] = match as unknown as [string, string, string, string];
  if (!Object.hasOwn(fields, name))
    throw new SluiceError('SLUICE_LEDGER_WHERE', `"${condition}": there is no field ${name}.`, {
      where: '--where',
      fix: `Known: ${whereFields.join(', ')}.`,
    });
  const column = fieldSql(name, dialect);
  if (fields[name as keyof typeof fields].kind === 'text') {
    if (operator === '~') return { sql: dialect.holds(column), values: [value] };
    if (operator === '=' || operator === '!=')
      return {
        sql:
          value === 'none'
            ? `${column} IS ${operator === '=' ? '' : 'NOT '}NULL`
            : `${column} ${operator === '=' ? dialect.is : dialect.isNot} ?`,
        values: value === 'none' ? [] : [value],
      };
    throw new SluiceError('SLUICE_LEDGER_WHERE', `"${condition}": ${name} is a text; it is compared with =, != or ~.`, {
      where: '--where',
    });
  }
  if (value === 'unknown' && (operator === '=' || operator === '!='))
    return { sql: `${column} IS ${operator === '=' ? '' : 'NOT '}NULL`, values: [] };
  const limit = Number(value);
  if (value === '' || !Number.isFinite(limit) || operator === '~')
    throw new SluiceError('SLUICE_LEDGER_WHERE', `"${condition}": ${name} is a number, or unknown.`, { where: '--where' });
  return { sql: `${column} ${operator} ${dialect.number}`, values: [limit] };
}
