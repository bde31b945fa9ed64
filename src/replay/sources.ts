import { closeSync, openSync, readSync } from 'node:fs';
import { linesOfFile } from '../lib/lines.ts';
import { SluiceError } from '../lib/errors.ts';
import { withFile } from '../lib/read-file.ts';
import { decisionsSql } from '../ledger/query.ts';
import { openDatabase, type Db } from '../ledger/sqlite/database.ts';
import type { ExchangeRecord } from '../record/types.ts';

export interface SourceOptions {
  readonly file: string;
  /** Ms since the epoch; null for everything. */
  readonly from: number | null;
  /** Conditions in the syntax of `--where`; for a ledger only. */
  readonly where: readonly string[];
  /** Maximum number of records: the newest of a ledger, the first of a file. */
  readonly limit: number;
}

/** Magic bytes of SQLite files. */
const sqlite = 'SQLite format 3\0';

/** Records of a ledger, of a server's log, or of an export as JSON lines; detected from the file's content. Throws SluiceError. */
export async function* recordsOf(options: SourceOptions): AsyncGenerator<ExchangeRecord> {
  if (beginsAsSqlite(options.file)) {
    const db = openDatabase(options.file, 'readonly');
    try {
      yield* recordsIn(db, options);
    } finally {
      db.close();
    }
    return;
  }
  if (options.where.length > 0)
    throw new SluiceError('SLUICE_CLI_USAGE', 'conditions are for a ledger; this is another file.', { where: '--where' });
  yield* fromLines(options);
}

/** Records of a ledger, newest first, one at a time. */
export function* recordsIn(db: Db, { from, where, limit }: Omit<SourceOptions, 'file'>): Generator<ExchangeRecord> {
  const { sql, values } = decisionsSql({ where, from, limit });
  for (const body of db
    .prepare<(string | number)[], string>(sql)
    .pluck()
    .iterate(...values))
    yield JSON.parse(body) as ExchangeRecord;
}

async function* fromLines({ file, from, limit }: SourceOptions): AsyncGenerator<ExchangeRecord> {
  let count = 0;
  for await (const line of linesOfFile(file)) {
    const record = recordIn(line);
    if (record === null || (from !== null && Date.parse(record.time) < from)) continue;
    yield record;
    if (++count >= limit) return;
  }
}

/** The record in a line of a log or an export, or a line that is a record itself; null for other lines. */
function recordIn(line: string): ExchangeRecord | null {
  if (!line.includes('"decision"')) return null;
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    // A truncated line.
    return null;
  }
  const exported = (value['provenance_records'] as Readonly<Record<string, unknown>> | undefined)?.['routing_decision'];
  const found = (value['msg'] === 'exchange' ? value['record'] : (exported ?? value)) as Partial<ExchangeRecord> | null | undefined;
  return typeof found === 'object' &&
    found !== null &&
    typeof found.id === 'string' &&
    typeof found.time === 'string' &&
    typeof found.request === 'object' &&
    'usage' in found
    ? (found as ExchangeRecord)
    : null;
}

function beginsAsSqlite(file: string): boolean {
  const handle = withFile(file, () => openSync(file, 'r'));
  try {
    const head = Buffer.alloc(sqlite.length);
    readSync(handle, head, 0, sqlite.length, 0);
    return head.toString('latin1') === sqlite;
  } finally {
    closeSync(handle);
  }
}
