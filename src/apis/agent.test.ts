import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI, Type } from '@google/genai';
import OpenAI from 'openai';
import type { ResponseInputItem } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiName } from './names.ts';
import { Crossing } from './testing/crossing.ts';
import { about, answerOf, targetApis } from './testing/fixtures.ts';

const png = 'iVBORw0KGgo=';
const question = 'What is in the picture?';
const prompt = 'You look things up.';

/** Asks with a picture, answers every call with its name, asks again: as apps do it with each SDK. Gives the last words. */
type Agent = (base: string) => Promise<string>;

const parameters = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'], additionalProperties: false };

/** An agent for each SDK that the tests have. */
const agents = {
  'openai-chat': async (base) => {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0 });
    const tools = [{ type: 'function' as const, function: { name: 'look_up', parameters, strict: true } }];
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: 'system', content: prompt },
      {
        role: 'user',
        content: [
          { type: 'text', text: question },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
        ],
      },
    ];
    const { message } = (await client.chat.completions.create({ model: 'gpt-5.1', messages, tools })).choices[0]!;
    messages.push(message);
    for (const call of message.tool_calls ?? [])
      if (call.type === 'function') messages.push({ role: 'tool', tool_call_id: call.id, content: call.function.name });
    return (await client.chat.completions.create({ model: 'gpt-5.1', messages, tools })).choices[0]!.message.content ?? '';
  },
  'openai-responses': async (base) => {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0 });
    const request = {
      model: 'gpt-5.1',
      instructions: prompt,
      tools: [{ type: 'function' as const, name: 'look_up', parameters, strict: true }],
    };
    const input: ResponseInputItem[] = [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: question },
          { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${png}` },
        ],
      },
    ];
    const { output } = await client.responses.create({ ...request, input });
    input.push(...(output as ResponseInputItem[]));
    for (const item of output)
      if (item.type === 'function_call') input.push({ type: 'function_call_output', call_id: item.call_id, output: item.name });
    return (await client.responses.create({ ...request, input })).output_text;
  },
  'anthropic-messages': async (base) => {
    const client = new Anthropic({ baseURL: base, apiKey: 'none', maxRetries: 0 });
    const messages: Anthropic.MessageParam[] = [
      {
        role: 'user',
        content: [
          { type: 'text', text: question },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
        ],
      },
    ];
    const request = {
      model: 'claude-sonnet-5-5',
      max_tokens: 500,
      system: prompt,
      tools: [{ name: 'look_up', input_schema: { ...parameters, type: 'object' as const } }],
    };
    const { content } = await client.messages.create({ ...request, messages });
    messages.push({ role: 'assistant', content });
    messages.push({
      role: 'user',
      content: content.flatMap((block) =>
        block.type === 'tool_use' ? [{ type: 'tool_result' as const, tool_use_id: block.id, content: block.name }] : [],
      ),
    });
    const last = await client.messages.create({ ...request, messages });
    return last.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  },
  'gemini-generate': async (base) => {
    const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: base } });
    const declaration = {
      name: 'look_up',
      parameters: { type: Type.OBJECT, properties: { id: { type: Type.INTEGER } }, required: ['id'] },
    };
    const chat = client.chats.create({
      model: 'gemini-2.5-flash',
      config: { systemInstruction: prompt, tools: [{ functionDeclarations: [declaration] }] },
    });
    const first = await chat.sendMessage({ message: [question, { inlineData: { mimeType: 'image/png', data: png } }] });
    const results = (first.functionCalls ?? []).map(({ id, name }) => ({
      functionResponse: { ...(id === undefined ? {} : { id }), name: name ?? '', response: { output: name ?? '' } },
    }));
    return (await chat.sendMessage({ message: results })).text ?? '';
  },
} satisfies Partial<Record<ApiName, Agent>>;

/** Models in place of the usual ones. */
const models: Partial<Record<ApiName, string>> = { 'gemini-generate': 'gemini-3.1-pro-preview' };

function calledMessages(body: Record<string, unknown>): unknown {
  const messages = body['messages'] as {
    tool_calls?: { id: string; function: { name: string } }[];
    tool_call_id?: string;
    content: string;
  }[];
  return messages
    .flatMap((message) => message.tool_calls ?? [])
    .map((call) => [call.function.name, messages.find((message) => message.tool_call_id === call.id)?.content]);
}

/** The names of the calls and what answers them, in order, as each provider gets to read them; absent: in messages like OpenAI's. */
const pairsOf: Readonly<Partial<Record<ApiName, (body: Record<string, unknown>) => unknown>>> = {
  'anthropic-messages': (body) => {
    const blocks = (body['messages'] as { content: string | Record<string, string>[] }[]).flatMap((message) =>
      typeof message.content === 'string' ? [] : message.content,
    );
    return blocks
      .filter((block) => block['type'] === 'tool_use')
      .map((call) => [call['name'], blocks.find((block) => block['tool_use_id'] === call['id'])?.['content']]);
  },
  'gemini-generate': (body) => {
    const parts = (
      body['contents'] as {
        parts: {
          functionCall?: { id: string; name: string };
          functionResponse?: { id: string; name: string; response: { output: string } };
        }[];
      }[]
    ).flatMap((content) => content.parts);
    return parts
      .flatMap((part) => part.functionCall ?? [])
      .map((call) => [
        call.name,
        parts.find((part) => part.functionResponse?.id === call.id && part.functionResponse.name === call.name)?.functionResponse?.response
          .output,
      ]);
  },
};

const pairs = (Object.keys(agents) as (keyof typeof agents)[]).flatMap((from) =>
  targetApis.flatMap((to) => (from === to ? [] : [{ from, to }])),
);

describe.each(pairs)('an agent with the SDK of $from, served by $to', ({ from, to }) => {
  let asked = 0;
  const crossing = new Crossing({
    to,
    model: models[to] ?? about(to).model,
    answer: () => answerOf(to, asked++ === 0 ? 'calls' : 'text', false),
  });
  let base = '';
  beforeAll(async () => {
    base = await crossing.listen();
  });
  afterAll(async () => {
    await crossing.close();
  });

  it('sends calls and results back, and they meet', async () => {
    expect(await agents[from](base)).toContain('世界');
    expect(asked).toBe(2);
    const sent = JSON.stringify(crossing.body);
    for (const piece of [prompt, question, png, 'look_up']) expect(sent).toContain(piece);
    expect((pairsOf[to] ?? calledMessages)(crossing.body)).toEqual([
      ['look_up', 'look_up'],
      ['no_arguments', 'no_arguments'],
    ]);
  });
});
