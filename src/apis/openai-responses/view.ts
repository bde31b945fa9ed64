import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

/** What the app is to do, besides its functions. */
const calls: ReadonlySet<unknown> = new Set([
  'custom_tool_call',
  'computer_call',
  'local_shell_call',
  'shell_call',
  'apply_patch_call',
  'mcp_approval_request',
]);

/** Pictures, and the shortened conversation. */
const others: ReadonlySet<unknown> = new Set(['image_generation_call', 'compaction']);

/** States of a response in the background, which answers later. */
const coming: ReadonlySet<unknown> = new Set(['queued', 'in_progress']);

/** A whole response. */
export function viewResponse(body: Json): AnswerView | null {
  if (!Array.isArray(body['output'])) return null;
  const items = list(body['output']).map(object);
  const parts = items.flatMap((item) => (item?.['type'] === 'message' ? list(item['content']).map(object) : []));
  const why = object(body['incomplete_details'])?.['reason'];
  return {
    text: parts.map((part) => (part?.['type'] === 'output_text' ? text(part['text']) : '')).join(''),
    toolArguments: items.flatMap((item) =>
      item?.['type'] === 'function_call' ? [text(item['arguments'])] : calls.has(item?.['type']) ? [null] : [],
    ),
    refused: parts.some((part) => part?.['type'] === 'refusal'),
    filtered: why === 'content_filter',
    cutOff: why === 'max_output_tokens',
    other: coming.has(body['status']) || items.some((item) => others.has(item?.['type'])),
  };
}
