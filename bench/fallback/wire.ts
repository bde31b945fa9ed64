import { type Behaviour, events, says } from '../../test/support/scripted-provider.ts';

/** The three APIs between which requests are translated, as apps of the drill call them. */
export const families = ['openai', 'anthropic', 'google'] as const;
export type Family = (typeof families)[number];

/** What every answer of the drill counts, tokens. */
export const counted = { input: 100, output: 50 } as const;

const openaiUsage = { prompt_tokens: counted.input, completion_tokens: counted.output, total_tokens: counted.input + counted.output };
const anthropicUsage = { input_tokens: counted.input, output_tokens: counted.output };
const geminiUsage = {
  promptTokenCount: counted.input,
  candidatesTokenCount: counted.output,
  totalTokenCount: counted.input + counted.output,
};

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string; readonly [key: string]: unknown }): string =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;

/** What is odd about an answer of status 200; absent: nothing. */
export interface Oddity {
  readonly text?: string;
  readonly refusal?: string;
  /** In the API's own words. */
  readonly finish?: string;
  readonly toolArguments?: string;
  /** The stream ends in its middle. */
  readonly cut?: true;
}

/** A whole answer, or a stream, with this text, in a family's own shape. */
export function answer(family: Family, stream: boolean, text: string, odd: Oddity = {}): Behaviour {
  const said = odd.text ?? text;
  switch (family) {
    case 'openai':
      return stream ? openaiStream(said, odd) : says(openaiWhole(said, odd));
    case 'anthropic':
      return stream
        ? anthropicStream(said, odd)
        : says({
            ...message,
            content: said === '' ? [] : [{ type: 'text', text: said }],
            stop_reason: odd.finish ?? 'end_turn',
            usage: anthropicUsage,
          });
    case 'google':
      return stream ? geminiStream(said, odd) : says(geminiChunk(said, odd.finish ?? 'STOP'));
  }
}

function openaiWhole(text: string, { refusal, finish, toolArguments }: Oddity): object {
  const call =
    toolArguments === undefined
      ? {}
      : { tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look_up', arguments: toolArguments } }] };
  const content = refusal === undefined && toolArguments === undefined ? text : null;
  return {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content, refusal: refusal ?? null, ...call },
        finish_reason: finish ?? (toolArguments === undefined ? 'stop' : 'tool_calls'),
      },
    ],
    usage: openaiUsage,
  };
}

function openaiStream(text: string, { refusal, finish, toolArguments, cut }: Oddity): Behaviour {
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    data({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] });
  const call =
    toolArguments === undefined
      ? []
      : [chunk({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'look_up', arguments: toolArguments } }] })];
  const begun = [
    chunk({ role: 'assistant', content: '' }),
    ...(refusal === undefined ? halves(text).map((content) => chunk({ content })) : [chunk({ refusal })]),
    ...call,
  ];
  if (cut) return events(begun, true);
  return events([
    ...begun,
    chunk({}, finish ?? 'stop'),
    data({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: openaiUsage }),
    'data: [DONE]\n\n',
  ]);
}

const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', stop_sequence: null };

function anthropicStream(text: string, { finish, cut }: Oddity): Behaviour {
  const begun = [
    named({
      type: 'message_start',
      message: { ...message, content: [], stop_reason: null, usage: { ...anthropicUsage, output_tokens: 1 } },
    }),
    named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    ...halves(text).map((part) => named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: part } })),
  ];
  if (cut) return events(begun, true);
  return events([
    ...begun,
    named({ type: 'content_block_stop', index: 0 }),
    named({
      type: 'message_delta',
      delta: { stop_reason: finish ?? 'end_turn', stop_sequence: null },
      usage: { output_tokens: counted.output },
    }),
    named({ type: 'message_stop' }),
  ]);
}

function geminiChunk(text: string, finishReason: string | null): object {
  return {
    candidates: [
      { index: 0, content: { role: 'model', parts: text === '' ? [] : [{ text }] }, ...(finishReason === null ? {} : { finishReason }) },
    ],
    ...(finishReason === null ? {} : { usageMetadata: geminiUsage }),
    modelVersion: 'm',
    responseId: 'r',
  };
}

function geminiStream(text: string, { finish, cut }: Oddity): Behaviour {
  const begun = halves(text).map((part) => data(geminiChunk(part, null)));
  return cut ? events(begun, true) : events([...begun, data(geminiChunk('', finish ?? 'STOP'))]);
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}

/** An error in a family's own shape. `code` is OpenAI's; the others have no place for it. */
export function errorBody(family: Family, text: string, code = 'error'): object {
  switch (family) {
    case 'openai':
      return { error: { message: text, type: 'invalid_request_error', code, param: null } };
    case 'anthropic':
      return { type: 'error', error: { type: 'invalid_request_error', message: text } };
    case 'google':
      return { error: { code: 400, message: text, status: 'INVALID_ARGUMENT' } };
  }
}

/** An error as the first event of a stream that began with a 200. */
export function errorEvent(family: Family): Behaviour {
  const body = errorBody(family, 'out of capacity');
  return events([family === 'anthropic' ? named(body as { readonly type: string }) : data(body)]);
}
