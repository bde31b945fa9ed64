import type { ExchangeRecord } from '../record/types.ts';
import { columnNames, columnsOf, gradeColumns, putColumns, type GradeEntry, type LedgerColumns } from './types.ts';

interface Written {
  /** Ms since the epoch. */
  readonly at: number;
  /** One line of JSON. */
  readonly body: string;
}

/** A record or a grade as a row. */
export type Entry =
  | (Written & { readonly kind: 'exchange'; readonly columns: LedgerColumns })
  | (Written & { readonly kind: 'grade'; readonly columns: Pick<LedgerColumns, 'id' | 'workspace'> });

/** The row of a record's or a grade's JSON. Throws if it is not JSON. */
export function entryOf(body: string): Entry {
  const value = JSON.parse(body) as ExchangeRecord | GradeEntry;
  if ('grade' in value) return { kind: 'grade', at: Date.parse(value.grade.time), columns: gradeColumns(value), body };
  return { kind: 'exchange', at: Date.parse(value.time), columns: columnsOf(value), body };
}

/** A row's time and columns, written before its body, so that the writer's thread does not parse the body for them. */
export type Head = readonly (string | number | null)[];

const exchangeHead: (string | number | null)[] = new Array<null>(1 + columnNames.length).fill(null);

/** The head of a record, valid until that of the next one. */
export function headOfExchange(record: ExchangeRecord): Head {
  exchangeHead[0] = Date.parse(record.time);
  putColumns(record, exchangeHead, 1);
  return exchangeHead;
}

/** The head of a grade. */
export function headOfGrade(entry: GradeEntry): Head {
  const { id, workspace } = gradeColumns(entry);
  return [Date.parse(entry.grade.time), id, workspace];
}

const newline = 0x0a;

/** The rows in `lines`, one at a time: each is a line with its head as JSON, and one with its body. */
export function* readEntries(lines: Buffer): Generator<Entry> {
  for (let from = 0; from < lines.length;) {
    const middle = lines.indexOf(newline, from);
    const end = lines.indexOf(newline, middle + 1);
    yield readEntry(JSON.parse(lines.toString('utf8', from, middle)) as Head, lines.toString('utf8', middle + 1, end));
    from = end + 1;
  }
}

function readEntry(head: Head, body: string): Entry {
  const at = head[0] as number;
  if (head.length <= columnNames.length)
    return { kind: 'grade', at, columns: { id: head[1] as string, workspace: head[2] as string }, body };
  const columns: Record<string, string | number | null> = {};
  for (let index = 0; index < columnNames.length; index++) columns[columnNames[index]!] = head[index + 1]!;
  return { kind: 'exchange', at, columns: columns as unknown as LedgerColumns, body };
}
