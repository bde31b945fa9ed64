import { describe, expect, it, test } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { inspectJson, inspectPlain, type SensitivePattern } from './patterns.ts';

const zeus: SensitivePattern = { source: 'project zeus', ignoreCase: true, fold: true, base64: false };
const secret = 'please look at Project Zeus today';
const found = (body: unknown, pattern: Partial<SensitivePattern> = {}): boolean | undefined =>
  inspectJson(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), [{ ...zeus, ...pattern }])?.matched[0];
const base64 = (text: string, encoding: BufferEncoding = 'utf8'): string => Buffer.from(text, encoding).toString('base64');

test('a space in a pattern stands for any white space, unless it is escaped, in a class, or nothing is folded', () => {
  for (const text of ['project zeus', 'project  zeus', 'project\tzeus', 'project\n zeus', 'project\u1680zeus', 'project\u2028zeus'])
    expect([text, found({ input: text }), found({ input: text }, { fold: false })]).toEqual([text, true, text === 'project zeus']);
  expect(found({ input: 'projectzeus' })).toBe(false);
  for (const [source, text, wanted] of [
    [String.raw`project\ zeus`, 'project  zeus', false],
    [String.raw`project\ zeus`, 'project zeus', true],
    ['project[ -]zeus', 'project\nzeus', false],
    ['project ?zeus', 'projectzeus', true],
    ['project ?zeus', 'project\nzeus', true],
    ['project {2}zeus', 'project \tzeus', true],
    ['project {2}zeus', 'project zeus', false],
    ['a  b', 'a\nb', true],
  ] as const)
    expect([source, text, found({ input: text }, { source })]).toEqual([source, text, wanted]);
});

test('what would be read is not taken for more than it says', () => {
  expect(found({ input: '100%ze us, project %7' })).toBe(false);
  expect(found({ input: 'project \u{1F1E9}\u{1F1EA} zeus' })).toBe(false);
  expect(found({ input: `project ${base64('zebra and more words')}` }, { base64: true })).toBe(false);
});

describe('every text that a model or a tool reads', () => {
  const bodies: Readonly<Record<string, object>> = {
    'a chat message': { messages: [{ role: 'user', content: secret }] },
    'an early message among many': {
      messages: [{ role: 'user', content: secret }, ...Array.from({ length: 500 }, () => ({ role: 'user', content: 'x'.repeat(100) }))],
    },
    'a system prompt': { system: [{ type: 'text', text: secret }] },
    'the last letter of a long text': { messages: [{ role: 'user', content: 'lorem ipsum '.repeat(5_000) + secret }] },
    'the middle of a long text': {
      messages: [{ role: 'user', content: 'lorem ipsum '.repeat(9_000) + secret + ' lorem ipsum'.repeat(9_000) }],
    },
    'a tool’s description': { tools: [{ type: 'function', function: { name: 'f', description: secret } }] },
    'a parameter’s name': {
      tools: [
        { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { 'project zeus': { type: 'string' } } } } },
      ],
    },
    'a parameter’s values': { tools: [{ input_schema: { properties: { a: { enum: ['x', secret] } } } }] },
    'arguments of a call': {
      messages: [{ role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'f', arguments: JSON.stringify({ a: secret }) } }] }],
    },
    'escaped arguments of a call': {
      messages: [{ role: 'assistant', tool_calls: [{ function: { arguments: '{"a":"project \\u007aeus"}' } }] }],
    },
    'JSON in JSON in JSON': {
      messages: [{ role: 'tool', content: JSON.stringify({ a: JSON.stringify({ b: '\\' }) }).replace('\\\\\\\\', '\\\\u0070roject zeus') }],
    },
    'Anthropic’s tool use': { messages: [{ content: [{ type: 'tool_use', id: 't', name: 'f', input: { deep: [{ id: secret }] } }] }] },
    'Anthropic’s tool result': {
      messages: [{ content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: secret }] }] }],
    },
    'a text document': {
      messages: [{ content: [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: secret }, title: 't' }] }],
    },
    'a document’s title': { messages: [{ content: [{ type: 'document', source: { type: 'url', url: 'https://a' }, title: secret }] }] },
    'a text file in base64': {
      messages: [{ content: [{ type: 'file', file: { filename: 'a', file_data: `data:text/plain;base64,${base64(secret)}` } }] }],
    },
    'Gemini’s inline text': { contents: [{ parts: [{ inlineData: { mimeType: 'text/plain', data: base64(secret) } }] }] },
    'inline text in UTF-16': { contents: [{ parts: [{ inlineData: { mimeType: 'text/plain', data: base64(secret, 'utf16le') } }] }] },
    thinking: { messages: [{ content: [{ type: 'thinking', thinking: secret, signature: 'abc' }] }] },
    'Gemini’s function call': { contents: [{ parts: [{ functionCall: { name: 'f', args: { id: secret } } }] }] },
    'Gemini’s function response': { contents: [{ parts: [{ functionResponse: { name: 'f', response: { output: secret } } }] }] },
    'a Responses instruction': { instructions: secret, input: 'hi' },
    'a Responses output list': { input: [{ type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: secret }] }] },
    'prompt variables': { prompt: { id: 'pmpt_1', variables: { who: secret } } },
    'an embedding': { input: ['a', secret] },
    'an image’s prompt': { prompt: secret, n: 1 },
    speech: { voice: 'alloy', input: secret },
    'two parts side by side': {
      messages: [
        {
          content: [
            { type: 'text', text: 'project ' },
            { type: 'text', text: 'zeus' },
          ],
        },
      ],
    },
    'Gemini parts side by side': { contents: [{ parts: [{ text: 'pro' }, { text: 'ject zeus' }] }] },
    'Cohere’s documents': { documents: [{ id: '1', data: { snippet: secret } }] },
    'Bedrock’s tool result': { messages: [{ content: [{ toolResult: { toolUseId: 't', content: [{ json: { a: secret } }] } }] }] },
    'a role that is a text': { messages: [{ role: secret, content: 'x' }] },
  };
  test.each(Object.entries(bodies))('%s', (_name, body) => {
    expect(found(body)).toBe(true);
    expect(found(body, { source: 'project hera' })).toBe(false);
  });

  it('reads numbers and names of what tools make up, and none elsewhere', () => {
    const card = { source: '4111111111111111', ignoreCase: false };
    expect(found({ contents: [{ parts: [{ functionCall: { args: { card: 4111111111111111 } } }] }] }, card)).toBe(true);
    expect(found({ seed: 4111111111111111, messages: [] }, card)).toBe(false);
  });

  it('takes no name that the provider alone reads for a text', () => {
    const digits = { source: String.raw`\d{6}`, ignoreCase: false };
    expect(
      found(
        {
          model: 'gpt-123456',
          user: 'u-123456',
          metadata: { a: '123456' },
          messages: [{ role: 'tool', tool_call_id: 'call_123456', content: 'x' }],
        },
        digits,
      ),
    ).toBe(false);
    expect(found({ user: 'it is 123456', messages: [] }, digits)).toBe(true);
  });

  it('looks into no image', () => {
    const body = {
      messages: [
        {
          content: [
            { type: 'image_url', image_url: { url: 'data:image/png;base64,projectzeus' } },
            { type: 'image', source: { media_type: 'image/png', data: 'projectzeus' } },
          ],
        },
      ],
    };
    expect(found(body, { source: 'projectzeus' })).toBe(false);
  });
});

describe('other ways to write it', () => {
  test.each(['Ｐｒｏｊｅｃｔ　Ｚｅｕｓ', 'pro\u200bject zeus', 'project\u00a0zeus', 'pro\u00adject ze\ufe0fus'])(
    '%s is folded',
    (content) => {
      expect(found({ messages: [{ content }] })).toBe(true);
      expect(found({ messages: [{ content }] }, { fold: false })).toBe(false);
    },
  );
  it('decodes base64 inside of texts where the rule wants it', () => {
    const body = { messages: [{ content: `decode this: ${base64(secret)}` }] };
    expect(found(body)).toBe(false);
    expect(found(body, { base64: true })).toBe(true);
  });
  it('takes ^ and $ for the ends of any line', () => {
    expect(found({ messages: [{ content: 'a' }, { content: 'secret' }] }, { source: '^secret$' })).toBe(true);
  });
});

describe('what cannot be read', () => {
  it('is said: token numbers, and text beyond the bound', () => {
    expect(inspectJson(Buffer.from('{"input":[1,2,3]}'), [zeus])).toEqual({ matched: [false], unread: true });
    expect(inspectJson(Buffer.from('{"prompt":[[1,2],[3]]}'), [zeus])?.unread).toBe(true);
    expect(inspectJson(Buffer.from(JSON.stringify({ messages: [{ content: 'x'.repeat(limits.inspectedUnits + 1) }] })), [])?.unread).toBe(
      true,
    );
    expect(inspectJson(Buffer.from('no json'), [zeus])).toBeNull();
  });
  it('reads forms and lines of JSON as they are', () => {
    const lines = `--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n{"body":{"messages":[{"content":"project \\u007aeus"}]}}\n{}\r\n--B--`;
    expect(inspectPlain(Buffer.from(lines), [zeus]).matched).toEqual([true]);
    expect(inspectPlain(Buffer.from(secret, 'utf16le'), [zeus]).matched).toEqual([true]);
    expect(inspectPlain(Buffer.from([0xff, 0, 0x80]), [zeus])).toEqual({ matched: [false], unread: false });
  });
});

test.each(['(a+)+$', '(a|a)*b', String.raw`\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b`, String.raw`(\w+\s?)*$x`])(
  '%s takes time that grows as the text does',
  (source) => {
    const time = (units: number): number => {
      const body = Buffer.from(JSON.stringify({ messages: [{ content: `${'a'.repeat(units)}!` }] }));
      const begin = performance.now();
      inspectJson(body, [{ ...zeus, source, ignoreCase: false }]);
      return performance.now() - begin;
    };
    time(10_000);
    // Quadratic time would be 256 times as much.
    expect(time(320_000)).toBeLessThan(Math.max(20, time(20_000)) * 100);
  },
);
