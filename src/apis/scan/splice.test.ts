import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readExchange, rewritePath, spliceRequest } from '../index.ts';
import type { SpliceChanges } from './splice.ts';
import type { ParsedRequest, Recognition } from '../types.ts';
import { runs } from '../../../test/support/fuzz.ts';

const chat: Recognition & { kind: 'readable' } = {
  kind: 'readable',
  api: 'openai-chat',
  operation: 'generate',
  pathModel: null,
  stream: null,
};

function exchangeOf(body: Buffer): ParsedRequest {
  const read = readExchange(chat, body);
  if (!read.ok) throw new Error(read.reason);
  return read.exchange;
}

function splice(body: Buffer, exchange: ParsedRequest, changes: SpliceChanges): Buffer {
  return Buffer.concat(spliceRequest(body, exchange, changes));
}

/** JSON text of any shape, with `model` keys at every depth, odd numbers and escapes. */
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('é', '"model"', '\\', '\u0000', '漢字', '👩‍👩‍👧', '{"model":"x"}'));
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text.map((string) => JSON.stringify(string)),
    fc.constantFrom('12345678901234567890', '-0', '1e-7', '0.1000', 'true', 'null', '"\\u00e9\\ud83d\\ude00"'),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[ ${items.join(' ,')}]`),
    fc
      .array(fc.tuple(fc.oneof(text, fc.constant('model')), tie('value')), { maxLength: 4 })
      .map((members) => `{${members.map(([key, inner]) => `${JSON.stringify(key)} : ${inner}`).join(',\n')}}`),
  ),
}));
const model = fc.string({ minLength: 1, maxLength: 40 }).filter((name) => Buffer.byteLength(JSON.stringify(name)) < 200);
const others = fc.array(fc.tuple(fc.constantFrom('messages', 'tools', 'metadata', 'seed', 'x'), value), { maxLength: 5 });
const gap = fc.constantFrom('', ' ', '\n\t');

/** Bodies with one to three top-level `model` members among other members. */
const bodies = fc.tuple(others, fc.array(model, { minLength: 1, maxLength: 3 }), others, gap).map(([before, models, after, space]) => {
  const members = [
    ...before.map(([key, inner]) => `"${key}":${space}${inner}`),
    ...models.map((name) => `"model"${space}:${space}${JSON.stringify(name)}`),
    ...after.map(([key, inner]) => `"${key}":${inner}`),
  ];
  return { text: `${space}{${space}${members.join(`${space},`)}}${space}`, models };
});

describe('splicing a model', () => {
  it('changes the bytes of every top-level model value and no other byte', () => {
    fc.assert(
      fc.property(bodies, model, ({ text: json, models }, next) => {
        const body = Buffer.from(json);
        const exchange = exchangeOf(body);
        expect(exchange.model).toBe(models.at(-1));
        expect(exchange.modelSpans).toHaveLength(models.length);
        const spliced = splice(body, exchange, { model: next, askUsage: false });
        // Take the same pieces out of both: what is left must be equal byte for byte.
        const keep = (bytes: Buffer, spans: readonly { start: number; end: number }[]): string => {
          let from = 0;
          const pieces: string[] = [];
          for (const { start, end } of spans) {
            pieces.push(bytes.toString('latin1', from, start));
            from = end;
          }
          pieces.push(bytes.toString('latin1', from));
          return pieces.join('|');
        };
        expect(keep(spliced, exchangeOf(spliced).modelSpans)).toBe(keep(body, exchange.modelSpans));
        expect((JSON.parse(spliced.toString()) as { model: string }).model).toBe(next);
      }),
      runs(400),
    );
  });

  it('keeps 64-bit integers, escapes and models inside messages and tools', () => {
    const json =
      '{"seed":12345678901234567890,"messages":[{"role":"user","content":"caf\\u00e9","model":"m"}],"model":"a","tools":[{"model":"t"}]}';
    const body = Buffer.from(json);
    expect(splice(body, exchangeOf(body), { model: 'b"c', askUsage: false }).toString()).toBe(
      json.replace('"model":"a"', '"model":"b\\"c"'),
    );
  });

  it('finds a model whose key is written with escapes', () => {
    const body = Buffer.from('{"mod\\u0065l":"a","messages":[]}');
    expect(splice(body, exchangeOf(body), { model: 'b', askUsage: false }).toString()).toBe('{"mod\\u0065l":"b","messages":[]}');
  });

  it('adds the wish for usage as the first member', () => {
    const body = Buffer.from(' {"model":"a","stream":true,"messages":[]}');
    const spliced = splice(body, exchangeOf(body), { askUsage: true });
    expect(JSON.parse(spliced.toString())).toEqual({ model: 'a', stream: true, messages: [], stream_options: { include_usage: true } });
    expect(spliced.toString().replace('"stream_options":{"include_usage":true},', '')).toBe(body.toString());
  });

  it('copies none of the body', () => {
    const body = Buffer.from('{"messages":[{"role":"user","content":"hi"}],"model":"a","stream":true}');
    const pieces = spliceRequest(body, exchangeOf(body), { model: 'b', askUsage: true });
    expect(pieces.filter(({ buffer }) => buffer === body.buffer).reduce((sum, { length }) => sum + length, 0)).toBeGreaterThanOrEqual(
      body.length - 3,
    );
  });

  it('puts a model into a path, percent-encoded, and leaves the query', () => {
    const exchange = { ...exchangeOf(Buffer.from('{"model":"a"}')), pathModel: { model: 'a', span: { start: 8, end: 9 } } };
    expect(rewritePath('/models/a:generateContent?alt=sse', exchange, 'b/c')).toBe('/models/b%2Fc:generateContent?alt=sse');
  });
});

describe('bodies that cannot be read', () => {
  const reason = (body: string | Buffer): string => {
    const read = readExchange(chat, Buffer.from(body));
    return read.ok ? 'read' : read.reason;
  };

  it.each([
    ['', 'no-body'],
    ['[]', 'invalid-json'],
    ['{"model":"a"', 'invalid-json'],
    ['{"model":"a"} x', 'invalid-json'],
    ['{"model":"a","x":01}', 'invalid-json'],
    ['{"model":"a","x":"\u0000"}', 'invalid-json'],
    ['{"model":"a","x":"\\ud800"}', 'invalid-json'],
    ['{"messages":[]}', 'no-model'],
    ['{"model":5}', 'model-unreadable'],
    [`{"model":"${'m'.repeat(300)}"}`, 'model-unreadable'],
    [`{"model":"a","x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'too-deep'],
  ])('%.40j: %s', (body, expected) => {
    expect(reason(body)).toBe(expected);
  });

  it('are refused when they are not UTF-8', () => {
    expect(reason(Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]))).toBe('invalid-json');
  });

  it('agree with JSON.parse on what is JSON', () => {
    fc.assert(
      fc.property(bodies, fc.nat(), fc.constantFrom('', '"', '{', '}', ']', ',', ':', '0', '\\', ' '), ({ text: json }, at, insert) => {
        const place = at % (json.length + 1);
        const bent = json.slice(0, place) + insert + json.slice(place + (insert === '' ? 1 : 0));
        let valid = true;
        try {
          const parsed: unknown = JSON.parse(bent);
          valid = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
        } catch {
          valid = false;
        }
        // A lone surrogate is JSON to JSON.parse and to nobody else.
        if (valid && reason(bent) === 'invalid-json') expect(bent).toMatch(/\\ud[89a-f]/i);
        else expect(reason(bent) === 'invalid-json').toBe(!valid);
      }),
      runs(1_000),
    );
  });

  it('never make the reader throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(typeof reason(Buffer.from(bytes))).toBe('string');
      }),
      runs(1_000),
    );
  });
});

it.each([
  [
    '{"stream":true,"stream_options":{"include_usage":false},"model":"a"}',
    '{"stream":true,"stream_options":{"include_usage":true},"model":"b"}',
  ],
  ['{"model":"a","stream_options": null ,"stream":true}', '{"model":"b","stream_options": {"include_usage":true} ,"stream":true}'],
  ['{"model":"a","stream":true}', '{"stream_options":{"include_usage":true},"model":"b","stream":true}'],
])('usage is asked for in %s, whatever its stream_options say', (text, wanted) => {
  const body = Buffer.from(text);
  const read = readExchange({ kind: 'readable', api: 'openai-chat', operation: 'generate', pathModel: null, stream: null }, body);
  if (!read.ok) throw new Error(read.reason);
  expect(Buffer.concat(spliceRequest(body, read.exchange, { model: 'b', askUsage: true })).toString()).toBe(wanted);
});
