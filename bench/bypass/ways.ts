import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';

/** One way in which somebody tries to get past a rule. */
export interface Way {
  readonly kind: string;
  readonly what: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer | string;
}

/** The text that must not leave, and the model that must not be asked. */
export const secret = 'please look at Project Zeus today';
export const bannedModel = 'gpt-4.1';

export const chatPath = '/v1/chat/completions';
export const json = (value: unknown): string => JSON.stringify(value);
export const chat = (content: unknown = secret, more: object = {}): string =>
  json({ model: 'gpt-5.1', messages: [{ role: 'user', content }], ...more });
export const base64 = (text: string, encoding: BufferEncoding = 'utf8'): string => Buffer.from(text, encoding).toString('base64');
export const way = (kind: string, what: string, body: Buffer | string, more: Partial<Way> = {}): Way => ({
  kind,
  what,
  path: chatPath,
  body,
  ...more,
});
export const claude = (more: object): string =>
  json({ model: 'claude-sonnet-4-5', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }], ...more });
const gemini = (parts: unknown): string => json({ contents: [{ parts }] });
export const geminiPath = '/v1beta/models/gemini-2.5-flash:generateContent';
export const messagesPath = '/v1/messages';
export const responsesPath = '/v1/responses';

function callers(): Way[] {
  const hints: readonly (readonly [string, Readonly<Record<string, string | readonly string[]>>])[] = [
    ['route off', { 'x-sluice-route': 'off' }],
    ['ROUTE OFF', { 'x-sluice-route': 'OFF' }],
    ['route off, twice', { 'x-sluice-route': ['off', 'off'] }],
    ['best quality', { 'x-sluice-quality': 'best' }],
    ['a task', { 'x-sluice-task': 'classification' }],
    ['a session', { 'x-sluice-session': 's' }],
    ['no cache', { 'x-sluice-cache': 'no-store' }],
    ['a user tier', { 'x-sluice-user-tier': 'gold' }],
    ['a cluster of its own', { 'x-sluice-cluster': 'provider_openai' }],
    ['a chain of its own', { 'x-sluice-chain': 'gate' }],
    ['a copy of its own', { 'x-sluice-mirror': 'provider_openai' }],
    ['an original path', { 'x-envoy-original-path': '/healthz' }],
    ['a method override', { 'x-http-method-override': 'GET' }],
    ['retries', { 'x-envoy-max-retries': '9', 'x-envoy-retry-on': '5xx' }],
  ];
  return [
    ...hints.map(([what, headers]) => way('caller', what, chat(), { headers })),
    ...hints
      .slice(0, 6)
      .map(([what, headers]) => way('caller', `a banned model with ${what}`, chat('hi', { model: bannedModel }), { headers })),
  ];
}

function encodings(): Way[] {
  const body = chat();
  const coded: readonly (readonly [string, Buffer | string])[] = [
    ['gzip', gzipSync(body)],
    ['x-gzip', gzipSync(body)],
    ['GZIP', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['deflate', deflateRawSync(body)],
    ['br', brotliCompressSync(body)],
    ['zstd', zstdCompressSync(body)],
    ['gzip, br', brotliCompressSync(gzipSync(body))],
    ['gzip, gzip, gzip', gzipSync(gzipSync(gzipSync(body)))],
    ['identity', body],
    ['identity, gzip', gzipSync(body)],
    ['gzip', body],
    ['compress', body],
    ['aws-chunked', body],
    ['unknown', gzipSync(body)],
  ];
  const types = [
    'text/plain',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=B',
    'application/json; charset=utf-16',
    'application/problem+json',
    'text/json',
    'APPLICATION/JSON',
    'application/x-ndjson',
    '',
  ];
  return [
    ...coded.map(([encoding, bytes], at) =>
      way('encoding', `content-encoding ${encoding} (${at + 1})`, bytes, { headers: { 'content-encoding': encoding } }),
    ),
    ...types.map((type) =>
      way('encoding', type === '' ? 'no content type' : `content type ${type}`, body, { headers: { 'content-type': type } }),
    ),
    way('encoding', 'a byte order mark', `\ufeff${body}`),
    way('encoding', 'UTF-16, little end', Buffer.from(`\ufeff${body}`, 'utf16le')),
    way('encoding', 'UTF-16, big end', Buffer.from(body, 'utf16le').swap16()),
    way('encoding', 'Latin-1', Buffer.from(chat(`${secret} é`), 'latin1')),
    way('encoding', 'chunks', body, { headers: { 'transfer-encoding': 'chunked' } }),
  ];
}

function grammar(): Way[] {
  const body = chat();
  const odd: readonly (readonly [string, string])[] = [
    ['NaN', body.replace('{', '{"temperature":NaN,')],
    ['Infinity', body.replace('{', '{"top_p":Infinity,')],
    ['a lone surrogate', body.replace('Zeus', 'Zeus \\ud83d')],
    ['deep nesting', body.replace('{', `{"a":${'['.repeat(600)}${']'.repeat(600)},`)],
    ['no model', json({ messages: [{ role: 'user', content: secret }] })],
    ['model null', body.replace('"gpt-5.1"', 'null')],
    ['model null, then a name', body.replace('{', '{"model":null,')],
    ['a name, then null', body.replace('"messages"', '"model":null,"messages"')],
    ['two names', body.replace('{', '{"model":"gpt-4o",')],
    ['a model that is a number', body.replace('"gpt-5.1"', '5')],
    ['a model of 300 letters', body.replace('gpt-5.1', 'g'.repeat(300))],
    ['an empty model', body.replace('gpt-5.1', '')],
    ['messages twice, the first clean', body.replace('{', '{"messages":[{"role":"user","content":"hi"}],')],
    ['messages twice, the last clean', body.replace(/\}$/, ',"messages":[{"role":"user","content":"hi"}]}')],
    ['escaped letters', body.replace('Zeus', '\\u005aeus')],
    ['an escaped name of the member', body.replace('"content"', '"\\u0063ontent"')],
    ['a comment', body.replace('{', '{/* */')],
    ['a comma too many', body.replace(/\}$/, ',}')],
    ['single quotes', body.replaceAll('"', "'")],
    ['bytes behind it', `${body} x`],
    ['another object behind it', `${body}{}`],
    ['an array', `[${body}]`],
    ['a string', json(body)],
    ['much white space', body.replace('{', `{${' '.repeat(100_000)}`)],
    ['a control character', body.replace('Zeus', 'Zeus \u0001')],
    ['an escaped slash', body.replace('Zeus', 'Zeus\\/')],
    ['1,000 members before it', body.replace('{', `{${Array.from({ length: 1_000 }, (_, at) => `"k${at}":1,`).join('')}`)],
    ['a member named __proto__', body.replace('{', '{"__proto__":{"model":"x"},')],
  ];
  return odd.map(([what, text]) => way('JSON', what, text));
}

function paths(): Way[] {
  const spellings = [
    '/v1//chat/completions',
    '//v1/chat/completions',
    '/v1/chat/completions/',
    '/v1/chat/completions//',
    '/v1/chat%2Fcompletions',
    '/v1/chat%2fcompletions',
    '/v1%2Fchat/completions',
    '/v1/chat/completion%73',
    '/v1/%63hat/completions',
    '/%76%31/chat/completions',
    '/v1/CHAT/completions',
    '/V1/Chat/Completions',
    '/v1/./chat/completions',
    '/v1/x/../chat/completions',
    '/v1/chat/%2e/completions',
    '/v1/chat/x/%2e%2e/completions',
    '/v1/chat/completions?x=/healthz',
    '/v1/chat/completions;x=1',
    '/v1/chat/completions%20',
    '/v1/chat/completions%00',
    '/v1/chat\\completions',
    '/v1/chat/completions%3F',
    '/v1/chat/completion%2573',
    '/openai-api/v1/chat/completions',
    '/openai-api//v1/chat/completions/',
    '/openai-api/v1/chat%2Fcompletions',
    '/v1/v1/chat/completions',
    '/v1/engines/x/chat/completions',
    '/v1/unknown',
  ];
  const other = [
    '/v1beta/models/gemini-2.5-flash%3AgenerateContent',
    '/v1beta/models/gemini-2.5-flash%3agenerateContent',
    '/v1beta//models/gemini-2.5-flash:generateContent',
    '/v1beta/models/gemini-2.5-flash:GenerateContent',
    '/v1alpha/models/gemini-2.5-flash:generateContent',
    '/v1beta/tunedModels/x:generateContent',
    '/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent',
    '/v1beta/models/gemini-2.5-flash:streamGenerateContent',
    '/v1beta/openai/chat/completions',
    '/google/v1beta/models/gemini-2.5-flash:generateContent/',
  ];
  return [
    ...spellings.map((path) => way('path', path, chat(), { path })),
    ...other.map((path) => way('path', path, gemini([{ text: secret }]), { path })),
    ...['/v1/messages/', '/v1//messages', '/v1/MESSAGES', '/anthropic/v1/messages'].map((path) =>
      way('path', path, claude({ system: secret }), { path }),
    ),
  ];
}

function places(): Way[] {
  const anthropic = (what: string, more: object): Way => way('place', `Anthropic: ${what}`, claude(more), { path: messagesPath });
  const google = (what: string, body: object): Way => way('place', `Gemini: ${what}`, json(body), { path: geminiPath });
  const responses = (what: string, body: object): Way =>
    way('place', `Responses: ${what}`, json({ model: 'gpt-5.1', ...body }), { path: responsesPath });
  const inChat = (what: string, body: object): Way =>
    way('place', `chat: ${what}`, json({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'hi' }], ...body }));
  const messages = (...list: object[]): object => ({ messages: list });
  const filler = 'lorem ipsum '.repeat(4_000);
  return [
    inChat('the system prompt', messages({ role: 'system', content: secret })),
    inChat('a developer’s message', messages({ role: 'developer', content: secret })),
    inChat(
      'an early message',
      messages({ role: 'user', content: secret }, ...Array.from({ length: 300 }, () => ({ role: 'user', content: 'x'.repeat(200) }))),
    ),
    inChat('an assistant’s message', messages({ role: 'assistant', content: secret })),
    inChat('a tool’s result', messages({ role: 'tool', tool_call_id: 'c', content: secret })),
    inChat(
      'arguments',
      messages({ role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: json({ a: secret }) } }] }),
    ),
    inChat(
      'escaped arguments',
      messages({
        role: 'assistant',
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"a":"project \\u007aeus"}' } }],
      }),
    ),
    inChat('a tool’s description', { tools: [{ type: 'function', function: { name: 'f', description: secret } }] }),
    inChat('a parameter’s name', {
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { 'project zeus': {} } } } }],
    }),
    inChat('a schema', { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { description: secret } } } }),
    inChat('a prediction', { prediction: { type: 'content', content: secret } }),
    inChat(
      'a text file',
      messages({
        role: 'user',
        content: [{ type: 'file', file: { file_data: `data:text/plain;base64,${base64(secret)}`, filename: 'a' } }],
      }),
    ),
    inChat('a stop word', { stop: [secret] }),
    inChat('a name', messages({ role: 'user', name: 'project zeus', content: 'x' })),
    inChat('the end of a long text', messages({ role: 'user', content: filler + secret })),
    inChat('the middle of a long text', messages({ role: 'user', content: filler + secret + filler })),
    inChat('the beginning of a long text', messages({ role: 'user', content: secret + filler })),
    inChat('a body of a megabyte', messages({ role: 'user', content: 'x '.repeat(500_000) + secret })),
    inChat('reasoning', messages({ role: 'assistant', content: 'a', reasoning_content: secret })),
    anthropic('system', { system: [{ type: 'text', text: secret }] }),
    anthropic('a document', {
      messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: secret } }] }],
    }),
    anthropic('a document’s context', {
      messages: [
        { role: 'user', content: [{ type: 'document', context: secret, source: { type: 'text', media_type: 'text/plain', data: 'a' } }] },
      ],
    }),
    anthropic('a tool’s result', {
      messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: secret }] }] }],
    }),
    anthropic('tool use', {
      messages: [{ role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: { id: secret } }] }],
    }),
    anthropic('thinking', { messages: [{ role: 'assistant', content: [{ type: 'thinking', thinking: secret, signature: 's' }] }] }),
    anthropic('a search result', {
      messages: [
        { role: 'user', content: [{ type: 'search_result', source: 'a', title: 'b', content: [{ type: 'text', text: secret }] }] },
      ],
    }),
    anthropic('a tool', { tools: [{ name: 'f', description: secret, input_schema: { type: 'object' } }] }),
    google('the system instruction', { systemInstruction: { parts: [{ text: secret }] }, contents: [] }),
    google('a function’s response', { contents: [{ parts: [{ functionResponse: { name: 'f', response: { output: secret } } }] }] }),
    google('a function’s call', { contents: [{ parts: [{ functionCall: { name: 'f', args: { id: secret } } }] }] }),
    google('inline text', { contents: [{ parts: [{ inlineData: { mimeType: 'text/plain', data: base64(secret) } }] }] }),
    google('inline text in UTF-16', {
      contents: [{ parts: [{ inlineData: { mimeType: 'text/plain', data: base64(secret, 'utf16le') } }] }],
    }),
    google('code', { contents: [{ parts: [{ executableCode: { language: 'PYTHON', code: secret } }] }] }),
    google('a declaration', { contents: [], tools: [{ functionDeclarations: [{ name: 'f', description: secret }] }] }),
    google('parts side by side', { contents: [{ parts: [{ text: 'project ' }, { text: 'zeus' }] }] }),
    responses('instructions', { instructions: secret, input: 'hi' }),
    responses('input', { input: secret }),
    responses('an output list', {
      input: [{ type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: secret }] }],
    }),
    responses('prompt variables', { prompt: { id: 'p', variables: { who: secret } } }),
    responses('arguments', { input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: json({ a: secret }) }] }),
    responses('a remote tool', {
      input: 'hi',
      tools: [{ type: 'mcp', server_label: 'a', server_url: 'https://a.test', server_description: secret }],
    }),
  ];
}

function apis(): Way[] {
  const post = (path: string, body: unknown, headers: Way['headers'] = {}): Way =>
    way('API', path, typeof body === 'string' ? body : json(body), { path, headers });
  return [
    post('/v1/completions', { model: 'gpt-3.5-turbo-instruct', prompt: ['a', secret] }),
    post('/v1/completions', { model: 'gpt-3.5-turbo-instruct', prompt: [1, 2, 3] }),
    post('/v1/embeddings', { model: 'text-embedding-3-small', input: ['a', secret] }),
    post('/v1/images/generations', { model: 'gpt-image-1', prompt: secret }),
    post('/v1/audio/speech', { model: 'tts-1', voice: 'alloy', input: secret }),
    post('/v1/moderations', { input: [{ type: 'text', text: secret }] }),
    post('/v1/responses/compact', { model: 'gpt-5.1', input: secret }),
    post('/v1/responses/input_tokens', { model: 'gpt-5.1', input: secret }),
    post('/v1/conversations', { items: [{ type: 'message', role: 'user', content: secret }] }),
    post('/v1/conversations/c/items', { items: [{ role: 'user', content: secret }] }),
    post('/v1/threads', { messages: [{ role: 'user', content: secret }] }),
    post('/v1/threads/t/messages', { role: 'user', content: secret }),
    post('/v1/threads/t/runs', { assistant_id: 'a', instructions: secret }),
    post('/v1/assistants', { model: 'gpt-4.1-mini', instructions: secret }),
    post(
      '/v1/files',
      `--B\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{"body":{"messages":[{"content":"project \\u007aeus"}]}}\r\n--B--\r\n`,
      { 'content-type': 'multipart/form-data; boundary=B' },
    ),
    post('/v1/uploads/u/parts', `--B\r\nContent-Disposition: form-data; name="data"\r\n\r\n${secret}\r\n--B--\r\n`, {
      'content-type': 'multipart/form-data; boundary=B',
    }),
    post('/v1/vector_stores/v/search', { query: secret }),
    post('/v1/videos', { prompt: secret }),
    post('/v1/evals', { data: secret }),
    post('/v1/realtime/client_secrets', { session: { instructions: secret } }),
    post('/v1/messages/count_tokens', { model: 'claude-sonnet-4-5', messages: [{ role: 'user', content: secret }] }),
    post('/v1/messages/batches', { requests: [{ custom_id: 'a', params: { system: secret } }] }),
    post('/v1/complete', { model: 'claude-2', prompt: secret }),
    post('/v1beta/models/gemini-2.5-flash:countTokens', { contents: [{ parts: [{ text: secret }] }] }),
    post('/v1beta/models/gemini-embedding-001:embedContent', { content: { parts: [{ text: secret }] } }),
    post('/v1beta/models/gemini-embedding-001:batchEmbedContents', { requests: [{ content: { parts: [{ text: secret }] } }] }),
    post('/v1beta/models/gemini-2.5-flash:batchGenerateContent', {
      batch: { input_config: { requests: { requests: [{ request: { contents: [{ parts: [{ text: secret }] }] } }] } } },
    }),
    post('/v1beta/cachedContents', { contents: [{ parts: [{ text: secret }] }] }),
    post('/upload/v1beta/files', secret, { 'content-type': 'text/plain' }),
    post('/v1beta/interactions', { input: secret }),
    post('/v1beta/models/imagen-4:predict', { instances: [{ prompt: secret }] }),
    way('API', 'PUT', chat(), { method: 'PUT' }),
    way('API', 'PATCH', chat(), { method: 'PATCH' }),
    way('API', 'GET with a body', chat(), { method: 'GET' }),
    way('API', 'DELETE with a body', chat(), { method: 'DELETE' }),
    ...sockets('API'),
  ];
}

function sockets(kind: string): Way[] {
  return [
    '/v1/realtime?model=gpt-realtime',
    '/v1/responses',
    '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent',
  ].map((path) =>
    way(kind, `WebSocket ${path}`, '', {
      path,
      method: 'GET',
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    }),
  );
}

function spellings(): Way[] {
  const texts: readonly (readonly [string, string])[] = [
    ['full-width', 'Ｐｒｏｊｅｃｔ Ｚｅｕｓ'],
    ['a zero-width space', 'Pro\u200bject Zeus'],
    ['a soft hyphen', 'Pro\u00adject Zeus'],
    ['a space that does not break', 'Project\u00a0Zeus'],
    ['an ideographic space', 'Project\u3000Zeus'],
    ['a word joiner', 'Project\u2060 Zeus'],
    ['direction marks', 'Project \u202aZeus\u202c'],
    ['tags', 'Pro\u{e0061}ject Zeus'],
    ['mathematical letters', '𝐏𝐫𝐨𝐣𝐞𝐜𝐭 𝐙𝐞𝐮𝐬'],
    ['letters in circles', 'Ⓟⓡⓞⓙⓔⓒⓣ Ⓩⓔⓤⓢ'],
    ['a variation selector', 'Projec\ufe0ft Zeus'],
    ['capitals', 'PROJECT ZEUS'],
    ['base64', base64(secret)],
    ['base64 without its end', base64(secret).replace(/=+$/, '')],
    ['base64 for URLs', Buffer.from(secret).toString('base64url')],
  ];
  return [
    ...texts.map(([what, text]) => way('spelling', what, chat(text))),
    way(
      'spelling',
      'two parts',
      chat([
        { type: 'text', text: 'Project ' },
        { type: 'text', text: 'Zeus' },
      ]),
    ),
    way('spelling', 'a letter a part', chat(Array.from(secret, (text) => ({ type: 'text', text })))),
  ];
}

function bans(): Way[] {
  const names = [
    'GPT-4.1',
    ' gpt-4.1',
    'gpt-4.1 ',
    'gpt-4.1\u200b',
    'ｇｐｔ-4.1',
    'openai/gpt-4.1',
    'gpt-4.1-2025-04-14',
    'gpt-4.1-latest',
    'ft:gpt-4.1-2025-04-14:acme::id',
    'models/gpt-4.1',
    'gpt-4.1@20250414',
    '\tgpt-4.1',
    'gpt-4.1/',
  ];
  return names.map((model) => way('banned model', json(model), chat('hi', { model })));
}

/** Ways around a block: each holds the secret text or asks for the banned model. */
export function waysAroundBlock(): readonly Way[] {
  return [...callers(), ...encodings(), ...grammar(), ...paths(), ...places(), ...apis(), ...spellings(), ...bans()];
}

/** Calls that are not decided, and that somebody pays for. */
function observedCalls(): Way[] {
  const post = (path: string, body: unknown, headers: Way['headers'] = {}): Way => way('observed', path, json(body), { path, headers });
  return [
    post('/v1/images/generations', { model: 'gpt-image-1', prompt: 'hi' }),
    post('/v1/images/generations', { prompt: 'hi' }),
    post('/v1/audio/speech', { model: 'tts-1', voice: 'alloy', input: 'hi' }),
    post('/v1/videos', { prompt: 'hi' }),
    post('/v1/batches', { input_file_id: 'f', endpoint: '/v1/chat/completions', completion_window: '24h' }),
    post('/v1/moderations', { input: 'hi' }),
    post('/v1/responses/compact', { model: 'gpt-5.1', input: 'hi' }),
    post('/v1/realtime/client_secrets', { session: { type: 'realtime' } }),
    post('/v1/threads/t/runs', { assistant_id: 'a' }),
    post('/v1/fine_tuning/jobs', { model: 'gpt-4.1-mini', training_file: 'f' }),
    post('/v1/vector_stores/v/search', { query: 'hi' }),
    post('/v1/messages/batches', { requests: [{ custom_id: 'a', params: {} }] }),
    post('/v1beta/models/imagen-4:predict', { instances: [{ prompt: 'hi' }] }),
    post('/v1beta/models/gemini-2.5-flash:batchGenerateContent', { batch: {} }),
    post('/v1beta/cachedContents', { contents: [{ parts: [{ text: 'hi' }] }] }),
    post('/cohere/v2/rerank', { model: 'rerank-v3.5', query: 'a', documents: ['b'] }),
    post('/mistral/v1/ocr', { model: 'mistral-ocr-latest', document: {} }),
    way('observed', 'a form', `--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--B--\r\n`, {
      path: '/v1/audio/transcriptions',
      headers: { 'content-type': 'multipart/form-data; boundary=B' },
    }),
    ...sockets('observed').slice(0, 1),
  ];
}

/** Ways around a budget that is used up. */
export function waysAroundBudget(): readonly Way[] {
  const numbers = ['-1', '-100', '-1e308', '-1e999', '1e308', '1e999', '0', '-0', '0.1', '"9"', 'null', 'true', '[]', '{}'];
  const hi = chat('hi');
  return [
    ...['max_tokens', 'max_completion_tokens', 'n'].flatMap((key) =>
      numbers.map((text) => way('number', `${key}: ${text}`, hi.replace('{', `{"${key}":${text},`))),
    ),
    ...numbers
      .slice(0, 6)
      .map((text) =>
        way(
          'number',
          `maxOutputTokens: ${text}`,
          `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":${text}}}`,
          { path: geminiPath },
        ),
      ),
    ...callers()
      .filter(({ what }) => !what.startsWith('a banned'))
      .map(({ what, headers }) => way('caller', what, hi, { ...(headers === undefined ? {} : { headers }) })),
    ...['gpt-5.1-2025-11-13', 'openai/gpt-5.1', 'GPT-5.1', 'nobody-knows-it', 'ft:gpt-5.1:a::b'].map((model) =>
      way('model', model, chat('hi', { model })),
    ),
    way('stream', 'a stream', chat('hi', { stream: true })),
    way('stream', 'a stream without usage', chat('hi', { stream: true, stream_options: { include_usage: false } })),
    way('encoding', 'text/plain', hi, { headers: { 'content-type': 'text/plain' } }),
    way('encoding', 'gzip', gzipSync(hi), { headers: { 'content-encoding': 'gzip' } }),
    way('encoding', 'a mark', `\ufeff${hi}`),
    ...['/v1//chat/completions', '/v1/chat/completions/', '/v1/chat%2Fcompletions', '/openai-api/v1/chat/completions'].map((path) =>
      way('path', path, hi, { path }),
    ),
    way('API', 'Anthropic', claude({}), { path: messagesPath }),
    way('API', 'Gemini', gemini([{ text: 'hi' }]), { path: geminiPath }),
    way('API', 'Responses', json({ model: 'gpt-5.1', input: 'hi' }), { path: responsesPath }),
    way('API', 'completions', json({ model: 'gpt-3.5-turbo-instruct', prompt: 'hi' }), { path: '/v1/completions' }),
    ...observedCalls(),
  ];
}

/** Permitted requests in the same spellings: if these are refused too, the drill proves nothing. */
export function allowed(): readonly Way[] {
  const hi = chat('hi');
  return [
    way('allowed', 'a chat', hi),
    way('allowed', 'route off', hi, { headers: { 'x-sluice-route': 'off' } }),
    way('allowed', 'gzip', gzipSync(hi), { headers: { 'content-encoding': 'gzip' } }),
    way('allowed', 'text/plain', hi, { headers: { 'content-type': 'text/plain' } }),
    way('allowed', 'a mark', `\ufeff${hi}`),
    way('allowed', 'two slashes', hi, { path: '/v1//chat/completions' }),
    way('allowed', 'another model', chat('hi', { model: 'gpt-4.1-mini' })),
    way('allowed', 'Anthropic', claude({}), { path: messagesPath }),
    way('allowed', 'Gemini', gemini([{ text: 'hi' }]), { path: geminiPath }),
    way('allowed', 'a file', `--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhi\r\n--B--\r\n`, {
      path: '/v1/files',
      headers: { 'content-type': 'multipart/form-data; boundary=B' },
    }),
    way('allowed', 'an image', json({ model: 'gpt-image-1', prompt: 'hi' }), { path: '/v1/images/generations' }),
    way('allowed', 'an address with escapes', chat('see https://a.test/?q=a%20b&c=%zz')),
    way('allowed', 'a drawing', chat([{ type: 'image_url', image_url: { url: `data:image/svg+xml;base64,${base64('<svg/>')}` } }])),
    way('allowed', 'flags, circles and tags', chat('\u{1F1E9}\u{1F1EA} Ⓐ \u{1F3F4}\u{E0067}\u{E0062}\u{E007F}')),
    way('allowed', 'other models', chat('hi', { models: ['gpt-4o', 'gpt-5-mini'] })),
    way('allowed', 'UTF-8 by name', hi, { headers: { 'content-type': 'application/json; charset="UTF-8"' } }),
    way('allowed', 'models', '', { path: '/v1/models', method: 'GET' }),
  ];
}
