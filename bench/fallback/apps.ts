import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import type { Case } from './cases.ts';
import type { Family } from './wire.ts';

/** What an app got from its own SDK. */
export interface Got {
  readonly text: string;
  /** Tokens of the answer; null: the SDK was told none. */
  readonly output: number | null;
}

export type App = (url: string, model: string, stream: boolean, asks: Case['asks']) => Promise<Got>;

const question = 'What is a CDN?';
const schema = { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'], additionalProperties: false };
const tool = { type: 'object' as const, properties: { query: { type: 'string' } }, required: ['query'] };

/** One app an API, with the provider's official SDK and no retries of its own. */
export const apps: Readonly<Record<Family, App>> = {
  openai: async (url, model, stream, asks) => {
    const client = new OpenAI({ apiKey: 'sk-app', baseURL: `${url}/v1`, maxRetries: 0 });
    const body = {
      model,
      messages: [{ role: 'user' as const, content: question }],
      ...(asks === 'json'
        ? { response_format: { type: 'json_schema' as const, json_schema: { name: 'answer', strict: true, schema } } }
        : {}),
      ...(asks === 'tools' ? { tools: [{ type: 'function' as const, function: { name: 'look_up', parameters: tool } }] } : {}),
    };
    if (!stream) {
      const answer = await client.chat.completions.create(body);
      return { text: answer.choices[0]?.message.content ?? '', output: answer.usage?.completion_tokens ?? null };
    }
    let got: Got = { text: '', output: null };
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } })) {
      got = { text: got.text + (chunk.choices[0]?.delta.content ?? ''), output: chunk.usage?.completion_tokens ?? got.output };
    }
    return got;
  },
  anthropic: async (url, model, stream, asks) => {
    const client = new Anthropic({ apiKey: 'sk-app', baseURL: url, maxRetries: 0 });
    const body = {
      model,
      max_tokens: 200,
      messages: [{ role: 'user' as const, content: question }],
      ...(asks === 'json' ? { output_config: { format: { type: 'json_schema' as const, schema } } } : {}),
      ...(asks === 'tools' ? { tools: [{ name: 'look_up', input_schema: tool }] } : {}),
    };
    const answer = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
    return { text: answer.content.map((block) => (block.type === 'text' ? block.text : '')).join(''), output: answer.usage.output_tokens };
  },
  google: async (url, model, stream, asks) => {
    const client = new GoogleGenAI({ apiKey: 'sk-app', httpOptions: { baseUrl: url } });
    const body = {
      model,
      contents: question,
      config: {
        ...(asks === 'json' ? { responseMimeType: 'application/json', responseJsonSchema: schema } : {}),
        ...(asks === 'tools' ? { tools: [{ functionDeclarations: [{ name: 'look_up', parametersJsonSchema: tool }] }] } : {}),
      },
    };
    let got: Got = { text: '', output: null };
    const chunks = stream ? await client.models.generateContentStream(body) : [await client.models.generateContent(body)];
    for await (const chunk of chunks)
      got = { text: got.text + (chunk.text ?? ''), output: chunk.usageMetadata?.candidatesTokenCount ?? got.output };
    return got;
  },
};
