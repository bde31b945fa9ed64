import { describe, expect, it } from 'vitest';
import { catalog } from '../../test/support/policy.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { AdmissionAnswer } from './admission.ts';
import { compose, policyObjectId, type Composed, type PolicyObject } from './compose.ts';
import type { PolicyPreview } from './policy-store.ts';
import { configMap as configMapWith } from './testing/config-map.ts';
import { validatePolicy } from './validate-policy.ts';

const configMap = (id: string, text: string, facts: Partial<PolicyObject> = {}): PolicyObject =>
  configMapWith(id, `version: 1\n${text}`, facts);

const trusted = (namespace: string): boolean => namespace === 'platform';

function composed(configMaps: readonly PolicyObject[], inForce: readonly PolicyObject[] = []): Composed {
  // Small policies are compiled at once.
  return compose({
    objects: configMaps,
    namespaces: [],
    trusted,
    inForce: new Map(inForce.map((each) => [policyObjectId(each), each])),
    maxBytes: 1_000_000,
    compile: (files) =>
      compilePolicy(files.length === 0 ? [{ name: 'none', text: 'version: 1' }] : files, { catalog, inOrder: true, trusted }),
  }) as Composed;
}

const states = ({ sources }: Composed): string[] => sources.map(({ id, state }) => `${id} ${state}`);
const told = ({ sources }: Composed, id: string): string[] =>
  (sources.find((source) => source.id === id)?.problems ?? []).map(({ code, path }) => `${code} ${path}`);
const section = (name: string, workspaces: string, settings = 'tiers: [simple], candidates: {simple: [gpt-small]}'): string =>
  `sections: [{name: ${name}, match: {workspace: [${workspaces}]}, ${settings}}]\n`;
const delegations = (more = ''): string =>
  `delegations: {team-a: {workspaces: [search, "search-*"]${more}}, team-b: {workspaces: [shop]}}\n`;
const platform = configMap(
  'platform/base',
  `${delegations()}defaults: {failClosed: true, rules: [{name: ban, when: request.tools > 0, then: {block: no}}]}\nproviders: {openai: {endpoint: "https://api.openai.com"}}\n`,
);

describe('a namespace with a delegation', () => {
  it('writes sections for its own workspaces, and what the defaults forbid still holds there', () => {
    const made = composed([platform, configMap('team-a/mine', section('search', 'search, search-eu, "search-x-*"'))]);
    expect(states(made)).toEqual(['platform/base in-force', 'team-a/mine in-force']);
    const own = made.generation!.section('search-eu', 'openai');
    expect([own.name, own.failClosed, own.rules.map(({ name }) => name)]).toEqual(['search', true, ['ban']]);
  });

  it.each([
    ['another team’s workspace', section('stolen', 'shop'), 'sections[0].match.workspace[0]'],
    ['another team’s beside its own', section('stolen', 'search, shop'), 'sections[0].match.workspace[1]'],
    ['a wider prefix than its own', section('stolen', '"sear*"'), 'sections[0].match.workspace[0]'],
    ['every workspace by a prefix', section('stolen', '"*"'), 'sections[0].match.workspace[0]'],
    ['every workspace', 'sections: [{name: stolen, tiers: []}]\n', 'sections[0]'],
    ['every workspace of a provider', 'sections: [{name: stolen, match: {provider: [openai]}, tiers: []}]\n', 'sections[0]'],
    ['where a provider is', 'providers: {openai: {endpoint: "https://evil.example"}}\n', 'providers'],
    ['a provider of its own', 'providers: {mine: {endpoint: "https://evil.example", dialect: openai}}\n', 'providers'],
    ['the defaults', 'defaults: {mode: off}\n', 'defaults'],
    ['who is believed', 'callers: {believe: {workspace: all}}\n', 'callers'],
    ['which headers name workspaces', 'workspaces: {headers: [x-mine]}\n', 'workspaces'],
    ['a budget', 'budgets: [{name: b, period: day, usd: 1}]\n', 'budgets'],
    ['a rate limit', 'limits: [{name: l, concurrent: 1}]\n', 'limits'],
    ['a webhook', 'webhooks: {w: {url: "https://evil.example"}}\n', 'webhooks'],
    ['prices', 'catalog: {overrides: {openai: {gpt-small: {input: 0, output: 0}}}}\n', 'catalog'],
    ['an experiment', 'experiments: [{name: e, kind: ab, share: 50%, model: requested}]\n', 'experiments'],
    ['a rollout', 'rollout: {}\n', 'rollout'],
    ['a delegation for itself', 'delegations: {team-a: {workspaces: ["*"]}}\n', 'delegations'],
    ['keys of the gateway', section('s', 'search', 'keys: {openai: /keys/other-team}'), 'sections[0].keys'],
    ['whose key goes', section('s', 'search', 'credentials: gateway'), 'sections[0].credentials'],
    ['other providers', section('s', 'search', 'allowProviders: [mistral]'), 'sections[0].allowProviders'],
    ['that it is off', section('s', 'search', 'mode: off'), 'sections[0].mode'],
    ['rules in place of the defaults’ blocks', section('s', 'search', 'rules: []'), 'sections[0].rules'],
    ['overrides', section('s', 'search', 'overrides: []'), 'sections[0].overrides'],
    ['patterns', section('s', 'search', 'sensitivity: []'), 'sections[0].sensitivity'],
    ['that it is open', section('s', 'search', 'failClosed: false'), 'sections[0].failClosed'],
  ])('may not write %s', (_what, text, path) => {
    const made = composed([platform, configMap('team-a/mine', text, { created: -1 })]);
    expect(told(made, 'team-a/mine')).toContain(`not-delegated ${path}`);
    expect(states(made)).toEqual(['platform/base in-force', 'team-a/mine left-out']);
    expect(made.generation?.section('shop', 'openai').name).toBe('defaults');
    expect(made.generation?.providers.get('openai')?.endpoint).toBe('https://api.openai.com');
  });

  it('may write the settings that its delegation lists', () => {
    const base = configMap('platform/base', delegations(', may: [mode, rules]'));
    expect(states(composed([base, configMap('team-a/mine', section('s', 'search', 'mode: shadow, rules: []'))]))).toEqual([
      'platform/base in-force',
      'team-a/mine in-force',
    ]);
    expect(told(composed([base, configMap('team-a/mine', section('s', 'search', 'tiers: []'))]), 'team-a/mine')).toEqual([
      'not-delegated sections[0].tiers',
    ]);
  });

  it('takes no requests away from a section that forbids them something', () => {
    const guarded = 'sensitivity: [{name: p, pattern: zeus, then: {block: no}}]';
    for (const match of ['{workspace: ["search-*"]}', '{workspace: ["sea*"]}', '{provider: [openai]}']) {
      const base = configMap('platform/base', `${delegations()}sections: [{name: guarded, match: ${match}, ${guarded}}]\n`);
      const made = composed([base, configMap('team-a/mine', section('s', 'search-eu'))]);
      expect([match, told(made, 'team-a/mine')]).toEqual([match, ['not-delegated sections[0]']]);
      expect(made.generation?.section('search-eu', 'openai').sensitivity).toHaveLength(1);
    }
    const elsewhere = configMap(
      'platform/base',
      `${delegations()}sections: [{name: guarded, match: {workspace: [shop]}, ${guarded}}, {name: plain, match: {workspace: ["search-*"]}, tiers: []}]\n`,
    );
    expect(states(composed([elsewhere, configMap('team-a/mine', section('s', 'search-eu'))]))).toEqual([
      'platform/base in-force',
      'team-a/mine in-force',
    ]);
  });
});

describe('a namespace without a delegation', () => {
  it('writes nothing', () => {
    const made = composed([platform, configMap('team-c/mine', section('s', 'other'))]);
    expect([states(made), told(made, 'team-c/mine')]).toEqual([['platform/base in-force', 'team-c/mine left-out'], ['not-delegated ']]);
    expect(told(composed([configMap('team-c/mine', 'delegations: {team-c: {workspaces: ["*"]}}\n')]), 'team-c/mine')).toEqual([
      'not-delegated ',
    ]);
  });

  it('holds up no others: not by a name that it took first, nor by what it makes of a provider', () => {
    const older = configMap('team-a/mine', section('same', 'search'), { created: -1 });
    const base = configMap('platform/base', `${delegations()}${section('same', 'shop')}`);
    expect(states(composed([older, base]))).toEqual(['platform/base in-force', 'team-a/mine left-out']);
    const routed = configMap('platform/base', `${delegations()}defaults: {tiers: [simple], candidates: {simple: [gpt-small]}}\n`);
    const edited = {
      ...routed,
      resourceVersion: '2',
      data: { 'policy.yaml': routed.data['policy.yaml']!.replace('gpt-small', 'gpt-middle') },
    };
    const made = composed([edited, configMap('team-a/mine', 'providers: {openai: {catalog: nonsense}}\n')], [routed]);
    expect(states(made)).toEqual(['platform/base in-force', 'team-a/mine left-out']);
  });

  it('loses what it had when its delegation goes, and the edit that takes it is in force', () => {
    const mine = configMap('team-a/mine', section('search', 'search'));
    const edited = configMap('platform/base', 'defaults: {tiers: []}\n', { resourceVersion: '2' });
    const made = composed([edited, mine], [platform, mine]);
    expect([states(made), made.generation?.section('search', 'openai').name]).toEqual([
      ['platform/base in-force', 'team-a/mine left-out'],
      'defaults',
    ]);
  });
});

describe('the webhook', () => {
  it('refuses what a namespace may not write, with its line, and takes what it may', async () => {
    const preview = (each: PolicyObject): PolicyPreview => {
      const { generation, sources } = composed([platform, each]);
      const own = sources.find(({ id }) => id === policyObjectId(each));
      return { accepted: generation !== null && own?.state === 'in-force', problems: own?.problems ?? [], generation };
    };
    const ask = (text: string): Promise<AdmissionAnswer> =>
      validatePolicy(
        {
          uid: 'u',
          operation: 'CREATE',
          namespace: 'team-a',
          object: { metadata: { name: 'mine', namespace: 'team-a' }, data: { 'policy.yaml': `version: 1\n${text}` } },
        },
        {
          policies: { preview, previewRemoval: () => expect.unreachable(), selects: () => true, leaves: () => undefined },
          effect: () => Promise.resolve([]),
          missingKeys: () => Promise.resolve([]),
        },
      );
    expect(await ask(section('s', 'search'))).toEqual({ allowed: true, warnings: [] });
    expect(await ask(section('s', 'shop'))).toEqual({
      allowed: false,
      message:
        'Sluice refuses this policy:\npolicy.yaml:2:42 error not-delegated at sections[0].match.workspace[0]: shop is no workspace of the namespace team-a. It may write sections for search, search-*.',
    });
  });
});

describe('a name that a team and a trusted namespace both give', () => {
  const named = (id: string, workspaces: string, created: number): PolicyObject =>
    configMap(id, section('search', workspaces), { created });

  it('is the trusted namespace’s, whoever came first, and the team is told', () => {
    const team = named('team-a/mine', 'search', 1);
    for (const created of [0, 2])
      for (const inForce of [[], [platform, team]]) {
        const made = composed([platform, named('platform/search', 'lab', created), team], inForce);
        expect(states(made)).toEqual(['platform/base in-force', 'platform/search in-force', 'team-a/mine left-out']);
        expect(told(made, 'team-a/mine')).toEqual(['not-delegated sections[0].name']);
        expect(made.generation!.section('lab', 'openai').name).toBe('search');
      }
  });

  it('is the trusted namespace’s in files of any order', () => {
    const text = `version: 1\n${section('search', 'search')}`;
    const { problems } = compilePolicy(
      [
        { name: 'a.yaml', text, namespace: 'team-a' },
        { name: 'b.yaml', text: platform.data['policy.yaml']!, namespace: 'platform' },
        { name: 'c.yaml', text: `version: 1\n${section('search', 'lab')}`, namespace: 'platform' },
      ],
      { catalog, trusted },
    );
    expect(problems.filter(({ level }) => level === 'error')).toMatchObject([
      { file: 'a.yaml', code: 'not-delegated', path: 'sections[0].name' },
    ]);
  });
});

describe('a delegation', () => {
  it('is warned of for a namespace that may write everything, and stands once', () => {
    expect(told(composed([configMap('platform/base', 'delegations: {platform: {workspaces: [a]}}\n')]), 'platform/base')).toEqual([
      'no-effect delegations.platform',
    ]);
    const twice = composed([
      configMap('platform/base', 'delegations: {team-a: {workspaces: [a]}}\n'),
      configMap('platform/more', 'delegations: {team-a: {workspaces: ["*"]}}\n', { created: 1 }),
    ]);
    expect([states(twice), told(twice, 'platform/more')]).toEqual([
      ['platform/base in-force', 'platform/more left-out'],
      ['twice delegations.team-a'],
    ]);
  });
});
