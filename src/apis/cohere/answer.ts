import { isObject, text, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';
import { list, object, text as said, type AnswerView } from '../common/answer-view.ts';
import { allChannels, noDeltas, rendered, type Deltas, type Json } from '../common/deltas.ts';
import { plainStatus, type ApiErrors } from '../common/failure.ts';
import type { JsonObject } from '../common/json.ts';
import {
  CannotConvert,
  fields as json,
  indexOf,
  inOrder,
  isFields,
  text as string,
  type Fields as JsonFields,
  type Mutable,
} from '../common/replay-json.ts';
import { doneEvent, namedEvent } from '../common/event-text.ts';
import { count, fields, unknownFields, type UsageFields, type UsageParts, type UsageReading } from '../common/usage.ts';
import type { Replay } from '../api.ts';
import type { Usage, UsageConvention } from '../types.ts';

const convention: UsageConvention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' };

/** Members of the usage object whose meaning is known. `cached_tokens` have the normal price, so they are not a separate class. */
const knownFields: ReadonlySet<string> = new Set([
  'billed_units',
  'tokens',
  'cached_tokens',
  'input_tokens',
  'output_tokens',
  'image_tokens',
  'search_units',
]);

/** `billed_units` are the billed tokens; `tokens` also counts the text that Cohere adds to a prompt. */
function readUsage(usage: UsageFields): UsageParts | null {
  const billed = fields(usage['billed_units']);
  const counts = billed['input_tokens'] === undefined && billed['output_tokens'] === undefined ? fields(usage['tokens']) : billed;
  const searches = count(billed['search_units']);
  if (counts['input_tokens'] === undefined && counts['output_tokens'] === undefined && searches === 0) return null;
  const beyond: string[] = [];
  unknownFields(usage, knownFields, beyond);
  unknownFields(billed, knownFields, beyond);
  return {
    convention,
    totalInput: count(counts['input_tokens']),
    cachedRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: 0,
    totalOutput: count(counts['output_tokens']),
    reasoning: 0,
    audioOutput: 0,
    ...(searches === 0 ? {} : { calls: { search_units: searches } }),
    service: null,
    beyond,
  };
}

/** How Cohere counts. */
export const cohereUsage: UsageReading = { convention, read: readUsage };

/** A usage object as Cohere writes it. */
export function writeCohereUsage({ totalInput, totalOutput, cachedRead }: Usage): JsonObject {
  const counts = { input_tokens: totalInput, output_tokens: totalOutput };
  return { billed_units: counts, tokens: counts, cached_tokens: cachedRead };
}

function event(one: Fields, facts: AnswerFacts): void {
  const delta = isObject(one['delta']) ? one['delta'] : {};
  switch (one['type']) {
    case 'message-start':
      facts.id ??= text(one['id']);
      return;
    case 'content-delta':
    case 'tool-plan-delta':
    case 'tool-call-delta':
      facts.token = true;
      return;
    case 'message-end':
      facts.finishReason = text(delta['finish_reason']);
      facts.addUsage(delta['usage']);
      if (facts.finishReason === 'ERROR' || facts.finishReason === 'TIMEOUT') facts.addError({ type: facts.finishReason });
      facts.terminal = true;
      return;
  }
}

/** How to read the events of a stream. None of them names the model. */
export const cohereEvents: EventReading = { event, saysModel: false, words: wordsIn('message-end') };

const inside = (value: unknown, name: string): Json => (isObject(value) && isObject(value[name]) ? value[name] : {});

/** The pieces of a chat stream's event. */
export function cohereDeltas(data: Json, jsonOutput: boolean): Deltas {
  const { type, index } = data;
  const place = `${Number(index)}/`;
  const message = inside(data['delta'], 'message');
  const one = (path: string, channel: string, text: unknown, json: boolean, put: (held: string) => Json): Deltas => {
    if (typeof text !== 'string') return noDeltas;
    return {
      deltas: [
        {
          path: `/delta/message/${path}`,
          channel,
          text,
          json,
          event: (held) => rendered({ type, ...(index === undefined ? {} : { index }), delta: { message: put(held) } }, String(type)),
        },
      ],
      ends: () => false,
    };
  };
  switch (type) {
    case 'content-delta': {
      const content = inside(message, 'content');
      const name = typeof content['text'] === 'string' ? 'text' : 'thinking';
      return one(`content/${name}`, `content/${place}`, content[name], jsonOutput && name === 'text', (held) => ({
        content: { [name]: held },
      }));
    }
    case 'tool-plan-delta':
      return one('tool_plan', 'plan', message['tool_plan'], false, (held) => ({ tool_plan: held }));
    case 'tool-call-delta':
      return one(
        'tool_calls/function/arguments',
        `call/${place}`,
        inside(inside(message, 'tool_calls'), 'function')['arguments'],
        true,
        (held) => ({ tool_calls: { function: { arguments: held } } }),
      );
    case 'content-end':
      return { deltas: [], ends: (channel) => channel === `content/${place}` };
    case 'tool-call-start':
      return { deltas: [], ends: (channel) => channel === 'plan' };
    case 'tool-call-end':
      return { deltas: [], ends: (channel) => channel === `call/${place}` };
    case 'message-end':
      return { deltas: [], ends: allChannels };
    default:
      return noDeltas;
  }
}

/** A whole answer. */
export function viewCohere(answer: Fields): AnswerView | null {
  const message = object(answer['message']);
  if (message === null) return null;
  return {
    text: list(message['content'])
      .map((part) => said(object(part)?.['text']))
      .join(''),
    toolArguments: list(message['tool_calls']).map((call) => said(object(object(call)?.['function'])?.['arguments'])),
    refused: false,
    filtered: false,
    cutOff: answer['finish_reason'] === 'MAX_TOKENS',
  };
}

/** An error body is only a message; inside a stream the error is in the last event. */
export const cohereErrors: ApiErrors = {
  body: ({ message }) => ({ message }),
  event: (_data, { message }) => namedEvent({ type: 'message-end', delta: { finish_reason: 'ERROR', error: message } }),
  status: plainStatus,
};

function toStream(answer: JsonFields): string[] {
  const message = json(answer['message']);
  const events = [
    namedEvent({
      type: 'message-start',
      id: answer['id'],
      delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } },
    }),
  ];
  const emit = (type: string, inner?: JsonFields, index?: number): void =>
    void events.push(
      namedEvent({ type, ...(index === undefined ? {} : { index }), ...(inner === undefined ? {} : { delta: { message: inner } }) }),
    );
  if (message['tool_plan'] !== undefined) emit('tool-plan-delta', { tool_plan: string(message['tool_plan']) });
  for (const [index, entry] of list(message['content']).entries()) {
    const part = json(entry);
    const name = part['type'] === 'text' ? 'text' : 'thinking';
    if (part['type'] !== name) throw new CannotConvert('an unknown part');
    emit('content-start', { content: { ...part, [name]: '' } }, index);
    emit('content-delta', { content: { [name]: string(part[name]) } }, index);
    emit('content-end', undefined, index);
  }
  for (const [index, entry] of list(message['tool_calls']).entries()) {
    const call = json(entry);
    const made = json(call['function']);
    emit('tool-call-start', { tool_calls: { ...call, function: { ...made, arguments: '' } } }, index);
    emit('tool-call-delta', { tool_calls: { function: { arguments: string(made['arguments']) } } }, index);
    emit('tool-call-end', undefined, index);
  }
  for (const [index, citation] of list(message['citations']).entries()) {
    emit('citation-start', { citations: json(citation) }, index);
    emit('citation-end', undefined, index);
  }
  events.push(namedEvent({ type: 'message-end', delta: { finish_reason: answer['finish_reason'], usage: answer['usage'] } }), doneEvent);
  return events;
}

/** The content of a stream so far. */
interface Gathered {
  readonly content: Map<number, Mutable>;
  readonly calls: Map<number, Mutable>;
  readonly citations: Map<number, JsonFields>;
  plan: string;
}

function gather(into: Gathered, one: JsonFields): void {
  const message = isFields(one['delta']) && isFields(one['delta']['message']) ? one['delta']['message'] : {};
  switch (one['type']) {
    case 'content-start':
      into.content.set(indexOf(one['index']), { ...json(message['content']) });
      return;
    case 'content-delta':
      for (const [name, piece] of Object.entries(json(message['content']))) grow(into.content.get(indexOf(one['index'])), name, piece);
      return;
    case 'tool-plan-delta':
      into.plan += string(message['tool_plan']);
      return;
    case 'tool-call-start': {
      const call = json(message['tool_calls']);
      into.calls.set(indexOf(one['index']), { ...call, function: { ...json(call['function']) } });
      return;
    }
    case 'tool-call-delta':
      grow(
        into.calls.get(indexOf(one['index']))?.['function'] as Mutable | undefined,
        'arguments',
        json(json(message['tool_calls'])['function'])['arguments'],
      );
      return;
    case 'citation-start':
      into.citations.set(indexOf(one['index']), json(message['citations']));
      return;
    case 'content-end':
    case 'tool-call-end':
    case 'citation-end':
      return;
    default:
      throw new CannotConvert('an unknown event');
  }
}

function grow(part: Mutable | undefined, name: string, piece: unknown): void {
  if (part === undefined) throw new CannotConvert('a delta of nothing');
  part[name] = (typeof part[name] === 'string' ? part[name] : '') + string(piece);
}

function fromStream(events: readonly JsonFields[]): JsonFields {
  const gathered: Gathered = { content: new Map(), calls: new Map(), citations: new Map(), plan: '' };
  let id: unknown = null;
  let end: JsonFields | null = null;
  for (const one of events) {
    if (one['type'] === 'message-start') id = one['id'];
    else if (one['type'] === 'message-end') end = json(one['delta']);
    else gather(gathered, one);
  }
  if (end === null) throw new CannotConvert('no end');
  const { content, calls, citations, plan } = gathered;
  const message = {
    role: 'assistant',
    ...(content.size === 0 ? {} : { content: inOrder(content) }),
    ...(plan === '' ? {} : { tool_plan: plan }),
    ...(calls.size === 0 ? {} : { tool_calls: inOrder(calls) }),
    ...(citations.size === 0 ? {} : { citations: inOrder(citations) }),
  };
  return { id, finish_reason: end['finish_reason'], message, usage: end['usage'] };
}

/** Conversions of a cached answer. */
export const cohereReplay: Replay = { toStream, fromStream };
