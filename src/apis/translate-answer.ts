import type { Decoder } from './api.ts';
import { Collector } from './common/collector.ts';
import type { StreamEncoder } from './common/encoder.ts';
import { failureOf, readError, readFailure, unsayable } from './common/failure.ts';
import type { Failure, StreamFraming } from './common/failure.ts';
import { isObject, member, parseBody, parseJson, writeJson } from './common/json.ts';
import { Sequencer } from './common/sequencer.ts';
import type { AnswerContext } from './common/translate-answer-types.ts';
import { renderFailure } from './errors.ts';
import { apis } from './registry.ts';
import { SseSplitter } from './scan/sse.ts';
import type { ApiName } from './types.ts';

export interface AnswerOptions {
  /** The model that the caller sees when the provider names none. */
  readonly model: string;
  /** Seed for the ids that the provider leaves out; unique to the answer (the decision's id). */
  readonly id: string;
  /** Seconds since 1970, for providers that do not send a time. */
  readonly created: number;
  /** OpenAI chat streams: whether the caller asked for `stream_options.include_usage`. */
  readonly includeUsage?: boolean;
  /** Gemini streams: `json-array` where the caller's path had no `alt=sse`. */
  readonly framing?: StreamFraming;
  /** Maps tool names that the provider knows to the app's names; absent when they are the same. */
  readonly names?: ReadonlyMap<string, string>;
}

export interface TranslatedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** The error, when the answer is one; otherwise null. */
  readonly failure: Failure | null;
}

function contextOf(options: AnswerOptions): AnswerContext {
  return { model: options.model, id: options.id, created: options.created, includeUsage: options.includeUsage ?? false };
}

/**
 * Translates a provider's whole answer (`from`: the provider's API) to the caller's API (`to`): an answer if the status is below 300,
 * otherwise an error. Never throws; an answer that cannot be read or expressed becomes an error 502 in the caller's dialect. The code that
 * held the body has bounded it (limits.answerBytes).
 */
export function translateAnswer(from: ApiName, to: ApiName, status: number, body: Buffer, options: AnswerOptions): TranslatedAnswer {
  const { target } = apis[from].translation;
  const { caller } = apis[to].translation;
  if (target === null || caller === null) return failed(to, unreadable(`Answers of ${from} are not translated to ${to}.`));
  if (status >= 300) return failed(to, readFailure(status, body));
  const parsed = parseBody(body);
  if (parsed === undefined) return failed(to, unreadable("The provider's answer is no JSON."));
  const error = member(parsed, 'error');
  if (isObject(error)) return failed(to, readError(error, null));
  const collector = new Collector();
  const sequencer = new Sequencer(collector, caller.ids, options.id, options.names).whole;
  try {
    target.read(parsed, sequencer);
    const { answer } = collector;
    if (answer === null) return failed(to, collector.failure ?? unreadable("The provider's answer ended without a reason."));
    if (
      caller.objectArgs &&
      answer.blocks.some((block) => block.kind === 'call' && block.args !== '' && !isObject(parseJson(block.args)))
    ) {
      return failed(to, unsayable);
    }
    return {
      status,
      contentType: 'application/json',
      body: Buffer.from(writeJson(caller.write(answer, contextOf(options)))),
      failure: null,
    };
  } catch (thrown) {
    if (thrown instanceof RangeError) return failed(to, unreadable("The provider's answer is nested too deeply."));
    throw thrown;
  }
}

function unreadable(message: string): Failure {
  return { ...failureOf('server', message), status: 502 };
}

function failed(to: ApiName, failure: Failure): TranslatedAnswer {
  return { ...renderFailure(to, failure), failure };
}

/**
 * Translates a provider's event stream (`from`) to the caller's API (`to`) as it arrives: `push` takes bytes cut anywhere and returns the
 * bytes that can be sent, `end` returns the last ones. Never throws. Holds back at most one unfinished event (limits.sseEventBytes) and the
 * arguments of parallel calls (limits.translationHeldBytes). A provider error, an unreadable event or a cut stream becomes an error event
 * of the caller's API, and nothing follows it.
 */
export class AnswerTranslator {
  readonly #encoder: StreamEncoder;
  readonly #sequencer: Sequencer;
  readonly #decoder: Decoder;
  readonly #splitter: SseSplitter;
  /** The content type of the bytes that `push` returns. */
  readonly contentType: string;

  /** Throws TypeError for a pair that canTranslate refuses. */
  constructor(from: ApiName, to: ApiName, options: AnswerOptions) {
    const { target } = apis[from].translation;
    const { caller } = apis[to].translation;
    if (target === null || caller === null) throw new TypeError(`streams of ${from} are not translated to ${to}`);
    const framing = apis[to].answer.arrayStreams ? (options.framing ?? 'sse') : 'sse';
    this.contentType = framing === 'sse' ? 'text/event-stream' : 'application/json';
    this.#encoder = caller.encoder(contextOf(options), framing);
    this.#sequencer = new Sequencer(this.#encoder, caller.ids, options.id, options.names);
    this.#decoder = target.decoder(this.#sequencer);
    this.#splitter = new SseSplitter((data) => this.#event(data));
  }

  /** Whether the caller has received the whole answer or an error: anything that the provider still sends is discarded. */
  get over(): boolean {
    return this.#sequencer.over;
  }

  push(chunk: Uint8Array): Buffer {
    if (this.#sequencer.over) return this.#encoder.take();
    this.#splitter.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (this.#splitter.skipped > 0) this.#sequencer.fail(unreadable("An event of the provider's stream is too large."));
    return this.#encoder.take();
  }

  /** The provider's stream has ended (`whole`) or was cut. A stream that has already sent its finish reason counts as whole. */
  end(whole: boolean): Buffer {
    if (whole && !this.#sequencer.over) this.#splitter.end();
    if (this.#sequencer.finished) this.#sequencer.end();
    else this.#sequencer.fail(unreadable("The provider's stream was cut."));
    return this.#encoder.take();
  }

  #event(data: Buffer): void {
    if (this.#sequencer.over || data.length === 0) return;
    const text = data.toString('utf8');
    if (text === '[DONE]') {
      this.#decoder.done();
      return;
    }
    const value = parseJson(text);
    if (isObject(value)) this.#decoder.event(value);
    else this.#sequencer.fail(unreadable("An event of the provider's stream is no JSON."));
  }
}
