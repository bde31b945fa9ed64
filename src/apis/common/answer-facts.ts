import { limits } from '../../lib/limits.ts';
import { JsonCursor, ScanError } from '../scan/scan.ts';
import type { ServiceTier } from '../types.ts';
import { serviceOf } from './usage.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** What an answer has said so far, from one body or from many events. */
export class AnswerFacts {
  usage: Record<string, unknown> | null = null;
  rawUsage = '';
  model: string | null = null;
  /** The provider's own id of the answer. */
  id: string | null = null;
  finishReason: string | null = null;
  errorType: string | null = null;
  terminal = false;
  token = false;
  service: ServiceTier | null = null;
  /** Bytes of all events of a stream. */
  eventBytes = 0;
  /**
   * Its first small events, concatenated, and the end offset of each; null if none came. A copy, so that a slow stream keeps no other
   * memory alive.
   */
  sample: Buffer | null = null;
  readonly sampleEnds: number[] = [];
  /** Tools that the provider ran and bills per call. */
  readonly fees = new Set<string>();

  addEvent(data: Buffer): void {
    this.eventBytes += data.length;
    const from = this.sampleEnds.at(-1) ?? 0;
    if (this.sampleEnds.length >= limits.sampledEvents || from + data.length > limits.sampledEventBytes) return;
    this.sample ??= Buffer.allocUnsafeSlow(limits.sampledEventBytes);
    data.copy(this.sample, from);
    this.sampleEnds.push(from + data.length);
  }

  addService(name: unknown): void {
    if (typeof name !== 'string') return;
    this.service = serviceOf(name) ?? this.service;
    // Purchased in advance, at a separate price.
    if (name === 'scale') this.fees.add('service_tier scale');
  }

  /** Merges: Anthropic counts its input in the first event and its output in the last. */
  addUsage(usage: unknown): void {
    if (typeof usage !== 'object' || usage === null) return;
    const raw = JSON.stringify(usage);
    this.rawUsage = this.rawUsage === '' ? raw : `${this.rawUsage}\n${raw}`.slice(-limits.rawUsageBytes);
    if (this.usage === null) {
      this.usage = usage as Fields;
      return;
    }
    const merged = this.usage;
    // null in a later event means "not said again", not "none".
    for (const [key, value] of Object.entries(usage)) if (value !== null || !(key in merged)) merged[key] = value;
    this.usage = merged;
  }

  addError(error: unknown): void {
    if (error === null || error === undefined) return;
    const { type, code, status } = typeof error === 'object' ? (error as Fields) : {};
    for (const name of [type, code, status]) {
      if (typeof name === 'string' && name !== '') {
        this.errorType = name.slice(0, 64);
        return;
      }
    }
    this.errorType = 'unnamed';
  }
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text to keep; null if it is empty or not a string. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, limits.modelBytes) : null;
}

/** How to read the events of an API's streams. */
export interface EventReading {
  /** Takes one parsed event. */
  readonly event: (event: Fields, facts: AnswerFacts) => void;
  /** Whether events name the model. */
  readonly saysModel: boolean;
  /** Once a token and the model (if events name it) are known, an event that contains none of these words is skipped without parsing. */
  readonly words: readonly Buffer[];
}

/** The words as they appear in events. */
export function wordsIn(...words: readonly string[]): readonly Buffer[] {
  return words.map((word) => Buffer.from(word));
}

const done = Buffer.from('[DONE]');

/** Takes one event of a stream. Most events are text only and are skipped without parsing. `reading` null: the API has no streams. */
export function readEvent(reading: EventReading | null, data: Buffer, facts: AnswerFacts): void {
  if (data.equals(done)) {
    facts.terminal = true;
    return;
  }
  facts.addEvent(data);
  if (
    reading === null ||
    (facts.token && (facts.model !== null || !reading.saysModel) && !reading.words.some((word) => data.includes(word)))
  )
    return;
  let event: unknown;
  try {
    event = JSON.parse(data.toString('utf8'));
  } catch {
    return;
  }
  if (isObject(event)) reading.event(event, facts);
}

/** Response items of tools that OpenAI bills per call. */
const paidCalls: ReadonlySet<string> = new Set(['web_search_call', 'file_search_call', 'code_interpreter_call', 'image_generation_call']);

export function addCall(type: unknown, facts: AnswerFacts): void {
  if (typeof type === 'string' && paidCalls.has(type)) facts.fees.add(type);
}

/**
 * Takes a whole JSON answer: scanned, never parsed as a whole, because answers with embeddings or audio are large. False if it is not JSON.
 */
export function readBody(body: Buffer, facts: AnswerFacts): boolean {
  const cursor = new JsonCursor(body);
  try {
    if (!cursor.isObject()) return false;
    cursor.object((key) => {
      switch (key) {
        case 'usage':
        case 'usageMetadata':
          facts.addUsage(JSON.parse(cursor.raw().toString('utf8')));
          return;
        case 'id':
        case 'responseId':
          facts.id = text(cursor.stringOrNull()) ?? facts.id;
          return;
        case 'model':
        case 'modelVersion':
          facts.model = text(cursor.stringOrNull()) ?? facts.model;
          return;
        case 'service_tier':
          facts.addService(cursor.stringOrNull());
          return;
        case 'output':
          outputOf(cursor, facts);
          return;
        case 'stop_reason':
        case 'finish_reason':
        case 'status':
          facts.finishReason = text(cursor.stringOrNull()) ?? facts.finishReason;
          return;
        case 'error': {
          const raw = cursor.raw();
          if (raw.length <= limits.sseEventBytes) facts.addError(JSON.parse(raw.toString('utf8')));
          else facts.addError({});
          return;
        }
        case 'choices':
        case 'candidates':
          finishOf(cursor, facts);
          return;
        default:
          cursor.skip();
      }
    });
    cursor.finish();
    facts.terminal = true;
    return true;
  } catch (error) {
    if (error instanceof ScanError || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Reads the kinds of a response's items. */
function outputOf(cursor: JsonCursor, facts: AnswerFacts): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(() => {
    if (!cursor.isObject()) {
      cursor.skip();
      return;
    }
    cursor.object((key) => {
      if (key === 'type') addCall(cursor.stringOrNull(), facts);
      else cursor.skip();
    });
  });
}

function finishOf(cursor: JsonCursor, facts: AnswerFacts): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(() => {
    if (!cursor.isObject()) {
      cursor.skip();
      return;
    }
    cursor.object((key) => {
      if (key === 'finish_reason' || key === 'finishReason') facts.finishReason = cursor.stringOrNull() ?? facts.finishReason;
      else if (key === 'groundingMetadata') {
        if (cursor.isObject()) facts.fees.add('grounding');
        cursor.skip();
      } else cursor.skip();
    });
  });
}
