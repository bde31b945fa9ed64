import { randomBytes } from 'node:crypto';
import { contentHash, genesis, rowHash } from '../../src/ledger/hash-chain.ts';
import type { Db } from '../../src/ledger/sqlite/database.ts';
import { dayMs, hourMs } from '../../src/ledger/rollup.ts';
import { cellsOf, cellsSql, rootOf, textHash, type CellRow } from '../../src/ledger/sums.ts';
import { rollupKeys, rollupSums } from '../../src/ledger/sqlite/database.ts';
import { columnNames, columnsOf, type EntryKind } from '../../src/ledger/types.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';

interface Row {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly at: number;
  readonly salt: Buffer | null;
  readonly body: string | null;
  readonly content: Buffer;
}

/** An attacker who can write the file and knows how Sluice computes its hashes, but has no key. */

/** Recomputes every hash of a chain from a row on. */
export function rehash(db: Db, writer: number, from = 1): void {
  const id = db.prepare<[number], string>('SELECT id FROM writers WHERE n = ?').pluck().get(writer)!;
  let previous: Buffer =
    db
      .prepare<[number, number], Buffer>('SELECT hash FROM entries WHERE writer = ? AND seq = ?')
      .pluck()
      .get(writer, from - 1) ?? genesis(id);
  for (const row of db
    .prepare<[number, number], Row>('SELECT * FROM entries WHERE writer = ? AND seq >= ? ORDER BY seq')
    .all(writer, from)) {
    const content = row.salt === null || row.body === null ? row.content : contentHash(row.salt, row.body);
    previous = rowHash(previous, row.seq, row.kind, row.at, content);
    db.prepare('UPDATE entries SET content = ?, hash = ? WHERE writer = ? AND seq = ?').run(content, previous, writer, row.seq);
  }
}

/** Changes a record's text and the columns that stand for it. */
export function rewrite(db: Db, writer: number, seq: number, change: (record: ExchangeRecord) => ExchangeRecord): void {
  const record = change(
    JSON.parse(
      db.prepare<[number, number], string>('SELECT body FROM entries WHERE writer = ? AND seq = ?').pluck().get(writer, seq)!,
    ) as ExchangeRecord,
  );
  const columns = columnsOf(record);
  db.prepare(`UPDATE entries SET body = ?, ${columnNames.map((name) => `"${name}" = ?`).join(', ')} WHERE writer = ? AND seq = ?`).run(
    JSON.stringify(record),
    ...columnNames.map((name) => columns[name]),
    writer,
    seq,
  );
}

/** Adds a row at the end of a chain, with its hash right. */
export function addRow(
  db: Db,
  writer: number,
  { kind, at, body }: { readonly kind: EntryKind; readonly at: number; readonly body: string },
): void {
  const seq = db.prepare<[number], number>('SELECT coalesce(max(seq), 0) + 1 FROM entries WHERE writer = ?').pluck().get(writer)!;
  const columns = kind === 'exchange' ? columnsOf(JSON.parse(body) as ExchangeRecord) : null;
  db.prepare(
    `INSERT INTO entries (writer, seq, kind, at, ${columnNames.map((name) => `"${name}"`).join(', ')}, salt, body, content, hash) VALUES (${Array(
      8 + columnNames.length,
    )
      .fill('?')
      .join(', ')})`,
  ).run(
    writer,
    seq,
    kind,
    at,
    ...columnNames.map((name) => columns?.[name] ?? null),
    randomBytes(16),
    body,
    Buffer.alloc(32),
    Buffer.alloc(32),
  );
  rehash(db, writer, seq);
}

/** Makes the sums of all hours and days that have rows what their rows add up to, beside what is settled. */
export function resum(db: Db): void {
  for (const [table, ms] of [
    ['by_hour', hourMs],
    ['by_day', dayMs],
  ] as const) {
    const settled = new Set(
      db
        .prepare<[], number>('SELECT at FROM settled')
        .pluck()
        .all()
        .map((at) => at - (at % ms)),
    );
    for (const at of db.prepare<[], number>(`SELECT DISTINCT at FROM ${table}`).pluck().all())
      if (!settled.has(at)) db.prepare(`DELETE FROM ${table} WHERE at = ?`).run(at);
    for (const at of db
      .prepare<[], number>(`SELECT DISTINCT at - at % ${ms} FROM entries WHERE kind = 'exchange' AND body IS NOT NULL`)
      .pluck()
      .all()) {
      if (settled.has(at)) continue;
      for (const { keys, sums } of cellsOf(
        db.prepare<[number, number], CellRow>(cellsSql(ms, 'e.at >= ? AND e.at < ?')).all(at, at + ms),
      ).values()) {
        db.prepare(
          `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')}) VALUES (${Array(
            1 + rollupKeys.length + rollupSums.length,
          )
            .fill('?')
            .join(', ')})`,
        ).run(at, ...keys, ...rollupSums.map((sum) => sums[sum]));
      }
    }
  }
}

/** Makes the hashes of the settled sums, and their head, right again. */
export function resettle(db: Db): void {
  for (const { at, body } of db.prepare<[], { at: number; body: string }>('SELECT at, body FROM settled').all())
    db.prepare('UPDATE settled SET hash = ? WHERE at = ?').run(textHash(body), at);
  const since = db.prepare<[], number>('SELECT since FROM settled_head').pluck().get()!;
  db.prepare('UPDATE settled_head SET root = ?').run(
    rootOf(db.prepare<[], { at: number; hash: string }>('SELECT at, hash FROM settled ORDER BY at').all(), since),
  );
}
