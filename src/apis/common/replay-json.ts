import { isObject, parseJson } from './json.ts';
import { dataEvent, doneEvent } from './event-text.ts';

export type Fields = Readonly<Record<string, unknown>>;
export type Mutable = Record<string, unknown>;

/** Thrown inside this folder only, for content that is not known well enough to be written in another form. */
export class CannotConvert extends Error {}

export function isFields(value: unknown): value is Fields {
  return isObject(value);
}

/** The object, or CannotConvert. */
export function fields(value: unknown): Fields {
  if (!isFields(value)) throw new CannotConvert('no object');
  return value;
}

/** The array, or CannotConvert. */
export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new CannotConvert('no array');
  return value as readonly unknown[];
}

/** The string, or CannotConvert. */
export function text(value: unknown): string {
  if (typeof value !== 'string') throw new CannotConvert('no text');
  return value;
}

/** The index of a part of a stream: a small whole number, or CannotConvert. */
export function indexOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 10_000) throw new CannotConvert('no index');
  return value;
}

/** The object without the named members. */
export function without(value: Fields, ...names: readonly string[]): Mutable {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

/** The events of a stream of OpenAI's completions: these choices, one each, and the usage if the client asked for it. */
export function completionEvents(base: Fields, choices: readonly unknown[], usage: { readonly is: unknown } | null): string[] {
  const events = choices.map((choice) => dataEvent({ ...base, choices: [choice], ...(usage === null ? {} : { usage: null }) }));
  if (usage !== null) events.push(dataEvent({ ...base, choices: [], usage: usage.is }));
  events.push(doneEvent);
  return events;
}

/** Reads such a stream: `onChoice` takes the parts of choices; the members around them are the result. `hidden`: not of the whole answer. */
export function readCompletionEvents(
  events: readonly Fields[],
  hidden: readonly string[],
  onChoice: (part: Fields) => void,
): { readonly base: Fields; readonly usage: unknown } {
  let base: Mutable = {};
  let usage: unknown;
  for (const event of events) {
    base = { ...base, ...without(event, 'choices', 'usage', 'obfuscation', ...hidden) };
    usage = isFields(event['usage']) ? event['usage'] : usage;
    for (const entry of list(event['choices'])) onChoice(fields(entry));
  }
  return { base, usage };
}

/** Parts of a stream by their index, in order; a gap is CannotConvert. */
export function inOrder<T>(parts: ReadonlyMap<number, T>): T[] {
  return Array.from({ length: parts.size }, (_, index) => {
    const part = parts.get(index);
    if (part === undefined) throw new CannotConvert('a part is missing');
    return part;
  });
}

/** Parses JSON without changing any number, or throws CannotConvert. */
export function parsed(text: string): unknown {
  const value = parseJson(text);
  if (value === undefined) throw new CannotConvert('no JSON');
  return value;
}
