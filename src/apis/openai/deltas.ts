import { isObject, listOf, rendered, type Delta, type Deltas, type Json } from '../common/deltas.ts';

/** Text members of a chunk's delta, other than its tool calls. */
const chatTexts = ['content', 'refusal', 'reasoning_content', 'reasoning'] as const;

/** The pieces of chat completions, and of completions. */
export function choiceDeltas(data: Json, jsonOutput: boolean): Deltas {
  const deltas: Delta[] = [];
  const ended: string[] = [];
  for (const [at, choice] of listOf(data['choices']).entries()) {
    const index = Number(choice['index'] ?? at);
    const add = (path: string, channel: string, text: unknown, json: boolean, part: (text: string) => Json): void => {
      if (typeof text !== 'string') return;
      const event = (held: string): Buffer =>
        rendered({ ...data, usage: undefined, choices: [{ index, ...part(held), finish_reason: null }] });
      deltas.push({ path: `/choices/${at}/${path}`, channel: `${index}/${channel}`, text, json, event });
    };
    add('text', 'text', choice['text'], false, (text) => ({ text }));
    const delta = isObject(choice['delta']) ? choice['delta'] : {};
    for (const name of chatTexts)
      add(`delta/${name}`, name, delta[name], name === 'content' && jsonOutput, (text) => ({ delta: { [name]: text } }));
    for (const [position, call] of listOf(delta['tool_calls']).entries()) {
      const number = Number(call['index'] ?? position);
      for (const [kind, member] of [
        ['function', 'arguments'],
        ['custom', 'input'],
      ] as const) {
        const part = call[kind];
        if (isObject(part))
          add(`delta/tool_calls/${position}/${kind}/${member}`, `call${number}`, part[member], kind === 'function', (text) => ({
            delta: { tool_calls: [{ index: number, [kind]: { [member]: text } }] },
          }));
      }
    }
    if (choice['finish_reason'] != null) ended.push(`${index}/`);
  }
  return { deltas, ends: (channel) => ended.some((begin) => channel.startsWith(begin)) };
}
