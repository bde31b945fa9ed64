import { roleOf } from '../common/content.ts';
import { limits } from '../../lib/limits.ts';
import { DraftTurn, type Draft } from '../scan/draft.ts';
import type { JsonCursor } from '../scan/scan.ts';

/** Reads one member of a generateContent body. Google accepts camelCase and snake_case alike. */
export function geminiGenerate(cursor: JsonCursor, draft: Draft, key: string): void {
  switch (key) {
    case 'contents':
      if (cursor.isArray()) cursor.array(() => readTurn(cursor, draft, 'user'));
      else readTurn(cursor, draft, 'user');
      return;
    case 'systemInstruction':
    case 'system_instruction':
      readTurn(cursor, draft, 'system');
      return;
    case 'tools':
      if (cursor.isArray()) cursor.array(() => readTool(cursor, draft));
      else readTool(cursor, draft);
      return;
    case 'generationConfig':
    case 'generation_config':
      readConfig(cursor, draft);
      return;
    case 'toolConfig':
    case 'tool_config':
    case 'safetySettings':
    case 'safety_settings':
    case 'labels':
    case 'model':
      cursor.skip();
      return;
    default:
      draft.readParameter(cursor, camel(key));
  }
}

/** Google accepts both spellings; parameters are noted in camelCase. */
function camel(key: string): string {
  return key.includes('_') ? key.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()) : key;
}

function readTurn(cursor: JsonCursor, draft: Draft, role: DraftTurn['role']): void {
  const turn = new DraftTurn(role);
  if (cursor.isString()) {
    draft.text(cursor, turn);
  } else if (cursor.isObject()) {
    let onlyResults = false;
    cursor.object((key) => {
      if (key === 'role' && role !== 'system') turn.role = roleOf(cursor.stringOrNull());
      else if (key === 'parts') {
        if (cursor.isArray()) cursor.array(() => (onlyResults = readPart(cursor, draft, turn) || onlyResults));
        else onlyResults = readPart(cursor, draft, turn);
      } else cursor.skip();
    });
    if (turn.role === 'user' && onlyResults && turn.spans.length === 0) turn.role = 'tool';
  } else {
    cursor.skip();
  }
  draft.turn(turn);
}

/** Returns true if the part is a function's result. */
function readPart(cursor: JsonCursor, draft: Draft, turn: DraftTurn): boolean {
  if (!cursor.isObject()) {
    cursor.skip();
    return false;
  }
  let result = false;
  cursor.object((key) => {
    switch (key) {
      case 'text':
        if (cursor.isString()) draft.text(cursor, turn);
        else cursor.skip();
        return;
      case 'inlineData':
      case 'inline_data':
      case 'fileData':
      case 'file_data':
        readMedia(cursor, draft);
        return;
      case 'mediaResolution':
      case 'media_resolution':
        draft.parameter('parts.mediaResolution', true);
        cursor.skip();
        return;
      case 'functionResponse':
      case 'function_response':
        result = true;
        readAnswered(cursor, draft);
        return;
      default:
        cursor.skip();
    }
  });
  return result;
}

/** A tool's result; the media beside it are not counted as text. */
function readAnswered(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  cursor.object((key) => {
    if (key === 'response') draft.readAside(cursor);
    else if (key === 'parts' && cursor.isArray()) cursor.array(() => void readPart(cursor, draft, new DraftTurn('tool')));
    else cursor.skip();
  });
}

function readMedia(cursor: JsonCursor, draft: Draft): void {
  let type = '';
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  cursor.object((key) => {
    if (key === 'mimeType' || key === 'mime_type') type = cursor.stringOrNull() ?? '';
    else cursor.skip();
  });
  if (type.startsWith('image/')) draft.images++;
  else if (type.startsWith('audio/')) draft.audioInputs++;
  else draft.files++;
}

/** One element of `tools` holds many declarations; a built-in tool (search, code) counts as one. */
function readTool(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  cursor.object((key) => {
    if ((key === 'functionDeclarations' || key === 'function_declarations') && cursor.isArray()) {
      if (draft.parameters.every(({ name }) => name !== 'tools.functionDeclarations')) draft.parameter('tools.functionDeclarations', true);
      cursor.array(() =>
        draft.tool(cursor, () => {
          let name: string | null = null;
          if (!cursor.isObject()) {
            cursor.skip();
            return null;
          }
          cursor.object((member) => {
            if (member === 'name') name = cursor.stringOrNull();
            else cursor.skip();
          });
          return name;
        }),
      );
    } else {
      draft.parameter(`tools.${camel(key)}`, true);
      draft.tool(cursor, () => {
        cursor.skip();
        return key;
      });
    }
  });
}

/** A budget below 0 leaves the thinking to the model, as does none; whether thoughts are shown asks for no more. */
function readThinking(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  const before = draft.parameters.length;
  cursor.object((option) => draft.readParameter(cursor, `thinkingConfig.${camel(option)}`));
  const asked = draft.parameters.slice(before).some(({ name, value }) => {
    if (name === 'thinkingConfig.includeThoughts') return false;
    return name !== 'thinkingConfig.thinkingBudget' || typeof value !== 'number' || value >= 0;
  });
  if (asked) draft.reasoning = 'thinking';
}

function readModality(draft: Draft, modality: string | undefined): void {
  if (modality === 'AUDIO') draft.audioOutput = true;
  else if (modality !== undefined && modality !== 'TEXT') draft.parameter('responseModalities', modality);
}

function readConfig(cursor: JsonCursor, draft: Draft): void {
  if (!cursor.isObject()) {
    cursor.skip();
    return;
  }
  let mime: string | null = null;
  let schema = false;
  cursor.object((key) => {
    switch (key) {
      case 'maxOutputTokens':
      case 'max_output_tokens':
        draft.maxOutputTokens = cursor.countOrNull(limits.outputTokens);
        return;
      case 'temperature':
        draft.temperature = cursor.numberOrNull();
        return;
      case 'candidateCount':
      case 'candidate_count':
        draft.n = cursor.countOrNull(limits.answersAsked) ?? 1;
        return;
      case 'responseMimeType':
      case 'response_mime_type':
        mime = cursor.stringOrNull();
        return;
      case 'responseSchema':
      case 'response_schema':
      case 'responseJsonSchema':
      case 'response_json_schema':
        schema = cursor.isObject();
        cursor.skip();
        return;
      case 'responseModalities':
      case 'response_modalities':
        if (cursor.isArray()) cursor.array(() => readModality(draft, cursor.stringOrNull()?.toUpperCase()));
        else cursor.skip();
        return;
      case 'thinkingConfig':
      case 'thinking_config':
        readThinking(cursor, draft);
        return;
      default:
        draft.readParameter(cursor, camel(key));
    }
  });
  if (schema || mime === 'application/json') draft.parameter('responseMimeType', 'application/json');
  if (schema) draft.jsonOutput = 'schema';
  else if (mime === 'application/json') draft.jsonOutput = 'object';
}
