import { CannotConvert, fields, isFields, list, text, without, type Fields } from '../common/replay-json.ts';
import { namedEvent } from '../common/event-text.ts';

/** Converts a Responses object to the stream that would have carried it. */
export function responseToStream(answer: Fields): string[] {
  const events: string[] = [];
  let sequence = 0;
  const emit = (type: string, more: Fields): void => {
    events.push(namedEvent({ type, sequence_number: sequence++, ...more }));
  };
  const begun = { ...answer, status: 'in_progress', output: [], usage: null, completed_at: null };
  emit('response.created', { response: begun });
  emit('response.in_progress', { response: begun });
  for (const [output_index, entry] of list(answer['output']).entries()) {
    const item = fields(entry);
    const item_id = item['id'];
    const place = { item_id, output_index };
    switch (item['type']) {
      case 'message':
        emit('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } });
        for (const [content_index, part] of list(item['content']).entries()) contentPart(emit, { ...place, content_index }, fields(part));
        break;
      case 'function_call':
        emit('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } });
        emit('response.function_call_arguments.delta', { ...place, delta: text(item['arguments']) });
        emit('response.function_call_arguments.done', { ...place, name: item['name'], arguments: item['arguments'] });
        break;
      default:
        // Reasoning, searches and the like: the item's last event holds all of it.
        emit('response.output_item.added', { output_index, item });
    }
    emit('response.output_item.done', { output_index, item });
  }
  emit('response.completed', { response: answer });
  return events;
}

function contentPart(emit: (type: string, more: Fields) => void, place: Fields, part: Fields): void {
  switch (part['type']) {
    case 'output_text': {
      const whole = text(part['text']);
      emit('response.content_part.added', { ...place, part: { ...part, text: '', annotations: [] } });
      emit('response.output_text.delta', { ...place, delta: whole, logprobs: [] });
      for (const [annotation_index, annotation] of (Array.isArray(part['annotations']) ? list(part['annotations']) : []).entries()) {
        emit('response.output_text.annotation.added', { ...place, annotation_index, annotation });
      }
      emit('response.output_text.done', { ...place, text: whole, logprobs: part['logprobs'] ?? [] });
      break;
    }
    case 'refusal':
      emit('response.content_part.added', { ...place, part: { ...part, refusal: '' } });
      emit('response.refusal.delta', { ...place, delta: text(part['refusal']) });
      emit('response.refusal.done', { ...place, refusal: part['refusal'] });
      break;
    default:
      throw new CannotConvert('an unknown part');
  }
  emit('response.content_part.done', { ...place, part });
}

/** The last event of a stream carries the whole response. */
export function responseFromStream(events: readonly Fields[]): Fields {
  const last = events.findLast((event) => event['type'] === 'response.completed');
  const response = fields(last?.['response']);
  if (!isFields(response['usage'])) throw new CannotConvert('no usage');
  list(response['output']);
  return without(response);
}
