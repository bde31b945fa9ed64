/** Closed list. A week begins on Monday. */
export const periodKinds = ['day', 'week', 'month'] as const;
export type PeriodKind = (typeof periodKinds)[number];

/** Milliseconds since the epoch, half-open. */
export interface Period {
  readonly start: number;
  readonly end: number;
}

const dayMs = 86_400_000;
/** No zone's offset from UTC exceeds this, in ms, with room for any change of the clocks. */
const widestMs = 16 * 3_600_000;

/**
 * Calendar periods of a time zone, including daylight saving: a day begins at its first instant there, whatever the clocks do at midnight.
 * Throws RangeError for a zone that does not exist.
 */
export class Calendar {
  readonly #kind: PeriodKind;
  readonly #format: Intl.DateTimeFormat;
  #current: Period = { start: 0, end: 0 };

  constructor(kind: PeriodKind, zone: string) {
    this.#kind = kind;
    this.#format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' });
  }

  /** The period that contains `now`. Computed only once per period. */
  at(now: number): Period {
    if (now < this.#current.start || now >= this.#current.end) {
      const first = this.#firstDay(this.#dateAt(now));
      this.#current = { start: this.#begins(first), end: this.#begins(this.#next(first)) };
    }
    return this.#current;
  }

  /** The first instant of a date there (given as the UTC midnight of the same date), or of the next one if the zone skipped that date. */
  begin(date: number): number {
    return this.#begins(date);
  }

  /** The date there, as the UTC midnight of the same date. */
  #dateAt(instant: number): number {
    return Date.parse(this.#format.format(instant));
  }

  #firstDay(date: number): number {
    const day = new Date(date);
    switch (this.#kind) {
      case 'day':
        return date;
      case 'week':
        return date - ((day.getUTCDay() + 6) % 7) * dayMs;
      case 'month':
        return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1);
    }
  }

  #next(first: number): number {
    const day = new Date(first);
    switch (this.#kind) {
      case 'day':
        return first + dayMs;
      case 'week':
        return first + 7 * dayMs;
      case 'month':
        return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1);
    }
  }

  /** The first instant of a date, or of the next one if the zone skipped that date. */
  #begins(date: number): number {
    let before = date - widestMs;
    let after = date + widestMs;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.#dateAt(middle) >= date) after = middle;
      else before = middle;
    }
    return after;
  }
}
