import { allChannels, isObject, noDeltas, rendered, type Deltas, type Json } from '../common/deltas.ts';

const inside = (value: unknown, name: string): Json => (isObject(value) && isObject(value[name]) ? value[name] : {});

/** The pieces of a chat stream's event. */
export function cohereDeltas(data: Json, jsonOutput: boolean): Deltas {
  const { type, index } = data;
  const place = `${Number(index)}/`;
  const message = inside(data['delta'], 'message');
  const one = (path: string, channel: string, text: unknown, json: boolean, put: (held: string) => Json): Deltas => {
    if (typeof text !== 'string') return noDeltas;
    return {
      deltas: [
        {
          path: `/delta/message/${path}`,
          channel,
          text,
          json,
          event: (held) => rendered({ type, ...(index === undefined ? {} : { index }), delta: { message: put(held) } }, String(type)),
        },
      ],
      ends: () => false,
    };
  };
  switch (type) {
    case 'content-delta': {
      const content = inside(message, 'content');
      const name = typeof content['text'] === 'string' ? 'text' : 'thinking';
      return one(`content/${name}`, `content/${place}`, content[name], jsonOutput && name === 'text', (held) => ({
        content: { [name]: held },
      }));
    }
    case 'tool-plan-delta':
      return one('tool_plan', 'plan', message['tool_plan'], false, (held) => ({ tool_plan: held }));
    case 'tool-call-delta':
      return one(
        'tool_calls/function/arguments',
        `call/${place}`,
        inside(inside(message, 'tool_calls'), 'function')['arguments'],
        true,
        (held) => ({ tool_calls: { function: { arguments: held } } }),
      );
    case 'content-end':
      return { deltas: [], ends: (channel) => channel === `content/${place}` };
    case 'tool-call-start':
      return { deltas: [], ends: (channel) => channel === 'plan' };
    case 'tool-call-end':
      return { deltas: [], ends: (channel) => channel === `call/${place}` };
    case 'message-end':
      return { deltas: [], ends: allChannels };
    default:
      return noDeltas;
  }
}
