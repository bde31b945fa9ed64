import { limits } from '../../lib/limits.ts';
import type {
  AnswerContext,
  AnswerEnd,
  AnswerSink,
  AnswerStart,
  BlockStart,
  Finish,
  WholeAnswer,
} from '../common/translate-answer-types.ts';
import { wordsOf } from '../common/collector.ts';
import { StreamEncoder } from '../common/encoder.ts';
import { failureOf, readError, renderFailure, streamFailure, unsayable } from '../common/failure.ts';
import type { Failure, StreamFraming } from '../common/failure.ts';
import { isObject, list, member, numberOf, parseJson, text, writeJson } from '../common/json.ts';
import type { Json, JsonObject } from '../common/json.ts';
import { foreignSignature } from '../common/models.ts';
import { usageOf } from '../common/translate-usage.ts';
import { geminiErrors } from './errors.ts';
import { geminiUsage, writeGeminiUsage } from './usage.ts';
import { filterFinishes } from './view.ts';
import { readWhole } from '../common/read-whole.ts';

const finishes: Readonly<Record<string, Finish>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  ...Object.fromEntries(filterFinishes.map((name) => [name, 'filter' as const])),
};

/** Finish reasons that mean that the model failed. */
const broken: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'MALFORMED_RESPONSE',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MISSING_THOUGHT_SIGNATURE',
  'NO_IMAGE',
  'IMAGE_OTHER',
  'OTHER',
]);

/** Reads generateContent's answers; a stream's chunks have the same shape as a whole answer. */
export class GeminiDecoder {
  readonly #sink: AnswerSink;
  #calls = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  event(value: JsonObject): void {
    const sink = this.#sink;
    const error = member(value, 'error');
    if (error !== undefined && error !== null) {
      sink.fail(readError(error, null));
      return;
    }
    const usage = usageOf(geminiUsage, member(value, 'usageMetadata'));
    if (usage !== null) sink.usage(usage);
    const candidate = list(member(value, 'candidates')).find((one) => (numberOf(member(one, 'index')) ?? 0) === 0);
    const blocked = text(member(member(value, 'promptFeedback'), 'blockReason'));
    if (candidate === undefined && blocked === null) return;
    sink.start({ id: text(member(value, 'responseId')), model: text(member(value, 'modelVersion')), created: null });
    for (const part of list(member(member(candidate, 'content'), 'parts'))) this.#part(part);
    const finish = text(member(candidate, 'finishReason'));
    if (candidate === undefined) sink.finish('filter', null);
    else if (finish !== null && broken.has(finish))
      sink.fail(failureOf('server', text(member(candidate, 'finishMessage')) ?? `The model ended with ${finish}.`));
    else if (finish !== null && finish !== 'FINISH_REASON_UNSPECIFIED') sink.finish(finishes[finish] ?? 'stop', null);
  }

  #part(part: Json): void {
    if (member(part, 'thought') === true) return;
    this.#sink.text(text(member(part, 'text')) ?? '');
    const call = member(part, 'functionCall');
    if (!isObject(call)) return;
    const key = String(this.#calls++);
    this.#sink.callStart(key, text(call['id']), text(call['name']) ?? '');
    this.#sink.callArgs(key, writeJson(call['args'] ?? {}));
    this.#sink.callEnd(key);
  }

  done(): void {
    this.#sink.end();
  }
}

/** Reads a whole answer. */
export function readGeminiAnswer(value: Json, sink: AnswerSink): void {
  readWhole(value, new GeminiDecoder(sink), sink, 'no object');
}

function finishName(finish: Finish): string {
  switch (finish) {
    case 'stop':
    case 'stop-sequence':
    case 'calls':
      return 'STOP';
    case 'length':
      return 'MAX_TOKENS';
    case 'filter':
    case 'refusal':
      return 'SAFETY';
  }
}

/**
 * A call in the form that Gemini's callers get. The signature on the first call lets the app send it back to Gemini itself, which would
 * otherwise refuse a call that it did not make.
 */
function callPart(id: string, name: string, args: Json, first: boolean): JsonObject {
  return { functionCall: { id, name, args }, ...(first ? { thoughtSignature: foreignSignature } : {}) };
}

function chunkOf(
  parts: readonly JsonObject[],
  start: AnswerStart,
  context: AnswerContext,
  end: AnswerEnd | null,
  refusal: string | null,
): JsonObject {
  const candidate: JsonObject = {
    content: { role: 'model', parts },
    ...(end === null ? {} : { finishReason: finishName(end.finish) }),
    ...(refusal === null ? {} : { finishMessage: refusal }),
    index: 0,
  };
  return {
    candidates: [candidate],
    ...(end?.usage == null ? {} : { usageMetadata: writeGeminiUsage(end.usage) }),
    modelVersion: start.model ?? context.model,
    responseId: start.id ?? context.id,
  };
}

/** Writes a whole answer. */
export function writeGeminiAnswer(answer: WholeAnswer, context: AnswerContext): JsonObject {
  let calls = 0;
  const parts = answer.blocks.map((block) =>
    block.kind === 'call'
      ? callPart(block.id, block.name, parseJson(block.args === '' ? '{}' : block.args) ?? {}, calls++ === 0)
      : { text: block.text },
  );
  return chunkOf(parts, answer.start, context, answer, wordsOf(answer, 'refusal'));
}

/** Writes a stream of chunks, as events (`alt=sse`) or as one growing JSON array. */
export class GeminiEncoder extends StreamEncoder {
  readonly #context: AnswerContext;
  readonly #framing: StreamFraming;
  #start: AnswerStart = { id: null, model: null, created: null };
  #block: BlockStart = { kind: 'text' };
  /** A call's arguments, collected because Gemini sends calls whole. */
  #args: string[] = [];
  #calls = 0;
  #argsUnits = 0;
  #chunks = 0;

  constructor(context: AnswerContext, framing: StreamFraming) {
    super();
    this.#context = context;
    this.#framing = framing;
  }

  start(start: AnswerStart): void {
    this.#start = start;
  }

  open(block: BlockStart): void {
    this.#block = block;
    this.#args = [];
    this.#argsUnits = 0;
  }

  delta(piece: string): void {
    if (this.#block.kind !== 'call') {
      this.#chunk([{ text: piece }], null);
      return;
    }
    this.#argsUnits += piece.length;
    if (this.#argsUnits <= limits.translationHeldBytes) this.#args.push(piece);
  }

  close(): Failure | null {
    if (this.#block.kind !== 'call') return null;
    const args = this.#args.length === 0 ? {} : parseJson(this.#args.join(''));
    this.#args = [];
    if (!isObject(args)) return unsayable;
    this.#chunk([callPart(this.#block.id, this.#block.name, args, this.#calls++ === 0)], null);
    return null;
  }

  finish(end: AnswerEnd): void {
    // An empty text, because Google's SDKs treat a content without parts as broken.
    this.#chunk([{ text: '' }], end);
    if (this.#framing === 'json-array') this.write(']');
  }

  fail(failure: Failure): void {
    if (this.#framing === 'json-array' && this.#chunks === 0) this.write(`[${renderFailure(geminiErrors, failure).body.toString('utf8')}]`);
    else this.write(streamFailure(geminiErrors, failure, this.#framing).toString('utf8'));
  }

  #chunk(parts: readonly JsonObject[], end: AnswerEnd | null): void {
    const json = writeJson(chunkOf(parts, this.#start, this.#context, end, null));
    if (this.#framing === 'sse') this.write(`data: ${json}\n\n`);
    else this.write(`${this.#chunks === 0 ? '[' : ',\n'}${json}`);
    this.#chunks++;
  }
}
