import { spoken } from '../common/conversation.ts';
import type { Conversation, Part, ResultPart, Source, ToolDefinition, Turn, WriteOptions, Written } from '../common/conversation.ts';
import { anthropicIds, fitId } from '../common/ids.ts';
import { isObject, parseJson } from '../common/json.ts';
import type { Json, JsonObject } from '../common/json.ts';
import type { Losses } from '../common/losses.ts';
import { mimeOfUrl } from '../common/media.ts';
import { outputSchema, toolSchema } from '../common/target-schema.ts';
import { anthropicOutputSchema, anthropicToolSchema } from './schema.ts';
import { boundFormat, strictTools } from './strict.ts';
import { anthropicTraits } from '../common/models.ts';
import type { AnthropicTraits } from '../common/models.ts';
import { writeAnthropicThinking } from './translate-thinking.ts';

const none = 'Anthropic has no such parameter';
const pictures: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);

/** Writes a conversation as the body of POST /v1/messages. */
export function writeAnthropic(said: Conversation, options: WriteOptions, losses: Losses): Written {
  const conversation = spoken(said, losses);
  const traits = anthropicTraits(options.model);
  const maxTokens = conversation.maxTokens ?? Math.min(options.defaultMaxTokens ?? traits.maxTokens, options.maxOutputTokens);
  for (const setting of [conversation.frequencyPenalty, conversation.presencePenalty, conversation.seed, conversation.verbosity]) {
    if (setting !== null) losses.lose(setting.at, none);
  }
  const format = writeFormat(conversation, traits, losses);
  const tools = writeTools(conversation, schemaIn(format), losses);
  const forced =
    conversation.toolChoice !== null &&
    (conversation.toolChoice.kind === 'any' ||
      conversation.toolChoice.kind === 'tool' ||
      (conversation.toolChoice.kind === 'allowed' && conversation.toolChoice.required));
  const thinking = writeAnthropicThinking(conversation, traits, maxTokens, forced, losses);
  const outputConfig: JsonObject = { ...thinking.outputConfig, ...format };
  const body: JsonObject = {
    model: options.model,
    max_tokens: maxTokens,
    ...writeSystem(conversation),
    messages: writeTurns(conversation.turns, traits, losses),
    ...(tools.length === 0 ? writeCalledTools(conversation.turns) : { tools }),
    ...writeToolChoice(conversation, traits, tools.length > 0, losses),
    ...writeSampling(conversation, traits, thinking.thinks, losses),
    ...writeStop(conversation, losses),
    ...(thinking.thinking === null ? {} : { thinking: thinking.thinking }),
    ...(Object.keys(outputConfig).length === 0 ? {} : { output_config: outputConfig }),
    ...(conversation.user === null ? {} : { metadata: { user_id: conversation.user.value } }),
    ...(options.stream ? { stream: true } : {}),
  };
  return { body, path: '/v1/messages' };
}

function writeSystem(conversation: Conversation): JsonObject {
  const parts = conversation.system.filter((part) => part.text.trim() !== '');
  if (parts.length === 0) return {};
  return { system: parts.length === 1 ? parts[0]!.text : parts.map((part) => ({ type: 'text', text: part.text })) };
}

function writeSampling(conversation: Conversation, traits: AnthropicTraits, thinks: boolean, losses: Losses): JsonObject {
  const { temperature, topP, topK } = conversation;
  const sampling: Record<string, Json> = {};
  for (const [name, setting] of [
    ['temperature', temperature],
    ['top_p', topP],
    ['top_k', topK],
  ] as const) {
    if (setting === null) continue;
    if (!traits.sampling) losses.lose(setting.at, 'the model takes no sampling parameters');
    else if (thinks && !(name === 'temperature' && setting.value === 1))
      losses.lose(setting.at, 'the model takes no sampling parameters while it thinks');
    else if (name === 'temperature' && setting.value > 1) losses.lose(setting.at, "Anthropic's temperatures end at 1");
    else if (name === 'top_p' && 'temperature' in sampling && !traits.bothSamplers)
      losses.lose(setting.at, 'the model takes temperature or top_p, not both');
    else sampling[name] = setting.value;
  }
  return sampling;
}

function writeStop(conversation: Conversation, losses: Losses): JsonObject {
  const { values, at } = conversation.stop;
  const fit = values.filter((value) => value.trim() !== '' || !losses.lose(at, 'Anthropic takes no stop sequence of white space alone'));
  return fit.length === 0 ? {} : { stop_sequences: fit };
}

function writeFormat(conversation: Conversation, traits: AnthropicTraits, losses: Losses): JsonObject {
  const { output } = conversation;
  if (output.kind === 'text') return {};
  if (output.kind === 'json') {
    losses.lose(output.at, 'Anthropic answers in JSON only to a schema');
    return {};
  }
  if (!traits.schemaOutput) {
    losses.lose(output.at, 'the model does not keep to a schema');
    return {};
  }
  if (output.description !== null) losses.lose(`${output.at}.description`, none);
  const schema = outputSchema(output.schema, anthropicOutputSchema, output.at, output.strict !== false, losses);
  boundFormat(schema, output.at, losses);
  return { format: { type: 'json_schema', schema } };
}

function schemaIn({ format }: JsonObject): Json | undefined {
  return isObject(format) ? format['schema'] : undefined;
}

/** `format`: the schema of the answer. */
function writeTools(conversation: Conversation, format: Json | undefined, losses: Losses): readonly JsonObject[] {
  const { tools, toolChoice } = conversation;
  const offered = toolChoice?.kind === 'allowed' ? tools.filter((tool) => toolChoice.names.includes(tool.name)) : tools;
  const seen = new Set<string>();
  for (const { name, at, schema } of offered) {
    if (seen.has(name)) losses.lose(at, `Anthropic takes one tool of a name, and ${name} comes twice`);
    seen.add(name);
    const member = strangeMember(schema);
    if (member !== null) losses.refuse(`${at}.parameters.properties`, `Anthropic takes no member of the name ${JSON.stringify(member)}`);
  }
  const strict = strictTools(offered, format, losses);
  return offered.map((tool: ToolDefinition) => ({
    name: tool.name,
    ...(tool.description === null || tool.description === '' ? {} : { description: tool.description }),
    input_schema: toolSchema(tool.schema, strict.has(tool) ? anthropicOutputSchema : anthropicToolSchema, tool.at, losses),
    ...(strict.has(tool) ? { strict: true } : {}),
  }));
}

/** Allowed member names in a tool's arguments; from Anthropic's error message. */
const memberName = /^[a-zA-Z0-9_.-]{1,64}$/;

/** A member at the root of a tool's arguments whose name Anthropic refuses; null if there is none. */
function strangeMember(schema: Json | null): string | null {
  const properties = isObject(schema) ? schema['properties'] : null;
  return isObject(properties) ? (Object.keys(properties).find((name) => !memberName.test(name)) ?? null) : null;
}

/**
 * Tools that were called earlier but are no longer offered: Anthropic refuses calls and results in a request that defines no tool at all.
 */
function writeCalledTools(turns: readonly Turn[]): JsonObject {
  const names = new Set(turns.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === 'call' ? [part.name] : []))));
  if (names.size === 0) return {};
  return { tools: [...names].map((name) => ({ name, input_schema: { type: 'object', properties: {} } })), tool_choice: { type: 'none' } };
}

function writeToolChoice(conversation: Conversation, traits: AnthropicTraits, tools: boolean, losses: Losses): JsonObject {
  const { toolChoice, parallelCalls, toolChoiceAt } = conversation;
  if (!tools) return {};
  const single: JsonObject = parallelCalls === null || parallelCalls.value ? {} : { disable_parallel_tool_use: true };
  const auto: JsonObject = Object.keys(single).length === 0 ? {} : { tool_choice: { type: 'auto', ...single } };
  if (toolChoice === null) return auto;
  const forced = toolChoice.kind === 'any' || toolChoice.kind === 'tool' || (toolChoice.kind === 'allowed' && toolChoice.required);
  if (forced && !traits.forcedTool) {
    losses.lose(toolChoiceAt, 'the model cannot be made to call a tool');
    return auto;
  }
  switch (toolChoice.kind) {
    case 'none':
      return { tool_choice: { type: 'none' } };
    case 'auto':
      return { tool_choice: { type: 'auto', ...single } };
    case 'any':
      return { tool_choice: { type: 'any', ...single } };
    case 'tool':
      return { tool_choice: { type: 'tool', name: toolChoice.name, ...single } };
    case 'allowed':
      return { tool_choice: { type: toolChoice.required ? 'any' : 'auto', ...single } };
  }
}

function writeTurns(turns: readonly Turn[], traits: AnthropicTraits, losses: Losses): readonly JsonObject[] {
  const messages: JsonObject[] = [];
  for (const [index, turn] of turns.entries()) {
    const blocks = turn.parts.flatMap((part) => writePart(part, losses));
    // Anthropic refuses empty texts and empty messages; they carry no content.
    if (blocks.length === 0) continue;
    const plain = blocks.length === 1 && blocks[0]!['type'] === 'text' ? blocks[0]!['text'] : blocks;
    if (turn.role === 'assistant' && index === turns.length - 1)
      losses.lose(turn.at, 'Anthropic would continue a last message of the assistant, not answer it');
    // A system message between turns must follow a user turn. When dropped, only the role is lost: the text becomes a user message.
    const follows = messages.at(-1)?.['role'] === 'user';
    const system = turn.role === 'system' && traits.systemTurns && follows;
    if (turn.role === 'system' && !system)
      losses.lose(`${turn.at}.role`, 'the model takes no system message at this place; dropped, it becomes a user message');
    messages.push({ role: turn.role === 'system' && !system ? 'user' : turn.role, content: plain ?? '' });
  }
  if (messages.length === 0) losses.refuse('messages', 'nothing is left to send');
  return messages;
}

function writePart(part: Part, losses: Losses): readonly JsonObject[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      // Anthropic refuses texts of only white space; they carry no content.
      return part.text.trim() === '' ? [] : [{ type: 'text', text: part.text }];
    case 'image':
      // All of a picture is what it gets anyway.
      if (part.detail === 'high') losses.note(`${part.at}.detail`);
      else if (part.detail !== null) losses.lose(`${part.at}.detail`, 'Anthropic has no such parameter');
      if (part.source.kind === 'base64' && !pictures.has(part.source.mime)) {
        losses.lose(part.at, `Anthropic takes no pictures of the type ${part.source.mime}`);
        return [];
      }
      if (part.source.kind === 'url' && !part.source.url.startsWith('https:'))
        losses.refuse(part.at, 'Anthropic fetches pictures by HTTPS only');
      return [{ type: 'image', source: writeSource(part.source) }];
    case 'document':
      return writeDocument(part, losses);
    case 'audio':
      losses.lose(part.at, 'Anthropic takes no sound');
      return [];
    case 'call':
      return [{ type: 'tool_use', id: fitId(part.id, anthropicIds), name: part.name, input: parseJson(part.args) ?? {} }];
    case 'result':
      return [writeResult(part, losses)];
  }
}

function writeResult(part: ResultPart, losses: Losses): JsonObject {
  const blocks = part.parts.flatMap((inner) => writePart(inner, losses));
  const content = blocks.length === 1 && blocks[0]!['type'] === 'text' ? blocks[0]!['text'] : blocks;
  return {
    type: 'tool_result',
    tool_use_id: fitId(part.id, anthropicIds),
    ...(blocks.length === 0 ? {} : { content }),
    ...(part.isError ? { is_error: true } : {}),
  };
}

function writeDocument(part: Part & { readonly kind: 'document' }, losses: Losses): readonly JsonObject[] {
  const title: JsonObject = part.title === null ? {} : { title: part.title };
  const { source } = part;
  if (source.kind === 'text')
    return [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: source.text }, ...title }];
  const mime = source.mime ?? (source.kind === 'url' ? mimeOfUrl(source.url) : null);
  if (source.kind === 'base64' && mime?.startsWith('text/') === true) {
    const words = Buffer.from(source.data, 'base64').toString('utf8');
    return [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: words }, ...title }];
  }
  if (mime !== 'application/pdf') {
    losses.lose(part.at, `Anthropic takes no documents of the type ${mime ?? '(unknown)'}`);
    return [];
  }
  return [{ type: 'document', source: writeSource(source), ...title }];
}

function writeSource(source: Source): JsonObject {
  return source.kind === 'base64' ? { type: 'base64', media_type: source.mime, data: source.data } : { type: 'url', url: source.url };
}
