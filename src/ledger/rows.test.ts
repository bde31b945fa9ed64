import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { line, sample } from '../../test/support/ledger.ts';
import { parseCsv } from '../lib/csv.ts';
import { openDatabase, type Db } from './sqlite/database.ts';
import { exportLedger } from './export.ts';
import { exportColumns } from './export-fields.ts';
import { findDecisions, rowsOnly, savingsReport, type SavingsReport } from './query.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { LedgerWriter } from './sqlite/store.ts';

const hourMs = 3_600_000;
const now = Date.UTC(2026, 5, 15, 12, 30);
let folder: string;
let db: Db;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rows-'));
  db = openDatabase(join(folder, 'ledger.db'), 'write');
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const ann = 'a'.repeat(16);
const bob = 'b'.repeat(16);

function fill(): void {
  const unknown = { known: false as const, reason: 'price' as const };
  new LedgerWriter(db, { version: '1' }).append(
    [
      sample(now - hourMs, { user: ann, arm: 'try:control', key: '/run/keys/a', template: 't1' }),
      sample(now - 2 * hourMs, { user: ann, arm: 'try:treatment', key: '/run/keys/b', template: 't1', workspace: 'red' }),
      sample(now - 30 * hourMs, { user: bob, arm: null, template: 't2', workspace: 'blue' }),
      sample(now - 3 * hourMs, { user: bob, cost: { known: true, usd: 0.5 }, baseline: unknown, savings: unknown }),
    ].map(line),
  );
}

const report = (by: readonly string[], where: readonly string[] = []): SavingsReport =>
  savingsReport(db, { from: now - 48 * hourMs, to: now + 1, by, where, limit: 10 });

it('adds up what shadow mode would have saved, where that is asked for, and puts it in no other sum', () => {
  const would = (usd: number): Partial<ExchangeRecord> => ({ mode: 'shadow', shadowSavings: { known: true, usd } });
  new LedgerWriter(db, { version: '1' }).append(
    [
      sample(now - hourMs, would(0.5)),
      sample(now - hourMs, { ...would(-0.125), workspace: 'red' }),
      sample(now - hourMs, { shadowSavings: { known: false, reason: 'price' } }),
      sample(now - hourMs),
    ].map(line),
  );
  const query = { from: now - 48 * hourMs, to: now + 1, limit: 10 };
  const asked = savingsReport(db, { ...query, by: ['mode'], shadow: true });
  expect(asked.basis).toBe('rows');
  expect(asked.total.shadow).toBe(0.375);
  expect(Object.fromEntries(asked.lines.map(({ group, shadow }) => [group[0], shadow]))).toMatchObject({ shadow: 0.375 });
  expect(asked.trend.map(({ shadow }) => shadow)).toEqual([0.375]);
  const { total } = savingsReport(db, { ...query, by: [] });
  expect(total).not.toHaveProperty('shadow');
  expect(savingsReport(db, { ...query, by: [], shadow: true }).total).toEqual({ ...total, shadow: 0.375 });
});

describe('savings by what sums do not keep', () => {
  it.each([
    [
      'user',
      [
        [ann, 2],
        [bob, 2],
      ],
    ],
    [
      'arm',
      [
        ['try:control', 1],
        ['try:treatment', 1],
        ['none', 2],
      ],
    ],
    [
      'key',
      [
        ['/run/keys/a', 1],
        ['/run/keys/b', 1],
        ['none', 2],
      ],
    ],
    [
      'template',
      [
        ['t1', 2],
        ['t2', 1],
        ['none', 1],
      ],
    ],
    ['rule', [['none', 4]]],
  ])('come from rows: %s', (by, lines) => {
    fill();
    const found = report([by]);
    expect(found.basis).toBe('rows');
    expect(found.lines.map(({ group, exchanges }) => [...group, exchanges])).toEqual(expect.arrayContaining(lines));
    expect(found.lines).toHaveLength(lines.length);
    // Row by row they add up to what the sums say.
    const sums = report([]);
    expect(sums.basis).toBe('sums');
    for (const name of [
      'exchanges',
      'cost',
      'baseline',
      'savings',
      'apart',
      'savingsUnknown',
      'costUnknown',
      'input',
      'output',
      'retried',
    ] as const) {
      expect(found.total[name], name).toBeCloseTo(sums.total[name], 12);
      expect(
        found.lines.reduce((sum, one) => sum + one[name], 0),
        name,
      ).toBeCloseTo(sums.total[name], 12);
    }
    expect(found.total.baseline - found.total.cost).toBeCloseTo(found.total.savings, 12);
    expect(found.total.apart).toBe(0.5);
  });

  it('of those that meet conditions alone', () => {
    fill();
    expect(report([], [`user=${ann}`])).toMatchObject({ basis: 'rows', where: [`user=${ann}`], total: { exchanges: 2 } });
    expect(report(['workspace'], ['arm~TRY', 'key!=/run/keys/a']).lines.map(({ group }) => group)).toEqual([['red']]);
    expect(report([], ['section=none']).total.exchanges).toBe(0);
    expect(findDecisions(db, { where: ['template=t1', 'arm=try:control'], from: null, limit: 9 })).toHaveLength(1);
    expect(findDecisions(db, { where: [], from: now - 31 * hourMs, to: now - 2 * hourMs, limit: 9 })).toHaveLength(2);
    expect(() => report([], ['colour=red'])).toThrow(expect.objectContaining({ code: 'SLUICE_LEDGER_WHERE' }) as Error);
    expect(rowsOnly(['workspace'], [])).toBe(false);
  });
});

describe('an export in a table', () => {
  it('holds what a recomputation needs, and it gives the cost that is recorded', async () => {
    new LedgerWriter(db, { version: '1' }).append([line(sample(now, { template: 't1', stream: true }))]);
    const file = join(folder, 'out.csv');
    await exportLedger(db, { format: 'csv', file, from: 0, to: now + 1 });
    const [head, row] = parseCsv(readFileSync(file, 'utf8'));
    expect(head).toEqual(['time', ...exportColumns]);
    const value = Object.fromEntries(head!.map((name, at) => [name, row![at]!]));
    expect(value).toMatchObject({ template: 't1', stream: 'true', mode: 'enabled' });
    const attempts = JSON.parse(value['attempts_json']!) as { cost: { usd: number } }[];
    expect(attempts.reduce((sum, { cost }) => sum + cost.usd, 0)).toBeCloseTo(Number(value['cost']), 12);
    // The sample's model costs one dollar a million tokens, of every class.
    const tokens = [
      'input_uncached',
      'cached_read',
      'cache_write_5m',
      'cache_write_1h',
      'audio_input',
      'output_visible',
      'reasoning',
      'audio_output',
    ].map((name) => Number(value[name]));
    expect(tokens.reduce((sum, count) => sum + count, 0) / 1e6).toBeCloseTo(Number(value['cost']), 12);
  });
});
