import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

const calls: ReadonlySet<unknown> = new Set(['tool_use', 'server_tool_use', 'mcp_tool_use']);

/** A whole message. */
export function viewMessage(body: Json): AnswerView | null {
  if (!Array.isArray(body['content'])) return null;
  const blocks = list(body['content']).map(object);
  const stop = body['stop_reason'];
  return {
    text: blocks.map((block) => (block?.['type'] === 'text' ? text(block['text']) : '')).join(''),
    toolArguments: blocks.flatMap((block) => (calls.has(block?.['type']) ? [null] : [])),
    refused: stop === 'refusal',
    filtered: false,
    cutOff: stop === 'max_tokens' || stop === 'model_context_window_exceeded',
    // The shortened conversation, and files.
    other: blocks.some((block) => block?.['type'] === 'compaction' || block?.['type'] === 'container_upload'),
  };
}
