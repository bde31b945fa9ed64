import { describe, expect, test } from 'vitest';
import { compiled, ruleInput } from '../../test/support/policy.ts';
import { limits } from '../lib/limits.ts';
import { compileConditions } from './conditions.ts';
import { compileExpression } from './rules.ts';
import type { OverrideDocument } from './schema.ts';

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

  test('the pattern of matches must be written out', () => {
    const expression = compileExpression('request.model.matches(request.lastUser)', new Set(), () => undefined);
    expect(expression).toMatchObject({ ok: false, offset: 22 });
  });

  test('only expressions that look at nothing are constant', () => {
    const constant = (source: string): unknown => {
      const expression = compileExpression(source, new Set(), () => undefined);
      return expression.ok ? expression.constant : undefined;
    };
    expect(['true', '1 < 2', 'false && request.stream', 'request.stream', 'request.images == 0'].map(constant)).toEqual([true, true, false, null, null]);
  });
});

describe('conditions of overrides', () => {
  const holds = (when: OverrideDocument['when'], facts: Parameters<typeof ruleInput>[0] = {}): boolean => compileConditions(when)(ruleInput(facts));

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
  const generation = compiled('version: 1\nproviders:\n  az: {dialect: azure-openai, endpoint: "https://a.test", catalog: openai}\n  local: {dialect: openai, endpoint: "http://l.test/", pathPrefix: /local}\n');

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
});

describe('bans of models', () => {
  const bans = (model: string, ...banned: string[]): boolean => compileConditions({ model: banned }, true)(ruleInput({ exchange: { model } }));
  test.each(['gpt-4.1', 'GPT-4.1', ' gpt-4.1 ', 'gpt-4.1\u200b', 'ｇｐｔ-4.1', 'openai/gpt-4.1', 'models/gpt-4.1/', 'gpt-4.1-2025-04-14', 'gpt-4.1-latest', 'ft:gpt-4.1-2025-04-14:acme::id', 'GPT-4.1@20250414'])('%s is gpt-4.1', (model) => {
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
    expect(compileConditions({ model: ['gpt-4.1'] }, true)({ ...ruleInput({ exchange: { model: 'prod' } }), knownAs: ['gpt-4.1'] })).toBe(true);
  });
  test('a task is met whatever the caller calls it', () => {
    const blocks = compileConditions({ task: ['code'] }, true);
    expect(blocks(ruleInput({ verdict: { task: 'code' }, caller: { task: 'question' } }))).toBe(true);
    expect(compileConditions({ task: ['code'] })(ruleInput({ verdict: { task: 'code' }, caller: { task: 'question' } }))).toBe(false);
  });
  test.each([["caller.quality == 'high'", true], ["caller.task == 'x'", true], ["caller['session'] == 'x'", true], ["caller.userTier == 'gold'", false], ["request.model == 'caller.quality'", true]] as const)('%s depends on what callers say: %s', (source, hinted) => {
    expect(compileExpression(source, new Set(), () => undefined)).toMatchObject({ ok: true, hinted });
  });
});
