import { promisify } from 'node:util';
import { deflateRaw, inflateRaw, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { apiNames, apis } from '../../apis/registry.ts';
import { limits } from '../../lib/limits.ts';
import type { CacheEntry } from '../types.ts';

const compress = promisify(deflateRaw);
const expand = promisify(inflateRaw);

/** First byte of every value; any other byte means another version and counts as a miss. */
const version = 2;
const compressedFlag = 1;
/** Bytes of version, flags and length of the facts. */
const prefixBytes = 6;
/** Bodies from this size in bytes are compressed; smaller ones gain little. */
const compressFrom = 1_024;
/** Bodies from this size in bytes are decompressed off the main thread. */
const expandAsyncFrom = 32 * 1024;

const tokens = z.number();
const usage = z.looseObject({
  input: tokens,
  cachedRead: tokens,
  cacheWrite5m: tokens,
  cacheWrite1h: tokens,
  audioInput: tokens,
  output: tokens,
  reasoning: tokens,
  audioOutput: tokens,
  totalInput: tokens,
  totalOutput: tokens,
  raw: z.string(),
});

/** Schema of an entry's facts: other data in the Redis must not become an answer. */
const facts = z.strictObject({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  near: z.string().nullable(),
  api: z.enum(apiNames.filter((name) => apis[name].request.member !== null)),
  form: z.enum(['json', 'sse', 'array']),
  storedAt: z.number(),
  ttlMs: z.number(),
  keepMs: z.number(),
  workspace: z.string(),
  provider: z.string(),
  model: z.string(),
  requestedModel: z.string(),
  tier: z.string().nullable(),
  tags: z.array(z.string()),
  usage: usage.nullable(),
  finishReason: z.string().nullable(),
  tookMs: z.number().nullable(),
});

export type EntryFacts = Omit<CacheEntry, 'body'>;

/** Encodes an entry as one Redis value: version, flags, facts as JSON, body (compressed if worthwhile). */
export async function encodeEntry(entry: CacheEntry): Promise<Buffer> {
  const { body, ...rest } = entry;
  const head = Buffer.from(JSON.stringify(rest));
  const packed = body.length < compressFrom ? body : await compress(body, { level: 3 });
  const compressed = packed.length < body.length;
  const prefix = Buffer.allocUnsafe(prefixBytes);
  prefix.writeUInt8(version, 0);
  prefix.writeUInt8(compressed ? compressedFlag : 0, 1);
  prefix.writeUInt32BE(head.length, 2);
  return Buffer.concat([prefix, head, compressed ? packed : body]);
}

/** Null for anything that `encodeEntry` of this version did not write. Never rejects. */
export async function decodeEntry(value: Buffer): Promise<CacheEntry | null> {
  const head = decodeFacts(value);
  if (head === null) return null;
  const packed = value.subarray(prefixBytes + value.readUInt32BE(2));
  try {
    if ((value[1]! & compressedFlag) === 0) return { ...head, body: Buffer.from(packed) };
    const options = { maxOutputLength: limits.answerBytes };
    return { ...head, body: packed.length < expandAsyncFrom ? inflateRawSync(packed, options) : await expand(packed, options) };
  } catch {
    return null;
  }
}

/** Only the facts, from a value or its beginning; null if they are missing or incomplete. */
export function decodeFacts(value: Buffer): EntryFacts | null {
  if (value.length < prefixBytes || value[0] !== version) return null;
  const length = value.readUInt32BE(2);
  if (value.length < prefixBytes + length) return null;
  try {
    const parsed = facts.safeParse(JSON.parse(value.toString('utf8', prefixBytes, prefixBytes + length)));
    return parsed.success ? (parsed.data as EntryFacts) : null;
  } catch {
    return null;
  }
}
