import { describe, expect, it } from 'vitest';
import { compile, compiled, short } from '../../test/support/policy.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { KnownOfCaller } from './plans.ts';
import type { CallerContext } from '../policy/types.ts';
import { callerOf, keepsModel } from './caller.ts';
import { Claims } from './claims.ts';

type Pairs = readonly (readonly [string, string])[];

function headersOf(pairs: Pairs): HeaderMap {
  return {
    get: (name) => pairs.find(([key]) => key === name)?.[1],
    repeated: (name) => pairs.filter(([key]) => key === name).length > 1,
    entries: () => pairs,
  };
}

interface Seen extends Pick<CallerContext, 'workspace' | 'userTier' | 'quality' | 'task' | 'session'> {
  readonly user: boolean;
  readonly routeOff: boolean;
  readonly ignored: readonly string[];
  readonly trusted: string | null;
}

/** What a policy's `callers` makes of a request's headers. */
function seen(callers: string, pairs: Pairs, known?: KnownOfCaller): Seen {
  const generation = compiled(`version: 1\nworkspaces: {ruleHeaders: [x-feature]}\n${callers === '' ? '' : `callers: ${callers}\n`}`);
  const headers = headersOf(pairs);
  const claims = new Claims(headers, generation.callers, known);
  const { workspace, userTier, quality, task, session, user } = callerOf(headers, generation, claims);
  const routeOff = keepsModel(claims);
  return {
    workspace,
    userTier,
    quality,
    task,
    session,
    user: user !== null,
    routeOff,
    ignored: claims.ignored.map(({ claim, why }) => `${claim} ${why}`),
    trusted: claims.rule,
  };
}

const everything: Pairs = [
  ['x-sluice-workspace', 'red'],
  ['x-sluice-user', 'ann'],
  ['x-sluice-user-tier', 'Premium'],
  ['x-sluice-quality', 'high'],
  ['x-sluice-task', 'code'],
  ['x-sluice-session', 's1'],
  ['x-sluice-route', 'off'],
];
const all: Seen = {
  workspace: 'red',
  userTier: 'premium',
  quality: 'high',
  task: 'code',
  session: 's1',
  user: true,
  routeOff: true,
  ignored: [],
  trusted: null,
};
const nothing: Seen = {
  workspace: 'default',
  userTier: null,
  quality: null,
  task: null,
  session: null,
  user: false,
  routeOff: false,
  ignored: [],
  trusted: null,
};
const untrusted = ['workspace', 'user', 'user-tier', 'quality', 'task', 'session', 'route'].map((claim) => `${claim} untrusted`);
const trustedAlone =
  'route: trusted, quality: trusted, task: trusted, session: trusted, cache: trusted, user: trusted, userTier: trusted, workspace: trusted';
const certificate = (uri: string): readonly [string, string] => [
  'x-forwarded-client-cert',
  `By=spiffe://cluster.local/ns/egress/sa/gateway;Hash=ab;Subject="";URI=${uri}`,
];

describe('what a caller says', () => {
  it('counts where the policy says nothing of callers', () => {
    expect(seen('', everything)).toEqual(all);
    expect(seen('{}', everything)).toEqual(all);
  });

  it.each(everything)('does not count where its header came twice: %s', (name, value) => {
    const claim = name.slice('x-sluice-'.length);
    const { ignored, ...rest } = seen('', [...everything, [name, value]]);
    expect(ignored).toEqual([`${claim} doubled`]);
    expect({ ...rest, ignored: [] }).toEqual(
      seen(
        '',
        everything.filter(([other]) => other !== name),
      ),
    );
  });

  it('counts for callers that are trusted alone, each thing by itself', () => {
    const callers = `{believe: {${trustedAlone}}, trust: [{name: batch, when: {header: {x-gateway: [inner]}}}]}`;
    expect(seen(callers, everything)).toEqual({ ...nothing, ignored: untrusted });
    expect(seen(callers, [...everything, ['x-gateway', 'inner']])).toEqual({ ...all, trusted: 'batch' });
    expect(seen(callers, [...everything, ['x-gateway', 'outer']]).workspace).toBe('default');
    expect(seen(callers, [...everything, ['x-gateway', 'inner'], ['x-gateway', 'inner']]).workspace).toBe('default');
    expect(seen('{believe: {route: nobody, quality: nobody}}', everything)).toEqual({
      ...all,
      routeOff: false,
      quality: null,
      ignored: ['quality untrusted', 'route untrusted'],
    });
  });

  it('is held against the certificate that Envoy saw, its namespace, and what JWT and authorization filters know', () => {
    const by = (when: string) => `{believe: {workspace: trusted}, trust: [{name: known, when: ${when}}]}`;
    const red = (when: string, pairs: Pairs, known?: KnownOfCaller): boolean =>
      seen(by(when), [...everything, ...pairs], known).workspace === 'red';
    const web = certificate('spiffe://cluster.local/ns/search/sa/web');
    expect(red("{principal: ['spiffe://cluster.local/ns/search/*']}", [web])).toBe(true);
    expect(red("{principal: ['spiffe://cluster.local/ns/other/*']}", [web])).toBe(false);
    expect(red("{principal: ['spiffe://cluster.local/ns/search/*']}", [])).toBe(false);
    expect(red("{principal: ['spiffe://cluster.local/ns/search/*']}", [web, web])).toBe(false);
    expect(red('{namespace: [search]}', [web])).toBe(true);
    expect(red('{namespace: [sear]}', [web])).toBe(false);
    expect(red('{namespace: [search], header: {x-gateway: [inner]}}', [web])).toBe(false);
    const jwt = { payload: { team: 'search', groups: ['a', 'b'], level: 3, 'https://acme.example/role': 'batch' } };
    const known: KnownOfCaller = (namespace) =>
      namespace === 'envoy.filters.http.jwt_authn' ? jwt : namespace === 'envoy.filters.http.ext_authz' ? { tenant: 'acme' } : null;
    for (const claim of [
      'payload.team: [search]',
      'payload.groups: [b]',
      "payload.level: ['3']",
      "'payload.https://acme.example/role': [batch]",
      'tenant: [acme]',
    ])
      expect([claim, red(`{claims: {${claim}}}`, [], known)]).toEqual([claim, true]);
    for (const claim of [
      'payload.team: [other]',
      'team: [search]',
      'payload: [search]',
      'payload.team.x: [search]',
      'payload.__proto__: [x]',
    ])
      expect([claim, red(`{claims: {${claim}}}`, [], known)]).toEqual([claim, false]);
    expect(red('{claims: {payload.team: [search]}}', [])).toBe(false);
  });

  it('gives way to who it is', () => {
    const callers =
      "{believe: {workspace: nobody, user: nobody}, identify: [{name: mesh, when: {namespace: ['team-*']}, workspace: '{namespace}'}, {name: people, when: {claims: {payload.iss: [acme]}}, workspace: 'acme-{claims.payload.team}', user: '{claims.payload.sub}', userTier: '{claims.payload.tier}'}]}";
    expect(seen(callers, [...everything, certificate('spiffe://cluster.local/ns/team-a/sa/web')])).toMatchObject({
      workspace: 'team-a',
      user: false,
      userTier: 'premium',
    });
    const known: KnownOfCaller = () => ({ payload: { iss: 'acme', team: 'search', sub: 'bob', tier: 'Free' } });
    expect(seen(callers, everything, known)).toMatchObject({ workspace: 'acme-search', user: true, userTier: 'free' });
    expect(seen(callers, everything).workspace).toBe('default');
    // A name with a hole in it is nobody's.
    expect(seen(callers, everything, () => ({ payload: { iss: 'acme' } }))).toMatchObject({ workspace: 'default', user: false });
  });

  it('is trusted by workspace only where somebody vouches for that', () => {
    const vouched = '{believe: {workspace: gateway, route: trusted}, trust: [{name: batch, when: {workspace: [red]}}]}';
    expect(seen(vouched, everything)).toEqual({ ...all, trusted: 'batch' });
    expect(seen(vouched, [...everything.slice(1), ['x-sluice-workspace', 'blue']]).routeOff).toBe(false);
    expect(
      compile('version: 1\ncallers: {believe: {route: trusted}, trust: [{name: batch, when: {workspace: [red]}}]}').problems.map(short),
    ).toEqual(['unvouched 2:67 callers.trust[0].when.workspace']);
  });

  it('leaves out of rules what came twice', () => {
    const generation = compiled('version: 1\nworkspaces: {ruleHeaders: [x-feature]}\n');
    const read = (pairs: Pairs): Pairs => [...callerOf(headersOf(pairs), generation, new Claims(headersOf(pairs), null)).headers];
    expect(read([['x-feature', 'a']])).toEqual([['x-feature', 'a']]);
    expect(
      read([
        ['x-feature', 'a'],
        ['x-feature', 'b'],
      ]),
    ).toEqual([]);
  });
});

describe('callers in a policy', () => {
  it.each([
    ['a name twice', '{trust: [{name: a, when: {namespace: [x]}}, {name: a, when: {namespace: [y]}}]}', 'twice'],
    ['a star in the middle', "{trust: [{name: a, when: {principal: ['a*b']}}]}", 'unreachable'],
    ['an unknown placeholder', "{identify: [{name: a, when: {namespace: [x]}, workspace: '{pod}'}]}", 'unknown-placeholder'],
    ['trusted, and nobody is', '{believe: {route: trusted}}', 'no-effect'],
    ['no condition', '{trust: [{name: a, when: {}}]}', 'schema'],
    ['an identity that says nothing', '{identify: [{name: a, when: {namespace: [x]}}]}', 'schema'],
    ['an unknown belief', '{believe: {route: maybe}}', 'schema'],
  ])('is refused or warned of: %s', (_what, callers, code) => {
    expect(compile(`version: 1\ncallers: ${callers}\n`).problems.map((problem) => problem.code)).toEqual([code]);
  });

  it('stands in one file', () => {
    expect(compile({ 'a.yaml': 'version: 1\ncallers: {}\n', 'b.yaml': 'version: 1\ncallers: {}\n' }).problems.map(short)).toEqual([
      'twice 2:1 callers',
    ]);
  });
});
