import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

/** Ends of an answer that a filter stopped, as the API and Vertex AI list them. */
export const filterFinishes: readonly string[] = [
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MODEL_ARMOR',
  'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT',
  'IMAGE_RECITATION',
];
const filters: ReadonlySet<unknown> = new Set(filterFinishes);

/** Parts that are pictures, sound, files, or code that Google ran. */
const others = ['inlineData', 'fileData', 'executableCode', 'codeExecutionResult'];

/** A whole answer, or a response without one. */
export function viewContent(body: Json): AnswerView | null {
  const blocked = text(object(body['promptFeedback'])?.['blockReason']) !== '';
  const candidate = object(list(body['candidates'])[0]);
  if (candidate === null && !blocked) return null;
  const parts = list(object(candidate?.['content'])?.['parts']).map(object);
  const finish = candidate?.['finishReason'];
  return {
    text: parts.map((part) => (part?.['thought'] === true ? '' : text(part?.['text']))).join(''),
    toolArguments: parts.flatMap((part) => (part?.['functionCall'] === undefined ? [] : [null])),
    refused: false,
    filtered: blocked || filters.has(finish),
    cutOff: finish === 'MAX_TOKENS',
    other: parts.some((part) => part?.['thought'] !== true && others.some((name) => part?.[name] !== undefined)),
  };
}
