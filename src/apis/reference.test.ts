import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../test/support/fuzz.ts';
import { readExchange, spliceRequest } from './index.ts';
import { limits } from '../lib/limits.ts';
import type { ApiName, ParsedRequest, Recognition } from './types.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A value written in one of the many ways in which JSON can write it. */
interface Style {
  readonly gaps: readonly string[];
  readonly escapes: readonly number[];
}

/** Writes JSON with white space and escapes where a style wants them; numbers and member order as they are. */
class Writer {
  readonly #style: Style;
  #gap = 0;
  #escape = 0;

  constructor(style: Style) {
    this.#style = style;
  }

  write(value: Json): string {
    if (typeof value === 'string') return this.#string(value);
    if (Array.isArray(value)) return `[${this.#space()}${value.map((item) => this.write(item) + this.#space()).join(`,${this.#space()}`)}]`;
    if (typeof value === 'object' && value !== null) {
      return `{${this.#space()}${Object.entries(value)
        .map(([key, item]) => `${this.#string(key)}${this.#space()}:${this.#space()}${this.write(item)}${this.#space()}`)
        .join(`,${this.#space()}`)}}`;
    }
    return JSON.stringify(value);
  }

  #space(): string {
    const { gaps } = this.#style;
    return gaps.length === 0 ? '' : gaps[this.#gap++ % gaps.length]!;
  }

  #string(text: string): string {
    const { escapes } = this.#style;
    let out = '';
    for (const unit of JSON.stringify(text)
      .slice(1, -1)
      .split(/(\\(?:u.{4}|.)|[\ud800-\udbff][\udc00-\udfff])/)) {
      if (unit.startsWith('\\')) out += unit;
      else {
        for (let at = 0; at < unit.length; at++) {
          const pair = /^[\ud800-\udbff][\udc00-\udfff]/.test(unit.slice(at)) ? 2 : 1;
          const escaped = escapes.length > 0 && escapes[this.#escape++ % escapes.length] === 0;
          for (let half = 0; half < pair; half++)
            out += escaped
              ? `\\u${unit
                  .charCodeAt(at + half)
                  .toString(16)
                  .padStart(4, '0')}`
              : unit[at + half]!;
          at += pair - 1;
        }
      }
    }
    return `"${out}"`;
  }
}

const style = fc.record({
  gaps: fc.array(fc.constantFrom('', ' ', '\n', '\r\n\t'), { maxLength: 5 }),
  escapes: fc.array(fc.nat(3), { maxLength: 7 }),
});
const text = fc.oneof(
  fc.string({ maxLength: 12, unit: 'grapheme' }),
  fc.constantFrom('', '"', '\\', '\\u0041', 'model', '{"model":"x"}', '漢字', '👩‍👩‍👧', '\u0001\u2028', 'a\nb'),
);
const model = fc
  .string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
  .filter((name) => Buffer.byteLength(new Writer({ gaps: [], escapes: [0] }).write(name)) < 250);
// Node 24.21's own JSON.parse takes any key that begins with an escape for `\` when it has seen that one in the same place.
const key = text.filter((name) => name !== '\\');
const odd = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  text,
  fc.array(text, { maxLength: 2 }),
  fc.dictionary(key, text, { maxKeys: 2 }),
);
const number = fc.oneof(fc.integer({ min: 0, max: 1e9 }), fc.constantFrom(0.2, 1e-7, 1e21));
const part = fc.oneof(
  text.map((said) => ({ type: 'text', text: said })),
  text.map((said) => said as Json),
  fc.constant({ type: 'image_url', image_url: { url: 'data:,' } }),
  fc.constant({ type: 'input_audio', input_audio: {} }),
  fc.constant({ type: 'file', file: {} }),
);
const message = fc.record(
  {
    role: fc.constantFrom('system', 'developer', 'user', 'assistant', 'tool', 'user'),
    content: fc.oneof(text, fc.array(part, { maxLength: 4 }), fc.constant(null)),
    name: odd,
  },
  { requiredKeys: ['role', 'content'] },
);
const named = fc.record({ type: fc.constant('function'), function: fc.record({ name: text, parameters: odd }) });
const body = fc
  .record(
    {
      model,
      messages: fc.array(message, { maxLength: 6 }),
      stream: fc.boolean(),
      stream_options: fc.record({ include_usage: fc.boolean() }),
      temperature: number,
      n: fc.integer({ min: 1, max: 9 }),
      max_tokens: number,
      tools: fc.array(named, { maxLength: 4 }),
      response_format: fc.record({ type: fc.constantFrom('text', 'json_object', 'json_schema') }),
      reasoning_effort: fc.constantFrom('low', 'high'),
      seed: odd,
      metadata: fc.record({ model: text }),
      logit_bias: odd,
    },
    { requiredKeys: ['model', 'messages'] },
  )
  .chain((made) =>
    fc
      .shuffledSubarray(Object.keys(made), { minLength: Object.keys(made).length })
      .map((keys) => Object.fromEntries(keys.map((key) => [key, made[key as keyof typeof made]])) as { [key: string]: Json }),
  );

/** What a number of tokens that a request asks for counts as. */
function counted(asked: number): number | null {
  return asked > 0 ? Math.min(limits.outputTokens, Math.ceil(asked)) : null;
}

function exchangeOf(api: ApiName, bytes: Buffer): ParsedRequest {
  const recognition: Recognition & { kind: 'readable' } = { kind: 'readable', api, operation: 'generate', pathModel: null, stream: null };
  const read = readExchange(recognition, bytes);
  if (!read.ok) throw new Error(`${read.reason}: ${bytes.toString()}`);
  return read.exchange;
}

/** What there is to know of a chat, from JSON.parse. */
function chatFacts(parsed: { readonly [key: string]: Json }): Partial<ParsedRequest> {
  const messages = parsed['messages'] as {
    readonly role: string;
    readonly content: string | null | (string | { readonly type: string; readonly text?: string })[];
  }[];
  const texts = (content: (typeof messages)[number]['content']): string[] =>
    typeof content === 'string'
      ? [content]
      : (content ?? []).flatMap((piece) => (typeof piece === 'string' ? [piece] : piece.type === 'text' ? [piece.text ?? ''] : []));
  const kind = (role: string): string => ({ developer: 'system' })[role] ?? role;
  const last = messages.findLastIndex(({ role }) => role === 'user');
  const joined = (of: (role: string, at: number) => boolean): string =>
    messages.flatMap(({ role, content }, at) => (of(kind(role), at) ? texts(content) : [])).join('\n');
  const counts = (type: string): number =>
    messages
      .flatMap(({ content }) => (Array.isArray(content) ? content : []))
      .filter((piece) => typeof piece === 'object' && piece.type === type).length;
  const tools = (parsed['tools'] ?? []) as { readonly function: { readonly name: string } }[];
  const format = (parsed['response_format'] as { readonly type: string } | undefined)?.type;
  return {
    model: parsed['model'] as string,
    stream: parsed['stream'] === true,
    includeUsage: parsed['stream_options'] === undefined ? null : (parsed['stream_options'] as { include_usage: boolean }).include_usage,
    temperature: (parsed['temperature'] as number | undefined) ?? null,
    n: (parsed['n'] as number | undefined) ?? 1,
    maxOutputTokens: counted((parsed['max_tokens'] as number | undefined) ?? 0),
    reasoning: (parsed['reasoning_effort'] as string | undefined) ?? null,
    jsonOutput: format === 'json_schema' ? 'schema' : format === 'json_object' ? 'object' : 'none',
    messages: messages.filter(({ role }) => kind(role) !== 'system').length,
    userTurns: messages.filter(({ role }) => role === 'user').length,
    lastIsToolResult: messages.at(-1)?.role === 'tool',
    system: joined((role) => role === 'system'),
    lastUser: joined((_role, at) => at === last),
    context: joined((role, at) => role !== 'system' && at !== last),
    tools: tools.length,
    toolNames: tools.map((tool) => tool.function.name),
    images: counts('image_url'),
    audioInputs: counts('input_audio'),
    files: counts('file'),
    textTruncated: false,
  };
}

/** JSON.parse, with numbers as they were written. */
function structure(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString(), (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' ? { number: context?.source } : value,
  );
}

describe('the scanner against JSON.parse', () => {
  it('reads of a chat what is there, however it is written', () => {
    fc.assert(
      fc.property(body, style, (made, written) => {
        const bytes = Buffer.from(new Writer(written).write(made));
        expect(structure(bytes)).toEqual(structure(Buffer.from(JSON.stringify(made))));
        expect(exchangeOf('openai-chat', bytes)).toMatchObject(chatFacts(JSON.parse(bytes.toString()) as { [key: string]: Json }));
      }),
      runs(600),
    );
  });

  it('reads of a messages request of Anthropic’s what is there', () => {
    fc.assert(
      fc.property(
        model,
        fc.array(fc.tuple(fc.constantFrom('user', 'assistant'), text), { maxLength: 5 }),
        fc.option(text, { nil: undefined }),
        fc.array(text, { maxLength: 3 }),
        number,
        style,
        (name, turns, system, tools, most, written) => {
          const made: Json = {
            max_tokens: most,
            ...(system === undefined ? {} : { system: [{ type: 'text', text: system }] }),
            messages: turns.map(([role, content]) => ({ role, content })),
            tools: tools.map((tool) => ({ name: tool, input_schema: { name: 'x' } })),
            model: name,
          };
          const last = turns.findLastIndex(([role]) => role === 'user');
          expect(exchangeOf('anthropic-messages', Buffer.from(new Writer(written).write(made)))).toMatchObject({
            model: name,
            maxOutputTokens: counted(most),
            system: system ?? '',
            lastUser: turns[last]?.[1] ?? '',
            context: turns.flatMap(([, said], at) => (at === last ? [] : [said])).join('\n'),
            messages: turns.length,
            toolNames: tools,
          });
        },
      ),
      runs(300),
    );
  });
});

describe('the splice against JSON.parse', () => {
  it('leaves everything but the model and the wish for usage as it was', () => {
    fc.assert(
      fc.property(body, model, fc.boolean(), style, (made, next, ask, written) => {
        const bytes = Buffer.from(new Writer(written).write(made));
        const exchange = exchangeOf('openai-chat', bytes);
        const askUsage = ask && exchange.includeUsage === null;
        const spliced = Buffer.concat(spliceRequest(bytes, exchange, { model: next, askUsage }));
        const before = structure(bytes) as Record<string, unknown>;
        expect(structure(spliced)).toEqual({ ...before, model: next, ...(askUsage ? { stream_options: { include_usage: true } } : {}) });
        expect(Object.keys(structure(spliced) as object).filter((key) => !askUsage || key !== 'stream_options')).toEqual(
          Object.keys(before),
        );
        // Byte for byte: what stands before and behind the two places is the body's own.
        const [span] = exchange.modelSpans;
        const head = bytes.subarray(0, span!.start);
        const tail = bytes.subarray(span!.end);
        const wish = askUsage ? '"stream_options":{"include_usage":true},' : '';
        const expected = Buffer.concat([
          head.subarray(0, exchange.bodyOpen),
          Buffer.from(wish),
          head.subarray(exchange.bodyOpen),
          Buffer.from(JSON.stringify(next)),
          tail,
        ]);
        expect(spliced.equals(expected)).toBe(true);
      }),
      runs(600),
    );
  });
});
