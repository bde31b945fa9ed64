import { limits } from '../../lib/limits.ts';
import { readMessages, readThinking, readTools } from '../common/content.ts';
import type { Draft } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';

/** Reads one member of a chat body. */
export function cohereChat(cursor: JsonCursor, draft: Draft, key: string): void {
  switch (key) {
    case 'model':
      draft.readModel(cursor);
      return;
    case 'stream':
      draft.stream = cursor.booleanOrNull() === true;
      return;
    case 'messages':
      readMessages(cursor, draft);
      return;
    case 'tools':
      readTools(cursor, draft);
      return;
    case 'max_tokens':
      draft.maxOutputTokens = cursor.countOrNull(limits.outputTokens);
      return;
    case 'temperature':
      draft.temperature = cursor.numberOrNull();
      draft.parameter(key, draft.temperature);
      return;
    case 'thinking':
      readThinking(cursor, draft, 'token_budget');
      return;
    case 'response_format':
      readFormat(cursor, draft);
      return;
    case 'stop_sequences':
      cursor.skip();
      return;
    default:
      draft.readParameter(cursor, key);
  }
}

/** The schema is beside the type, which is `json_object` with and without one. */
function readFormat(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  let json = false;
  let schema = false;
  cursor.object((option) => {
    if (option === 'type') json = cursor.stringOrNull() === 'json_object';
    else {
      if (option === 'json_schema' || option === 'schema') schema = cursor.isObject();
      cursor.skip();
    }
  });
  draft.jsonOutput = json ? (schema ? 'schema' : 'object') : 'none';
}
