import { spoken } from '../common/conversation.ts';
import type { Conversation, Part, ResultPart, Source, Turn, WriteOptions, Written } from '../common/conversation.ts';
import { parseJson } from '../common/json.ts';
import type { Json, JsonObject } from '../common/json.ts';
import type { Losses } from '../common/losses.ts';
import { mimeOfUrl } from '../common/media.ts';
import { isWords, settled } from '../common/result-media.ts';
import { outputSchema, toolSchema } from '../common/target-schema.ts';
import { askedModel, refusedIn } from '../common/parameters.ts';
import { geminiParameters } from './parameters.ts';
import { geminiOutputSchema, geminiToolSchema } from './schema.ts';
import { foreignSignature, geminiTraits } from '../common/models.ts';
import type { GeminiTraits } from '../common/models.ts';
import { effortBudgets, effortOfBudget } from '../anthropic/translate-thinking.ts';

const none = 'Gemini has no such parameter';
/** Gemini's limit. */
const mostStops = 5;
/** The first version that takes a format of the answer beside tools: 3. */
const formatBesideTools = 30;

/** Writes a conversation as the body of POST /v1beta/models/M:generateContent; the path, not the body, requests a stream. */
export function writeGemini(said: Conversation, options: WriteOptions, losses: Losses): Written {
  const conversation = spoken(said, losses);
  const traits = geminiTraits(options.model);
  for (const setting of [conversation.user, conversation.verbosity]) if (setting !== null) losses.lose(setting.at, none);
  if (conversation.parallelCalls?.value === false)
    losses.lose(conversation.parallelCalls.at, 'Gemini cannot be kept to one call at a time');
  const system = conversation.system.filter((part) => part.text !== '');
  const config = writeConfig(conversation, options.model, traits, losses);
  const body: JsonObject = {
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system.map((part) => ({ text: part.text })) } }),
    contents: writeContents(conversation.turns, traits, losses),
    ...writeTools(conversation, losses),
    ...(Object.keys(config).length === 0 ? {} : { generationConfig: config }),
  };
  const method = options.stream ? 'streamGenerateContent?alt=sse' : 'generateContent';
  return { body, path: `/v1beta/models/${encodeURIComponent(options.model)}:${method}` };
}

function writeConfig(conversation: Conversation, model: string, traits: GeminiTraits, losses: Losses): JsonObject {
  const { maxTokens, stop, output } = conversation;
  if (stop.values.length > mostStops) losses.lose(stop.at, `Gemini takes ${mostStops} stop sequences`);
  if (output.kind !== 'text' && conversation.tools.length > 0 && traits.version < formatBesideTools)
    losses.lose(output.at, 'the model takes no format of the answer beside tools');
  if (output.kind === 'schema' && output.description !== null) losses.lose(`${output.at}.description`, none);
  const thinking = writeThinking(conversation, model, traits, losses);
  return {
    ...(maxTokens === null ? {} : { maxOutputTokens: maxTokens }),
    ...writeSampling(conversation, model, losses),
    ...(stop.values.length === 0 || stop.values.length > mostStops ? {} : { stopSequences: stop.values }),
    ...(output.kind === 'text' ? {} : { responseMimeType: 'application/json' }),
    ...(output.kind === 'schema'
      ? { responseJsonSchema: outputSchema(output.schema, geminiOutputSchema, output.at, output.strict !== false, losses) }
      : {}),
    ...(thinking === null ? {} : { thinkingConfig: thinking }),
  };
}

/** The settings that the model takes. */
function writeSampling(conversation: Conversation, model: string, losses: Losses): JsonObject {
  const { temperature, topP, topK, frequencyPenalty, presencePenalty, seed } = conversation;
  const asked = askedModel('google', model);
  const taken: Record<string, Json> = {};
  for (const [name, setting] of Object.entries({ temperature, topP, topK, frequencyPenalty, presencePenalty, seed })) {
    if (setting === null) continue;
    const value = typeof setting.value === 'number' ? setting.value : null;
    if (refusedIn(geminiParameters, { parameters: [{ name, value }], limitKey: null }, asked) === null) taken[name] = setting.value;
    else losses.lose(setting.at, 'the model refuses it');
  }
  return taken;
}

function writeThinking(conversation: Conversation, model: string, traits: GeminiTraits, losses: Losses): JsonObject | null {
  const { reasoning } = conversation;
  if (reasoning === null) return null;
  if (reasoning.kind === 'off') {
    if (traits.thinking === 'none') return null;
    if (traits.thinkingOff) return { thinkingBudget: 0 };
    losses.lose(reasoning.at, 'the model cannot be kept from thinking');
    return null;
  }
  if (traits.thinking === 'none') {
    losses.lose(reasoning.at, 'the model does not think');
    return null;
  }
  if (traits.thinking === 'budget') {
    const tokens = reasoning.kind === 'budget' ? reasoning.tokens : effortBudgets[reasoning.effort];
    return { thinkingBudget: Math.min(tokens, effortBudgets.max) };
  }
  const effort = reasoning.kind === 'effort' ? reasoning.effort : effortOfBudget(reasoning.tokens);
  if (effort === 'minimal' || effort === 'low') return { thinkingLevel: 'LOW' };
  // The first Gemini 3 Pro has only two levels.
  return { thinkingLevel: effort === 'medium' && !model.includes('gemini-3-pro') ? 'MEDIUM' : 'HIGH' };
}

function writeTools(conversation: Conversation, losses: Losses): JsonObject {
  const { tools, toolChoice } = conversation;
  if (tools.length === 0) return {};
  const functionDeclarations = tools.map((tool) => ({
    name: tool.name,
    ...(tool.description === null ? {} : { description: tool.description }),
    ...(tool.schema === null ? {} : { parametersJsonSchema: toolSchema(tool.schema, geminiToolSchema, tool.at, losses) }),
  }));
  const calling = writeCalling(
    conversation,
    tools.some((tool) => tool.strict),
  );
  return {
    tools: [{ functionDeclarations }],
    ...(calling === null || (toolChoice === null && calling['mode'] === 'AUTO') ? {} : { toolConfig: { functionCallingConfig: calling } }),
  };
}

/** The modes ANY and VALIDATED enforce the schema of the arguments. */
function writeCalling(conversation: Conversation, strict: boolean): JsonObject | null {
  const { toolChoice } = conversation;
  switch (toolChoice?.kind) {
    case undefined:
    case 'auto':
      return { mode: strict ? 'VALIDATED' : 'AUTO' };
    case 'none':
      return { mode: 'NONE' };
    case 'any':
      return { mode: 'ANY' };
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [toolChoice.name] };
    case 'allowed':
      return { mode: toolChoice.required ? 'ANY' : 'VALIDATED', allowedFunctionNames: toolChoice.names };
  }
}

function writeContents(turns: readonly Turn[], traits: GeminiTraits, losses: Losses): readonly JsonObject[] {
  const contents: JsonObject[] = [];
  /** Function names by call id, because Gemini matches results by name. */
  const names = new Map<string, string>();
  for (const turn of turns) {
    if (turn.role === 'system')
      losses.lose(`${turn.at}.role`, 'Gemini takes no system message between the turns; dropped, it becomes a user message');
    for (const part of turn.parts) if (part.kind === 'call') names.set(part.id, part.name);
    // Results get a content of their own: Gemini compares their number with the calls of the previous content.
    const { results: held, rest } = settled(turn.parts, (part) => isWords(part) || isResultMedia(part, traits));
    const results = held.map((part) => writeResult(part, names, losses));
    if (results.length > 0) contents.push({ role: 'user', parts: results });
    const parts = rest.flatMap((part) => writePart(part, traits, losses));
    if (traits.signatures) sign(parts);
    if (parts.length > 0) contents.push({ role: turn.role === 'assistant' ? 'model' : 'user', parts });
  }
  if (contents.length === 0) losses.refuse('messages', 'nothing is left to send');
  return contents;
}

/** Only the first of parallel calls has a signature. */
function sign(parts: JsonObject[]): void {
  const index = parts.findIndex((part) => 'functionCall' in part);
  if (index !== -1) parts[index] = { ...parts[index], thoughtSignature: foreignSignature };
}

function writePart(part: Part, traits: GeminiTraits, losses: Losses): JsonObject[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return part.text === '' ? [] : [{ text: part.text }];
    case 'image':
      // All of a picture is what it gets anyway.
      if (part.detail === 'high') losses.note(`${part.at}.detail`);
      else if (part.detail !== null) losses.lose(`${part.at}.detail`, none);
      return writeSource(part.source, part.at, traits, losses);
    case 'audio':
      return writeSource(part.source, part.at, traits, losses);
    case 'document':
      if (part.title !== null && part.source.kind === 'text') return [{ text: `${part.title}\n\n${part.source.text}` }];
      return part.source.kind === 'text' ? [{ text: part.source.text }] : writeSource(part.source, part.at, traits, losses);
    case 'call':
      return [{ functionCall: { id: part.id, name: part.name, args: parseJson(part.args) ?? {} } }];
    case 'result':
      return [];
  }
}

function writeSource(source: Source, at: string, traits: GeminiTraits, losses: Losses): JsonObject[] {
  if (source.kind === 'base64') return [{ inlineData: { mimeType: source.mime, data: source.data } }];
  if (traits.thinking === 'none') {
    losses.lose(at, 'the model fetches nothing from URLs');
    return [];
  }
  const mime = source.mime ?? mimeOfUrl(source.url);
  return [{ fileData: { fileUri: source.url, ...(mime === null ? {} : { mimeType: mime }) } }];
}

/** Whether the model takes a picture or document inside the result of a function. */
function isResultMedia(part: Part, { resultMedia }: GeminiTraits): boolean {
  return resultMedia && (part.kind === 'image' || part.kind === 'document') && part.source.kind === 'base64';
}

function writeResult(part: ResultPart, names: ReadonlyMap<string, string>, losses: Losses): JsonObject {
  const name = names.get(part.id);
  if (name === undefined) losses.refuse(part.at, 'answers a call that is not in the conversation');
  const words: string[] = [];
  const media: JsonObject[] = [];
  for (const inner of part.parts) {
    if (inner.kind === 'text' || inner.kind === 'refusal') words.push(inner.text);
    else if (inner.kind === 'document' && inner.source.kind === 'text') words.push(inner.source.text);
    else if ((inner.kind === 'image' || inner.kind === 'document') && inner.source.kind === 'base64')
      media.push({ inlineData: { mimeType: inner.source.mime, data: inner.source.data } });
    else losses.lose('at' in inner ? inner.at : part.at, "the model takes nothing but words as a tool's result");
  }
  return {
    functionResponse: {
      id: part.id,
      name: name ?? '',
      response: { [part.isError ? 'error' : 'output']: words.join('\n') },
      ...(media.length === 0 ? {} : { parts: media }),
    },
  };
}
