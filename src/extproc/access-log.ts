import { metadataNamespace } from './codec.ts';
import type { CollectedAnswer, LoggedExchange, ReportedUsage } from './types.ts';
import { WireReader } from './wire.ts';

/** The method by which Envoy sends access-log entries, many to a message. */
export const accessLogPath = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

/** Where the collector leaves what it has collected, and the AI Protocol Manager what it has read. */
const collectedNamespace = 'sluice.answer';
const usageNamespace = 'envoy.ai.token_usage';

/** ResponseFlags that say that an answer that had begun was cut, by field: by the client, or by anything else. */
const cutByClient: ReadonlySet<number> = new Set([15, 28]);
const cutByOther: ReadonlySet<number> = new Set([3, 4, 5, 7, 17, 20, 23, 24]);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The HTTP entries of one StreamAccessLogsMessage that carry a decision's id in `sluice` metadata; others are left out. Bytes are views of `bytes`. Throws WireError on
 * malformed ones.
 */
export function decodeAccessLog(bytes: Buffer): LoggedExchange[] {
  const found: LoggedExchange[] = [];
  // StreamAccessLogsMessage.http_logs, its log_entry.
  for (const logs of fieldsOf(new WireReader(bytes), 2)) {
    for (const entry of fieldsOf(logs, 1)) {
      const logged = decodeEntry(entry);
      if (logged !== null) found.push(logged);
    }
  }
  return found;
}

interface Draft extends Omit<Mutable<LoggedExchange>, 'id'> {
  id: string | null;
}

function decodeEntry(entry: WireReader): LoggedExchange | null {
  const draft: Draft = { id: null, status: 0, cutBy: null, contentType: '', contentEncoding: '', startedAt: 0, firstByteMs: null, totalMs: null, collected: null, usage: null };
  while (entry.next()) {
    if (entry.field === 1) decodeCommon(entry.message(), draft);
    else if (entry.field === 4) decodeResponse(entry.message(), draft);
    else entry.skip();
  }
  return hasId(draft) ? draft : null;
}

function hasId(draft: Draft): draft is Draft & { readonly id: string } {
  return draft.id !== null;
}

function decodeCommon(common: WireReader, draft: Draft): void {
  while (common.next()) {
    switch (common.field) {
      case 5:
        draft.startedAt = milliseconds(common.message());
        break;
      case 9:
        draft.firstByteMs = milliseconds(common.message());
        break;
      case 16:
        draft.cutBy = decodeFlags(common.message());
        break;
      case 17:
        decodeMetadata(common.message(), draft);
        break;
      case 23:
        draft.totalMs = milliseconds(common.message());
        break;
      default:
        common.skip();
    }
  }
}

/** A Timestamp or a Duration. */
function milliseconds(reader: WireReader): number {
  let seconds = 0;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.number();
    else if (reader.field === 2) nanos = reader.number();
    else reader.skip();
  }
  return seconds * 1_000 + nanos / 1e6;
}

function decodeFlags(flags: WireReader): LoggedExchange['cutBy'] {
  let by: LoggedExchange['cutBy'] = null;
  while (flags.next()) {
    if (cutByClient.has(flags.field)) by = flags.number() !== 0 ? 'client' : by;
    else if (cutByOther.has(flags.field)) by = flags.number() !== 0 ? (by ?? 'other') : by;
    else flags.skip();
  }
  return by;
}

function decodeMetadata(metadata: WireReader, draft: Draft): void {
  while (metadata.next()) {
    // filter_metadata and typed_filter_metadata, both maps.
    if (metadata.field !== 1 && metadata.field !== 2) {
      metadata.skip();
      continue;
    }
    const typed = metadata.field === 2;
    const { key, value } = mapEntry(metadata.message());
    if (value === null) continue;
    if (typed) {
      if (key === usageNamespace) for (const message of fieldsOf(value, 2)) draft.usage = decodeUsage(message);
    } else if (key === metadataNamespace) draft.id = decodeId(value);
    else if (key === collectedNamespace) draft.collected = decodeCollected(value);
  }
}

const idKey: Buffer = Buffer.from('id');

/** The string `id` of a Struct; what else is in it is for others. */
function decodeId(struct: WireReader): string | null {
  for (const entry of fieldsOf(struct, 1)) {
    let found = false;
    let value: WireReader | null = null;
    while (entry.next()) {
      if (entry.field === 1) found = entry.is(idKey);
      else if (entry.field === 2) value = entry.message();
      else entry.skip();
    }
    if (found && value !== null) return decodeString(value);
  }
  return null;
}

/** The string of a google.protobuf.Value; null: it is none. */
function decodeString(value: WireReader): string | null {
  let text: string | null = null;
  while (value.next()) {
    if (value.field === 3) text = value.string();
    else value.skip();
  }
  return text;
}

function mapEntry(entry: WireReader): { readonly key: string; readonly value: WireReader | null } {
  let key = '';
  let value: WireReader | null = null;
  while (entry.next()) {
    if (entry.field === 1) key = entry.string();
    else if (entry.field === 2) value = entry.message();
    else entry.skip();
  }
  return { key, value };
}

/** The Struct that the collector's script writes. Its strings are an answer's bytes, so none is made a string of ours. */
function decodeCollected(struct: WireReader): CollectedAnswer {
  const collected: Mutable<CollectedAnswer> = { body: null, large: false, head: null, times: '', tail: null, gap: false, whole: false };
  for (const entry of fieldsOf(struct, 1)) {
    const { key, value } = mapEntry(entry);
    if (value === null) continue;
    let bytes: Buffer | null = null;
    let flag = false;
    while (value.next()) {
      if (value.field === 3) bytes = value.bytes();
      else if (value.field === 4) flag = value.number() !== 0;
      else value.skip();
    }
    if (key === 'body' || key === 'head' || key === 'tail') collected[key] = bytes;
    else if (key === 'encoded') collected.body = bytes === null ? null : Buffer.from(bytes.toString('latin1'), 'base64');
    else if (key === 'times') collected.times = bytes?.toString('latin1') ?? '';
    else if (key === 'large' || key === 'gap' || key === 'whole') collected[key] = flag;
  }
  // These are there only at an answer's end.
  if (collected.body !== null || collected.large) collected.whole = true;
  return collected;
}

/** envoy.data.ai.v3.TokenUsage. */
function decodeUsage(message: WireReader): ReportedUsage {
  const usage: Mutable<ReportedUsage> = { model: null, input: null, output: null, cachedRead: 0, cacheWrite: 0, reasoning: 0, complete: false };
  while (message.next()) {
    switch (message.field) {
      case 2:
        usage.model = message.string();
        break;
      case 3:
        usage.input = count(message.message());
        break;
      case 4:
        usage.output = count(message.message());
        break;
      case 6: {
        const details = message.message();
        while (details.next()) {
          if (details.field === 1) usage.cachedRead = count(details.message());
          else if (details.field === 2) usage.cacheWrite = count(details.message());
          else details.skip();
        }
        break;
      }
      case 7:
        for (const reasoning of fieldsOf(message.message(), 1)) usage.reasoning = count(reasoning);
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
function count(wrapper: WireReader): number {
  let value = 0;
  while (wrapper.next()) {
    if (wrapper.field === 1) value = wrapper.number();
    else wrapper.skip();
  }
  return value;
}

/** The headers that the log adds are in response_headers. */
function decodeResponse(response: WireReader, draft: Draft): void {
  while (response.next()) {
    if (response.field === 1) draft.status = count(response.message());
    else if (response.field === 4) {
      const header = response.message();
      let [key, value] = ['', ''];
      while (header.next()) {
        if (header.field === 1) key = header.string();
        else if (header.field === 2) value = header.string();
        else header.skip();
      }
      if (key === 'content-type') draft.contentType = value;
      else if (key === 'content-encoding') draft.contentEncoding = value;
    } else response.skip();
  }
}

function* fieldsOf(reader: WireReader, field: number): Iterable<WireReader> {
  while (reader.next()) {
    if (reader.field === field) yield reader.message();
    else reader.skip();
  }
}
