import { memberOf, noteInput, readContent, readMessages, readTools } from '../common/content.ts';
import { limits } from '../../lib/limits.ts';
import type { Draft, Turn } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';
import type { JsonOutput } from '../types.ts';

function jsonOutputOf(type: string | null): JsonOutput {
  return type === 'json_schema' ? 'schema' : type === 'json_object' ? 'object' : 'none';
}

/** Members that mean the same in every OpenAI API. True when the key was one of them. */
function common(cursor: JsonCursor, draft: Draft, key: string): boolean {
  switch (key) {
    case 'model':
      draft.readModel(cursor);
      return true;
    case 'stream':
      draft.stream = cursor.booleanOrNull() === true;
      return true;
    case 'stream_options':
      draft.includeUsage = false;
      cursor.peek();
      draft.streamOptions = { start: cursor.at, end: cursor.at };
      if (cursor.isObject()) {
        cursor.object((option) => {
          if (option === 'include_usage') draft.includeUsage = cursor.booleanOrNull() === true;
          else cursor.skip();
        });
      } else {
        cursor.skip();
      }
      draft.streamOptions = { start: draft.streamOptions.start, end: cursor.at };
      return true;
    case 'temperature':
      draft.temperature = cursor.numberOrNull();
      draft.parameter(key, draft.temperature);
      return true;
    case 'n':
      draft.n = cursor.countOrNull(limits.answersAsked) ?? 1;
      return true;
    case 'max_tokens':
    case 'max_completion_tokens':
      draft.readLimit(cursor, key);
      return true;
    case 'max_output_tokens':
      draft.maxOutputTokens = cursor.countOrNull(limits.outputTokens) ?? draft.maxOutputTokens;
      return true;
    case 'user':
    case 'safety_identifier':
      draft.readUser(cursor);
      draft.parameter(key, null);
      return true;
    case 'prompt_cache_key':
      draft.readSession(cursor);
      draft.parameter(key, null);
      return true;
    case 'metadata':
      draft.readMetadata(cursor);
      draft.parameter(key, null);
      return true;
    case 'tools':
    case 'functions':
      readTools(cursor, draft);
      return true;
    default:
      return false;
  }
}

/** Reads one member of a chat completions body. */
export function openaiChat(cursor: JsonCursor, draft: Draft, key: string): void {
  if (common(cursor, draft, key)) return;
  if (key === 'messages') readMessages(cursor, draft);
  else if (key === 'response_format') draft.jsonOutput = jsonOutputOf(memberOf(cursor, 'type'));
  else if (key === 'reasoning_effort') readEffort(cursor, draft, key);
  else if (key === 'modalities' && cursor.isArray()) cursor.array(() => (draft.audioOutput ||= cursor.stringOrNull() === 'audio'));
  else if (key === 'tool_choice') cursor.skip();
  else draft.readParameter(cursor, key);
}

function readEffort(cursor: JsonCursor, draft: Draft, name: string): void {
  draft.reasoning = cursor.stringOrNull();
  if (draft.reasoning !== null) draft.parameter(name, draft.reasoning);
}

/** Reads `reasoning` of a Responses body; members beside the effort are parameters of their own. */
function readReasoning(cursor: JsonCursor, draft: Draft): void {
  cursor.object((option) => {
    if (option === 'effort') readEffort(cursor, draft, 'reasoning.effort');
    else draft.readParameter(cursor, `reasoning.${option}`);
  });
}

/** Reads one member of a Responses body. */
export function openaiResponses(cursor: JsonCursor, draft: Draft, key: string): void {
  if (common(cursor, draft, key)) return;
  if (key === 'input') {
    if (cursor.isString()) plainText(cursor, draft);
    else readMessages(cursor, draft, noteInput);
  } else if (key === 'instructions' && cursor.isString()) {
    const turn: Turn = { role: 'system', spans: [] };
    draft.text(cursor, turn);
    draft.turns.unshift(turn);
  } else if (key === 'text' && cursor.isObject()) {
    cursor.object((option) => {
      if (option === 'format') draft.jsonOutput = jsonOutputOf(memberOf(cursor, 'type'));
      else draft.readParameter(cursor, `text.${option}`);
    });
  } else if (key === 'conversation') {
    if (cursor.isObject()) draft.session ??= memberOf(cursor, 'id');
    else draft.readSession(cursor);
    draft.parameter(key, null);
  } else if (key === 'reasoning' && cursor.isObject()) readReasoning(cursor, draft);
  else if (key === 'include' && cursor.isArray()) cursor.array(() => draft.parameter(`include.${cursor.stringOrNull() ?? ''}`, true));
  else if (key === 'tool_choice') cursor.skip();
  else draft.readParameter(cursor, key);
}

/** Reads one member of a legacy completions body (`prompt`) or of an embeddings body (`input`). */
export function openaiPrompt(cursor: JsonCursor, draft: Draft, key: string): void {
  if (common(cursor, draft, key)) return;
  if (key === 'prompt' || key === 'input') plainText(cursor, draft);
  else cursor.skip();
}

function plainText(cursor: JsonCursor, draft: Draft): void {
  const turn: Turn = { role: 'user', spans: [] };
  readContent(cursor, draft, turn, new Set());
  draft.turns.push(turn);
}
