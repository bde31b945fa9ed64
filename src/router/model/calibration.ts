/**
 * Converts a raw score to a gain. Prompts that fit a known kind of work follow the curve `home`, others `away`; between the two, the curves
 * are mixed linearly by how well the prompt fits. Both curves rise, so they preserve the order of the scores.
 */
export interface CalibrationTable {
  /** Raw scores, rising. */
  readonly raw: readonly number[];
  /** Gain at each raw score for prompts like the training prompts. */
  readonly home: readonly number[];
  /** Gain at each raw score for held-out tasks, with a margin, so that thresholds chosen on `home` hold there too. */
  readonly away: readonly number[];
  /**
   * Certainty of the kind of work (familiarity when there are no topics) at or below which a prompt counts as unknown, and at or above
   * which as known.
   */
  readonly unknownBelow: number;
  readonly knownAbove: number;
  /** Below this familiarity the model abstains. */
  readonly abstainBelow: number;
  /** Standard errors of the expected gain for known and unknown prompts, and the weight of a disagreement between words and trees. */
  readonly errorHome: number;
  readonly errorAway: number;
  readonly errorDisagreement: number;
}

/** 0 for an unknown prompt, 1 for a known one. */
export function knownness(table: Pick<CalibrationTable, 'unknownBelow' | 'knownAbove'>, certainty: number): number {
  const { unknownBelow, knownAbove } = table;
  return Math.min(1, Math.max(0, (certainty - unknownBelow) / (knownAbove - unknownBelow)));
}

/** The gain for a raw score; linear between the table's points, with a slope of 1 beyond its ends. */
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
