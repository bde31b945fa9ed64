import { expect, it } from 'vitest';
import { parsePeriod, type SavingsLine, type SavingsReport } from '../ledger/query.ts';
import { dollars } from '../record/columns.ts';
import { savingsText } from './savings.ts';

const line = (group: string[], more: Partial<SavingsLine>): SavingsLine => ({
  group,
  exchanges: 1,
  retried: 0,
  cost: 0,
  apart: 0,
  costUnknown: 0,
  baseline: 0,
  savings: 0,
  savingsUnknown: 0,
  input: 0,
  output: 0,
  usageUnknown: 0,
  ...more,
});
const report = (total: Partial<SavingsLine>, lines: SavingsLine[]): SavingsReport => ({
  from: '2026-01-01T00:00:00.000Z',
  to: '2026-01-02T00:00:00.000Z',
  by: ['model'],
  where: [],
  basis: 'sums',
  currency: 'USD',
  total: line([], total),
  unknownShare: 0.5,
  trend: [],
  lines,
  rest: null,
});
const cells = (text: string, name: string): string[] =>
  text
    .split('\n')
    .find((row) => row.startsWith(name))!
    .trim()
    .split(/ {2,}/);

it('a group without a known figure shows none, and one of blocked requests the cost that is known', () => {
  const text = savingsText(
    report({ exchanges: 3, cost: 1, costUnknown: 1, savingsUnknown: 2, baseline: 2, savings: 1 }, [
      line(['known'], { cost: 1, baseline: 2, savings: 1 }),
      line(['gpt-99'], { costUnknown: 1, savingsUnknown: 1 }),
      line(['none'], { savingsUnknown: 1 }),
    ]),
    '1d',
  );
  expect(cells(text, 'known')).toEqual(['known', '1', '$1.0000', '$2.0000', '$1.0000', '(50.0%)', '–', '0.0%']);
  expect(cells(text, 'gpt-99')).toEqual(['gpt-99', '1', '?', '?', '?', '–', '100.0%']);
  expect(cells(text, 'none')).toEqual(['none', '1', '$0.00', '?', '?', '–', '0.0%']);
  expect(text).toContain('  saved     $1.0000 (50.0%)\n');
});

it('has a column for shadow mode only where it was asked for', () => {
  const shadowed = savingsText(report({ exchanges: 2, shadow: 1.5 }, [line(['a'], { shadow: 1.5 }), line(['b'], { shadow: 0 })]), '1d');
  expect(shadowed).toContain('  shadow    $1.5000 that sections in shadow mode would have saved');
  expect(cells(shadowed, 'a').at(-2)).toBe('$1.5000');
  expect(cells(shadowed, 'b').at(-2)).toBe('–');
  expect(savingsText(report({ exchanges: 2 }, [line(['a'], {})]), '1d')).not.toContain('shadow');
});

it('a name that a caller made up moves no cursor and forges no line', () => {
  const text = savingsText(report({ exchanges: 1 }, [line(['gpt\u001b[2J\nforged\u202e'], {})]), '1d');
  expect(text).toContain('\ngpt\\u{1b}[2J\\u{a}forged\\u{202e}  ');
});

it('a window without exchanges has no sums', () => {
  expect(savingsText(report({ exchanges: 0 }, []), '1d')).toBe(
    'AI cost saved by routing (1d: 2026-01-01 00:00 to 2026-01-02 00:00 UTC)\n  no exchanges in this window\n',
  );
});

it('less than can be shown is not shown as nothing', () => {
  expect([0, 4e-7, -4e-7, 6e-7].map(dollars)).toEqual(['$0.00', '<$0.000001', '>-$0.000001', '$0.000001']);
});

it('reads calendar months and ranges, and no nonsense', () => {
  const now = Date.UTC(2026, 10, 15);
  expect(parsePeriod({ month: '2026-12' }, now)).toEqual({ from: Date.UTC(2026, 11), to: Date.UTC(2027, 0) });
  expect(parsePeriod({ from: '2026-10-01', to: '2026-10-02T12:30+02:00' }, now)).toEqual({
    from: Date.UTC(2026, 9, 1),
    to: Date.UTC(2026, 9, 2, 10, 30),
  });
  expect(parsePeriod({ from: '2026-10-01T08:00' }, now)).toEqual({ from: Date.UTC(2026, 9, 1, 8), to: now });
  expect(parsePeriod({}, now)).toEqual({ from: now - 30 * 86_400_000, to: now });
  for (const wrong of [
    { month: '2026-13' },
    { from: 'yesterday' },
    { to: '2026-01-01' },
    { from: '2026-10-02', to: '2026-10-01' },
    { window: '1d', month: '2026-10' },
  ])
    expect(() => parsePeriod(wrong, now)).toThrow(expect.objectContaining({ code: 'SLUICE_LEDGER_WINDOW' }) as Error);
});
