import {
  CannotConvert,
  dataEvent,
  fields,
  indexOf,
  inOrder,
  isFields,
  list,
  text,
  without,
  type Fields,
  type Mutable,
} from '../common/replay-json.ts';

/** Converts a legacy completion to a stream. */
export function completionToStream(answer: Fields, includeUsage: boolean): string[] {
  const base = without(answer, 'choices', 'usage');
  const events = list(answer['choices']).map((choice) =>
    dataEvent({ ...base, choices: [choice], ...(includeUsage ? { usage: null } : {}) }),
  );
  if (includeUsage) events.push(dataEvent({ ...base, choices: [], usage: answer['usage'] }));
  events.push('data: [DONE]\n\n');
  return events;
}

/** Converts a legacy completion's stream to the whole completion. */
export function completionFromStream(events: readonly Fields[]): Fields {
  const choices = new Map<number, Mutable>();
  let base: Mutable = {};
  let usage: unknown;
  for (const event of events) {
    base = { ...base, ...without(event, 'choices', 'usage', 'obfuscation') };
    usage = isFields(event['usage']) ? event['usage'] : usage;
    for (const entry of list(event['choices'])) {
      const part = fields(entry);
      const index = indexOf(part['index']);
      const choice = choices.get(index) ?? { index, text: '', logprobs: null, finish_reason: null };
      // Some providers count a piece's offsets from the piece's own beginning.
      if (isFields(part['logprobs'])) throw new CannotConvert('logprobs');
      choice['text'] = text(choice['text']) + text(part['text']);
      for (const [name, value] of Object.entries(without(part, 'text', 'index'))) if (value !== null) choice[name] = value;
      choices.set(index, choice);
    }
  }
  return { ...base, choices: inOrder(choices), usage };
}
