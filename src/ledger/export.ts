import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import type { Db } from './sqlite/database.ts';
import { csvValue as csv } from '../lib/csv.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { exportColumns, exportValues, isNumber } from './export-fields.ts';

export type ExportFormat = 'jsonl' | 'csv' | 'parquet';

interface Row {
  readonly at: number;
  readonly body: string;
}

/** Approximate size of one write, in UTF-16 units. */
const pieceUnits = 64 * 1024;

/** Rows per Parquet row group. */
const groupRows = 10_000;

/**
 * Writes exchanges, oldest first, to a file (`-`: stdout; not for Parquet). `jsonl` contains whole records, under the name that other
 * provenance stores accept; the other formats contain the columns. Returns the number of rows.
 */
export async function exportLedger(
  db: Db,
  options: {
    readonly format: ExportFormat;
    readonly file: string;
    readonly from: number;
    readonly to: number;
    readonly progress?: () => void;
  },
): Promise<number> {
  const rows = db
    .prepare<[number, number], Row>(
      `SELECT at, body FROM entries WHERE kind = 'exchange' AND body IS NOT NULL AND at >= ? AND at < ? ORDER BY at`,
    )
    .iterate(options.from, options.to);
  try {
    return await written(options, told(rows, options.progress));
  } finally {
    // An iterator that was never started keeps the database busy, too.
    rows.return?.();
  }
}

function* told(rows: Iterable<Row>, progress: (() => void) | undefined): Generator<Row> {
  for (const row of rows) {
    progress?.();
    yield row;
  }
}

async function written(options: { readonly format: ExportFormat; readonly file: string }, rows: Iterable<Row>): Promise<number> {
  switch (options.format) {
    case 'jsonl':
      return writeLines(options.file, null, rows, ({ body }) => `{"provenance_records":{"routing_decision":${body}}}`);
    case 'csv':
      return writeLines(options.file, ['time', ...exportColumns].join(','), rows, (row) =>
        [csv(new Date(row.at).toISOString()), ...valuesOf(row).map(csv)].join(','),
      );
    case 'parquet':
      return writeParquet(options.file, rows);
  }
}

async function writeLines(file: string, head: string | null, rows: Iterable<Row>, lineOf: (row: Row) => string): Promise<number> {
  let count = 0;
  function* pieces(): Generator<string> {
    let piece = head === null ? '' : `${head}\n`;
    for (const row of rows) {
      count++;
      piece += `${lineOf(row)}\n`;
      if (piece.length < pieceUnits) continue;
      yield piece;
      piece = '';
    }
    if (piece !== '') yield piece;
  }
  if (file === '-') await pipeline(Readable.from(pieces()), process.stdout, { end: false });
  else await pipeline(Readable.from(pieces()), createWriteStream(file));
  return count;
}

function valuesOf({ body }: Row): (string | number | null)[] {
  return exportValues(JSON.parse(body) as ExchangeRecord);
}

async function writeParquet(file: string, rows: Iterable<Row>): Promise<number> {
  const writer = new ParquetWriter({
    writer: fileWriter(file),
    schema: [
      { name: 'root', num_children: exportColumns.length + 1 },
      { name: 'time', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'REQUIRED' },
      ...exportColumns.map((name) =>
        isNumber(name)
          ? { name, type: 'DOUBLE' as const, repetition_type: 'OPTIONAL' as const }
          : { name, type: 'BYTE_ARRAY' as const, converted_type: 'UTF8' as const, repetition_type: 'OPTIONAL' as const },
      ),
    ],
  });
  let group: { readonly at: number; readonly values: readonly (string | number | null)[] }[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    if (group.length === 0) return;
    await writer.write({
      columnData: [
        { name: 'time', data: group.map(({ at }) => new Date(at)) },
        ...exportColumns.map((name, index) => ({ name, data: group.map(({ values }) => values[index] ?? null) })),
      ],
    });
    group = [];
  };
  for (const row of rows) {
    group.push({ at: row.at, values: valuesOf(row) });
    count++;
    if (group.length >= groupRows) await flush();
  }
  await flush();
  await writer.finish();
  return count;
}
