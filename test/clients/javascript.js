// The calls of the JavaScript libraries, once for each place in the list on stdin; prints what they parsed, in the form of python.py.
import { readFileSync } from 'node:fs';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { ChatAnthropic } from '@langchain/anthropic';
import { ChatOpenAI } from '@langchain/openai';
import { generateObject, generateText, streamText, tool } from 'ai';
import { z } from 'zod';

const prompt = 'What is a CDN?';
const seen = (object, text, called = null) => ({ object, said: { text, tool: called } });
const search = z.object({ query: z.string() });
const answer = z.object({ answer: z.string(), confidence: z.number() });

async function withAiSdk({ base, headers, anthropicHeaders, models }) {
  const found = {};
  const openai = createOpenAI({ apiKey: 'app', baseURL: `${base}/v1`, headers });
  const anthropic = createAnthropic({ apiKey: 'app', baseURL: `${base}/v1`, headers: anthropicHeaders });
  const google = createGoogleGenerativeAI({ apiKey: 'app', baseURL: `${base}/v1beta`, headers });
  const chats = {
    chat: openai.chat(models.openai),
    anthropic: anthropic(models.anthropic),
    google: google(models.google),
    responses: openai.responses(models.openai),
  };
  for (const [name, model] of Object.entries(chats)) {
    const whole = await generateText({ model, prompt, maxRetries: 0 });
    found[name] = seen({ usage: whole.usage, finishReason: whole.finishReason }, whole.text);
    const stream = streamText({ model, prompt, maxRetries: 0, onError: ({ error }) => (found.error = String(error)) });
    found[`${name} stream`] = seen({ usage: await stream.usage, finishReason: await stream.finishReason }, await stream.text);
  }
  const tools = { search: tool({ description: 'Searches.', inputSchema: search }) };
  const { toolCalls } = await generateText({ model: chats.chat, prompt, tools, maxRetries: 0 });
  found['chat tool'] = seen({}, null, [toolCalls[0].toolName, toolCalls[0].input]);
  found['chat schema'] = seen({}, (await generateObject({ model: chats.chat, prompt, schema: answer, maxRetries: 0 })).object.answer);
  return found;
}

async function withLangChain({ base, headers, anthropicHeaders, models }) {
  const found = {};
  const chats = {
    openai: new ChatOpenAI({
      model: models.openai,
      apiKey: 'app',
      maxRetries: 0,
      configuration: { baseURL: `${base}/v1`, defaultHeaders: headers },
    }),
    anthropic: new ChatAnthropic({
      model: models.anthropic,
      apiKey: 'app',
      maxRetries: 0,
      maxTokens: 500,
      anthropicApiUrl: base,
      clientOptions: { defaultHeaders: anthropicHeaders },
    }),
  };
  for (const [name, chat] of Object.entries(chats)) {
    const message = await chat.invoke(prompt);
    found[name] = seen({ usage: message.usage_metadata ?? null }, message.text);
    let text = '';
    for await (const chunk of await chat.stream(prompt)) text += chunk.text;
    found[`${name} stream`] = seen({}, text);
    const [call] = (await chat.bindTools([{ name: 'search', description: 'Searches.', schema: search }]).invoke(prompt)).tool_calls;
    found[`${name} tool`] = seen({}, null, [call.name, call.args]);
  }
  return found;
}

// The place with the library's name in its workspaces, by which its records are found.
function named({ headers, anthropicHeaders, ...place }, library) {
  const own = (one) => ({ 'x-sluice-workspace': `${one['x-sluice-workspace']}-${library}` });
  return { ...place, headers: own(headers), anthropicHeaders: own(anthropicHeaders) };
}

const places = JSON.parse(readFileSync(0, 'utf8'));
const found = {};
for (const [library, calls] of Object.entries({ 'ai-sdk': withAiSdk, 'langchain-js': withLangChain })) {
  found[library] = {};
  for (const place of places) {
    found[library][place.mode] = await calls(named(place, library)).catch((error) => ({ error: error.stack.slice(0, 1500) }));
  }
}
console.log(JSON.stringify(found));
process.exit(0);
