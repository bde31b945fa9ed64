import { expect, it } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from './compile.ts';

const catalog = await loadCatalog();
const said = (text: string): string[] =>
  compilePolicy([{ name: 'p.yaml', text }], { catalog }).problems.map(
    ({ line, code, message, fix }) => `${line} ${code}: ${message}. ${fix}`,
  );
const listed = 'version: 1\ndefaults:\n  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }\n';

it.each<[string, string, string[]]>([
  ['tabs', 'version: 1\ndefaults:\n\tmode: off\n', ['3 yaml: tabs are not allowed as indentation. Indent with spaces.']],
  [
    'a status for the name of an end',
    `${listed}  fallback: { on: [429, 5xx] }\n`,
    [
      expect.stringMatching(/^4 schema: .* found 429\. Statuses have names here: write rate-limit\.$/) as string,
      expect.stringMatching(/^4 schema: .* found the text "5xx"\. Statuses have names here: write server-error\.$/) as string,
    ],
  ],
  [
    'a time with a unit',
    `${listed}  cache: { mode: on, ttl: 1h }\n`,
    [expect.stringMatching(/^4 schema: expected a number, found the text "1h"\. Write 3600\. ttl: Seconds/) as string],
  ],
  ['on for a map', `${listed}  cache: on\n`, ['4 schema: expected a map (keys and values), found the text "on". Write { mode: on }.']],
  [
    'prices of a model without its provider',
    `${listed}catalog: { overrides: { gpt-5-nano: { input: 5 } } }\n`,
    [
      '4 schema: expected a map (keys and values), found 5. overrides has a level more: write PROVIDER: { gpt-5-nano: { input: … } } under it.',
    ],
  ],
  [
    'yes for true',
    `${listed}  failClosed: 'yes'\n`,
    [expect.stringMatching(/found the text "yes"\. Write true, without quotes\./) as string],
  ],
  [
    'a provider without a dialect',
    `${listed}providers: { corp: { endpoint: https://llm.corp } }\n`,
    ['4 missing: provider corp has no dialect. Add it; only the built-in providers bring their own.'],
  ],
  [
    'a share that is missing',
    `${listed}experiments: [{ name: e, kind: ab, model: openai/gpt-5-nano }]\n`,
    [expect.stringMatching(/^4 missing: share is missing\. Add it\./) as string],
  ],
  ['a key twice', 'version: 1\ndefaults:\n  mode: shadow\n  mode: enabled\n', ['4 yaml: mode stands here twice. Keep one of them.']],
  [
    'a colon in a text',
    'version: 1\ndefaults:\n  rules:\n    - name: a\n      when: request.system: true\n',
    [
      '5 yaml: nested mappings are not allowed in compact mappings. Put a text that holds ": " in quotes, and indent the keys of one map alike.',
    ],
  ],
  ['no version', 'defaults: { mode: off }\n', ['1 missing: version is missing. Add `version: 1`.']],
  ['a quoted version', 'version: "1"\n', ['1 schema: expected 1, found the text "1". Write 1, without quotes.']],
  [
    'on for enabled',
    'version: 1\ndefaults: { mode: on }\n',
    ['2 schema: expected one of enabled, shadow, off, found the text "on". Write enabled.'],
  ],
  ['true for on', 'version: 1\ndefaults: { cache: { mode: true } }\n', ['2 schema: expected one of on, off, found true. Write on.']],
  [
    'a text for a list',
    'version: 1\ndefaults: { tiers: simple }\n',
    ['2 schema: expected a list, found the text "simple". Write [simple].'],
  ],
  [
    'a sign before a number',
    'version: 1\nbudgets: [{ name: a, period: month, usd: $100 }]\n',
    ['2 schema: expected a number, found the text "$100". Write 100, without quotes or signs. usd: US dollars.'],
  ],
  [
    'a unit behind a number',
    'version: 1\ndefaults: { cache: { ttl: 5m } }\n',
    ['2 schema: expected a number, found the text "5m". Write 300. ttl: Seconds for which an answer is fresh.'],
  ],
  [
    'a text for a map',
    'version: 1\ndefaults: { overrides: [{ name: a, when: premium, then: { best: true } }] }\n',
    [
      '2 schema: expected a map (keys and values), found the text "premium". Write keys under it: quality, userTier, model, task, modality, time.',
    ],
  ],
  [
    'no scheme',
    'version: 1\nproviders: { azure: { endpoint: my.openai.azure.com } }\n',
    ['2 schema: the text "my.openai.azure.com" is no URL. Begin with https://, as https://api.example.com.'],
  ],
  [
    'a provider that is misspelt',
    'version: 1\ndefaults: { candidates: { simple: [opanai/gpt-5-nano] } }\n',
    ['2 unknown-model: there is no provider opanai, and the catalog knows no model opanai/gpt-5-nano. Did you mean openai/gpt-5-nano?'],
  ],
  [
    'a provider that nobody named',
    'version: 1\ndefaults: { candidates: { simple: [acme/large] } }\n',
    [
      '2 unknown-model: there is no provider acme, and the catalog knows no model acme/large. Add acme under providers; known: openai, anthropic, google, mistral, deepseek.',
    ],
  ],
])('%s', (_what, text, problems) => {
  expect(said(text)).toEqual(problems);
});

it('of a model that is misspelt, not that its tier lacks one', () => {
  expect(said('version: 1\ndefaults: { candidates: { simple: [gpt-5-nanno] }, tiers: [simple] }\n')).toEqual([
    expect.stringMatching(/^2 unknown-model: the catalog knows no model gpt-5-nanno\. Did you mean gpt-5-nano/),
  ]);
});

it('a tier with candidates of other providers alone is said to have them, with the way that works', () => {
  const policy = (more: string, models: string): string =>
    `version: 1\n${more}  candidates: { simple: [${models}], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }\n`;
  expect(said(policy('defaults:\n', 'claude-haiku-4-5, gpt-5-nano'))).toEqual(
    ['standard', 'complex'].map(
      (tier) =>
        `3 no-candidates: tier ${tier} is routed for anthropic, and all models under candidates.${tier} are of providers where these requests may not go. List a model of anthropic there, or let these requests go to the others: allowProviders with their names, and a credentialFile at each; or leave anthropic out of the other tiers.`,
    ),
  );
  const allowed =
    'providers: { openai: { credentialFile: /k }, anthropic: { credentialFile: /k } }\ndefaults:\n  allowProviders: [openai, anthropic]\n';
  expect(said(policy(allowed, 'anthropic/claude-haiku-4-5, openai/gpt-5-nano')).filter((text) => text.includes('no-candidates'))).toEqual(
    [],
  );
});

it('a tier without candidates is said once for all providers', () => {
  expect(
    said(
      'version: 1\nproviders: { deepseek: { credentialFile: /k } }\ndefaults:\n  allowProviders: [deepseek]\n  tiers: [simple, standard]\n  candidates: { simple: [deepseek/deepseek-chat] }\n',
    ).filter((text) => text.includes('no-candidates')),
  ).toEqual([
    '6 no-candidates: tier standard is routed for openai, anthropic, google, mistral, deepseek and has no candidate. List models under candidates.standard, or leave standard out of tiers.',
  ]);
});

it.each([
  ['request.promptTokns > 4000', 'Did you mean promptTokens?'],
  ['request.nothing', 'Known: api, operation, model, stream,'],
  ['promptTokens > 1', 'Did you mean request.promptTokens?'],
  ['verdict.tier == simple', "Texts need quotes: 'simple'."],
  ['nothing', 'Known: request, verdict, caller, provider.'],
  ["verdict.domain = 'legal'", 'Compare with ==.'],
  ["verdict.task == 'coding'", "verdict.task is never 'coding'"],
  [String.raw`request.lastUser.matches('\bwhy')`, 'a backspace'],
  ["verdict.task == 'coding'", 'Did you mean code?'],
  ["verdict.task in ['code', 'tranlation']", 'Did you mean translation?'],
  ["verdict.tier == 'easy'", 'Did you mean simple?'],
  ["'law' != verdict.domain", 'Did you mean legal?'],
  ['verdict.score > 1.5', 'verdict.score is from 0 to 1, never 1.5'],
  ['verdict.level >= 6.0', 'Write a number from 0 to 5.'],
  ["verdict.tasks['coding'] > 0.4", "verdict.tasks never has 'coding'"],
  ["verdict.tasks['code'] > 40.0", 'verdict.tasks is from 0 to 1, never 40'],
  ["'law' in verdict.domains", 'Did you mean legal?'],
  ['verdict.domains.helth > 0.2', "verdict.domains never has 'helth'"],
  ['verdict.signals.tols > 0.1', 'Did you mean tools?'],
  ["verdict.signals['steps'] > 0.1", 'Known: text, embedding, context, tools'],
  [String.raw`request.lastUser.matches('\s')`.replace('\\\\', '\\'), "Write a pattern as r'…'"],
  ['request.stream and true', 'Write && for and, || for or, ! for not.'],
  ['request.stream OR true', 'Write && for and, || for or, ! for not.'],
  ["request.model like 'gpt'", "A method is called: request.lastUser.matches('…')"],
  ["request.tools > '1'", 'Compare values of one type'],
  ["request.model.startswith('x')", 'Did you mean startsWith?'],
  ['len(request.lastUser) > 5', 'Write .size().'],
  ["caller.headers['x-a'] == ''", 'Add it under workspaces.ruleHeaders.'],
  ["request.lastUser.matches('(?=x)')", 'Look-around'],
  ['request.tools', 'The variables and their types are in docs/policy.md.'],
])('the rule %s is refused with advice', (when, advice) => {
  expect(said(`${listed}  rules: [{ name: a, when: ${JSON.stringify(when)}, then: { tier: complex } }]\n`).join('\n')).toContain(advice);
});

it('what stands where it should not is not shown when it is long, or a secret', () => {
  const long = `x${'a'.repeat(60)}`;
  expect(said(`version: ${long}\n`)).toEqual(['1 schema: expected 1, found a text. version: Version of this format.']);
  const key = `sk-${'a1B2'.repeat(8)}`;
  expect(said(`version: ${key}\n`).join('\n')).not.toContain('a1B2');
});

it.each(["verdict.signals['example falcon'] > 0.5", "verdict.tasks['code'] > 0.4 && 'tools' in verdict.signals", 'verdict.level > 0.0'])(
  'the rule %s is taken',
  (when) => {
    expect(said(`${listed}  rules: [{ name: a, when: ${JSON.stringify(when)}, then: { tier: complex } }]\n`)).toEqual([]);
  },
);
