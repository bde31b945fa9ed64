import { DraftTurn, type Draft, type Role } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';

/** Content part types by kind (OpenAI, Anthropic). */
const imageTypes = new Set(['image_url', 'input_image', 'image']);
const audioTypes = new Set(['input_audio']);
const fileTypes = new Set(['file', 'input_file', 'document']);

/** Counts a media part by the type that it names. */
function countMedia(draft: Draft, type: string): void {
  if (imageTypes.has(type)) draft.images++;
  else if (audioTypes.has(type)) draft.audioInputs++;
  else if (fileTypes.has(type)) draft.files++;
}

/**
 * Reads a `content`: a string, or an array of strings and of parts with `type` and `text`; a part's own `content` (an Anthropic tool
 * result) is read as text too. Returns the part types that it found.
 */
export function readContent(cursor: JsonCursor, draft: Draft, turn: DraftTurn, seen: Set<string>): void {
  if (cursor.isString()) {
    draft.text(cursor, turn);
  } else if (cursor.isArray()) {
    readParts(cursor, draft, turn, seen);
  } else {
    cursor.skip();
  }
}

function readParts(cursor: JsonCursor, draft: Draft, turn: DraftTurn, seen: Set<string>): void {
  cursor.array(() => readPart(cursor, draft, turn, seen));
}

function readPart(cursor: JsonCursor, draft: Draft, turn: DraftTurn, seen: Set<string>): void {
  if (cursor.isString()) {
    draft.text(cursor, turn);
    return;
  }
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  cursor.object((key) => {
    if (key === 'type') {
      const type = cursor.stringOrNull();
      if (type !== null) {
        seen.add(type);
        countMedia(draft, type);
      }
    } else if (key === 'text' && cursor.isString()) {
      draft.text(cursor, turn);
    } else if (key === 'content') {
      readContent(cursor, draft, turn, seen);
    } else if (key === 'source' && cursor.isObject()) {
      readSource(cursor, draft);
    } else {
      cursor.skip();
    }
  });
}

/** Anthropic's source of a document: plain text is counted as text, everything else at a flat rate. */
function readSource(cursor: JsonCursor, draft: Draft): void {
  let type: string | null = null;
  // The last duplicate counts, as in parsers.
  let from = 0;
  let to = 0;
  cursor.object((key) => {
    if (key === 'type') type = cursor.stringOrNull();
    else {
      cursor.peek();
      const start = cursor.at;
      cursor.skip();
      if (key !== 'data' && key !== 'content') return;
      from = start;
      to = cursor.at;
    }
  });
  if (type === 'text' || type === 'content') draft.aside(from, to);
}

/** A role as the providers spell it. */
export function roleOf(name: string | null): Role {
  switch (name) {
    case 'system':
    case 'developer':
      return 'system';
    case 'assistant':
    case 'model':
      return 'assistant';
    case 'tool':
    case 'function':
      return 'tool';
    default:
      return 'user';
  }
}

/** Notes a Responses API item that not every model accepts (a model's earlier reasoning), or that is stored at the provider. */
export function noteInput(draft: Draft, type: string): void {
  if (type === 'reasoning' || type === 'item_reference') draft.parameter(`input.${type}`, true);
}

/** Part types of the message being read: reading is synchronous, so all requests share the set. */
const seenTypes = new Set<string>();

/** What the members of a list of messages are read into. */
interface MessageReading {
  readonly draft: Draft;
  readonly noted: ((draft: Draft, type: string) => void) | undefined;
  turn: DraftTurn;
}

/**
 * Reads an array of `{role, content}` messages. A user message with only tool results is a tool's turn. `noted` is called with the type of
 * each item that has one.
 */
export function readMessages(cursor: JsonCursor, draft: Draft, noted?: (draft: Draft, type: string) => void): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(readMessage, { draft, noted, turn: new DraftTurn('user') });
}

function readMessage(_index: number, cursor: JsonCursor, reading: MessageReading): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  const turn = new DraftTurn('user');
  reading.turn = turn;
  // An empty set that is cleared takes new memory.
  if (seenTypes.size > 0) seenTypes.clear();
  cursor.object(readMessageMember, reading);
  if (turn.role === 'user' && seenTypes.has('tool_result') && !seenTypes.has('text')) turn.role = 'tool';
  reading.draft.turn(turn);
}

function readMessageMember(key: string, cursor: JsonCursor, { draft, noted, turn }: MessageReading): void {
  if (key === 'role') {
    const role = cursor.nameOrNull();
    if (role === 'developer') noteOnce(draft, 'messages.developer');
    turn.role = roleOf(role);
  } else if (key === 'content') readContent(cursor, draft, turn, seenTypes);
  else if (key === 'type') {
    // Responses API items that are not messages.
    const type = cursor.stringOrNull();
    if (type === 'function_call_output') turn.role = 'tool';
    else if (type === 'function_call' || type === 'reasoning') turn.role = 'assistant';
    if (type !== null) noted?.(draft, type);
  } else if (key === 'output') readOutput(cursor, draft, turn);
  else {
    // Of who speaks; some providers of OpenAI's API refuse it.
    if (key === 'name' && cursor.isString()) noteOnce(draft, 'messages.name');
    cursor.skip();
  }
}

/** The output of a Responses API item: words, or parts of a message; a screenshot is an object. */
function readOutput(cursor: JsonCursor, draft: Draft, turn: DraftTurn): void {
  if (cursor.isObject()) {
    if (memberOf(cursor, 'type') === 'computer_screenshot') draft.images++;
  } else readContent(cursor, draft, turn, seenTypes);
}

function noteOnce(draft: Draft, name: string): void {
  if (!draft.parameters.some((parameter) => parameter.name === name)) draft.parameter(name, true);
}

/** Counts the elements of a `tools` array; the name is in the definition or in its `function`. */
export function readTools(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(() => draft.tool(cursor, () => readTool(cursor, draft)));
}

/** A tool whose type is not the type of the app's own functions is run by the provider, or built into the model. */
function readTool(cursor: JsonCursor, draft: Draft): string | null {
  if (!cursor.isObject()) {
    cursor.skip();
    return null;
  }
  let name: string | null = null;
  let type: string | null = null;
  cursor.object((key) => {
    if (key === 'name') name = cursor.stringOrNull() ?? name;
    else if (key === 'type') type = cursor.stringOrNull();
    else if (key === 'function') name = memberOf(cursor, 'name') ?? name;
    // OpenAI's shell: in a container of the provider, or where the app runs it.
    else if (key === 'environment') noteEnvironment(memberOf(cursor, 'type'), draft);
    else cursor.skip();
  });
  // Anthropic's own functions may have the type `custom`; OpenAI's custom tools are different.
  if (type !== null && type !== 'function' && !(type === 'custom' && draft.ownTools === 'custom'))
    draft.parameter(`tools.${type as string}`, true);
  return name;
}

function noteEnvironment(type: string | null, draft: Draft): void {
  if (type !== null && type !== 'local') draft.parameter(`tool_environments.${type}`, true);
}

/** Reads `thinking`: its type, and its budget of tokens, which the member `budgetName` holds. */
export function readThinking(cursor: JsonCursor, draft: Draft, budgetName: string): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  let budget: number | null = null;
  cursor.object((key) => {
    if (key === 'type') draft.reasoning = cursor.stringOrNull();
    else if (key === budgetName) budget = cursor.numberOrNull();
    else cursor.skip();
  });
  if (draft.reasoning !== null) draft.parameter('thinking.type', draft.reasoning);
  if (budget !== null) draft.parameter(`thinking.${budgetName}`, budget);
}

/** The string member `wanted` of the next object; null if it is absent or not a string. Consumes the value. */
export function memberOf(cursor: JsonCursor, wanted: string): string | null {
  let found: string | null = null;
  if (!cursor.isObject()) {
    cursor.skip();
    return null;
  }
  cursor.object((key) => {
    if (key === wanted) found = cursor.stringOrNull();
    else cursor.skip();
  });
  return found;
}
