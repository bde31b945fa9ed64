import { limits } from '../../lib/limits.ts';
import { JsonCursor, ScanError } from '../scan/scan.ts';
import type { ServiceTier } from '../types.ts';
import { serviceOf } from './usage.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** What an answer has said so far, from one body or from many events. */
export class AnswerFacts {
  usage: Record<string, unknown> | null = null;
  rawUsage = '';
  model: string | null = null;
  /** The provider's own id of the answer. */
  id: string | null = null;
  finishReason: string | null = null;
  errorType: string | null = null;
  terminal = false;
  token = false;
  service: ServiceTier | null = null;
  /** Bytes of all events of a stream. */
  eventBytes = 0;
  /**
   * Its first small events, concatenated, and the end offset of each; null if none came. A copy, so that a slow stream keeps no other
   * memory alive.
   */
  sample: Buffer | null = null;
  #sampleEnds: number[] | null = null;
  #beyond: Set<string> | null = null;
  /** What the provider bills per call or unit, and how often it was used. */
  calls: Record<string, number> | undefined;
  /** The provider keeps a container for this answer: it is billed by its time, whether code ran in it or not. */
  container = false;

  get sampleEnds(): readonly number[] {
    return this.#sampleEnds ?? nothing;
  }

  /** What is billed and not counted. */
  get beyond(): ReadonlySet<string> {
    return this.#beyond ?? nothingBeyond;
  }

  addBeyond(name: string): void {
    (this.#beyond ??= new Set<string>()).add(name);
  }

  addEvent(data: Buffer): void {
    this.eventBytes += data.length;
    const ends = (this.#sampleEnds ??= []);
    const from = ends.at(-1) ?? 0;
    if (ends.length >= limits.sampledEvents || from + data.length > limits.sampledEventBytes) return;
    this.sample ??= Buffer.allocUnsafeSlow(limits.sampledEventBytes);
    data.copy(this.sample, from);
    ends.push(from + data.length);
  }

  addService(name: unknown): void {
    // `scale` is purchased in advance, at a separate price.
    if (typeof name === 'string') this.service = serviceOf(name.slice(0, 64), { push: (tier) => this.addBeyond(tier) }) ?? this.service;
  }

  addCalls(name: string, times = 1): void {
    this.calls ??= {};
    this.calls[name] = (this.calls[name] ?? 0) + times;
  }

  /** Says again, in one event of a stream, what an earlier event may have said. */
  setCalls(name: string, times: number): void {
    this.calls ??= {};
    this.calls[name] = Math.max(this.calls[name] ?? 0, times);
  }

  /** Merges: Anthropic counts its input in the first event and its output in the last. `text`: as the answer has it. */
  addUsage(usage: unknown, text = ' '): void {
    if (typeof usage !== 'object' || usage === null) return;
    const raw = whiteSpace.test(text) ? JSON.stringify(usage) : text;
    this.rawUsage = this.rawUsage === '' ? raw : `${this.rawUsage}\n${raw}`.slice(-limits.rawUsageBytes);
    if (this.usage === null) {
      this.usage = usage as Fields;
      return;
    }
    const merged = this.usage;
    // null in a later event means "not said again", not "none".
    for (const [key, value] of Object.entries(usage)) if (value !== null || !(key in merged)) merged[key] = value;
    this.usage = merged;
  }

  addError(error: unknown): void {
    if (error === null || error === undefined) return;
    const { type, code, status } = typeof error === 'object' ? (error as Fields) : {};
    for (const name of [type, code, status]) {
      if (typeof name === 'string' && name !== '') {
        this.errorType = name.slice(0, 64);
        return;
      }
    }
    this.errorType = 'unnamed';
  }
}

const whiteSpace = /\s/;
const nothing: readonly never[] = [];
const nothingBeyond: ReadonlySet<string> = new Set();

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text to keep; null if it is empty or not a string. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, limits.modelBytes) : null;
}

/** How to read the events of an API's streams. */
export interface EventReading {
  /** Takes one parsed event. */
  readonly event: (event: Fields, facts: AnswerFacts) => void;
  /** Whether events name the model. */
  readonly saysModel: boolean;
  /** Once a token and the model (if events name it) are known, an event that contains none of these words is skipped without parsing. */
  readonly words: readonly Buffer[];
}

/** The words as they appear in events. */
export function wordsIn(...words: readonly string[]): readonly Buffer[] {
  return words.map((word) => Buffer.from(word));
}

const done = Buffer.from('[DONE]');

/**
 * Takes one event of a stream. Most events are text only and are skipped without parsing. `reading` null: the API has no streams.
 * `headers`: those of its message, added as members; null if it has none.
 */
export function readEvent(
  reading: EventReading | null,
  data: Buffer,
  facts: AnswerFacts,
  headers: ReadonlyMap<string, string> | null = null,
): void {
  if (data.equals(done)) {
    facts.terminal = true;
    return;
  }
  facts.addEvent(data);
  if (
    reading === null ||
    (facts.token && (facts.model !== null || !reading.saysModel) && !reading.words.some((word) => data.includes(word)))
  )
    return;
  let event: unknown;
  try {
    event = JSON.parse(data.toString('utf8'));
  } catch {
    return;
  }
  if (isObject(event)) reading.event(headers === null ? event : { ...event, ...Object.fromEntries(headers) }, facts);
}

/**
 * Notes what the tools of an answer cost by being there: OpenAI starts a container for its code interpreter, and for a shell that runs
 * there, before the model uses it.
 */
export function toolsOf(tools: unknown, facts: AnswerFacts): void {
  if (!Array.isArray(tools)) return;
  for (const tool of tools as unknown[]) {
    if (!isObject(tool)) continue;
    const where = isObject(tool['environment']) ? tool['environment']['type'] : undefined;
    if (tool['type'] === 'code_interpreter' || (tool['type'] === 'shell' && typeof where === 'string' && where !== 'local'))
      facts.container = true;
  }
}

/** Counts what Groq ran itself, which its usage leaves out: searches and visits have fees, code and browsers cost by their time. */
export function executedTools(ran: unknown, facts: AnswerFacts): void {
  if (!Array.isArray(ran)) return;
  for (const one of ran as unknown[])
    facts.addBeyond(`executed_tools ${(isObject(one) ? text(one['type']) : null) ?? ''}`.trim().slice(0, 64));
}

/** The tier and the mode in which Bedrock's Converse ran a request; the faster mode has prices of its own. */
export function bedrockPrice(said: Fields, facts: AnswerFacts): void {
  const { serviceTier, performanceConfig } = said;
  if (isObject(serviceTier)) facts.addService(serviceTier['type']);
  if (isObject(performanceConfig) && performanceConfig['latency'] === 'optimized') facts.addBeyond('latency optimized');
}

/** Response items of tools that OpenAI bills per call. */
const paidCalls: ReadonlySet<string> = new Set([
  'web_search_call',
  'file_search_call',
  'code_interpreter_call',
  'image_generation_call',
  'shell_call',
]);

/** Counts one item of a response. `action`: the kind of action of a search; `environment`: where a command ran. */
export function addCall(type: unknown, action: unknown, environment: unknown, facts: AnswerFacts): void {
  if (typeof type !== 'string' || !paidCalls.has(type)) return;
  // The app runs it.
  if (type === 'shell_call' && environment === 'local') return;
  // Only searches are documented as billed; opening a page, or looking for something in it, may be.
  if (type === 'web_search_call' && typeof action === 'string' && action !== 'search') facts.addBeyond(`${type} ${action.slice(0, 32)}`);
  else facts.addCalls(type);
}

/**
 * Takes a whole JSON answer: scanned, never parsed as a whole, because answers with embeddings or audio are large. False if it is not JSON.
 */
export function readBody(body: Buffer, facts: AnswerFacts): boolean {
  const cursor = new JsonCursor(body);
  try {
    if (!cursor.isObject()) return false;
    cursor.object(answerMember, facts);
    cursor.finish();
    facts.terminal = true;
    return true;
  } catch (error) {
    if (error instanceof ScanError || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Takes a member that says what an answer costs beside its usage; false if it is another. */
function priceMember(key: string, cursor: JsonCursor, facts: AnswerFacts): boolean {
  switch (key) {
    case 'meta':
      metaOf(cursor.parsed(), facts);
      return true;
    case 'tool_usage':
      toolUsage(cursor.parsed(), facts);
      return true;
    case 'tools':
      toolsOf(cursor.parsed(), facts);
      return true;
    case 'container':
      // Anthropic's.
      facts.container ||= cursor.isObject();
      cursor.skip();
      return true;
    case 'service_tier':
      facts.addService(cursor.nameOrNull());
      return true;
    case 'serviceTier':
    case 'performanceConfig':
      bedrockPrice({ [key]: cursor.parsed() }, facts);
      return true;
    default:
      return false;
  }
}

function answerMember(key: string, cursor: JsonCursor, facts: AnswerFacts): void {
  switch (key) {
    case 'usage':
    case 'usageMetadata': {
      const json = cursor.json();
      facts.addUsage(JSON.parse(json), json);
      return;
    }
    case 'inputTextTokenCount':
    case 'prompt_token_count':
    case 'generation_token_count':
    case 'prompt_eval_count':
    case 'eval_count': {
      const json = cursor.json();
      facts.addUsage({ [key]: JSON.parse(json) as unknown }, `"${key}":${json}`);
      return;
    }
    case 'id':
    case 'responseId':
      facts.id = text(cursor.stringOrNull()) ?? facts.id;
      return;
    case 'model':
    case 'modelVersion':
      facts.model = text(cursor.nameOrNull()) ?? facts.model;
      return;
    case 'output':
      outputOf(cursor, facts);
      return;
    case 'stop_reason':
    case 'finish_reason':
    case 'status':
      facts.finishReason = text(cursor.nameOrNull()) ?? facts.finishReason;
      return;
    case 'error': {
      const raw = cursor.raw();
      facts.addError(raw.length <= limits.sseEventBytes ? JSON.parse(raw.toString('utf8')) : {});
      return;
    }
    case 'choices':
    case 'candidates':
      finishOf(cursor, facts);
      return;
    default:
      if (!priceMember(key, cursor, facts)) cursor.skip();
  }
}

/** Cohere's answers that are no chat, and those of its chat's version 1, have what is billed in their `meta`. */
export function metaOf(meta: unknown, facts: AnswerFacts): void {
  if (isObject(meta) && isObject(meta['billed_units'])) facts.addUsage({ billed_units: meta['billed_units'] });
}

/** Reads the kinds of a response's items. */
function outputOf(cursor: JsonCursor, facts: AnswerFacts): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(() => {
    if (!cursor.isObject()) {
      cursor.skip();
      return;
    }
    const found: Record<string, string | null> = {};
    cursor.object((key) => {
      if (key === 'type') found[key] = cursor.stringOrNull();
      else if ((key === 'action' || key === 'environment') && cursor.isObject())
        cursor.object((inner) => {
          if (inner === 'type') found[key] = cursor.stringOrNull();
          else cursor.skip();
        });
      else cursor.skip();
    });
    addCall(found['type'], found['action'], found['environment'], facts);
  });
}

/** What a response counts of its tools: pictures have tokens of a model of their own. */
export function toolUsage(said: unknown, facts: AnswerFacts): void {
  if (!isObject(said)) return;
  for (const [tool, counts] of Object.entries(said))
    if (isObject(counts) && tool !== 'web_search' && Object.values(counts).some((one) => typeof one === 'number' && one > 0))
      facts.addBeyond(tool.slice(0, 64));
}

function finishOf(cursor: JsonCursor, facts: AnswerFacts): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(choiceOf, facts);
}

function choiceOf(_index: number, cursor: JsonCursor, facts: AnswerFacts): void {
  if (cursor.isObject()) cursor.object(choiceMember, facts);
  else cursor.skip();
}

function groundingMember(_key: string, cursor: JsonCursor, facts: AnswerFacts): void {
  facts.setCalls('grounding', 1);
  cursor.skip();
}

function messageMember(key: string, cursor: JsonCursor, facts: AnswerFacts): void {
  if (key === 'executed_tools') executedTools(cursor.parsed(), facts);
  else cursor.skip();
}

function choiceMember(key: string, cursor: JsonCursor, facts: AnswerFacts): void {
  if (key === 'finish_reason' || key === 'finishReason') facts.finishReason = cursor.nameOrNull() ?? facts.finishReason;
  // Without members, the answer is from the model alone.
  else if (key === 'groundingMetadata' && cursor.isObject()) cursor.object(groundingMember, facts);
  else if (key === 'message' && cursor.isObject()) cursor.object(messageMember, facts);
  else cursor.skip();
}
