import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalog, compile, compiled, short } from '../../test/support/policy.ts';
import { loadCatalog } from '../catalog/index.ts';
import { limits } from '../lib/limits.ts';
import { compilePolicy } from './compile.ts';
import { defaultPolicyFile, readPolicyFiles } from './source.ts';
import { fileURLToPath } from 'node:url';
import { runs } from '../../test/support/fuzz.ts';

const good = `version: 1
defaults:
  candidates:
    simple: [gpt-small]
    standard: [gpt-middle]
    complex: [gpt-large]
`;

/** What is wrong with a policy: `code line:column path`. */
function wrong(policy: string | Record<string, string>): string[] {
  return compile(policy).problems.map(short);
}

describe('a policy is compiled', () => {
  test('the embedded policy has no problem with the embedded catalog', async () => {
    const { problems, generation } = compilePolicy(readPolicyFiles(fileURLToPath(defaultPolicyFile)), { catalog: await loadCatalog() });
    expect(problems).toEqual([]);
    for (const provider of ['openai', 'anthropic', 'google']) expect(generation!.section('any', provider).routedTiers.size).toBe(3);
  });

  test.each([
    ['a rule that blocks', "defaults: {rules: [{name: no, when: 'true', then: {block: No.}}]}", true],
    ['an override that blocks', 'defaults: {overrides: [{name: no, when: {model: [gpt-*]}, then: {block: No.}}]}', true],
    ['a pattern', 'defaults: {sensitivity: [{name: zeus, pattern: zeus, then: {block: No.}}]}', true],
    ['one section of two', "sections: [{name: a, match: {workspace: [a]}, rules: [{name: no, when: 'true', then: {block: No.}}]}]", true],
    ['a shadow of a block', "defaults: {mode: shadow, rules: [{name: no, when: 'true', then: {block: No.}}]}", false],
    ['rules that route', "defaults: {rules: [{name: up, when: 'true', then: {tier: complex}}]}", false],
  ])('%s: whether it refuses requests because of what they hold', (_, policy, withholds) => {
    expect(compiled(`version: 1\n${policy}\n`).withholds).toBe(withholds);
  });

  test.each([
    ['a workspace', '{name: a, match: {workspace: [bank]}, failClosed: true}', true],
    ['a provider', '{name: a, match: {provider: [openai]}, failClosed: true}', false],
    [
      'a workspace at a provider that is closed to all',
      '{name: a, match: {workspace: [bank], provider: [openai]}, failClosed: true}, {name: b, match: {provider: [openai]}, failClosed: true}',
      false,
    ],
  ])('failClosed for %s: whether it holds without Sluice', (_, sections, warned) => {
    const found = wrong(`version: 1\ncallers: {believe: {workspace: gateway}}\nsections: [${sections}]\n`);
    expect(found.some((problem) => problem.startsWith('open-without-sluice'))).toBe(warned);
  });

  test('files are joined by name, sections in that order', () => {
    const { number, hash, ...generation } = compiled({
      'b.yaml': 'version: 1\nsections: [{name: shadowed, match: {workspace: [red]}, mode: shadow}]\n',
      'a.yaml': good,
    });
    expect(generation.section('red', 'openai')).toMatchObject({
      name: 'shadowed',
      mode: 'shadow',
      candidates: { simple: [{ provider: 'openai', model: 'gpt-small' }] },
    });
    expect(generation.section('blue', 'openai').mode).toBe('enabled');
    expect(number).toBe(1);
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
  });

  test('the hash does not depend on the folder', () => {
    expect(compiled({ '/etc/one/a.yaml': good }).hash).toBe(compiled({ '/mnt/two/a.yaml': good }).hash);
    expect(compiled({ 'a.yaml': good }).hash).not.toBe(compiled({ 'a.yaml': `${good}\n` }).hash);
  });

  test('the most specific section wins: workspace by name, then its longest prefix, then provider, whatever the order', () => {
    const generation = compiled(`${good}sections:
  - {name: all, streamUsage: ask}
  - {name: by-provider, match: {provider: [openai]}}
  - {name: prefix, match: {workspace: ['team-*']}}
  - {name: longer, match: {workspace: ['team-a-*', other]}}
  - {name: exact, match: {workspace: [team-a-1]}}
  - {name: both, match: {workspace: [team-a-1], provider: [openai]}}
`);
    expect(generation.section('x', 'mistral').name).toBe('all');
    expect(generation.section('x', 'openai').name).toBe('by-provider');
    expect(generation.section('team-b', 'openai').name).toBe('prefix');
    expect(generation.section('team-a-2', 'openai').name).toBe('longer');
    expect(generation.section('team-a-1', 'anthropic').name).toBe('exact');
    expect(generation.section('team-a-1', 'openai').name).toBe('both');
    expect(generation.section('other', 'openai').name).toBe('longer');
  });

  test('a section called defaults does not change the defaults', () => {
    const generation = compiled(`${good}sections: [{name: defaults, match: {workspace: [red]}, mode: off}]\n`);
    expect(generation.section('blue', 'openai').mode).toBe('enabled');
    expect(generation.section('red', 'openai').mode).toBe('off');
  });

  test('catalog overrides add models and prices', () => {
    const { catalog: changed } = compiled(`version: 1
catalog: {overrides: {openai: {own-model: {input: 3, output: 4, contextWindow: 8000, capabilities: {tools: true, vision: true, jsonSchema: true}}}}}
defaults: {tiers: [simple], candidates: {simple: [own-model]}}
`);
    expect(changed.lookup('openai', 'own-model')).toMatchObject({ prices: { input: 3 }, contextWindow: 8000 });
  });
});

describe('mistakes are found where they are', () => {
  test.each([
    ['broken YAML', 'version: 1\ndefaults: {mode: \n', ['yaml 2:18 ']],
    ['an empty file', '', ['empty 1:1 ']],
    ['only a comment', '# nothing\n', ['empty 1:1 ']],
    ['no version', 'defaults: {}\n', ['missing 1:1 version']],
    ['an unknown setting', 'version: 1\ndefaults:\n  modes: off\n', ['unknown-key 3:10 defaults.modes']],
    ['a word that is not allowed', 'version: 1\ndefaults:\n  mode: enabeld\n', ['schema 3:9 defaults.mode']],
    ['a key twice', 'version: 1\nversion: 1\n', ['yaml 2:1 ']],
    ['a merge key', 'version: 1\ndefaults: &d {mode: shadow}\nsections:\n  - name: a\n    <<: *d\n', ['merge-key 5:5 ']],
    ['a merge key where any name may stand', 'version: 1\nproviders:\n  <<: {openai: {endpoint: "https://x.test"}}\n', ['merge-key 3:3 ']],
    [
      'a score above one',
      'version: 1\ndefaults:\n  thresholds: {simple: {score: 1.5, tokens: 5}, standard: {score: 1, tokens: 9}}\n',
      ['range 3:32 defaults.thresholds.simple.score'],
    ],
    [
      'an unknown model',
      'version: 1\ndefaults:\n  tiers: [simple]\n  candidates:\n    simple:\n      - gpt-small\n      - gpt-smal\n',
      ['unknown-model 7:9 defaults.candidates.simple[1]'],
    ],
    [
      'an unknown provider',
      `${good}sections:\n  - name: a\n    match: {provider: [opnai]}\n`,
      ['unknown-provider 9:24 sections[0].match.provider[0]'],
    ],
    [
      'an unknown provider to cross to',
      `${good}sections:\n  - {name: a, allowProviders: [mistrall]}\n`,
      ['unknown-provider 8:32 sections[0].allowProviders[0]'],
    ],
    ['a provider without an endpoint', 'version: 1\nproviders:\n  own: {dialect: openai}\n', ['missing 3:3 providers.own']],
    [
      'a routed tier without candidates',
      'version: 1\ndefaults:\n  candidates: {simple: [gpt-small], standard: [gpt-middle]}\n',
      ['no-candidates 3:3 defaults.candidates'],
    ],
    ['tiers and no candidates at all', 'version: 1\ndefaults:\n  tiers: [simple]\n', ['no-candidates 3:3 defaults.tiers']],
    [
      'a directive to a tier without candidates',
      'version: 1\ndefaults:\n  tiers: [simple]\n  candidates: {simple: [gpt-small]}\n  rules:\n    - {name: a, when: request.stream, then: {tier: complex}}\n',
      ['no-candidates 6:39 defaults.rules[0].then'],
    ],
    [
      'a candidate for embeddings',
      'version: 1\ndefaults: {tiers: [simple], candidates: {simple: [embed-small]}}\n',
      ['capability 2:51 defaults.candidates.simple[0]'],
    ],
    [
      'a bad expression',
      `${good}  rules:\n    - name: a\n      when: request.model ==\n      then: {keep: true}\n`,
      ['cel 9:29 defaults.rules[0].when'],
    ],
    [
      'an unknown variable',
      `${good}  rules:\n    - name: a\n      when: "verdict.scor > 0.5"\n      then: {keep: true}\n`,
      ['cel 9:22 defaults.rules[0].when'],
    ],
    [
      'an expression in a block',
      `${good}  rules:\n    - name: a\n      when: |\n        request.stream &&\n        verdict.scor > 0.5\n      then: {keep: true}\n`,
      ['cel 11:17 defaults.rules[0].when'],
    ],
    [
      'an expression that is no condition',
      `${good}  rules: [{name: a, when: request.model, then: {keep: true}}]\n`,
      ['cel 7:27 defaults.rules[0].when'],
    ],
    [
      'a header that rules may not read',
      `${good}  rules:\n    - name: a\n      when: caller.headers['x-team'] == 'a'\n      then: {keep: true}\n`,
      ['cel 9:13 defaults.rules[0].when'],
    ],
    [
      'a bad regular expression in a rule',
      `${good}  rules:\n    - name: a\n      when: request.lastUser.matches('(')\n      then: {keep: true}\n`,
      ['cel 9:38 defaults.rules[0].when'],
    ],
    [
      'a mask of nothing',
      `${good}  sensitivity: [{name: a, pattern: 'x*', then: {mask: true}}]\n`,
      ['mask 7:36 defaults.sensitivity[0].pattern'],
    ],
    [
      'a mask beside a model',
      `${good}  sensitivity: [{name: a, pattern: 'x', then: {mask: true, model: gpt-5.1}}]\n`,
      ['schema 7:41 defaults.sensitivity[0].then'],
    ],
    [
      'a bad regular expression',
      `${good}  sensitivity: [{name: a, pattern: '(?=x)', then: {block: no}}]\n`,
      ['regex 7:36 defaults.sensitivity[0].pattern'],
    ],
    [
      'a rule after one that is always true',
      `${good}  rules:\n    - {name: a, when: '1 == 1 || request.stream', then: {keep: true}}\n    - {name: b, when: request.stream, then: {tier: simple}}\n`,
      ['unreachable 9:7 defaults.rules[1]'],
    ],
    [
      'a rule that is never true',
      `${good}  rules:\n    - {name: a, when: 1 > 2, then: {keep: true}}\n`,
      ['unreachable 8:23 defaults.rules[0].when'],
    ],
    [
      'a rule twice',
      `${good}  rules:\n    - {name: a, when: request.stream, then: {keep: true}}\n    - {name: b, when: request.stream, then: {tier: simple}}\n`,
      ['unreachable 9:7 defaults.rules[1]'],
    ],
    [
      'an override that an earlier one covers',
      `${good}  overrides:\n    - {name: a, when: {quality: [Gold, free]}, then: {best: true}}\n    - {name: b, when: {task: [code], quality: [gold]}, then: {keep: true}}\n`,
      ['unreachable 9:7 defaults.overrides[1]'],
    ],
    [
      'a time that never comes',
      `${good}  overrides:\n    - {name: a, when: {time: {zone: UTC, from: '08:00', to: '08:00'}}, then: {keep: true}}\n`,
      ['unreachable 8:24 defaults.overrides[0].when.time'],
    ],
    [
      'a zone that does not exist',
      `${good}  overrides:\n    - {name: a, when: {time: {zone: Europe/Berln, from: '08:00', to: '09:00'}}, then: {keep: true}}\n`,
      ['time-zone 8:37 defaults.overrides[0].when.time.zone'],
    ],
    [
      'a section that is never used',
      `${good}sections:\n  - {name: a, match: {workspace: [red, blue]}}\n  - {name: b, match: {workspace: [green]}}\n  - {name: c, match: {workspace: [green, blue]}}\n`,
      ['unreachable 10:5 sections[2]'],
    ],
    [
      'a star in the middle',
      `${good}sections:\n  - {name: a, match: {workspace: ['r*d']}}\n`,
      ['unreachable 8:35 sections[0].match.workspace[0]'],
    ],
    [
      'two sections of one name',
      `${good}sections:\n  - {name: a, match: {workspace: [red]}}\n  - {name: a, match: {workspace: [blue]}}\n`,
      ['twice 9:12 sections[1].name'],
    ],
    [
      'a directive that says two things',
      `${good}  rules: [{name: a, when: request.stream, then: {keep: true, best: true}}]\n`,
      ['schema 7:43 defaults.rules[0].then'],
    ],
    [
      'a model of a provider that may not be reached',
      'version: 1\nsections:\n  - {name: a, match: {provider: [openai]}, tiers: [simple], candidates: {simple: [gpt-small, mistral/mistral-small]}}\n',
      ['cross-provider 3:94 sections[0].candidates.simple[1]'],
    ],
    [
      'a model whose API is another',
      'version: 1\nsections:\n  - {name: a, match: {provider: [openai]}, allowProviders: [anthropic], tiers: [simple], candidates: {simple: [gpt-small, claude-small]}}\n',
      ['dialect 3:123 sections[0].candidates.simple[1]'],
    ],
    [
      'a prefix that two providers want',
      'version: 1\nproviders:\n  own: {dialect: openai, endpoint: "http://localhost:1", pathPrefix: /mistral}\n',
      ['twice 3:70 providers.own.pathPrefix'],
    ],
    [
      'a prefix that is a path of providers',
      'version: 1\nproviders:\n  own: {dialect: openai, endpoint: "http://localhost:1", pathPrefix: /v1}\n',
      ['path-prefix 3:70 providers.own.pathPrefix'],
    ],
    [
      'catalog overrides for nobody',
      'version: 1\ncatalog:\n  overrides:\n    opnai: {a: {input: 1}}\n',
      ['unknown-provider 4:5 catalog.overrides.opnai'],
    ],
    [
      'a deployment of an unknown model',
      'version: 1\nproviders:\n  az: {dialect: azure-openai, endpoint: "https://a.test", catalog: openai, deployments: {prod: gpt-lage}}\n',
      ['unknown-model 3:96 providers.az.deployments.prod'],
    ],
    ['too many aliases', `version: 1\nx: &a [1]\n${Array.from({ length: 60 }, (_, i) => `k${i}: *a`).join('\n')}\n`, ['yaml 1:1 ']],
    ['a key that is a list', 'version: 1\n? [a]\n: b\n', ['yaml 1:1 ']],
  ])('%s', (_name, policy, problems) => {
    expect(wrong(policy)).toEqual(problems);
    expect(compile(policy).generation).toBeNull();
  });

  test.each([
    ['no price', 'version: 1\ndefaults: {tiers: [simple], candidates: {simple: [gpt-unpriced]}}\n', 'unknown-price'],
    ['a capability that no candidate has', 'version: 1\ndefaults: {tiers: [simple], candidates: {simple: [gpt-blind]}}\n', 'capability'],
    [
      'a capability that one candidate lacks',
      'version: 1\ndefaults: {tiers: [simple], candidates: {simple: [gpt-small, gpt-blind]}}\n',
      'capability',
    ],
    ['a pinned model that nobody knows', `${good}  pinned: [gpt-9]\n`, 'unknown-model'],
    [
      'no key for the other provider',
      'version: 1\ndefaults: {allowProviders: [mistral], tiers: [simple], candidates: {simple: [gpt-small, mistral/mistral-small]}}\n',
      'no-credential',
    ],
  ])('%s is a warning, and the policy is taken', (_name, policy, code) => {
    const { generation, problems } = compile(policy);
    expect(problems.map((problem) => `${problem.level} ${problem.code}`)).toContain(`warning ${code}`);
    expect(generation).not.toBeNull();
  });

  test('a candidate of another provider is fine where that provider may be reached, and in a list for all', () => {
    expect(
      wrong(
        'version: 1\nproviders: {mistral: {credentialFile: /key}}\nsections: [{name: a, match: {provider: [openai]}, allowProviders: [mistral], tiers: [simple], candidates: {simple: [mistral/mistral-small]}}]\n',
      ),
    ).toEqual([]);
    expect(wrong('version: 1\ndefaults: {tiers: [simple], candidates: {simple: [gpt-small, claude-small]}}\n')).toEqual([]);
  });

  test('what would be right is said by name', () => {
    const fixes = compile('version: 1\ndefaults:\n  tiers: [simple]\n  candidates: {simple: [gpt-smal]}\n').problems.map(({ fix }) => fix);
    expect(fixes[0]).toContain('gpt-small');
    expect(compile('version: 1\ndefaults: {modes: off}\n').problems[0]!.fix).toContain('mode');
    expect(compile('version: 1\ndefaults: {mode: enabeld}\n').problems[0]!.fix).toBe('Did you mean enabled?');
  });

  test('an inherited mistake is shown in the file of the defaults, once', () => {
    const { problems } = compile({
      'a.yaml': 'version: 1\nsections: [{name: a, match: {workspace: [red]}}]\n',
      'b.yaml': 'version: 1\ndefaults:\n  rules: [{name: a, when: nope, then: {keep: true}}]\n',
    });
    expect(problems.map(({ file, code, line }) => ({ file, code, line }))).toEqual([{ file: 'b.yaml', code: 'cel', line: 3 }]);
  });

  test.each([
    'defaults: {}',
    'workspaces: {}',
    'providers: {mistral: {credentialFile: /key}}',
    'catalog: {overrides: {openai: {gpt-small: {input: 1}}}}',
    'sections: [{name: a, match: {workspace: [red]}}]',
  ])('%s in two files is a mistake', (text) => {
    const { generation, problems } = compile({ 'a.yaml': `version: 1\n${text}\n`, 'b.yaml': `version: 1\n${text}\n` });
    expect(generation).toBeNull();
    expect(problems.find(({ code }) => code === 'twice')).toMatchObject({ file: 'b.yaml', level: 'error' });
  });

  test('a policy over the size limit is not parsed', () => {
    expect(wrong(`version: 1\n# ${'x'.repeat(limits.policyBytes)}\n`)).toEqual(['too-large 1:1 ']);
  });
});

describe('secrets', () => {
  const keys = [
    ['sk', 'proj', 'abcDEF0123456789abcdef'].join('-'),
    ['AIza', 'Sy0123456789abcdefghijABCDEFGHIJ012'].join(''),
    ['AKIA', 'IOSFODNN7EXAMPLE'].join(''),
    ['ghp', '0123456789abcdefghijABCDEFGHIJ012345'].join('_'),
  ];

  test.each(keys)('a key is an error that does not show it, wherever it stands (%#)', (key) => {
    for (const policy of [
      `${good}  pinned: [${key}]\n`,
      `${good}  default: ${key}\n`,
      `version: 1\n${key}: 1\n`,
      `version: 1\n# ${key}\n`,
      `version: [${key}\n`,
    ]) {
      const { generation, problems } = compile(policy);
      expect(generation).toBeNull();
      expect(problems.filter(({ code }) => code === 'secret')).toHaveLength(1);
      expect(JSON.stringify(problems)).not.toContain(key);
    }
  });

  test('a random value under a key for credentials is found, a path is not', () => {
    const random = 'q8Zt2LmX9vKp4RsW7yBn3Jd6';
    expect(wrong(`version: 1\nproviders: {mistral: {pathPrefix: /m}}\ncredentialFile: ${random}\n`)).toContain('secret 3:17 ');
    expect(wrong('version: 1\nproviders:\n  mistral:\n    credentialFile: /var/run/secrets/mistral-2026/api-key\n')).toEqual([]);
  });

  test('a private key is found, a pattern that looks for one is not', () => {
    const begin = '-----BEGIN RSA PRIVATE KEY-----';
    expect(wrong(`version: 1\n# ${begin}\\nMIIEowIBAAKCAQEA7example\n`)).toEqual(['secret 2:3 ']);
    expect(wrong(`${good}  sensitivity: [{name: private-key, pattern: '${begin}', then: {block: no}}]\n`)).toEqual([]);
    expect(wrong(`${good}  sensitivity: [{name: key, pattern: 'sk-[A-Za-z0-9_-]{20,}', then: {block: no}}]\n`)).toEqual([]);
  });

  test('a name of words is no key', () => {
    expect(wrong(`${good}sections: [{name: sk-bratislava-office, match: {workspace: [sk-bratislava-office-team]}}]\n`)).toEqual([]);
  });
});

describe('no text breaks the compiler', () => {
  const words = [
    'version: 1',
    'defaults:',
    'sections:',
    '  - name: a',
    '  rules:',
    '- ',
    '? ',
    '{',
    '}',
    '[',
    ']',
    '&a',
    '*a',
    '<<: *a',
    '"',
    "'",
    '|',
    '>',
    ': ',
    '\n',
    '\t',
    'constructor: {}',
    '__proto__: {a: 1}',
    '!!binary',
    '%YAML 1.1',
    '---',
    'providers:',
    '  candidates: {simple: [gpt-small]}',
    '\u0000',
    '\ud800',
    '#',
  ];

  test('random YAML-ish text gives problems or a policy, never an exception', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 6 })), { maxLength: 40 }),
        fc.constantFrom('', ' ', '\n', '\n  '),
        (parts, glue) => {
          const { generation, problems } = compilePolicy([{ name: 'a.yaml', text: parts.join(glue) }], { catalog });
          expect(generation === null).toBe(problems.some(({ level }) => level === 'error'));
          for (const { line, column } of problems) expect(Math.min(line, column)).toBeGreaterThan(0);
        },
      ),
      runs(500),
    );
  });

  test.each(['[', '{a: ', '- ', '? ', '? - '])('%s, ten thousand times, is refused at once', (text) => {
    const begin = performance.now();
    expect(compile(text.repeat(10_000)).generation).toBeNull();
    expect(performance.now() - begin).toBeLessThan(2_000);
  });

  test.each(['constructor', 'tostring', 'valueof', 'hasownproperty'])('a provider may be called %s', (name) => {
    expect(
      compiled(`version: 1\nproviders: {${name}: {dialect: openai, endpoint: "http://localhost:1"}}\n`).providers.get(name)!.endpoint,
    ).toBe('http://localhost:1');
  });
});
