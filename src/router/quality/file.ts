import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { modelBytes, modelHeader } from '../../lib/model-file.ts';
import { gramBuckets } from '../model/grams.ts';
import { mostFunctions, QualityModel, type QualityTables } from './model.ts';
import type { QualityHeader } from './types.ts';

/** The quality model bundled with Sluice; docs/candidates.md has its card. */
export const defaultQualityFile = fileURLToPath(new URL('../../../models/quality-1.model', import.meta.url));

/** A file is the magic, the header's length in bytes (32 bits, little-endian), the header as JSON, then idf and weights, deflated. */
const magic = Buffer.from('SLUICEQUALITY1\n');

const headerSchema = () =>
  z
    .strictObject({
      format: z.literal(1),
      idfStep: z.number(),
      kinds: z.array(z.strictObject({ name: z.string().max(128), rows: z.int().min(1) })).min(1),
      functions: z.array(z.strictObject({ step: z.number(), bias: z.number() })).max(mostFunctions),
      models: z
        .array(
          z.strictObject({
            name: z.string().max(256),
            means: z.array(z.number()),
            loadings: z.array(z.number()),
            tokens: z.array(z.number().min(0)).nullable(),
          }),
        )
        .min(1)
        .max(512),
      apart: z.array(z.array(z.number().min(0))),
      unknownBelow: z.number(),
      knownAbove: z.number(),
      card: z.strictObject({
        name: z.string(),
        trainedWith: z.string(),
        rows: z.int(),
        dataSha256: z.string(),
        sources: z.array(z.strictObject({ source: z.string(), rows: z.int(), licence: z.string() })),
        explained: z.number(),
        limits: z.array(z.string()),
      }),
    })
    .refine(
      ({ kinds, functions, models }) =>
        models.every(
          ({ means, loadings, tokens }) =>
            means.length === kinds.length &&
            (tokens === null || tokens.length === kinds.length) &&
            loadings.length === functions.length - kinds.length,
        ),
      'a mean a kind and a loading a factor',
    )
    .refine(
      ({ kinds, models, apart }) =>
        apart.length === kinds.length && apart.every((list) => list.length === (models.length * (models.length - 1)) / 2),
      'a difference a pair of models and kind',
    )
    .refine(({ knownAbove, unknownBelow }) => knownAbove > unknownBelow, 'knownAbove lies above unknownBelow');

/** Encodes a quality model's file; the same model gives the same bytes. */
export function encodeQuality(header: QualityHeader, { idf, weight }: QualityTables): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([
    magic,
    length,
    json,
    deflateRawSync(Buffer.concat([idf, Buffer.from(weight.buffer, weight.byteOffset, weight.byteLength)]), { level: 9 }),
  ]);
}

/** Decodes a quality model's bytes. Throws SLUICE_MODEL_INVALID, naming `where`, unless it is a complete model of this format. */
export function decodeQuality(bytes: Buffer, where: string): QualityModel {
  const bad = (message: string): SluiceError => new SluiceError('SLUICE_MODEL_INVALID', message, { where });
  if (!bytes.subarray(0, magic.length).equals(magic)) throw bad('This is no quality model of Sluice, or one of another version.');
  const from = magic.length + 4;
  const headerBytes = bytes.length < from ? 0 : bytes.readUInt32LE(magic.length);
  if (bytes.length < from || headerBytes > bytes.length - from) throw bad('The file ends within its header.');
  const header = modelHeader(bytes.toString('utf8', from, from + headerBytes), where === defaultQualityFile ? null : headerSchema, bad);
  const total = gramBuckets * (1 + header.functions.length);
  let unpacked: Buffer | null = null;
  try {
    unpacked = inflateRawSync(bytes.subarray(from + headerBytes), { maxOutputLength: total + 1 });
  } catch {
    // Reported below, like any other wrong size.
  }
  if (unpacked?.length !== total) throw bad(`The tables are damaged, or are not the ${total} bytes that the header asks for.`);
  const idf = new Uint8Array(unpacked.buffer, unpacked.byteOffset, gramBuckets);
  const weight = new Int8Array(unpacked.buffer, unpacked.byteOffset + gramBuckets, total - gramBuckets);
  return new QualityModel(header, { idf, weight }, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
}

let shipped: QualityModel | null = null;

/** The bundled quality model, read once. Throws SluiceError if it is missing or damaged. */
export function shippedQuality(): QualityModel {
  return (shipped ??= readQuality());
}

/** Reads a quality model from a file. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export function readQuality(file: string = defaultQualityFile): QualityModel {
  return decodeQuality(modelBytes(file), file);
}
