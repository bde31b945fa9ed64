import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runs } from '../../test/support/fuzz.ts';
import { line, sample } from '../../test/support/ledger.ts';
import type { Cost } from '../catalog/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { savingsReport, type SavingsLine, type SavingsReport } from './query.ts';
import { openDatabase } from './sqlite/database.ts';
import { LedgerWriter } from './sqlite/store.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 5, 15);

// Whole 64ths of a dollar add up without rounding.
const usd = fc.integer({ min: 0, max: 640 }).map((parts): Cost => ({ known: true, usd: parts / 64 }));
const unknown = fc.constantFrom<Cost>({ known: false, reason: 'price' }, { known: false, reason: 'usage' });
const exchange = fc.record({
  hours: fc.integer({ min: 0, max: 200 }),
  minutes: fc.integer({ min: 0, max: 59 }),
  workspace: fc.constantFrom('red', 'green', 'blue', 'none', 'a,b', '=1+1'),
  requestedModel: fc.constantFrom('gpt-5.1', 'gpt-4.1', 'retired-model'),
  servedModel: fc.constantFrom('gpt-5.1', 'gpt-5-nano', null),
  outcome: fc.constantFrom<ExchangeRecord['outcome']>('complete', 'blocked', 'provider-error'),
  cost: fc.oneof(usd, unknown),
  baseline: fc.oneof(usd, unknown),
});
type Exchange = typeof exchange extends fc.Arbitrary<infer T> ? T : never;

const recordOf = ({ hours, minutes, ...facts }: Exchange): ExchangeRecord => {
  const { cost, baseline } = facts;
  const savings: Cost = !cost.known ? cost : !baseline.known ? baseline : { known: true, usd: baseline.usd - cost.usd };
  return sample(start + hours * hour + minutes * 60_000, { ...facts, savings });
};

const sums = [
  'exchanges',
  'cost',
  'apart',
  'costUnknown',
  'baseline',
  'savings',
  'savingsUnknown',
  'input',
  'output',
  'usageUnknown',
] as const;
const added = (lines: readonly Omit<SavingsLine, 'group'>[]): number[] => sums.map((key) => lines.reduce((all, one) => all + one[key], 0));
const keys = ['workspace', 'requested_model', 'model', 'outcome', 'user', 'section'] as const;

/** Baseline - cost = saved on every line; lines, rest and days add up to the total. */
function addsUp({ total, lines, rest, trend, by }: SavingsReport): void {
  for (const one of [total, ...lines, ...(rest === null ? [] : [rest]), ...trend]) expect(one.baseline - one.cost).toBe(one.savings);
  expect(added(trend)).toEqual(added([total]));
  if (by.length > 0) expect(added([...lines, ...(rest === null ? [] : [rest])])).toEqual(added([total]));
}

it('sums of any ledger add up: by any keys, any period, any limit, from sums and from records', () => {
  fc.assert(
    fc.property(
      fc.array(exchange, { minLength: 1, maxLength: 40 }),
      fc.uniqueArray(fc.constantFrom(...keys), { maxLength: 3 }),
      fc.integer({ min: 0, max: 220 }),
      fc.integer({ min: 1, max: 220 }),
      fc.integer({ min: 1, max: 12 }),
      // Periods that begin or end within an hour are of whole hours, from sums and from records.
      fc.tuple(fc.integer({ min: 0, max: hour - 1 }), fc.integer({ min: 0, max: hour - 1 })),
      (exchanges, by, from, span, limit, [late, early]) => {
        const folder = mkdtempSync(join(tmpdir(), 'sums-'));
        const db = openDatabase(join(folder, 'ledger.db'), 'write');
        try {
          new LedgerWriter(db, { version: '1' }).append(exchanges.map((one) => line(recordOf(one))));
          const query = {
            from: start + from * hour + late,
            to: Math.max(start + (from + span) * hour - early, start + from * hour + late + 1),
            by,
            limit,
          };
          const report = savingsReport(db, query);
          // A condition that is always true is answered from the records instead of the sums.
          const rows = savingsReport(db, { ...query, where: ['overhead>=0'] });
          expect(rows.basis).toBe('rows');
          addsUp(report);
          addsUp(rows);
          expect(added([rows.total])).toEqual(added([report.total]));
          const inside = exchanges.filter(({ hours }) => hours >= from && hours < from + span);
          const both = inside.filter(({ cost, baseline }) => cost.known && baseline.known);
          const dollars = (costs: readonly Cost[]): number => costs.reduce((all, cost) => all + (cost.known ? cost.usd : 0), 0);
          expect(report.total).toMatchObject({
            exchanges: inside.length,
            baseline: dollars(both.map(({ baseline }) => baseline)),
            cost: dollars(both.map(({ cost }) => cost)),
            apart: dollars(inside.filter((one) => !both.includes(one)).map(({ cost }) => cost)),
            costUnknown: inside.filter(({ cost }) => !cost.known).length,
          });
        } finally {
          db.close();
          rmSync(folder, { recursive: true, force: true });
        }
      },
    ),
    runs(60),
  );
});
