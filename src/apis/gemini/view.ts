import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

const filters: ReadonlySet<unknown> = new Set(['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'IMAGE_SAFETY']);

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
  };
}
