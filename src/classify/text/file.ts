import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { modelBytes, modelHeader } from '../../lib/model-file.ts';
import { kinds } from './grams.ts';
import { outputs, textFields, textTasks } from './heads.ts';
import { TextModel, type TextModelHeader, type TextModelTables } from './model.ts';

/** The text model that ships with Sluice; docs/classifier.md has its model card. */
export const textModelFile = fileURLToPath(new URL('../../../models/text-1.model', import.meta.url));

/**
 * A model file: the magic, the header's length in bytes (32 bits, little-endian), the header as JSON, then hashes, frequencies and weights,
 * little-endian, without padding, packed by Brotli. The model card is in the header, so `head -c` shows it.
 */
const magic = Buffer.from('SLUICETEXT3\n');

const numbers = (count: number) => z.array(z.number()).length(count);
const headerSchema = () =>
  z.strictObject({
    format: z.literal(3),
    tasks: z.array(z.string()),
    fields: z.array(z.string()),
    rows: z.int().min(0).max(1_000_000),
    steps: numbers(outputs),
    bias: numbers(outputs),
    odds: z.strictObject({ languages: z.array(z.string()), elsewhere: z.number().min(0).max(1), add: numbers(textTasks.length) }),
    kindScale: numbers(kinds),
    temperature: z.strictObject({ task: z.number().positive(), field: z.number().positive(), tier: z.number().positive() }),
    score: z
      .strictObject({
        mean: z.number(),
        slope: z.number(),
        cuts: z.tuple([z.number(), z.number()]),
        power: z.number(),
        house: z.strictObject({ power: z.number(), bias: z.number(), steep: z.number() }),
        routine: z.number(),
        routineFrom: z.number(),
        routineUnless: z.number(),
        delicate: z.number(),
        delicateFrom: z.number(),
        delicateUnless: z.number(),
        from: z.array(z.number()).min(2).max(32),
        to: z.array(z.number()).min(2).max(32),
      })
      .refine(
        ({ from, to }) => from.length === to.length && from.every((value, at) => at === 0 || value > from[at - 1]!),
        'a curve over rising values',
      ),
    card: z.strictObject({
      name: z.string(),
      trainedWith: z.string(),
      sources: z.array(z.strictObject({ name: z.string(), rows: z.int(), licence: z.string() })),
      measured: z.record(z.string(), z.number()),
      limits: z.array(z.string()),
    }),
  });

/** The bytes of a model file; the same model gives the same bytes. */
export function encodeTextModel(header: TextModelHeader, { hashes, idf, weights }: TextModelTables): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const tables = Buffer.concat([hashes, idf, weights].map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
  return Buffer.concat([
    magic,
    length,
    json,
    brotliCompressSync(tables, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } }),
  ]);
}

/** Reads a model file's bytes. Throws SLUICE_MODEL_INVALID, naming `where`, if they are not a complete model of this format. */
export function decodeTextModel(bytes: Buffer, where: string): TextModel {
  const bad = (message: string): SluiceError => new SluiceError('SLUICE_MODEL_INVALID', message, { where });
  const from = magic.length + 4;
  if (!bytes.subarray(0, magic.length).equals(magic)) throw bad('This is not a text model of Sluice, or one of another version.');
  const headerBytes = bytes.length < from ? 0 : bytes.readUInt32LE(magic.length);
  if (bytes.length < from || headerBytes > bytes.length - from) throw bad('The file ends within its header.');
  const header = modelHeader(bytes.toString('utf8', from, from + headerBytes), where === textModelFile ? null : headerSchema, bad);
  if (header.tasks.join() !== textTasks.join() || header.fields.join() !== textFields.join())
    throw bad('The model was trained for other tasks or fields than this version of Sluice has.');
  const sizes = [4 * header.rows, header.rows, outputs * header.rows] as const;
  const total = sizes[0] + sizes[1] + sizes[2];
  let unpacked: Buffer | null = null;
  try {
    unpacked = brotliDecompressSync(bytes.subarray(from + headerBytes), { maxOutputLength: total + 1 });
  } catch {
    // Reported below.
  }
  if (unpacked?.length !== total) throw bad(`The tables are damaged, or are not the ${total} bytes that the header asks for.`);
  const tables = aligned(unpacked);
  return new TextModel(
    header,
    {
      hashes: new Uint32Array(tables.buffer, tables.byteOffset, header.rows),
      idf: tables.subarray(sizes[0], sizes[0] + sizes[1]),
      weights: new Int8Array(tables.buffer, tables.byteOffset + sizes[0] + sizes[1], sizes[2]),
    },
    createHash('sha256').update(bytes).digest('hex').slice(0, 16),
  );
}

/** The bytes at a place where numbers of 32 bits may begin: where they are, or a copy. */
function aligned(bytes: Buffer): Uint8Array {
  return bytes.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
}

let shipped: TextModel | null = null;

/** The text model that ships with Sluice, read once per process. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export function textModel(): TextModel {
  return (shipped ??= readTextModel(textModelFile));
}

/** Reads a text model from a file. Throws SLUICE_FILE_UNREADABLE or SLUICE_MODEL_INVALID. */
export function readTextModel(file: string): TextModel {
  return decodeTextModel(modelBytes(file), file);
}
