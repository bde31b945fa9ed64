import type { CallPart, Conversation, Part, ResultPart, TextPart, Turn } from '../common/conversation.ts';
import { isObject, parseJson } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { Malformed } from '../common/losses.ts';
import type { Losses } from '../common/losses.ts';
import { mimeOfUrl, sourceOfUrl } from '../common/media.ts';
import { Members } from '../common/members.ts';
import { nameIn } from '../openai/translate-read.ts';

/** Groups items into turns: consecutive texts and calls of the assistant are one turn, results start the user's next turn. */
class Turns {
  readonly system: TextPart[] = [];
  readonly turns: Turn[] = [];
  #role: 'user' | 'assistant' | null = null;
  #parts: Part[] = [];
  #at = '';

  add(role: 'user' | 'assistant', parts: readonly Part[], at: string): void {
    const result = parts[0]?.kind === 'result';
    // A user turn continues while it holds only results.
    const goesOn = this.#role === role && (role === 'assistant' || this.#parts.every((part) => part.kind === 'result'));
    if (!goesOn || (role === 'user' && result && this.#parts.some((part) => part.kind !== 'result'))) this.flush();
    if (this.#parts.length === 0) this.#at = at;
    this.#role = role;
    this.#parts.push(...parts);
  }

  addSystem(parts: readonly TextPart[], at: string): void {
    this.flush();
    if (this.turns.length === 0) this.system.push(...parts);
    else this.turns.push({ role: 'system', parts, at });
  }

  flush(): void {
    if (this.#role !== null) this.turns.push({ role: this.#role, parts: this.#parts, at: this.#at });
    this.#role = null;
    this.#parts = [];
  }
}

/** Reads `input` of a Responses request. */
export function readResponsesInput(input: Json | undefined, losses: Losses): Pick<Conversation, 'system' | 'turns'> {
  if (typeof input === 'string') return { system: [], turns: [{ role: 'user', parts: [{ kind: 'text', text: input }], at: 'input' }] };
  if (!Array.isArray(input) || input.length === 0) throw new Malformed('input', 'is missing or empty');
  const turns = new Turns();
  for (const [index, value] of (input as readonly Json[]).entries()) readItem(new Members(value, `input[${index}]`, losses), turns, losses);
  turns.flush();
  return { system: turns.system, turns: turns.turns };
}

function readItem(item: Members, turns: Turns, losses: Losses): void {
  const type = item.string('type') ?? 'message';
  // Members of OpenAI's answers that apps send back.
  item.ignore('id', 'status', 'phase', 'caller', 'created_by');
  switch (type) {
    case 'message':
      readMessage(item, turns, losses);
      break;
    case 'function_call':
      turns.add('assistant', [readCall(item, losses)], item.path);
      break;
    case 'function_call_output':
      turns.add('user', [readOutput(item, losses)], item.path);
      break;
    case 'reasoning':
      losses.lose(`${item.path}.reasoning_items`, 'thoughts are of use to the model that had them only');
      return;
    case 'item_reference':
      losses.refuse(item.path, 'a part of the conversation is at OpenAI');
      return;
    default:
      losses.lose(item.path, `items of the type ${type} exist at OpenAI only`);
      return;
  }
  item.done();
}

function readMessage(item: Members, turns: Turns, losses: Losses): void {
  const role = item.string('role');
  const parts = readContent(item.take('content'), item.at('content'), losses);
  switch (role) {
    case 'user':
    case 'assistant':
      turns.add(role, parts, item.path);
      return;
    case 'system':
    case 'developer': {
      const words: TextPart[] = [];
      for (const part of parts) {
        if (part.kind === 'text') words.push(part);
        else losses.lose(item.at('content'), 'a system prompt is words alone');
      }
      turns.addSystem(words, item.path);
      return;
    }
    case null:
    default:
      throw new Malformed(item.at('role'), 'is no role that OpenAI knows');
  }
}

function readCall(item: Members, losses: Losses): CallPart {
  const { path: at } = item;
  const id = item.string('call_id');
  const called = item.string('name');
  const args = item.string('arguments') ?? '';
  if (id === null || called === null) throw new Malformed(at, 'has no call_id or no name');
  const name = nameIn(item.string('namespace'), called);
  if (args.trim() === '') return { kind: 'call', id, name, args: '{}', at };
  if (!isObject(parseJson(args))) losses.refuse(`${at}.arguments`, 'is no JSON object, which the other APIs demand');
  return { kind: 'call', id, name, args, at };
}

function readOutput(item: Members, losses: Losses): ResultPart {
  const { path: at } = item;
  const id = item.string('call_id');
  if (id === null) throw new Malformed(`${at}.call_id`, 'is missing');
  return { kind: 'result', id, parts: readContent(item.take('output'), item.at('output'), losses), isError: false, at };
}

function readContent(value: Json | undefined, at: string, losses: Losses): readonly Part[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  if (!Array.isArray(value)) throw new Malformed(at, 'is neither a string nor an array');
  return (value as readonly Json[]).flatMap((entry, index) => readPart(new Members(entry, `${at}[${index}]`, losses), losses));
}

function readPart(part: Members, losses: Losses): readonly Part[] {
  const { path: at } = part;
  const type = part.string('type');
  part.lose('only OpenAI has it', 'prompt_cache_breakpoint');
  // Members of texts in OpenAI's answers.
  part.ignore('annotations', 'logprobs');
  switch (type) {
    case 'input_text':
    case 'output_text':
    case 'text': {
      const text = part.string('text') ?? '';
      part.done();
      return [{ kind: 'text', text }];
    }
    case 'refusal':
      return [{ kind: 'refusal', text: part.string('refusal') ?? '' }];
    case 'input_image': {
      const url = part.string('image_url');
      const detail = part.string('detail');
      if (url === null) break;
      part.done();
      return [{ kind: 'image', source: sourceOfUrl(url), detail: detail === 'auto' ? null : detail, at }];
    }
    case 'input_audio': {
      const audio = part.object('input_audio');
      return [
        {
          kind: 'audio',
          source: { kind: 'base64', mime: `audio/${audio?.string('format') ?? 'wav'}`, data: audio?.string('data') ?? '' },
          at,
        },
      ];
    }
    case 'input_file': {
      const url = part.string('file_data') ?? part.string('file_url');
      const title = part.string('filename');
      part.ignore('file_url');
      part.expect('detail', ['auto'], 'only OpenAI has it');
      if (url === null) break;
      part.done();
      const source = sourceOfUrl(url);
      return [{ kind: 'document', source: source.kind === 'url' ? { ...source, mime: mimeOfUrl(url) } : source, title, at }];
    }
    case null:
    default:
      losses.lose(at, `content of the type ${type ?? '(none)'} is not translated`);
      return [];
  }
  losses.lose(at, 'a file that OpenAI keeps cannot be read elsewhere');
  return [];
}
