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
import { failureOf, readError, streamFailure } from '../common/failure.ts';
import type { Failure } from '../common/failure.ts';
import { isObject, list, member, numberOf, parseJson, text, writeJson } from '../common/json.ts';
import type { Json, JsonObject } from '../common/json.ts';
import { usageOf } from '../common/translate-usage.ts';
import { anthropicErrors } from './errors.ts';
import { anthropicNoUsage, anthropicUsage, writeAnthropicUsage } from './usage.ts';

const finishes: Readonly<Record<string, Finish>> = {
  end_turn: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  stop_sequence: 'stop-sequence',
  tool_use: 'calls',
  refusal: 'refusal',
};

function readStop(holder: Json | undefined, sink: AnswerSink): void {
  const reason = text(member(holder, 'stop_reason'));
  if (reason === null) return;
  if (reason === 'refusal') sink.refusal(text(member(member(holder, 'stop_details'), 'explanation')) ?? '');
  sink.finish(finishes[reason] ?? 'stop', text(member(holder, 'stop_sequence')));
}

/** Reads the events of a Messages stream. */
export class AnthropicDecoder {
  readonly #sink: AnswerSink;
  #usage: Record<string, Json> = {};

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  event(value: JsonObject): void {
    const sink = this.#sink;
    switch (text(value['type'])) {
      case 'message_start': {
        const message = member(value, 'message');
        this.#addUsage(member(message, 'usage'));
        sink.start({ id: text(member(message, 'id')), model: text(member(message, 'model')), created: null });
        return;
      }
      case 'content_block_start':
        this.#blockStart(String(numberOf(member(value, 'index')) ?? 0), member(value, 'content_block'));
        return;
      case 'content_block_delta': {
        const delta = member(value, 'delta');
        const type = member(delta, 'type');
        if (type === 'text_delta') sink.text(text(member(delta, 'text')) ?? '');
        else if (type === 'input_json_delta')
          sink.callArgs(String(numberOf(member(value, 'index')) ?? 0), text(member(delta, 'partial_json')) ?? '');
        return;
      }
      case 'content_block_stop':
        sink.callEnd(String(numberOf(member(value, 'index')) ?? 0));
        return;
      case 'message_delta': {
        this.#addUsage(member(value, 'usage'));
        readStop(member(value, 'delta'), sink);
        return;
      }
      case 'message_stop':
        sink.end();
        return;
      case 'error':
        sink.fail(readError(member(value, 'error'), null));
        return;
      default:
      // ping, and unknown new events.
    }
  }

  done(): void {
    this.#sink.end();
  }

  #blockStart(key: string, block: Json | undefined): void {
    const type = member(block, 'type');
    if (type === 'text') this.#sink.text(text(member(block, 'text')) ?? '');
    if (type !== 'tool_use') return;
    this.#sink.callStart(key, text(member(block, 'id')), text(member(block, 'name')) ?? '');
    const input = member(block, 'input');
    // Usually empty at the start of a stream; servers that do not stream arguments send all of them here.
    if (isObject(input) && Object.keys(input).length > 0) this.#sink.callArgs(key, writeJson(input));
  }

  /** The first event reports the input, the last one the output; null means "not repeated". */
  #addUsage(usage: Json | undefined): void {
    if (!isObject(usage)) return;
    for (const [key, value] of Object.entries(usage)) if (value !== null && value !== undefined) this.#usage[key] = value;
    const read = usageOf(anthropicUsage, this.#usage);
    if (read !== null) this.#sink.usage(read);
  }
}

/** Reads a whole message. */
export function readAnthropicAnswer(value: Json, sink: AnswerSink): void {
  if (!isObject(value) || !Array.isArray(value['content'])) {
    sink.fail(failureOf('server', "The provider's answer is no message."));
    return;
  }
  sink.start({ id: text(value['id']), model: text(value['model']), created: null });
  for (const [index, block] of list(value['content']).entries()) {
    const type = member(block, 'type');
    if (type === 'text') sink.text(text(member(block, 'text')) ?? '');
    if (type !== 'tool_use') continue;
    const key = String(index);
    sink.callStart(key, text(member(block, 'id')), text(member(block, 'name')) ?? '');
    sink.callArgs(key, writeJson(member(block, 'input') ?? {}));
    sink.callEnd(key);
  }
  const usage = usageOf(anthropicUsage, value['usage']);
  if (usage !== null) sink.usage(usage);
  readStop(value, sink);
  sink.end();
}

function stopOf(end: AnswerEnd, refusal: string): JsonObject {
  const reason: Readonly<Record<Finish, string>> = {
    stop: 'end_turn',
    'stop-sequence': 'stop_sequence',
    length: 'max_tokens',
    calls: 'tool_use',
    filter: 'refusal',
    refusal: 'refusal',
  };
  const refused = end.finish === 'refusal' || end.finish === 'filter';
  return {
    stop_reason: reason[end.finish],
    stop_sequence: end.stopSequence,
    stop_details: refused ? { type: 'refusal', category: null, explanation: refusal === '' ? null : refusal } : null,
  };
}

const idOf = (start: AnswerStart, context: AnswerContext): string =>
  start.id?.startsWith('msg_') === true ? start.id : `msg_${start.id ?? context.id}`;

/** Writes a whole message. */
export function writeAnthropicAnswer(answer: WholeAnswer, context: AnswerContext): JsonObject {
  const content = answer.blocks.map((block): JsonObject => {
    if (block.kind !== 'call') return { type: 'text', text: block.text };
    return {
      type: 'tool_use',
      id: block.id,
      name: block.name,
      input: parseJson(block.args === '' ? '{}' : block.args) ?? {},
      caller: { type: 'direct' },
    };
  });
  return {
    id: idOf(answer.start, context),
    type: 'message',
    role: 'assistant',
    model: answer.start.model ?? context.model,
    content,
    ...stopOf(answer, wordsOf(answer, 'refusal') ?? ''),
    usage: answer.usage === null ? anthropicNoUsage : writeAnthropicUsage(answer.usage),
  };
}

/** Writes the events of a Messages stream in the order that Anthropic's SDKs expect. */
export class AnthropicEncoder extends StreamEncoder {
  readonly #context: AnswerContext;
  #index = -1;
  #block: BlockStart = { kind: 'text' };
  #refusal = '';

  constructor(context: AnswerContext) {
    super();
    this.#context = context;
  }

  start(start: AnswerStart): void {
    const message: JsonObject = {
      id: idOf(start, this.#context),
      type: 'message',
      role: 'assistant',
      model: start.model ?? this.#context.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      // Replaced by the usage in the last event, the first one that knows it.
      usage: anthropicNoUsage,
    };
    this.named({ type: 'message_start', message });
  }

  open(block: BlockStart): void {
    this.#block = block;
    this.#index++;
    const content: JsonObject =
      block.kind === 'call'
        ? { type: 'tool_use', id: block.id, name: block.name, input: {}, caller: { type: 'direct' } }
        : { type: 'text', text: '' };
    this.named({ type: 'content_block_start', index: this.#index, content_block: content });
  }

  delta(piece: string): void {
    if (this.#block.kind === 'refusal') this.#refusal = (this.#refusal + piece).slice(0, limits.textUnits);
    const delta: JsonObject =
      this.#block.kind === 'call' ? { type: 'input_json_delta', partial_json: piece } : { type: 'text_delta', text: piece };
    this.named({ type: 'content_block_delta', index: this.#index, delta });
  }

  close(): null {
    this.named({ type: 'content_block_stop', index: this.#index });
    return null;
  }

  finish(end: AnswerEnd): void {
    this.named({
      type: 'message_delta',
      delta: stopOf(end, this.#refusal),
      usage: end.usage === null ? anthropicNoUsage : writeAnthropicUsage(end.usage),
    });
    this.named({ type: 'message_stop' });
  }

  fail(failure: Failure): void {
    this.write(streamFailure(anthropicErrors, failure).toString('utf8'));
  }
}
