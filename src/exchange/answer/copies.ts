import { performance } from 'node:perf_hooks';
import { readAnswer } from '../../apis/index.ts';
import type { AnswerReader } from '../../apis/types.ts';
import type { HeaderMap } from '../../lib/headers.ts';
import type { ResponseObserver } from '../plans.ts';
import type { AnswerEnding } from '../../record/record.ts';
import type { OpenExchange } from '../open.ts';
import { outcomeOf } from './outcome.ts';

/** Reads one answer from copies of its chunks and calls `done` once. */
export class AnswerObserver implements ResponseObserver {
  readonly #open: OpenExchange;
  readonly #status: number;
  readonly #reader: AnswerReader | null;
  readonly #firstByteMs: number;
  readonly #done: (open: OpenExchange, ending: AnswerEnding) => void;
  #firstTokenMs: number | null = null;
  #ended = false;

  constructor(open: OpenExchange, headers: HeaderMap, done: (open: OpenExchange, ending: AnswerEnding) => void) {
    this.#open = open;
    this.#done = done;
    this.#status = Number(headers.get(':status') ?? 0);
    this.#firstByteMs = performance.now() - open.startedAt;
    open.fill?.head(this.#status, (headers.get('content-type') ?? '').toLowerCase(), (headers.get('content-encoding') ?? '').toLowerCase());
    open.grading?.copy?.head(
      this.#status,
      (headers.get('content-type') ?? '').toLowerCase(),
      (headers.get('content-encoding') ?? '').toLowerCase(),
    );
    this.#reader =
      open.api === null
        ? null
        : readAnswer({
            api: open.api,
            status: this.#status,
            contentType: headers.get('content-type') ?? '',
            contentEncoding: headers.get('content-encoding') ?? '',
            usageNotAsked: open.usageNotAsked,
          });
  }

  chunk(bytes: Buffer): void {
    this.#open.fill?.push(bytes);
    this.#open.grading?.copy?.push(bytes);
    if (this.#reader?.push(bytes) === true) this.#firstTokenMs = performance.now() - this.#open.startedAt;
  }

  end(whole: boolean, cancelled: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    if (whole) this.#open.fill?.complete();
    const answer = this.#reader?.end(whole) ?? null;
    this.#done(this.#open, {
      outcome: outcomeOf(this.#status, answer, whole, cancelled),
      status: this.#status,
      answer,
      firstByteMs: this.#firstByteMs,
      firstTokenMs: this.#open.stream ? this.#firstTokenMs : null,
      totalMs: performance.now() - this.#open.startedAt,
    });
  }
}
