import { describe, expect, it } from 'vitest';
import { compile } from '../../test/support/policy.ts';

const warned = (policy: string): string[] =>
  compile(`version: 1\n${policy}\n`).problems.map(({ level, code, path }) => `${level} ${code} ${path}`);

const budget = (more: string): string => `budgets: [{name: b, period: day, usd: 1, ${more}}]`;
const section = (settings: string): string => `sections: [{name: s, match: {workspace: [red]}, ${settings}}]`;
const depending: readonly (readonly [what: string, policy: string, key: string, path: string])[] = [
  ['a budget for a workspace', budget('match: {workspace: [red]}'), 'workspace', 'budgets[0].match.workspace'],
  ['a budget by workspace', budget('per: [workspace]'), 'workspace', 'budgets[0].per'],
  ['a budget by user', budget('per: [user]'), 'user', 'budgets[0].per'],
  [
    'a rate limit for a workspace',
    'limits: [{name: l, match: {workspace: [red]}, concurrent: 2}]',
    'workspace',
    'limits[0].match.workspace',
  ],
  ['a rate limit by user', 'limits: [{name: l, per: [user], concurrent: 2}]', 'user', 'limits[0].per'],
  ['a section with keys of its own', section('keys: {openai: /keys/red}'), 'workspace', 'sections[0].match.workspace'],
  ['a section that is off', section('mode: off'), 'workspace', 'sections[0].match.workspace'],
  [
    'a section with a pattern',
    section('sensitivity: [{name: p, pattern: x, then: {block: no}}]'),
    'workspace',
    'sections[0].match.workspace',
  ],
  [
    'a section that blocks',
    section('rules: [{name: r, when: request.tools > 0, then: {block: no}}]'),
    'workspace',
    'sections[0].match.workspace',
  ],
  ['answers that a workspace shares', 'defaults: {cache: {mode: on, share: workspace}}', 'workspace', 'defaults.cache.share'],
  [
    'a rule that reads the workspace',
    "defaults: {rules: [{name: r, when: caller.workspace == 'red', then: {keep: true}}]}",
    'workspace',
    'defaults.rules[0].when',
  ],
  [
    'a rule that reads the user tier',
    "defaults: {rules: [{name: r, when: caller.userTier == 'gold', then: {keep: true}}]}",
    'userTier',
    'defaults.rules[0].when',
  ],
  [
    'an override that reads the user tier',
    'defaults: {overrides: [{name: o, when: {userTier: [gold]}, then: {keep: true}}]}',
    'userTier',
    'defaults.overrides[0].when.userTier',
  ],
];

describe('money or access that depends on who a caller says it is', () => {
  it.each(depending)('is warned of, unless the policy says of whom it is believed: %s', (_what, policy, key, path) => {
    expect(warned(policy)).toEqual([`warning unvouched ${path}`]);
    expect(warned(`callers: {believe: {route: nobody}}\n${policy}`)).toEqual([`warning unvouched ${path}`]);
    for (const belief of ['gateway', 'nobody', 'all']) expect(warned(`callers: {believe: {${key}: ${belief}}}\n${policy}`)).toEqual([]);
    expect(warned(`callers: {believe: {${key}: trusted}, trust: [{name: t, when: {namespace: [a]}}]}\n${policy}`)).toEqual([]);
    // Who is not known by it may still say anything.
    if (key === 'workspace')
      expect(warned(`callers: {identify: [{name: i, when: {namespace: [a]}, workspace: a}]}\n${policy}`)).toEqual([
        `warning unvouched ${path}`,
      ]);
  });

  it('is warned of once, with the number of places', () => {
    const { problems } = compile(`version: 1\n${budget('per: [workspace, user]')}\ndefaults: {cache: {mode: on, share: workspace}}\n`);
    expect(problems.map(({ message }) => message)).toEqual([
      'the budget b is counted by the workspace (and 1 more place does), and callers say their workspace themselves',
      'the budget b is counted by the user, and callers say their user themselves',
    ]);
  });

  it.each([
    ['no budget by them', budget('per: [model]')],
    ['a section that only routes', section('tiers: []')],
    ['a cache that is off', 'defaults: {cache: {share: workspace}}'],
  ])('is not what this is: %s', (_what, policy) => {
    expect(warned(policy)).toEqual([]);
  });
});
