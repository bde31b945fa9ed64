import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { nearKeyOf, queryOf, type Pairs } from '../exchange/testing/cache-harness.ts';
import { runs } from '../../test/support/fuzz.ts';

const generation = compiled(`
version: 1
workspaces: { headers: [x-sluice-workspace, x-team] }
providers: { google: { dialect: gemini, endpoint: "https://generativelanguage.googleapis.com", catalog: openai } }
defaults: { cache: { mode: on, partitionHeaders: [X-Tenant] } }
sections:
  - { name: shared, match: { workspace: [shared] }, cache: { mode: on, share: workspace } }
  - { name: near, match: { workspace: [near] }, cache: { mode: on, semantic: strict, partitionHeaders: [x-tenant] } }
  - { name: far, match: { workspace: [far] }, cache: { mode: on, semantic: wide } }
  - { name: talks, match: { workspace: [talks] }, cache: { mode: on }, rules: [{ name: a, when: 'caller.session == "s"', then: { keep: true } }] }
`);

const key = (body: string | object, pairs: Pairs = [], options: Parameters<typeof queryOf>[3] = {}): string =>
  queryOf(generation, typeof body === 'string' ? body : JSON.stringify(body), pairs, options)!.key;
const chat = { model: 'gpt-large', messages: [{ role: 'user', content: 'Hi "there"' }] };

describe('two requests that share an answer', () => {
  it('may differ in the order of members, in white space, in who is named, and in how the answer is carried', () => {
    const same = key(chat);
    expect(same).toMatch(/^[0-9a-f]{64}$/);
    expect(key({ messages: chat.messages, model: chat.model })).toBe(same);
    expect(key(JSON.stringify(chat, null, 3))).toBe(same);
    expect(key(` {"model" :"gpt-large",\n"messages":[ {"role":\t"user","content":"Hi \\"there\\""} ]} `)).toBe(same);
    expect(key({ ...chat, stream: true, stream_options: { include_usage: true }, user: 'u1', metadata: { a: 'b' } })).toBe(same);
    expect(key({ ...chat, stop: null, tools: null })).toBe(same);
    const body = { contents: [{ parts: [{ text: 'hi' }] }] };
    const paths = [
      '/v1beta/models/gemini-x:generateContent',
      '/v1beta/models/gemini-x:streamGenerateContent?alt=sse',
      '/v1beta/models/gemini-x:streamGenerateContent',
    ];
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
      key({ ...chat, unheardOf: 0 }),
      // Composed and decomposed: other letters, another request.
      key('{"model":"gpt-large","messages":[{"role":"user","content":"\u00e9"}]}'),
      key('{"model":"gpt-large","messages":[{"role":"user","content":"e\u0301"}]}'),
      // Parsers disagree on which of two members counts.
      key('{"model":"gpt-large","messages":[],"messages":[{"role":"user","content":"a"}]}'),
      key('{"model":"gpt-large","messages":[{"role":"user","content":"a"}],"messages":[]}'),
      key(chat, [], { path: '/v1/chat/completions?api-version=2' }),
      key(chat, [], { routeOff: true }),
      ...(
        [
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
        ] as const
      ).map((pair) => key(chat, [pair])),
      key(chat, [
        ['x-tenant', 'a'],
        ['x-tenant', 'b'],
      ]),
      key(chat, [
        ['x-tenant', 'b'],
        ['x-tenant', 'a'],
      ]),
      // Longer than what the record keeps of a workspace.
      key(chat, [['x-sluice-workspace', `${'w'.repeat(200)}1`]]),
      key(chat, [['x-sluice-workspace', `${'w'.repeat(200)}2`]]),
    ];
    expect(new Set(variants).size).toBe(variants.length);
  });

  it('need the same key of their provider only where the policy does not share', () => {
    const of = (workspace: string, token: string): string =>
      key(chat, [
        ['x-sluice-workspace', workspace],
        ['authorization', token],
      ]);
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
      runs(300),
    );
  });
});

describe('two requests that ask the same', () => {
  const near = (body: string | object, pairs: Pairs = [], path?: string): string | null =>
    nearKeyOf(
      generation,
      typeof body === 'string' ? body : JSON.stringify(body),
      [['x-sluice-workspace', 'near'], ...pairs],
      path === undefined ? {} : { path },
    );
  const ask = (content: unknown, more: object = {}): object => ({ model: 'gpt-large', messages: [{ role: 'user', content }], ...more });
  const same = near(ask('What is the "CDN" of a site?'));

  it('differ in their question alone, however it is written into the body', () => {
    expect(same).toMatch(/^[0-9a-f]{64}$/);
    expect(near(ask('what is a "CDN" of website'))).toBe(same);
    expect(near(JSON.stringify(ask('What is the "CDN" of a site?'), null, 2))).toBe(same);
    expect(near('{"messages":[{"role":"user","content":"what is\\u0020the \\"CDN\\" of a site"}],"model":"gpt-large","stream":true}')).toBe(
      same,
    );
    expect(near(ask([{ type: 'text', text: 'What is a CDN?' }]))).toBe(near(ask([{ type: 'text', text: 'what is the CDN' }])));
    const gemini = (text: string): string | null =>
      near(
        { contents: [{ parts: [{ text }] }], systemInstruction: { parts: [{ text: 'Be brief.' }] } },
        [],
        '/v1beta/models/gemini-x:generateContent',
      );
    expect(gemini('What is a CDN?')).toBe(gemini('what is the CDN'));
    expect(gemini('What is a CDN?')).not.toBeNull();
  });

  it('must agree in everything else', () => {
    const turns = (first: string): object => ({
      model: 'gpt-large',
      messages: [
        { role: 'user', content: first },
        { role: 'assistant', content: 'Yes.' },
        { role: 'user', content: 'What is the "CDN" of a site?' },
      ],
    });
    const keys = [
      same,
      near(ask('What is the "CDN" of a page?')),
      near(ask('What is the "cdn" of a site?')),
      near({ ...ask('What is the "CDN" of a site?'), model: 'gpt-small' }),
      near(ask('What is the "CDN" of a site?', { temperature: 0 })),
      near(ask('What is the "CDN" of a site?', { tools: [] })),
      near(ask([{ type: 'text', text: 'What is the "CDN" of a site?' }])),
      near(
        ask([
          { type: 'text', text: 'What is the "CDN" of a site?' },
          { type: 'image_url', image_url: { url: 'data:a' } },
        ]),
      ),
      near(
        ask([
          { type: 'text', text: 'What is the "CDN" of a site?' },
          { type: 'image_url', image_url: { url: 'data:b' } },
        ]),
      ),
      near(turns('What is a site?')),
      near(turns('what is the site')),
      near(ask('What is the "CDN" of a site?'), [['authorization', 'Bearer a']]),
      near(ask('What is the "CDN" of a site?'), [['x-tenant', 'a']]),
      queryOf(generation, JSON.stringify(ask('what is "CDN" of site')), [['x-sluice-workspace', 'near']])!.key,
      nearKeyOf(generation, JSON.stringify(ask('What is the "CDN" of a site?')), [['x-sluice-workspace', 'far']]),
    ];
    expect(keys).not.toContain(null);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('are not looked for where the policy does not say so, or the last turn is no question alone', () => {
    expect(nearKeyOf(generation, JSON.stringify(ask('What is a CDN?')))).toBeNull();
    expect(
      near(
        ask([
          { type: 'text', text: 'What is a CDN?' },
          { type: 'text', text: 'And why?' },
        ]),
      ),
    ).toBeNull();
    expect(
      near({
        model: 'gpt-large',
        messages: [
          { role: 'user', content: 'What is a CDN?' },
          { role: 'assistant', content: 'A CDN is' },
        ],
      }),
    ).toBeNull();
    expect(
      near({
        model: 'gpt-large',
        messages: [
          { role: 'user', content: 'What is a CDN?' },
          { role: 'tool', tool_call_id: 'a', content: 'What is a CDN?' },
        ],
      }),
    ).toBeNull();
    expect(near(ask('What is this?\nfoo'))).toBeNull();
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

describe('one form of a request', () => {
  it('numbers and the order of members at any depth do not matter', () => {
    const text = (temperature: string, parameters: string): string =>
      `{"model":"gpt-large","temperature":${temperature},"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":${parameters}}}]}`;
    const same = key(text('0.7', '{"type":"object","properties":{"a":{"minimum":1}}}'));
    expect(key(text('0.70', '{"properties":{"a":{"minimum":1.0}},"type":"object"}'))).toBe(same);
    expect(key(text('7e-1', '{"type":"object","properties":{"a":{"minimum":1}}}'))).toBe(same);
    expect(key(text('0.7', '{"type":"object","properties":{"a":{"minimum":2}}}'))).not.toBe(same);
  });

  it('numbers that JavaScript would change, the order of lists, and members that stand twice do', () => {
    const seeded = (seed: string): string => `{"model":"gpt-large","seed":${seed},"messages":[]}`;
    expect(key(seeded('12345678901234567890'))).not.toBe(key(seeded('12345678901234567891')));
    expect(key({ ...chat, stop: ['a', 'b'] })).not.toBe(key({ ...chat, stop: ['b', 'a'] }));
    expect(key('{"model":"gpt-large","messages":[{"role":"user","content":"x","content":"y"}]}')).not.toBe(
      key('{"model":"gpt-large","messages":[{"role":"user","content":"y"}]}'),
    );
  });
});

describe('a request whose answer hangs on what lives elsewhere', () => {
  const cached = (body: object, options: Parameters<typeof queryOf>[3] = {}): boolean =>
    queryOf(generation, JSON.stringify({ model: 'gpt-large', input: 'x', ...body }), [], options) !== null;
  const responses = { path: '/v1/responses' };

  it.each([
    [{ tools: [{ type: 'file_search', vector_store_ids: ['v'] }] }],
    [{ tools: [{ type: 'mcp', server_url: 'https://x' }] }],
    [{ tools: [{ type: 'web_search' }] }],
    [{ tools: [{ type: 'shell', environment: { type: 'container_auto' } }] }],
    [{ tools: [{ type: 'shell', environment: { type: 'container_reference', container_id: 'c' } }] }],
    [{ tools: [{ type: 'code_interpreter', container: { type: 'auto' } }] }],
    [{ previous_response_id: 'resp_1' }],
    [{ prompt: { id: 'pmpt_1' } }],
    [{ prompt: { id: 'pmpt_1', version: '2' } }],
    [
      {
        input: [
          { type: 'item_reference', id: 'msg_1' },
          { role: 'user', content: 'x' },
        ],
      },
    ],
  ])('is not cached: %j', (body) => expect(cached(body, responses)).toBe(false));

  it.each([
    [{ tools: [{ type: 'function', name: 'f' }] }],
    [{ tools: [{ type: 'shell', environment: { type: 'local' } }] }],
    [{ prompt: null }],
  ])('and others are: %j', (body) => expect(cached(body, responses)).toBe(true));

  it('in the other APIs', () => {
    expect(cached({ messages: [], web_search_options: {} })).toBe(false);
    expect(cached({ messages: [], search_parameters: { mode: 'auto' } })).toBe(false);
    expect(cached({ messages: [], store: true })).toBe(false);
    expect(cached({ messages: [], store: false })).toBe(true);
    expect(cached({ messages: [], model: 'gpt-4o-search-preview' })).toBe(false);
    expect(cached({ messages: [], model: 'perplexity/sonar-pro' })).toBe(false);
    expect(cached({ messages: [], model: 'openai/gpt-4.1:online' })).toBe(false);
    const google = { path: '/v1beta/models/gemini-x:generateContent' };
    expect(cached({ contents: [{ parts: [{ text: 'x' }] }], tools: [{ googleSearch: {} }] }, google)).toBe(false);
    expect(cached({ contents: [{ parts: [{ text: 'x' }] }], tools: [{ functionDeclarations: [{ name: 'f' }] }] }, google)).toBe(true);
  });
});
