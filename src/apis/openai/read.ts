import { readContent, readTools } from '../common/content.ts';
import { limits } from '../../lib/limits.ts';
import { DraftTurn, type Draft } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';
import type { JsonOutput } from '../types.ts';

/** The answer's format by the type of `response_format` and similar members. */
export function jsonOutputOf(type: string | null): JsonOutput {
  return type === 'json_schema' ? 'schema' : type === 'json_object' ? 'object' : 'none';
}

function readStreamOptions(cursor: JsonCursor, draft: Draft): void {
  draft.includeUsage = false;
  cursor.peek();
  const start = cursor.at;
  if (cursor.isObject()) cursor.object(readStreamOption, draft);
  else cursor.skip();
  draft.streamOptions = { start, end: cursor.at };
}

function readStreamOption(option: string, cursor: JsonCursor, draft: Draft): void {
  if (option === 'include_usage') draft.includeUsage = cursor.booleanOrNull() === true;
  else cursor.skip();
}

/** Members that mean the same in every OpenAI API. True when the key was one of them. */
export function common(cursor: JsonCursor, draft: Draft, key: string): boolean {
  switch (key) {
    case 'model':
      draft.readModel(cursor);
      return true;
    case 'stream':
      draft.stream = cursor.booleanOrNull() === true;
      return true;
    case 'stream_options':
      readStreamOptions(cursor, draft);
      return true;
    case 'temperature':
      draft.temperature = cursor.numberOrNull();
      if (draft.temperature !== null) draft.parameter(key, draft.temperature);
      return true;
    case 'n':
      draft.n = cursor.countOrNull(limits.answersAsked) ?? 1;
      if (draft.n > 1) draft.parameter(key, draft.n);
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
    case 'prompt_cache_key':
    case 'metadata':
      // SDKs write null for a parameter that is not set.
      if (!cursor.isNull()) draft.parameter(key, null);
      if (key === 'metadata') draft.readMetadata(cursor);
      else if (key === 'prompt_cache_key') draft.readSession(cursor);
      else draft.readUser(cursor);
      return true;
    case 'tools':
    case 'functions':
      readTools(cursor, draft);
      return true;
    default:
      return false;
  }
}

/** Reads the reasoning level, which is a parameter called `name`. */
export function readEffort(cursor: JsonCursor, draft: Draft, name: string): void {
  draft.reasoning = cursor.stringOrNull();
  if (draft.reasoning !== null) draft.parameter(name, draft.reasoning);
}

/** Reads one member of a legacy completions body (`prompt`) or of an embeddings body (`input`). */
export function openaiPrompt(cursor: JsonCursor, draft: Draft, key: string): void {
  if (common(cursor, draft, key)) return;
  if (key === 'prompt' || key === 'input') plainText(cursor, draft);
  else cursor.skip();
}

/** Reads a standalone text as a user turn. */
export function plainText(cursor: JsonCursor, draft: Draft): void {
  const turn = new DraftTurn('user');
  readContent(cursor, draft, turn, new Set());
  draft.turn(turn);
}
