import { createHash } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { readBytesLater, withFileLater } from '../../lib/read-file.ts';
import { limits } from '../../lib/limits.ts';
import { modelBytes, modelHeader } from '../../lib/model-file.ts';
import { treeFeatures } from './features.ts';
import { gramBuckets, mostTopics, wordBits } from './grams.ts';
import { RouterModel, type ModelTables } from './model.ts';
import type { ModelHeader } from './types.ts';

/** The model bundled with Sluice; docs/learned-routing.md has its card. */
export const defaultModelFile = fileURLToPath(new URL('../../../models/router-1.model', import.meta.url));

/**
 * A model file: the magic, the header's length in bytes (32 bits, little-endian), the header as JSON, then the tables in the
 * order idf, weight, topic, known, feature, threshold, value, little-endian, without padding, deflated. The card is in the header, so
 * `head -c` shows it.
 */
const magic = Buffer.from('SLUICEROUTER2\n');

const figures = z.strictObject({ apgr: z.number(), ece: z.number(), weakShareAt1: z.number(), weakShareAt3: z.number() });
const curve = z.array(z.number()).min(2).max(256);
const pairSchema = () =>
  z.strictObject({
    weakModel: z.string(),
    strongModel: z.string(),
    rows: z.int(),
    gap: z.number(),
    points: z.array(z.strictObject({ threshold: z.number(), weakShare: z.number(), loss: z.number(), upper: z.number() })).max(256),
  });
const headerSchema = () =>
  z.strictObject({
    format: z.literal(2),
    kind: z.enum(['gain', 'classic']),
    seed: z.int(),
    features: z.array(z.string()),
    idfStep: z.number(),
    weightStep: z.number(),
    bias: z.number(),
    topics: z.array(z.strictObject({ name: z.string().max(128), step: z.number(), bias: z.number() })).max(mostTopics),
    trees: z.int().min(0).max(4096),
    depth: z.int().min(0).max(8),
    treeBase: z.number(),
    treeShare: z.number().min(0).max(1),
    leaning: z
      .strictObject({ from: z.number(), to: z.number() })
      .refine(({ from, to }) => to > from, 'to lies above from')
      .optional(),
    calibration: z
      .strictObject({
        raw: curve,
        home: curve,
        away: curve,
        unknownBelow: z.number(),
        knownAbove: z.number(),
        abstainBelow: z.number(),
        errorHome: z.number().min(0),
        errorAway: z.number().min(0),
        errorDisagreement: z.number().min(0),
      })
      .refine(
        ({ raw, home, away }) =>
          home.length === raw.length && away.length === raw.length && raw.every((value, at) => at === 0 || value > raw[at - 1]!),
        'curves of one length over rising raw scores',
      )
      .refine(({ unknownBelow, knownAbove }) => knownAbove > unknownBelow, 'knownAbove lies above unknownBelow'),
    pairs: z.array(pairSchema()).max(64),
    card: z.strictObject({
      name: z.string(),
      trainedWith: z.string(),
      rows: z.int(),
      dataSha256: z.string(),
      sources: z.array(
        z.strictObject({ source: z.string(), rows: z.int(), licence: z.string(), weakModel: z.string(), strongModel: z.string() }),
      ),
      home: figures,
      away: figures.nullable(),
      newSources: figures.extend({ lowest: z.number() }).nullable().optional(),
      limits: z.array(z.string()),
    }),
  });

/** The bytes of a model file; the same model gives the same bytes. */
export function encodeModel(header: ModelHeader, tables: ModelTables): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const parts = [tables.idf, tables.weight, tables.topic, tables.known, tables.feature, tables.threshold, tables.value];
  const packed = deflateRawSync(Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))), {
    level: 9,
  });
  return Buffer.concat([magic, length, json, packed]);
}

/** Decodes a model file's bytes. Throws SLUICE_MODEL_INVALID, naming `where`, unless it is a complete model of this format. */
export function decodeModel(bytes: Buffer, where: string): RouterModel {
  const bad = (message: string): SluiceError => new SluiceError('SLUICE_MODEL_INVALID', message, { where });
  if (!bytes.subarray(0, magic.length).equals(magic)) throw bad('This is no model file of Sluice, or one of another version.');
  const from = magic.length + 4;
  const headerBytes = bytes.length < from ? 0 : bytes.readUInt32LE(magic.length);
  if (bytes.length < from || headerBytes > bytes.length - from) throw bad('The file ends within its header.');
  const header = modelHeader(bytes.toString('utf8', from, from + headerBytes), where === defaultModelFile ? null : headerSchema, bad);
  const wanted = [...treeFeatures, ...header.topics.map(({ name }) => name)];
  if (header.trees > 0 && (header.features.length !== wanted.length || header.features.some((name, at) => name !== wanted[at]))) {
    throw bad('The model was trained on other features than this version of Sluice computes.');
  }
  const inner = header.trees * (2 ** header.depth - 1);
  const nodes = header.trees * (2 ** (header.depth + 1) - 1);
  const sizes = [gramBuckets, 2 * gramBuckets, header.topics.length * gramBuckets, wordBits / 8, inner, 4 * inner, 4 * nodes];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const unpacked = unpack(bytes.subarray(from + headerBytes), total);
  if (unpacked?.length !== total) throw bad(`The tables are damaged, or are not the ${total} bytes that the header asks for.`);
  let at = 0;
  // Copied because typed arrays need aligned offsets.
  const part = (size: number): ArrayBuffer => {
    const copy = new ArrayBuffer(size);
    new Uint8Array(copy).set(unpacked.subarray(at, at + size));
    at += size;
    return copy;
  };
  const [idf, weight, topic, known, feature, threshold, value] = sizes.map(part) as [
    ArrayBuffer,
    ArrayBuffer,
    ArrayBuffer,
    ArrayBuffer,
    ArrayBuffer,
    ArrayBuffer,
    ArrayBuffer,
  ];
  const tables: ModelTables = {
    idf: new Uint8Array(idf),
    weight: new Int16Array(weight),
    topic: new Int8Array(topic),
    known: new Uint8Array(known),
    feature: new Uint8Array(feature),
    threshold: new Float32Array(threshold),
    value: new Float32Array(value),
  };
  if (tables.feature.some((number) => number >= wanted.length)) throw bad('A tree looks at a feature that does not exist.');
  if (!tables.value.every(Number.isFinite) || tables.threshold.some(Number.isNaN)) throw bad('A tree holds a value that is no number.');
  return new RouterModel(header, tables, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
}

/** Null if the bytes cannot be inflated or inflate to more than `most` bytes. */
function unpack(packed: Buffer, most: number): Buffer | null {
  try {
    return inflateRawSync(packed, { maxOutputLength: most + 1 });
  } catch {
    return null;
  }
}

let bundled: RouterModel | null = null;

/** The model bundled with Sluice, read once: most policies do not ask it. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export function bundledModel(): RouterModel {
  return (bundled ??= decodeModel(modelBytes(defaultModelFile), defaultModelFile));
}

/** Reads a model from a file. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export async function readModel(file: string): Promise<RouterModel> {
  const bytes = await readBytesLater(file);
  if (bytes.length > limits.modelFileBytes)
    throw new SluiceError(
      'SLUICE_MODEL_INVALID',
      `The file has ${bytes.length} bytes, more than the ${limits.modelFileBytes} that are read.`,
      { where: file },
    );
  return decodeModel(bytes, file);
}

/** Writes a model file atomically. */
export async function writeModel(file: string, bytes: Buffer): Promise<void> {
  const next = `${file}.${process.pid}.tmp`;
  await withFileLater(file, async () => {
    await writeFile(next, bytes);
    await rename(next, file);
  });
}
