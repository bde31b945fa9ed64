import { memberOf, readContent, readMessages, readTools } from '../common/content.ts';
import type { Draft, Turn } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';

/** Reads one member of a messages or count_tokens body. */
export function anthropicMessages(cursor: JsonCursor, draft: Draft, key: string): void {
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
    case 'system': {
      const turn: Turn = { role: 'system', spans: [] };
      readContent(cursor, draft, turn, new Set());
      draft.turns.unshift(turn);
      return;
    }
    case 'tools':
      readTools(cursor, draft);
      return;
    case 'max_tokens':
      draft.maxOutputTokens = cursor.numberOrNull();
      return;
    case 'temperature':
      draft.temperature = cursor.numberOrNull();
      return;
    case 'metadata':
      draft.readMetadata(cursor);
      return;
    case 'thinking':
      draft.reasoning = memberOf(cursor, 'type');
      return;
    case 'output_format':
      if (memberOf(cursor, 'type') === 'json_schema') draft.jsonOutput = 'schema';
      return;
    case 'output_config':
      if (!cursor.isObject()) {
        cursor.skip();
        return;
      }
      cursor.object((option) => {
        if (option === 'format' && memberOf(cursor, 'type') === 'json_schema') draft.jsonOutput = 'schema';
        else if (option !== 'format') cursor.skip();
      });
      return;
    default:
      cursor.skip();
  }
}
