import { memberOf, noteInput, readMessages } from '../common/content.ts';
import { common, jsonOutputOf, plainText, readEffort } from '../openai/read.ts';
import { DraftTurn, type Draft } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';

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
    const turn = new DraftTurn('system');
    draft.text(cursor, turn);
    draft.firstTurn(turn);
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
