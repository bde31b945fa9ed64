import type { ApiName } from '../types.ts';

/** What every API's whole answer comes down to when it is judged. */
export interface AnswerView {
  readonly text: string;
  /** Arguments of each tool call: JSON text, or null when they came as an object. */
  readonly toolArguments: readonly (string | null)[];
  readonly refused: boolean;
  readonly filtered: boolean;
  /** Ended at the token limit. */
  readonly cutOff: boolean;
}

type Json = { readonly [key: string]: unknown };

/** The view of one parsed answer; null when it is not shaped as the API's answers are. */
export function viewAnswer(api: ApiName, answer: unknown): AnswerView | null {
  const body = object(answer);
  if (body === null) return null;
  switch (api) {
    case 'openai-chat':
      return openaiChat(body);
    case 'openai-completions':
      return openaiCompletion(body);
    case 'openai-responses':
      return openaiResponse(body);
    case 'anthropic-messages':
      return anthropic(body);
    case 'gemini-generate':
      return gemini(body);
    case 'openai-embeddings':
    case 'anthropic-count-tokens':
    case 'bedrock':
    case 'other-llm':
      return null;
  }
}

function openaiChat(body: Json): AnswerView | null {
  const choice = object(list(body['choices'])[0]);
  const message = object(choice?.['message']);
  if (choice === null || message === null) return null;
  const finish = choice['finish_reason'];
  const calls = list(message['tool_calls']).map((call) => text(object(object(call)?.['function'])?.['arguments']));
  const legacy = object(message['function_call']);
  return {
    text: text(message['content']),
    toolArguments: legacy === null ? calls : [...calls, text(legacy['arguments'])],
    refused: text(message['refusal']) !== '',
    filtered: finish === 'content_filter',
    cutOff: finish === 'length',
  };
}

function openaiCompletion(body: Json): AnswerView | null {
  const choice = object(list(body['choices'])[0]);
  if (choice === null) return null;
  const finish = choice['finish_reason'];
  return { text: text(choice['text']), toolArguments: [], refused: false, filtered: finish === 'content_filter', cutOff: finish === 'length' };
}

function openaiResponse(body: Json): AnswerView | null {
  if (!Array.isArray(body['output'])) return null;
  const items = list(body['output']).map(object);
  const parts = items.flatMap((item) => (item?.['type'] === 'message' ? list(item['content']).map(object) : []));
  const why = object(body['incomplete_details'])?.['reason'];
  return {
    text: parts.map((part) => (part?.['type'] === 'output_text' ? text(part['text']) : '')).join(''),
    toolArguments: items.flatMap((item) => (item?.['type'] === 'function_call' ? [text(item['arguments'])] : [])),
    refused: parts.some((part) => part?.['type'] === 'refusal'),
    filtered: why === 'content_filter',
    cutOff: why === 'max_output_tokens',
  };
}

function anthropic(body: Json): AnswerView | null {
  if (!Array.isArray(body['content'])) return null;
  const blocks = list(body['content']).map(object);
  const stop = body['stop_reason'];
  return {
    text: blocks.map((block) => (block?.['type'] === 'text' ? text(block['text']) : '')).join(''),
    toolArguments: blocks.flatMap((block) => (block?.['type'] === 'tool_use' || block?.['type'] === 'server_tool_use' ? [null] : [])),
    refused: stop === 'refusal',
    filtered: false,
    cutOff: stop === 'max_tokens' || stop === 'model_context_window_exceeded',
  };
}

const geminiFilters: ReadonlySet<unknown> = new Set(['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'IMAGE_SAFETY']);

function gemini(body: Json): AnswerView | null {
  const blocked = text(object(body['promptFeedback'])?.['blockReason']) !== '';
  const candidate = object(list(body['candidates'])[0]);
  if (candidate === null && !blocked) return null;
  const parts = list(object(candidate?.['content'])?.['parts']).map(object);
  const finish = candidate?.['finishReason'];
  return {
    text: parts.map((part) => (part?.['thought'] === true ? '' : text(part?.['text']))).join(''),
    toolArguments: parts.flatMap((part) => (part?.['functionCall'] === undefined ? [] : [null])),
    refused: false,
    filtered: blocked || geminiFilters.has(finish),
    cutOff: finish === 'MAX_TOKENS',
  };
}

function object(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
