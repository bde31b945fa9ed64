import { memberOf, readContent, readMessages, readThinking, readTools } from '../common/content.ts';
import { limits } from '../../lib/limits.ts';
import { DraftTurn, type Draft } from '../scan/draft.ts';
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
      readPlaces(draft);
      return;
    case 'system': {
      const turn = new DraftTurn('system');
      readContent(cursor, draft, turn, new Set());
      draft.firstTurn(turn);
      return;
    }
    case 'tools':
      draft.ownTools = 'custom';
      readTools(cursor, draft);
      return;
    case 'max_tokens':
      draft.maxOutputTokens = cursor.countOrNull(limits.outputTokens);
      return;
    case 'temperature':
      draft.temperature = cursor.numberOrNull();
      if (draft.temperature !== null) draft.parameter(key, draft.temperature);
      return;
    case 'metadata':
      draft.readMetadata(cursor);
      return;
    case 'thinking':
      readThinking(cursor, draft, 'budget_tokens');
      return;
    case 'tool_choice':
      draft.parameter('tool_choice', memberOf(cursor, 'type'));
      return;
    case 'output_format':
      if (memberOf(cursor, 'type') === 'json_schema') draft.jsonOutput = 'schema';
      return;
    case 'output_config':
      readOutputConfig(cursor, draft);
      return;
    case 'context_management':
      readEdits(cursor, draft);
      return;
    default:
      draft.readParameter(cursor, key);
  }
}

function readOutputConfig(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  cursor.object((option) => {
    if (option !== 'format') draft.readParameter(cursor, `output_config.${option}`);
    else if (memberOf(cursor, 'type') === 'json_schema') draft.jsonOutput = 'schema';
  });
}

/** Notes parameters that follow from the order of messages: a prefilled answer, and system messages between turns. */
function readPlaces(draft: Draft): void {
  if (draft.turns.at(-1)?.role === 'assistant') draft.parameter('messages.prefill', true);
  // The system prompt itself, if already read, is the first turn.
  if (draft.turns.some(({ role }, at) => role === 'system' && at > 0)) draft.parameter('messages.system', true);
}

function readEdits(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  cursor.object((key) => {
    if (key === 'edits' && cursor.isArray())
      cursor.array(() => draft.parameter(`context_management.${memberOf(cursor, 'type') ?? ''}`, true));
    else cursor.skip();
  });
}
