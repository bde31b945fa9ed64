import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

/** A whole message. */
export function viewMessage(body: Json): AnswerView | null {
  if (!Array.isArray(body['content'])) return null;
  const blocks = list(body['content']).map(object);
  const stop = body['stop_reason'];
  return {
    text: blocks.map((block) => (block?.['type'] === 'text' ? text(block['text']) : '')).join(''),
    toolArguments: blocks.flatMap((block) => (block?.['type'] === 'tool_use' || block?.['type'] === 'server_tool_use' ? [null] : [])),
    refused: stop === 'refusal',
    filtered: false,
    cutOff: stop === 'max_tokens' || stop === 'model_context_window_exceeded',
  };
}
