import { limits } from '../../lib/limits.ts';
import type { ApiName, ParsedRequest, JsonOutput, Operation, Parameter, ParameterValue, PassReason, Span } from '../types.ts';
import { textTokens } from './estimate.ts';
import type { JsonCursor } from './scan.ts';
import { weightsFor } from './tokenizers.ts';
import type { Mutable } from '../../lib/mutable.ts';

type PathModel = ParsedRequest['pathModel'];

export type Role = 'system' | 'user' | 'assistant' | 'tool';

/** One message's text parts as offsets into the body: [start, end, escaped] for each part. Decoded only when needed. */
export class DraftTurn {
  role: Role;
  spans: readonly number[] = none;

  constructor(role: Role) {
    this.role = role;
  }
}

const none: readonly never[] = [];

/** Adds to a list that may be the shared empty one: most lists get no or one entry, and a list that grows takes room for seventeen. */
function added<T>(list: readonly T[], item: T): readonly T[] {
  if (list.length === 0) return [item];
  (list as T[]).push(item);
  return list;
}

/** Flat token estimates for parts that are not text; see `docs/dialects.md` for their sources. */
const imageTokens = 800;
const audioTokens = 500;
const fileTokens = 1_500;
const messageTokens = 4;

/** Collects what a reader finds in a body; `exchange()` decodes the texts that are used and builds the view. */
export class Draft {
  model: string | null = null;
  modelUnreadable = false;
  modelSpans: readonly Span[] = none;
  otherModels: readonly string[] = none;
  stream = false;
  turns: readonly DraftTurn[] = none;
  textBytes = 0;
  tools = 0;
  #asideBytes = 0;
  /** Positions of tool definitions and other texts outside turns, in the layout of a turn's spans, up to the bound. */
  #asides: number[] | null = null;
  toolNames: readonly string[] = none;
  images = 0;
  audioInputs = 0;
  files = 0;
  audioOutput = false;
  jsonOutput: JsonOutput = 'none';
  maxOutputTokens: number | null = null;
  temperature: number | null = null;
  n = 1;
  reasoning: string | null = null;
  includeUsage: boolean | null = null;
  streamOptions: Span | null = null;
  session: string | null = null;
  user: string | null = null;
  parameters: readonly Parameter[] = none;
  /** The type that the API gives to the app's own functions. */
  ownTools: 'function' | 'custom' = 'function';
  limitKey: Span | null = null;
  #limits = 0;

  firstTurn(turn: DraftTurn): void {
    this.turns = [turn, ...this.turns];
  }

  turn(turn: DraftTurn): void {
    this.turns = added(this.turns, turn);
  }

  /** Notes a parameter that some models refuse; beyond the bound, only notes that there are more. */
  parameter(name: string, value: ParameterValue): void {
    const { length } = this.parameters;
    if (length >= limits.parameters) return;
    const kept = typeof value === 'string' && value.length > limits.parameterUnits ? null : value;
    this.parameters = added(this.parameters, length < limits.parameters - 1 ? { name, value: kept } : moreParameters);
  }

  /** Reads the next value as a parameter's value. */
  readParameter(cursor: JsonCursor, name: string): void {
    const value = scalar(cursor);
    if (value !== undefined) this.parameter(name, value);
  }

  /** Reads a limit on the answer whose name differs between models; `key` is the member whose value is next. */
  readLimit(cursor: JsonCursor, key: string): void {
    const name = Buffer.from(`"${key}"`);
    const start = cursor.bytes.lastIndexOf(name, cursor.at - 1);
    const end = start + name.length;
    // With an escaped name, or two limits, nothing is renamed: only the requested model may get the request.
    this.limitKey =
      this.#limits++ === 0 && start >= 0 && cursor.at - end <= mostGap && cursor.bytes.toString('latin1', end, cursor.at).trim() === ':'
        ? { start, end }
        : null;
    this.maxOutputTokens = cursor.countOrNull(limits.outputTokens) ?? this.maxOutputTokens;
    this.parameter(key, this.maxOutputTokens);
  }

  /** Reads the value of a top-level `model` member. */
  readModel(cursor: JsonCursor): void {
    cursor.peek();
    const start = cursor.at;
    // The last one counts, as in parsers; all are rewritten.
    if (!cursor.isString()) {
      cursor.skip();
      this.modelSpans = added(this.modelSpans, { start, end: cursor.at });
      this.modelUnreadable = true;
      return;
    }
    const token = cursor.stringToken();
    const span = { start: token.start - 1, end: token.end + 1 };
    this.modelSpans = added(this.modelSpans, span);
    this.modelUnreadable = token.end - token.start > limits.modelBytes || token.end === token.start;
    if (!this.modelUnreadable) this.model = cursor.lastText();
  }

  /** Notes the models in the next value, which is read again afterwards. */
  peekModels(cursor: JsonCursor): void {
    cursor.peek();
    const { at, gaps } = cursor;
    const raw = cursor.raw();
    cursor.at = at;
    cursor.gaps = gaps;
    if (raw.length > mostModelBytes) return;
    const found = [...this.otherModels];
    namesIn(JSON.parse(raw.toString('utf8')), found);
    this.otherModels = found;
  }

  /** Reads a string value as a text part of `turn`. */
  text(cursor: JsonCursor, turn: DraftTurn): void {
    const token = cursor.stringToken();
    const escaped = token.escaped ? 1 : 0;
    if (turn.spans.length === 0) turn.spans = [token.start, token.end, escaped];
    else (turn.spans as number[]).push(token.start, token.end, escaped);
    this.textBytes += token.end - token.start;
  }

  /** Skips a value that the model reads in full but that is not a turn's text: a tool's result, a plain-text document. */
  readAside(cursor: JsonCursor): void {
    cursor.peek();
    const start = cursor.at;
    cursor.skip();
    this.aside(start, cursor.at);
  }

  /** Notes skipped bytes that the model reads in full. */
  aside(start: number, end: number): void {
    this.#asideBytes += end - start;
    if (this.#asides === null) this.#asides = [start, end, 1];
    else if (this.#asides.length < 3 * limits.tokenAsides) this.#asides.push(start, end, 1);
  }

  /** Reads a string that names the conversation; a name that was already read is kept. */
  readSession(cursor: JsonCursor): void {
    const name = cursor.stringOrNull();
    if (name !== null && name !== '' && name.length <= limits.sessionNameBytes) this.session ??= name;
  }

  /** Reads a string that names the user. */
  readUser(cursor: JsonCursor): void {
    this.#names(cursor.stringOrNull());
  }

  #names(user: string | null): void {
    if (user !== null && user !== '' && user.length <= limits.sessionNameBytes) this.user ??= user;
  }

  /** Reads a `metadata` object and the conversation's names in it. */
  readMetadata(cursor: JsonCursor): void {
    if (!cursor.isObject()) {
      cursor.skip();
      return;
    }
    cursor.object((key) => {
      if (key === 'session_id' || key === 'conversation_id' || key === 'thread_id') this.readSession(cursor);
      else if (key === 'user_id') {
        // Claude Code writes its session into the user id.
        const id = cursor.stringOrNull();
        this.#names(id === null ? null : id.replace(/_+session.*$/, ''));
        if (id !== null && id.includes('session') && id.length <= limits.sessionNameBytes) this.session ??= id;
      } else cursor.skip();
    });
  }

  /** Reads one tool definition: its name, wherever the dialect puts it, and its size. */
  tool(cursor: JsonCursor, nameOf: (cursor: JsonCursor) => string | null): void {
    cursor.peek();
    const start = cursor.at;
    const name = nameOf(cursor);
    this.tools++;
    this.aside(start, cursor.at);
    if (name !== null && this.toolNames.length < limits.toolNames) this.toolNames = added(this.toolNames, name);
  }

  /** `pathModel` takes precedence over a model in the body. Returns the reason if there is no readable model. */
  request(api: ApiName, operation: Operation, body: Buffer, pathModel: PathModel, bodyOpen: number): ParsedRequest | PassReason {
    const model = pathModel?.model ?? this.model;
    if (pathModel === null && this.modelUnreadable) return 'model-unreadable';
    if (model === null) return 'no-model';
    const lastUser = this.turns.findLastIndex(isUsers);
    let system: TextJoin | null = null;
    let context: TextJoin | null = null;
    let user: TextJoin | null = null;
    let userTurns = 0;
    let messages = 0;
    // Newest first, so that the bound cuts the texts furthest from the question.
    for (let i = this.turns.length - 1; i >= 0; i--) {
      const turn = this.turns[i]!;
      if (turn.role === 'user') userTurns++;
      if (turn.role !== 'system') messages++;
      if (i === lastUser) (user ??= new TextJoin(body)).add(turn);
      else if (turn.role === 'system') (system ??= new TextJoin(body)).add(turn);
      else (context ??= new TextJoin(body)).add(turn);
    }
    const cut = user?.truncated === true;
    const request: Mutable<ParsedRequest> = {
      api,
      operation,
      model,
      modelSpans: pathModel === null ? this.modelSpans : none,
      pathModel,
      stream: this.stream,
      bodyBytes: body.length,
      system: system?.join() ?? '',
      lastUser: user?.join() ?? '',
      question: cut ? null : this.#question(),
      context: context?.join() ?? '',
      textTruncated: cut || system?.truncated === true || context?.truncated === true,
      textBytes: this.textBytes,
      promptTokens: this.#tokens(body, weightsFor(model)),
      messages,
      userTurns,
      lastIsToolResult: this.turns.at(-1)?.role === 'tool',
      tools: this.tools,
      toolNames: this.toolNames,
      images: this.images,
      audioInputs: this.audioInputs,
      files: this.files,
      audioOutput: this.audioOutput,
      jsonOutput: this.jsonOutput,
      maxOutputTokens: this.maxOutputTokens,
      temperature: this.temperature,
      n: this.n,
      reasoning: this.reasoning,
      includeUsage: this.includeUsage,
      session: this.session,
      user: this.user,
      opening: this.#opening(),
      parameters: this.parameters,
      limitKey: this.limitKey,
      bodyOpen,
    };
    if (this.otherModels.length > 0) request.otherModels = this.otherModels;
    if (this.includeUsage === false && this.streamOptions !== null) request.streamOptions = this.streamOptions;
    return request;
  }

  #question(): ParsedRequest['question'] {
    let last = this.turns.length - 1;
    while (last >= 0 && this.turns[last]!.role === 'system') last--;
    const turn = this.turns[last];
    if (turn?.role !== 'user' || turn.spans.length !== 3) return null;
    return { start: turn.spans[0]!, end: turn.spans[1]! };
  }

  #opening(): Span | null {
    for (let at = 0; at < this.turns.length; at++) {
      const { role, spans } = this.turns[at]!;
      if (role === 'user' && spans.length > 0) return { start: spans[0]!, end: spans[1]! };
    }
    return null;
  }

  /** Texts and definitions by the token estimator; messages and media at flat rates. */
  #tokens(body: Buffer, weights: readonly number[]): number {
    const asides = this.#asides === null ? 0 : textTokens(body, [{ spans: this.#asides }], this.#asideBytes, weights);
    const texts = textTokens(body, this.turns, this.textBytes, weights) + asides;
    return Math.ceil(
      texts + this.turns.length * messageTokens + this.images * imageTokens + this.audioInputs * audioTokens + this.files * fileTokens,
    );
  }
}

function isUsers({ role }: DraftTurn): boolean {
  return role === 'user';
}

/** Longest list of other models that is looked at. */
const mostModelBytes = 16_384;

/** Names of models: a text, a list of texts, or objects with a member `model`. */
function namesIn(value: unknown, into: string[]): void {
  if (into.length >= limits.parameters) return;
  if (typeof value === 'string') into.push(value.slice(0, limits.modelBytes));
  else if (Array.isArray(value)) for (const inner of value) namesIn(inner, into);
  else if (typeof value === 'object' && value !== null && 'model' in value) namesIn(value.model, into);
}

/** Whether a top-level member names models besides `model`. */
export function namesModels(key: string): boolean {
  return key === 'models' || key === 'fallbacks' || (key.length === 5 && key !== 'model' && key.toLowerCase() === 'model');
}

/** Maximum bytes between a member's name and its value, for the colon and white space: more than real clients write. */
const mostGap = 64;

/** Represents the parameters beyond the bound: no other model is known to accept it. */
const moreParameters: Parameter = { name: '…', value: null };

/** A scalar value; null if it is an object or a list; undefined if it is `null`, which counts as absent. */
function scalar(cursor: JsonCursor): ParameterValue | undefined {
  switch (cursor.peek()) {
    case 0x22:
      return cursor.string();
    case 0x5b:
    case 0x7b:
      cursor.skip();
      return null;
    case 0x74:
    case 0x66:
      return cursor.booleanOrNull();
    case 0x6e:
      cursor.skip();
      return undefined;
    default:
      return cursor.numberOrNull();
  }
}

/** Decodes turns, newest first, up to the bound; a part that does not fit keeps its beginning and its end. */
class TextJoin {
  readonly #body: Buffer;
  #parts: readonly string[] = none;
  #left: number = limits.textUnits;
  truncated = false;

  constructor(body: Buffer) {
    this.#body = body;
  }

  add(turn: DraftTurn): void {
    const { spans } = turn;
    for (let i = spans.length - 3; i >= 0; i -= 3) {
      if (this.#left <= 0) {
        this.truncated = true;
        return;
      }
      const text = this.#decode(spans[i]!, spans[i + 1]!, spans[i + 2] === 1);
      this.#left -= text.length;
      this.#parts = added(this.#parts, text);
    }
  }

  join(): string {
    return this.#parts.length === 1 ? this.#parts[0]! : this.#parts.toReversed().join('\n');
  }

  #decode(start: number, end: number, escaped: boolean): string {
    const room = this.#left;
    if (end - start <= room) return decodeText(this.#body, start, end, escaped);
    // Long prompts have questions at the end and instructions at the beginning: keep both.
    const head = decodeText(this.#body, start, start + Math.floor(room * 0.75), escaped);
    const tail = decodeText(this.#body, end - Math.floor(room * 0.25), end, escaped);
    this.truncated = true;
    return `${head}\n${tail}`.slice(0, room);
  }
}

/** Longest escape sequence (a surrogate pair), in bytes. */
const longestEscape = 12;

/** Decodes a whole string token, or a piece of one. If a piece's end cuts an escape, a few bytes there are dropped. */
function decodeText(body: Buffer, start: number, end: number, escaped: boolean): string {
  if (!escaped) return body.toString('utf8', start, end);
  for (let cut = 0; cut < longestEscape; cut++) {
    for (const [from, to] of [
      [start, end - cut],
      [start + cut, end],
    ] as const) {
      try {
        return JSON.parse(`"${body.toString('utf8', from, to)}"`) as string;
      } catch {
        // An end is inside an escape: try one byte further in.
      }
    }
  }
  return body.toString('utf8', start, end);
}
