/** Writes models in ONNX's format (protocol buffers; field numbers as in onnx.proto). */

/** What a node's attribute may be. */
type Attribute = number | { readonly float: number } | readonly number[];

/** A constant: its bytes are little-endian, as numbers of JavaScript's arrays are on all machines that Sluice runs on. */
export interface Constant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array | Int8Array | BigInt64Array;
}

export interface Node {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
  /** Names and dimensions of what comes in and goes out, numbers of single precision; a dimension of any size has a name. */
  readonly inputs: readonly { readonly name: string; readonly dims: readonly (number | string)[] }[];
  readonly outputs: readonly { readonly name: string; readonly dims: readonly (number | string)[] }[];
}

const float = 1;
const elementType = (values: Constant['values']): number => (values instanceof Float32Array ? float : values instanceof Int8Array ? 3 : 7);

/** The bytes of a model. */
export function encodeOnnx({ nodes, constants, inputs, outputs }: Graph): Buffer {
  const graph = Buffer.concat([
    ...nodes.map((node) => message(1, nodeBytes(node))),
    text(2, 'encoder'),
    ...constants.map((constant) => message(5, constantBytes(constant))),
    ...inputs.map((value) => message(11, valueBytes(value))),
    ...outputs.map((value) => message(12, valueBytes(value))),
  ]);
  const opset = (domain: string, version: number): Buffer => message(8, Buffer.concat([text(1, domain), whole(2, version)]));
  return Buffer.concat([whole(1, 8), text(2, 'sluice'), opset('', 17), opset('com.microsoft', 1), message(7, graph)]);
}

function nodeBytes({ op, domain, inputs, outputs, attributes = {} }: Node): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, attributeBytes(name, value))),
    ...(domain === undefined ? [] : [text(7, domain)]),
  ]);
}

function attributeBytes(name: string, value: Attribute): Buffer {
  if (typeof value === 'number') return Buffer.concat([text(1, name), whole(3, value), whole(20, 2)]);
  if ('float' in value) return Buffer.concat([text(1, name), single(2, value.float), whole(20, 1)]);
  return Buffer.concat([text(1, name), ...value.map((one) => whole(8, one)), whole(20, 7)]);
}

function constantBytes({ name, dims, values }: Constant): Buffer {
  return Buffer.concat([
    ...dims.map((dim) => whole(1, dim)),
    whole(2, elementType(values)),
    text(8, name),
    message(9, Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  ]);
}

function valueBytes({ name, dims }: Graph['inputs'][number]): Buffer {
  const shape = Buffer.concat(dims.map((dim) => message(1, typeof dim === 'number' ? whole(1, dim) : text(2, dim))));
  return Buffer.concat([text(1, name), message(2, message(1, Buffer.concat([whole(1, float), message(2, shape)])))]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function whole(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function single(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), bytes]);
}

function message(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value));
}
