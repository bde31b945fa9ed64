import { allChannels, isObject, noDeltas, rendered, type Deltas, type Json } from '../common/deltas.ts';

const anthropicTexts: Readonly<Record<string, string>> = {
  text_delta: 'text',
  input_json_delta: 'partial_json',
  thinking_delta: 'thinking',
};

/** The pieces of a Messages event. */
export function messageDeltas(data: Json, jsonOutput: boolean): Deltas {
  const { type, delta } = data;
  const block = `${Number(data['index'])}/`;
  switch (type) {
    case 'content_block_delta': {
      const kind = isObject(delta) ? String(delta['type']) : '';
      const member = anthropicTexts[kind];
      const text = isObject(delta) && member !== undefined ? delta[member] : undefined;
      if (typeof text !== 'string' || member === undefined) return noDeltas;
      const json = member === 'partial_json' || (jsonOutput && member === 'text');
      return {
        deltas: [
          {
            path: `/delta/${member}`,
            channel: `${block}${member}`,
            text,
            json,
            event: (held) => rendered({ type, index: data['index'], delta: { type: kind, [member]: held } }, type),
          },
        ],
        ends: () => false,
      };
    }
    case 'content_block_stop':
      return { deltas: [], ends: (channel) => channel.startsWith(block) };
    case 'message_delta':
    case 'message_stop':
    case 'error':
      return { deltas: [], ends: allChannels };
    default:
      return noDeltas;
  }
}
