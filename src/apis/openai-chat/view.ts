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
  const calls = list(message['tool_calls']).map(argumentsOf);
  const legacy = object(message['function_call']);
  return {
    text: wordsOf(message['content']),
    toolArguments: legacy === null ? calls : [...calls, text(legacy['arguments'])],
    refused: text(message['refusal']) !== '',
    filtered: finish === 'content_filter',
    cutOff: finish === 'length',
    other: object(message['audio']) !== null || list(message['images']).length > 0,
  };
}

/** Of a function as JSON; a tool of the app's own takes any text. */
function argumentsOf(call: unknown): string | null {
  const fields = object(call);
  return fields?.['type'] === 'custom' ? null : text(object(fields?.['function'])?.['arguments']);
}

/** Mistral's models that think answer in parts. */
function wordsOf(content: unknown): string {
  if (!Array.isArray(content)) return text(content);
  return list(content)
    .map((part) => text(object(part)?.['text']))
    .join('');
}
