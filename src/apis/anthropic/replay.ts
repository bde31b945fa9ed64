import {
  CannotConvert,
  fields,
  indexOf,
  inOrder,
  isFields,
  list,
  parsed,
  text,
  without,
  type Fields,
  type Mutable,
} from '../common/replay-json.ts';
import { namedEvent } from '../common/event-text.ts';

/** Converts a message to the stream that would have carried it. */
export function messageToStream(message: Fields): string[] {
  const usage = fields(message['usage']);
  const events = [
    namedEvent({
      type: 'message_start',
      message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } },
    }),
  ];
  const emit = (type: string, more: Fields): void => {
    events.push(namedEvent({ type, ...more }));
  };
  for (const [index, entry] of list(message['content']).entries()) {
    const block = fields(entry);
    const delta = (value: Fields): void => emit('content_block_delta', { index, delta: value });
    switch (block['type']) {
      case 'text':
        emit('content_block_start', { index, content_block: { ...without(block, 'citations'), text: '' } });
        delta({ type: 'text_delta', text: text(block['text']) });
        if (Array.isArray(block['citations']))
          for (const citation of list(block['citations'])) delta({ type: 'citations_delta', citation });
        break;
      case 'thinking':
        emit('content_block_start', { index, content_block: { ...block, thinking: '', signature: '' } });
        delta({ type: 'thinking_delta', thinking: text(block['thinking']) });
        delta({ type: 'signature_delta', signature: text(block['signature']) });
        break;
      case 'tool_use':
      case 'server_tool_use':
        emit('content_block_start', { index, content_block: { ...block, input: {} } });
        delta({ type: 'input_json_delta', partial_json: JSON.stringify(fields(block['input'])) });
        break;
      default:
        emit('content_block_start', { index, content_block: block });
    }
    emit('content_block_stop', { index });
  }
  emit('message_delta', { delta: { stop_reason: message['stop_reason'], stop_sequence: message['stop_sequence'] ?? null }, usage });
  emit('message_stop', {});
  return events;
}

/** Converts a stream of events to the whole message. */
export function messageFromStream(events: readonly Fields[]): Fields {
  let message: Mutable | null = null;
  let usage: Mutable = {};
  const blocks = new Map<number, Mutable>();
  const inputs = new Map<number, string>();
  for (const event of events) {
    switch (event['type']) {
      case 'message_start':
        message = { ...fields(event['message']) };
        usage = { ...fields(message['usage']) };
        break;
      case 'content_block_start':
        blocks.set(indexOf(event['index']), { ...fields(event['content_block']) });
        break;
      case 'content_block_delta': {
        const index = indexOf(event['index']);
        const block = blocks.get(index);
        if (block === undefined) throw new CannotConvert('a delta of no block');
        addDelta(block, fields(event['delta']), index, inputs);
        break;
      }
      case 'message_delta':
        if (message === null) throw new CannotConvert('no start');
        Object.assign(message, fields(event['delta']));
        if (isFields(event['usage'])) for (const [name, value] of Object.entries(event['usage'])) if (value !== null) usage[name] = value;
        break;
      case 'content_block_stop':
      case 'message_stop':
      case 'ping':
        break;
      default:
        throw new CannotConvert('an unknown event');
    }
  }
  if (message === null) throw new CannotConvert('no start');
  for (const [index, input] of inputs) blocks.get(index)!['input'] = input === '' ? {} : parsed(input);
  return { ...message, content: inOrder(blocks), usage };
}

function addDelta(block: Mutable, delta: Fields, index: number, inputs: Map<number, string>): void {
  const grow = (name: string): void => {
    block[name] = (typeof block[name] === 'string' ? block[name] : '') + text(delta[name]);
  };
  switch (delta['type']) {
    case 'text_delta':
      return grow('text');
    case 'thinking_delta':
      return grow('thinking');
    case 'signature_delta':
      return grow('signature');
    case 'input_json_delta':
      inputs.set(index, (inputs.get(index) ?? '') + text(delta['partial_json']));
      return;
    case 'citations_delta':
      block['citations'] = [...(Array.isArray(block['citations']) ? (block['citations'] as unknown[]) : []), delta['citation']];
      return;
    default:
      throw new CannotConvert('an unknown delta');
  }
}
