import { readFileSync } from 'node:fs';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { SluiceError } from '../../lib/errors.ts';
import type { SqlDialect } from '../query.ts';
import { shownUrl } from '../shown-url.ts';
import type { LedgerTarget } from '../target.ts';

/** Longest wait for an answer, in ms. */
const answerMs = 120_000;

const pathOf = (path: readonly string[]): string => path.map((name) => `'${name}'`).join(', ');

export const clickhouseDialect: SqlDialect = {
  is: 'IS NOT DISTINCT FROM',
  isNot: 'IS DISTINCT FROM',
  holds: (column) => `positionCaseInsensitiveUTF8(coalesce(${column}, ''), ?) > 0`,
  number: '?',
  inside: (path) =>
    `if(JSONType(body, ${pathOf(path)}) = 'Null', NULL, if(JSONType(body, ${pathOf(path)}) = 'String', JSONExtractString(body, ${pathOf(path)}), JSONExtractRaw(body, ${pathOf(path)})))`,
  hours: 'by_hour',
  days: 'by_day',
};

/** Queries and inserts of one ledger. Methods reject with the client's errors. */
export class ClickHouse {
  readonly #client: ClickHouseClient;

  /** `clickhouse://user:password@host:port/database`; `?secure=true` for HTTPS. Throws SluiceError for an unreadable URL. */
  constructor({ place, passwordFile }: LedgerTarget) {
    const url = urlOf(place);
    const secure = url.searchParams.get('secure') === 'true';
    this.#client = createClient({
      url: `${secure ? 'https' : 'http'}://${url.hostname}:${url.port === '' ? (secure ? 8443 : 8123) : url.port}`,
      username: decodeURIComponent(url.username) || 'default',
      password: passwordFile === null ? decodeURIComponent(url.password) : readFileSync(passwordFile, 'utf8').trim(),
      database: url.pathname.slice(1) || 'default',
      application: 'sluice',
      request_timeout: answerMs,
      // The caller reports failures.
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: {
        output_format_json_quote_64bit_integers: 0,
        // The queries that all kinds of database share name sums as their columns.
        prefer_column_name_to_alias: 1,
        cast_keep_nullable: 1,
        mutations_sync: '2',
        wait_end_of_query: 1,
      },
    });
  }

  /** Each `?` is replaced by the next value. */
  async ask<Row>(sql: string, values: readonly (string | number)[] = []): Promise<Row[]> {
    const result = await this.#client.query({ ...bound(sql, values), format: 'JSONEachRow' });
    return result.json<Row>();
  }

  /** Rows in pieces, as arrays. */
  async *stream(sql: string): AsyncGenerator<unknown[][]> {
    const result = await this.#client.query({ query: sql, format: 'JSONCompactEachRow' });
    for await (const rows of result.stream<unknown[]>()) yield rows.map((row) => row.json<unknown[]>());
  }

  async command(sql: string, values: readonly (string | number)[] = []): Promise<void> {
    await this.#client.command(bound(sql, values));
  }

  /**
   * Inserts lines of JSON arrays, one per row, in one block. `token`: what was inserted with it before is not inserted again, nor into the
   * sums.
   */
  async insert(table: string, columns: readonly string[], lines: string, token: string | null = null): Promise<void> {
    await this.#client.command({
      query: `INSERT INTO ${table} (${columns.map((name) => `"${name}"`).join(', ')}) FORMAT JSONCompactEachRow\n${lines}`,
      clickhouse_settings:
        token === null
          ? {}
          : { insert_deduplication_token: token, deduplicate_blocks_in_dependent_materialized_views: 1, max_insert_block_size: '10000000' },
    });
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function urlOf(place: string): URL {
  try {
    // The parser knows hosts and ports of http alone.
    return new URL(place.replace(/^clickhouse:/, 'http:'));
  } catch {
    throw new SluiceError('SLUICE_LEDGER_UNUSABLE', 'the URL cannot be read.', {
      where: shownUrl(place),
      fix: 'Write clickhouse://user:password@host:port/database.',
    });
  }
}

function bound(sql: string, values: readonly (string | number)[]): { query: string; query_params: Record<string, unknown> } {
  let at = 0;
  const query = sql.replaceAll('?', () => {
    const value = values[at];
    const type = typeof value === 'string' ? 'String' : !Number.isInteger(value) ? 'Float64' : value! < 0 ? 'Int64' : 'UInt64';
    return `{v${at++}:${type}}`;
  });
  return { query, query_params: Object.fromEntries(values.map((value, index) => [`v${index}`, value])) };
}
