import {
  CannotConvert,
  completionEvents,
  fields,
  indexOf,
  inOrder,
  isFields,
  list,
  readCompletionEvents,
  text,
  without,
  type Fields,
  type Mutable,
} from '../common/replay-json.ts';

/** Converts a chat completion to the stream that would have carried it: for each choice its role, its content, its end. */
export function chatToStream(answer: Fields, includeUsage: boolean): string[] {
  const base = { ...without(answer, 'choices', 'usage', 'object'), object: 'chat.completion.chunk' };
  const parts: Fields[] = [];
  for (const entry of list(answer['choices'])) {
    const choice = fields(entry);
    const index = indexOf(choice['index']);
    const message = fields(choice['message']);
    // Streamed audio has a format of its own.
    if (isFields(message['audio'])) throw new CannotConvert('audio');
    const { tool_calls: calls } = message;
    parts.push({ index, delta: without(message, 'tool_calls', 'audio'), logprobs: choice['logprobs'] ?? null, finish_reason: null });
    for (const [at, call] of (Array.isArray(calls) ? list(calls) : []).entries()) {
      parts.push({ index, delta: { tool_calls: [{ index: at, ...fields(call) }] }, logprobs: null, finish_reason: null });
    }
    parts.push({ ...without(choice, 'message', 'logprobs'), index, delta: {}, logprobs: null });
  }
  return completionEvents(base, parts, includeUsage ? { is: answer['usage'] } : null);
}

interface Choice {
  readonly message: Mutable;
  readonly calls: Map<number, Mutable>;
  readonly rest: Mutable;
  logprobs: Mutable | null;
}

/** Converts a chat stream to the whole completion. */
export function chatFromStream(events: readonly Fields[]): Fields {
  const choices = new Map<number, Choice>();
  const { base, usage } = readCompletionEvents(events, ['object'], (part) => addChoice(choices, part));
  return {
    ...base,
    object: 'chat.completion',
    choices: inOrder(choices).map(({ message, calls, rest, logprobs }, index) => ({
      index,
      message: { role: 'assistant', content: null, refusal: null, ...message, ...(calls.size === 0 ? {} : { tool_calls: inOrder(calls) }) },
      logprobs,
      ...rest,
    })),
    usage,
  };
}

function addChoice(choices: Map<number, Choice>, part: Fields): void {
  const index = indexOf(part['index']);
  let choice = choices.get(index);
  if (choice === undefined) choices.set(index, (choice = { message: {}, calls: new Map(), rest: {}, logprobs: null }));
  for (const [name, value] of Object.entries(part)) {
    if (name === 'index' || name === 'delta' || value === null) continue;
    if (name === 'logprobs') choice.logprobs = joinedLogprobs(choice.logprobs, fields(value));
    else choice.rest[name] = value;
  }
  for (const [name, value] of Object.entries(fields(part['delta'] ?? {}))) {
    if (value === null) continue;
    if (name === 'tool_calls') for (const call of list(value)) addCall(choice.calls, fields(call));
    else if (name === 'function_call') choice.message[name] = joinedText(choice.message[name], fields(value));
    else if (name === 'role') choice.message[name] = value;
    else choice.message[name] = joined(choice.message[name], value);
  }
}

function addCall(calls: Map<number, Mutable>, part: Fields): void {
  const index = indexOf(part['index']);
  const call = calls.get(index) ?? {};
  for (const [name, value] of Object.entries(part)) {
    if (name === 'index' || value === null) continue;
    call[name] = name === 'function' || name === 'custom' ? joinedText(call[name], fields(value)) : value;
  }
  calls.set(index, call);
}

/** Names come once, arguments in pieces: both are joined as strings. */
function joinedText(before: unknown, part: Fields): Mutable {
  const result: Mutable = isFields(before) ? { ...before } : {};
  for (const [name, value] of Object.entries(part))
    if (value !== null) result[name] = (isFields(before) && typeof before[name] === 'string' ? before[name] : '') + text(value);
  return result;
}

/** Texts and lists grow; any other value must come only once. */
function joined(before: unknown, value: unknown): unknown {
  if (before === undefined) return value;
  if (typeof before === 'string' && typeof value === 'string') return before + value;
  if (Array.isArray(before) && Array.isArray(value)) return [...(before as unknown[]), ...(value as unknown[])];
  throw new CannotConvert('an unknown part');
}

function joinedLogprobs(before: Mutable | null, part: Fields): Mutable {
  const result: Mutable = { ...before };
  for (const [name, value] of Object.entries(part))
    if (value !== null) result[name] = joined(result[name], value);
    else result[name] ??= null;
  return result;
}
