import { headerText } from './header-text.ts';
import type { Body, HeaderMutation } from '../lib/headers.ts';
import type { MetadataValue, SluiceMetadata } from '../exchange/plans.ts';
import type { Phase, Reply } from './types.ts';
import { WireWriter } from './wire.ts';
import { metadataNamespace } from './wire-metadata.ts';

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
