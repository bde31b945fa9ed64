import { outputs, head } from './heads.ts';
import { exampleOf, type Example, type Hashed, type TextRow, type TrainOptions } from './example.ts';

interface RidgeInput {
  readonly rows: readonly TextRow[];
  readonly hashed: readonly Hashed[];
  readonly places: ReadonlyMap<number, number>;
  readonly idf: Float32Array;
  readonly options: TrainOptions;
  readonly weights: Float32Array;
  /** The kind of each n-gram. */
  readonly kindOf: ReadonlyMap<number, number>;
}

/**
 * Replaces the level's weights by those of a ridge regression on levels 1 to 5, solved by conjugate gradients. The level's output is then
 * the expected level minus the rows' mean, which is returned.
 */
export function ridgeLevel({ rows, hashed, places, idf, options, weights, kindOf }: RidgeInput): number {
  const labelled = rows.map((_, i) => i).filter((i) => rows[i]!.level !== null);
  const scale = options.ridge.kindScale;
  const x = labelled.map((i) => exampleOf(hashed[i]!, rows[i]!, places, idf, scale));
  const mean = labelled.reduce((sum, i) => sum + rows[i]!.level!, 0) / Math.max(1, labelled.length);
  const wanted = new Float64Array(places.size);
  x.forEach(({ at, x: values, row }) => at.forEach((place, j) => (wanted[place]! += values[j]! * (row.level! - mean))));
  const solution = conjugateGradients(x, wanted, options.ridge.pull);
  // At run time an n-gram is scaled as for the other heads.
  for (const [hash, place] of places) {
    const kind = kindOf.get(hash)!;
    weights[place * outputs + head.level] = (solution[place]! * idf[place]! * scale[kind]!) / options.kindScale[kind]!;
  }
  return mean;
}

/** Solves (XᵀX + pull) w = wanted. */
function conjugateGradients(x: readonly Example[], wanted: Float64Array, pull: number): Float64Array {
  const n = wanted.length;
  const w = new Float64Array(n);
  const rest = wanted.slice();
  const way = wanted.slice();
  let size = dot(rest, rest);
  for (let turn = 0; turn < 40 && size > 1e-6; turn++) {
    const image = new Float64Array(n);
    for (const { at, x: values } of x) {
      let sum = 0;
      for (let j = 0; j < at.length; j++) sum += values[j]! * way[at[j]!]!;
      for (let j = 0; j < at.length; j++) image[at[j]!]! += sum * values[j]!;
    }
    for (let k = 0; k < n; k++) image[k]! += pull * way[k]!;
    const step = size / dot(way, image);
    for (let k = 0; k < n; k++) {
      w[k]! += step * way[k]!;
      rest[k]! -= step * image[k]!;
    }
    const next = dot(rest, rest);
    for (let k = 0; k < n; k++) way[k] = rest[k]! + (next / size) * way[k]!;
    size = next;
  }
  return w;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}
