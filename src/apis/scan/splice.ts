import type { Exchange, Span } from '../types.ts';

export interface SpliceChanges {
  /** The new model; absent = as it is. */
  readonly model?: string;
  /** The name of the limit on the answer (`max_tokens`, `max_completion_tokens`); absent = as it is. */
  readonly limitName?: string;
  /** Adds `stream_options.include_usage` as the first member. Only where the body has no stream_options. */
  readonly askUsage: boolean;
}

const includeUsage = Buffer.from('"stream_options":{"include_usage":true},');

/** The body with the changes, in pieces; every other byte is as it came, and lies where it was. The body must be the one that was read. */
export function spliceRequest(body: Buffer, exchange: Exchange, changes: SpliceChanges): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  const put = (span: Span, value: Buffer): void => {
    pieces.push(body.subarray(from, span.start), value);
    from = span.end;
  };
  if (changes.askUsage) put({ start: exchange.bodyOpen, end: exchange.bodyOpen }, includeUsage);
  let limit = changes.limitName === undefined ? null : exchange.limitKey;
  const putLimit = (): void => {
    if (limit !== null) put(limit, Buffer.from(JSON.stringify(changes.limitName)));
    limit = null;
  };
  if (changes.model !== undefined) {
    const value = Buffer.from(JSON.stringify(changes.model));
    for (const span of exchange.modelSpans) {
      if (limit !== null && limit.start < span.start) putLimit();
      put(span, value);
    }
  }
  putLimit();
  pieces.push(body.subarray(from));
  return pieces;
}

/** The path with another model in the place of its own; the query and all else stay. */
export function rewritePath(path: string, exchange: Exchange, model: string): string {
  if (exchange.pathModel === null) return path;
  const { span } = exchange.pathModel;
  return path.slice(0, span.start) + encodeURIComponent(model) + path.slice(span.end);
}
