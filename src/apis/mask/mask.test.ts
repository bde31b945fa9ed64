import { describe, expect, it, test } from 'vitest';
import type { SensitivePattern } from '../inspect/patterns.ts';
import { maskJson, maskPlain, type Masking, type MaskWish } from './mask.ts';
import { labelOf, workspaceKey } from './tokens.ts';

const email: SensitivePattern = { source: String.raw`[\w.+-]+@[\w-]+\.[\w.]+`, ignoreCase: false, fold: true, base64: false };
const card: SensitivePattern = { source: String.raw`\b\d{16}\b`, ignoreCase: false, fold: true, base64: false };
const wish = (key = 'one', patterns: readonly SensitivePattern[] = [email, card]): MaskWish => ({
  key: workspaceKey(Buffer.from('master'), key),
  patterns,
  rules: patterns.map((_pattern, at) => ({ label: ['EMAIL', 'CARD'][at]!, restore: true })),
});
const mask = (body: unknown, wanted = wish()): Masking | null =>
  maskJson(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), wanted);
const text = (masking: Masking | null): string => masking?.body.toString('utf8') ?? 'not masked';
const address = 'alice@example.com';
const tokenOf = (value: string): string => mask({ input: value })!.restored[0]![0];
const token = tokenOf(address);
const base64 = (words: string): string => Buffer.from(words).toString('base64');

it('puts a token for what it finds and leaves every other byte', () => {
  const body = `{ "seed": 12345678901234567890,  "messages":[{"role":"user","content":"mail \\u00e9 ${address}, ${address} é 😀 \\n and bob@x.org\\u0021"}]\n}`;
  expect(text(mask(body))).toBe(body.replaceAll(address, token).replace('bob@x.org', tokenOf('bob@x.org')));
  expect(mask(body)!.counts).toEqual([3, 0]);
});

it('gives a value the same token within a workspace, and another one elsewhere', () => {
  expect(token).toMatch(/^\[EMAIL_(?:[0-9][a-f]){5}\]$/);
  expect(mask({ input: address }, wish('two'))!.restored[0]![0]).not.toBe(token);
  expect(tokenOf('bob@x.org')).not.toBe(token);
});

describe('every text that a model or a tool reads', () => {
  const bodies: Readonly<Record<string, (value: string) => unknown>> = {
    'a chat message': (value) => ({ messages: [{ role: 'user', content: `to ${value}, please` }] }),
    'a system prompt': (value) => ({ system: [{ type: 'text', text: value }] }),
    'a tool’s description': (value) => ({
      tools: [{ type: 'function', function: { name: 'f', description: value, parameters: { properties: { a: { enum: ['x', value] } } } } }],
    }),
    'a parameter’s name': (value) => ({ tools: [{ input_schema: { properties: { [value]: {} } } }] }),
    'arguments of a call': (value) => ({
      messages: [{ tool_calls: [{ id: 'c', function: { name: 'f', arguments: JSON.stringify({ to: value, note: 'a "b"' }) } }] }],
    }),
    'a tool’s JSON in JSON': (value) => ({
      messages: [{ role: 'tool', content: JSON.stringify({ a: JSON.stringify({ b: `"${value}"` }) }) }],
    }),
    'Anthropic’s tool use': (value) => ({ messages: [{ content: [{ type: 'tool_use', input: { deep: [{ to: value }] } }] }] }),
    'Anthropic’s tool result': (value) => ({
      messages: [{ content: [{ type: 'tool_result', content: [{ type: 'text', text: value }] }] }],
    }),
    'a text document': (value) => ({
      messages: [{ content: [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: `a ${value}` }, title: value }] }],
    }),
    thinking: (value) => ({ messages: [{ content: [{ type: 'thinking', thinking: value, signature: 'abc' }] }] }),
    'Gemini’s system, call and response': (value) => ({
      systemInstruction: { parts: [{ text: value }] },
      contents: [{ parts: [{ functionCall: { args: { id: value } } }, { functionResponse: { response: { output: value } } }] }],
    }),
    'Responses’ input': (value) => ({
      instructions: value,
      input: [
        { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: value }] },
        { type: 'function_call', arguments: JSON.stringify({ to: value }) },
      ],
    }),
    'prompt variables': (value) => ({ prompt: { id: 'p', variables: { who: value } } }),
    'embeddings and prompts': (value) => ({ input: ['a', value], prompt: value }),
  };
  test.each(Object.entries(bodies))('%s', (_name, bodyOf) => {
    expect(text(mask(bodyOf(address)))).toBe(JSON.stringify(bodyOf(token)));
  });
});

it('masks numbers of tools as texts, also in JSON within a text', () => {
  const number = 4111111111111111;
  const cardToken = mask({ input: String(number) })!.restored[0]![0];
  expect(text(mask({ contents: [{ parts: [{ functionCall: { args: { card: number } } }] }], seed: number }))).toBe(
    JSON.stringify({ contents: [{ parts: [{ functionCall: { args: { card: cardToken } } }] }], seed: number }),
  );
  expect(text(mask({ messages: [{ tool_calls: [{ function: { arguments: `{"card": ${number}, "x":"\\u00e9"}` } }] }] }))).toBe(
    JSON.stringify({ messages: [{ tool_calls: [{ function: { arguments: `{"card": "${cardToken}", "x":"\\u00e9"}` } }] }] }),
  );
});

it('masks what is written in other ways: escaped, full-width, with invisible characters, across parts', () => {
  expect(text(mask(`{"input":"a \\u0061lice\\u0040example.com b"}`))).toBe(`{"input":"a ${token} b"}`);
  const wide = 'ａｌｉｃｅ＠ｅｘａｍｐｌｅ.com';
  const masked = mask({ input: `x ${wide}, y` })!;
  expect(masked.restored).toEqual([[expect.stringMatching(/^\[EMAIL_/), wide]]);
  expect(text(masked)).toBe(`{"input":"x ${masked.restored[0]![0]}, y"}`);
  expect(text(mask({ input: 'x ali\u200bce@exam\u00adple.com y' }))).toMatch(/^\{"input":"x \[EMAIL_\w{10}\] y"\}$/);
  expect(
    text(
      mask({
        messages: [
          {
            content: [
              { type: 'text', text: 'to alice@' },
              { type: 'text', text: 'example.com now' },
            ],
          },
        ],
      }),
    ),
  ).toBe(
    JSON.stringify({
      messages: [
        {
          content: [
            { type: 'text', text: `to ${token}` },
            { type: 'text', text: ' now' },
          ],
        },
      ],
    }),
  );
});

it('finds matches of any length, wherever they are in a long text', () => {
  const long: SensitivePattern = { ...email, source: 'BEGIN [a-z ]+ END' };
  for (const [before, inside] of [
    [0, 100],
    [900, 300],
    [1_000, 20],
    [1_015, 2_000],
    [5_000, 20_000],
    [768, 400],
  ] as const) {
    const secret = `BEGIN ${'a b'.repeat(inside / 2)} END`;
    const masked = mask({ input: `${'😀 '.repeat(before / 3)}${secret} and ${secret}.` }, wish('one', [long]))!;
    expect([masked.counts[0], masked.restored[0]![1]]).toEqual([2, secret]);
  }
});

it('leaves tokens of earlier answers', () => {
  const loose: SensitivePattern = { ...email, source: '[A-Z_]{5,}' };
  expect(text(mask({ input: `${token} AAAAAA` }, wish('one', [loose])))).toMatch(
    new RegExp(String.raw`^\{"input":"${token.replace('[', String.raw`\[`)} \[EMAIL_\w{10}\]"\}$`),
  );
});

describe('what cannot be masked', () => {
  test.each<readonly [string, unknown]>([
    [
      'a text file in base64',
      { messages: [{ content: [{ type: 'file', file: { file_data: `data:text/plain;base64,${base64(address)}` } }] }] },
    ],
    ['inline text', { contents: [{ parts: [{ inlineData: { mimeType: 'text/plain', data: base64(`to ${address}`) } }] }] }],
    ['a data URL', { input: 'data:text/plain,alice%40example.com' }],
  ])('%s', (_name, body) => {
    expect(mask(body)).toBeNull();
  });
  it('is said too of base64 in texts where the rule looks there', () => {
    expect(mask({ input: `x ${base64(address)}` }, wish('one', [{ ...email, base64: true }]))).toBeNull();
  });
});

describe('bodies that are no JSON', () => {
  it('are masked as text: forms, and lines of JSON', () => {
    const form = (value: string): string =>
      `--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n{"body":{"messages":[{"content":"to ${value}"}]}}\n{"n":1}\r\n--B--`;
    expect(text(maskPlain(Buffer.from(form(address)), wish()))).toBe(form(token));
    expect(text(maskPlain(Buffer.from(form('\\u0061lice@example.com')), wish()))).toBe(form(token));
  });
  it('are not where they are no text', () => {
    expect(maskPlain(Buffer.concat([Buffer.from([0xff, 0]), Buffer.from(address)]), wish())).toBeNull();
  });
});

it('names tokens by their rule', () => {
  expect(['emails', 'card.numbers-2', '1st', 'x'.repeat(63)].map(labelOf)).toEqual(['EMAILS', 'CARD_NUMBERS_2', 'X1ST', 'X'.repeat(40)]);
});

it('takes time that grows as the body does', () => {
  const time = (turns: number): number => {
    const body = {
      messages: Array.from({ length: turns }, (_value, at) => ({ role: 'user', content: `é "quoted" user${at % 50}@example.com wrote` })),
    };
    const begin = performance.now();
    expect(mask(body)!.counts[0]).toBe(turns);
    return performance.now() - begin;
  };
  time(500);
  // Quadratic time would be 256 times as much.
  expect(time(16_000)).toBeLessThan(Math.max(20, time(1_000)) * 100);
});
