import type { Conversation, Effort, Output, Reasoning, Setting } from './conversation.ts';
import { Malformed } from './losses.ts';
import type { Losses } from './losses.ts';
import type { Members } from './members.ts';

const efforts: ReadonlySet<string> = new Set<Effort>(['minimal', 'low', 'medium', 'high', 'xhigh', 'max']);

/** OpenAI's levels of reasoning; null when the caller leaves it to the model. */
export function effortOf(effort: string | null, at: string): Reasoning | null {
  if (effort === null) return null;
  if (effort === 'none') return { kind: 'off', at };
  if (!efforts.has(effort)) throw new Malformed(at, 'is no level of reasoning that OpenAI knows');
  return { kind: 'effort', effort: effort as Effort, at };
}

/** A number that steers the model; `neutral` is the value that says nothing. */
export function settingOf(members: Members, key: string, neutral: number | null = null): Setting | null {
  const value = members.number(key);
  return value === null || value === neutral ? null : { value, at: members.at(key) };
}

/** The end user's name, under its old or its new name. */
export function userOf(request: Members, losses: Losses): Conversation['user'] {
  const user = request.string('user');
  const safety = request.string('safety_identifier');
  if (user !== null && safety !== null && user !== safety) losses.lose('safety_identifier', 'there is room for one name of the user');
  if (user !== null) return { value: user, at: 'user' };
  return safety === null ? null : { value: safety, at: 'safety_identifier' };
}

/** What the answer has to look like. `format` holds the members of a JSON schema's description. */
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
      return { kind: 'schema', schema, name: format.string('name'), description: format.string('description'), strict: format.boolean('strict') ?? false, at };
    }
    default:
      losses.lose(at, `answers of the type ${type} exist at OpenAI only`);
      return { kind: 'text' };
  }
}
