import { effortBudgets } from '../anthropic/translate-thinking.ts';
import { spoken } from '../common/conversation.ts';
import type { Conversation, Part, Setting, ToolDefinition, Turn, WriteOptions, Written } from '../common/conversation.ts';
import { isList, isObject } from '../common/json.ts';
import type { Json, JsonObject } from '../common/json.ts';
import { Losses } from '../common/losses.ts';
import { isWords, settled } from '../common/result-media.ts';
import { outputSchema, toolSchema } from '../common/target-schema.ts';
import { cohereOutputSchema, cohereToolSchema } from './schema.ts';
import { thinks } from './parameters.ts';
import { earlierCall, imagePart, resultMessage } from '../common/chat-messages.ts';

/** Fields of all strict tools together. */
const mostStrictFields = 200;

const mostStops = 5;
const mostK = 500;

/** Writes a conversation as the body of POST /v2/chat. */
export function writeCohere(said: Conversation, options: WriteOptions, losses: Losses): Written {
  const conversation = spoken(said, losses);
  const { maxTokens, seed, stop, verbosity, user, parallelCalls } = conversation;
  if (stop.values.length > mostStops) losses.lose(stop.at, `Cohere takes ${mostStops} stop sequences`);
  if (verbosity !== null) losses.lose(verbosity.at, 'Cohere has no such setting');
  if (user !== null) losses.lose(user.at, 'Cohere has no name of the user');
  if (parallelCalls?.value === false) losses.lose(parallelCalls.at, 'Cohere cannot be kept to one call a turn');
  const body: JsonObject = {
    model: options.model,
    messages: writeMessages(conversation, losses),
    ...writeTools(conversation, losses),
    ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
    ...writeSampling(conversation, losses),
    ...(seed === null ? {} : { seed: seed.value }),
    ...(stop.values.length === 0 ? {} : { stop_sequences: stop.values.slice(0, mostStops) }),
    ...writeFormat(conversation, losses),
    ...writeThinking(conversation, options.model, losses),
    stream: options.stream,
  };
  return { body, path: '/v2/chat' };
}

function writeSampling({ temperature, topP, topK, frequencyPenalty, presencePenalty }: Conversation, losses: Losses): JsonObject {
  const penalty = (setting: Setting | null): number | null => {
    if (setting === null || (setting.value >= 0 && setting.value <= 1)) return setting?.value ?? null;
    losses.lose(setting.at, 'Cohere takes penalties from 0 to 1');
    return null;
  };
  const values: Readonly<Record<string, number | null>> = {
    temperature: temperature?.value ?? null,
    // The nearest accepted values to all or none of the tokens.
    p: topP === null ? null : Math.min(0.99, Math.max(0.01, topP.value)),
    k: topK === null ? null : Math.min(mostK, topK.value),
    frequency_penalty: penalty(frequencyPenalty),
    presence_penalty: penalty(presencePenalty),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

function writeFormat({ output, tools }: Conversation, losses: Losses): JsonObject {
  if (output.kind === 'text') return {};
  if (tools.length > 0) {
    losses.lose(output.at, 'Cohere takes tools or a form of the answer, not both');
    return {};
  }
  if (output.kind === 'json') return { response_format: { type: 'json_object' } };
  return {
    response_format: {
      type: 'json_object',
      json_schema: outputSchema(output.schema, cohereOutputSchema, output.at, output.strict !== false, losses),
    },
  };
}

function writeThinking({ reasoning }: Conversation, model: string, losses: Losses): JsonObject {
  if (reasoning === null) return {};
  if (reasoning.kind === 'off') return thinks(model) ? { thinking: { type: 'disabled' } } : {};
  if (!thinks(model)) {
    losses.lose(reasoning.at, 'the model does not think');
    return {};
  }
  return { thinking: { type: 'enabled', token_budget: reasoning.kind === 'budget' ? reasoning.tokens : effortBudgets[reasoning.effort] } };
}

/** A choice of some tools is expressed by leaving out the others. */
function writeTools({ tools, toolChoice }: Conversation, losses: Losses): JsonObject {
  const chosen = toolChoice?.kind === 'tool' ? [toolChoice.name] : toolChoice?.kind === 'allowed' ? toolChoice.names : null;
  const offered = chosen === null ? tools : tools.filter(({ name }) => chosen.includes(name));
  if (offered.length === 0) return {};
  const strict = keepsToStrict(offered, losses);
  const required = toolChoice?.kind === 'any' || toolChoice?.kind === 'tool' || (toolChoice?.kind === 'allowed' && toolChoice.required);
  return {
    tools: offered.map((tool) => writeTool(tool, losses)),
    ...(strict ? { strict_tools: true } : {}),
    ...(required ? { tool_choice: 'REQUIRED' } : toolChoice?.kind === 'none' ? { tool_choice: 'NONE' } : {}),
  };
}

/** Whether Cohere checks the arguments of the tools: of all or of none, and only against a part of JSON Schema. */
function keepsToStrict(tools: readonly ToolDefinition[], losses: Losses): boolean {
  const asked = tools.filter((tool) => tool.strict);
  if (asked.length === 0) return false;
  const refused =
    asked.length < tools.length
      ? 'Cohere checks the arguments of all tools or of none'
      : tools.reduce((fields, { schema }) => fields + fieldsOf(schema), 0) > mostStrictFields
        ? `Cohere checks at most ${mostStrictFields} fields`
        : tools.every(fitsStrict)
          ? null
          : 'Cohere checks a part of JSON Schema only, and this goes beyond';
  if (refused !== null) for (const tool of asked) losses.lose(`${tool.at}.strict`, refused);
  return refused === null;
}

function fitsStrict({ schema, at }: ToolDefinition): boolean {
  // A tool without arguments has nothing to be checked.
  if (fieldsOf(schema) === 0) return true;
  const tried = new Losses([]);
  outputSchema(schema, cohereOutputSchema, at, true, tried);
  return tried.unsupported.length === 0 && !tried.dropped.some((path) => path.endsWith('.required'));
}

function fieldsOf(schema: Json | null | undefined): number {
  if (isList(schema)) return schema.reduce((fields: number, inner) => fields + fieldsOf(inner), 0);
  if (!isObject(schema)) return 0;
  const own = isObject(schema['properties']) ? Object.keys(schema['properties']).length : 0;
  return own + Object.values(schema).reduce((fields: number, inner) => fields + fieldsOf(inner), 0);
}

function writeTool({ name, description, schema, at }: ToolDefinition, losses: Losses): JsonObject {
  return {
    type: 'function',
    function: { name, ...(description === null ? {} : { description }), parameters: toolSchema(schema, cohereToolSchema, at, losses) },
  };
}

function writeMessages({ system, turns }: Conversation, losses: Losses): readonly JsonObject[] {
  const words = system.map(({ text }) => text).filter((text) => text !== '');
  const first = words.length === 0 ? [] : [{ role: 'system', content: words.join('\n\n') }];
  return [...first, ...turns.flatMap((turn) => (turn.role === 'assistant' ? [writeAssistant(turn, losses)] : writeTurn(turn, losses)))];
}

function writeTurn(turn: Turn, losses: Losses): readonly JsonObject[] {
  const { results: held, rest } = settled(turn.parts, isWords);
  const results = held.map((part) => resultMessage(part, 'Cohere', losses));
  const content = rest.flatMap((part) => writePart(part, losses));
  if (content.length === 0) return results.length > 0 ? results : [{ role: turn.role, content: '' }];
  return [
    ...results,
    { role: turn.role, content: content.length === 1 && content[0]!['type'] === 'text' ? (content[0]!['text'] ?? '') : content },
  ];
}

function writeAssistant(turn: Turn, losses: Losses): JsonObject {
  const calls: JsonObject[] = [];
  const words: string[] = [];
  for (const part of turn.parts) {
    if (part.kind === 'call') calls.push(earlierCall(part));
    else if (part.kind === 'text' || part.kind === 'refusal') words.push(part.text);
    else if (part.kind !== 'result') losses.lose(part.at, 'Cohere takes nothing but words in messages of the assistant');
  }
  if (calls.length === 0) return { role: 'assistant', content: words.join('\n\n') };
  // Text beside calls becomes the plan of the calls.
  return { role: 'assistant', ...(words.length === 0 ? {} : { tool_plan: words.join('\n\n') }), tool_calls: calls };
}

function writePart(part: Part, losses: Losses): readonly JsonObject[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return [{ type: 'text', text: part.text }];
    case 'image':
      return [imagePart(part)];
    case 'document':
      if (part.source.kind === 'text')
        return [{ type: 'text', text: part.title === null ? part.source.text : `${part.title}\n\n${part.source.text}` }];
      losses.lose(part.at, 'Cohere takes documents as text');
      return [];
    case 'audio':
      losses.lose(part.at, 'Cohere takes no sound');
      return [];
    case 'call':
    case 'result':
      losses.lose(part.at, 'stands in a turn where Cohere has no place for it');
      return [];
  }
}
