import { allChannels, noDeltas, rendered, type Deltas, type Json } from '../common/deltas.ts';

/** The pieces of a Responses API event. */
export function responseDeltas(data: Json, jsonOutput: boolean): Deltas {
  const { type, delta } = data;
  if (typeof type !== 'string') return noDeltas;
  const item = `${Number(data['output_index'])}/`;
  if (type.endsWith('.delta') && typeof delta === 'string') {
    const channel = `${item}${type}/${Number(data['content_index'] ?? data['summary_index'])}`;
    const json = type.endsWith('arguments.delta') || (jsonOutput && type === 'response.output_text.delta');
    return {
      deltas: [{ path: '/delta', channel, text: delta, json, event: (text) => rendered({ ...data, delta: text }, type) }],
      ends: () => false,
    };
  }
  if (type.endsWith('.done')) return { deltas: [], ends: (channel) => channel.startsWith(item) };
  return /^response\.(?:completed|incomplete|failed)$|^error$/.test(type) ? { deltas: [], ends: allChannels } : noDeltas;
}
