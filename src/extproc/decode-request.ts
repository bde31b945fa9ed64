import type { HeaderMap } from '../lib/headers.ts';
import type { KnownOfCaller } from '../exchange/plans.ts';
import type { Phase, ProcessingRequest } from './types.ts';
import { WireError, WireReader } from './wire.ts';
import { releaseHeaders, WireHeaders } from './wire-headers.ts';
import { decodeMetadata, knownIn } from './wire-metadata.ts';

const nothing: Buffer = Buffer.alloc(0);
/** Shared by all messages: each is read synchronously. */
const messageReader = new WireReader(nothing);

/** Decodes a ProcessingRequest. Bodies are views of `bytes`. Throws WireError on malformed bytes or a missing phase. */
export function decodeRequest(bytes: Buffer): ProcessingRequest {
  try {
    return readRequest(bytes, messageReader.begin(bytes));
  } finally {
    // A body may be large: the readers must not keep it.
    messageReader.begin(nothing);
    releaseHeaders();
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
