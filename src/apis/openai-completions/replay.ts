import {
  CannotConvert,
  completionEvents,
  indexOf,
  inOrder,
  isFields,
  list,
  readCompletionEvents,
  text,
  without,
  type Fields,
  type Mutable,
} from '../common/replay-json.ts';

/** Converts a legacy completion to a stream. */
export function completionToStream(answer: Fields, includeUsage: boolean): string[] {
  const base = without(answer, 'choices', 'usage');
  return completionEvents(base, list(answer['choices']), includeUsage ? { is: answer['usage'] } : null);
}

/** Converts a legacy completion's stream to the whole completion. */
export function completionFromStream(events: readonly Fields[]): Fields {
  const choices = new Map<number, Mutable>();
  const { base, usage } = readCompletionEvents(events, [], (part) => {
    const index = indexOf(part['index']);
    const choice = choices.get(index) ?? { index, text: '', logprobs: null, finish_reason: null };
    // Some providers count a piece's offsets from the piece's own beginning.
    if (isFields(part['logprobs'])) throw new CannotConvert('logprobs');
    choice['text'] = text(choice['text']) + text(part['text']);
    for (const [name, value] of Object.entries(without(part, 'text', 'index'))) if (value !== null) choice[name] = value;
    choices.set(index, choice);
  });
  return { ...base, choices: inOrder(choices), usage };
}
