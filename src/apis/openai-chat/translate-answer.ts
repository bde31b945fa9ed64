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
import { readError, streamFailure } from '../common/failure.ts';
import type { Failure } from '../common/failure.ts';
import { isObject, list, member, numberOf, text, writeJson } from '../common/json.ts';
import type { Json, JsonObject } from '../common/json.ts';
import { usageOf } from '../common/translate-usage.ts';
import { openaiChatUsage, openaiUsage } from '../openai/usage.ts';
import { errorInChunk } from '../common/error-words.ts';
import { openaiErrors } from '../openai/errors.ts';
import { dataEvent, doneEvent } from '../common/event-text.ts';
import { readWhole } from '../common/read-whole.ts';
import { callOf, callStart } from '../common/chat-messages.ts';

const finishes: Readonly<Record<string, Finish>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'calls',
  function_call: 'calls',
  content_filter: 'filter',
};

/** Reads chat completions, whole ones and chunks alike. */
export class OpenAiChatDecoder {
  readonly #sink: AnswerSink;
  /** The id of the call at each index: some servers give every call the index 0, and tell them apart by id only. */
  readonly #ids = new Map<number, { readonly key: string; readonly id: string | null }>();
  /** A call whose name has not arrived yet: some servers send its id first. */
  #unnamed: { readonly key: string; readonly id: string | null; args: string } | null = null;
  #calls = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  event(value: JsonObject): void {
    const sink = this.#sink;
    const error = errorInChunk(value);
    if (error !== null) {
      sink.fail(readError(error as Json, null));
      return;
    }
    const usage = usageOf(openaiUsage, member(value, 'usage'));
    if (usage !== null) sink.usage(usage);
    const choice = list(member(value, 'choices')).find((one) => (numberOf(member(one, 'index')) ?? 0) === 0);
    if (choice === undefined) return;
    sink.start({ id: text(member(value, 'id')), model: text(member(value, 'model')), created: numberOf(member(value, 'created')) });
    const message = member(choice, 'delta') ?? member(choice, 'message');
    const content = member(message, 'content');
    if (typeof content === 'string') sink.text(content);
    // Some servers answer with an array of texts.
    else for (const part of list(content)) sink.text(text(member(part, 'text')) ?? '');
    sink.refusal(text(member(message, 'refusal')) ?? '');
    const calls = list(member(message, 'tool_calls'));
    for (const [position, call] of calls.entries()) this.#call(call, position);
    const legacy = member(message, 'function_call');
    if (calls.length === 0 && isObject(legacy)) this.#call({ function: legacy }, 0);
    const finish = text(member(choice, 'finish_reason'));
    if (finish !== null && finish !== '') sink.finish(finishes[finish] ?? 'stop', null);
  }

  #call(call: Json, position: number): void {
    const index = numberOf(member(call, 'index')) ?? position;
    const id = text(member(call, 'id'));
    const fn = member(call, 'function');
    let known = this.#ids.get(index);
    if (known === undefined || (id !== null && id !== '' && known.id !== id)) {
      known = { key: String(this.#calls++), id };
      this.#ids.set(index, known);
      this.#name(null);
      this.#unnamed = { ...known, args: '' };
    }
    const name = text(member(fn, 'name')) ?? '';
    const args = argsOf(member(fn, 'arguments'));
    if (this.#unnamed?.key === known.key) {
      this.#unnamed.args += args;
      if (name !== '') this.#name(name);
    } else this.#sink.callArgs(known.key, args);
  }

  /** Reports the call that waits for its name, if there is one; null: no name will come. */
  #name(name: string | null): void {
    const call = this.#unnamed;
    if (call === null) return;
    this.#unnamed = null;
    this.#sink.callStart(call.key, call.id, name ?? '');
    this.#sink.callArgs(call.key, call.args);
  }

  /** The stream's own end mark. */
  done(): void {
    this.#name(null);
    this.#sink.end();
  }
}

/** Some servers send arguments as an object instead of its JSON text. */
function argsOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : isObject(value) ? writeJson(value) : '';
}

function finishName(end: AnswerEnd, refused: boolean): string {
  switch (end.finish) {
    case 'stop':
    case 'stop-sequence':
      return 'stop';
    case 'length':
      return 'length';
    case 'calls':
      return 'tool_calls';
    case 'filter':
      return 'content_filter';
    case 'refusal':
      return refused ? 'stop' : 'content_filter';
  }
}

const idOf = (start: AnswerStart, context: AnswerContext): string => `chatcmpl-${start.id ?? context.id}`;

/** Writes a whole chat completion. */
export function writeOpenAiChatAnswer(answer: WholeAnswer, context: AnswerContext): JsonObject {
  const refusal = wordsOf(answer, 'refusal');
  const calls = answer.blocks.filter((block) => block.kind === 'call');
  const message: JsonObject = {
    role: 'assistant',
    content: wordsOf(answer, 'text'),
    refusal,
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(callOf) }),
  };
  return {
    id: idOf(answer.start, context),
    object: 'chat.completion',
    created: answer.start.created ?? context.created,
    model: answer.start.model ?? context.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishName(answer, refusal !== null) }],
    ...(answer.usage === null ? {} : { usage: openaiChatUsage(answer.usage) }),
  };
}

/** Writes a stream of chat completion chunks. */
export class OpenAiChatEncoder extends StreamEncoder {
  readonly #context: AnswerContext;
  #base: JsonObject = {};
  #block: BlockStart = { kind: 'text' };
  #calls = 0;
  #empty = true;
  #refused = false;

  constructor(context: AnswerContext) {
    super();
    this.#context = context;
  }

  start(start: AnswerStart): void {
    this.#base = {
      id: idOf(start, this.#context),
      object: 'chat.completion.chunk',
      created: start.created ?? this.#context.created,
      model: start.model ?? this.#context.model,
    };
    this.#chunk({ role: 'assistant', content: '' }, null);
  }

  open(block: BlockStart): void {
    this.#block = block;
    this.#empty = true;
    if (block.kind !== 'call') return;
    this.#chunk({ tool_calls: [{ index: this.#calls, ...callStart(block) }] }, null);
  }

  delta(piece: string): void {
    this.#empty = false;
    if (this.#block.kind === 'call') this.#chunk({ tool_calls: [{ index: this.#calls, function: { arguments: piece } }] }, null);
    else if (this.#block.kind === 'refusal') {
      this.#refused = true;
      this.#chunk({ refusal: piece }, null);
    } else this.#chunk({ content: piece }, null);
  }

  close(): null {
    if (this.#block.kind !== 'call') return null;
    // A call without arguments has an empty object in every API; a stream that sends no arguments needs it added.
    if (this.#empty) this.delta('{}');
    this.#calls++;
    return null;
  }

  finish(end: AnswerEnd): void {
    this.#chunk({}, finishName(end, this.#refused));
    if (this.#context.includeUsage && end.usage !== null) this.#write({ ...this.#base, choices: [], usage: openaiChatUsage(end.usage) });
    this.write(doneEvent);
  }

  fail(failure: Failure): void {
    this.write(streamFailure(openaiErrors, failure).toString('utf8'));
  }

  #chunk(delta: JsonObject, finish: string | null): void {
    this.#write({
      ...this.#base,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(this.#context.includeUsage ? { usage: null } : {}),
    });
  }

  #write(value: JsonObject): void {
    this.write(dataEvent(value));
  }
}

/** Reads a whole chat completion; fails if it is not an object. */
export function readOpenAiChatAnswer(value: Json, sink: AnswerSink): void {
  readWhole(value, new OpenAiChatDecoder(sink), sink, 'no chat completion');
}
