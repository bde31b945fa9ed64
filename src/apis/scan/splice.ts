import type { Exchange } from '../types.ts';

export interface SpliceChanges {
  /** The new model; absent = as it is. */
  readonly model?: string;
  /** Adds `stream_options.include_usage` as the first member. Only where the body has no stream_options. */
  readonly askUsage: boolean;
}

const includeUsage = Buffer.from('"stream_options":{"include_usage":true},');

/** The body with the changes, in pieces; every other byte is as it came, and lies where it was. The body must be the one that was read. */
export function spliceRequest(body: Buffer, exchange: Exchange, changes: SpliceChanges): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  if (changes.askUsage) {
    pieces.push(body.subarray(0, exchange.bodyOpen), includeUsage);
    from = exchange.bodyOpen;
  }
  if (changes.model !== undefined) {
    const value = Buffer.from(JSON.stringify(changes.model));
    for (const span of exchange.modelSpans) {
      pieces.push(body.subarray(from, span.start), value);
      from = span.end;
    }
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
