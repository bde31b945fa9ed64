import { brotliCompressSync, gzipSync } from 'node:zlib';
import { bannedModel, base64, chat, geminiPath, json, messagesPath, secret, way, type Way } from './ways.ts';

const body = chat();

/** Ways that lie in the bytes, the headers and the paths rather than in the text. */
export function wire(): readonly Way[] {
  return [...bytes(), ...doubled(), ...unicode(), ...headers(), ...forms(), ...sdkPaths()];
}

function utf32(text: string, little: boolean): Buffer {
  const units = Array.from(text, (letter) => letter.codePointAt(0)!);
  const into = Buffer.alloc(units.length * 4);
  for (const [at, unit] of units.entries())
    if (little) into.writeUInt32LE(unit, at * 4);
    else into.writeUInt32BE(unit, at * 4);
  return into;
}

function bytes(): Way[] {
  const coded = (what: string, sent: Buffer, encoding: string | readonly string[]): Way =>
    way('bytes', what, sent, { headers: { 'content-encoding': encoding } });
  const typed = (what: string, sent: Buffer | string, type: string): Way => way('bytes', what, sent, { headers: { 'content-type': type } });
  const half = Math.floor(body.length / 2);
  return [
    coded('gzip in two members', Buffer.concat([gzipSync(body.slice(0, half)), gzipSync(body.slice(half))]), 'gzip'),
    coded('gzip with bytes behind it', Buffer.concat([gzipSync(body), Buffer.from('junk')]), 'gzip'),
    coded('a clean gzip with another behind it', Buffer.concat([gzipSync(chat('hi')), gzipSync(body)]), 'gzip'),
    coded('gzip that is cut', gzipSync(body).subarray(0, -6), 'gzip'),
    coded('two headers of encoding', brotliCompressSync(gzipSync(body)), ['gzip', 'br']),
    coded('the same header twice', gzipSync(body), ['gzip', 'identity']),
    coded('an encoding with a weight', gzipSync(body), 'gzip;q=1'),
    coded('an encoding with spaces', gzipSync(body), ' gzip '),
    coded('a comma before it', gzipSync(body), ',gzip'),
    coded('no name', Buffer.from(body), ' '),
    way('bytes', 'UTF-32, little end', utf32(`\ufeff${body}`, true)),
    way('bytes', 'UTF-32, big end', utf32(body, false)),
    typed('UTF-7 by its type', body.replace('Project Zeus', '+AFAAcgBvAGoAZQBjAHQAIABaAGUAdQBz-'), 'application/json; charset=utf-7'),
    typed('UTF-16 without a mark', Buffer.from(body, 'utf16le'), 'application/json; charset=utf-16le'),
    typed('a form in URL letters', `prompt=${encodeURIComponent(secret)}`, 'application/x-www-form-urlencoded'),
    typed('a form in URL letters with plus', 'prompt=project+zeus', 'application/x-www-form-urlencoded'),
    typed('a JSON body in a form', `body=${encodeURIComponent(body)}`, 'application/x-www-form-urlencoded'),
    typed('gRPC', Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), Buffer.from(body)]), 'application/grpc'),
    typed('lines of JSON', `${chat('hi')}\n${body}\n`, 'application/jsonl'),
    typed('a JSON text sequence', `\u001e${chat('hi')}\n\u001e${body}\n`, 'application/json-seq'),
    typed('YAML', `model: gpt-5.1\nmessages: [{role: user, content: ${secret}}]`, 'application/yaml'),
    way('bytes', 'letters that are too long', Buffer.from(body.replace('Zeus', 'QQeus').replace('QQ', '\u00c1\u009a'), 'latin1')),
    way('bytes', 'a zero byte', body.replace('Zeus', 'Zeus\u0000')),
    way('bytes', 'white space before it', `\n\t\r\n ${body}`),
    way('bytes', 'a form feed before it', `\f${body}`),
    way('bytes', 'two marks', `\ufeff\ufeff${body}`),
  ];
}

function doubled(): Way[] {
  const of = (what: string, text: string): Way => way('doubled', what, text);
  const message = (inner: string): string => `{"model":"gpt-5.1","messages":[{"role":"user",${inner}}]}`;
  return [
    of('content, the last clean', message(`"content":${json(secret)},"content":"hi"`)),
    of('content, the first clean', message(`"content":"hi","content":${json(secret)}`)),
    of('content, text and list', message(`"content":"hi","content":[{"type":"text","text":${json(secret)}}]`)),
    of('text in a part', message(`"content":[{"type":"text","text":"hi","text":${json(secret)}}]`)),
    of('an escaped name beside the plain one', body.replace('{', '{"m\\u0065ssages":[{"role":"user","content":"hi"}],')),
    of('a name in capitals', `{"model":"gpt-5.1","Messages":[{"role":"user","content":${json(secret)}}],"messages":[]}`),
    of('an empty name', body.replace('{', '{"":1,"":2,')),
    of('a banned model in capitals', chat('hi').replace('{', `{"MODEL":"${bannedModel}",`)),
    of('a banned model behind another', chat('hi').replace(/\}$/, `,"model":"${bannedModel}"}`)),
    of('a banned model in escapes', chat('hi', { model: bannedModel }).replace(bannedModel, '\\u0067pt-4\\u002e1')),
    of('a banned model under an escaped name', chat('hi').replace(/\}$/, `,"m\\u006fdel":"${bannedModel}"}`)),
    of('a banned model among fallbacks', chat('hi', { models: [bannedModel] })),
    of('a number of 10,000 digits', body.replace('{', `{"seed":${'9'.repeat(10_000)},`)),
    of('a number beyond all', body.replace('{', '{"seed":1e99999,')),
    of('an exponent without digits', body.replace('{', '{"seed":1e,')),
    of('a zero before a number', body.replace('{', '{"seed":007,')),
    of('a plus before a number', body.replace('{', '{"seed":+1,')),
    of('a number in hex', body.replace('{', '{"seed":0x1,')),
    of('500 levels', body.replace('{', `{"a":${'['.repeat(500)}${json(secret)}${']'.repeat(500)},`)),
    of(
      '100,000 messages',
      json({
        model: 'gpt-5.1',
        messages: [...Array.from({ length: 100_000 }, () => ({ role: 'user', content: 'a' })), { role: 'user', content: secret }],
      }),
    ),
  ];
}

function unicode(): Way[] {
  const smuggled = (text: string, base: number): string =>
    Array.from(text, (letter) => String.fromCodePoint(base + letter.charCodeAt(0))).join('');
  const between = (letter: string): string => Array.from('Project Zeus').join(letter);
  const texts: readonly (readonly [string, string])[] = [
    ['all of it in tags', `hi${smuggled('project zeus', 0xe0000)}`],
    ['part of it in tags', `project ${smuggled('zeus', 0xe0000)}`],
    ['variation selectors of the second kind', between('\u{e0101}')],
    ['combining joiners', between('\u034f')],
    ['Hangul fillers', 'Project\u3164 Zeus'],
    ['Mongolian separators', between('\u180e')],
    ['invisible operators', between('\u2062')],
    ['digit shapes', between('\u206f')],
    ['annotations', 'Pro\ufff9\ufffaject Zeus'],
    ['shorthand controls', between('\u{1bca0}')],
    ['Mongolian selectors', between('\u180b')],
    ['double-struck letters', '𝕡𝕣𝕠𝕛𝕖𝕔𝕥 𝕫𝕖𝕦𝕤'],
    ['small letters above', 'ᵖʳᵒʲᵉᶜᵗ ᶻᵉᵘˢ'],
    ['a letter in brackets', 'project \u{1F129}eus'],
    ['letters on black', '\u{1F17F}\u{1F181}\u{1F17E}\u{1F179}\u{1F174}\u{1F172}\u{1F183} \u{1F189}\u{1F174}\u{1F184}\u{1F182}'],
    ['letters in squares', '\u{1F13F}\u{1F141}\u{1F13E}\u{1F139}\u{1F134}\u{1F132}\u{1F143} \u{1F149}\u{1F134}\u{1F144}\u{1F142}'],
    ['six kinds of spaces', 'Project\u2003Zeus'],
    ['an Ogham space', 'Project\u1680Zeus'],
    ['a tab', 'Project\tZeus'],
    ['two spaces', 'Project  Zeus'],
    ['a line break', 'Project\nZeus'],
    ['a line separator', 'Project\u2028Zeus'],
    ['a long s', 'project zeuſ'],
    ['a Kelvin sign’s kin', 'ＰＲＯＪＥＣＴ ＺＥＵＳ'],
    ['base64 on lines', base64(`${secret} and more`).replace(/(.{16})/g, '$1\n')],
    ['base64 of base64', base64(base64(secret))],
    ['base64 of UTF-16', base64(secret, 'utf16le')],
    ['base64 behind a word', `data:${base64(secret)}`],
  ];
  return texts.map(([what, text]) => way('unicode', what, chat(text)));
}

function headers(): Way[] {
  const with_ = (what: string, more: Record<string, string | readonly string[]>, sent: Buffer | string = body): Way =>
    way('header', what, sent, { headers: more });
  return [
    with_('two content types', { 'content-type': ['application/json', 'text/plain'] }),
    with_('a content type with a comma', { 'content-type': 'text/plain, application/json' }),
    with_('an upgrade without a connection', { upgrade: 'websocket' }),
    with_('an upgrade to h2c', { upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings', 'http2-settings': 'AAMAAABkAAQAAP__' }),
    with_('a connection that drops headers', { connection: 'content-type, x-sluice-cluster' }),
    with_('another host', { host: 'api.anthropic.com' }),
    with_('a host with a port', { host: 'api.openai.com:443' }),
    with_('a host in capitals', { host: 'API.OPENAI.COM' }),
    with_('a forwarded host', { 'x-forwarded-host': 'api.anthropic.com', 'x-original-host': 'a.test' }),
    with_('a rewritten path', { 'x-original-url': '/v1/models', 'x-rewrite-url': '/v1/models' }),
    with_('a claim of being a copy', { 'x-sluice-shadow': '1', 'x-envoy-internal': 'true' }),
    with_('an Envoy’s own words', {
      'x-envoy-upstream-rq-timeout-ms': '1',
      'x-envoy-retriable-status-codes': '200',
      'x-envoy-hedge-on-per-try-timeout': 'true',
    }),
    with_('a decision of its own', { 'x-sluice-decision': 'mine', 'x-sluice-reason': 'mine' }),
    with_('a trace that is sampled', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', baggage: 'route=off' }),
    with_('a continue that is expected', { expect: '100-continue' }),
    with_('a trailer', { te: 'trailers', trailer: 'x-sluice-route', 'transfer-encoding': 'chunked' }),
    with_('a content range', { 'content-range': 'bytes 0-9/100', range: 'bytes=0-1' }),
    with_('a beta', { 'openai-beta': 'assistants=v2, realtime=v1' }),
    with_('500 headers less than too many', Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`x-a-${at}`, 'a']))),
    with_('two lengths', { 'content-length': [String(Buffer.byteLength(body)), String(Buffer.byteLength(body))] }),
  ];
}

function forms(): Way[] {
  const multipart = (what: string, path: string, parts: string, boundary = 'B'): Way =>
    way('form', what, parts, { path, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } });
  const field = (name: string, value: string, more = ''): string =>
    `--B\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n--B--\r\n`;
  const line = (content: string): string =>
    json({
      custom_id: 'a',
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: 'gpt-5.1', messages: [{ role: 'user', content }] },
    });
  return [
    multipart('the prompt of an edit', '/v1/images/edits', field('prompt', secret)),
    multipart('the prompt of a transcription', '/v1/audio/transcriptions', field('prompt', secret)),
    multipart('the prompt of a film', '/v1/videos', field('prompt', secret)),
    multipart('a quoted boundary', '/v1/images/edits', field('prompt', secret), '"B"'),
    multipart('no last boundary', '/v1/files', field('file', secret, '; filename="a.txt"').replace('--B--\r\n', '')),
    multipart('another boundary than said', '/v1/files', field('file', secret, '; filename="a.txt"'), 'C'),
    multipart('line feeds alone', '/v1/files', field('file', secret, '; filename="a.txt"').replaceAll('\r\n', '\n')),
    multipart(
      'a file in base64',
      '/v1/files',
      `--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(secret)}\r\n--B--\r\n`,
    ),
    multipart('a batch with a mark', '/v1/files', field('file', `\ufeff${line('project \u007aeus')}`, '; filename="b.jsonl"')),
    multipart(
      'a batch in escapes',
      '/v1/files',
      field('file', `${line('hi')}\r\n${line('hi').replace('"hi"', '"project \\u007aeus"')}`, '; filename="b.jsonl"'),
    ),
    multipart(
      'a batch with carriage returns',
      '/v1/files',
      field('file', [line('hi'), line('hi').replace('"hi"', '"project \\u007aeus"')].join('\r'), '; filename="b.jsonl"'),
    ),
    multipart(
      'a batch’s nested arguments',
      '/v1/files',
      field(
        'file',
        json({
          custom_id: 'a',
          body: { messages: [{ role: 'assistant', tool_calls: [{ function: { arguments: '{"a":"project \\u007aeus"}' } }] }] },
        }),
        '; filename="b.jsonl"',
      ),
    ),
    multipart(
      'pretty JSON',
      '/v1/files',
      field('file', JSON.stringify({ a: { b: 'project zeus' } }, null, 2).replace('z', '\\u007a'), '; filename="a.json"'),
    ),
    multipart('a file’s name', '/v1/files', field('file', 'x', '; filename="project zeus.txt"')),
    multipart('a file’s name in RFC 5987', '/v1/files', field('file', 'x', `; filename*=UTF-8''project%20zeus.txt`)),
    multipart('form fields in JSON', '/v1/realtime/calls', field('session', '{"type":"realtime","instructions":"project \\u007aeus"}')),
    multipart('a banned model', '/v1/audio/transcriptions', field('model', bannedModel)),
    multipart(
      'a banned model with a type',
      '/v1/images/edits',
      `--B\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=model\r\n\r\n${bannedModel}\r\n--B--\r\n`,
    ),
    multipart(
      'a banned model between others',
      '/v1/images/edits',
      `${field('prompt', 'a').replace('--B--\r\n', '')}${field('model', ` ${bannedModel.toUpperCase()} `)}`,
    ),
    multipart('a skill', '/v1/skills', field('files[]', `---\nname: a\ndescription: ${secret}\n---`, '; filename="a/SKILL.md"')),
    way(
      'form',
      'Google’s upload in two parts',
      `--B\r\nContent-Type: application/json\r\n\r\n{"file":{"displayName":"a"}}\r\n--B\r\nContent-Type: text/plain\r\n\r\n${secret}\r\n--B--`,
      { path: '/upload/v1beta/files?uploadType=multipart', headers: { 'content-type': 'multipart/related; boundary=B' } },
    ),
  ];
}

function sdkPaths(): Way[] {
  const post = (path: string, what: unknown, more: Way['headers'] = {}): Way => way('SDK path', path, json(what), { path, headers: more });
  const google = { 'x-goog-api-key': 'app-key', authorization: '' };
  const anthropic = { 'x-api-key': 'app-key', 'anthropic-version': '2023-06-01', authorization: '' };
  const contents = { contents: [{ parts: [{ text: secret }] }] };
  return [
    post('/v1/chat/completions?api-version=2024-10-21', { model: 'gpt-5.1', messages: [{ role: 'user', content: secret }] }),
    post(
      '/openai/deployments/gpt-5.1/chat/completions?api-version=2024-10-21',
      { messages: [{ role: 'user', content: secret }] },
      { 'api-key': 'app-key', authorization: '' },
    ),
    post('/openai/v1/responses', { model: 'gpt-5.1', input: secret }, { 'api-key': 'app-key', authorization: '' }),
    post('/v1/realtime/calls/c/accept', { type: 'realtime', instructions: secret }),
    post('/v1/realtime/sessions', { instructions: secret }),
    post('/v1/realtime/transcription_sessions', { input_audio_transcription: { prompt: secret } }),
    post('/v1/chatkit/sessions', { workflow: { id: 'w', state_variables: { a: secret } }, user: 'u' }),
    post('/v1/graders', { grader: { type: 'string_check', input: secret } }),
    post('/v1/fine_tuning/alpha/graders/run', { grader: { input: [{ role: 'user', content: secret }] }, model_sample: 'a' }),
    post('/v1/fine_tuning/jobs', { model: 'gpt-4.1-mini', training_file: 'f', suffix: secret }),
    post('/v1/evals/e/runs', {
      data_source: { type: 'completions', source: { type: 'file_content', content: [{ item: { q: secret } }] } },
    }),
    post('/v1/containers', { name: secret }),
    post('/v1/vector_stores', { name: secret }),
    post('/v1/videos/v/remix', { prompt: secret }),
    post('/v1/chat/completions/c', { metadata: {}, note: secret }),
    post('/v1/messages?beta=true', { model: 'claude-sonnet-4-5', max_tokens: 9, messages: [{ role: 'user', content: secret }] }, anthropic),
    post('/v1/messages/count_tokens?beta=true', { model: 'claude-sonnet-4-5', messages: [{ role: 'user', content: secret }] }, anthropic),
    post(
      '/v1/messages/batches?beta=true',
      { requests: [{ custom_id: 'a', params: { messages: [{ role: 'user', content: secret }] } }] },
      anthropic,
    ),
    post(`${geminiPath}?alt=sse`, contents, google),
    post('/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&$alt=json', contents, google),
    post('/v1beta/models/gemini-2.5-flash:generateAnswer', { contents: [{ parts: [{ text: secret }] }] }, google),
    post('/v1beta/models/text-bison-001:generateText', { prompt: { text: secret } }, google),
    post('/v1beta/models/chat-bison-001:generateMessage', { prompt: { messages: [{ content: secret }] } }, google),
    post('/v1beta/models/embedding-001:embedText', { text: secret }, google),
    post(
      '/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent',
      { batch: { inputConfig: { requests: { requests: [{ request: { content: { parts: [{ text: secret }] } } }] } } } },
      google,
    ),
    post('/v1beta/models/veo-3:predictLongRunning', { instances: [{ prompt: secret }] }, google),
    post('/v1beta/fileSearchStores/s:uploadToFileSearchStore', { displayName: secret }, google),
    post('/v1beta/corpora/c:query', { query: secret }, google),
    post('/v1beta/interactions', { model: 'gemini-2.5-flash', input: [{ type: 'text', text: secret }], system_instruction: 'a' }, google),
    post('/v1alpha/auth_tokens', { bidiGenerateContentSetup: { setup: { systemInstruction: { parts: [{ text: secret }] } } } }, google),
    post(
      '/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5:rawPredict',
      { anthropic_version: 'vertex-2023-10-16', messages: [{ role: 'user', content: secret }] },
      google,
    ),
    post(
      '/v1/projects/p/locations/l/endpoints/openapi/chat/completions',
      { model: 'google/gemini-2.5-flash', messages: [{ role: 'user', content: secret }] },
      google,
    ),
    post('/mistral/v1/fim/completions', { model: 'codestral-latest', prompt: 'a', suffix: secret }),
    post('/mistral/v1/ocr', {
      model: 'mistral-ocr-latest',
      document: { type: 'document_url', document_url: 'https://a.test/project zeus' },
    }),
    post('/mistral/v1/agents/completions', { agent_id: 'a', messages: [{ role: 'user', content: secret }] }),
    post('/mistral/v1/conversations', { model: 'mistral-large-latest', inputs: secret }),
    post('/cohere/v2/chat', {
      model: 'command-a-03-2025',
      messages: [{ role: 'user', content: 'hi' }],
      documents: [{ data: { text: secret } }],
    }),
    post('/cohere/v2/rerank', { model: 'rerank-v3.5', query: 'a', documents: ['b', secret] }),
    post('/cohere/v2/embed', { model: 'embed-v4.0', inputs: [{ content: [{ type: 'text', text: secret }] }] }),
    post('/cohere/v1/chat', { model: 'command-r', message: 'hi', chat_history: [{ role: 'USER', message: secret }] }),
    post('/cohere/v1/tokenize', { model: 'command-r', text: secret }),
    post('/bedrock/model/anthropic.claude/converse', { system: [{ text: secret }], messages: [] }),
    post('/bedrock/model/anthropic.claude/invoke', { prompt: secret }),
    post(
      messagesPath,
      { model: 'claude-sonnet-4-5', max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: secret }] }] },
      anthropic,
    ),
  ];
}
