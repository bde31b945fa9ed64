import { headerText } from './header-text.ts';
import type { Body, HeaderMap, HeaderMutation } from '../lib/headers.ts';
import type { KnownOfCaller, MetadataValue, SluiceMetadata } from '../exchange/plans.ts';
import type { Phase, ProcessingRequest, Reply } from './types.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

/** The metadata namespace in which the request side stores facts for the response side and for Envoy itself. */
export const metadataNamespace = 'sluice';

/** Maximum depth to which a metadata Struct is decoded. Sluice's own is flat. */
const structDepth = 8;

/**
 * Headers as a view of the message's bytes, scanned for each lookup: few headers are looked up, so a scan is cheaper than building a table.
 */
class WireHeaders implements HeaderMap {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #to: number;
  /** The scan's position: the next header, and the name and value of the current one. */
  #at = 0;
  #name = 0;
  #nameEnd = 0;
  #value = 0;
  #valueEnd = 0;
  #utf8 = false;
  /** The last lookup: the same few headers name a request's API and are looked up again and again. */
  #lastName: string | null = null;
  #lastValue: string | undefined;

  /** Bytes `from` to `to` are a HeaderMap. Throws WireError on a malformed one. */
  constructor(bytes: Buffer, from: number, to: number) {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    const reader = headersReader.begin(bytes, from, to);
    while (reader.next()) {
      if (reader.field === 1) checkHeader(reader);
      else reader.skip();
    }
  }

  get(name: string): string | undefined {
    if (name !== this.#lastName) {
      this.#lastName = name;
      this.#lastValue = this.#find(name);
    }
    return this.#lastValue;
  }

  #find(name: string): string | undefined {
    this.#at = this.#from;
    while (this.#next()) if (this.#nameEnd - this.#name === name.length && this.#isName(name)) return this.#text();
    return undefined;
  }

  repeated(name: string): boolean {
    let seen = false;
    this.#at = this.#from;
    while (this.#next()) {
      if (this.#nameEnd - this.#name !== name.length || !this.#isName(name)) continue;
      if (seen) return true;
      seen = true;
    }
    return false;
  }

  *entries(): Iterable<readonly [string, string]> {
    for (let at = this.#from; ; at = this.#at) {
      this.#at = at;
      if (!this.#next()) return;
      const next = this.#at;
      yield [this.#bytes.toString('latin1', this.#name, this.#nameEnd), this.#text()];
      this.#at = next;
    }
  }

  /** Moves to the next header. The bytes were validated: every field in them can be skipped. */
  #next(): boolean {
    while (this.#at < this.#to) {
      const tag = this.#varint();
      if (tag !== headerTag) {
        this.#pass(tag);
        continue;
      }
      const end = this.#varint() + this.#at;
      this.#name = this.#nameEnd = this.#value = this.#valueEnd = 0;
      while (this.#at < end) {
        const part = this.#varint();
        if (part === nameTag) {
          this.#nameEnd = this.#varint() + this.#at;
          this.#name = this.#at;
          this.#at = this.#nameEnd;
        } else if (part === valueTag || part === rawValueTag) {
          // Envoy sends either value or raw_value.
          this.#valueEnd = this.#varint() + this.#at;
          this.#value = this.#at;
          this.#at = this.#valueEnd;
          this.#utf8 = part === valueTag;
        } else this.#pass(part);
      }
      return true;
    }
    return false;
  }

  #varint(): number {
    let result = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++]!;
      if (shift < 32) result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
  }

  #pass(tag: number): void {
    const type = tag & 7;
    if (type === 0) this.#varint();
    else if (type === 1) this.#at += 8;
    else if (type === 5) this.#at += 4;
    else {
      const length = this.#varint();
      this.#at += length;
    }
  }

  #isName(name: string): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) if (bytes[this.#name + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #text(): string {
    return this.#bytes.toString(this.#utf8 ? 'utf8' : 'latin1', this.#value, this.#valueEnd);
  }
}

/** Tags of HeaderMap.headers and of HeaderValue's key, value and raw_value, all length-delimited. */
const headerTag = (1 << 3) | 2;
const nameTag = (1 << 3) | 2;
const valueTag = (2 << 3) | 2;
const rawValueTag = (3 << 3) | 2;

/** Validates a header's encoding. Throws WireError. */
function checkHeader(reader: WireReader): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field <= 3) reader.pass();
    else reader.skip();
  }
  reader.leave(outer);
}

const nothing: Buffer = Buffer.alloc(0);
/** Shared by all messages: each is read synchronously. */
const messageReader = new WireReader(nothing);
const headersReader = new WireReader(nothing);

/** Decodes a ProcessingRequest. Bodies are views of `bytes`. Throws WireError on malformed bytes or a missing phase. */
export function decodeRequest(bytes: Buffer): ProcessingRequest {
  try {
    return readRequest(bytes, messageReader.begin(bytes));
  } finally {
    // A body may be large: the readers must not keep it.
    messageReader.begin(nothing);
    headersReader.begin(nothing);
  }
}

function readRequest(bytes: Buffer, reader: WireReader): ProcessingRequest {
  let phase: Phase | null = null;
  let metadata: ProcessingRequest['metadata'] = null;
  let observability = false;
  let known: KnownOfCaller | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        phase = decodeHeaders('request-headers', bytes, reader);
        break;
      case 3:
        phase = decodeHeaders('response-headers', bytes, reader);
        break;
      case 4:
        phase = decodeBody('request-body', reader);
        break;
      case 5:
        phase = decodeBody('response-body', reader);
        break;
      case 6:
        reader.skip();
        phase = { kind: 'request-trailers' };
        break;
      case 7:
        reader.skip();
        phase = { kind: 'response-trailers' };
        break;
      case 8:
        reader.pass();
        if (reader.to === reader.from) break;
        metadata = decodeMetadata(new WireReader(bytes, reader.from, reader.to)) ?? metadata;
        known = knownIn(bytes.subarray(reader.from, reader.to));
        break;
      case 10:
        observability = reader.number() !== 0;
        break;
      default:
        reader.skip();
    }
  }
  if (phase === null) throw new WireError('no phase in the request');
  return known === undefined ? { phase, metadata, observability } : { phase, metadata, observability, known };
}

function decodeHeaders(kind: 'request-headers' | 'response-headers', bytes: Buffer, reader: WireReader): Phase {
  let headers: HeaderMap | null = null;
  let endOfStream = false;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) {
      reader.pass();
      headers = new WireHeaders(bytes, reader.from, reader.to);
    } else if (reader.field === 3) endOfStream = reader.number() !== 0;
    else reader.skip();
  }
  reader.leave(outer);
  return { kind, headers: headers ?? new WireHeaders(bytes, 0, 0), endOfStream };
}

const emptyBody: Buffer = Buffer.alloc(0);

function decodeBody(kind: 'request-body' | 'response-body', reader: WireReader): Phase {
  let body = emptyBody;
  let endOfStream = false;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) body = reader.bytes();
    else if (reader.field === 2) endOfStream = reader.number() !== 0;
    else reader.skip();
  }
  reader.leave(outer);
  return { kind, body, endOfStream };
}

/** Metadata from filters before Sluice's, decoded when the policy needs it. Metadata that cannot be decoded is ignored. */
function knownIn(bytes: Buffer): KnownOfCaller {
  return (namespace) => {
    try {
      return decodeMetadata(new WireReader(bytes), namespace);
    } catch {
      return null;
    }
  };
}

/** envoy.config.core.v3.Metadata: only one namespace is decoded, by default Sluice's own; null if it is missing. Throws WireError. */
function decodeMetadata(reader: WireReader, namespace = metadataNamespace): Record<string, unknown> | null {
  let found: Record<string, unknown> | null = null;
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const entry = reader.message();
    let key = '';
    let value: WireReader | null = null;
    while (entry.next()) {
      if (entry.field === 1) key = entry.string();
      else if (entry.field === 2) value = entry.message();
      else entry.skip();
    }
    if (key === namespace && value !== null) found = decodeStruct(value, 0);
  }
  return found;
}

function decodeStruct(reader: WireReader, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const entry = reader.message();
    let key = '';
    let value: unknown = null;
    while (entry.next()) {
      if (entry.field === 1) key = entry.string();
      else if (entry.field === 2) value = decodeValue(entry.message(), depth + 1);
      else entry.skip();
    }
    result[key] = value;
  }
  return result;
}

function decodeValue(reader: WireReader, depth: number): unknown {
  if (depth > structDepth) throw new WireError('metadata nested too deep');
  let value: unknown = null;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        value = reader.double();
        break;
      case 3:
        value = reader.string();
        break;
      case 4:
        value = reader.number() !== 0;
        break;
      case 5:
        value = decodeStruct(reader.message(), depth);
        break;
      case 6:
        value = decodeList(reader.message(), depth + 1);
        break;
      default:
        reader.skip();
        value = null;
    }
  }
  return value;
}

function decodeList(reader: WireReader, depth: number): unknown[] {
  const values: unknown[] = [];
  while (reader.next()) {
    if (reader.field === 1) values.push(decodeValue(reader.message(), depth));
    else reader.skip();
  }
  return values;
}

/** ProcessingResponse fields of the replies, by the phase they answer. */
const replyField: Record<Phase['kind'], number> = {
  'request-headers': 1,
  'response-headers': 2,
  'request-body': 3,
  'response-body': 4,
  'request-trailers': 5,
  'response-trailers': 6,
};

const overwriteIfExistsOrAdd = 2;
const bodyModes = { NONE: 0, BUFFERED: 2, BUFFERED_PARTIAL: 3 } as const;
const send = 1;
const skip = 2;

/** Shared by all replies: each is written synchronously. */
const writer = new WireWriter();

/** Encodes one ProcessingResponse. */
export function encodeReply(reply: Reply): Buffer {
  const pieces = encodeReplyPieces(reply, 0);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** The same after `lead` bytes that the caller fills, in pieces: a large body is a piece of its own, not copied. */
export function encodeReplyPieces(reply: Reply, lead: number): Buffer[] {
  writer.begin();
  writeReply(reply);
  return writer.finish(lead);
}

/** Last field first, as the writer requires. */
function writeReply(reply: Reply): void {
  switch (reply.kind) {
    case 'wait':
      writer.varint(2, (reply.ms % 1_000) * 1_000_000);
      writer.varint(1, Math.floor(reply.ms / 1_000));
      writer.message(10, 0);
      return;
    case 'chunk':
      if (reply.endOfStream) writer.varint(2, 1);
      writer.bytes(1, reply.body);
      for (const field of [3, 3, 1, replyField['response-body']]) writer.message(field, 0);
      return;
    case 'immediate':
      writeMetadata(reply.metadata);
      writeImmediate(reply, writer.length);
      return;
    case 'continue':
      writeMetadata(reply.metadata);
      if (reply.phase === 'request-trailers' || reply.phase === 'response-trailers') writer.message(replyField[reply.phase], writer.length);
      else writeContinue(reply, writer.length);
  }
}

function writeImmediate(reply: Reply & { readonly kind: 'immediate' }, end: number): void {
  writer.string(5, reply.details);
  writer.bytes(3, reply.body);
  writeHeaders(reply.headers, undefined);
  const status = writer.length;
  writer.varint(1, reply.status);
  writer.message(1, status);
  writer.message(7, end);
}

function writeContinue(reply: Reply & { readonly kind: 'continue' }, begin: number): void {
  const { requestBodyMode, responseBodyMode } = reply;
  if (requestBodyMode !== undefined || responseBodyMode !== undefined) {
    // Every mode is set: an omitted field would mean the protocol's default, not the filter's.
    writer.varint(6, skip);
    writer.varint(5, skip);
    writer.varint(4, bodyModes[responseBodyMode ?? 'NONE']);
    writer.varint(3, bodyModes[requestBodyMode ?? 'NONE']);
    writer.varint(2, reply.phase === 'request-headers' && reply.expectResponse === true ? send : skip);
    writer.varint(1, send);
    writer.message(9, begin);
  }
  const end = writer.length;
  if (reply.clearRouteCache === true) writer.varint(5, 1);
  if (reply.body !== undefined) {
    const mutation = writer.length;
    writer.bytes(1, reply.body);
    writer.message(3, mutation);
  }
  if (reply.headers !== undefined || reply.body !== undefined) writeHeaders(reply.headers, reply.body);
  if (writer.length > end) writer.message(1, end);
  writer.message(replyField[reply.phase], end);
}

/** A replaced body needs its content-length: Envoy answers 500 without it. */
function writeHeaders(mutation: HeaderMutation | undefined, body: Body | undefined): void {
  const end = writer.length;
  if (mutation !== undefined) for (let at = mutation.remove.length - 1; at >= 0; at--) writer.string(2, mutation.remove[at]!);
  if (body !== undefined) writeHeader('content-length', String(lengthOf(body)));
  if (mutation !== undefined)
    for (let at = mutation.set.length - 1; at >= 0; at--) writeHeader(mutation.set[at]![0], headerText(mutation.set[at]![1]));
  writer.message(2, end);
}

function lengthOf(body: Body): number {
  if (Buffer.isBuffer(body)) return body.length;
  let length = 0;
  for (const piece of body) length += piece.length;
  return length;
}

/** `value` is ASCII. */
function writeHeader(name: string, value: string): void {
  const end = writer.length;
  writer.varint(3, overwriteIfExistsOrAdd);
  const pair = writer.length;
  writer.string(3, value);
  writer.string(1, name);
  writer.message(1, pair);
  writer.message(1, end);
}

function writeMetadata(metadata: SluiceMetadata | undefined): void {
  if (metadata === undefined) return;
  const end = writer.length;
  writeStruct(metadata);
  writer.message(5, end);
  endEntry(metadataNamespace, end);
  writer.message(8, end);
}

function writeStruct(metadata: SluiceMetadata): void {
  // A map: the order of its entries does not matter.
  for (const key in metadata) {
    const value = metadata[key];
    if (value === undefined) continue;
    const end = writer.length;
    writeValue(value);
    endEntry(key, end);
  }
}

/** A map's entry whose value has been written since `end`. */
function endEntry(key: string, end: number): void {
  writer.message(2, end);
  writer.string(1, key);
  writer.message(1, end);
}

function writeValue(value: MetadataValue): void {
  if (typeof value === 'string') writer.string(3, headerText(value));
  else if (typeof value === 'number') writer.double(2, value);
  else if (typeof value === 'boolean') writer.varint(4, value ? 1 : 0);
  else {
    const end = writer.length;
    if (!isList(value)) writeStruct(value);
    else {
      for (let at = value.length - 1; at >= 0; at--) {
        const item = writer.length;
        writeValue(value[at]!);
        writer.message(1, item);
      }
    }
    writer.message(isList(value) ? 6 : 5, end);
  }
}

/** Array.isArray does not narrow a readonly array. */
function isList(value: MetadataValue): value is readonly MetadataValue[] {
  return Array.isArray(value);
}
