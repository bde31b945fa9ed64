import { gramBuckets } from '../model/grams.ts';
import type { FeatureMatrix } from './matrix.ts';

/** A linear function of TF-IDF values. */
export interface Linear {
  readonly weight: Float64Array;
  readonly bias: number;
}

/** Value of a linear function at a row. */
export function linearAt({ weight, bias }: Linear, matrix: FeatureMatrix, values: Float64Array, row: number): number {
  let sum = bias;
  for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) sum += values[i]! * weight[matrix.bucket[i]!]!;
  return sum;
}

/** Several linear functions of the same values: the weight of bucket b and function k is at b × count + k. */
export interface Linears {
  readonly count: number;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

/** Values of all functions at a row, into `out`. */
export function linearsAt(
  { count, weight, bias }: Linears,
  matrix: FeatureMatrix,
  values: Float64Array,
  row: number,
  out: Float64Array,
): void {
  out.set(bias);
  for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) {
    const value = values[i]!;
    const from = matrix.bucket[i]! * count;
    for (let k = 0; k < count; k++) out[k]! += value * weight[from + k]!;
  }
}

/** A single ridge regression; see ridges(). */
export function ridge(
  matrix: FeatureMatrix,
  values: Float64Array,
  rows: Int32Array,
  targets: Float64Array,
  penalty: number,
  importance: Float64Array | null = null,
  steps = 40,
): Linear {
  const { weight, bias } = ridges(matrix, values, rows, [targets], penalty, importance, steps);
  return { weight, bias: bias[0]! };
}

/**
 * Ridge regressions with free intercepts, by conjugate gradients on the normal equations, computed together: each minimises Σ w_i (y_i −
 * f(x_i))² + penalty · |weights|². `targets` (one array per function) and `importance` are indexed by the matrix's rows.
 */
export function ridges(
  matrix: FeatureMatrix,
  values: Float64Array,
  rows: Int32Array,
  targets: readonly Float64Array[],
  penalty: number,
  importance: Float64Array | null = null,
  steps = 40,
): Linears {
  const count = targets.length;
  const equations = new NormalEquations({ matrix, values, rows, importance, penalty, count });
  const { used, bias } = equations;
  const solution = equations.vector();
  const residual = equations.vector();
  const mean = equations.centre(targets, residual);
  const product = equations.vector();
  const direction = Float64Array.from(residual);
  let error = equations.dots(residual, residual);
  const enough = error.map((value) => value * 1e-8);
  for (let step = 0; step < steps && error.some((value, k) => value > enough[k]!); step++) {
    equations.multiply(direction, product);
    const along = equations.dots(direction, product);
    const stride = error.map((value, k) => (along[k]! > 0 ? value / along[k]! : 0));
    for (const bucket of used) {
      for (let j = bucket * count, k = 0; k < count; j++, k++) {
        solution[j]! += stride[k]! * direction[j]!;
        residual[j]! -= stride[k]! * product[j]!;
      }
    }
    const next = equations.dots(residual, residual);
    const turn = next.map((value, k) => (error[k]! > 0 ? value / error[k]! : 0));
    error = next;
    for (const bucket of used)
      for (let j = bucket * count, k = 0; k < count; j++, k++) direction[j] = residual[j]! + turn[k]! * direction[j]!;
  }
  return { count, weight: solution.subarray(0, bias), bias: mean.map((value, k) => value + solution[bias + k]!) };
}

interface Problem {
  readonly matrix: FeatureMatrix;
  readonly values: Float64Array;
  readonly rows: Int32Array;
  readonly importance: Float64Array | null;
  readonly penalty: number;
  /** Functions that are fitted together. */
  readonly count: number;
}

/** The normal equations of ridge regressions. Vectors have `count` numbers for each bucket, and the intercepts behind the last one. */
class NormalEquations {
  readonly #problem: Problem;
  /** Buckets with a value in any of the rows. */
  readonly used: Int32Array;
  /** Where a vector's intercepts begin. */
  readonly bias: number;
  readonly #at: Float64Array;

  constructor(problem: Problem) {
    this.#problem = problem;
    this.used = usedBuckets(problem.matrix, problem.values, problem.rows);
    this.bias = gramBuckets * problem.count;
    this.#at = new Float64Array(problem.count);
  }

  vector(): Float64Array {
    return new Float64Array((gramBuckets + 1) * this.#problem.count);
  }

  /** Fills the right side of the equations, for targets around their means; returns the means. */
  centre(targets: readonly Float64Array[], right: Float64Array): Float64Array {
    const { rows, importance, count } = this.#problem;
    let total = 0;
    const mean = new Float64Array(count);
    for (const row of rows) {
      const w = importance === null ? 1 : importance[row]!;
      total += w;
      for (let k = 0; k < count; k++) mean[k]! += w * targets[k]![row]!;
    }
    for (let k = 0; k < count; k++) mean[k]! /= total;
    const at = this.#at;
    for (const row of rows) {
      for (let k = 0; k < count; k++) at[k] = (targets[k]![row]! - mean[k]!) * (importance === null ? 1 : importance[row]!);
      this.#spread(right, row);
    }
    return mean;
  }

  /** The left side times a vector. */
  multiply(vector: Float64Array, product: Float64Array): void {
    const { matrix, values, rows, importance, penalty, count } = this.#problem;
    const [at, bias] = [this.#at, this.bias];
    for (const bucket of this.used)
      for (let k = 0; k < count; k++) product[bucket * count + k] = bucket === gramBuckets ? 0 : penalty * vector[bucket * count + k]!;
    for (const row of rows) {
      for (let k = 0; k < count; k++) at[k] = vector[bias + k]!;
      for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) {
        const value = values[i]!;
        if (value === 0) continue;
        const from = matrix.bucket[i]! * count;
        for (let k = 0; k < count; k++) at[k]! += value * vector[from + k]!;
      }
      if (importance !== null) for (let k = 0; k < count; k++) at[k]! *= importance[row]!;
      this.#spread(product, row);
    }
  }

  /** The scalar product of each function's parts. */
  dots(a: Float64Array, b: Float64Array): Float64Array {
    const { count } = this.#problem;
    const sums = new Float64Array(count);
    for (const bucket of this.used) for (let k = 0; k < count; k++) sums[k]! += a[bucket * count + k]! * b[bucket * count + k]!;
    return sums;
  }

  /** Adds a row's values, times `#at`, to a vector. */
  #spread(into: Float64Array, row: number): void {
    const { matrix, values, count } = this.#problem;
    const [at, bias] = [this.#at, this.bias];
    for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) {
      const value = values[i]!;
      if (value === 0) continue;
      const from = matrix.bucket[i]! * count;
      for (let k = 0; k < count; k++) into[from + k]! += value * at[k]!;
    }
    for (let k = 0; k < count; k++) into[bias + k]! += at[k]!;
  }
}

/** Buckets in which any of the rows has a value, and the bucket of the intercepts. */
function usedBuckets(matrix: FeatureMatrix, values: Float64Array, rows: Int32Array): Int32Array {
  const seen = new Uint8Array(gramBuckets + 1);
  seen[gramBuckets] = 1;
  for (const row of rows)
    for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) if (values[i] !== 0) seen[matrix.bucket[i]!] = 1;
  return Int32Array.from(seen.keys()).filter((bucket) => seen[bucket] === 1);
}

/**
 * Logistic regression on targets 0..1, by iteratively reweighted ridge regressions (Newton's method); `penalty` as scikit-learn's 1/C.
 */
export function logistic(
  matrix: FeatureMatrix,
  values: Float64Array,
  rows: Int32Array,
  targets: Float64Array,
  penalty: number,
  rounds = 6,
): Linear {
  let model: Linear = { weight: new Float64Array(gramBuckets), bias: 0 };
  const working = new Float64Array(matrix.rows);
  const importance = new Float64Array(matrix.rows);
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const at = linearAt(model, matrix, values, row);
      const p = 1 / (1 + Math.exp(-at));
      const slope = Math.max(1e-3, p * (1 - p));
      importance[row] = slope;
      working[row] = at + (targets[row]! - p) / slope;
    }
    model = ridge(matrix, values, rows, working, penalty, importance);
  }
  return model;
}
