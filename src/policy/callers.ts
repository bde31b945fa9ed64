import type { LoadedFile } from './load.ts';
import type { CallersDocument } from './options/callers.ts';
import type { PolicySource } from './source-map.ts';
import { callerClaims, type Belief, type CallerClaim, type CallerSigns, type CallersPolicy, type Problem, type TextTest } from './types.ts';

type TrustDocument = NonNullable<CallersDocument['trust']>[number];
type IdentityDocument = NonNullable<CallersDocument['identify']>[number];
type Say = (code: string, path: readonly PropertyKey[], message: string, fix: string, level?: Problem['level']) => void;

/** Claims by their keys in the policy. */
const claimOfKey: Readonly<Record<keyof NonNullable<CallersDocument['believe']>, CallerClaim>> = {
  route: 'route',
  quality: 'quality',
  task: 'task',
  session: 'session',
  cache: 'cache',
  user: 'user',
  userTier: 'user-tier',
  workspace: 'workspace',
};

/** Compiles which callers are believed about what, from the one file that states it; null if none does, and everybody is believed. */
export function compileCallers(loaded: readonly LoadedFile[], problems: Problem[]): CallersPolicy | null {
  let found: CallersPolicy | null = null;
  for (const { source, document } of loaded) {
    const { callers } = document;
    if (callers === undefined) continue;
    if (found !== null)
      problems.push(source.problem('error', 'twice', ['callers'], 'callers is written down in another file too', 'Keep one of them.'));
    check(callers, sayIn(source, problems));
    found = policyOf(callers);
  }
  return found;
}

function sayIn(source: PolicySource, problems: Problem[]): Say {
  return (code, path, message, fix, level = 'error') => problems.push(source.problem(level, code, ['callers', ...path], message, fix));
}

function policyOf({ believe = {}, identify = [], trust = [] }: CallersDocument): CallersPolicy {
  const beliefs = Object.fromEntries(callerClaims.map((claim) => [claim, 'all'])) as Record<CallerClaim, Belief>;
  for (const [key, belief] of Object.entries(believe)) beliefs[claimOfKey[key as keyof typeof claimOfKey]] = belief ?? 'all';
  return {
    believe: beliefs,
    identify: identify.map(({ name, when, workspace, user, userTier }) => ({
      name,
      ...signsOf(when),
      workspaceIs: workspace ?? null,
      userIs: user ?? null,
      userTierIs: userTier ?? null,
    })),
    trust: trust.map(({ name, when }) => ({ name, ...signsOf(when), workspace: testOf(when.workspace) })),
  };
}

function signsOf({ principal, namespace, header, claims }: IdentityDocument['when']): CallerSigns {
  return {
    principal: testOf(principal),
    namespace: testOf(namespace),
    headers: Object.entries(header ?? {}).map(([name, values]) => ({ name: name.toLowerCase(), values: new Set(values) })),
    claims: Object.entries(claims ?? {}).map(([path, values]) => ({ path, values: new Set(values) })),
  };
}

/** Names, or prefixes that end in `*`; null if there is no condition. */
function testOf(patterns: readonly string[] | undefined): TextTest | null {
  if (patterns === undefined) return null;
  const exact = new Set(patterns);
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return (text) => exact.has(text) || prefixes.some((prefix) => text.startsWith(prefix));
}

function check(callers: CallersDocument, say: Say): void {
  const { believe = {}, identify = [], trust = [] } = callers;
  for (const [list, rules] of [
    ['identify', identify],
    ['trust', trust],
  ] as const) {
    for (const [at, rule] of rules.entries()) {
      if (rules.findIndex(({ name }) => name === rule.name) < at)
        say('twice', [list, at, 'name'], `there is another one called ${rule.name}`, 'Give each its own name.');
      checkPatterns(rule.when, [list, at, 'when'], say);
    }
  }
  for (const [at, rule] of identify.entries()) checkTemplates(rule, ['identify', at], say);
  checkWorkspaceTrust(callers, say);
  if (trust.length > 0) return;
  for (const [key, belief] of Object.entries(believe)) {
    if (belief === 'trusted')
      say(
        'no-effect',
        ['believe', key],
        `nobody is trusted, so ${key} is believed of nobody`,
        'Say under callers.trust whose word counts, or write nobody.',
        'warning',
      );
  }
}

function checkPatterns(when: TrustDocument['when'], at: readonly PropertyKey[], say: Say): void {
  for (const key of ['workspace', 'principal', 'namespace'] as const) {
    for (const [index, pattern] of (when[key] ?? []).entries()) {
      if (pattern.slice(0, -1).includes('*'))
        say(
          'unreachable',
          [...at, key, index],
          `${pattern} matches no ${key}: * stands for the rest only at the end`,
          'Write a prefix and *, or the names.',
        );
    }
  }
}

function checkTemplates(rule: IdentityDocument, at: readonly PropertyKey[], say: Say): void {
  for (const key of ['workspace', 'user', 'userTier'] as const) {
    for (const [whole, inner = ''] of (rule[key] ?? '').matchAll(/\{([^{}]*)\}/g)) {
      if (inner !== 'namespace' && inner !== 'principal' && !inner.startsWith('claims.'))
        say('unknown-placeholder', [...at, key], `${whole} stands for nothing`, 'There are {namespace}, {principal} and {claims.PATH}.');
    }
  }
}

/** A workspace that callers state themselves must not be a reason to trust them. */
function checkWorkspaceTrust({ believe, identify = [], trust = [] }: CallersDocument, say: Say): void {
  if (believe?.workspace === 'gateway' || identify.some(({ workspace }) => workspace !== undefined)) return;
  for (const [at, { when }] of trust.entries()) {
    if (when.workspace !== undefined)
      say(
        'unvouched',
        ['trust', at, 'when', 'workspace'],
        'callers say their workspace themselves, so trust by workspace would be for whoever asks for it',
        'Set callers.believe.workspace to gateway, if something before Sluice sets the header, or give callers their workspace under callers.identify.',
      );
  }
}
