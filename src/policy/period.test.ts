import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Calendar, periodKinds, type PeriodKind } from './period.ts';

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Pacific/Chatham',
  'Africa/Cairo',
  'America/Santiago',
  'Pacific/Kiritimati',
  'Pacific/Apia',
];
const local = (zone: string, at: number): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', weekday: 'short' }).format(at);
const period = (kind: PeriodKind, zone: string, at: string): string[] => {
  const { start, end } = new Calendar(kind, zone).at(Date.parse(at));
  return [new Date(start).toISOString(), new Date(end).toISOString()];
};

describe('a period', () => {
  it('is a day, a week from Monday or a month of its zone', () => {
    expect(period('day', 'UTC', '2026-11-21T12:00:00Z')).toEqual(['2026-11-21T00:00:00.000Z', '2026-11-22T00:00:00.000Z']);
    expect(period('week', 'Europe/Berlin', '2026-11-22T23:30:00Z')).toEqual(['2026-11-22T23:00:00.000Z', '2026-11-29T23:00:00.000Z']);
    expect(period('month', 'America/New_York', '2026-12-01T01:00:00Z')).toEqual(['2026-11-01T04:00:00.000Z', '2026-12-01T05:00:00.000Z']);
  });

  it('follows the clocks: a day has 23 or 25 hours where they change, and begins late where midnight is left out', () => {
    const hours = ([start, end]: string[]): number => (Date.parse(end!) - Date.parse(start!)) / 3_600_000;
    expect(hours(period('day', 'Europe/Berlin', '2026-03-29T12:00:00Z'))).toBe(23);
    expect(hours(period('day', 'Europe/Berlin', '2026-10-25T12:00:00Z'))).toBe(25);
    // In Cairo the clocks go from 24:00 to 01:00.
    expect(period('day', 'Africa/Cairo', '2026-04-24T12:00:00Z')[0]).toBe('2026-04-23T22:00:00.000Z');
  });

  it('holds its moment, touches the next one, and begins on a first day', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...periodKinds),
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(2015, 0), max: Date.UTC(2035, 0) }),
        (kind, zone, now) => {
          const calendar = new Calendar(kind, zone);
          const { start, end } = calendar.at(now);
          expect(start <= now && now < end).toBe(true);
          expect(new Calendar(kind, zone).at(end).start).toBe(end);
          expect(calendar.at(end - 1)).toEqual({ start, end });
          expect(local(zone, start)).not.toBe(local(zone, start - 1));
          if (kind === 'week') expect(local(zone, start)).toContain('Mon');
          if (kind === 'month') expect(local(zone, start)).toMatch(/-01\b/);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('knows no zone that does not exist', () => {
    expect(() => new Calendar('day', 'Mars/Olympus')).toThrow(RangeError);
  });
});
