import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';

export interface DemoClients {
  readonly openai: OpenAI | null;
  readonly anthropic: Anthropic | null;
  readonly google: GoogleGenAI | null;
}

/** One request of the demo: its provider, its purpose, and the call as an app would write it. */
export interface DemoRequest {
  readonly provider: keyof DemoClients;
  readonly title: string;
  readonly run: (clients: DemoClients) => Promise<void>;
}

/** Clients of the official SDKs, unchanged except for the base URL. A provider without a key is left out. */
export function clientsFor(
  url: string,
  keys: { readonly openai?: string; readonly anthropic?: string; readonly google?: string },
): DemoClients {
  return {
    openai: keys.openai === undefined ? null : new OpenAI({ apiKey: keys.openai, baseURL: `${url}/v1`, maxRetries: 0 }),
    anthropic: keys.anthropic === undefined ? null : new Anthropic({ apiKey: keys.anthropic, baseURL: url, maxRetries: 0 }),
    google: keys.google === undefined ? null : new GoogleGenAI({ apiKey: keys.google, httpOptions: { baseUrl: url } }),
  };
}

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const report = Array.from(
  { length: 160 },
  (_, week) =>
    `Week ${week + 1}: ${40 + ((week * 7) % 23)} tickets were opened and ${38 + ((week * 11) % 25)} closed; the longest took ${3 + (week % 6)} days.`,
).join('\n');
const code = 'export function parse(line: string) {\n  const [key, value] = line.split("=");\n  return { [key]: value.trim() };\n}';
const weather = { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] };

type ChatParams = Omit<OpenAI.ChatCompletionCreateParamsNonStreaming, 'stream'>;

function chat(title: string, params: ChatParams | string, headers: Record<string, string> = {}): DemoRequest {
  const body: ChatParams = typeof params === 'string' ? { model: 'gpt-5.1', messages: [{ role: 'user', content: params }] } : params;
  return {
    provider: 'openai',
    title,
    run: async ({ openai }) => {
      await openai!.chat.completions.create(body, { headers });
    },
  };
}

function chatStream(title: string, content: string, usage: boolean): DemoRequest {
  return {
    provider: 'openai',
    title,
    run: async ({ openai }) => {
      const stream = await openai!.chat.completions.create({
        model: 'gpt-5.1',
        stream: true,
        ...(usage ? { stream_options: { include_usage: true } } : {}),
        messages: [{ role: 'user', content }],
      });
      await drain(stream);
    },
  };
}

function claude(
  title: string,
  content: Anthropic.MessageParam['content'],
  more: Partial<Anthropic.MessageCreateParamsNonStreaming> = {},
): DemoRequest {
  return {
    provider: 'anthropic',
    title,
    run: async ({ anthropic }) => {
      await anthropic!.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 400, messages: [{ role: 'user', content }], ...more });
    },
  };
}

function gemini(title: string, contents: string, config: Record<string, unknown> = {}): DemoRequest {
  return {
    provider: 'google',
    title,
    run: async ({ google }) => {
      await google!.models.generateContent({ model: 'gemini-2.5-pro', contents, config });
    },
  };
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

/** About thirty requests, of the kinds that occur in real traffic. */
export const demoRequests: readonly DemoRequest[] = [
  chat('a definition', 'What is a CDN?'),
  chat('a translation', "Translate 'good morning' to Japanese"),
  chat('a question in German', 'Was ist eine Datenbank?'),
  chat('a comparison in Spanish', 'Compara REST y GraphQL: ventajas y desventajas de cada uno'),
  chat('a question in Chinese', '什么是负载均衡？'),
  chat('sentiment, JSON mode', {
    model: 'gpt-5.1',
    response_format: { type: 'json_object' },
    messages: [{ role: 'user', content: 'Classify the sentiment as JSON: "The parcel came late again."' }],
  }),
  chat('extraction to a schema', {
    model: 'gpt-5.1',
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'answer', schema: { type: 'object', properties: { answer: { type: 'string' } } } },
    },
    messages: [{ role: 'user', content: 'Extract the city: "We met in Lisbon on Friday."' }],
  }),
  chat('a tool call', {
    model: 'gpt-5.1',
    messages: [{ role: 'user', content: 'How is the weather in Oslo?' }],
    tools: [{ type: 'function', function: { name: 'get_weather', parameters: weather } }],
  }),
  chat('code review', `Review this function for bugs and explain each of them:\n\`\`\`ts\n${code}\n\`\`\``),
  chat('a proof', 'Prove by induction that the sum of the first n odd numbers is n^2. Show each step.'),
  chat(
    'system design',
    'Design a distributed rate limiter for 40 regions: consistency, failover, clock skew, monitoring, and a rollout plan with rollback.',
  ),
  chat('an image', {
    model: 'gpt-5.1',
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What colour is this?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${pixel}` } },
        ],
      },
    ],
  }),
  chat('a long document', `Summarize the trend in three sentences.\n${report}`),
  chat('a deep conversation', {
    model: 'gpt-5.1',
    messages: [
      { role: 'system', content: 'You are a database architect. Review schemas and plan migrations.' },
      { role: 'user', content: 'We must split the orders table without downtime.' },
      { role: 'assistant', content: 'I would write to both tables first, then backfill.' },
      { role: 'user', content: 'And the foreign keys?' },
      { role: 'assistant', content: 'Move them last, validated without a lock.' },
      { role: 'user', content: 'Yes, do it.' },
    ],
  }),
  chatStream('streamed, usage asked for', 'Explain how TLS works', true),
  chatStream('streamed, usage not asked for', 'What is DNS?', false),
  chat('a premium user', 'What is a CDN?', { 'x-sluice-user-tier': 'premium' }),
  chat('high quality asked for', 'Write a short poem about rain', { 'x-sluice-quality': 'high' }),
  chat('a pinned model', { model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
  chat('routing switched off', 'What is a CDN?', { 'x-sluice-route': 'off' }),
  { ...chat('a social security number', 'Is 123-45-6789 a valid number?'), run: blocked },
  {
    provider: 'openai',
    title: 'Responses API',
    run: async ({ openai }) => {
      await openai!.responses.create({ model: 'gpt-5.1', input: 'What is an API gateway?' });
    },
  },
  {
    provider: 'openai',
    title: 'Responses API, streamed',
    run: async ({ openai }) => drain(await openai!.responses.create({ model: 'gpt-5.1', input: 'Why is the sky blue?', stream: true })),
  },
  {
    provider: 'openai',
    title: 'embeddings',
    run: async ({ openai }) => {
      await openai!.embeddings.create({ model: 'text-embedding-3-small', input: ['rain', 'sun'] });
    },
  },
  claude('a definition', 'What is a monad?'),
  claude('with a cached system prompt', 'Summarize the policy in one line.', {
    system: [{ type: 'text', text: report, cache_control: { type: 'ephemeral' } }],
  }),
  claude('a tool', 'Find the latest order of customer 17', {
    tools: [{ name: 'find_order', input_schema: { type: 'object', properties: weather.properties } }],
  }),
  {
    provider: 'anthropic',
    title: 'streamed, in French',
    run: async ({ anthropic }) =>
      drain(
        await anthropic!.messages.create({
          model: 'claude-sonnet-4-6',
          max_tokens: 400,
          stream: true,
          messages: [{ role: 'user', content: 'Explique la différence entre TCP et UDP' }],
        }),
      ),
  },
  {
    provider: 'anthropic',
    title: 'count_tokens',
    run: async ({ anthropic }) => {
      await anthropic!.messages.countTokens({ model: 'claude-sonnet-4-6', messages: [{ role: 'user', content: 'How long is this?' }] });
    },
  },
  gemini('a definition', 'What is quantum entanglement?'),
  gemini('extraction, JSON', 'Extract the numbers: three apples, 12 pears', { responseMimeType: 'application/json' }),
  gemini('a plan', 'Plan a zero-downtime migration from MySQL to PostgreSQL with validation, monitoring, and rollback'),
  {
    provider: 'google',
    title: 'streamed, in Japanese',
    run: async ({ google }) =>
      drain(await google!.models.generateContentStream({ model: 'gemini-2.5-pro', contents: 'メモ化とは何ですか？' })),
  },
];

/** This request exists to show a refusal by policy. */
async function blocked({ openai }: DemoClients): Promise<void> {
  try {
    await openai!.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'Is 123-45-6789 a valid number?' }] });
  } catch (error) {
    if (!(error instanceof OpenAI.PermissionDeniedError)) throw error;
  }
}
