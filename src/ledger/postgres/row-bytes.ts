import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { from as copyFrom } from 'pg-copy-streams';
import { rowHash, saltedHash } from '../hash-chain.ts';
import type { RollupCells } from '../rollup.ts';
import { saltBytes, SaltedContent } from '../salted.ts';
import { moneySums, rollupKeys, rollupSums } from '../sqlite/database.ts';
import { columnNames, columnTypes, type EntryKind, type LedgerColumns } from '../types.ts';
import type { PgClient } from './connect.ts';
import { CopyBytes } from './copy-bytes.ts';
import { rowNames } from './tables.ts';

const types = columnNames.map((name) => columnTypes[name]);

/** The new rows of one transaction as bytes for COPY. */
export class RowBytes {
  readonly #copy = new CopyBytes();
  readonly #salted = new SaltedContent();

  /** Adds a row, and returns its hash. */
  add(
    place: { readonly n: number; readonly seq: number; readonly previous: Buffer; readonly day: number },
    { kind, at, columns, body }: NewRow,
  ): Buffer {
    const salted = this.#salted.of(body);
    const content = saltedHash(salted);
    const hash = rowHash(place.previous, place.seq, kind, at, content);
    const copy = this.#copy;
    copy.row(rowNames.length);
    copy.int(place.n);
    copy.bigint(place.seq);
    copy.text(kind);
    copy.bigint(at);
    copy.int(place.day);
    for (let index = 0; index < columnNames.length; index++) {
      const value = columns?.[columnNames[index]!] ?? null;
      if (value === null) copy.none();
      else if (typeof value === 'string') copy.text(value);
      else if (types[index] === 'real') copy.double(value);
      else copy.bigint(value);
    }
    copy.bytes(salted.subarray(0, saltBytes));
    copy.bytes(salted.subarray(saltBytes));
    copy.bytes(content);
    copy.bytes(hash);
    return hash;
  }

  clear(): void {
    this.#copy.clear();
  }

  /** Within the caller's transaction, into one day's table. */
  async write(client: PgClient, table: string): Promise<void> {
    if (this.#copy.rows === 0) return;
    await copyInto(client, `${table} (${rowNames.map((name) => `"${name}"`).join(', ')})`, this.#copy.take());
  }
}

export interface NewRow {
  readonly kind: EntryKind;
  /** Ms since the epoch. */
  readonly at: number;
  readonly columns: Partial<LedgerColumns> | null;
  readonly body: string;
}

/** What a transaction adds to the hours' sums, as bytes for COPY. */
export class SumBytes {
  readonly #copy = new CopyBytes();

  /** Within the caller's transaction. */
  async write(client: PgClient, cells: RollupCells): Promise<void> {
    const copy = this.#copy;
    copy.clear();
    for (const table of cells.tables)
      for (const { at, keys, sums } of table.cells.values()) {
        copy.row(1 + rollupKeys.length + rollupSums.length);
        copy.bigint(at);
        for (const key of keys) copy.text(key);
        for (const sum of rollupSums)
          if (moneySums.has(sum)) copy.double(sums[sum]);
          else copy.bigint(sums[sum]);
      }
    if (copy.rows > 0) await copyInto(client, `sums_new (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')})`, copy.take());
  }
}

async function copyInto(client: PgClient, into: string, bytes: Buffer): Promise<void> {
  await pipeline(Readable.from([bytes], { objectMode: false }), client.query(copyFrom(`COPY ${into} FROM STDIN WITH (FORMAT binary)`)));
}
