import { limits } from '../../lib/limits.ts';
import { JsonCursor, ScanError } from '../scan/scan.ts';
import type { ApiName, ServiceTier } from '../types.ts';
import { serviceOf } from '../usage.ts';

type Fields = Readonly<Record<string, unknown>>;

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
  /** Tools that the provider ran and bills by the call. */
  readonly fees = new Set<string>();

  addService(name: unknown): void {
    if (typeof name !== 'string') return;
    this.service = serviceOf(name) ?? this.service;
    // Bought ahead, at a price of its own.
    if (name === 'scale') this.fees.add('service_tier scale');
  }

  /** Merges: Anthropic counts its input in the first event and its output in the last. */
  addUsage(usage: unknown): void {
    if (typeof usage !== 'object' || usage === null) return;
    const raw = JSON.stringify(usage);
    this.rawUsage = this.rawUsage === '' ? raw : `${this.rawUsage}\n${raw}`.slice(-limits.rawUsageBytes);
    const merged = this.usage ?? {};
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

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, limits.modelBytes) : null;
}

const usageWord = Buffer.from('"usage');
const finishWords: readonly Buffer[] = ['"groundingMetadata"', '"finish_reason":"', '"finish_reason": "', '"finishReason"', '"error"', '"type":"error', '"type": "error'].map((word) => Buffer.from(word));
const done = Buffer.from('[DONE]');

/** Items of a response that stand for a tool which OpenAI bills by the call. */
const paidCalls: ReadonlySet<string> = new Set(['web_search_call', 'file_search_call', 'code_interpreter_call', 'image_generation_call']);

/** Takes one event of a stream. Most events are text only and are let by without being parsed. */
export function readEvent(api: ApiName, data: Buffer, facts: AnswerFacts): void {
  if (data.equals(done)) {
    facts.terminal = true;
    return;
  }
  if (facts.token && facts.model !== null && !mayMatter(api, data)) return;
  let event: unknown;
  try {
    event = JSON.parse(data.toString('utf8'));
  } catch {
    return;
  }
  if (!isObject(event)) return;
  switch (api) {
    case 'openai-chat':
    case 'openai-completions':
      openaiChunk(event, facts);
      return;
    case 'openai-responses':
      responsesEvent(event, facts);
      return;
    case 'anthropic-messages':
      anthropicEvent(event, facts);
      return;
    case 'gemini-generate':
      geminiChunk(event, facts);
      return;
    case 'openai-embeddings':
    case 'anthropic-count-tokens':
    case 'bedrock':
    case 'other-llm':
      return;
  }
}

const responsesWords: readonly Buffer[] = ['response.completed', 'response.failed', 'response.incomplete', '"error"'].map((word) => Buffer.from(word));
const anthropicWords: readonly Buffer[] = ['message_delta', 'message_stop', '"error"'].map((word) => Buffer.from(word));

function mayMatter(api: ApiName, data: Buffer): boolean {
  const words = api === 'openai-responses' ? responsesWords : api === 'anthropic-messages' ? anthropicWords : finishWords;
  if (api !== 'openai-responses' && api !== 'anthropic-messages' && data.includes(usageWord)) return true;
  return words.some((word) => data.includes(word));
}

function openaiChunk(event: Fields, facts: AnswerFacts): void {
  facts.id ??= text(event['id']);
  facts.model = text(event['model']) ?? facts.model;
  facts.addUsage(event['usage']);
  facts.addService(event['service_tier']);
  facts.addError(event['error']);
  if (!Array.isArray(event['choices'])) return;
  for (const choice of event['choices'] as unknown[]) {
    if (!isObject(choice)) continue;
    const finish = text(choice['finish_reason']);
    if (finish !== null) {
      facts.finishReason = finish;
      // [DONE] follows; some compatible providers leave it out.
      facts.terminal = true;
    }
    const delta = isObject(choice['delta']) ? choice['delta'] : choice;
    if (text(delta['content']) !== null || text(delta['text']) !== null || text(delta['reasoning_content']) !== null || Array.isArray(delta['tool_calls'])) facts.token = true;
  }
}

function responsesEvent(event: Fields, facts: AnswerFacts): void {
  const type = text(event['type']) ?? '';
  if (type.endsWith('.delta')) facts.token = true;
  if (type === 'error') facts.addError({ type: event['code'] ?? 'error' });
  const response = event['response'];
  if (isObject(response)) {
    facts.id ??= text(response['id']);
    facts.model = text(response['model']) ?? facts.model;
    facts.addUsage(response['usage']);
    facts.addService(response['service_tier']);
    if (Array.isArray(response['output'])) for (const item of response['output'] as unknown[]) if (isObject(item)) addCall(item['type'], facts);
    if (type === 'response.failed') facts.addError(response['error'] ?? {});
    if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed') {
      facts.terminal = true;
      facts.finishReason = text(response['status']);
    }
  }
}

function addCall(type: unknown, facts: AnswerFacts): void {
  if (typeof type === 'string' && paidCalls.has(type)) facts.fees.add(type);
}

function anthropicEvent(event: Fields, facts: AnswerFacts): void {
  switch (event['type']) {
    case 'message_start':
      if (isObject(event['message'])) {
        facts.id ??= text(event['message']['id']);
        facts.model = text(event['message']['model']) ?? facts.model;
        facts.addUsage(event['message']['usage']);
      }
      return;
    case 'content_block_delta':
      facts.token = true;
      return;
    case 'message_delta':
      if (isObject(event['delta'])) facts.finishReason = text(event['delta']['stop_reason']) ?? facts.finishReason;
      facts.addUsage(event['usage']);
      return;
    case 'message_stop':
      facts.terminal = true;
      return;
    case 'error':
      facts.addError(event['error'] ?? {});
      return;
  }
}

function geminiChunk(event: Fields, facts: AnswerFacts): void {
  facts.id ??= text(event['responseId']);
  facts.model = text(event['modelVersion']) ?? facts.model;
  facts.addUsage(event['usageMetadata']);
  facts.addError(event['error']);
  if (!Array.isArray(event['candidates'])) return;
  for (const candidate of event['candidates'] as unknown[]) {
    if (!isObject(candidate)) continue;
    if (isObject(candidate['content'])) facts.token = true;
    if (isObject(candidate['groundingMetadata'])) facts.fees.add('grounding');
    const finish = text(candidate['finishReason']);
    if (finish !== null) {
      facts.finishReason = finish;
      facts.terminal = true;
    }
  }
}

/** Takes a whole JSON answer: scanned, never parsed as a whole, because answers with embeddings or audio are large. False when it is no JSON. */
export function readBody(body: Buffer, facts: AnswerFacts): boolean {
  const cursor = new JsonCursor(body);
  try {
    if (!cursor.isObject()) return false;
    cursor.object((key) => {
      switch (key) {
        case 'usage':
        case 'usageMetadata':
          facts.addUsage(JSON.parse(cursor.raw().toString('utf8')));
          return;
        case 'id':
        case 'responseId':
          facts.id = text(cursor.stringOrNull()) ?? facts.id;
          return;
        case 'model':
        case 'modelVersion':
          facts.model = text(cursor.stringOrNull()) ?? facts.model;
          return;
        case 'service_tier':
          facts.addService(cursor.stringOrNull());
          return;
        case 'output':
          outputOf(cursor, facts);
          return;
        case 'stop_reason':
        case 'status':
          facts.finishReason = text(cursor.stringOrNull()) ?? facts.finishReason;
          return;
        case 'error': {
          const raw = cursor.raw();
          if (raw.length <= limits.sseEventBytes) facts.addError(JSON.parse(raw.toString('utf8')));
          else facts.addError({});
          return;
        }
        case 'choices':
        case 'candidates':
          finishOf(cursor, facts);
          return;
        default:
          cursor.skip();
      }
    });
    cursor.finish();
    facts.terminal = true;
    return true;
  } catch (error) {
    if (error instanceof ScanError || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** The items of a response: what kinds they are. */
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
    cursor.object((key) => {
      if (key === 'type') addCall(cursor.stringOrNull(), facts);
      else cursor.skip();
    });
  });
}

function finishOf(cursor: JsonCursor, facts: AnswerFacts): void {
  if (!cursor.isArray()) {
    cursor.skip();
    return;
  }
  cursor.array(() => {
    if (!cursor.isObject()) {
      cursor.skip();
      return;
    }
    cursor.object((key) => {
      if (key === 'finish_reason' || key === 'finishReason') facts.finishReason = cursor.stringOrNull() ?? facts.finishReason;
      else if (key === 'groundingMetadata') {
        if (cursor.isObject()) facts.fees.add('grounding');
        cursor.skip();
      }
      else cursor.skip();
    });
  });
}
