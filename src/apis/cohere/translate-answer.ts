import { StreamEncoder } from '../common/encoder.ts';
import { failureOf, streamFailure, type Failure } from '../common/failure.ts';
import { isObject, list, member, numberOf, text, type Json, type JsonObject } from '../common/json.ts';
import type {
  AnswerContext,
  AnswerEnd,
  AnswerSink,
  AnswerStart,
  BlockStart,
  Finish,
  WholeAnswer,
} from '../common/translate-answer-types.ts';
import { usageOf } from '../common/translate-usage.ts';
import { cohereErrors, cohereUsage, writeCohereUsage } from './answer.ts';
import { callOf, callStart } from '../common/chat-messages.ts';
import { doneEvent } from '../common/event-text.ts';

const finishes: Readonly<Record<string, Finish>> = {
  COMPLETE: 'stop',
  STOP_SEQUENCE: 'stop-sequence',
  MAX_TOKENS: 'length',
  TOOL_CALL: 'calls',
};
/** Cohere has no finish reason for a refusal: the text expresses it. An answer that a filter cut is an error. */
const reasons: Readonly<Record<Finish, string>> = {
  stop: 'COMPLETE',
  'stop-sequence': 'STOP_SEQUENCE',
  length: 'MAX_TOKENS',
  calls: 'TOOL_CALL',
  refusal: 'COMPLETE',
  filter: 'ERROR',
};

function readEnd(holder: Json | undefined, sink: AnswerSink): void {
  const reason = text(member(holder, 'finish_reason'));
  const error = text(member(holder, 'error'));
  if (reason === 'ERROR' || reason === 'TIMEOUT' || error !== null) {
    sink.fail(failureOf(reason === 'TIMEOUT' ? 'timeout' : 'server', error ?? "The provider's model failed."));
    return;
  }
  const usage = usageOf(cohereUsage, member(holder, 'usage'));
  if (usage !== null) sink.usage(usage);
  if (reason !== null) sink.finish(finishes[reason] ?? 'stop', null);
  sink.end();
}

/** Reads the events of a chat stream. */
export class CohereDecoder {
  readonly #sink: AnswerSink;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  event(value: JsonObject): void {
    const sink = this.#sink;
    const delta = member(value, 'delta');
    const message = member(delta, 'message');
    const key = String(numberOf(member(value, 'index')) ?? 0);
    switch (text(value['type'])) {
      case 'message-start':
        sink.start({ id: text(value['id']), model: null, created: null });
        return;
      case 'content-start':
      case 'content-delta':
        // Thinking comes in parts of its own, without a text.
        sink.text(text(member(member(message, 'content'), 'text')) ?? '');
        return;
      case 'tool-plan-delta':
        sink.text(text(member(message, 'tool_plan')) ?? '');
        return;
      case 'tool-call-start': {
        const call = member(message, 'tool_calls');
        sink.callStart(key, text(member(call, 'id')), text(member(member(call, 'function'), 'name')) ?? '');
        sink.callArgs(key, text(member(member(call, 'function'), 'arguments')) ?? '');
        return;
      }
      case 'tool-call-delta':
        sink.callArgs(key, text(member(member(member(message, 'tool_calls'), 'function'), 'arguments')) ?? '');
        return;
      case 'tool-call-end':
        sink.callEnd(key);
        return;
      case 'message-end':
        readEnd(delta, sink);
        return;
      default:
      // Citations, and unknown new events.
    }
  }

  done(): void {
    this.#sink.end();
  }
}

/** Reads a whole answer. */
export function readCohereAnswer(value: Json, sink: AnswerSink): void {
  const message = member(value, 'message');
  if (!isObject(message)) {
    sink.fail(failureOf('server', "The provider's answer is no message."));
    return;
  }
  sink.start({ id: text(member(value, 'id')), model: null, created: null });
  sink.text(text(message['tool_plan']) ?? '');
  for (const part of list(message['content'])) sink.text(text(member(part, 'text')) ?? '');
  for (const [index, call] of list(message['tool_calls']).entries()) {
    const key = String(index);
    const made = member(call, 'function');
    sink.callStart(key, text(member(call, 'id')), text(member(made, 'name')) ?? '');
    sink.callArgs(key, text(member(made, 'arguments')) ?? '');
    sink.callEnd(key);
  }
  readEnd(value, sink);
}

const idOf = (start: AnswerStart, context: AnswerContext): string => start.id ?? context.id;

function endOf(end: AnswerEnd): JsonObject {
  return { finish_reason: reasons[end.finish], ...(end.usage === null ? {} : { usage: writeCohereUsage(end.usage) }) };
}

/** Writes a whole answer. */
export function writeCohereAnswer(answer: WholeAnswer, context: AnswerContext): JsonObject {
  const content: JsonObject[] = [];
  const calls: JsonObject[] = [];
  for (const block of answer.blocks) {
    if (block.kind === 'call') calls.push(callOf(block));
    else content.push({ type: 'text', text: block.text });
  }
  const message = { role: 'assistant', ...(content.length === 0 ? {} : { content }), ...(calls.length === 0 ? {} : { tool_calls: calls }) };
  return { id: idOf(answer.start, context), message, ...endOf(answer) };
}

/** Writes the events of a chat stream. */
export class CohereEncoder extends StreamEncoder {
  readonly #context: AnswerContext;
  #block: BlockStart = { kind: 'text' };
  #contents = 0;
  #calls = 0;
  #empty = true;

  constructor(context: AnswerContext) {
    super();
    this.#context = context;
  }

  start(start: AnswerStart): void {
    this.named({
      type: 'message-start',
      id: idOf(start, this.#context),
      delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } },
    });
  }

  open(block: BlockStart): void {
    this.#block = block;
    this.#empty = true;
    if (block.kind === 'call') this.#part('tool-call-start', { tool_calls: callStart(block) });
    else this.#part('content-start', { content: { type: 'text', text: '' } });
  }

  delta(piece: string): void {
    this.#empty = false;
    if (this.#block.kind === 'call') this.#part('tool-call-delta', { tool_calls: { function: { arguments: piece } } });
    else this.#part('content-delta', { content: { text: piece } });
  }

  close(): null {
    if (this.#block.kind !== 'call') {
      this.named({ type: 'content-end', index: this.#contents++ });
      return null;
    }
    if (this.#empty) this.delta('{}');
    this.named({ type: 'tool-call-end', index: this.#calls++ });
    return null;
  }

  finish(end: AnswerEnd): void {
    this.named({ type: 'message-end', delta: endOf(end) });
    this.write(doneEvent);
  }

  fail(failure: Failure): void {
    this.write(streamFailure(cohereErrors, failure).toString('utf8'));
  }

  #part(type: string, message: JsonObject): void {
    this.named({ type, index: this.#block.kind === 'call' ? this.#calls : this.#contents, delta: { message } });
  }
}
