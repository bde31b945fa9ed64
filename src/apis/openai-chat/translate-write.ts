import type { Conversation, Effort, Part, ToolDefinition, Turn, WriteOptions, Written } from '../common/conversation.ts';
import type { Json, JsonObject } from '../common/json.ts';
import { Losses } from '../common/losses.ts';
import { urlOfSource } from '../common/media.ts';
import { askedModel, refusedIn } from '../common/parameters.ts';
import { openaiParameters } from '../openai/parameters.ts';
import { openaiTraits } from '../common/models.ts';
import type { OpenAiTraits } from '../common/models.ts';
import { fitsStrict } from '../common/strict-schema.ts';
import { outputSchema, toolSchema } from '../common/target-schema.ts';
import { openaiHintSchema, openaiSchema, openaiStrictSchema } from '../openai/schema.ts';
import { isWords, settled } from '../common/result-media.ts';
import { effortOfBudget } from '../anthropic/translate-thinking.ts';
import { earlierCall, imagePart, resultMessage } from '../common/chat-messages.ts';

const none = 'OpenAI has no such parameter';
/** OpenAI's limit. */
const mostStops = 4;
const longestUser = 64;

/** Writes a conversation as the body of POST /chat/completions. */
export function writeOpenAiChat(conversation: Conversation, options: WriteOptions, losses: Losses): Written {
  const traits = openaiTraits(options.model);
  const { maxTokens, seed, user, verbosity, topK } = conversation;
  if (topK !== null) losses.lose(topK.at, none);
  const tools = conversation.tools.map((tool) => writeTool(tool, losses));
  const reasoning =
    tools.length > 0 && traits.chatTools !== 'any'
      ? thoughtless(conversation, traits, losses)
      : writeReasoning(conversation, traits, losses);
  const thinks = traits.reasoning && reasoning['reasoning_effort'] !== 'none';
  if (user !== null && user.value.length > longestUser) losses.lose(user.at, `OpenAI takes names of users up to ${longestUser} characters`);
  const body: JsonObject = {
    model: options.model,
    messages: writeMessages(conversation, losses),
    ...(tools.length === 0 ? {} : { tools, ...writeToolChoice(conversation) }),
    ...(maxTokens === null ? {} : { [traits.completionLimit ? 'max_completion_tokens' : 'max_tokens']: maxTokens }),
    ...writeSampling(conversation, thinks, losses),
    ...(seed === null ? {} : { seed: seed.value }),
    ...writeFormat(conversation, losses),
    ...reasoning,
    ...(verbosity === null ? {} : { verbosity: verbosity.value }),
    ...(user === null || user.value.length > longestUser ? {} : { user: user.value }),
    // The caller's dialect always sends usage; here a stream must be asked for it.
    ...(options.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return { body: asTaken(body, conversation, options, losses), path: '/v1/chat/completions' };
}

/** The body without parameters that this provider or model refuses. */
function asTaken(body: JsonObject, conversation: Conversation, { provider, model }: WriteOptions, losses: Losses): JsonObject {
  if (provider === null) return body;
  const { temperature, topP, frequencyPenalty, presencePenalty, seed, stop, verbosity, user, parallelCalls, reasoning } = conversation;
  const places: Readonly<Record<string, string | undefined>> = {
    temperature: temperature?.at,
    top_p: topP?.at,
    frequency_penalty: frequencyPenalty?.at,
    presence_penalty: presencePenalty?.at,
    seed: seed?.at,
    stop: stop.at,
    verbosity: verbosity?.at,
    user: user?.at,
    parallel_tool_calls: parallelCalls?.at,
    reasoning_effort: reasoning?.at,
  };
  const taken = Object.entries(body).filter(([name, value]) => {
    if (!Object.hasOwn(places, name)) return true;
    const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
    if (refusedIn(openaiParameters, { parameters: [{ name, value: scalar }], limitKey: null }, askedModel(provider, model)) === null)
      return true;
    losses.lose(places[name] ?? name, 'the model’s provider refuses it');
    return false;
  });
  return Object.fromEntries(taken);
}

function writeSampling(conversation: Conversation, thinks: boolean, losses: Losses): JsonObject {
  const { temperature, topP, frequencyPenalty, presencePenalty, stop } = conversation;
  const sampling: Record<string, Json> = {};
  for (const [name, setting] of [
    ['temperature', temperature],
    ['top_p', topP],
    ['frequency_penalty', frequencyPenalty],
    ['presence_penalty', presencePenalty],
  ] as const) {
    if (setting === null) continue;
    // Models that think accept no temperature or top_p other than 1.
    if (thinks && !(setting.value === 1 && (name === 'temperature' || name === 'top_p')))
      losses.lose(setting.at, 'the model takes no sampling parameters');
    else sampling[name] = setting.value;
  }
  if (stop.values.length > 0) {
    if (thinks) losses.lose(stop.at, 'the model takes no stop sequences');
    else if (stop.values.length > mostStops) losses.lose(stop.at, `OpenAI takes ${mostStops} stop sequences`);
    else sampling['stop'] = stop.values;
  }
  return sampling;
}

function writeFormat(conversation: Conversation, losses: Losses): JsonObject {
  const { output } = conversation;
  if (output.kind === 'text') return {};
  if (output.kind === 'json') return { response_format: { type: 'json_object' } };
  const strict = output.strict ?? keptTo(output.schema, output.at);
  if (output.strict === null && !strict)
    losses.lose(`${output.at}.schema`, 'OpenAI keeps to a part of JSON Schema only, and this goes beyond; dropped, the schema is a hint');
  const schema: JsonObject = {
    name: output.name ?? 'answer',
    ...(output.description === null ? {} : { description: output.description }),
    schema: outputSchema(output.schema, strict ? openaiStrictSchema : openaiHintSchema, output.at, strict, losses),
    strict,
  };
  return { response_format: { type: 'json_schema', json_schema: schema } };
}

/** The newest models take functions in chat completions only if they do not think, or not at all. */
function thoughtless({ reasoning }: Conversation, { chatTools }: OpenAiTraits, losses: Losses): JsonObject {
  if (chatTools === 'never') losses.refuse('tools', 'the model takes functions in the Responses API alone');
  if (reasoning !== null && reasoning.kind !== 'off')
    losses.lose(reasoning.at, 'the model does not think beside functions in chat completions');
  return { reasoning_effort: 'none' };
}

function writeReasoning(conversation: Conversation, traits: OpenAiTraits, losses: Losses): JsonObject {
  const { reasoning } = conversation;
  if (reasoning === null) return {};
  if (reasoning.kind === 'off') {
    if (!traits.reasoning) return {};
    if (traits.reasoningOff) return { reasoning_effort: 'none' };
    losses.lose(reasoning.at, 'the model cannot be kept from thinking');
    return {};
  }
  if (!traits.reasoning) {
    losses.lose(reasoning.at, 'the model does not think');
    return {};
  }
  const effort = reasoning.kind === 'effort' ? reasoning.effort : effortOfBudget(reasoning.tokens);
  return { reasoning_effort: effortName(effort, traits) };
}

function effortName(effort: Effort, traits: OpenAiTraits): string {
  if (effort === 'minimal') return traits.reasoningOff ? 'low' : 'minimal';
  if (effort === 'max' && traits.efforts.includes('max')) return 'max';
  if (effort === 'xhigh' || effort === 'max') return traits.xhigh ? 'xhigh' : 'high';
  return effort;
}

/** Whether OpenAI accepts a schema in its strict mode, in the form that it gets. */
function keptTo(schema: Json, at: string): boolean {
  const tried = new Losses([]);
  const adapted = outputSchema(schema, openaiStrictSchema, at, true, tried);
  return tried.unsupported.length === 0 && fitsStrict(adapted);
}

function writeTool(tool: ToolDefinition, losses: Losses): JsonObject {
  const strict = tool.strict && (tool.schema === null || keptTo(tool.schema, tool.at));
  if (tool.strict && !strict) losses.lose(`${tool.at}.strict`, 'OpenAI keeps to a part of JSON Schema only, and this goes beyond');
  return {
    type: 'function',
    function: {
      name: tool.name,
      ...(tool.description === null ? {} : { description: tool.description }),
      ...(tool.schema === null ? {} : { parameters: toolSchema(tool.schema, strict ? openaiStrictSchema : openaiSchema, tool.at, losses) }),
      ...(strict ? { strict: true } : {}),
    },
  };
}

function writeToolChoice(conversation: Conversation): JsonObject {
  const { toolChoice, parallelCalls } = conversation;
  const parallel: JsonObject = parallelCalls === null || parallelCalls.value ? {} : { parallel_tool_calls: false };
  switch (toolChoice?.kind) {
    case undefined:
      return parallel;
    case 'auto':
    case 'none':
      return { tool_choice: toolChoice.kind, ...parallel };
    case 'any':
      return { tool_choice: 'required', ...parallel };
    case 'tool':
      return { tool_choice: { type: 'function', function: { name: toolChoice.name } }, ...parallel };
    case 'allowed': {
      const tools = toolChoice.names.map((name) => ({ type: 'function', function: { name } }));
      return {
        tool_choice: { type: 'allowed_tools', allowed_tools: { mode: toolChoice.required ? 'required' : 'auto', tools } },
        ...parallel,
      };
    }
  }
}

function writeMessages(conversation: Conversation, losses: Losses): readonly JsonObject[] {
  const messages: JsonObject[] = [];
  const system = conversation.system.map((part) => part.text).filter((text) => text !== '');
  // One message with a string: some compatible servers accept neither several system messages nor arrays in them.
  if (system.length > 0) messages.push({ role: 'system', content: system.join('\n\n') });
  for (const turn of conversation.turns) messages.push(...writeTurn(turn, losses));
  return messages;
}

function writeTurn(turn: Turn, losses: Losses): readonly JsonObject[] {
  if (turn.role === 'assistant') return [writeAssistant(turn, losses)];
  const { results, rest } = settled(turn.parts, isWords);
  const messages = results.map((part) => resultMessage(part, 'OpenAI', losses));
  const content = writeContent(rest, losses);
  if (content !== null) messages.push({ role: turn.role, content });
  else if (messages.length === 0) messages.push({ role: turn.role, content: '' });
  return messages;
}

function writeAssistant(turn: Turn, losses: Losses): JsonObject {
  const calls: JsonObject[] = [];
  const words: string[] = [];
  let refusal: string | null = null;
  for (const part of turn.parts) {
    if (part.kind === 'call') calls.push(earlierCall(part));
    else if (part.kind === 'text') words.push(part.text);
    else if (part.kind === 'refusal') refusal = (refusal ?? '') + part.text;
    else if (part.kind !== 'result') losses.lose(part.at, 'OpenAI takes nothing but words in messages of the assistant');
  }
  const content = words.length === 0 ? null : words.length === 1 ? words[0]! : words.map((text) => ({ type: 'text', text }));
  return {
    role: 'assistant',
    content: content ?? (calls.length > 0 || refusal !== null ? null : ''),
    ...(refusal === null ? {} : { refusal }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function writeContent(parts: readonly Part[], losses: Losses): Json | null {
  const written = parts.flatMap((part) => writePart(part, losses));
  if (written.length === 0) return null;
  if (written.length === 1 && written[0]!['type'] === 'text') return written[0]!['text'] ?? '';
  return written;
}

function writePart(part: Part, losses: Losses): readonly JsonObject[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return [{ type: 'text', text: part.text }];
    case 'image':
      return [imagePart(part)];
    case 'audio': {
      const format = part.source.kind === 'base64' ? /^audio\/(?:x-)?(wav|mp3|mpeg)$/.exec(part.source.mime)?.[1] : undefined;
      if (part.source.kind !== 'base64' || format === undefined) {
        losses.lose(part.at, 'OpenAI takes sound as WAV or MP3 in the body');
        return [];
      }
      return [{ type: 'input_audio', input_audio: { data: part.source.data, format: format === 'mpeg' ? 'mp3' : format } }];
    }
    case 'document': {
      if (part.source.kind === 'text')
        return [{ type: 'text', text: part.title === null ? part.source.text : `${part.title}\n\n${part.source.text}` }];
      if (part.source.kind === 'url' || part.source.mime !== 'application/pdf') {
        losses.lose(part.at, 'OpenAI takes documents as PDF in the body');
        return [];
      }
      return [{ type: 'file', file: { filename: part.title ?? 'document.pdf', file_data: urlOfSource(part.source) } }];
    }
    case 'call':
    case 'result':
      losses.lose(part.at, 'stands in a turn where OpenAI has no place for it');
      return [];
  }
}
