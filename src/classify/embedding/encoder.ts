import { encodeOnnx, type Constant, type Node } from './onnx.ts';
import type { WeightsFile } from './weights-file.ts';

/**
 * Largest weight of a byte: 7 bits, since processors without VNNI add pairs of products in 16 bits, which 8 bits would overflow. So the
 * sums are the same on all processors.
 */
const mostWeight = 63;

/** Collects a graph's nodes and constants. */
class Builder {
  readonly nodes: Node[] = [];
  readonly constants: Constant[] = [];

  add(op: string, inputs: readonly string[], output: string, more: Pick<Node, 'domain' | 'attributes'> = {}): string {
    this.nodes.push({ op, inputs, outputs: [output], ...more });
    return output;
  }

  constant(name: string, dims: readonly number[], values: Constant['values']): string {
    this.constants.push({ name, dims, values });
    return name;
  }

  integers(name: string, values: readonly number[]): string {
    return this.constant(name, [values.length], BigInt64Array.from(values, BigInt));
  }

  norm(of: readonly [Float32Array, Float32Array], input: string, name: string, epsilon: number): string {
    const [scale, bias] = of;
    const inputs = [input, this.constant(`${name}.scale`, [scale.length], scale), this.constant(`${name}.bias`, [bias.length], bias)];
    return this.add('LayerNormalization', inputs, name, { attributes: { axis: -1, epsilon: { float: epsilon } } });
  }

  /** A product with integer weights: what comes in is quantised as it comes. */
  product({ weights, bias, width }: Matrix, input: string, name: string): string {
    const count = bias.length;
    const { values, scales } = quantised(weights, width, count);
    const inputs = [
      input,
      this.constant(`${name}.weights`, [width, count], values),
      this.constant(`${name}.scales`, [count], scales),
      '',
      this.constant(`${name}.bias`, [count], bias),
    ];
    return this.add('DynamicQuantizeMatMul', inputs, name, { domain: 'com.microsoft' });
  }
}

/** A row of `width` weights and a bias for each output. */
interface Matrix {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly width: number;
}

/** Integer weights, inputs first, with a scale for each output. */
function quantised(weights: Float32Array, width: number, count: number): { values: Int8Array; scales: Float32Array } {
  const values = new Int8Array(width * count);
  const scales = new Float32Array(count);
  for (let row = 0; row < count; row++) {
    let most = 0;
    for (let k = 0; k < width; k++) most = Math.max(most, Math.abs(weights[row * width + k]!));
    const scale = (scales[row] = Math.max(most, 1e-12) / mostWeight);
    for (let k = 0; k < width; k++) values[k * count + row] = Math.round(weights[row * width + k]! / scale);
  }
  return { values, scales };
}

/**
 * The encoder of a BERT model as an ONNX model. `rows` (pieces × width: word, position and type of each piece added up) comes in, the mean of the
 * pieces' outputs goes out.
 */
export function encoderModel(file: WeightsFile): Buffer {
  const { width, layers, epsilon } = file.shape;
  const graph = new Builder();
  let x = graph.norm([file.numbers('emb.ln.w', width), file.numbers('emb.ln.b', width)], 'rows', 'start', epsilon);
  graph.integers('heads', [0, file.shape.heads, width / file.shape.heads]);
  graph.integers('together', [0, width]);
  graph.integers('parts', [width, width, width]);
  for (let layer = 0; layer < layers; layer++) x = addLayer(graph, file, layer, x);
  graph.add('ReduceMean', [x], 'mean', { attributes: { axes: [0], keepdims: 0 } });
  return encodeOnnx({
    nodes: graph.nodes,
    constants: graph.constants,
    inputs: [{ name: 'rows', dims: ['pieces', width] }],
    outputs: [{ name: 'mean', dims: [width] }],
  });
}

function addLayer(graph: Builder, file: WeightsFile, layer: number, x: string): string {
  const { width, inner, epsilon } = file.shape;
  const of = (name: string): string => `l${layer}.${name}`;
  const matrix = (name: string, from: number, to: number): Matrix => ({
    weights: file.rows(of(`${name}.w`), to, from),
    bias: file.numbers(of(`${name}.b`), to),
    width: from,
  });
  const norm = (name: string, input: string): string =>
    graph.norm([file.numbers(of(`${name}.w`), width), file.numbers(of(`${name}.b`), width)], input, of(name), epsilon);
  const attended = graph.product(matrix('ao', width, width), attention(graph, file, layer, x), of('ao'));
  const between = norm('aln', graph.add('Add', [x, attended], of('attended')));
  const raised = graph.product(matrix('fi', width, inner), between, of('fi'));
  const lowered = graph.product(matrix('fo', inner, width), graph.add('Gelu', [raised], of('gelu'), { domain: 'com.microsoft' }), of('fo'));
  return norm('oln', graph.add('Add', [between, lowered], of('out')));
}

/** Queries, keys and values in one product; the queries' weights carry the scale of the attention. */
function attention(graph: Builder, file: WeightsFile, layer: number, x: string): string {
  const { width, heads } = file.shape;
  const of = (name: string): string => `l${layer}.${name}`;
  const weights = new Float32Array(3 * width * width);
  const bias = new Float32Array(3 * width);
  for (const [at, name] of ['q', 'k', 'v'].entries()) {
    weights.set(file.rows(of(`${name}.w`), width, width), at * width * width);
    bias.set(file.numbers(of(`${name}.b`), width), at * width);
  }
  const scale = Math.sqrt(heads / width);
  for (let k = 0; k < width * width; k++) weights[k]! *= scale;
  for (let k = 0; k < width; k++) bias[k]! *= scale;
  const all = graph.product({ weights, bias, width }, x, of('qkv'));
  const parts = ['q', 'k', 'v'].map(of);
  graph.nodes.push({ op: 'Split', inputs: [all, 'parts'], outputs: parts, attributes: { axis: 1 } });
  const [q, k, v] = parts.map((part, at) => {
    const split = graph.add('Reshape', [part, 'heads'], `${part}.heads`);
    return graph.add('Transpose', [split], `${part}.by`, { attributes: { perm: at === 1 ? [1, 2, 0] : [1, 0, 2] } });
  });
  const shares = graph.add('Softmax', [graph.add('MatMul', [q!, k!], of('near'))], of('shares'), { attributes: { axis: -1 } });
  const seen = graph.add('MatMul', [shares, v!], of('seen'));
  const back = graph.add('Transpose', [seen], of('back'), { attributes: { perm: [1, 0, 2] } });
  return graph.add('Reshape', [back, 'together'], of('context'));
}
