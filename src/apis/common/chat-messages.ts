import type { Part, ResultPart, Turn } from './conversation.ts';
import { fitId, openaiIds } from './ids.ts';
import type { Json, JsonObject } from './json.ts';
import { Malformed, type Losses } from './losses.ts';
import { urlOfSource } from './media.ts';
import type { Members } from './members.ts';

/** What the APIs have in common whose messages are like those of OpenAI's chat. */

interface Call {
  readonly id: string;
  readonly name: string;
  readonly args: string;
}

/** A call in an answer. Without arguments it has an empty object. */
export function callOf({ id, name, args }: Call): JsonObject {
  return { id, type: 'function', function: { name, arguments: args === '' ? '{}' : args } };
}

/** A call whose arguments follow. */
export function callStart({ id, name }: Omit<Call, 'args'>): JsonObject {
  return { id, type: 'function', function: { name, arguments: '' } };
}

/** A call that an assistant made earlier. */
export function earlierCall({ id, name, args }: Call): JsonObject {
  return { id: fitId(id, openaiIds), type: 'function', function: { name, arguments: args } };
}

/** A tool's result as a message. `api`: whose, for the losses. */
export function resultMessage(part: ResultPart, api: string, losses: Losses): JsonObject {
  const words: string[] = [];
  for (const inner of part.parts) {
    if (inner.kind === 'text' || inner.kind === 'refusal') words.push(inner.text);
    else if (inner.kind === 'document' && inner.source.kind === 'text') words.push(inner.source.text);
    else losses.lose('at' in inner ? inner.at : part.at, `${api} takes nothing but words as a tool's result`);
  }
  if (part.isError) losses.lose(`${part.at}.is_error`, `${api} has no mark for a tool's failure; dropped, its text is sent as a result`);
  const content: Json = words.length === 1 ? words[0]! : words.map((text) => ({ type: 'text', text }));
  return { role: 'tool', tool_call_id: fitId(part.id, openaiIds), content };
}

export function imagePart({ source, detail }: Extract<Part, { readonly kind: 'image' }>): JsonObject {
  return { type: 'image_url', image_url: { url: urlOfSource(source), ...(detail === null ? {} : { detail }) } };
}

/** The results in tool messages, which become the start of the next user turn. */
export class HeldResults {
  #held: ResultPart[] = [];

  /** Holds the result of a tool message. */
  add(message: Members, parts: readonly Part[]): void {
    const id = message.string('tool_call_id');
    if (id === null) throw new Malformed(`${message.path}.tool_call_id`, 'is missing');
    this.#held.push({ kind: 'result', id, parts, isError: false, at: message.path });
  }

  take(): readonly ResultPart[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Makes a turn of the results that no user turn follows. */
  flush(turns: Turn[]): void {
    const parts = this.take();
    if (parts.length > 0) turns.push({ role: 'user', parts, at: parts[0]!.at });
  }
}
