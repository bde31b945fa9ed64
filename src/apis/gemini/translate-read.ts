import { emptyConversation } from '../common/conversation.ts';
import type { Conversation, Effort, Output, Reasoning, TextPart, ToolChoice, ToolDefinition } from '../common/conversation.ts';
import { isObject, type Json } from '../common/json.ts';
import { Malformed } from '../common/losses.ts';
import type { Losses } from '../common/losses.ts';
import { Members } from '../common/members.ts';
import { readGeminiContents } from './translate-read-contents.ts';
import { closed, jsonSchemaOf } from './google-schema.ts';

const own = 'only Gemini has it';

/** Reads the body of POST /v1beta/models/M:generateContent and :streamGenerateContent. */
export function readGemini(body: Json, losses: Losses): Conversation {
  const request = new Members(body, '', losses);
  request.ignore('model');
  readSafety(request.take('safetySettings'), losses);
  request.expect('labels', [{}], own);
  request.expect('store', [false], 'answers are kept nowhere else');
  request.lose(own, 'serviceTier');
  if (request.take('cachedContent') !== undefined) losses.refuse('cachedContent', 'a part of the prompt is at Google');
  const config = request.object('generationConfig') ?? new Members({}, 'generationConfig', losses);
  config.expect('candidateCount', [1], 'several answers to one request cannot be carried over');
  config.expect('responseModalities', [['TEXT'], ['text'], ['Text']], 'answers in other media cannot be carried over');
  config.expect('responseLogprobs', [false], 'the answer would come without log probabilities');
  config.lose(own, 'logprobs', 'mediaResolution', 'speechConfig');
  const seed = config.exact('seed');
  const { choice, checked } = readToolConfig(request.object('toolConfig'));
  const conversation: Conversation = {
    ...emptyConversation,
    system: readSystem(request.take('systemInstruction'), losses),
    turns: readGeminiContents(request.take('contents'), losses),
    tools: readTools(request.some('tools'), checked, losses),
    toolChoice: choice,
    toolChoiceAt: 'toolConfig.functionCallingConfig',
    maxTokens: config.number('maxOutputTokens'),
    temperature: config.setting('temperature'),
    topP: config.setting('topP'),
    topK: config.setting('topK'),
    frequencyPenalty: config.setting('frequencyPenalty', 0),
    presencePenalty: config.setting('presencePenalty', 0),
    seed: seed === null ? null : { value: seed, at: 'generationConfig.seed' },
    stop: { values: readStop(config.list('stopSequences')), at: 'generationConfig.stopSequences' },
    output: readOutput(config, losses),
    reasoning: readThinking(config.object('thinkingConfig')),
  };
  config.done();
  request.done();
  return conversation;
}

/** Thresholds at which nothing is blocked: other APIs have no filters to turn off. */
const open: ReadonlySet<unknown> = new Set(['OFF', 'BLOCK_NONE']);

function readSafety(settings: Json | undefined, losses: Losses): void {
  if (settings === undefined || (Array.isArray(settings) && settings.length === 0)) return;
  const blocks = !Array.isArray(settings) || !settings.every((setting) => isObject(setting) && open.has(setting['threshold']));
  if (blocks) losses.lose('safetySettings', own);
  else losses.note('safetySettings');
}

function readStop(values: readonly Json[] | null): readonly string[] {
  if (values === null) return [];
  if (!values.every((one) => typeof one === 'string'))
    throw new Malformed('generationConfig.stopSequences', 'holds something other than strings');
  return values;
}

function readThinking(thinking: Members | null): Reasoning | null {
  if (thinking === null) return null;
  const { path: at } = thinking;
  const budget = thinking.number('thinkingBudget');
  const level = thinking.string('thinkingLevel')?.toLowerCase() ?? null;
  thinking.expect('includeThoughts', [false], 'thoughts are not carried over');
  thinking.done();
  if (level === 'minimal' || level === 'low' || level === 'medium' || level === 'high')
    return { kind: 'effort', effort: level satisfies Effort, at };
  if (budget === null || budget < 0) return null;
  return budget === 0 ? { kind: 'off', at } : { kind: 'budget', tokens: budget, at };
}

function readOutput(config: Members, losses: Losses): Output {
  const mime = config.string('responseMimeType');
  const google = config.take('responseSchema');
  const schema =
    config.take('responseJsonSchema') ??
    config.take('_responseJsonSchema') ??
    (google === undefined ? undefined : closed(jsonSchemaOf(google)));
  const at = config.at('responseMimeType');
  if (mime !== null && mime !== 'text/plain' && mime !== 'application/json') {
    losses.lose(at, `answers of the type ${mime} exist at Gemini only`);
    return { kind: 'text' };
  }
  if (schema !== undefined) return { kind: 'schema', schema, name: null, description: null, strict: null, at };
  return mime === 'application/json' ? { kind: 'json', at } : { kind: 'text' };
}

function readSystem(value: Json | undefined, losses: Losses): readonly TextPart[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  const content = new Members(value, 'systemInstruction', losses);
  content.ignore('role');
  return content.some('parts').map((entry, index) => {
    const part = new Members(entry, `systemInstruction.parts[${index}]`, losses);
    const text = part.string('text');
    if (text === null) losses.lose(part.path, 'a system prompt is words alone');
    part.done();
    return { kind: 'text', text: text ?? '' };
  });
}

function readTools(tools: readonly Json[], strict: boolean, losses: Losses): readonly ToolDefinition[] {
  const read: ToolDefinition[] = [];
  for (const [index, value] of tools.entries()) {
    const tool = new Members(value, `tools[${index}]`, losses);
    for (const [place, entry] of tool.some('functionDeclarations').entries()) {
      const at = `tools[${index}].functionDeclarations[${place}]`;
      const declaration = new Members(entry, at, losses);
      const google = declaration.take('parameters');
      declaration.expect('behavior', ['BLOCKING', 'UNSPECIFIED'], own);
      declaration.lose(own, 'response', 'responseJsonSchema');
      read.push({
        name: declaration.string('name') ?? '',
        description: declaration.string('description'),
        schema: declaration.take('parametersJsonSchema') ?? (google === undefined ? null : jsonSchemaOf(google)),
        strict,
        at,
      });
      declaration.done();
    }
    // Search, code execution and other tools that Google runs.
    tool.done();
  }
  return read;
}

/** `checked`: arguments must follow their schemas; the other APIs set this for each tool. */
function readToolConfig(config: Members | null): { readonly choice: ToolChoice | null; readonly checked: boolean } {
  const calling = config?.object('functionCallingConfig') ?? null;
  config?.done();
  if (calling === null) return { choice: null, checked: false };
  const mode = calling.string('mode') ?? 'AUTO';
  const names = (calling.list('allowedFunctionNames') ?? []).filter((name) => typeof name === 'string');
  calling.done();
  switch (mode.toUpperCase()) {
    case 'NONE':
      return { choice: { kind: 'none' }, checked: false };
    case 'ANY': {
      const choice: ToolChoice =
        names.length === 0
          ? { kind: 'any' }
          : names.length === 1
            ? { kind: 'tool', name: names[0]! }
            : { kind: 'allowed', names, required: true };
      return { choice, checked: false };
    }
    case 'VALIDATED':
      return { choice: names.length === 0 ? { kind: 'auto' } : { kind: 'allowed', names, required: false }, checked: true };
    default:
      return { choice: { kind: 'auto' }, checked: false };
  }
}
