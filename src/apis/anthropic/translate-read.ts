import { emptyConversation } from '../common/conversation.ts';
import type {
  Conversation,
  Effort,
  Output,
  Part,
  Reasoning,
  ResultPart,
  Source,
  TextPart,
  ToolChoice,
  ToolDefinition,
  Turn,
} from '../common/conversation.ts';
import { isList, isObject, member, text, writeJson } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { Malformed } from '../common/losses.ts';
import type { Losses } from '../common/losses.ts';
import { mimeOf } from '../common/media.ts';
import { Members } from '../common/members.ts';

const own = 'only Anthropic has it';

/** Reads the body of POST /v1/messages. */
export function readAnthropic(body: Json, losses: Losses): Conversation {
  const request = new Members(body, '', losses);
  request.ignore('model', 'stream');
  request.expect('service_tier', ['auto'], own);
  request.expect('speed', ['standard'], own);
  request.lose(
    own,
    'cache_control',
    'container',
    'diagnostics',
    'inference_geo',
    'mcp_servers',
    'context_management',
    'betas',
    'fallbacks',
  );
  const maxTokens = request.number('max_tokens');
  if (maxTokens === 0) losses.refuse('max_tokens', 'warming a cache has no counterpart');
  const metadata = request.object('metadata');
  const user = metadata?.string('user_id') ?? null;
  metadata?.done();
  const choice = readToolChoice(request.object('tool_choice'), losses);
  const config = request.object('output_config');
  const effort = config?.string('effort') ?? null;
  const output = readFormat(config?.object('format') ?? null, losses);
  config?.done();
  const conversation: Conversation = {
    ...emptyConversation,
    system: readSystem(request.take('system'), losses),
    turns: readMessages(request.list('messages'), losses),
    tools: readTools(request.list('tools') ?? [], losses),
    ...choice,
    maxTokens,
    temperature: request.setting('temperature'),
    topP: request.setting('top_p'),
    topK: request.setting('top_k'),
    stop: { values: readStop(request.list('stop_sequences')), at: 'stop_sequences' },
    output,
    reasoning: readReasoning(request.object('thinking'), effort, losses),
    user: user === null ? null : { value: user, at: 'metadata.user_id' },
  };
  request.done();
  return conversation;
}

function readStop(values: readonly Json[] | null): readonly string[] {
  if (values === null) return [];
  if (!values.every((one) => typeof one === 'string')) throw new Malformed('stop_sequences', 'holds something other than strings');
  return values;
}

function readReasoning(thinking: Members | null, effort: string | null, losses: Losses): Reasoning | null {
  const level: Reasoning | null = effort === null ? null : { kind: 'effort', effort: effort as Effort, at: 'output_config.effort' };
  const type = thinking?.string('type') ?? null;
  if (thinking === null || type === null) return level;
  thinking.expect('display', ['omitted'], 'thoughts are not carried over');
  if (type === 'disabled') return { kind: 'off', at: 'thinking' };
  if (type === 'enabled') {
    const tokens = thinking.number('budget_tokens');
    if (tokens === null) throw new Malformed('thinking.budget_tokens', 'is missing');
    return level ?? { kind: 'budget', tokens, at: 'thinking' };
  }
  if (type === 'adaptive') return level ?? { kind: 'effort', effort: 'high', at: 'thinking' };
  losses.lose('thinking', `thinking of the type ${type} exists at Anthropic only`);
  return level;
}

function readFormat(format: Members | null, losses: Losses): Output {
  if (format === null) return { kind: 'text' };
  const schema = format.take('schema');
  if (format.string('type') !== 'json_schema' || schema === undefined) {
    losses.lose(format.path, 'is no JSON schema');
    return { kind: 'text' };
  }
  return { kind: 'schema', schema, name: null, description: null, strict: null, at: format.path };
}

function readToolChoice(choice: Members | null, losses: Losses): Pick<Conversation, 'toolChoice' | 'parallelCalls'> {
  if (choice === null) return { toolChoice: null, parallelCalls: null };
  const type = choice.string('type');
  const single = choice.boolean('disable_parallel_tool_use');
  const parallelCalls = single === null ? null : { value: !single, at: 'tool_choice.disable_parallel_tool_use' };
  const name = choice.string('name');
  choice.done();
  switch (type) {
    case 'auto':
    case 'none':
    case 'any':
      return { toolChoice: { kind: type }, parallelCalls };
    case 'tool':
      if (name === null) throw new Malformed('tool_choice.name', 'is missing');
      return { toolChoice: { kind: 'tool', name } satisfies ToolChoice, parallelCalls };
    case null:
    default:
      losses.lose('tool_choice', `a choice of the type ${type ?? '(none)'} is not known`);
      return { toolChoice: null, parallelCalls };
  }
}

function readTools(tools: readonly Json[], losses: Losses): readonly ToolDefinition[] {
  const read: ToolDefinition[] = [];
  for (const [index, value] of tools.entries()) {
    const at = `tools[${index}]`;
    const tool = new Members(value, at, losses);
    const type = tool.string('type');
    if (type !== null && type !== 'custom') {
      losses.lose(at, `the tool ${type} is Anthropic's own`);
      continue;
    }
    tool.lose(own, 'cache_control', 'allowed_callers', 'input_examples');
    tool.expect('defer_loading', [false], own);
    // Only affects how its calls are streamed.
    tool.ignore('eager_input_streaming');
    read.push({
      name: tool.string('name') ?? '',
      description: tool.string('description'),
      schema: tool.take('input_schema') ?? null,
      strict: tool.boolean('strict') ?? false,
      at,
    });
    tool.done();
  }
  return read;
}

function readSystem(value: Json | undefined, losses: Losses): readonly TextPart[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  if (!Array.isArray(value)) throw new Malformed('system', 'is neither a string nor an array');
  return (value as readonly Json[]).map((entry, index) => {
    const block = new Members(entry, `system[${index}]`, losses);
    if (block.string('type') !== 'text') throw new Malformed(block.path, 'is no text');
    return readText(block);
  });
}

function readText(block: Members): TextPart {
  const text = block.string('text') ?? '';
  block.lose(own, 'cache_control', 'citations');
  block.done();
  return { kind: 'text', text };
}

function readMessages(messages: readonly Json[] | null, losses: Losses): readonly Turn[] {
  if (messages === null || messages.length === 0) throw new Malformed('messages', 'is missing or empty');
  return messages.map((value, index): Turn => {
    const at = `messages[${index}]`;
    const message = new Members(value, at, losses);
    const role = message.string('role');
    if (role !== 'user' && role !== 'assistant' && role !== 'system') throw new Malformed(`${at}.role`, 'is no role that Anthropic knows');
    const parts = readContent(message.take('content'), `${at}.content`, losses);
    message.done();
    // Anthropic continues this turn; the other APIs answer it.
    if (role === 'assistant' && index === messages.length - 1)
      losses.refuse(at, 'an answer that is begun can be continued at Anthropic only');
    return { role, parts, at };
  });
}

function readContent(value: Json | undefined, at: string, losses: Losses): readonly Part[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  if (!Array.isArray(value)) throw new Malformed(at, 'is neither a string nor an array');
  const parts: Part[] = [];
  for (const [index, entry] of (value as readonly Json[]).entries()) {
    const part = readBlock(new Members(entry, `${at}[${index}]`, losses), losses);
    if (part !== null) parts.push(part);
  }
  return parts;
}

function readBlock(block: Members, losses: Losses): Part | null {
  const { path } = block;
  const type = block.string('type');
  switch (type) {
    case 'text':
      return readText(block);
    case 'image': {
      const source = readSource(block.object('source'), losses);
      block.lose(own, 'cache_control', 'transformations');
      block.done();
      return source === null ? null : { kind: 'image', source, detail: null, at: path };
    }
    case 'document':
      return readDocument(block, losses);
    case 'search_result':
      return readFound(block, losses);
    case 'tool_use': {
      const id = block.string('id');
      const name = block.string('name');
      const input = block.take('input') ?? {};
      if (id === null || name === null) throw new Malformed(path, 'has no id or no name');
      if (!isObject(input)) throw new Malformed(`${path}.input`, 'is not an object');
      block.ignore('caller');
      block.lose(own, 'cache_control', 'toolset_name');
      block.done();
      return { kind: 'call', id, name, args: writeJson(input), at: path };
    }
    case 'tool_result':
      return readResult(block, losses);
    case 'thinking':
    case 'redacted_thinking':
      losses.lose(`${path}.thinking_blocks`, 'thoughts are sealed, and of use to the model that had them only');
      return null;
    case null:
    default:
      losses.lose(path, `content of the type ${type ?? '(none)'} exists at Anthropic only`);
      return null;
  }
}

function readResult(block: Members, losses: Losses): ResultPart {
  const { path } = block;
  const id = block.string('tool_use_id');
  if (id === null) throw new Malformed(`${path}.tool_use_id`, 'is missing');
  const parts = readContent(block.take('content'), `${path}.content`, losses);
  const isError = block.boolean('is_error') ?? false;
  block.lose(own, 'cache_control', 'toolset_name');
  block.done();
  return { kind: 'result', id, parts, isError, at: path };
}

function readSource(source: Members | null, losses: Losses): Source | null {
  const type = source?.string('type') ?? null;
  if (source === null || type === null) throw new Malformed(source?.path ?? 'source', 'is missing');
  if (type === 'base64')
    return { kind: 'base64', mime: mimeOf(source.string('media_type') ?? 'application/octet-stream'), data: source.string('data') ?? '' };
  if (type === 'url') return { kind: 'url', url: source.string('url') ?? '', mime: null };
  losses.lose(
    source.path,
    type === 'file' ? 'a file that Anthropic keeps cannot be read elsewhere' : `a source of the type ${type} exists at Anthropic only`,
  );
  return null;
}

/** The text of a document in words, or in blocks of words; null if it is anything else. */
function wordsOf(source: Members, type: string | null): string | null {
  if (type === 'text') return source.string('data') ?? '';
  if (type !== 'content') return null;
  const content = source.take('content');
  if (typeof content === 'string') return content;
  const blocks = isList(content) ? content : [];
  const texts = blocks.map((block) => (member(block, 'type') === 'text' ? text(member(block, 'text')) : null));
  return texts.every((words) => words !== null) ? headed(texts) : null;
}

/** What an app found, as a document: its title names the source. */
function readFound(block: Members, losses: Losses): Part {
  const heading = [block.string('title'), block.string('source')].filter((words) => words !== null);
  const texts = (block.list('content') ?? []).map((part) => text(member(part, 'text')));
  block.lose(own, 'cache_control');
  if (block.object('citations')?.boolean('enabled') === true) losses.lose(`${block.path}.citations`, 'citations cannot be carried over');
  block.done();
  return {
    kind: 'document',
    source: { kind: 'text', text: headed(texts) },
    title: heading.length === 0 ? null : heading.join(', '),
    at: block.path,
  };
}

function headed(texts: readonly (string | null)[]): string {
  return texts.filter((words) => words !== null && words !== '').join('\n\n');
}

function readDocument(block: Members, losses: Losses): Part | null {
  const title = block.string('title');
  block.lose(own, 'cache_control');
  const context = block.string('context');
  const citations = block.object('citations');
  if (citations?.boolean('enabled') === true) losses.lose(`${block.path}.citations`, 'citations cannot be carried over');
  const sourceMembers = block.object('source');
  block.done();
  const sourceType = sourceMembers?.string('type');
  const words = sourceMembers === null ? null : wordsOf(sourceMembers, sourceType ?? null);
  if (words !== null) return { kind: 'document', source: { kind: 'text', text: headed([context, words]) }, title, at: block.path };
  if (context !== null) losses.lose(`${block.path}.context`, own);
  const source = readSource(sourceMembers, losses);
  return source === null
    ? null
    : { kind: 'document', source: source.kind === 'url' ? { ...source, mime: 'application/pdf' } : source, title, at: block.path };
}
