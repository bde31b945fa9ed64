import { limits } from '../../lib/limits.ts';
import type { AnswerBlock, AnswerContext, AnswerEnd, AnswerStart, BlockStart, WholeAnswer } from '../common/translate-answer-types.ts';
import { wordsOf } from '../common/collector.ts';
import { StreamEncoder } from '../common/encoder.ts';
import { failureOf, streamFailure } from '../common/failure.ts';
import type { Failure } from '../common/failure.ts';
import type { JsonObject } from '../common/json.ts';
import { namesOf } from '../openai/translate-read.ts';
import { openaiResponsesUsage } from '../openai/usage.ts';
import { responsesErrors } from './errors.ts';

const idOf = (start: AnswerStart, context: AnswerContext): string => `resp_${start.id ?? context.id}`;

/** Ids of an answer's items. */
function itemId(block: AnswerBlock | BlockStart, index: number, response: string): string {
  return `${block.kind === 'call' ? 'fc' : 'msg'}_${index}_${response}`;
}

function partOf(kind: 'text' | 'refusal', words: string): JsonObject {
  return kind === 'text' ? { type: 'output_text', text: words, annotations: [], logprobs: [] } : { type: 'refusal', refusal: words };
}

function itemOf(block: AnswerBlock, index: number, response: string, status: string): JsonObject {
  const id = itemId(block, index, response);
  if (block.kind === 'call') return { id, type: 'function_call', status, call_id: block.id, ...namesOf(block.name), arguments: block.args };
  return { id, type: 'message', status, role: 'assistant', content: status === 'in_progress' ? [] : [partOf(block.kind, block.text)] };
}

/** Response members that repeat the request get their default values: the translation of an answer does not know the request. */
function responseOf(
  start: AnswerStart,
  context: AnswerContext,
  status: string,
  output: readonly JsonObject[],
  ended: { readonly end: AnswerEnd; readonly reason: string | null } | null,
): JsonObject {
  const usage = ended?.end.usage ?? null;
  const reason = ended?.reason ?? null;
  const created = start.created ?? context.created;
  return {
    id: idOf(start, context),
    object: 'response',
    created_at: created,
    status,
    background: false,
    error: null,
    incomplete_details: reason === null ? null : { reason },
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model: start.model ?? context.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    store: false,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: usage === null ? null : openaiResponsesUsage(usage),
    user: null,
  };
}

/** Why an answer is incomplete; null if it is complete. */
function reasonOf(end: AnswerEnd, refused: boolean): string | null {
  switch (end.finish) {
    case 'length':
      return 'max_output_tokens';
    case 'filter':
      return 'content_filter';
    case 'refusal':
      return refused ? null : 'content_filter';
    case 'stop':
    case 'stop-sequence':
    case 'calls':
      return null;
  }
}

const whole = (block: AnswerBlock): AnswerBlock => (block.kind === 'call' && block.args === '' ? { ...block, args: '{}' } : block);

/** Writes a whole response. */
export function writeOpenAiResponsesAnswer(answer: WholeAnswer, context: AnswerContext): JsonObject {
  const response = idOf(answer.start, context);
  const reason = reasonOf(answer, wordsOf(answer, 'refusal') !== null);
  const output = answer.blocks.map((block, index) => itemOf(whole(block), index, response, 'completed'));
  return responseOf(answer.start, context, reason === null ? 'completed' : 'incomplete', output, { end: answer, reason });
}

/**
 * Writes the events of a Responses stream. The last event repeats the whole answer, so the answer is held until then, up to
 * limits.answerBytes; a longer one ends with an error.
 */
export class OpenAiResponsesEncoder extends StreamEncoder {
  readonly #context: AnswerContext;
  #start: AnswerStart = { id: null, model: null, created: null };
  #sequence = 0;
  #items: JsonObject[] = [];
  #block: BlockStart = { kind: 'text' };
  #pieces: string[] = [];
  #heldUnits = 0;
  #refused = false;

  constructor(context: AnswerContext) {
    super();
    this.#context = context;
  }

  start(start: AnswerStart): void {
    this.#start = start;
    const response = responseOf(start, this.#context, 'in_progress', [], null);
    this.#event('response.created', { response });
    this.#event('response.in_progress', { response });
  }

  /** The open item's position. */
  get #place(): JsonObject {
    return { item_id: itemId(this.#block, this.#items.length, idOf(this.#start, this.#context)), output_index: this.#items.length };
  }

  #item(text: string, status: string): JsonObject {
    const block: AnswerBlock = this.#block.kind === 'call' ? { ...this.#block, args: text } : { kind: this.#block.kind, text };
    return itemOf(block, this.#items.length, idOf(this.#start, this.#context), status);
  }

  open(block: BlockStart): void {
    this.#block = block;
    this.#pieces = [];
    this.#event('response.output_item.added', { output_index: this.#items.length, item: this.#item('', 'in_progress') });
    if (block.kind !== 'call')
      this.#event('response.content_part.added', { ...this.#place, content_index: 0, part: partOf(block.kind, '') });
  }

  delta(piece: string): void {
    this.#heldUnits += piece.length;
    if (this.#heldUnits <= limits.answerBytes) this.#pieces.push(piece);
    if (this.#block.kind === 'call') this.#event('response.function_call_arguments.delta', { ...this.#place, delta: piece });
    else if (this.#block.kind === 'text')
      this.#event('response.output_text.delta', { ...this.#place, content_index: 0, delta: piece, logprobs: [] });
    else this.#event('response.refusal.delta', { ...this.#place, content_index: 0, delta: piece });
  }

  close(): Failure | null {
    if (this.#heldUnits > limits.answerBytes) return failureOf('server', 'The answer holds more than its last event could repeat.');
    if (this.#block.kind === 'call' && this.#pieces.length === 0) this.delta('{}');
    const text = this.#pieces.join('');
    const place = this.#place;
    if (this.#block.kind === 'call') {
      this.#event('response.function_call_arguments.done', { ...place, ...namesOf(this.#block.name), arguments: text });
    } else {
      const { kind } = this.#block;
      if (kind === 'text') this.#event('response.output_text.done', { ...place, content_index: 0, text, logprobs: [] });
      else {
        this.#refused = true;
        this.#event('response.refusal.done', { ...place, content_index: 0, refusal: text });
      }
      this.#event('response.content_part.done', { ...place, content_index: 0, part: partOf(kind, text) });
    }
    const item = this.#item(text, 'completed');
    this.#event('response.output_item.done', { output_index: this.#items.length, item });
    this.#items.push(item);
    return null;
  }

  finish(end: AnswerEnd): void {
    const reason = reasonOf(end, this.#refused);
    const status = reason === null ? 'completed' : 'incomplete';
    this.#event(`response.${status}`, { response: responseOf(this.#start, this.#context, status, this.#items, { end, reason }) });
  }

  fail(failure: Failure): void {
    this.write(streamFailure(responsesErrors, failure, 'sse', this.#sequence).toString('utf8'));
  }

  #event(type: string, members: JsonObject): void {
    this.named({ type, sequence_number: this.#sequence++, ...members });
  }
}
