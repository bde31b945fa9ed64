import { expect, it } from 'vitest';
import { line, sample } from '../../test/support/ledger.ts';
import { JsonBytes } from '../lib/json-bytes.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { entryOf, headOfExchange, headOfGrade, readEntries, type Entry, type Head } from './entry.ts';
import type { GradeEntry } from './types.ts';

const at = Date.UTC(2026, 5, 15, 12, 30);

function readBack(rows: readonly (readonly [head: Head, body: string])[]): Entry[] {
  const json = new JsonBytes();
  // A head is only valid until the next one is made.
  return [...readEntries(Buffer.concat(rows.map(([head, body]) => Buffer.from(`${json.write(head).toString()}\n${body}\n`))))];
}

it.each<[string, Partial<ExchangeRecord>]>([
  ['as it comes', {}],
  [
    'of an unknown cost, without usage, verdict and ids',
    { cost: { known: false, reason: 'usage' }, usage: null, verdict: null, traceId: null },
  ],
  ['with names that a caller chose', { workspace: 'a"\n\u0000\\', requestId: 'ü\u{1f600}\ud800', servedModel: '' }],
  ['older than some fields', { user: undefined, traceId: undefined, responseId: undefined } as unknown as Partial<ExchangeRecord>],
  [
    'with numbers of all kinds',
    { status: 0, cost: { known: true, usd: 1e-9 }, savings: { known: true, usd: -0.1 }, baseline: { known: true, usd: 1e21 } },
  ],
])('a record %s has the row that its JSON has', (_what, facts) => {
  const record = sample(at, facts);
  expect(readBack([[headOfExchange(record), line(record)]])).toEqual([entryOf(line(record))]);
});

it('records and grades are read in their order', () => {
  const record = sample(at);
  const grade: GradeEntry = {
    grade: { decision: record.id, time: new Date(at).toISOString(), score: 1, source: 'user' },
    workspace: 'red',
  };
  const entries = readBack([
    [headOfGrade(grade), JSON.stringify(grade)],
    [headOfExchange(record), line(record)],
    [headOfGrade(grade), JSON.stringify(grade)],
  ]);
  const graded = entryOf(JSON.stringify(grade));
  expect(entries).toEqual([graded, entryOf(line(record)), graded]);
});
