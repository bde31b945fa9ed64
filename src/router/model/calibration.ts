/**
 * From a raw score to a gain. Prompts that fit a known kind of work follow the curve `home`, others `away`; between the two lies a straight
 * mixture by how well they fit. Both curves rise, so they keep the order of the scores.
 */
export interface CalibrationTable {
  /** Raw scores, rising. */
  readonly raw: readonly number[];
  /** Gain at each of them among prompts like those that were trained on. */
  readonly home: readonly number[];
  /** Gain at each of them among tasks that were left out, with a margin: thresholds chosen at home are to keep their promise there too. */
  readonly away: readonly number[];
  /** Certainty of the kind of work (without topics: familiarity) at and below which a prompt counts as unknown, and at and above which as known. */
  readonly unknownBelow: number;
  readonly knownAbove: number;
  /** Below this familiarity the model abstains. */
  readonly abstainBelow: number;
  /** Standard errors of the expected gain: known prompts, unknown prompts; and how much of a disagreement between words and trees adds. */
  readonly errorHome: number;
  readonly errorAway: number;
  readonly errorDisagreement: number;
}

/** 0 for an unknown prompt, 1 for a known one. */
export function knownness(table: Pick<CalibrationTable, 'unknownBelow' | 'knownAbove'>, certainty: number): number {
  const { unknownBelow, knownAbove } = table;
  return Math.min(1, Math.max(0, (certainty - unknownBelow) / (knownAbove - unknownBelow)));
}

/** The gain that a raw score stands for; straight between the table's points, and beyond its ends with a slope of 1. */
export function calibrated(table: CalibrationTable, raw: number, known: number): number {
  const { raw: points } = table;
  const last = points.length - 1;
  if (raw <= points[0]!) return mixed(table, 0, known) + (raw - points[0]!);
  if (raw >= points[last]!) return mixed(table, last, known) + (raw - points[last]!);
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle]! <= raw) low = middle;
    else high = middle;
  }
  const share = (raw - points[low]!) / (points[high]! - points[low]!);
  return mixed(table, low, known) * (1 - share) + mixed(table, high, known) * share;
}

function mixed({ home, away }: CalibrationTable, at: number, known: number): number {
  return known * home[at]! + (1 - known) * away[at]!;
}
