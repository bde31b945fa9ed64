import { describe, expect, it, test } from 'vitest';
import { apis } from '../registry.ts';
import type { ApiName } from '../names.ts';
import { restoreJson, streamRestorer } from './restore.ts';

const token = '[EMAIL_1a2b3c4d5e]';
const other = '[CARD_9f8e7d6c5b]';
const original = 'alice@example.com';
const quoted = 'a "b"\\\nc';
const originals = new Map([
  [token, original],
  [other, quoted],
]);
const unknown = '[EMAIL_0a0a0a0a0a]';

describe('a whole answer', () => {
  const restored = (body: string): string => restoreJson(Buffer.from(body), { originals }).toString();
  it('gets its originals, and every other byte stays', () => {
    const body = (one: string, two: string): string =>
      `{ "id":12345678901234567890,"choices":[ {"message":{"content":"to ${one} \\u00e9, ${two} and ${unknown}"}}]}\n`;
    expect(restored(body(token, other))).toBe(body(original, 'a \\"b\\"\\\\\\nc'));
    expect(restored(body('\\u005bEMAIL\\u005f1a2b3c4d5e]', ''))).toBe(body(original, ''));
  });
  it('stays JSON within JSON', () => {
    const { choices } = JSON.parse(
      restored(
        JSON.stringify({
          choices: [
            { message: { tool_calls: [{ function: { arguments: JSON.stringify({ a: other, [token]: JSON.stringify([other]) }) } }] } },
          ],
        }),
      ),
    ) as { choices: { message: { tool_calls: { function: { arguments: string } }[] } }[] };
    const args = JSON.parse(choices[0]!.message.tool_calls[0]!.function.arguments) as Record<string, string>;
    expect(args).toEqual({ a: quoted, [original]: JSON.stringify([quoted]) });
  });
  it('gets them in objects that tools are called with', () => {
    expect(JSON.parse(restored(JSON.stringify({ content: [{ type: 'tool_use', input: { [token]: { deep: [other] } } }] })))).toEqual({
      content: [{ type: 'tool_use', input: { [original]: { deep: [quoted] } } }],
    });
  });
  it('is as it came where it is no JSON', () => {
    expect(restored(`no json ${token}`)).toBe(`no json ${token}`);
  });
});

/** How an API's stream says a text in pieces, and how its text is read again. */
interface Form {
  readonly api: ApiName;
  readonly json?: boolean;
  readonly events: (pieces: readonly string[]) => readonly string[];
  /** Members and indices to a piece, and the type of event that has one. */
  readonly at: readonly (string | number)[];
  readonly type?: string;
}
const data = (value: object, name?: string): string => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, finish: string | null = null): string =>
  data({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] });
const forms: Readonly<Record<string, Form>> = {
  'chat text': {
    api: 'openai-chat',
    events: (pieces) => [
      chunk({ role: 'assistant', content: '' }),
      ...pieces.map((content) => chunk({ content })),
      chunk({}, 'stop'),
      'data: [DONE]\n\n',
    ],
    at: ['choices', 0, 'delta', 'content'],
  },
  'chat arguments': {
    api: 'openai-chat',
    json: true,
    events: (pieces) => [
      chunk({ tool_calls: [{ index: 0, id: 'call_1', function: { name: 'f', arguments: '' } }] }),
      ...pieces.map((text) => chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
      chunk({}, 'tool_calls'),
      'data: [DONE]\n\n',
    ],
    at: ['choices', 0, 'delta', 'tool_calls', 0, 'function', 'arguments'],
  },
  completions: {
    api: 'openai-completions',
    events: (pieces) => [
      ...pieces.map((text) => data({ choices: [{ index: 0, text, finish_reason: null }] })),
      data({ choices: [{ index: 0, text: '', finish_reason: 'stop' }] }),
      'data: [DONE]\n\n',
    ],
    at: ['choices', 0, 'text'],
  },
  'Responses text': {
    api: 'openai-responses',
    events: (pieces) => [
      data({ type: 'response.created', response: { id: 'r' } }, 'response.created'),
      ...pieces.map((delta) =>
        data({ type: 'response.output_text.delta', item_id: 'm', output_index: 0, content_index: 0, delta }, 'response.output_text.delta'),
      ),
      data(
        { type: 'response.output_text.done', item_id: 'm', output_index: 0, content_index: 0, text: pieces.join('') },
        'response.output_text.done',
      ),
      data({ type: 'response.completed', response: { output: [{ content: [{ text: pieces.join('') }] }] } }, 'response.completed'),
    ],
    at: ['delta'],
    type: 'response.output_text.delta',
  },
  'Anthropic text': {
    api: 'anthropic-messages',
    events: (pieces) => [
      data({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }, 'content_block_start'),
      ...pieces.map((text) => data({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }, 'content_block_delta')),
      data({ type: 'content_block_stop', index: 0 }, 'content_block_stop'),
      data({ type: 'message_stop' }, 'message_stop'),
    ],
    at: ['delta', 'text'],
    type: 'content_block_delta',
  },
  'Anthropic input': {
    api: 'anthropic-messages',
    json: true,
    events: (pieces) => [
      ...pieces.map((text) =>
        data({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: text } }, 'content_block_delta'),
      ),
      data({ type: 'content_block_stop', index: 1 }, 'content_block_stop'),
    ],
    at: ['delta', 'partial_json'],
    type: 'content_block_delta',
  },
  'Cohere text': {
    api: 'cohere-chat',
    events: (pieces) => [
      data({ type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } }, 'content-start'),
      ...pieces.map((text) => data({ type: 'content-delta', index: 0, delta: { message: { content: { text } } } }, 'content-delta')),
      data({ type: 'content-end', index: 0 }, 'content-end'),
      data({ type: 'message-end', delta: { finish_reason: 'COMPLETE' } }, 'message-end'),
    ],
    at: ['delta', 'message', 'content', 'text'],
    type: 'content-delta',
  },
  'Cohere arguments': {
    api: 'cohere-chat',
    json: true,
    events: (pieces) => [
      ...pieces.map((text) =>
        data(
          { type: 'tool-call-delta', index: 0, delta: { message: { tool_calls: { function: { arguments: text } } } } },
          'tool-call-delta',
        ),
      ),
      data({ type: 'tool-call-end', index: 0 }, 'tool-call-end'),
    ],
    at: ['delta', 'message', 'tool_calls', 'function', 'arguments'],
    type: 'tool-call-delta',
  },
  Gemini: {
    api: 'gemini-generate',
    events: (pieces) =>
      pieces.map((text, at) =>
        data({
          candidates: [
            { index: 0, content: { role: 'model', parts: [{ text }] }, ...(at === pieces.length - 1 ? { finishReason: 'STOP' } : {}) },
          ],
          usageMetadata: {},
        }).replaceAll('\n', '\r\n'),
      ),
    at: ['candidates', 0, 'content', 'parts', 0, 'text'],
  },
};

function restore({ api }: Form, events: readonly string[], size: number): string {
  const restorer = streamRestorer({ reading: apis[api].answer.deltas, originals, jsonOutput: false }, true);
  const bytes = Buffer.from(events.join(''));
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(restorer.push(bytes.subarray(at, at + size)));
  return Buffer.concat([...out, restorer.end()]).toString();
}

function textOf({ at, type }: Form, stream: string): string {
  return stream
    .split(/\r?\n\r?\n/)
    .flatMap((event) => /^data: (\{.*\})$/m.exec(event)?.[1] ?? [])
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((event) => type === undefined || event['type'] === type)
    .map((event) => at.reduce<unknown>((part, key) => (part as Record<string | number, unknown> | undefined)?.[key], event))
    .map((piece) => (typeof piece === 'string' ? piece : ''))
    .join('');
}

/** A text cut at every place of its first token, and in single letters. */
function cuts(text: string): readonly (readonly string[])[] {
  const at = text.indexOf('[');
  return [
    [text],
    text.split(/(?:)/u),
    ...Array.from({ length: token.length + 1 }, (_value, more) => [text.slice(0, at + more), text.slice(at + more)]),
  ];
}

describe('a stream', () => {
  test.each(Object.entries(forms))('gets its originals however a token is cut: %s', (_name, form) => {
    const said = form.json === true ? `{"to":"${token}","x":"${other} é [EM"}` : `To ${token}, ${other} é [EM`;
    const wanted =
      form.json === true ? `{"to":"${original}","x":"${JSON.stringify(quoted).slice(1, -1)} é [EM"}` : `To ${original}, ${quoted} é [EM`;
    for (const pieces of cuts(said))
      for (const size of [1, 7, 100_000]) expect(textOf(form, restore(form, form.events(pieces), size))).toBe(wanted);
  });

  test.each(Object.entries(forms))('is as it came where nothing is to be put back: %s', (_name, form) => {
    const events = form.events(['What [is', ' this] ', `${unknown} "\\ é?`]);
    expect(restore(form, events, 11)).toBe(events.join(''));
  });

  it('gets them whole where an event repeats the whole text', () => {
    const form = forms['Responses text']!;
    const stream = restore(form, form.events(['to [EMAIL_1a', '2b3c4d5e]']), 50);
    expect(stream.match(/alice@example\.com/g)).toHaveLength(3);
    expect(stream).not.toContain('EMAIL_');
  });

  it('keeps channels apart', () => {
    const two = (index: number, content: string, finish: string | null = null): string =>
      data({ choices: [{ index, delta: { content }, finish_reason: finish }] });
    const stream = restore(
      forms['chat text']!,
      [two(0, '[EMAIL_1a'), two(1, '[CARD'), two(0, '2b3c4d5e] x [E', 'stop'), two(1, '', 'stop'), 'data: [DONE]\n\n'],
      13,
    );
    const texts = stream
      .split('\n\n')
      .flatMap((event) =>
        event.startsWith('data: {') ? [JSON.parse(event.slice(6)) as { choices: { index: number; delta: { content?: string } }[] }] : [],
      );
    const said = (index: number): string =>
      texts.flatMap(({ choices }) => choices.filter((choice) => choice.index === index).map(({ delta }) => delta.content ?? '')).join('');
    expect([said(0), said(1)]).toEqual([`${original} x [E`, '[CARD']);
  });

  it('gives what is held when it breaks off', () => {
    const form = forms['chat text']!;
    expect(textOf(form, restore(form, [chunk({ content: 'to [EMAIL' })], 9))).toBe('to [EMAIL');
  });

  it('is held whole where it is no stream of events', () => {
    const restorer = streamRestorer({ reading: null, originals, jsonOutput: false }, false);
    const array = JSON.stringify([{ candidates: [{ content: { parts: [{ text: `to ${token}` }] } }] }]);
    expect([
      restorer.push(Buffer.from(array.slice(0, 50))).toString(),
      restorer.push(Buffer.from(array.slice(50))).toString(),
      restorer.end().toString(),
    ]).toEqual(['', '', array.replace(token, original)]);
  });
});
