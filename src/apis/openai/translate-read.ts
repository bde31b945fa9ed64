import type { Conversation, Effort, Output, Reasoning, ToolChoice, ToolDefinition } from '../common/conversation.ts';
import { isObject, member } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { Malformed } from '../common/losses.ts';
import type { Losses } from '../common/losses.ts';
import { Members } from '../common/members.ts';

const efforts: ReadonlySet<string> = new Set<Effort>(['minimal', 'low', 'medium', 'high', 'xhigh', 'max']);

/** OpenAI's reasoning levels; null if the caller leaves the level to the model. */
export function effortOf(effort: string | null, at: string): Reasoning | null {
  if (effort === null) return null;
  if (effort === 'none') return { kind: 'off', at };
  if (!efforts.has(effort)) throw new Malformed(at, 'is no level of reasoning that OpenAI knows');
  return { kind: 'effort', effort: effort as Effort, at };
}

/** The end user's name, from its old or its new member. */
export function userOf(request: Members, losses: Losses): Conversation['user'] {
  const user = request.string('user');
  const safety = request.string('safety_identifier');
  if (user !== null && safety !== null && user !== safety) losses.lose('safety_identifier', 'there is room for one name of the user');
  if (user !== null) return { value: user, at: 'user' };
  return safety === null ? null : { value: safety, at: 'safety_identifier' };
}

/** The requested format of the answer. `format` holds the members of a JSON schema's description. */
export function outputOf(type: string | null, format: Members | null, at: string, losses: Losses): Output {
  switch (type) {
    case null:
    case 'text':
      return { kind: 'text' };
    case 'json_object':
      return { kind: 'json', at };
    case 'json_schema': {
      const schema = format?.take('schema');
      if (format === null || schema === undefined) throw new Malformed(`${at}.json_schema.schema`, 'is missing');
      return {
        kind: 'schema',
        schema,
        name: format.string('name'),
        description: format.string('description'),
        strict: format.boolean('strict') ?? false,
        at,
      };
    }
    default:
      losses.lose(at, `answers of the type ${type} exist at OpenAI only`);
      return { kind: 'text' };
  }
}

/** Tools that OpenAI runs and that an agent with its own functions can do without. */
const besides: ReadonlySet<string> = new Set(['web_search', 'web_search_preview', 'image_generation']);

/** The functions among the tools; other kinds exist only at OpenAI. `read` takes one tool's members. */
export function functionsOf(
  tools: readonly Json[],
  losses: Losses,
  read: (tool: Members) => Omit<ToolDefinition, 'at'>,
): readonly ToolDefinition[] {
  const functions: ToolDefinition[] = [];
  const own = tools.some((tool) => {
    const type = member(tool, 'type');
    return type === 'function' || type === 'namespace';
  });
  for (const [index, value] of tools.entries()) {
    const at = `tools[${index}]`;
    const tool = new Members(value, at, losses);
    const type = tool.string('type');
    if (type === 'namespace') {
      functions.push(...inNamespace(tool, losses, read));
      continue;
    }
    if (type !== 'function') {
      // The agent still has its own functions; the tools that the provider runs are optional.
      if (own && type !== null && besides.has(type)) losses.note(`tools.${type}`);
      else losses.lose(at, `tools of the type ${type ?? '(none)'} exist at OpenAI only`);
      continue;
    }
    functions.push({ ...read(tool), at });
    tool.done();
  }
  return functions;
}

/** Joins a namespace and the name of a function in it; no name holds it, and no target accepts it, so that the pair comes back whole. */
const namespaceMark = '\u001f';

/** A function's name in a namespace, as the conversation has it. */
export function nameIn(namespace: string | null, name: string): string {
  return namespace === null ? name : `${namespace}${namespaceMark}${name}`;
}

/** The members that name a called function in a response. */
export function namesOf(name: string): { readonly name: string; readonly namespace?: string } {
  const at = name.indexOf(namespaceMark);
  return at === -1 ? { name } : { name: name.slice(at + 1), namespace: name.slice(0, at) };
}

/** The functions that are grouped in a namespace, as coding agents do. */
function inNamespace(group: Members, losses: Losses, read: (tool: Members) => Omit<ToolDefinition, 'at'>): readonly ToolDefinition[] {
  const namespace = group.string('name') ?? '';
  group.ignore('description');
  const found: ToolDefinition[] = [];
  for (const [index, value] of (group.list('tools') ?? []).entries()) {
    const at = `${group.path}.tools[${index}]`;
    const tool = new Members(value, at, losses);
    const type = tool.string('type');
    if (type !== 'function') {
      losses.lose(at, `tools of the type ${type ?? '(none)'} exist at OpenAI only`);
      continue;
    }
    const definition = read(tool);
    found.push({ ...definition, name: nameIn(namespace, definition.name), at });
    tool.done();
  }
  group.done();
  return found;
}

/**
 * Which tools may or must be called. `nested`: chat completions put a choice's details under the name of its type, responses beside the
 * type.
 */
export function toolChoiceOf(value: Json | undefined, losses: Losses, nested: boolean): ToolChoice | null {
  if (value === undefined) return null;
  if (value === 'auto' || value === 'none') return { kind: value };
  if (value === 'required') return { kind: 'any' };
  if (!isObject(value)) throw new Malformed('tool_choice', 'is no choice that OpenAI knows');
  const choice = new Members(value, 'tool_choice', losses);
  const type = choice.string('type');
  const said = (members: Members, kind: string): Members | null => (nested ? members.object(kind) : members);
  if (type === 'function') {
    const name = said(choice, type)?.string('name') ?? null;
    if (name === null) throw new Malformed(nested ? 'tool_choice.function.name' : 'tool_choice.name', 'is missing');
    return { kind: 'tool', name };
  }
  const allowed = type === 'allowed_tools' ? said(choice, type) : null;
  if (allowed === null) {
    losses.lose('tool_choice', `a choice of the type ${type ?? '(none)'} exists at OpenAI only`);
    return null;
  }
  const names: string[] = [];
  for (const [index, entry] of (allowed.list('tools') ?? []).entries()) {
    const tool = new Members(entry, `${allowed.path}.tools[${index}]`, losses);
    const name = tool.string('type') === 'function' ? (said(tool, 'function')?.string('name') ?? null) : null;
    if (name === null) losses.lose(tool.path, 'is no function');
    else names.push(name);
  }
  return { kind: 'allowed', names, required: allowed.string('mode') === 'required' };
}
