import { gramBuckets } from '../classify/learned/grams.ts';
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

/**
 * Ridge regression with a free intercept, by conjugate gradients on the normal equations: minimises
 * Σ w_i (y_i − f(x_i))² + penalty · |weights|². `targets` and `importance` are indexed by the matrix's rows.
 */
export function ridge(matrix: FeatureMatrix, values: Float64Array, rows: Int32Array, targets: Float64Array, penalty: number, importance: Float64Array | null = null, steps = 40): Linear {
  const bias = gramBuckets;
  const solution = new Float64Array(gramBuckets + 1);
  const residual = new Float64Array(gramBuckets + 1);
  const product = new Float64Array(gramBuckets + 1);
  let total = 0;
  let mean = 0;
  for (const row of rows) {
    const w = importance === null ? 1 : importance[row]!;
    total += w;
    mean += w * targets[row]!;
  }
  mean /= total;
  const spread = (into: Float64Array, row: number, value: number): void => {
    for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) into[matrix.bucket[i]!]! += value * values[i]!;
    into[bias]! += value;
  };
  for (const row of rows) spread(residual, row, (targets[row]! - mean) * (importance === null ? 1 : importance[row]!));
  const direction = Float64Array.from(residual);
  let error = dot(residual, residual);
  const enough = error * 1e-8;
  for (let step = 0; step < steps && error > enough; step++) {
    for (let j = 0; j < gramBuckets; j++) product[j] = penalty * direction[j]!;
    product[bias] = 0;
    for (const row of rows) {
      let at = direction[bias]!;
      for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) at += values[i]! * direction[matrix.bucket[i]!]!;
      spread(product, row, importance === null ? at : at * importance[row]!);
    }
    const size = error / dot(direction, product);
    for (let j = 0; j <= gramBuckets; j++) {
      solution[j]! += size * direction[j]!;
      residual[j]! -= size * product[j]!;
    }
    const next = dot(residual, residual);
    const turn = next / error;
    error = next;
    for (let j = 0; j <= gramBuckets; j++) direction[j] = residual[j]! + turn * direction[j]!;
  }
  return { weight: solution.subarray(0, gramBuckets), bias: mean + solution[bias]! };
}

/**
 * Logistic regression on targets 0..1, by iteratively reweighted ridge regressions (Newton's method); `penalty` as scikit-learn's 1/C.
 */
export function logistic(matrix: FeatureMatrix, values: Float64Array, rows: Int32Array, targets: Float64Array, penalty: number, rounds = 6): Linear {
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

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
