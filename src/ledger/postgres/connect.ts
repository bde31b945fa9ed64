import { readFileSync } from 'node:fs';
import pg from 'pg';
import type { SqlDialect } from '../query.ts';
import type { LedgerTarget } from '../target.ts';
import { unusable } from '../unusable.ts';

export type PgClient = pg.Client;

/** Time-outs of connecting and of a response, in ms. */
const connectMs = 5_000;
const statementMs = 60_000;

/** PostgreSQL's type numbers of bigint and numeric. Counts and times are far below 2^53. */
const wholeNumbers: ReadonlySet<number> = new Set([20, 1700]);

export const postgresDialect: SqlDialect = {
  is: 'IS NOT DISTINCT FROM',
  isNot: 'IS DISTINCT FROM',
  holds: (column) => `position(lower(?) in lower(${column})) > 0`,
  number: '?::double precision',
  inside: (path) => `(body::json #>> '{${path.join(',')}}')`,
  hours: 'hourly',
  days: 'daily',
};

/** Replaces placeholders by PostgreSQL's numbered ones. */
export function numbered(sql: string): string {
  let at = 0;
  return sql.replaceAll('?', () => `$${++at}`);
}

const parserOf = pg.types.getTypeParser as (type: number) => (value: string) => unknown;

/** Opens a new connection. Throws SluiceError, which contains no password. */
export async function connect({ place, passwordFile }: LedgerTarget): Promise<PgClient> {
  try {
    const client = new pg.Client({
      connectionString: place,
      ...(passwordFile === null ? {} : { password: readFileSync(passwordFile, 'utf8').trim() }),
      application_name: 'sluice',
      connectionTimeoutMillis: connectMs,
      statement_timeout: statementMs,
      keepAlive: true,
      types: { getTypeParser: (type: number) => (wholeNumbers.has(type) ? Number : parserOf(type)) },
    });
    // A connection that breaks while idle is noticed by the next query.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  } catch (error) {
    throw unusable(place, error);
  }
}
