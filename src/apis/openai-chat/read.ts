import { memberOf, readMessages } from '../common/content.ts';
import { common, jsonOutputOf, readEffort } from '../openai/read.ts';
import type { Draft } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';

/** Reads one member of a chat completions body. */
export function openaiChat(cursor: JsonCursor, draft: Draft, key: string): void {
  if (common(cursor, draft, key)) {
    if (key === 'tools') noteFunctions(draft);
    return;
  }
  if (key === 'messages') readMessages(cursor, draft);
  else if (key === 'response_format') draft.jsonOutput = jsonOutputOf(memberOf(cursor, 'type'));
  else if (key === 'reasoning_effort') readEffort(cursor, draft, key);
  else if (key === 'modalities' && cursor.isArray()) cursor.array(readModality, draft);
  else if (key === 'tool_choice') cursor.skip();
  else draft.readParameter(cursor, key);
}

/** Functions of the app's own: the newest models take them in the Responses API alone, or without thinking. */
function noteFunctions(draft: Draft): void {
  if (draft.toolNames.length > 0) draft.parameter('tools.function', true);
}

function readModality(_index: number, cursor: JsonCursor, draft: Draft): void {
  draft.audioOutput ||= cursor.stringOrNull() === 'audio';
}
