import { metadataNamespace } from './wire-metadata.ts';
import type { CollectedAnswer, LoggedExchange, ReportedUsage } from '../exchange/plans.ts';
import { WireReader } from './wire.ts';
import type { Mutable } from '../lib/mutable.ts';

/** The method with which Envoy sends access-log entries, many per message. */
export const accessLogPath = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

/** Metadata namespaces of the collector and of the AI Protocol Manager. */
const collectedNamespace = 'sluice.answer';
const usageNamespace = 'envoy.ai.token_usage';

/** ResponseFlags (field numbers) of an answer that was cut after it began: by the client, or by anything else. */
const cutByClient: ReadonlySet<number> = new Set([15, 28]);
const cutByOther: ReadonlySet<number> = new Set([3, 4, 5, 7, 17, 20, 23, 24]);

/**
 * The HTTP entries of one StreamAccessLogsMessage that carry a decision's id in `sluice` metadata; others are skipped. Bytes are views of
 * `bytes`. Throws WireError on malformed bytes.
 */
export function decodeAccessLog(bytes: Buffer): LoggedExchange[] {
  const found: LoggedExchange[] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) {
    // StreamAccessLogsMessage.http_logs
    if (reader.field === 2) decodeEntries(reader, found);
    else reader.skip();
  }
  return found;
}

function decodeEntries(reader: WireReader, found: LoggedExchange[]): void {
  const outer = reader.enter();
  while (reader.next()) {
    const logged = reader.field === 1 ? decodeEntry(reader) : reader.skip();
    if (logged) found.push(logged);
  }
  reader.leave(outer);
}

interface Draft extends Omit<Mutable<LoggedExchange>, 'id'> {
  id: string | null;
}

function decodeEntry(reader: WireReader): LoggedExchange | null {
  const draft: Draft = {
    id: null,
    status: 0,
    cutBy: null,
    contentType: '',
    contentEncoding: '',
    startedAt: 0,
    firstByteMs: null,
    totalMs: null,
    bodyBytes: 0,
    collected: null,
    usage: null,
  };
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) decodeCommon(reader, draft);
    else if (reader.field === 4) decodeResponse(reader, draft);
    else reader.skip();
  }
  reader.leave(outer);
  return hasId(draft) ? draft : null;
}

function hasId(draft: Draft): draft is Draft & { readonly id: string } {
  return draft.id !== null;
}

function decodeCommon(reader: WireReader, draft: Draft): void {
  const outer = reader.enter();
  while (reader.next()) {
    switch (reader.field) {
      case 5:
        draft.startedAt = milliseconds(reader);
        break;
      case 9:
        draft.firstByteMs = milliseconds(reader);
        break;
      case 16:
        draft.cutBy = decodeFlags(reader);
        break;
      case 17:
        decodeMetadata(reader, draft);
        break;
      case 23:
        draft.totalMs = milliseconds(reader);
        break;
      default:
        reader.skip();
    }
  }
  reader.leave(outer);
}

/** A Timestamp or a Duration. */
function milliseconds(reader: WireReader): number {
  let seconds = 0;
  let nanos = 0;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.number();
    else if (reader.field === 2) nanos = reader.number();
    else reader.skip();
  }
  reader.leave(outer);
  return seconds * 1_000 + nanos / 1e6;
}

function decodeFlags(reader: WireReader): LoggedExchange['cutBy'] {
  let by: LoggedExchange['cutBy'] = null;
  const outer = reader.enter();
  while (reader.next()) {
    if (cutByClient.has(reader.field)) by = reader.number() !== 0 ? 'client' : by;
    else if (cutByOther.has(reader.field)) by = reader.number() !== 0 ? (by ?? 'other') : by;
    else reader.skip();
  }
  reader.leave(outer);
  return by;
}

const ownKey: Buffer = Buffer.from(metadataNamespace);
const collectedKey: Buffer = Buffer.from(collectedNamespace);
const usageKey: Buffer = Buffer.from(usageNamespace);

function decodeMetadata(reader: WireReader, draft: Draft): void {
  const outer = reader.enter();
  while (reader.next()) {
    // filter_metadata and typed_filter_metadata, both maps.
    if (reader.field === 1 || reader.field === 2) decodeNamespace(reader, reader.field === 2, draft);
    else reader.skip();
  }
  reader.leave(outer);
}

/** An entry of one of the two maps. Its key must come first, as protobuf encoders write it; other entries are ignored. */
function decodeNamespace(reader: WireReader, typed: boolean, draft: Draft): void {
  const outer = reader.enter();
  let own = false;
  let collected = false;
  let usage = false;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.pass();
      own = !typed && reader.passed(ownKey);
      collected = !typed && reader.passed(collectedKey);
      usage = typed && reader.passed(usageKey);
    } else if (reader.field !== 2) reader.skip();
    else if (own) draft.id = decodeId(reader);
    else if (collected) draft.collected = decodeCollected(reader);
    else if (usage) decodeAny(reader, draft);
    else reader.skip();
  }
  reader.leave(outer);
}

/** A google.protobuf.Any; the namespace determines its type. */
function decodeAny(reader: WireReader, draft: Draft): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 2) draft.usage = decodeUsage(reader.message());
    else reader.skip();
  }
  reader.leave(outer);
}

const idKey: Buffer = Buffer.from('id');

/** The string `id` of a Struct; other fields are ignored. */
function decodeId(reader: WireReader): string | null {
  let id: string | null = null;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) id = decodeIfId(reader) ?? id;
    else reader.skip();
  }
  reader.leave(outer);
  return id;
}

/** The value of a Struct's entry if its key is `id`; otherwise null. */
function decodeIfId(reader: WireReader): string | null {
  let id: string | null = null;
  const outer = reader.enter();
  let found = false;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.pass();
      found = reader.passed(idKey);
    } else if (reader.field === 2 && found) id = decodeString(reader);
    else reader.skip();
  }
  reader.leave(outer);
  return id;
}

/** The string of a google.protobuf.Value; null if it is not a string. */
function decodeString(reader: WireReader): string | null {
  let text: string | null = null;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 3) text = reader.string();
    else reader.skip();
  }
  reader.leave(outer);
  return text;
}

/** The Struct that the collector's script writes. Its strings are an answer's bytes, so they are not decoded to JavaScript strings. */
function decodeCollected(reader: WireReader): CollectedAnswer {
  const collected: Mutable<CollectedAnswer> = { body: null, large: false, head: null, times: '', tail: null, gap: false, whole: false };
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) decodeCollectedEntry(reader, collected);
    else reader.skip();
  }
  reader.leave(outer);
  // These fields are set only at an answer's end.
  if (collected.body !== null || collected.large) collected.whole = true;
  return collected;
}

function decodeCollectedEntry(reader: WireReader, collected: Mutable<CollectedAnswer>): void {
  const outer = reader.enter();
  let key = '';
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) decodeCollectedValue(reader, key, collected);
    else reader.skip();
  }
  reader.leave(outer);
}

function decodeCollectedValue(reader: WireReader, key: string, collected: Mutable<CollectedAnswer>): void {
  const outer = reader.enter();
  let bytes: Buffer | null = null;
  let flag = false;
  while (reader.next()) {
    if (reader.field === 3) bytes = reader.bytes();
    else if (reader.field === 4) flag = reader.number() !== 0;
    else reader.skip();
  }
  reader.leave(outer);
  if (key === 'body' || key === 'head' || key === 'tail') collected[key] = bytes;
  else if (key === 'encoded') collected.body = bytes === null ? null : Buffer.from(bytes.toString('latin1'), 'base64');
  else if (key === 'times') collected.times = bytes?.toString('latin1') ?? '';
  else if (key === 'large' || key === 'gap' || key === 'whole') collected[key] = flag;
}

/** envoy.data.ai.v3.TokenUsage. */
function decodeUsage(message: WireReader): ReportedUsage {
  const usage: Mutable<ReportedUsage> = {
    model: null,
    input: null,
    output: null,
    cachedRead: 0,
    cacheWrite: 0,
    reasoning: 0,
    complete: false,
  };
  while (message.next()) {
    switch (message.field) {
      case 2:
        usage.model = message.string();
        break;
      case 3:
        usage.input = count(message);
        break;
      case 4:
        usage.output = count(message);
        break;
      case 6: {
        const details = message.message();
        while (details.next()) {
          if (details.field === 1) usage.cachedRead = count(details);
          else if (details.field === 2) usage.cacheWrite = count(details);
          else details.skip();
        }
        break;
      }
      case 7:
        usage.reasoning = firstCount(message);
        break;
      case 9:
        usage.complete = message.number() === 1;
        break;
      default:
        message.skip();
    }
  }
  return usage;
}

/** A UInt64Value. */
function count(reader: WireReader): number {
  let value = 0;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) value = reader.number();
    else reader.skip();
  }
  reader.leave(outer);
  return value;
}

const typeKey: Buffer = Buffer.from('content-type');
const encodingKey: Buffer = Buffer.from('content-encoding');

/** The additional headers that the log is configured to include are in response_headers. */
function decodeResponse(reader: WireReader, draft: Draft): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) draft.status = count(reader);
    else if (reader.field === 3) draft.bodyBytes = reader.number();
    else if (reader.field === 4) decodeResponseHeader(reader, draft);
    else reader.skip();
  }
  reader.leave(outer);
}

function decodeResponseHeader(reader: WireReader, draft: Draft): void {
  const outer = reader.enter();
  let type = false;
  let encoding = false;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.pass();
      type = reader.passed(typeKey);
      encoding = reader.passed(encodingKey);
    } else if (reader.field === 2 && type) draft.contentType = reader.string();
    else if (reader.field === 2 && encoding) draft.contentEncoding = reader.string();
    else reader.skip();
  }
  reader.leave(outer);
}

/** A message whose field 1 is a count. */
function firstCount(reader: WireReader): number {
  let value = 0;
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field === 1) value = count(reader);
    else reader.skip();
  }
  reader.leave(outer);
  return value;
}
