import type { Exchange, Span } from '../types.ts';

export interface SpliceChanges {
  /** The new model; absent = as it is. */
  readonly model?: string;
  /** The name of the limit on the answer (`max_tokens`, `max_completion_tokens`); absent = as it is. */
  readonly limitName?: string;
  /** Adds `stream_options.include_usage` as the first member, or in place of stream_options that do not ask for it. */
  readonly askUsage: boolean;
  /** More changes of bytes, none of them in the places of those above; absent: none. */
  readonly edits?: readonly (readonly [Span, Buffer])[];
}

const askingOptions = Buffer.from('{"include_usage":true}');
const includeUsage = Buffer.from('"stream_options":{"include_usage":true},');

/** The body with the changes, in pieces; every other byte is as it came, and lies where it was. The body must be the one that was read. */
export function spliceRequest(body: Buffer, exchange: Exchange, changes: SpliceChanges): Buffer[] {
  const edits: (readonly [Span, Buffer])[] = changes.edits === undefined ? [] : [...changes.edits];
  if (changes.askUsage)
    edits.push(
      exchange.streamOptions == null
        ? [{ start: exchange.bodyOpen, end: exchange.bodyOpen }, includeUsage]
        : [exchange.streamOptions, askingOptions],
    );
  if (changes.limitName !== undefined && exchange.limitKey !== null)
    edits.push([exchange.limitKey, Buffer.from(JSON.stringify(changes.limitName))]);
  if (changes.model !== undefined) {
    const value = Buffer.from(JSON.stringify(changes.model));
    for (const span of exchange.modelSpans) edits.push([span, value]);
  }
  edits.sort(([a], [b]) => a.start - b.start);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const [span, value] of edits) {
    pieces.push(body.subarray(from, span.start), value);
    from = span.end;
  }
  pieces.push(body.subarray(from));
  return pieces;
}

/** The path with another model in the place of its own; the query and all else stay. */
export function rewritePath(path: string, exchange: Exchange, model: string): string {
  if (exchange.pathModel === null) return path;
  const { span } = exchange.pathModel;
  return path.slice(0, span.start) + encodeURIComponent(model) + path.slice(span.end);
}
