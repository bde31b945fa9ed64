import { SluiceError } from '../lib/errors.ts';
import { Calendar } from '../policy/period.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Reads the times of a bill's rows. A date, or a time without an offset, is of `zone`. Throws SLUICE_CLI_USAGE for a zone that does not exist. */
export class BillTimes {
  readonly #calendar: Calendar;

  constructor(zone: string) {
    try {
      this.#calendar = new Calendar('day', zone);
    } catch {
      throw new SluiceError('SLUICE_CLI_USAGE', `there is no time zone "${zone}".`, {
        where: '--zone',
        fix: 'Write one as Europe/Berlin.',
      });
    }
  }

  /** When a row's usage began and ended, ms since the epoch. Without an end: a day after a midnight, else an hour. Throws SLUICE_BILL. */
  span(start: string, end: string | null, where: string): Span {
    const from = this.#instant(start, where);
    if (end !== null) return { start: from, end: Math.max(this.#instant(end, where), from + 1) };
    const day = this.#calendar.at(from);
    return { start: from, end: from === day.start ? day.end : from + hourMs };
  }

  #instant(said: string, where: string): number {
    if (/^\d{9,11}$/.test(said)) return Number(said) * 1_000;
    // Azure writes months first.
    const text = said.replace(/^(\d{1,2})\/(\d{1,2})\/(\d{4})/, (_all, month: string, day: string, year: string) =>
      [year, month.padStart(2, '0'), day.padStart(2, '0')].join('-'),
    );
    const parts = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$/i.exec(text);
    const date = parts === null ? Number.NaN : Date.parse(`${parts[1]!}T00:00:00Z`);
    const at =
      parts === null || Number.isNaN(date)
        ? Number.NaN
        : parts[3] === undefined
          ? this.#calendar.begin(date) + (parts[2] === undefined ? 0 : Date.parse(`1970-01-01T${parts[2]}Z`))
          : Date.parse(
              `${parts[1]!}T${parts[2] ?? '00:00'}${/^(?:z|utc)$/i.test(parts[3]) ? 'Z' : parts[3].replace(/(\d{2})(\d{2})$/, '$1:$2')}`,
            );
    if (Number.isNaN(at))
      throw new SluiceError('SLUICE_BILL', `the time of this row cannot be read: "${said}".`, { where, fix: 'Write it as 2026-10-31.' });
    return at;
  }
}

/** The whole hours that hold a span: the ledger's sums are by the hour. */
export function wholeHours({ start, end }: Span): Span {
  return { start: Math.floor(start / hourMs) * hourMs, end: Math.ceil(end / hourMs) * hourMs };
}

/** `2026-10-01`, or with the hour where it is not a midnight (UTC). */
export function shownTime(at: number): string {
  return new Date(at)
    .toISOString()
    .slice(0, at % dayMs === 0 ? 10 : 16)
    .replace('T', ' ');
}
