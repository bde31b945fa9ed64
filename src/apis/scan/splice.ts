import type { ParsedRequest, Span } from '../types.ts';

export interface SpliceChanges {
  /** The new model; absent = unchanged. */
  readonly model?: string;
  /** The name of the limit on the answer (`max_tokens`, `max_completion_tokens`); absent = unchanged. */
  readonly limitName?: string;
  /** Adds `stream_options.include_usage` as the first member, or replaces a stream_options that does not ask for it. */
  readonly askUsage: boolean;
  /** Further byte changes that do not overlap those above; absent if none. */
  readonly edits?: readonly (readonly [Span, Buffer])[];
}

const askingOptions = Buffer.from('{"include_usage":true}');
const includeUsage = Buffer.from('"stream_options":{"include_usage":true},');

/** The body with the changes, in pieces; all other bytes are unchanged views of the original. The body must be the one that was read. */
export function spliceRequest(body: Buffer, exchange: ParsedRequest, changes: SpliceChanges): Buffer[] {
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

/** The path with its model replaced; the query and everything else are unchanged. */
export function rewritePath(path: string, exchange: ParsedRequest, model: string): string {
  if (exchange.pathModel === null) return path;
  const { span } = exchange.pathModel;
  return path.slice(0, span.start) + encodeURIComponent(model) + path.slice(span.end);
}
