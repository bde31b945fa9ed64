import type { ApiName } from '../types.ts';

/** A piece of text in an event that the next event of its channel goes on with. */
export interface Delta {
  /** Members and indices from the event's data to it, each after a slash. */
  readonly path: string;
  readonly channel: string;
  readonly text: string;
  /** The channel's text is JSON. */
  readonly json: boolean;
  /** An event that only carries this text in this channel. */
  readonly event: (text: string) => Buffer;
}

/** The pieces of one event, and which channels are over with it. */
export interface Deltas {
  readonly deltas: readonly Delta[];
  readonly ends: (channel: string) => boolean;
}

type Json = Readonly<Record<string, unknown>>;

const none: Deltas = { deltas: [], ends: () => false };
const all = (): boolean => true;

/** What an event of a stream says piece by piece. */
export function deltasOf({ api, jsonOutput }: { readonly api: ApiName; readonly jsonOutput: boolean }, data: unknown): Deltas {
  if (!isObject(data)) return none;
  switch (api) {
    case 'openai-chat':
    case 'openai-completions':
      return ofChoices(data, jsonOutput);
    case 'openai-responses':
      return ofResponses(data, jsonOutput);
    case 'anthropic-messages':
      return ofAnthropic(data, jsonOutput);
    case 'gemini-generate':
      return ofGemini(data, jsonOutput);
    default:
      return none;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map((one: unknown) => (isObject(one) ? one : {})) : [];
}

function rendered(data: Json, name?: string): Buffer {
  return Buffer.from(`${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
}

/** Texts of a chunk's delta, beside its tool calls. */
const chatTexts = ['content', 'refusal', 'reasoning_content', 'reasoning'] as const;

function ofChoices(data: Json, jsonOutput: boolean): Deltas {
  const deltas: Delta[] = [];
  const ended: string[] = [];
  for (const [at, choice] of listOf(data['choices']).entries()) {
    const index = Number(choice['index'] ?? at);
    const add = (path: string, channel: string, text: unknown, json: boolean, part: (text: string) => Json): void => {
      if (typeof text !== 'string') return;
      const event = (held: string): Buffer => rendered({ ...data, usage: undefined, choices: [{ index, ...part(held), finish_reason: null }] });
      deltas.push({ path: `/choices/${at}/${path}`, channel: `${index}/${channel}`, text, json, event });
    };
    add('text', 'text', choice['text'], false, (text) => ({ text }));
    const delta = isObject(choice['delta']) ? choice['delta'] : {};
    for (const name of chatTexts) add(`delta/${name}`, name, delta[name], name === 'content' && jsonOutput, (text) => ({ delta: { [name]: text } }));
    for (const [position, call] of listOf(delta['tool_calls']).entries()) {
      const number = Number(call['index'] ?? position);
      for (const [kind, member] of [['function', 'arguments'], ['custom', 'input']] as const) {
        const part = call[kind];
        if (isObject(part)) add(`delta/tool_calls/${position}/${kind}/${member}`, `call${number}`, part[member], kind === 'function', (text) => ({ delta: { tool_calls: [{ index: number, [kind]: { [member]: text } }] } }));
      }
    }
    if (choice['finish_reason'] != null) ended.push(`${index}/`);
  }
  return { deltas, ends: (channel) => ended.some((begin) => channel.startsWith(begin)) };
}

function ofResponses(data: Json, jsonOutput: boolean): Deltas {
  const { type, delta } = data;
  if (typeof type !== 'string') return none;
  const item = `${Number(data['output_index'])}/`;
  if (type.endsWith('.delta') && typeof delta === 'string') {
    const channel = `${item}${type}/${Number(data['content_index'] ?? data['summary_index'])}`;
    const json = type.endsWith('arguments.delta') || (jsonOutput && type === 'response.output_text.delta');
    return { deltas: [{ path: '/delta', channel, text: delta, json, event: (text) => rendered({ ...data, delta: text }, type) }], ends: () => false };
  }
  if (type.endsWith('.done')) return { deltas: [], ends: (channel) => channel.startsWith(item) };
  return /^response\.(?:completed|incomplete|failed)$|^error$/.test(type) ? { deltas: [], ends: all } : none;
}

const anthropicTexts: Readonly<Record<string, string>> = { text_delta: 'text', input_json_delta: 'partial_json', thinking_delta: 'thinking' };

function ofAnthropic(data: Json, jsonOutput: boolean): Deltas {
  const { type, delta } = data;
  const block = `${Number(data['index'])}/`;
  switch (type) {
    case 'content_block_delta': {
      const kind = isObject(delta) ? String(delta['type']) : '';
      const member = anthropicTexts[kind];
      const text = isObject(delta) && member !== undefined ? delta[member] : undefined;
      if (typeof text !== 'string' || member === undefined) return none;
      const json = member === 'partial_json' || (jsonOutput && member === 'text');
      return { deltas: [{ path: `/delta/${member}`, channel: `${block}${member}`, text, json, event: (held) => rendered({ type, index: data['index'], delta: { type: kind, [member]: held } }, type) }], ends: () => false };
    }
    case 'content_block_stop':
      return { deltas: [], ends: (channel) => channel.startsWith(block) };
    case 'message_delta':
    case 'message_stop':
    case 'error':
      return { deltas: [], ends: all };
    default:
      return none;
  }
}

function ofGemini(data: Json, jsonOutput: boolean): Deltas {
  const deltas: Delta[] = [];
  const ended: string[] = [];
  for (const [at, candidate] of listOf(data['candidates']).entries()) {
    const index = Number(candidate['index'] ?? at);
    const content = isObject(candidate['content']) ? candidate['content'] : {};
    for (const [position, part] of listOf(content['parts']).entries()) {
      const { text } = part;
      if (typeof text !== 'string') continue;
      const thought = part['thought'] === true;
      const event = (held: string): Buffer => rendered({ ...data, usageMetadata: undefined, candidates: [{ index, content: { role: content['role'] ?? 'model', parts: [{ text: held, ...(thought ? { thought } : {}) }] } }] });
      deltas.push({ path: `/candidates/${at}/content/parts/${position}/text`, channel: `${index}/${thought ? 'thought' : 'text'}`, text, json: jsonOutput && !thought, event });
    }
    if (candidate['finishReason'] != null) ended.push(`${index}/`);
  }
  return { deltas, ends: (channel) => ended.some((begin) => channel.startsWith(begin)) };
}
