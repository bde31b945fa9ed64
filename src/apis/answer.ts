import { withoutEncoding } from '../lib/content-encoding.ts';
import { limits } from '../lib/limits.ts';
import { AnswerFacts, readBody, readEvent } from './common/answer-facts.ts';
import type { Billed } from './common/usage.ts';
import { apis } from './registry.ts';
import { seenOf } from './seen.ts';
import { JsonArraySplitter } from './scan/json-stream.ts';
import { EventStreamSplitter, eventStreamType } from './scan/event-stream.ts';
import { LineSplitter } from './scan/lines.ts';
import { SseSplitter } from './scan/sse.ts';
import type { Answer, AnswerHead, AnswerReader, UsageUnknown } from './types.ts';
import { readUsage } from './usage.ts';
import type { Mutable } from '../lib/mutable.ts';

/** A reader for one answer, chosen by its headers. */
export function readAnswer(head: AnswerHead): AnswerReader {
  const encoding = head.contentEncoding === '' ? '' : head.contentEncoding.trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity') return new EncodedReader(head, encoding);
  return plainReader(head);
}

function plainReader(head: AnswerHead): AnswerReader {
  if (head.contentType.startsWith(eventStreamType)) return eventStreamReader(head);
  if (head.contentType === 'application/json') return new JsonReader(head);
  const type = head.contentType.toLowerCase();
  if (type.startsWith('text/event-stream')) return sseReader(head);
  return jsonLines.test(type) ? linesReader(head) : new JsonReader(head);
}

/** Names of streams with one JSON object on each line. */
const jsonLines = /^application\/(?:stream\+json|(?:x-)?ndjson|(?:x-)?jsonlines?|jsonl)(?:;|$)/;

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

const plain: Billed = { service: null, beyond: [] };

function billedOf(facts: AnswerFacts): Billed {
  // A call in a container has a name of its own, and may have a price.
  if (facts.container && facts.calls?.['code_interpreter_call'] === undefined && facts.calls?.['shell_call'] === undefined)
    facts.addBeyond('container');
  const { service, beyond, calls } = facts;
  // Most answers say nothing about their price besides their usage.
  if (service === null && beyond.size === 0 && calls === undefined) return plain;
  return { service, beyond: [...beyond], ...(calls === undefined ? {} : { calls }) };
}

/** `why` is the problem that prevented reading, if any; otherwise the facts decide. */
function answerOf(head: AnswerHead, facts: AnswerFacts, complete: boolean, why: UsageUnknown | null, stream = false): Answer {
  const usage = facts.usage === null ? null : readUsage(head.api, facts.usage, facts.rawUsage, billedOf(facts));
  // A stream's usage counts only when it is final: a cut stream has reported at most a part.
  const final = usage !== null && complete;
  let usageUnknown: UsageUnknown | null = null;
  if (!final) {
    if (apis[head.api].answer.usage === null) usageUnknown = 'dialect';
    else if (head.status >= 400) usageUnknown = 'error-status';
    else if (why !== null) usageUnknown = why;
    else if (!complete) usageUnknown = 'cut';
    else if (facts.usage !== null) usageUnknown = 'unreadable';
    else usageUnknown = head.usageNotAsked ? 'stream-not-asked' : 'not-sent';
  }
  const answer: Mutable<Answer> = {
    usage: final ? usage : null,
    usageUnknown,
    model: facts.model,
    id: facts.id,
    finishReason: facts.finishReason,
    complete,
    errorType: facts.errorType ?? (head.status >= 400 ? `http_${head.status}` : null),
  };
  if (stream && !final && head.status < 400 && facts.errorType === null) answer.seen = seenOf(head.api, facts, usage);
  return answer;
}

/** The first byte that is no white space. */
function firstByte(bytes: Buffer): number | undefined {
  let at = 0;
  while (at < bytes.length && bytes[at]! <= 0x20) at++;
  return bytes[at];
}

/** Divides the bytes of a stream into events. */
interface Splitter {
  push(bytes: Buffer): void;
  /** Absent if nothing is left when the bytes end. */
  end?(): void;
  /** Events that were too large. */
  readonly skipped: number;
}

/** A stream of events. */
class EventsReader implements AnswerReader {
  readonly #head: AnswerHead;
  readonly #facts: AnswerFacts;
  readonly #splitter: Splitter;

  constructor(head: AnswerHead, facts: AnswerFacts, splitter: Splitter) {
    this.#head = head;
    this.#facts = facts;
    this.#splitter = splitter;
  }

  push(chunk: Uint8Array): boolean {
    const before = this.#facts.token;
    this.#splitter.push(asBuffer(chunk));
    return !before && this.#facts.token;
  }

  end(whole: boolean): Answer {
    if (whole) this.#splitter.end?.();
    const { terminal, usage } = this.#facts;
    return answerOf(this.#head, this.#facts, terminal, terminal && usage === null && this.#splitter.skipped > 0 ? 'too-large' : null, true);
  }
}

function sseReader(head: AnswerHead): AnswerReader {
  const facts = new AnswerFacts();
  const { events } = apis[head.api].answer;
  return new EventsReader(head, facts, new SseSplitter((data) => readEvent(events, data, facts)));
}

/** JSON lines: each is an event. */
function linesReader(head: AnswerHead): AnswerReader {
  const facts = new AnswerFacts();
  const { events } = apis[head.api].answer;
  return new EventsReader(head, facts, new LineSplitter((line) => readEvent(events, line, facts)));
}

/** A binary event stream of AWS. */
function eventStreamReader(head: AnswerHead): AnswerReader {
  const facts = new AnswerFacts();
  const { events } = apis[head.api].answer;
  return new EventsReader(head, facts, new EventStreamSplitter((headers, payload) => readEvent(events, payload, facts, headers)));
}

/** One JSON object, or Gemini's stream as a JSON array. */
class JsonReader implements AnswerReader {
  readonly #head: AnswerHead;
  readonly #facts = new AnswerFacts();
  #array: JsonArraySplitter | null = null;
  #started = false;
  /** The first chunk, which usually is all, and those after it. */
  #first: Buffer | null = null;
  #more: Buffer[] | null = null;
  #held = 0;
  #tooLarge = false;

  constructor(head: AnswerHead) {
    this.#head = head;
  }

  push(chunk: Uint8Array): boolean {
    const bytes = asBuffer(chunk);
    const first = this.#started ? undefined : firstByte(bytes);
    if (first !== undefined) {
      this.#started = true;
      if (first === 0x5b && apis[this.#head.api].answer.arrayStreams) {
        const { events } = apis[this.#head.api].answer;
        this.#array = new JsonArraySplitter((element) => readEvent(events, element, this.#facts));
      }
    }
    if (this.#array !== null) {
      const before = this.#facts.token;
      this.#array.push(bytes);
      return !before && this.#facts.token;
    }
    this.#hold(bytes);
    return false;
  }

  end(whole: boolean): Answer {
    if (this.#array !== null) return answerOf(this.#head, this.#facts, this.#facts.terminal && this.#array.closed, null, true);
    if (this.#tooLarge) return answerOf(this.#head, this.#facts, whole, 'too-large');
    if (!whole) return answerOf(this.#head, this.#facts, false, null);
    const body = this.#first === null || this.#more === null ? this.#first : Buffer.concat([this.#first, ...this.#more]);
    const readable = body !== null && this.#held > 0 && readBody(body, this.#facts);
    this.#first = this.#more = null;
    return answerOf(this.#head, this.#facts, true, readable ? null : 'unreadable');
  }

  #hold(bytes: Buffer): void {
    if (this.#tooLarge) return;
    this.#held += bytes.length;
    if (this.#held > limits.answerBytes) {
      this.#tooLarge = true;
      this.#first = this.#more = null;
    } else if (this.#first === null) this.#first = bytes;
    else (this.#more ??= []).push(bytes);
  }
}

/** A compressed answer: held up to the bound, then decoded and read once complete. */
class EncodedReader implements AnswerReader {
  readonly #head: AnswerHead;
  readonly #encoding: string;
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(head: AnswerHead, encoding: string) {
    this.#head = head;
    this.#encoding = encoding;
  }

  push(chunk: Uint8Array): boolean {
    this.#held += chunk.length;
    if (this.#held <= limits.answerBytes) this.#chunks.push(asBuffer(chunk));
    else this.#chunks = [];
    return false;
  }

  end(whole: boolean): Answer {
    if (!whole) return answerOf(this.#head, new AnswerFacts(), false, null);
    if (this.#held > limits.answerBytes) return answerOf(this.#head, new AnswerFacts(), true, 'too-large');
    const body = decompress(this.#encoding, Buffer.concat(this.#chunks));
    if (body === null) return answerOf(this.#head, new AnswerFacts(), true, 'encoded');
    const reader = plainReader(this.#head);
    reader.push(body);
    return reader.end(true);
  }
}

function decompress(encoding: string, bytes: Buffer): Buffer | null {
  try {
    return withoutEncoding(bytes, encoding, limits.answerBytes);
  } catch {
    return null;
  }
}
