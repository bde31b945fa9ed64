import { describe, expect, it } from 'vitest';
import { readExchange } from './index.ts';
import { translateRequest } from './translate.ts';
import type { ApiName } from './types.ts';

const png = 'iVBORw0KGgo=';
const pdf = 'JVBERi0xLjQK';
const wav = 'UklGRg==';

/** A conversation of each caller: two calls, the first answered by words, a picture and a document, the second by a picture alone. */
const asked: Readonly<Partial<Record<ApiName, object>>> = {
  'anthropic-messages': {
    model: 'm',
    max_tokens: 9,
    messages: [
      { role: 'user', content: 'look' },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
          { type: 'tool_use', id: 'toolu_2', name: 'look', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: 'toolu_1',
            content: [
              { type: 'text', text: 'a page' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
              { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: pdf } },
            ],
          },
          {
            type: 'tool_result',
            tool_use_id: 'toolu_2',
            content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }],
          },
          { type: 'text', text: 'and now?' },
        ],
      },
    ],
    tools: [{ name: 'look', input_schema: { type: 'object', properties: {} } }],
  },
  'openai-responses': {
    model: 'm',
    input: [
      { role: 'user', content: 'look' },
      { type: 'function_call', call_id: 'toolu_1', name: 'look', arguments: '{}' },
      { type: 'function_call', call_id: 'toolu_2', name: 'look', arguments: '{}' },
      {
        type: 'function_call_output',
        call_id: 'toolu_1',
        output: [
          { type: 'input_text', text: 'a page' },
          { type: 'input_image', image_url: `data:image/png;base64,${png}` },
          { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${pdf}` },
        ],
      },
      { type: 'function_call_output', call_id: 'toolu_2', output: [{ type: 'input_image', image_url: `data:image/png;base64,${png}` }] },
      { role: 'user', content: 'and now?' },
    ],
    tools: [{ type: 'function', name: 'look', parameters: { type: 'object', properties: {} } }],
  },
  'gemini-generate': {
    contents: [
      { role: 'user', parts: [{ text: 'look' }] },
      {
        role: 'model',
        parts: [{ functionCall: { id: 'toolu_1', name: 'look', args: {} } }, { functionCall: { id: 'toolu_2', name: 'look', args: {} } }],
      },
      {
        role: 'user',
        parts: [
          {
            functionResponse: {
              id: 'toolu_1',
              name: 'look',
              response: { output: 'a page' },
              parts: [{ inlineData: { mimeType: 'image/png', data: png } }, { inlineData: { mimeType: 'application/pdf', data: pdf } }],
            },
          },
          {
            functionResponse: {
              id: 'toolu_2',
              name: 'look',
              response: { output: 'another' },
              parts: [{ inlineData: { mimeType: 'image/png', data: png } }],
            },
          },
          { text: 'and now?' },
        ],
      },
    ],
    tools: [{ functionDeclarations: [{ name: 'look' }] }],
  },
};

function translated(from: ApiName, to: ApiName, model: string, body: object = asked[from]!): Readonly<Record<string, unknown>> {
  const result = translateRequest(from, to, Buffer.from(JSON.stringify(body)), { model, stream: false, drop: ['messages[].role'] });
  if (!result.ok) throw new Error(JSON.stringify(result.unsupported));
  expect(result.dropped).toEqual([]);
  return JSON.parse(result.body.toString()) as Readonly<Record<string, unknown>>;
}

const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } };
const callers = ['anthropic-messages', 'openai-responses', 'gemini-generate'] as const;

describe('pictures and documents in the results of tools', () => {
  it.each(callers)('go into the user’s message behind all results for OpenAI’s chat, from %s', (from) => {
    const { messages } = translated(from, 'openai-chat', 'gpt-5.1') as { readonly messages: readonly Readonly<Record<string, unknown>>[] };
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool', 'user']);
    expect(messages[2]).toEqual({ role: 'tool', tool_call_id: 'toolu_1', content: 'a page' });
    expect(messages[3]!['content']).toEqual(from === 'gemini-generate' ? 'another' : 'The result is in the next message.');
    expect(messages[4]!['content']).toEqual([
      { type: 'text', text: 'From the result of the call toolu_1:' },
      picture,
      {
        type: 'file',
        file: { filename: from === 'openai-responses' ? 'a.pdf' : 'document.pdf', file_data: `data:application/pdf;base64,${pdf}` },
      },
      { type: 'text', text: 'From the result of the call toolu_2:' },
      picture,
      { type: 'text', text: 'and now?' },
    ]);
  });

  it.each(['openai-responses', 'gemini-generate'] as const)('stay in them at Anthropic, from %s', (from) => {
    const { messages } = translated(from, 'anthropic-messages', 'claude-sonnet-4-5') as { readonly messages: readonly object[] };
    const source = { type: 'base64', media_type: 'image/png', data: png };
    expect(messages.at(-1)).toMatchObject({
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ text: 'a page' }, { type: 'image', source }, { type: 'document' }] },
        { type: 'tool_result', tool_use_id: 'toolu_2', content: expect.arrayContaining([{ type: 'image', source }]) as unknown },
        { type: 'text', text: 'and now?' },
      ],
    });
  });

  it.each(['anthropic-messages', 'openai-responses'] as const)('stay in them at Gemini 3, and follow them before, from %s', (from) => {
    const inline = { inlineData: { mimeType: 'image/png', data: png } };
    const three = translated(from, 'gemini-generate', 'gemini-3-flash-preview') as { readonly contents: readonly object[] };
    expect(three.contents[2]).toMatchObject({
      parts: [{ functionResponse: { response: { output: 'a page' }, parts: [inline, {}] } }, { functionResponse: { parts: [inline] } }],
    });
    const two = translated(from, 'gemini-generate', 'gemini-2.5-flash') as { readonly contents: readonly object[] };
    expect(JSON.stringify(two.contents[2])).not.toContain('inlineData');
    expect(two.contents[3]).toMatchObject({
      role: 'user',
      parts: [{ text: 'From the result of the call toolu_1:' }, inline, {}, {}, inline, { text: 'and now?' }],
    });
  });

  it.each(callers)('count as pictures and files of the request, from %s', (from) => {
    const read = readExchange(
      {
        kind: 'readable',
        api: from,
        operation: 'generate',
        pathModel: from === 'gemini-generate' ? { model: 'm', span: { start: 0, end: 0 } } : null,
        stream: false,
      },
      Buffer.from(JSON.stringify(asked[from])),
    );
    expect(read.ok && read.exchange).toMatchObject({ images: 2, files: 1 });
  });
});

it('sound in a result follows it where the target takes sound, and is named where it does not', () => {
  const body = {
    contents: [
      { role: 'user', parts: [{ text: 'listen' }] },
      { role: 'model', parts: [{ functionCall: { id: 'c1', name: 'hear', args: {} } }] },
      {
        role: 'user',
        parts: [
          {
            functionResponse: {
              id: 'c1',
              name: 'hear',
              response: { output: 'a sound' },
              parts: [{ inlineData: { mimeType: 'audio/wav', data: wav } }],
            },
          },
        ],
      },
    ],
    tools: [{ functionDeclarations: [{ name: 'hear' }] }],
  };
  const { messages } = translated('gemini-generate', 'openai-chat', 'gpt-audio', body) as { readonly messages: readonly object[] };
  expect(messages.at(-1)).toMatchObject({
    role: 'user',
    content: [{}, { type: 'input_audio', input_audio: { data: wav, format: 'wav' } }],
  });
  const refused = translateRequest('gemini-generate', 'anthropic-messages', Buffer.from(JSON.stringify(body)), {
    model: 'claude-sonnet-4-5',
    stream: false,
    drop: [],
  });
  expect(refused).toMatchObject({
    ok: false,
    unsupported: [{ path: 'contents[].parts[].functionResponse.parts[]', why: 'Anthropic takes no sound' }],
  });
});
