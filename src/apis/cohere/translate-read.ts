import {
  emptyConversation,
  type Conversation,
  type Output,
  type Part,
  type Reasoning,
  type TextPart,
  type ToolChoice,
  type ToolDefinition,
  type Turn,
} from '../common/conversation.ts';
import { isObject, parseJson, writeJson, type Json } from '../common/json.ts';
import { Malformed, type Losses } from '../common/losses.ts';
import { sourceOfUrl } from '../common/media.ts';
import { Members } from '../common/members.ts';
import { HeldResults } from '../common/chat-messages.ts';

const own = 'only Cohere has it';

/** Reads the body of POST /v2/chat. */
export function readCohere(body: Json, losses: Losses): Conversation {
  const request = new Members(body, '', losses);
  request.ignore('model', 'stream');
  request.expect('logprobs', [false], 'the answer would come without log probabilities');
  request.expect('documents', [[]], 'documents beside the messages exist at Cohere only');
  request.expect('citation_options', [{ mode: 'OFF' }], 'the answer would come without citations');
  request.expect('safety_mode', ['CONTEXTUAL'], own);
  request.expect('raw_prompting', [false], own);
  request.lose(own, 'priority');
  const strict = request.boolean('strict_tools') ?? false;
  const limit = request.number('max_tokens');
  const seed = request.exact('seed');
  const stops = request.list('stop_sequences') ?? [];
  if (!stops.every((one) => typeof one === 'string')) throw new Malformed('stop_sequences', 'is no array of strings');
  const conversation: Conversation = {
    ...emptyConversation,
    ...readMessages(request.list('messages'), losses),
    tools: (request.list('tools') ?? []).map((tool, index) => readTool(tool, `tools[${index}]`, strict, losses)),
    toolChoice: choiceOf(request.string('tool_choice')),
    maxTokens: limit,
    temperature: request.setting('temperature'),
    topP: request.setting('p'),
    topK: request.setting('k', 0),
    frequencyPenalty: request.setting('frequency_penalty', 0),
    presencePenalty: request.setting('presence_penalty', 0),
    seed: seed === null ? null : { value: seed, at: 'seed' },
    stop: { values: stops, at: 'stop_sequences' },
    output: readFormat(request.object('response_format')),
    reasoning: readThinking(request.object('thinking')),
  };
  request.done();
  return conversation;
}

function choiceOf(choice: string | null): ToolChoice | null {
  if (choice === null) return null;
  if (choice === 'REQUIRED') return { kind: 'any' };
  if (choice === 'NONE') return { kind: 'none' };
  throw new Malformed('tool_choice', 'is no choice that Cohere knows');
}

function readFormat(format: Members | null): Output {
  if (format === null || format.string('type') !== 'json_object') return { kind: 'text' };
  const schema = format.take('json_schema') ?? format.take('schema');
  if (schema === undefined) return { kind: 'json', at: format.path };
  return { kind: 'schema', schema, name: null, description: null, strict: null, at: format.path };
}

function readThinking(thinking: Members | null): Reasoning | null {
  if (thinking === null) return null;
  if (thinking.string('type') === 'disabled') return { kind: 'off', at: 'thinking' };
  const tokens = thinking.number('token_budget');
  return tokens === null ? { kind: 'effort', effort: 'medium', at: 'thinking' } : { kind: 'budget', tokens, at: 'thinking' };
}

function readTool(value: Json, at: string, strict: boolean, losses: Losses): ToolDefinition {
  const tool = new Members(value, at, losses);
  const made = tool.string('type') === 'function' ? tool.object('function') : null;
  if (made === null) throw new Malformed(`${at}.function`, 'is missing');
  const read = {
    name: made.string('name') ?? '',
    description: made.string('description'),
    schema: made.take('parameters') ?? null,
    strict,
    at,
  };
  made.done();
  tool.done();
  return read;
}

/** Leading system messages are the system prompt; tool messages become results at the start of the next user turn. */
function readMessages(messages: readonly Json[] | null, losses: Losses): Pick<Conversation, 'system' | 'turns'> {
  if (messages === null || messages.length === 0) throw new Malformed('messages', 'is missing or empty');
  const system: TextPart[] = [];
  const turns: Turn[] = [];
  const results = new HeldResults();
  for (const [index, value] of messages.entries()) {
    const at = `messages[${index}]`;
    const message = new Members(value, at, losses);
    const role = message.string('role');
    const parts = readContent(message, losses);
    if (role === 'tool') results.add(message, parts);
    else if (role === 'user') turns.push({ role, parts: [...results.take(), ...parts], at });
    else {
      results.flush(turns);
      const words = parts.filter((part) => part.kind === 'text');
      if (role === 'system' && turns.length === 0) system.push(...words);
      else if (role === 'system') turns.push({ role, parts: words, at });
      else if (role === 'assistant') turns.push({ role, parts: [...parts, ...readCalls(message, losses)], at });
      else throw new Malformed(`${at}.role`, 'is no role that Cohere knows');
    }
    message.done();
  }
  results.flush(turns);
  return { system, turns };
}

function readCalls(message: Members, losses: Losses): readonly Part[] {
  const plan = message.string('tool_plan');
  message.lose('citations exist at Cohere only', 'citations');
  const calls = (message.list('tool_calls') ?? []).map((value, index): Part => {
    const at = `${message.path}.tool_calls[${index}]`;
    const call = new Members(value, at, losses);
    call.ignore('type');
    const id = call.string('id');
    const made = call.object('function');
    const name = made?.string('name') ?? null;
    if (made === null || id === null || name === null) throw new Malformed(at, 'has no id or no function name');
    const args = made.string('arguments') ?? '';
    call.done();
    if (args.trim() === '') return { kind: 'call', id, name, args: '{}', at };
    if (!isObject(parseJson(args))) losses.refuse(`${at}.function.arguments`, 'is no JSON object, which the other APIs demand');
    return { kind: 'call', id, name, args, at };
  });
  return plan === null || plan === '' ? calls : [{ kind: 'text', text: plan }, ...calls];
}

function readContent(message: Members, losses: Losses): readonly Part[] {
  const value = message.take('content');
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  if (!Array.isArray(value)) throw new Malformed(message.at('content'), 'is neither a string nor an array');
  return (value as readonly Json[]).flatMap((entry, index) => readPart(entry, `${message.path}.content[${index}]`, losses));
}

function readPart(value: Json, at: string, losses: Losses): readonly Part[] {
  const part = new Members(value, at, losses);
  const type = part.string('type');
  switch (type) {
    case 'text':
      return [{ kind: 'text', text: part.string('text') ?? '' }];
    case 'image_url': {
      const image = part.object('image_url');
      const url = image?.string('url') ?? null;
      if (image === null || url === null) throw new Malformed(`${at}.image_url.url`, 'is missing');
      const detail = image.string('detail');
      return [{ kind: 'image', source: sourceOfUrl(url), detail: detail === 'auto' ? null : detail, at }];
    }
    case 'document': {
      const data = part.object('document')?.take('data');
      return [{ kind: 'text', text: typeof data === 'string' ? data : writeJson(data ?? {}) }];
    }
    case 'thinking':
      losses.lose(`${at}.thinking_blocks`, 'earlier thoughts are of use to the provider that had them only');
      return [];
    default:
      losses.lose(at, `content of the type ${type ?? '(none)'} is not translated`);
      return [];
  }
}
