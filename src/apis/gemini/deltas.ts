import { isObject, listOf, rendered, type Delta, type Deltas, type Json } from '../common/deltas.ts';

/** The pieces of a generateContent chunk. */
export function contentDeltas(data: Json, jsonOutput: boolean): Deltas {
  const deltas: Delta[] = [];
  const ended: string[] = [];
  for (const [at, candidate] of listOf(data['candidates']).entries()) {
    const index = Number(candidate['index'] ?? at);
    const content = isObject(candidate['content']) ? candidate['content'] : {};
    for (const [position, part] of listOf(content['parts']).entries()) {
      const { text } = part;
      if (typeof text !== 'string') continue;
      const thought = part['thought'] === true;
      const event = (held: string): Buffer =>
        rendered({
          ...data,
          usageMetadata: undefined,
          candidates: [{ index, content: { role: content['role'] ?? 'model', parts: [{ text: held, ...(thought ? { thought } : {}) }] } }],
        });
      deltas.push({
        path: `/candidates/${at}/content/parts/${position}/text`,
        channel: `${index}/${thought ? 'thought' : 'text'}`,
        text,
        json: jsonOutput && !thought,
        event,
      });
    }
    if (candidate['finishReason'] != null) ended.push(`${index}/`);
  }
  return { deltas, ends: (channel) => ended.some((begin) => channel.startsWith(begin)) };
}
