import { evidenceOf, type Spreads, type Sums } from './evidence.ts';

/** Priors before any grade. Variances and standard deviations are in scores, 0 to 1. */
export interface BeliefSettings {
  /** Variance of one grade around its expected value. */
  readonly noise: number;
  /** Variance of the difference between both models' grades for one request, before there are grades. */
  readonly pairNoise: number;
  /** Before any grade: the strong model's level in a workspace, its standard error, and the spread of templates. */
  readonly level: number;
  readonly levelError: number;
  readonly levelSpread: number;
  /** The slope of the true difference on the router's gain, among requests of a template and between templates, and their standard errors. */
  readonly slope: number;
  readonly slopeError: number;
  readonly between: number;
  readonly betweenError: number;
  /** Spread of kinds of work beyond the router's gain. */
  readonly kindSpread: number;
  /** Half-life of a grade's weight, in ms. */
  readonly halfLifeMs: number;
  /**
   * If set, a template's own standard error is taken as its true spread rather than a prior to estimate: these shares of its square are the
   * template's own, its kind's and the pair's. So a grade never makes anything less certain.
   */
  readonly split?: { readonly template: number; readonly kind: number; readonly pair: number };
}

/** A template as used in the estimation. */
export interface Graded {
  readonly sums: Sums;
  /** The router's own standard error on it. */
  readonly spread: number;
  readonly kind: string;
}

/** Weight of the settings in the pair's noise, in grades. */
const noisePrior = 20;
/** Candidate values for a spread, as multiples of the prior; and the standard deviation of its logarithm before there are grades. */
const multiples = [0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4.5, 6];
const logSpread = 0.8;
/** A router's error on a template is partly shared by all templates of the pair; this share is the template's own. */
const ownShare = 0.5;
/** Most templates used to estimate spreads: those with the latest grades. */
const mostTemplates = 2_000;

/**
 * Estimates the spreads of one pair from its grades (empirical Bayes): noise and slope within templates, the spreads of templates and kinds
 * by their marginal likelihood over a grid, each shrunk to its prior. `pairError`: standard error of the pair's mean gain beyond the
 * router's before any grade.
 */
export function estimateSpreads(all: readonly Graded[], settings: BeliefSettings, pairError: number): Spreads {
  const templates = all.slice(-mostTemplates);
  const { level, levelVariance } = levelOf(templates, settings);
  const around = within(templates, settings);
  if (settings.split !== undefined)
    return {
      slope: settings.slope,
      slopeVariance: 0,
      between: settings.slope,
      pairNoise: noiseAt(around, drawnSlope(around, settings).slope, settings),
      level,
      levelVariance,
      template: 0,
      kind: pairError * Math.sqrt(settings.split.kind / settings.split.pair),
    };
  let spread = 0;
  for (const one of templates) spread += (ownShare * one.spread) / templates.length;
  const { slope, slopeVariance } = drawnSlope(around, settings);
  const at = { slope, pairNoise: noiseAt(around, slope, settings), level, levelVariance, template: spread, kind: settings.kindSpread };
  const evidence = templates
    .map(({ sums, kind }) => ({ kind, ...evidenceOf(sums, at, settings.noise) }))
    .filter(({ variance }) => variance < Infinity);
  const foundAt = (between: number): Found[] =>
    evidence.map(({ kind, estimate, variance, center }) => ({ kind, estimate: estimate - (between - slope) * center, variance }));
  const between = betweenOf(settings, (value, multiple) =>
    marginal(foundAt(value), (multiple * spread) ** 2, settings.kindSpread ** 2, pairError * pairError),
  );
  const fixed = { slope, slopeVariance, between, pairNoise: at.pairNoise, level, levelVariance };
  if (templates.length === 0) return { ...fixed, template: 0, kind: settings.kindSpread };
  const found = foundAt(between);
  let total = 0;
  let template = 0;
  let kind = 0;
  let best = -Infinity;
  const scored: { readonly log: number; readonly t: number; readonly k: number }[] = [];
  for (const byTemplate of multiples) {
    for (const byKind of [0.25, 0.5, 1, 2]) {
      const t = byTemplate * spread;
      const k = byKind * settings.kindSpread;
      const log =
        marginal(found, t * t, k * k, pairError * pairError) - (Math.log(byTemplate) ** 2 + Math.log(byKind) ** 2) / (2 * logSpread ** 2);
      best = Math.max(best, log);
      scored.push({ log, t, k });
    }
  }
  for (const { log, t, k } of scored) {
    const weight = Math.exp(log - best);
    total += weight;
    template += weight * t * t;
    kind += weight * k * k;
  }
  return { ...fixed, template: Math.sqrt(template / total), kind: Math.sqrt(kind / total) };
}

/** The strong model's level: each template's mean is weighted by its own noise and the spread of templates. */
function levelOf(
  templates: readonly Graded[],
  { level, levelError, levelSpread, noise }: BeliefSettings,
): { readonly level: number; readonly levelVariance: number } {
  let precision = 1 / levelError ** 2;
  let information = level * precision;
  for (const {
    sums: { s0, s1 },
  } of templates) {
    if (s0 === 0) continue;
    const weight = 1 / (noise / s0 + levelSpread ** 2);
    precision += weight;
    information += (weight * s1) / s0;
  }
  return { level: information / precision, levelVariance: levelSpread ** 2 + 1 / precision };
}

/**
 * Differences and the router's gains around each template's own mean: sums of squares and products, degrees of freedom, and the variance of
 * a difference without a prediction of the router.
 */
interface Within {
  readonly xx: number;
  readonly xr: number;
  readonly rr: number;
  readonly free: number;
  readonly noise: number;
}

function within(templates: readonly Graded[], { pairNoise }: BeliefSettings): Within {
  let xx = 0;
  let xr = 0;
  let rr = 0;
  let free = 0;
  for (const {
    sums: { p0, px, pr, pxx, pxr, prr },
  } of templates) {
    if (p0 <= 1) continue;
    xx += pxx - (px * px) / p0;
    xr += pxr - (px * pr) / p0;
    rr += prr - (pr * pr) / p0;
    free += p0 - 1;
  }
  return { xx, xr, rr, free, noise: (Math.max(0, xx) + noisePrior * pairNoise) / (free + noisePrior) };
}

/** Variance of a difference around its template's mean, beyond what the slope explains. */
function noiseAt({ xx, xr, rr, free }: Within, slope: number, { pairNoise }: BeliefSettings): number {
  return (Math.max(0, xx - 2 * slope * xr + slope * slope * rr) + noisePrior * pairNoise) / (free + noisePrior);
}

/** The slope from differences within templates, shrunk to its prior, and its variance. */
function drawnSlope(
  { xr, rr, noise }: Within,
  { slope, slopeError }: BeliefSettings,
): { readonly slope: number; readonly slopeVariance: number } {
  const drawn = noise / slopeError ** 2;
  return { slope: Math.min(mostSlope, Math.max(0, (xr + drawn * slope) / (rr + drawn))), slopeVariance: noise / (rr + drawn) };
}

const mostSlope = 1.4;
/** Candidate slopes between templates; and candidate spreads of templates, as multiples of the prior, to weigh each slope under. */
const betweens = [0, 0.25, 0.5, 0.75, 1, 1.4];
const roughMultiples = [0.4, 1.2, 3];

/**
 * The slope from differences between templates: the mean over a grid, weighted by likelihood. A router that places templates badly would
 * otherwise make templates look further apart than they are, and luck look like merit. `log`: log likelihood of the templates' means at a
 * slope and a multiple of the assumed spread.
 */
function betweenOf({ between, betweenError }: BeliefSettings, log: (slope: number, multiple: number) => number): number {
  const logs = betweens.map((at) => {
    const weighed = roughMultiples.map((multiple) => log(at, multiple) - Math.log(multiple) ** 2 / (2 * logSpread ** 2));
    const most = Math.max(...weighed);
    return most + Math.log(weighed.reduce((sum, one) => sum + Math.exp(one - most), 0)) - (at - between) ** 2 / (2 * betweenError ** 2);
  });
  const best = Math.max(...logs);
  let total = 0;
  let sum = 0;
  for (const [at, one] of logs.entries()) {
    const weight = Math.exp(one - best);
    total += weight;
    sum += weight * betweens[at]!;
  }
  return sum / total;
}

interface Found {
  readonly kind: string;
  readonly estimate: number;
  readonly variance: number;
}

/** Log likelihood of these estimates, up to constants, for templates around kinds around the pair around 0. */
function marginal(found: readonly Found[], template: number, kind: number, pair: number): number {
  const kinds = new Map<string, Combined>();
  for (const { kind: name, estimate, variance } of found) {
    let one = kinds.get(name);
    if (one === undefined) kinds.set(name, (one = new Combined()));
    one.add(estimate, variance + template);
  }
  const top = new Combined();
  let log = 0;
  for (const one of kinds.values()) {
    log += one.log();
    top.add(one.mean, one.variance + kind);
  }
  if (kinds.size === 0) return 0;
  log += top.log();
  const variance = top.variance + pair;
  return log - 0.5 * Math.log(variance) - (0.5 * top.mean * top.mean) / variance;
}

/** A combination of Gaussian estimates of one number. */
class Combined {
  #precision = 0;
  #information = 0;
  #square = 0;
  #logs = 0;

  add(estimate: number, variance: number): void {
    this.#precision += 1 / variance;
    this.#information += estimate / variance;
    this.#square += (estimate * estimate) / variance;
    this.#logs += Math.log(variance);
  }

  get mean(): number {
    return this.#information / this.#precision;
  }

  get variance(): number {
    return 1 / this.#precision;
  }

  /** Log likelihood beside their mean: how well they agree. */
  log(): number {
    return -0.5 * this.#logs - 0.5 * (this.#square - this.#information * this.mean) - 0.5 * Math.log(this.#precision);
  }
}
