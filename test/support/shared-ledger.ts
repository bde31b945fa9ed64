import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { LedgerReader } from '../../src/ledger/backend.ts';
import { savingsReport, type SavingsReport } from '../../src/ledger/query.ts';
import { openDatabase } from '../../src/ledger/sqlite/database.ts';
import { LedgerWriter } from '../../src/ledger/sqlite/store.ts';
import type { VerifyResult } from '../../src/ledger/verify.ts';
import { line, sample } from './ledger.ts';

/** Midday and a half: the time of the newest rows. */
export const now = Date.UTC(2026, 10, 21, 12, 30);
export const dayMs = 86_400_000;

/** A grade's line for a decision. */
export const graded = (decision: string): string =>
  JSON.stringify({ grade: { decision, time: new Date(now).toISOString(), score: 0.5, source: 'user' }, workspace: 'red' });

interface Writer {
  append(lines: readonly string[], dropped?: number): Promise<unknown>;
  checkpoint(key: null): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Fails unless an empty ledger answers every question as one in SQLite with the same rows does, and verifies. */
export async function answersAsSqlite(
  writer: Writer,
  open: () => Promise<LedgerReader>,
  verify: () => Promise<VerifyResult>,
): Promise<void> {
  const records = Array.from({ length: 30 }, (_, at) =>
    sample(now - at * 3_600_000, {
      workspace: at % 3 === 0 ? 'blue' : 'red',
      arm: at % 2 === 0 ? 'try:control' : null,
      responseId: `chatcmpl-${at}`,
      ...(at % 5 === 0
        ? { cost: { known: false as const, reason: 'price' as const }, savings: { known: false as const, reason: 'price' as const } }
        : {}),
    }),
  );
  const lines = [...records.map(line), graded(records[0]!.id)];
  await writer.append(lines.slice(0, 10));
  await writer.append(lines.slice(10), 3);
  await writer.checkpoint(null);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-both-'));
  const db = openDatabase(join(folder, 'ledger.db'), 'write');
  new LedgerWriter(db, { version: 'test' }).append(lines);
  const asked = await open();
  for (const [by, where, shadow] of [
    [[], [], false],
    [['workspace', 'model', 'tier'], [], false],
    [['rule', 'arm'], [], false],
    [['workspace'], [], true],
    [['workspace'], ['mode=enabled', 'cost!=unknown', 'arm=none', 'workspace~RE'], false],
  ] satisfies [string[], string[], boolean][]) {
    const query = { from: now - 10 * dayMs, to: now + 1, by, where, limit: 10, shadow };
    // Rows are added up in another order, so sums that are equal in one may differ in the other's last digit, and order lines.
    const rounded = ({ lines: groups, ...report }: SavingsReport): unknown =>
      JSON.parse(
        JSON.stringify(
          { ...report, lines: [...groups].sort((a, b) => (a.group.join() < b.group.join() ? -1 : 1)) },
          (_key, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(9)) : value),
        ),
      );
    expect(rounded(await asked.savings(query))).toEqual(rounded(savingsReport(db, query)));
  }
  db.close();
  rmSync(folder, { recursive: true });
  const decided = async (...where: string[]): Promise<string[]> =>
    (await asked.decisions({ where, from: null, limit: 100 })).map(({ id }) => id);
  expect(await decided()).toEqual(records.map(({ id }) => id));
  expect(await decided('workspace=blue', 'cost=unknown')).toEqual(records.filter((_, at) => at % 15 === 0).map(({ id }) => id));
  expect(await decided('workspace~RE', 'cost>0.0001', 'status>=200.5')).toEqual([]);
  expect((await decided('workspace!=red', 'attempts>=0.5')).length).toBe(10);
  expect(await decided('rule!=none')).toEqual([]);
  expect(await asked.record(records[3]!.id)).toEqual(JSON.parse(lines[3]!));
  expect((await asked.record('chatcmpl-7'))?.id).toBe(records[7]!.id);
  expect(await asked.grades(records[0]!.id)).toHaveLength(1);
  expect(await asked.record('nothing')).toBeNull();
  await expect(asked.savings({ from: 0, to: 1, by: ['nonsense'], limit: 1 })).rejects.toMatchObject({ code: 'SLUICE_LEDGER_GROUP' });
  await writer.close();
  expect(await verify()).toMatchObject({
    ok: true,
    rows: 34,
    writers: 1,
    checkpoints: 1,
    gaps: [expect.stringContaining('dropped 3 records')],
  });
}
