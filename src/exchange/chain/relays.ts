import { readAnswer } from '../../apis/index.ts';
import { UsageChunkFilter } from '../../apis/openai/usage-chunk.ts';
import { streamRestorer, type Restoring, type StreamRestorer } from '../../apis/mask/restore.ts';
import { SseSplitter } from '../../apis/scan/sse.ts';
import type { Answer, AnswerHead, AnswerReader } from '../../apis/types.ts';
import type { AnswerPass, AnswerRetry, RelayStep, StreamRelay } from '../plans.ts';
import type { HeaderMutation } from '../../lib/headers.ts';
import { judgeEvent, type EventSays } from '../../grades/check-answer.ts';
import { renderStreamError, type AnswerTranslator } from '../../apis/translate.ts';

/** Decides about a stream when its first event has arrived; `failed`: it is an error. */
export type FirstEventVerdict = (failed: boolean) => AnswerPass | AnswerRetry;

const nothing: Buffer = Buffer.alloc(0);

/** Stop waiting after this many opening events without content: some providers send one every few seconds. */
const mostOpenings = 8;

/** Detects when a stream begins to answer, and whether it fails before that. */
class FirstEvent {
  readonly #splitter: SseSplitter;
  #says: EventSays = 'opening';
  #openings = 0;

  constructor() {
    this.#splitter = new SseSplitter((data) => {
      if (this.#says !== 'opening') return;
      this.#says = judgeEvent(data.toString('utf8'));
      if (this.#says === 'opening') this.#openings++;
    });
  }

  /** True if this is known, or if the event is too large to wait for. */
  push(bytes: Buffer): boolean {
    this.#splitter.push(bytes);
    return this.#says !== 'opening' || this.#openings >= mostOpenings || this.#splitter.skipped > 0;
  }

  get failed(): boolean {
    return this.#says === 'error';
  }

  /** Whether an ended stream had no content at all. */
  get silent(): boolean {
    return this.#says === 'opening' && this.#splitter.skipped === 0;
  }
}

/** How a stream in the app's own API is handled. */
export interface OwnStreamOptions {
  /** Another target may answer, so wait for the first event; keep-alive comments do not count. */
  readonly holds: boolean;
  /** The app gets an error event if the stream ends without its terminal event. */
  readonly notices: boolean;
  /** Removes the usage chunk; called with the answer as the provider sent it. Null if the chunk stays. */
  readonly strips: ((answer: Answer) => void) | null;
}

/** A stream in the app's own API: held until it answers, then relayed; an end without its terminal event is reported to the app. */
export class OwnStream implements StreamRelay {
  readonly #api: AnswerHead['api'];
  readonly #holds: boolean;
  readonly #notices: boolean;
  readonly #strips: ((answer: Answer) => void) | null;
  readonly #filter: UsageChunkFilter | null;
  readonly #verdict: FirstEventVerdict;
  readonly #reader: AnswerReader;
  readonly #first = new FirstEvent();
  #held: Buffer[] | null = [];

  constructor(head: AnswerHead, verdict: FirstEventVerdict, { holds, notices, strips }: OwnStreamOptions) {
    this.#holds = holds;
    this.#notices = notices;
    this.#strips = strips;
    this.#filter = strips === null ? null : new UsageChunkFilter();
    this.#api = head.api;
    this.#verdict = verdict;
    this.#reader = readAnswer(head);
  }

  push(bytes: Buffer): RelayStep {
    this.#reader.push(bytes);
    if (this.#held === null) return { kind: 'go', bytes: this.#filter?.push(bytes) ?? bytes };
    this.#held.push(Buffer.from(bytes));
    return this.#first.push(bytes) || !this.#holds ? this.#open() : { kind: 'hold' };
  }

  end(): RelayStep {
    const answer = this.#reader.end(true);
    this.#strips?.(answer);
    const said =
      answer.complete || answer.errorType !== null || !this.#notices
        ? nothing
        : renderStreamError(this.#api, 'The provider ended the stream before its answer was whole.');
    if (this.#held === null) return { kind: 'go', bytes: this.#last(said) };
    const step = this.#open(this.#first.failed || (this.#notices && this.#first.silent && !answer.complete));
    return step.kind === 'go' ? { ...step, bytes: Buffer.concat([step.bytes, this.#last(said)]) } : step;
  }

  #last(notice: Buffer): Buffer {
    return this.#filter === null ? notice : Buffer.concat([this.#filter.end(), notice]);
  }

  #open(failed = this.#first.failed): RelayStep {
    const plan = this.#verdict(failed);
    if (plan.kind === 'retry') return plan;
    const bytes = Buffer.concat(this.#held ?? []);
    this.#held = null;
    return { kind: 'go', bytes: this.#filter?.push(bytes) ?? bytes };
  }
}

/** A stream whose mask tokens are replaced by their originals. */
export class RestoredStream implements StreamRelay {
  readonly #relay: StreamRelay;
  readonly #restorer: StreamRestorer;

  constructor(relay: StreamRelay, restoring: Restoring, events: boolean) {
    this.#relay = relay;
    this.#restorer = streamRestorer(restoring, events);
  }

  push(bytes: Buffer): RelayStep {
    const step = this.#relay.push(bytes);
    return step.kind === 'go' ? { ...step, bytes: this.#restorer.push(step.bytes), headers: withoutLength(step.headers) } : step;
  }

  end(): RelayStep {
    const step = this.#relay.end();
    return step.kind === 'go'
      ? { ...step, bytes: Buffer.concat([this.#restorer.push(step.bytes), this.#restorer.end()]), headers: withoutLength(step.headers) }
      : step;
  }
}

/** The provider's content-length does not match the replaced body. */
export function withoutLength(headers: HeaderMutation | undefined): HeaderMutation {
  return { set: headers?.set ?? [], remove: [...(headers?.remove ?? []), 'content-length'] };
}

export interface TranslatedOptions {
  readonly headers: HeaderMutation;
  /** Called once, at the first event that shows whether the stream has begun successfully. */
  readonly verdict: FirstEventVerdict;
  /** Called with the answer as its provider sent it. */
  readonly done: (answer: Answer) => void;
  /** Nothing is sent before the verdict. */
  readonly holds: boolean;
}

/** A stream in another API, translated as it arrives. Usage is read from the provider's original stream. */
export class TranslatedStream implements StreamRelay {
  readonly #translator: AnswerTranslator;
  readonly #holds: boolean;
  readonly #headers: HeaderMutation;
  readonly #verdict: FirstEventVerdict;
  readonly #reader: AnswerReader;
  readonly #done: (answer: Answer) => void;
  readonly #first = new FirstEvent();
  #held: Buffer[] | null = [];

  constructor(head: AnswerHead, translator: AnswerTranslator, { headers, verdict, done, holds }: TranslatedOptions) {
    this.#holds = holds;
    this.#translator = translator;
    this.#headers = headers;
    this.#verdict = verdict;
    this.#reader = readAnswer(head);
    this.#done = done;
  }

  push(bytes: Buffer): RelayStep {
    this.#reader.push(bytes);
    if (this.#held === null) return { kind: 'go', bytes: this.#translator.push(bytes) };
    this.#held.push(Buffer.from(bytes));
    return this.#first.push(bytes) || !this.#holds ? this.#open() : { kind: 'hold' };
  }

  end(): RelayStep {
    this.#done(this.#reader.end(true));
    if (this.#held === null) return { kind: 'go', bytes: this.#translator.end(true) };
    const step = this.#open(this.#first.failed || this.#first.silent);
    return step.kind === 'go' ? { ...step, bytes: Buffer.concat([step.bytes, this.#translator.end(true)]) } : step;
  }

  #open(failed = this.#first.failed): RelayStep {
    const plan = this.#verdict(failed);
    if (plan.kind === 'retry') return plan;
    const bytes = Buffer.concat((this.#held ?? []).map((held) => this.#translator.push(held)));
    this.#held = null;
    return { kind: 'go', bytes, headers: this.#headers };
  }
}
