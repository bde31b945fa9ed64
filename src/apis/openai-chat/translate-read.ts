import { emptyConversation } from '../common/conversation.ts';
import type { CallPart, Conversation, Part, TextPart, ToolDefinition, Turn } from '../common/conversation.ts';
import { isObject, parseJson } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { Malformed } from '../common/losses.ts';
import type { Losses } from '../common/losses.ts';
import { sourceOfUrl } from '../common/media.ts';
import { Members } from '../common/members.ts';
import { effortOf, functionsOf, outputOf, toolChoiceOf, userOf } from '../openai/translate-read.ts';
import { HeldResults } from '../common/chat-messages.ts';

const own = 'only OpenAI has it';

/** Reads the body of POST /chat/completions. */
export function readOpenAiChat(body: Json, losses: Losses): Conversation {
  const request = new Members(body, '', losses);
  request.ignore('model', 'stream');
  request.object('stream_options')?.expect('include_obfuscation', [false], own);
  request.expect('n', [1], 'several answers to one request cannot be carried over');
  request.expect('logprobs', [false], 'the answer would come without log probabilities');
  request.expect('top_logprobs', [0], 'the answer would come without log probabilities');
  request.expect('modalities', [['text']], 'answers in other media cannot be carried over');
  request.expect('store', [false], 'answers are kept nowhere else');
  request.expect('service_tier', ['auto', 'default'], own);
  request.expect('logit_bias', [{}], own);
  request.expect('metadata', [{}], own);
  request.lose(
    own,
    'audio',
    'prediction',
    'moderation',
    'prompt_cache_key',
    'prompt_cache_options',
    'prompt_cache_retention',
    'web_search_options',
  );
  for (const key of ['functions', 'function_call']) {
    if (request.take(key) !== undefined) losses.refuse(key, 'the old form of tools is not translated; use tools');
  }
  const effort = request.string('reasoning_effort');
  const parallel = request.boolean('parallel_tool_calls');
  const verbosity = request.string('verbosity');
  const limit = request.number('max_completion_tokens');
  const oldLimit = request.number('max_tokens');
  const seed = request.exact('seed');
  const tools = readTools(request.list('tools') ?? [], losses);
  const turns = readMessages(request.list('messages'), losses);
  const conversation: Conversation = {
    ...emptyConversation,
    ...turns,
    tools,
    toolChoice: toolChoiceOf(request.take('tool_choice'), losses, true),
    parallelCalls: parallel === null ? null : { value: parallel, at: 'parallel_tool_calls' },
    maxTokens: limit ?? oldLimit,
    temperature: request.setting('temperature'),
    topP: request.setting('top_p'),
    frequencyPenalty: request.setting('frequency_penalty', 0),
    presencePenalty: request.setting('presence_penalty', 0),
    seed: seed === null ? null : { value: seed, at: 'seed' },
    stop: { values: readStop(request.take('stop')), at: 'stop' },
    output: readResponseFormat(request, losses),
    reasoning: effortOf(effort, 'reasoning_effort'),
    verbosity: verbosity === null || verbosity === 'medium' ? null : { value: verbosity, at: 'verbosity' },
    user: userOf(request, losses),
  };
  request.done();
  return conversation;
}

function readStop(value: Json | undefined): readonly string[] {
  if (value === undefined) return [];
  const values = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(values) || !values.every((one) => typeof one === 'string'))
    throw new Malformed('stop', 'is neither a string nor an array of strings');
  return values;
}

function readResponseFormat(request: Members, losses: Losses): Conversation['output'] {
  const format = request.object('response_format');
  if (format === null) return { kind: 'text' };
  const type = format.string('type');
  const nested = type === 'json_schema' ? format.object('json_schema') : null;
  return outputOf(type, nested, format.path, losses);
}

function readTools(tools: readonly Json[], losses: Losses): readonly ToolDefinition[] {
  return functionsOf(tools, losses, (tool) => {
    tool.lose(own, 'prompt_cache_breakpoint');
    const fn = tool.object('function');
    if (fn === null) throw new Malformed(`${tool.path}.function`, 'is missing');
    const read = {
      name: fn.string('name') ?? '',
      description: fn.string('description'),
      schema: fn.take('parameters') ?? null,
      strict: fn.boolean('strict') ?? false,
    };
    fn.done();
    return read;
  });
}

/** Leading system and developer messages are the system prompt; tool messages become results at the start of the next user turn. */
function readMessages(messages: readonly Json[] | null, losses: Losses): Pick<Conversation, 'system' | 'turns'> {
  if (messages === null || messages.length === 0) throw new Malformed('messages', 'is missing or empty');
  const system: TextPart[] = [];
  const turns: Turn[] = [];
  const results = new HeldResults();
  for (const [index, value] of messages.entries()) {
    const at = `messages[${index}]`;
    const message = new Members(value, at, losses);
    const role = message.string('role');
    message.lose('names of speakers exist at OpenAI only', 'name');
    switch (role) {
      case 'system':
      case 'developer': {
        const parts: TextPart[] = [];
        for (const part of readContent(message, losses)) {
          if (part.kind === 'text') parts.push(part);
          else losses.lose(`${at}.content`, 'a system prompt is words alone');
        }
        results.flush(turns);
        if (turns.length === 0) system.push(...parts);
        else turns.push({ role: 'system', parts, at });
        break;
      }
      case 'user': {
        const parts = readContent(message, losses);
        turns.push({ role: 'user', parts: [...results.take(), ...parts], at });
        break;
      }
      case 'assistant':
        results.flush(turns);
        turns.push({ role: 'assistant', parts: readAssistant(message, losses), at });
        break;
      case 'tool':
        results.add(message, readContent(message, losses));
        break;
      default:
        throw new Malformed(`${at}.role`, 'is no role that OpenAI knows');
    }
    message.done();
  }
  results.flush(turns);
  return { system, turns };
}

function readAssistant(message: Members, losses: Losses): readonly Part[] {
  const parts = [...readContent(message, losses)];
  const refusal = message.string('refusal');
  if (refusal !== null) parts.push({ kind: 'refusal', text: refusal });
  message.ignore('annotations');
  // Members that other servers add to their answers and apps send back: never an input to the model.
  message.lose('earlier thoughts are of use to the provider that had them only', 'reasoning', 'reasoning_content', 'reasoning_details');
  message.lose('answers in sound cannot be carried over', 'audio');
  if (message.take('function_call') !== undefined)
    losses.refuse(message.at('function_call'), 'the old form of tools is not translated; use tools');
  for (const [index, value] of (message.list('tool_calls') ?? []).entries()) {
    const call = readCall(value, `${message.path}.tool_calls[${index}]`, losses);
    if (call !== null) parts.push(call);
  }
  return parts;
}

function readCall(value: Json, at: string, losses: Losses): CallPart | null {
  const call = new Members(value, at, losses);
  const type = call.string('type') ?? 'function';
  if (type !== 'function') {
    losses.lose(at, `calls of the type ${type} exist at OpenAI only`);
    return null;
  }
  const id = call.string('id');
  const fn = call.object('function');
  const name = fn?.string('name') ?? null;
  if (fn === null || id === null || name === null) throw new Malformed(at, 'has no id or no function name');
  const args = fn.string('arguments') ?? '';
  call.ignore('index');
  call.lose('a signature is of use to the provider that made it only', 'extra_content');
  call.done();
  if (args.trim() === '') return { kind: 'call', id, name, args: '{}', at };
  if (!isObject(parseJson(args))) losses.refuse(`${at}.function.arguments`, 'is no JSON object, which the other APIs demand');
  return { kind: 'call', id, name, args, at };
}

function readContent(message: Members, losses: Losses): readonly Part[] {
  const value = message.take('content');
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  if (!Array.isArray(value)) throw new Malformed(message.at('content'), 'is neither a string nor an array');
  const parts: Part[] = [];
  for (const [index, entry] of (value as readonly Json[]).entries()) {
    const read = readPart(entry, `${message.path}.content[${index}]`, losses);
    if (read !== null) parts.push(read);
  }
  return parts;
}

function readPart(value: Json, at: string, losses: Losses): Part | null {
  const part = new Members(value, at, losses);
  const type = part.string('type');
  part.lose(own, 'prompt_cache_breakpoint');
  switch (type) {
    case 'text': {
      const text = part.string('text') ?? '';
      part.done();
      return { kind: 'text', text };
    }
    case 'refusal':
      return { kind: 'refusal', text: part.string('refusal') ?? '' };
    case 'image_url': {
      const image = part.object('image_url');
      const url = image?.string('url') ?? null;
      if (image === null || url === null) throw new Malformed(`${at}.image_url.url`, 'is missing');
      const detail = image.string('detail');
      image.done();
      return { kind: 'image', source: sourceOfUrl(url), detail: detail === 'auto' ? null : detail, at };
    }
    case 'input_audio': {
      const audio = part.object('input_audio');
      const data = audio?.string('data') ?? null;
      if (audio === null || data === null) throw new Malformed(`${at}.input_audio.data`, 'is missing');
      return { kind: 'audio', source: { kind: 'base64', mime: `audio/${audio.string('format') ?? 'wav'}`, data }, at };
    }
    case 'file': {
      const file = part.object('file');
      const data = file?.string('file_data') ?? null;
      if (file === null || data === null) {
        losses.lose(at, 'a file that OpenAI keeps cannot be read elsewhere');
        return null;
      }
      const source = sourceOfUrl(data);
      // Bare base64 is a PDF: the only file type that chat accepts.
      const read = source.kind === 'base64' ? source : { kind: 'base64' as const, mime: 'application/pdf', data };
      return { kind: 'document', source: read, title: file.string('filename'), at };
    }
    default:
      losses.lose(at, `content of the type ${type ?? '(none)'} is not translated`);
      return null;
  }
}
