import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { queryOf, type Pairs } from './testing/harness.ts';

const generation = compiled(`
version: 1
workspaces: { headers: [x-sluice-workspace, x-team] }
providers: { google: { dialect: gemini, endpoint: "https://generativelanguage.googleapis.com", catalog: openai } }
defaults: { cache: { mode: on, partitionHeaders: [X-Tenant] } }
sections:
  - { name: shared, match: { workspace: [shared] }, cache: { mode: on, share: workspace } }
  - { name: talks, match: { workspace: [talks] }, cache: { mode: on }, rules: [{ name: a, when: 'caller.session == "s"', then: { keep: true } }] }
`);

const key = (body: string | object, pairs: Pairs = [], options: Parameters<typeof queryOf>[3] = {}): string => queryOf(generation, typeof body === 'string' ? body : JSON.stringify(body), pairs, options)!.key;
const chat = { model: 'gpt-large', messages: [{ role: 'user', content: 'Hi "there"' }] };

describe('two requests that share an answer', () => {
  it('may differ in the order of members, in white space, in who is named, and in how the answer is carried', () => {
    const same = key(chat);
    expect(same).toMatch(/^[0-9a-f]{64}$/);
    expect(key({ messages: chat.messages, model: chat.model })).toBe(same);
    expect(key(JSON.stringify(chat, null, 3))).toBe(same);
    expect(key(` {"model" :"gpt-large",\n"messages":[ {"role":\t"user","content":"Hi \\"there\\""} ]} `)).toBe(same);
    expect(key({ ...chat, stream: true, stream_options: { include_usage: true }, user: 'u1', metadata: { a: 'b' } })).toBe(same);
    const body = { contents: [{ parts: [{ text: 'hi' }] }] };
    const paths = ['/v1beta/models/gemini-x:generateContent', '/v1beta/models/gemini-x:streamGenerateContent?alt=sse', '/v1beta/models/gemini-x:streamGenerateContent'];
    expect(new Set(paths.map((path) => key(body, [], { path }))).size).toBe(1);
  });

  it('must agree in everything else', () => {
    const variants = [
      key(chat),
      key({ ...chat, model: 'gpt-small' }),
      key({ ...chat, messages: [{ role: 'user', content: 'Hi  "there"' }] }),
      key({ ...chat, messages: [...chat.messages, { role: 'assistant', content: '' }] }),
      key({ ...chat, temperature: 0 }),
      key({ ...chat, temperature: 0.5 }),
      key({ ...chat, seed: 1 }),
      key({ ...chat, tools: [] }),
      key({ ...chat, unheardOf: null }),
      // Composed and decomposed, and an escape for the same letter: other bytes, another request.
      key('{"model":"gpt-large","messages":[{"role":"user","content":"\u00e9"}]}'),
      key('{"model":"gpt-large","messages":[{"role":"user","content":"e\u0301"}]}'),
      key('{"model":"gpt-large","messages":[{"role":"user","content":"\\u00e9"}]}'),
      // Parsers disagree on which of two members counts.
      key('{"model":"gpt-large","messages":[],"messages":[{"role":"user","content":"a"}]}'),
      key('{"model":"gpt-large","messages":[{"role":"user","content":"a"}],"messages":[]}'),
      key(chat, [], { path: '/v1/chat/completions?api-version=2' }),
      key(chat, [], { routeOff: true }),
      ...([
        ['authorization', 'Bearer a'],
        ['authorization', 'Bearer b'],
        ['x-api-key', 'Bearer a'],
        ['x-sluice-workspace', 'a'],
        ['x-sluice-workspace', 'a '],
        ['x-sluice-workspace', 'A'],
        ['x-team', 'a'],
        ['x-tenant', 'a'],
        ['x-sluice-quality', 'high'],
        ['x-sluice-user-tier', 'high'],
        ['openai-organization', 'o'],
        ['anthropic-beta', 'b'],
        // Names that run together with their values, and values with the separators of JSON.
        ['x-sluice-workspace', '","x-tenant","a'],
        ['x-tenant', 'a"],["x-team","a'],
      ] as const).map((pair) => key(chat, [pair])),
      key(chat, [['x-tenant', 'a'], ['x-tenant', 'b']]),
      key(chat, [['x-tenant', 'b'], ['x-tenant', 'a']]),
      // Longer than what the record keeps of a workspace.
      key(chat, [['x-sluice-workspace', `${'w'.repeat(200)}1`]]),
      key(chat, [['x-sluice-workspace', `${'w'.repeat(200)}2`]]),
    ];
    expect(new Set(variants).size).toBe(variants.length);
  });

  it('need the same key of their provider only where the policy does not share', () => {
    const of = (workspace: string, token: string): string => key(chat, [['x-sluice-workspace', workspace], ['authorization', token]]);
    expect(of('shared', 'a')).toBe(of('shared', 'b'));
    expect(of('mine', 'a')).not.toBe(of('mine', 'b'));
    const google = (query: string): string => key({ contents: [] }, [], { path: `/v1beta/models/gemini-x:generateContent?key=${query}` });
    expect(google('a')).not.toBe(google('b'));
  });

  it('need the same session only where rules look at it', () => {
    const of = (workspace: string, session: string): string => key(chat, [['x-sluice-workspace', workspace]], { session });
    expect(of('mine', 'a')).toBe(of('mine', 'b'));
    expect(of('talks', 'a')).not.toBe(of('talks', 'b'));
  });

  it('share exactly when their canonical requests agree, whatever they hold', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const body = fc.record({ messages: value, temperature: fc.constantFrom(0, 0.2), extra: value });
    // Nested members are compared in their order, as providers show them to the model.
    const canonical = (fields: object): string => JSON.stringify(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
    fc.assert(
      fc.property(body, body, fc.constantFrom(0, 1, 4), (a, b, indent) => {
        const first = key(JSON.stringify({ model: 'm', ...a }));
        expect(key(JSON.stringify(Object.fromEntries(Object.entries({ ...a, model: 'm' }).reverse()), null, indent))).toBe(first);
        expect(key(JSON.stringify({ model: 'm', ...b }, null, indent)) === first).toBe(canonical(a) === canonical(b));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a request whose answer must not be shared', () => {
  it.each([
    ['more answers than allowed', { n: 2 }],
    ['a high temperature', { temperature: 1.5 }],
    ['a conversation that the provider holds', { conversation: 'c_1' }],
    ['work in the background', { background: true }],
  ])('%s', (_name, more) => {
    expect(queryOf(generation, JSON.stringify({ ...chat, ...more }))).toBeNull();
  });
});
