/** Sums over the grades of one template; plain data in the export format. `r` is the router's gain of the graded request. */
export interface Sums {
  /** Strong answers: weight, Σ score. */
  s0: number;
  s1: number;
  /** Weak answers graded alone: weight, Σ score, Σ r. */
  w0: number;
  w1: number;
  wr: number;
  /** Requests answered by both models: weight, Σ x, Σ r, Σ x², Σ x r, Σ r², where x is the strong score minus the weak one. */
  p0: number;
  px: number;
  pr: number;
  pxx: number;
  pxr: number;
  prr: number;
  grades: number;
}

export const emptySums = (): Sums => ({ s0: 0, s1: 0, w0: 0, w1: 0, wr: 0, p0: 0, px: 0, pr: 0, pxx: 0, pxr: 0, prr: 0, grades: 0 });

/** Multiplies every sum except the count by `by`. */
export function scale(sums: Sums, by: number): void {
  if (by === 1) return;
  const { grades } = sums;
  for (const key of Object.keys(sums) as (keyof Sums)[]) sums[key] *= by;
  sums.grades = grades;
}

/** Adds a strong answer's score. */
export function addStrong(sums: Sums, score: number, weight: number): void {
  sums.s0 += weight;
  sums.s1 += weight * score;
}

/** Adds the score of a weak answer graded without the strong one's. */
export function addWeak(sums: Sums, score: number, gain: number, weight: number): void {
  sums.w0 += weight;
  sums.w1 += weight * score;
  sums.wr += weight * gain;
}

/** Adds the difference of two answers to one request. */
export function addPair(sums: Sums, difference: number, gain: number, weight: number): void {
  sums.p0 += weight;
  sums.px += weight * difference;
  sums.pr += weight * gain;
  sums.pxx += weight * difference * difference;
  sums.pxr += weight * difference * gain;
  sums.prr += weight * gain * gain;
}

/** Beliefs shared by all templates of a pair, estimated from their grades. */
export interface Spreads {
  /**
   * How much of the difference that the router predicts between two requests of a template is real: the slope of the difference on its
   * gain, and the variance of that estimate.
   */
  readonly slope: number;
  readonly slopeVariance: number;
  /** How much of the difference that it predicts between templates is real. A router may know the one and not the other. */
  readonly between: number;
  /** Variance of the difference of two answers to one request, around its template's mean. */
  readonly pairNoise: number;
  /** Standard deviations: of templates around their kind, and of kinds around the pair. */
  readonly template: number;
  readonly kind: number;
  /** Expected score of the strong model, and the variance of a template's level around it. */
  readonly level: number;
  readonly levelVariance: number;
}

/** A template's own evidence on its gain beyond slope × r: an estimate and its variance, infinite without evidence; and the mean r of it. */
export interface Evidence {
  readonly estimate: number;
  readonly variance: number;
  readonly center: number;
}

/** Weight of the pair's noise in the noise estimate of one template, in grades. */
const noisePrior = 30;

/** Variance of a difference around the mean of its own template, shrunk to the pair's. */
export function noiseOf({ p0, px, pr, pxx, pxr, prr }: Sums, slope: number, pairNoise: number): number {
  if (p0 <= 1) return pairNoise;
  const mean = (px - slope * pr) / p0;
  const within = pxx - 2 * slope * pxr + slope * slope * prr - p0 * mean * mean;
  return (Math.max(0, within) + noisePrior * pairNoise) / (p0 - 1 + noisePrior);
}

/** `noise`: variance of one unpaired grade. The template's level is marginalised out, leaving only the evidence on the gain. */
export function evidenceOf(
  sums: Sums,
  { slope, pairNoise, level, levelVariance }: Omit<Spreads, 'slopeVariance' | 'between'>,
  noise: number,
): Evidence {
  const { s0, s1, w0, w1, wr, p0, px, pr } = sums;
  const byPair = p0 === 0 ? 0 : 1 / noiseOf(sums, slope, pairNoise);
  const aa = 1 / levelVariance + (s0 + w0) / noise;
  const a = level / levelVariance + (s1 + w1 + slope * wr) / noise;
  const ad = -w0 / noise;
  const precision = w0 / noise + p0 * byPair - (ad * ad) / aa;
  if (precision <= 1e-9) return { estimate: 0, variance: Infinity, center: 0 };
  const information = -(w1 + slope * wr) / noise + (px - slope * pr) * byPair - (ad * a) / aa;
  return { estimate: information / precision, variance: 1 / precision, center: (pr + wr) / (p0 + w0) };
}
