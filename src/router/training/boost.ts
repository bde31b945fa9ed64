import { seeded } from './random.ts';

/** Boosted regression trees, complete to `depth`; laid out as in ModelTables. */
export interface Forest {
  readonly trees: number;
  readonly depth: number;
  readonly base: number;
  readonly feature: Uint8Array;
  readonly threshold: Float32Array;
  readonly value: Float32Array;
}

export interface BoostOptions {
  readonly trees: number;
  readonly depth: number;
  readonly rate: number;
  /** Fewest rows per leaf. */
  readonly leaf: number;
  /** Added to a leaf's count to shrink its value to zero. */
  readonly shrink: number;
  /** Shares of rows and of features used for each tree. */
  readonly rowShare: number;
  readonly featureShare: number;
  readonly seed: number;
}

/** Most bins per feature. */
const mostBins = 32;

/** Gradient boosting on squared error with histograms. `columns`: one per feature; `rows`: rows to learn from. Deterministic by seed. */
export function boost(columns: readonly Float64Array[], rows: Int32Array, targets: Float64Array, options: BoostOptions): Forest {
  const booster = new Booster(columns, rows, targets, options);
  for (let tree = 0; tree < options.trees; tree++) booster.add(tree);
  return booster.forest;
}

/** The feature and the bin at which a node divides its rows. */
interface Split {
  readonly feature: number;
  readonly bin: number;
}

class Booster {
  readonly forest: Forest;
  readonly #columns: readonly Float64Array[];
  readonly #rows: Int32Array;
  readonly #options: BoostOptions;
  readonly #random: () => number;
  readonly #edges: readonly (readonly number[] | Float64Array)[];
  readonly #bins: readonly Uint8Array[];
  readonly #residual: Float64Array;
  /** Inner nodes of a tree, and all of its nodes. */
  readonly #inner: number;
  readonly #all: number;
  readonly #sums = new Float64Array(mostBins);
  readonly #counts = new Int32Array(mostBins);

  constructor(columns: readonly Float64Array[], rows: Int32Array, targets: Float64Array, options: BoostOptions) {
    const { trees, depth, seed } = options;
    this.#columns = columns;
    this.#rows = rows;
    this.#options = options;
    this.#random = seeded(seed);
    const count = columns[0]!.length;
    const edges = columns.map((column) => binEdges(column, rows));
    this.#edges = edges;
    this.#bins = columns.map((column, at) => {
      const binned = new Uint8Array(count);
      for (const row of rows) binned[row] = binOf(edges[at]!, column[row]!);
      return binned;
    });
    let base = 0;
    for (const row of rows) base += targets[row]!;
    base /= rows.length;
    this.#residual = new Float64Array(count);
    for (const row of rows) this.#residual[row] = targets[row]! - base;
    this.#inner = 2 ** depth - 1;
    this.#all = 2 * this.#inner + 1;
    this.forest = {
      trees,
      depth,
      base,
      feature: new Uint8Array(trees * this.#inner),
      threshold: new Float32Array(trees * this.#inner).fill(Infinity),
      value: new Float32Array(trees * this.#all),
    };
  }

  /** Grows the next tree on a sample of rows and features, and takes what it explains from the residuals. */
  add(tree: number): void {
    const { rowShare, featureShare } = this.#options;
    const sample = rowShare < 1 ? this.#rows.filter(() => this.#random() < rowShare) : this.#rows;
    const features = this.#columns.map((_, at) => at).filter((at) => this.#random() < featureShare && this.#edges[at]!.length > 0);
    this.#grow(tree, 0, 0, sample, features);
    for (const row of this.#rows) this.#residual[row]! -= leafAt(this.forest, tree, this.#columns, row);
  }

  #grow(tree: number, node: number, level: number, members: Int32Array, features: readonly number[]): void {
    const { depth, rate, leaf, shrink } = this.#options;
    const residual = this.#residual;
    let total = 0;
    for (const row of members) total += residual[row]!;
    const answer = (rate * total) / (members.length + shrink);
    this.forest.value[tree * this.#all + node] = answer;
    if (level === depth) return;
    const split = members.length < 2 * leaf ? null : this.#bestSplit(members, total, features);
    if (split === null) {
      // No split: everything goes left (thresholds start at infinity), and every node below has the same value.
      this.#fill(tree, 2 * node + 1, answer);
      this.#fill(tree, 2 * node + 2, answer);
      return;
    }
    this.forest.feature[tree * this.#inner + node] = split.feature;
    this.forest.threshold[tree * this.#inner + node] = this.#edges[split.feature]![split.bin]!;
    const binned = this.#bins[split.feature]!;
    const left = members.filter((row) => binned[row]! <= split.bin);
    const right = members.filter((row) => binned[row]! > split.bin);
    this.#grow(tree, 2 * node + 1, level + 1, left, features);
    this.#grow(tree, 2 * node + 2, level + 1, right, features);
  }

  #fill(tree: number, node: number, answer: number): void {
    if (node >= this.#all) return;
    this.forest.value[tree * this.#all + node] = answer;
    this.#fill(tree, 2 * node + 1, answer);
    this.#fill(tree, 2 * node + 2, answer);
  }

  #bestSplit(members: Int32Array, total: number, features: readonly number[]): Split | null {
    const { leaf, shrink } = this.#options;
    const [residual, sums, counts] = [this.#residual, this.#sums, this.#counts];
    const whole = (total * total) / (members.length + shrink);
    let best = 1e-9;
    let found: Split | null = null;
    for (const feature of features) {
      const binned = this.#bins[feature]!;
      const size = this.#edges[feature]!.length + 1;
      sums.fill(0, 0, size);
      counts.fill(0, 0, size);
      for (const row of members) {
        const bin = binned[row]!;
        sums[bin]! += residual[row]!;
        counts[bin]!++;
      }
      let left = 0;
      let below = 0;
      for (let bin = 0; bin < size - 1; bin++) {
        left += sums[bin]!;
        below += counts[bin]!;
        if (below < leaf) continue;
        const above = members.length - below;
        if (above < leaf) break;
        const win = (left * left) / (below + shrink) + ((total - left) * (total - left)) / (above + shrink) - whole;
        if (win <= best) continue;
        best = win;
        found = { feature, bin };
      }
    }
    return found;
  }
}

/** The prediction of a forest for a row. */
export function forestAt(forest: Forest, columns: readonly Float64Array[], row: number): number {
  let sum = forest.base;
  for (let tree = 0; tree < forest.trees; tree++) sum += leafAt(forest, tree, columns, row);
  return sum;
}

/** Combines forests of one depth into one whose prediction is their mean. */
export function meanForest(forests: readonly Forest[]): Forest {
  const [first] = forests;
  if (first === undefined) throw new Error('no forest');
  const share = 1 / forests.length;
  const join = <T extends Uint8Array | Float32Array>(make: new (length: number) => T, pick: (forest: Forest) => T): T => {
    const joined = new make(forests.reduce((sum, forest) => sum + pick(forest).length, 0));
    let at = 0;
    for (const forest of forests) {
      joined.set(pick(forest), at);
      at += pick(forest).length;
    }
    return joined;
  };
  return {
    trees: forests.reduce((sum, { trees }) => sum + trees, 0),
    depth: first.depth,
    base: forests.reduce((sum, { base }) => sum + base, 0) * share,
    feature: join(Uint8Array, ({ feature }) => feature),
    threshold: join(Float32Array, ({ threshold }) => threshold),
    value: join(Float32Array, ({ value }) => value).map((value) => value * share),
  };
}

function leafAt(forest: Forest, tree: number, columns: readonly Float64Array[], row: number): number {
  const inner = 2 ** forest.depth - 1;
  let node = 0;
  while (node < inner) {
    const at = tree * inner + node;
    node = 2 * node + (columns[forest.feature[at]!]![row]! < forest.threshold[at]! ? 1 : 2);
  }
  return forest.value[tree * (2 * inner + 1) + node]!;
}

/** Edges at equal shares of the rows, rising, above the minimum; rounded as in the file. */
function binEdges(column: Float64Array, rows: Int32Array): Float64Array {
  const sorted = Float64Array.from(rows, (row) => column[row]!).sort();
  const edges: number[] = [];
  for (let bin = 1; bin < mostBins; bin++) {
    const edge = Math.fround(sorted[Math.floor((bin * sorted.length) / mostBins)]!);
    if (edge > sorted[0]! && (edges.length === 0 || edge > edges.at(-1)!)) edges.push(edge);
  }
  return Float64Array.from(edges);
}

/** Number of edges that a value has reached. */
function binOf(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value >= edges[middle]!) low = middle + 1;
    else high = middle;
  }
  return low;
}
