import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

const nothing: AnswerView = { text: '', toolArguments: [], refused: false, filtered: false, cutOff: false };

/** A whole chat completion. */
export function viewChat(body: Json): AnswerView | null {
  const choice = object(list(body['choices'])[0]);
  const message = object(choice?.['message']);
  // Azure can filter a prompt and return no choice at all.
  if (Array.isArray(body['choices']) && body['choices'].length === 0) return nothing;
  if (choice === null || message === null) return null;
  const finish = choice['finish_reason'];
  const calls = list(message['tool_calls']).map((call) => text(object(object(call)?.['function'])?.['arguments']));
  const legacy = object(message['function_call']);
  return {
    text: text(message['content']),
    toolArguments: legacy === null ? calls : [...calls, text(legacy['arguments'])],
    refused: text(message['refusal']) !== '',
    filtered: finish === 'content_filter',
    cutOff: finish === 'length',
  };
}
