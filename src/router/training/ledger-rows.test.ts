import { afterEach, beforeEach, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { line, sample } from '../../../test/support/ledger.ts';
import { openDatabase, type Db } from '../../ledger/sqlite/database.ts';
import { LedgerWriter } from '../../ledger/sqlite/store.ts';
import type { Grade } from '../../grades/types.ts';
import type { ExchangeRecord } from '../../record/types.ts';
import { ledgerRows } from './ledger-rows.ts';

const now = Date.UTC(2026, 5, 15);
let folder: string;
let db: Db;
let writer: LedgerWriter;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-rows-'));
  db = openDatabase(join(folder, 'ledger.db'), 'write');
  writer = new LedgerWriter(db, { version: '1' });
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A request of `large` that `served` answered, and its prompt. */
function asked(prompt: string | null, served: string, facts: Partial<ExchangeRecord> = {}): ExchangeRecord {
  const record = sample(now);
  return {
    ...record,
    workspace: 'red',
    servedModel: served,
    decision: { ...record.decision!, requested: { provider: 'openai', model: 'large' }, served: { provider: 'openai', model: served } },
    request: { ...record.request, promptStart: prompt, tools: 0, images: 0, asks: null },
    ...facts,
  };
}

const copyOf = (record: ExchangeRecord, model: string): ExchangeRecord => ({
  ...sample(now),
  kind: 'shadow',
  shadowOf: record.id,
  decision: null,
  attempts: [],
  provider: 'openai',
  requestedModel: model,
  servedModel: model,
});

function keep(record: ExchangeRecord, ...grades: readonly Omit<Grade, 'decision' | 'time'>[]): void {
  writer.append([
    line(record),
    ...grades.map((grade, at) =>
      JSON.stringify({ grade: { decision: record.id, time: new Date(now + at).toISOString(), ...grade }, workspace: record.workspace }),
    ),
  ]);
}

it('makes rows of verified answers and of graded copies, whichever of the two was the copy', () => {
  const verified = asked('What is 9 times 2?', 'small');
  keep(verified, { score: 0.2, source: 'user' }, { score: 0.5, against: 0.9, source: 'verify' });
  const moved = asked('Name a colour.', 'small');
  keep(moved, { score: 0.7, source: 'judge' });
  keep(copyOf(moved, 'large'), { score: 1, source: 'judge' });
  const kept = asked('Name a sea.', 'large');
  keep(kept, { score: 0.1, source: 'judge' }, { score: 0.8, source: 'reviewer' }, { score: 0, source: 'regenerate' });
  keep(copyOf(kept, 'tiny'), { score: 0.4, source: 'judge' });
  const { rows, leftOut } = ledgerRows(db, 0);
  expect(
    rows.map(({ prompt, weak_model, strong_model, weak_score, strong_score }) => [
      prompt,
      weak_model,
      strong_model,
      weak_score,
      strong_score,
    ]),
  ).toEqual([
    ['What is 9 times 2?', 'small', 'large', 0.5, 0.9],
    ['Name a colour.', 'small', 'large', 0.7, 1],
    ['Name a sea.', 'tiny', 'large', 0.4, 0.8],
  ]);
  expect(rows[0]).toMatchObject({ id: verified.id, source: 'red' });
  expect(leftOut).toEqual({ ungraded: 0, prompt: 0, unlike: 0 });
});

it('leaves out and counts what has one grade, no whole prompt, or what the router does not read', () => {
  const lone = asked('Name a sea.', 'small');
  keep(lone, { score: 1, source: 'judge' });
  keep(copyOf(lone, 'large'));
  const verify = { score: 1, against: 1, source: 'verify' } as const;
  keep(asked(null, 'small'), verify);
  const cut = asked('Name', 'small');
  keep({ ...cut, request: { ...cut.request, asks: { ...sample(now).request.asks!, userTurns: 1, userUnits: 40 } } }, verify);
  const tools = asked('Name a sea.', 'small');
  keep({ ...tools, request: { ...tools.request, tools: 2 } }, verify);
  // Nobody asked for another answer: no row, and nothing to count.
  keep(asked('Name a sea.', 'small'), { score: 1, source: 'user' });
  keep(asked('Name a sea.', 'small'));
  expect(ledgerRows(db, 0)).toEqual({ rows: [], leftOut: { ungraded: 1, prompt: 2, unlike: 1 } });
  expect(ledgerRows(db, now + 1)).toEqual({ rows: [], leftOut: { ungraded: 0, prompt: 0, unlike: 0 } });
});
