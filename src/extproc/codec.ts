import { headerText } from './header-text.ts';
import type { Body, HeaderMap, HeaderMutation, KnownOfCaller, MetadataValue, Phase, ProcessingRequest, Reply, SluiceMetadata } from './types.ts';
import { bytesField, doubleField, encodeParts, encodePieces, messageField, stringField, varintField, WireError, WireReader, type Part } from './wire.ts';

/** The metadata namespace in which the request side leaves word for the response side and for Envoy itself. */
export const metadataNamespace = 'sluice';

/** How deep a metadata Struct is followed. Sluice's own is flat. */
const structDepth = 8;

/** Places a header takes among the spans: its name, its value, and whether that is UTF-8. */
const spansAHeader = 5;

/** Headers over the message's own bytes: few of them are ever asked for. */
class WireHeaders implements HeaderMap {
  readonly #bytes: Buffer;
  readonly #spans: number[] = [];

  /** `reader` stands before a HeaderMap; null: there is none. Throws WireError on a malformed one. */
  constructor(bytes: Buffer, reader: WireReader | null) {
    this.#bytes = bytes;
    while (reader?.next() === true) {
      if (reader.field === 1) this.#read(reader.message());
      else reader.skip();
    }
  }

  get(name: string): string | undefined {
    const spans = this.#spans;
    for (let at = 0; at < spans.length; at += spansAHeader) if (spans[at + 1]! - spans[at]! === name.length && this.#isName(name, spans[at]!)) return this.#value(at);
    return undefined;
  }

  repeated(name: string): boolean {
    const spans = this.#spans;
    let seen = false;
    for (let at = 0; at < spans.length; at += spansAHeader) {
      if (spans[at + 1]! - spans[at]! !== name.length || !this.#isName(name, spans[at]!)) continue;
      if (seen) return true;
      seen = true;
    }
    return false;
  }

  *entries(): Iterable<readonly [string, string]> {
    const spans = this.#spans;
    for (let at = 0; at < spans.length; at += spansAHeader) yield [this.#bytes.toString('latin1', spans[at], spans[at + 1]), this.#value(at)];
  }

  #read(header: WireReader): void {
    const spans = this.#spans;
    const at = spans.length;
    spans.push(0, 0, 0, 0, 0);
    while (header.next()) {
      if (header.field === 1) {
        header.pass();
        spans[at] = header.from;
        spans[at + 1] = header.to;
      } else if (header.field === 2 || header.field === 3) {
        // `value` and `raw_value`: Envoy sends one of the two.
        header.pass();
        spans[at + 2] = header.from;
        spans[at + 3] = header.to;
        spans[at + 4] = header.field === 2 ? 1 : 0;
      } else {
        header.skip();
      }
    }
  }

  #isName(name: string, from: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #value(at: number): string {
    const spans = this.#spans;
    return this.#bytes.toString(spans[at + 4] === 1 ? 'utf8' : 'latin1', spans[at + 2], spans[at + 3]);
  }
}

/** Decodes one ProcessingRequest. Bodies are views of `bytes`. Throws WireError on malformed bytes or a missing phase. */
export function decodeRequest(bytes: Buffer): ProcessingRequest {
  const reader = new WireReader(bytes);
  let phase: Phase | null = null;
  let metadata: ProcessingRequest['metadata'] = null;
  let observability = false;
  let known: KnownOfCaller | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        phase = { kind: 'request-headers', ...decodeHeaders(bytes, reader.message()) };
        break;
      case 3:
        phase = { kind: 'response-headers', ...decodeHeaders(bytes, reader.message()) };
        break;
      case 4:
        phase = { kind: 'request-body', ...decodeBody(reader.message()) };
        break;
      case 5:
        phase = { kind: 'response-body', ...decodeBody(reader.message()) };
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
        metadata = decodeMetadata(new WireReader(bytes, reader.from, reader.to)) ?? metadata;
        if (reader.to > reader.from) known = knownIn(bytes.subarray(reader.from, reader.to));
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

function decodeHeaders(bytes: Buffer, reader: WireReader): { headers: HeaderMap; endOfStream: boolean } {
  let headers: HeaderMap | null = null;
  let endOfStream = false;
  while (reader.next()) {
    if (reader.field === 1) headers = new WireHeaders(bytes, reader.message());
    else if (reader.field === 3) endOfStream = reader.number() !== 0;
    else reader.skip();
  }
  return { headers: headers ?? new WireHeaders(bytes, null), endOfStream };
}

const emptyBody: Buffer = Buffer.alloc(0);

function decodeBody(reader: WireReader): { body: Buffer; endOfStream: boolean } {
  let body = emptyBody;
  let endOfStream = false;
  while (reader.next()) {
    if (reader.field === 1) body = reader.bytes();
    else if (reader.field === 2) endOfStream = reader.number() !== 0;
    else reader.skip();
  }
  return { body, endOfStream };
}

/** What filters before Sluice's left: read when the policy asks for it. Metadata that cannot be read says nothing. */
function knownIn(bytes: Buffer): KnownOfCaller {
  return (namespace) => {
    try {
      return decodeMetadata(new WireReader(bytes), namespace);
    } catch {
      return null;
    }
  };
}

/** envoy.config.core.v3.Metadata: only one namespace is decoded, by default Sluice's own; null when it is not there. Throws WireError. */
export function decodeMetadata(reader: WireReader, namespace = metadataNamespace): Record<string, unknown> | null {
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
const bodyModes = { NONE: 0, BUFFERED: 2 } as const;
const send = 1;
const skip = 2;

/** Encodes one ProcessingResponse. */
export function encodeReply(reply: Reply): Buffer {
  return encodeParts(replyParts(reply));
}

/** The same behind `lead` bytes that the caller fills, in pieces: a large body is one of them, as it is. */
export function encodeReplyPieces(reply: Reply, lead: number): Buffer[] {
  return encodePieces(replyParts(reply), lead);
}

/** A replaced body brings its content-length along: Envoy answers 500 without it. */
function replyParts(reply: Reply): Part[] {
  const parts: Part[] = [];
  if (reply.kind === 'wait') return [messageField(10, [varintField(1, Math.floor(reply.ms / 1_000)), varintField(2, (reply.ms % 1_000) * 1_000_000)])];
  if (reply.kind === 'immediate') {
    parts.push(
      messageField(7, [
        messageField(1, [varintField(1, reply.status)]),
        headerMutation(2, reply.headers),
        bytesField(3, reply.body),
        stringField(5, reply.details),
      ]),
    );
  } else if (reply.kind === 'chunk') {
    const streamed = messageField(3, [bytesField(1, reply.body), ...(reply.endOfStream ? [varintField(2, 1)] : [])]);
    parts.push(messageField(replyField['response-body'], [messageField(1, [messageField(3, [streamed])])]));
    return parts;
  } else if (reply.phase === 'request-trailers' || reply.phase === 'response-trailers') {
    parts.push(messageField(replyField[reply.phase], []));
  } else {
    const common: Part[] = [];
    const headers = withLength(reply.headers, reply.body);
    if (headers !== undefined) common.push(headerMutation(2, headers));
    if (reply.body !== undefined) common.push(messageField(3, [bytesField(1, reply.body)]));
    if (reply.clearRouteCache === true) common.push(varintField(5, 1));
    parts.push(messageField(replyField[reply.phase], common.length === 0 ? [] : [messageField(1, common)]));
    const { requestBodyMode, responseBodyMode } = reply;
    if (requestBodyMode !== undefined || responseBodyMode !== undefined) {
      // Every mode is said: a field left out would fall back to the protocol's default, not to the filter's.
      const responseHeaders = reply.phase === 'request-headers' && reply.expectResponse === true ? send : skip;
      parts.push(
        messageField(9, [
          varintField(1, send),
          varintField(2, responseHeaders),
          varintField(3, bodyModes[requestBodyMode ?? 'NONE']),
          varintField(4, bodyModes[responseBodyMode ?? 'NONE']),
          varintField(5, skip),
          varintField(6, skip),
        ]),
      );
    }
  }
  if (reply.metadata !== undefined) parts.push(messageField(8, [structEntry(metadataNamespace, messageField(5, structFields(reply.metadata)))]));
  return parts;
}

function withLength(headers: HeaderMutation | undefined, body: Body | undefined): HeaderMutation | undefined {
  if (body === undefined) return headers;
  const length = Buffer.isBuffer(body) ? body.length : body.reduce((sum, piece) => sum + piece.length, 0);
  return { set: [...(headers?.set ?? []), ['content-length', String(length)]], remove: headers?.remove ?? [] };
}

function headerMutation(field: number, mutation: HeaderMutation): Part {
  return messageField(field, [
    ...mutation.set.map(([name, value]) =>
      messageField(1, [messageField(1, [stringField(1, name), bytesField(3, Buffer.from(headerText(value), 'latin1'))]), varintField(3, overwriteIfExistsOrAdd)]),
    ),
    ...mutation.remove.map((name) => stringField(2, name)),
  ]);
}

function structFields(metadata: SluiceMetadata): Part[] {
  return Object.entries(metadata).map(([key, value]) => structEntry(key, valueField(value)));
}

function structEntry(key: string, value: Part): Part {
  return messageField(1, [stringField(1, key), messageField(2, [value])]);
}

function valueField(value: MetadataValue): Part {
  if (typeof value === 'string') return stringField(3, headerText(value));
  if (typeof value === 'number') return doubleField(2, value);
  if (typeof value === 'boolean') return varintField(4, value ? 1 : 0);
  if (isList(value)) return messageField(6, value.map((item) => messageField(1, [valueField(item)])));
  return messageField(5, structFields(value));
}

/** Array.isArray does not narrow a readonly array. */
function isList(value: MetadataValue): value is readonly MetadataValue[] {
  return Array.isArray(value);
}
