import { describe, expect, test } from 'vitest';
import { compiled, ruleInput } from '../../test/support/policy.ts';
import { limits } from '../lib/limits.ts';
import { compileConditions } from './conditions.ts';
import { compileExpression } from './rules.ts';
import type { OverrideDocument } from './options/rules.ts';

/** What an expression says of an input; throws when it does not compile. */
function says(source: string, facts: Parameters<typeof ruleInput>[0] = {}, headers: readonly string[] = []): boolean {
  const expression = compileExpression(source, new Set(headers), (error) => {
    throw error;
  });
  if (!expression.ok) throw new Error(expression.message);
  return expression.matches(ruleInput(facts));
}

describe('expressions', () => {
  test.each([
    ["request.model.startsWith('gpt') && request.stream", { exchange: { model: 'gpt-x', stream: true } }],
    ["'search' in request.toolNames && request.tools == 2", { exchange: { toolNames: ['search', 'b'], tools: 2 } }],
    ['verdict.score > 0.5 && request.promptTokens >= 1000', { verdict: { score: 0.7 }, exchange: { promptTokens: 1000 } }],
    ["caller.userTier == 'gold' && caller.quality == ''", { caller: { userTier: 'gold' } }],
    ["provider == 'openai' && caller.workspace == 'red'", {}],
    ['request.maxOutputTokens == 0', { exchange: { maxOutputTokens: null } }],
    ["request.lastUser.matches('(?i)hel+o') && !request.system.matches(r'\\d')", { exchange: { lastUser: 'Say HELLO' } }],
    ["request.toolNames.exists(name, name.matches('^db_'))", { exchange: { toolNames: ['a', 'db_read'] } }],
  ] as const)('%s', (source, facts) => {
    expect(says(source, facts as Parameters<typeof ruleInput>[0])).toBe(true);
    expect(says(`!(${source})`, facts as Parameters<typeof ruleInput>[0])).toBe(false);
  });

  test('a listed header that a request lacks is empty', () => {
    expect(says("caller.headers['x-team'] == ''", {}, ['x-team'])).toBe(true);
    expect(says("caller.headers['x-team'] == 'a'", { caller: { headers: new Map([['x-team', 'a']]) } }, ['x-team'])).toBe(true);
  });

  test('an error while it is evaluated is no match, and is told', () => {
    const errors: unknown[] = [];
    const expression = compileExpression('10 / (request.images) > 1', new Set(), (error) => errors.push(error));
    expect(expression.ok && expression.matches(ruleInput())).toBe(false);
    expect(errors).toHaveLength(1);
  });

  test('matches takes no time that grows faster than the text', () => {
    const begin = performance.now();
    expect(says("request.lastUser.matches('(a+)+$')", { exchange: { lastUser: `${'a'.repeat(limits.textUnits - 1)}!` } })).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  test.each([
    "request.lastUser.split('').exists(a, request.lastUser.split('').exists(b, a != b && false))",
    "request.toolNames.exists(a, request.toolNames.exists(b, request.toolNames.exists(c, a + b + c == 'x')))",
    "request.toolNames.map(a, request.lastUser + request.system).exists(t, t.contains('x') || t.split('').exists(u, u == 'y'))",
    "cel.bind(words, request.lastUser.split(' '), words.all(a, words.exists(b, b == a)))",
    "request.lastUser.split(' ').exists(w, request.system.contains(w))",
  ])('%s could take too long, and is refused', (source) => {
    expect(compileExpression(source, new Set(), () => undefined)).toMatchObject({
      ok: false,
      message: expect.stringContaining('too long') as string,
    });
  });

  test.each([
    "request.lastUser.split(' ').exists(word, word.lowerAscii() == 'zeus')",
    "request.lastUser.split(' ').filter(word, word.startsWith('@')).map(word, word.size()).exists(n, n > 20)",
    'request.toolNames.exists(name, request.lastUser.contains(name))',
    'request.toolNames.exists(a, request.toolNames.exists(b, a != b && a.startsWith(b)))',
    "['a', 'b', 'c'].exists(word, request.lastUser.matches('(?i)x') || request.system.contains(word))",
  ])('%s is cheap enough, and takes little time with the longest prompt', (source) => {
    const long = 'ab '.repeat(limits.textUnits / 3);
    const expression = compileExpression(source, new Set(), () => undefined);
    if (!expression.ok) throw new Error(expression.message);
    const input = ruleInput({
      exchange: { lastUser: long, system: long, toolNames: Array.from({ length: limits.toolNames }, (_, at) => `${'t'.repeat(200)}${at}`) },
    });
    const begin = performance.now();
    expression.matches(input);
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  test('the pattern of matches must be written out', () => {
    const expression = compileExpression('request.model.matches(request.lastUser)', new Set(), () => undefined);
    expect(expression).toMatchObject({ ok: false, offset: 22 });
  });

  test('only expressions that look at nothing are constant', () => {
    const constant = (source: string): unknown => {
      const expression = compileExpression(source, new Set(), () => undefined);
      return expression.ok ? expression.constant : undefined;
    };
    expect(['true', '1 < 2', 'false && request.stream', 'request.stream', 'request.images == 0'].map(constant)).toEqual([
      true,
      true,
      false,
      null,
      null,
    ]);
  });
});

describe('conditions of overrides', () => {
  const holds = (when: OverrideDocument['when'], facts: Parameters<typeof ruleInput>[0] = {}): boolean =>
    compileConditions(when)(ruleInput(facts));

  test('all conditions must hold, and of one any value', () => {
    const when: OverrideDocument['when'] = { userTier: ['Gold', 'premium'], modality: ['vision'] };
    expect(holds(when, { caller: { userTier: 'gold' }, exchange: { images: 1 } })).toBe(true);
    expect(holds(when, { caller: { userTier: 'gold' } })).toBe(false);
    expect(holds(when, { exchange: { images: 1 } })).toBe(false);
  });

  test('a task that the caller names goes before the classified one', () => {
    expect(holds({ task: ['code'] }, { verdict: { task: 'code' } })).toBe(true);
    expect(holds({ task: ['code'] }, { verdict: { task: 'code' }, caller: { task: 'summary' } })).toBe(false);
  });

  test.each([
    ['vision', { images: 1 }],
    ['audio', { audioInputs: 1 }],
    ['audio', { audioOutput: true }],
    ['files', { files: 1 }],
    ['tools', { tools: 1 }],
  ] as const)('modality %s is seen', (modality, facts) => {
    expect(holds({ modality: [modality] }, { exchange: facts })).toBe(true);
    expect(holds({ modality: [modality] })).toBe(false);
  });

  const at = (iso: string): Parameters<typeof ruleInput>[0] => ({ caller: { now: Date.parse(iso) } });

  test('a window follows its zone through daylight saving', () => {
    const time = { zone: 'Europe/Berlin', from: '08:00', to: '18:00' };
    expect(holds({ time }, at('2026-01-05T07:00:00Z'))).toBe(true);
    expect(holds({ time }, at('2026-01-05T06:59:59Z'))).toBe(false);
    expect(holds({ time }, at('2026-07-06T06:00:00Z'))).toBe(true);
    expect(holds({ time }, at('2026-07-06T16:00:00Z'))).toBe(false);
  });

  test('a window past midnight belongs to the day on which it began', () => {
    const time = { zone: 'UTC', from: '22:00', to: '06:00', days: ['fri' as const] };
    expect(holds({ time }, at('2026-01-09T23:00:00Z'))).toBe(true);
    expect(holds({ time }, at('2026-01-10T05:59:00Z'))).toBe(true);
    expect(holds({ time }, at('2026-01-10T06:00:00Z'))).toBe(false);
    expect(holds({ time }, at('2026-01-09T05:00:00Z'))).toBe(false);
  });
});

describe('the provider of a request', () => {
  const generation = compiled(
    'version: 1\nproviders:\n  az: {dialect: azure-openai, endpoint: "https://a.test", catalog: openai}\n  local: {dialect: openai, endpoint: "http://l.test/", pathPrefix: /local}\n',
  );

  test.each([
    ['api.anthropic.com', '/v1/chat/completions', 'anthropic', '/v1/chat/completions'],
    ['API.OpenAI.com:443', '/v1/messages', 'openai', '/v1/messages'],
    ['gw', '/local/v1/chat/completions?x=1', 'local', '/v1/chat/completions?x=1'],
    ['gw', '/mistral/v1/chat/completions', 'mistral', '/v1/chat/completions'],
    ['gw', '/v1/messages', 'anthropic', '/v1/messages'],
    ['gw', '/v1/messages/count_tokens?beta=true', 'anthropic', '/v1/messages/count_tokens?beta=true'],
    ['gw', '/v1beta/models/gemini-x:streamGenerateContent?alt=sse', 'google', '/v1beta/models/gemini-x:streamGenerateContent?alt=sse'],
    ['gw', '/v1/models/gemini-x:generateContent', 'google', '/v1/models/gemini-x:generateContent'],
    ['gw', '/v1/models', 'openai', '/v1/models'],
    ['gw', '/openai/deployments/prod/chat/completions', 'az', '/openai/deployments/prod/chat/completions'],
    ['gw', '/v1/chat/completions', 'openai', '/v1/chat/completions'],
  ])('%s%s is %s', (authority, path, provider, rest) => {
    expect(generation.resolveProvider(authority, path)).toMatchObject({ provider: { name: provider }, path: rest });
  });

  test.each(['/', '/healthz', '/local', '/model/x/invoke', ''])('%s is nobody’s', (path) => {
    expect(generation.resolveProvider('gw', path)).toBeNull();
  });

  const sdk = {
    openai: { authorization: 'Bearer sk-proj-1' },
    anthropic: { 'x-api-key': 'sk-ant-1', 'anthropic-version': '2023-06-01' },
    claude: { authorization: 'Bearer sk-ant-oat-1', 'anthropic-version': '2023-06-01' },
    google: { 'x-goog-api-key': 'AIza1' },
    googleOauth: { authorization: 'Bearer ya29.x' },
    azure: { 'api-key': '1' },
    dummy: { authorization: 'Bearer app-key' },
    none: {},
  } as const;
  const said = (path: string, head: Readonly<Record<string, string>>): string | null => {
    const resolved = generation.resolveProvider('gw', path, { get: (name) => head[name] });
    return resolved === null || resolved === 'ambiguous' ? resolved : resolved.provider.name;
  };

  /** The paths of the official SDKs' methods: openai 6, @anthropic-ai/sdk, @google/genai. */
  const openaiPaths = [
    'chat/completions',
    'chat/completions/c/messages',
    'completions',
    'responses',
    'responses/r',
    'responses/r/cancel',
    'responses/r/input_items',
    'responses/compact',
    'responses/input_tokens',
    'embeddings',
    'files',
    'files/f',
    'files/f/content',
    'images/generations',
    'images/edits',
    'images/variations',
    'audio/speech',
    'audio/transcriptions',
    'audio/translations',
    'moderations',
    'models',
    'models/m',
    'fine_tuning/jobs',
    'fine_tuning/jobs/j/events',
    'fine_tuning/alpha/graders/run',
    'vector_stores',
    'vector_stores/v/files',
    'vector_stores/v/search',
    'batches',
    'batches/b/cancel',
    'uploads',
    'uploads/u/parts',
    'conversations',
    'conversations/c/items',
    'containers',
    'containers/c/files',
    'evals',
    'evals/e/runs',
    'realtime/client_secrets',
    'realtime/calls',
    'realtime',
    'videos',
    'videos/v/content',
    'assistants',
    'threads',
    'threads/t/messages',
    'threads/runs',
    'chatkit/sessions',
    'skills',
    'skills/s/versions',
    'organization/usage/completions',
  ];
  const anthropicPaths = [
    'messages',
    'messages/count_tokens',
    'messages/batches',
    'messages/batches/b/results',
    'complete',
    'models',
    'models/m',
    'files',
    'files/f/content',
    'skills',
    'skills/s/versions',
    'organizations/me',
    'organizations/usage_report/messages',
  ];
  const googlePaths = [
    '/v1beta/models',
    '/v1/models',
    '/v1/models/m',
    '/v1beta/models/m:generateContent',
    '/v1beta/models/m:streamGenerateContent?alt=sse',
    '/v1beta/models/m:embedContent',
    '/v1beta/models/m:batchEmbedContents',
    '/v1beta/models/m:countTokens',
    '/v1beta/models/m:predict',
    '/v1beta/models/m:predictLongRunning',
    '/v1beta/models/m:asyncBatchEmbedContent',
    '/v1beta/models/m:batchGenerateContent',
    '/v1beta/models/m/operations/o',
    '/v1beta/files',
    '/v1beta/files/f',
    '/v1beta/files/f:download?alt=media',
    '/upload/v1beta/files',
    '/download/v1beta/files/f:download',
    '/v1beta/cachedContents',
    '/v1beta/batches',
    '/v1beta/batches/b:cancel',
    '/v1/batches',
    '/v1/files',
    '/v1beta/tunedModels',
    '/v1beta/fileSearchStores',
    '/v1beta/fileSearchStores/s/documents',
    '/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore',
    '/v1beta/operations/o',
    '/v1alpha/auth_tokens',
    '/v1beta/interactions',
    '/v1/interactions',
    '/v1beta/openai/chat/completions',
    '/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent',
    '/v1/projects/p/locations/l/publishers/google/models/m:generateContent',
    '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=1',
    '/v1beta/models/gemini-x%3AgenerateContent',
  ];
  const azurePaths = [
    '/openai/deployments/d/chat/completions?api-version=1',
    '/openai/v1/chat/completions',
    '/openai/v1/responses',
    '/openai/v1/files',
    '/openai/models',
    '/openai/realtime',
  ];

  test('each path of the official SDKs is its own provider’s', () => {
    for (const path of openaiPaths)
      for (const head of [sdk.openai, sdk.dummy, sdk.none]) expect([path, said(`/v1/${path}`, head)]).toEqual([path, 'openai']);
    for (const path of anthropicPaths)
      for (const head of [sdk.anthropic, sdk.claude]) expect([path, said(`/v1/${path}`, head)]).toEqual([path, 'anthropic']);
    for (const path of googlePaths)
      for (const head of [sdk.google, sdk.googleOauth]) expect([path, said(path, head)]).toEqual([path, 'google']);
    for (const path of ['/v1beta/models', '/v1/models', '/v1/files']) expect(said(`${path}?key=AIza1`, {})).toBe('google');
    for (const path of azurePaths) for (const head of [sdk.azure, sdk.openai]) expect([path, said(path, head)]).toEqual([path, 'az']);
    expect(said('/v1/chat/completions', { authorization: 'Bearer sk-ant-api03-1' })).toBe('anthropic');
  });

  test('nobody guesses with somebody’s key', () => {
    for (const path of ['/v1/models', '/v1/files', '/v1/batches', '/v1/skills']) {
      expect(said(path, { ...sdk.anthropic, ...sdk.google })).toBe('ambiguous');
      expect(said(path, { ...sdk.openai, ...sdk.google })).toBe('ambiguous');
      expect(said(path, { ...sdk.openai, 'anthropic-version': '1' })).toBe('ambiguous');
      expect(said(path, { 'x-api-key': 'k' })).toBe('ambiguous');
      expect(said('/v1/chat/completions', { authorization: 'Bearer gateway-issued', 'x-goog-api-key': 'k' })).toBe('ambiguous');
      expect(said(`${path}?key=1`, sdk.anthropic)).toBe('ambiguous');
      expect(said(path, sdk.azure)).toBe('az');
    }
    expect(said('/v1/chat/completions', { 'x-api-key': 'k' })).toBe('ambiguous');
    for (const head of [sdk.google, sdk.azure]) expect(said('/v1/chat/completions', { ...sdk.openai, ...head })).toBe('ambiguous');
    const without = compiled('version: 1');
    expect(without.resolveProvider('gw', '/v1/models', { get: (name) => ({ 'api-key': '1' })[name] })).toBe('ambiguous');
    expect(without.resolveProvider('gw', '/openai/v1/models')).toBeNull();
  });
});

describe('bans of models', () => {
  const bans = (model: string, ...banned: string[]): boolean =>
    compileConditions({ model: banned }, true)(ruleInput({ exchange: { model } }));
  test.each([
    'gpt-4.1',
    'GPT-4.1',
    ' gpt-4.1 ',
    'gpt-4.1\u200b',
    'ｇｐｔ-4.1',
    'openai/gpt-4.1',
    'models/gpt-4.1/',
    'gpt-4.1-2025-04-14',
    'gpt-4.1-latest',
    'ft:gpt-4.1-2025-04-14:acme::id',
    'GPT-4.1@20250414',
  ])('%s is gpt-4.1', (model) => {
    expect(bans(model, 'gpt-4.1')).toBe(true);
    expect(bans(model, 'openai/GPT-4.1')).toBe(true);
  });
  test.each(['gpt-4.1-mini', 'gpt-4', 'gpt-4.10', 'my-gpt-4.1', 'gpt-4.1/other'])('%s is another model', (model) => {
    expect(bans(model, 'gpt-4.1')).toBe(false);
  });
  test('one version is not all versions', () => {
    expect(bans('claude-sonnet-4-5-20250929', 'claude-sonnet-4-5')).toBe(true);
    expect(bans('us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5')).toBe(true);
    expect(bans('claude-sonnet-4-5', 'claude-sonnet-4-5-20250929')).toBe(false);
    expect(bans('claude-sonnet-4-5-20250101', 'claude-sonnet-4-5-20250929')).toBe(false);
  });
  test("a deployment goes by its model's name", () => {
    expect(compileConditions({ model: ['gpt-4.1'] }, true)({ ...ruleInput({ exchange: { model: 'prod' } }), knownAs: ['gpt-4.1'] })).toBe(
      true,
    );
  });
  test('a task is met whatever the caller calls it', () => {
    const blocks = compileConditions({ task: ['code'] }, true);
    expect(blocks(ruleInput({ verdict: { task: 'code' }, caller: { task: 'question' } }))).toBe(true);
    expect(compileConditions({ task: ['code'] })(ruleInput({ verdict: { task: 'code' }, caller: { task: 'question' } }))).toBe(false);
  });
  test.each([
    ["caller.quality == 'high'", true],
    ["caller.task == 'x'", true],
    ["caller['session'] == 'x'", true],
    ["caller.userTier == 'gold'", false],
    ["request.model == 'caller.quality'", true],
  ] as const)('%s depends on what callers say: %s', (source, hinted) => {
    expect(compileExpression(source, new Set(), () => undefined)).toMatchObject({ ok: true, hinted });
  });
});
