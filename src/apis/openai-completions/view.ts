import { list, object, text, type AnswerView } from '../common/answer-view.ts';

type Json = Readonly<Record<string, unknown>>;

/** A whole completion of the legacy API. */
export function viewCompletion(body: Json): AnswerView | null {
  const choice = object(list(body['choices'])[0]);
  if (choice === null) return null;
  const finish = choice['finish_reason'];
  return {
    text: text(choice['text']),
    toolArguments: [],
    refused: false,
    filtered: finish === 'content_filter',
    cutOff: finish === 'length',
  };
}
