import { describe, expect, it } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from './compile.ts';

const catalog = await loadCatalog();
const codes: ReadonlySet<string> = new Set(['capability', 'parameters']);
const said = (text: string, all = false): string[] =>
  compilePolicy([{ name: 'p.yaml', text }], { catalog })
    .problems.filter(({ code }) => all || !codes.has(code))
    .map(({ level, line, code, message, fix }) => `${level} ${line} ${code}: ${message}. ${fix}`);
const candidates = 'candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }';
const policy = (...lines: readonly string[]): string =>
  `version: 1\ndefaults:\n  ${candidates}\n${lines.map((line) => `  ${line}\n`).join('')}`;
const rule = (when: string): string => policy(`rules: [{ name: a, when: ${JSON.stringify(when)}, then: { tier: complex } }]`);

describe('validate warns of what harms or does nothing', () => {
  it('says nothing of a policy that is well', () => {
    expect(said(policy())).toEqual([]);
    expect(
      said(
        policy(
          'thresholds: { simple: { score: 0.3 }, standard: { score: 0.6 } }',
          "sensitivity: [{ name: s, pattern: 'secret|geheim', then: { block: no } }]",
        ),
      ),
    ).toEqual([]);
  });

  it.each<readonly [string, string, RegExp]>([
    [
      'an endpoint with a path that requests bring themselves',
      `providers: { corp: { dialect: openai, endpoint: 'https://llm.corp/api/v1/chat/completions' } }\n${policy()}`,
      /^warning 1 endpoint-path: requests bring \/v1\/chat\/completions themselves: they would be sent to https:\/\/llm\.corp\/api\/v1\/chat\/completions\/v1\/chat\/completions\. Write https:\/\/llm\.corp\/api\./,
    ],
    [
      "Azure's path in an endpoint",
      `providers: { corp: { dialect: azure-openai, endpoint: 'https://corp.openai.azure.com/openai/' } }\n${policy()}`,
      /^warning 1 endpoint-path: requests bring \/openai themselves.* Write https:\/\/corp\.openai\.azure\.com\./,
    ],
    [
      'a secure model that no other traffic reaches',
      policy('sensitivity: [{ name: s, pattern: secret, then: { model: mistral/mistral-large-latest } }]'),
      /^warning 4 secure-model: requests for openai, anthropic, google, deepseek that s matches are refused with 403: they cannot reach mistral\/mistral-large-latest/,
    ],
    [
      'a secure model without a key',
      `version: 1\nsections:\n  - { name: o, match: { provider: [openai] }, ${candidates}, allowProviders: [mistral], sensitivity: [{ name: s, pattern: secret, then: { model: mistral/mistral-large-latest } }] }\n`,
      /^warning 3 secure-model: all requests that s matches are refused with 403/,
    ],
    [
      'a count below zero',
      rule('request.promptTokens < 0'),
      /^warning 4 unreachable: rule a is never true: no value of request\.promptTokens meets it/,
    ],
    [
      'more than three and fewer than four',
      rule('request.words > 3 && request.words < 4'),
      /^warning 4 unreachable: rule a is never true: no value of request\.words meets it/,
    ],
    ['a length below zero', rule('size(request.lastUser) < 0'), /^warning 4 unreachable: rule a is never true/],
    [
      'two beginnings',
      rule("request.model.startsWith('gpt-') && request.model.startsWith('claude-')"),
      /^warning 4 unreachable: rule a is never true: no value of request\.model meets it/,
    ],
    [
      'an exception that is the rule itself',
      rule("request.model.startsWith('gpt-5') && !request.model.startsWith('gpt')"),
      /^warning 4 unreachable: rule a is never true: no value of request\.model meets it/,
    ],
    ['an API that there is not', rule("request.api == 'openai'"), /^error 4 cel: request\.api is never 'openai' .*/],
    ...[
      "request.lastUser.contains('')",
      'request.words >= 0',
      'request.tools > 0 || request.tools <= 0',
      'request.stream || !request.stream',
    ].map((when): [string, string, RegExp] => [
      `what comes after ${when}`,
      policy(
        `rules: [{ name: a, when: ${JSON.stringify(when)}, then: { tier: complex } }, { name: b, when: request.stream, then: { tier: simple } }]`,
      ),
      /^warning 4 unreachable: rule b is never reached: rule a before it is always true/,
    ]),
    [
      'a backslash too many',
      policy("sensitivity: [{ name: s, pattern: '\\\\d{3}-\\\\d{2}', then: { block: no } }]"),
      /^warning 4 regex: s looks for a backslash and a letter: \\\\d is not \\d/,
    ],
    [
      'an override to a provider that only traffic without candidates reaches',
      policy('overrides: [{ name: o, when: { task: [code] }, then: { model: mistral/mistral-large-latest } }]'),
      /^warning 4 cross-provider: mistral\/mistral-large-latest is a model of mistral, and no traffic that has candidates here may go there/,
    ],
    [
      'a chain of a tier to a provider that only traffic without candidates reaches',
      policy('fallback: { tiers: { complex: [claude-sonnet-4-6] } }'),
      /^warning 4 cross-provider: claude-sonnet-4-6 is a model of anthropic, and no traffic that has candidates here may go there\. Add anthropic to allowProviders/,
    ],
    [
      'two values at once',
      rule("verdict.tier == 'simple' && 'complex' == verdict.tier"),
      /^warning 4 unreachable: rule a is never true: no value of verdict\.tier meets it/,
    ],
    [
      'bounds that leave nothing',
      rule('request.promptTokens > 10 && request.stream && request.promptTokens < 5'),
      /^warning 4 unreachable: rule a is never true: no value of request\.promptTokens meets it/,
    ],
    [
      'both ways of an or',
      rule("(request.tools > 2 && request.tools < 1) || (verdict.task == 'code' && verdict.task == 'maths')"),
      /^warning 4 unreachable: rule a is never true/,
    ],
    [
      'a pattern that may be empty',
      policy("sensitivity: [{ name: s, pattern: 'secret|', then: { block: no } }]"),
      /^warning 4 matches-everything: every prompt matches s/,
    ],
    [
      'a pattern for any letter',
      policy("sensitivity: [{ name: s, pattern: '.', then: { block: no } }]"),
      /^warning 4 matches-everything: every prompt matches s/,
    ],
    ['the same in a rule', rule("request.lastUser.matches('.*')"), /^warning 4 matches-everything: every text matches \.\*/],
    [
      'tiers upside down',
      'version: 1\ndefaults: { candidates: { simple: [gpt-5.1], standard: [gpt-5-mini], complex: [gpt-5-nano] } }\n',
      /^warning 2 tier-prices: the cheapest candidate of simple, gpt-5\.1, costs more than gpt-5-mini of standard/,
    ],
    [
      'thresholds out of order',
      policy('thresholds: { simple: { score: 0.8 }, standard: { score: 0.4 } }'),
      /^warning 4 no-effect: no prompt is standard: standard ends at 0\.4, and simple at 0\.8/,
    ],
    [
      'enabled without candidates',
      'version: 1\ndefaults: { mode: enabled }\n',
      /^warning 2 no-effect: mode is enabled, and nothing says where requests go/,
    ],
    [
      'a workspace near a known one',
      `version: 1\nworkspaces: { known: [billing, search] }\ndefaults: { ${candidates} }\nsections: [{ name: a, match: { workspace: [biling] }, mode: shadow }]\n`,
      /^warning 4 unknown-workspace: workspaces\.known has no biling\. Did you mean billing\?/,
    ],
    [
      'a budget for a workspace that nearly has a section',
      'version: 1\ncallers: { believe: { workspace: gateway } }\nbudgets: [{ name: b, match: { workspace: [serach, team-b] }, period: day, usd: 1 }]\nsections:\n  - { name: s, match: { workspace: [search, team-a] }, mode: off }\n',
      /^warning 3 unknown-workspace: no section is for serach, but one is for search\. Did you mean search\?/,
    ],
    [
      'a rate limit for one',
      'version: 1\ncallers: { believe: { workspace: gateway } }\nlimits: [{ name: l, match: { workspace: [serach] }, concurrent: 1 }]\nsections:\n  - { name: s, match: { workspace: [search] }, mode: off }\n',
      /^warning 3 unknown-workspace: no section is for serach, but one is for search\./,
    ],
    [
      'a price in another unit',
      `version: 1\ncatalog: { overrides: { openai: { gpt-5-nano: { input: 50 } } } }\ndefaults: { mode: off }\n`,
      /^warning 2 price: 50 is 1,000 times the catalog's 0\.05\. Prices are US dollars for a million tokens/,
    ],
    [
      'a price for one token',
      `version: 1\ncatalog: { overrides: { openai: { gpt-5-nano: { input: 0.00000005 } } } }\ndefaults: { mode: off }\n`,
      /^warning 2 price: 5e-8 is one 1,000,000th of the catalog's 0\.05/,
    ],
    [
      "another product's way to name a key",
      'version: 1\nproviders: { openai: { credentialFile: os.environ/OPENAI_API_KEY } }\ndefaults: { mode: off }\n',
      /^warning 2 key-file: os\.environ\/OPENAI_API_KEY is no path/,
    ],
    [
      'a variable as a file',
      'version: 1\nproviders: { mistral: { credentialFiles: [/k, "$MISTRAL_KEY"] } }\ndefaults: { mode: off }\n',
      /^warning 2 key-file: \$MISTRAL_KEY is no path/,
    ],
    ...['op://vault/key', 'file:///run/key', 'ssm:/prod/key', '{vault://x}', 'projects/p/secrets/s/versions/1', '~/key', '<path:a#b>'].map(
      (file): [string, string, RegExp] => [
        `the key ${file}`,
        `version: 1\nproviders: { openai: { credentialFile: "${file}" } }\ndefaults: { mode: off }\n`,
        /^warning 2 key-file: .* is no path/,
      ],
    ),
    ...[
      'request.promptTokens > 1000 && !(request.promptTokens > 500)',
      "request.model in ['a', 'b'] && request.model == 'c'",
      'request.stream && !request.stream',
      'verdict.confidence < 0.0',
      "request.model.startsWith('gpt') && request.model == 'claude'",
      "(request.model == 'a' || request.model == 'b') && request.model == 'c'",
      "!(request.model != 'a' || request.stream) && request.stream",
    ].map((when): [string, string, RegExp] => [when, rule(when), /^warning 4 unreachable: rule a is never true/]),
    ['an unknown provider', rule("provider == 'opennai'"), /^error 4 cel: provider is never 'opennai'.* Did you mean openai\?/],
    ...['[a-z]', '\\\\s', '\\\\w', '\\\\b', '(?i)[aeiou]'].map((pattern): [string, string, RegExp] => [
      `the pattern ${pattern}`,
      policy(`sensitivity: [{ name: s, pattern: "${pattern}", then: { block: no } }]`),
      /^warning 4 matches-everything: nearly every prompt matches s\. Write a narrower pattern/,
    ]),
    [
      'a mask for every word',
      policy("sensitivity: [{ name: s, pattern: '[a-z]+', then: { mask: true } }]"),
      /^warning 4 matches-everything: nearly every prompt matches s/,
    ],
    [
      'the letters in a rule',
      rule("request.lastUser.matches('[a-z]')"),
      /^warning 4 matches-everything: nearly every text matches \[a-z\]/,
    ],
    [
      'lengths out of order',
      policy('thresholds: { simple: { score: 0.3, tokens: 5000 }, standard: { score: 0.6, tokens: 1000 } }'),
      /^warning 4 no-effect: standard ends at 1000 tokens, before simple at 5000/,
    ],
    [
      'a chain for a model whose own traffic cannot take it',
      policy('fallback: { models: { gpt-5.1: [anthropic/claude-sonnet-4-6] } }'),
      /^warning 4 cross-provider: anthropic\/claude-sonnet-4-6 is a model of anthropic, and no traffic that asks for gpt-5\.1 may go there\. Add anthropic to allowProviders/,
    ],
    [
      'a chain that names another API beside one that works',
      policy('fallback: { models: { gpt-5.1: [gpt-5-mini, anthropic/claude-sonnet-4-6] } }'),
      /^warning 4 cross-provider: anthropic/,
    ],
    [
      'models to compare that are out of reach',
      policy('models: { for: [gpt-5.1], list: [anthropic/claude-sonnet-4-6, gpt-5-mini, gpt-5.1], maxQualityLoss: 2% }'),
      /^warning 4 cross-provider: anthropic\/claude-sonnet-4-6 is a model of anthropic, and no traffic that asks for gpt-5\.1/,
    ],
    [
      'an override for a model of another API',
      policy('overrides: [{ name: o, when: { model: [gpt-5.1] }, then: { model: anthropic/claude-sonnet-4-6 } }]'),
      /^warning 4 dialect: anthropic\/claude-sonnet-4-6 speaks the anthropic API/,
    ],
    [
      'two documents',
      `version: 1\ndefaults: { ${candidates} }\n---\nversion: 1\n`,
      /^error 3 yaml: a second YAML document begins here \(---\)\. Keep one document a file/,
    ],
  ])('%s', (_what, text, expected) => {
    expect(
      said(text).filter((one) => expected.test(one)),
      said(text).join('\n'),
    ).toHaveLength(1);
  });

  it('of a model without chat for what prompts carry', () => {
    expect(
      said(policy('overrides: [{ name: code, when: { modality: [code] }, then: { model: text-embedding-3-small } }]'), true),
    ).toContainEqual(expect.stringMatching(/^error 4 capability: text-embedding-3-small does not answer prompts/));
  });

  it('of a model that does not take what its requests carry', () => {
    const to = (when: string, model: string): string => policy(`overrides: [{ name: o, when: { ${when} }, then: { model: ${model} } }]`);
    expect(said(to('modality: [vision]', 'gpt-3.5-turbo'), true)).toContainEqual(
      expect.stringMatching(/^warning 4 capability: gpt-3\.5-turbo is not known to have vision, which requests with vision need/),
    );
    expect(said(to('task: [code]', 'whisper-1'), true)).toContainEqual(
      expect.stringMatching(/^error 4 capability: whisper-1 does not answer prompts/),
    );
    expect(said(to('modality: [vision, code]', 'gpt-5-mini'), true).join()).not.toContain('not known to have vision');
  });

  it('once of a provider without a key, with all that cannot go there', () => {
    const all = said(
      `version: 1
defaults:
  allowProviders: [openai, anthropic, mistral]
  candidates: { simple: [gpt-5-nano, mistral/mistral-small-latest], standard: [gpt-5-mini], complex: [gpt-5.1, mistral/mistral-large-latest] }
  fallback: { tiers: { complex: [mistral/mistral-large-latest] } }
  otherApis: always
providers: { openai: { credentialFile: /k } }
`,
    );
    expect(all).toEqual([
      'warning 4 no-credential: requests for openai, anthropic, google, deepseek cannot go to mistral/mistral-small-latest and 1 other model of it: the gateway has no key for mistral. Set providers.mistral.credentialFile.',
    ]);
  });

  it('only of the candidate that a tier lacks, not of the tier as well', () => {
    expect(
      said(
        'version: 1\nsections: [{ name: o, match: { provider: [openai] }, candidates: { simple: [claude-haiku-4-5], standard: [gpt-5-mini], complex: [gpt-5.1] } }]\n',
      ),
    ).toEqual([expect.stringMatching(/^error 2 (?:dialect|cross-provider): claude-haiku-4-5/)]);
  });

  it('gives the real reason why a candidate cannot be used, and the way that works', () => {
    const other = said(
      `version: 1\nsections: [{ name: o, match: { provider: [openai] }, candidates: { simple: [anthropic/claude-haiku-4-5, gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] } }]\n`,
    );
    expect(other).toEqual([
      expect.stringMatching(
        /^error 2 dialect: anthropic\/claude-haiku-4-5 speaks the anthropic API.*Chains are translated: fallback may name it, with anthropic in allowProviders\.$/,
      ),
    ]);
    const both = said(
      `version: 1\nsections: [{ name: o, match: { provider: [anthropic, openai] }, candidates: { simple: [mistral/mistral-small-latest, gpt-5-nano, claude-haiku-4-5], standard: [gpt-5-mini, claude-haiku-4-5], complex: [gpt-5.1, claude-haiku-4-5] } }]\n`,
    );
    expect(both).toEqual([expect.stringMatching(/^error 2 cross-provider: mistral\/mistral-small-latest is a model of mistral/)]);
  });

  it.each<readonly [string, string]>([
    ['bounds that meet', rule('request.promptTokens >= 5 && request.promptTokens <= 5')],
    ['one way of an or', rule('request.promptTokens < 0 || request.stream')],
    ['one count that is left', rule('request.words > 3 && request.words < 5')],
    ['a score between whole numbers', rule('verdict.score > 0 && verdict.score < 1')],
    ['a longer and a shorter beginning', rule("request.model.startsWith('gpt') && request.model.startsWith('gpt-5')")],
    ['a folder in a pattern', policy("sensitivity: [{ name: s, pattern: 'C:\\\\data', then: { block: no } }]")],
    [
      'a rule that says whose traffic it is for',
      policy('rules: [{ name: a, when: "provider == \'mistral\'", then: { model: mistral/mistral-large-latest } }]'),
    ],
    ['what is not said', rule('!(request.promptTokens > 10 && request.promptTokens < 5)')],
    ['other things', rule('request.tools > 10 && request.images < 5')],
    ['a value among some', rule("request.model in ['a', 'b'] && request.model == 'a' && !request.stream")],
    ['a beginning and an exception', rule("request.model.startsWith('gpt') && request.model != 'gpt-4' && !request.model.endsWith('x')")],
    ['one way that is left', rule("(request.model == 'a' || request.model == 'b') && request.model != 'a'")],
    ['a provider of the policy', rule("provider == 'openai' || provider in ['anthropic']")],
    [
      'a pattern for any header',
      `version: 1\nworkspaces: { ruleHeaders: [x-team] }\ndefaults:\n  ${candidates}\n  rules: [{ name: a, when: "caller.headers['x-team'].matches('.+')", then: { tier: complex } }]\n`,
    ],
    [
      'a chain for one of several providers',
      policy('fallback: { models: { gpt-5.1: [gpt-5-mini], claude-sonnet-4-6: [claude-haiku-4-5] } }'),
    ],
    [
      "a section's own key",
      `version: 1\nsections: [{ name: o, match: { provider: [openai] }, allowProviders: [mistral], keys: { mistral: /k }, ${candidates}, fallback: { tiers: { complex: [mistral/mistral-large-latest] } }, sensitivity: [{ name: s, pattern: secret, then: { model: mistral/mistral-large-latest } }] }]\n`,
    ],
    [
      'siblings of a known workspace',
      `version: 1\ncallers: { believe: { workspace: gateway } }\nworkspaces: { known: [team-a, app1] }\ndefaults: { ${candidates} }\nsections: [{ name: a, match: { workspace: [team-b, app2, other] }, mode: shadow }]\n`,
    ],
    [
      'a discount',
      'version: 1\ncatalog: { overrides: { openai: { gpt-5-nano: { input: 0.005, output: 0 } } } }\ndefaults: { mode: off }\n',
    ],
    ['a path', 'version: 1\nproviders: { openai: { credentialFile: /run/secrets/OPENAI_API_KEY } }\ndefaults: { mode: off }\n'],
    ['a cache alone', 'version: 1\ndefaults: { mode: enabled, cache: { mode: on } }\n'],
    [
      'a secure model of the same provider',
      `version: 1\nsections: [{ name: o, match: { provider: [openai] }, ${candidates}, sensitivity: [{ name: s, pattern: secret, then: { model: openai/gpt-5.1 } }] }]\n`,
    ],
  ])('not of %s', (_what, text) => {
    expect(said(text)).toEqual([]);
  });
});
