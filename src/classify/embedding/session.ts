import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { readFileSync } from 'node:fs';
import { SluiceError } from '../../lib/errors.ts';
import { askOf } from './ask.ts';
import { encoderModel } from './encoder.ts';
import { Unigram } from './unigram.ts';
import { WeightsFile } from './weights-file.ts';

/** The part of ONNX Runtime's interface that is used. */
interface Runtime {
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly env: { wasm: { numThreads: number; wasmBinary: Uint8Array } };
}

interface Session {
  run(inputs: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

/** The file of weights in the folder of a sentence model. */
export const weightsName = 'e5-small-q4.bin';

/** Most pieces of words of a prompt that are read: beyond it the beginning and the end. */
const mostPieces = 128;

/** What the model expects before a text. */
const prefix = 'query: ';

/** A sentence model in a folder: makes vectors of length 1 from prompts. */
export class SentenceModel {
  readonly width: number;
  readonly #file: WeightsFile;
  readonly #unigram: Unigram;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #types: Float32Array;
  readonly #positions: Float32Array;
  readonly #row: Float32Array;

  private constructor(file: WeightsFile, runtime: Runtime, session: Session) {
    const { width, positions } = file.shape;
    this.width = width;
    this.#file = file;
    this.#unigram = new Unigram(file.pieces);
    this.#runtime = runtime;
    this.#session = session;
    this.#types = file.numbers('emb.type', width);
    this.#positions = file.numbers('emb.pos', width * positions);
    this.#row = new Float32Array(width);
  }

  /** Opens the model of a folder. Throws SLUICE_EMBEDDING. */
  static async open(folder: string): Promise<SentenceModel> {
    const runtime = runtimeOf(folder);
    const file = new WeightsFile(join(folder, weightsName));
    const session = await runtime.InferenceSession.create(encoderModel(file), { intraOpNumThreads: 1, interOpNumThreads: 1 });
    return new SentenceModel(file, runtime, session);
  }

  /** The vector of a prompt. */
  async embed(prompt: string): Promise<Float32Array> {
    const { width } = this;
    const pieces = this.#unigram.encode(prefix + askOf(prompt), mostPieces);
    const rows = new Float32Array(pieces.length * width);
    for (const [at, piece] of pieces.entries()) {
      this.#file.row('emb.word', piece, this.#row);
      for (let k = 0; k < width; k++) rows[at * width + k] = this.#row[k]! + this.#positions[at * width + k]! + this.#types[k]!;
    }
    const { mean } = await this.#session.run({ rows: new this.#runtime.Tensor('float32', rows, [pieces.length, width]) });
    const vector = mean!.data;
    let sum = 0;
    for (const value of vector) sum += value * value;
    return vector.map((value) => value / Math.sqrt(sum));
  }
}

/** The SHA-256 of a folder's weights, in hex. Throws SLUICE_EMBEDDING if they cannot be read. */
export async function weightsHash(folder: string): Promise<string> {
  const where = join(folder, weightsName);
  const hash = createHash('sha256');
  try {
    for await (const part of createReadStream(where)) hash.update(part as Buffer);
  } catch (cause) {
    throw new SluiceError('SLUICE_EMBEDDING', 'The weights of the sentence model cannot be read.', { where, cause });
  }
  return hash.digest('hex');
}

/** Reads the weights once. Throws SLUICE_EMBEDDING if they are missing, or their SHA-256 is not `expected`. */
export async function checkWeights(folder: string, expected: string): Promise<void> {
  if ((await weightsHash(folder)) !== expected)
    throw new SluiceError('SLUICE_EMBEDDING', 'These are not the weights that the heads of this version were trained with.', {
      where: join(folder, weightsName),
    });
}

/** ONNX Runtime from the folder's own packages: the native one, or the one in WebAssembly, which runs on any machine. */
function runtimeOf(folder: string): Runtime {
  const load = createRequire(resolve(folder, 'index.js'));
  try {
    return load('onnxruntime-node') as Runtime;
  } catch (cause) {
    const place = resolved(load, 'onnxruntime-web/wasm');
    if (place === null)
      throw new SluiceError('SLUICE_EMBEDDING', 'The folder has no ONNX Runtime that runs here.', { where: folder, cause });
    const dist = dirname(place);
    const runtime = load(join(dist, 'ort.wasm.bundle.min.mjs')) as Runtime;
    runtime.env.wasm.numThreads = 1;
    runtime.env.wasm.wasmBinary = readFileSync(join(dist, 'ort-wasm-simd-threaded.wasm'));
    return runtime;
  }
}

function resolved(load: NodeJS.Require, name: string): string | null {
  try {
    return load.resolve(name);
  } catch {
    return null;
  }
}
