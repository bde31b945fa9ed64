import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

/** A whole response. */
export function viewResponse(body: Json): AnswerView | null {
  if (!Array.isArray(body['output'])) return null;
  const items = list(body['output']).map(object);
  const parts = items.flatMap((item) => (item?.['type'] === 'message' ? list(item['content']).map(object) : []));
  const why = object(body['incomplete_details'])?.['reason'];
  return {
    text: parts.map((part) => (part?.['type'] === 'output_text' ? text(part['text']) : '')).join(''),
    toolArguments: items.flatMap((item) => (item?.['type'] === 'function_call' ? [text(item['arguments'])] : [])),
    refused: parts.some((part) => part?.['type'] === 'refusal'),
    filtered: why === 'content_filter',
    cutOff: why === 'max_output_tokens',
  };
}
