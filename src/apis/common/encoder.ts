import { namedEvent } from './event-text.ts';
import type { AnswerEncoder, AnswerEnd, AnswerStart, BlockStart } from './translate-answer-types.ts';
import type { Failure } from './failure.ts';
import type { JsonObject } from './json.ts';

const nothing: Buffer = Buffer.alloc(0);

/** A writer of streams: buffers its output until the next `take`. */
export abstract class StreamEncoder implements AnswerEncoder {
  #pieces: string[] = [];

  abstract start(start: AnswerStart): void;
  abstract open(block: BlockStart): void;
  abstract delta(text: string): void;
  abstract close(): Failure | null;
  abstract finish(end: AnswerEnd): void;
  abstract fail(failure: Failure): void;

  protected write(piece: string): void {
    this.#pieces.push(piece);
  }

  /** Writes an event that is named after its type. */
  protected named(value: JsonObject & { readonly type: string }): void {
    this.write(namedEvent(value));
  }

  /** Takes the bytes that are ready to send. */
  take(): Buffer {
    if (this.#pieces.length === 0) return nothing;
    const bytes = Buffer.from(this.#pieces.join(''));
    this.#pieces = [];
    return bytes;
  }
}
