import type { LoadedFile } from './load.ts';
import type { DelegationDocument } from './options/delegations.ts';
import type { SectionDocument, SettingsDocument } from './options/section.ts';
import type { Problem } from './types.ts';

/** Whether a namespace's files may write everything. Files without a namespace may. */
export type Trusted = (namespace: string) => boolean;

/**
 * For each setting, whether a team may write it for its own workspaces unless its delegation says otherwise. `guarded`: it could lift a
 * restriction of the defaults, since it replaces theirs as a whole, or it spends the gateway's keys.
 */
const settingKinds: Readonly<Record<keyof SettingsDocument, 'usual' | 'guarded'>> = {
  mode: 'guarded',
  failClosed: 'guarded',
  tiers: 'usual',
  thresholds: 'usual',
  classifier: 'guarded',
  candidates: 'usual',
  shape: 'guarded',
  overrides: 'guarded',
  rules: 'guarded',
  learned: 'usual',
  models: 'usual',
  learning: 'usual',
  verify: 'guarded',
  sensitivity: 'guarded',
  pinned: 'usual',
  allowProviders: 'guarded',
  otherApis: 'usual',
  upgrades: 'usual',
  unknownModel: 'usual',
  baseline: 'usual',
  default: 'usual',
  fallback: 'usual',
  streamUsage: 'guarded',
  inAnswer: 'usual',
  credentials: 'guarded',
  keys: 'guarded',
  websockets: 'guarded',
  cache: 'usual',
  sessions: 'usual',
  grading: 'guarded',
  prompts: 'guarded',
};

const usualSettings: ReadonlySet<string> = new Set(
  Object.entries(settingKinds)
    .filter(([, kind]) => kind === 'usual')
    .map(([key]) => key),
);

const delegatedKeys: ReadonlySet<string> = new Set(['version', 'sections']);

/** Problem code for a delegated ConfigMap that writes more than it may. */
export const notDelegated = 'not-delegated';

/**
 * Checks the files of untrusted namespaces against the delegations of trusted ones. Returns false if one of them writes more than it may.
 */
export function checkDelegations(loaded: readonly LoadedFile[], trusted: Trusted, problems: Problem[]): boolean {
  const own = loaded.filter((file) => isTrusted(file, trusted));
  const delegations = new Map<string, DelegationDocument>();
  for (const { source, document } of own) {
    for (const [namespace, delegation] of Object.entries(document.delegations ?? {})) {
      const at = ['delegations', namespace];
      if (delegations.has(namespace))
        problems.push(source.problem('error', 'twice', at, `${namespace} has a delegation in another file too`, 'Keep one of them.'));
      if (trusted(namespace))
        problems.push(
          source.problem(
            'warning',
            'no-effect',
            at,
            `${namespace} may write everything`,
            'Remove the delegation, or the namespace from those that are trusted.',
          ),
        );
      delegations.set(namespace, delegation);
    }
  }
  const global = own.flatMap(({ document }) => document.sections ?? []);
  for (const file of loaded)
    if (!isTrusted(file, trusted)) checkFile(file, delegations.get(file.source.file.namespace ?? '') ?? null, global, problems);
  return !problems.some(({ code }) => code === notDelegated);
}

function isTrusted({ source }: LoadedFile, trusted: Trusted): boolean {
  const { namespace } = source.file;
  return namespace === undefined || trusted(namespace);
}

function checkFile(
  { source, document }: LoadedFile,
  delegation: DelegationDocument | null,
  global: readonly SectionDocument[],
  problems: Problem[],
): void {
  const say = (path: readonly PropertyKey[], message: string, fix: string): void =>
    void problems.push(source.problem('error', notDelegated, path, message, fix));
  const namespace = source.file.namespace ?? '';
  if (delegation === null) {
    say(
      [],
      `the namespace ${namespace} may write no policy`,
      `Have a trusted namespace write delegations.${namespace} with its workspaces.`,
    );
    return;
  }
  for (const key of Object.keys(document)) {
    if (!delegatedKeys.has(key))
      say(
        [key],
        `${key} holds for everybody, and the namespace ${namespace} may write sections for its own workspaces only`,
        'Have a trusted namespace write it.',
      );
  }
  for (const [at, section] of (document.sections ?? []).entries()) {
    const sayAt: SayAt = (path, message, fix) => say(['sections', at, ...path], message, fix);
    checkMatches(section, delegation, namespace, sayAt);
    checkSettings(section, new Set<string>(delegation.may ?? usualSettings), namespace, global, sayAt);
  }
}

type SayAt = (path: readonly PropertyKey[], message: string, fix: string) => void;

/** Reports a section that is for more than the namespace's own workspaces. */
function checkMatches(section: SectionDocument, delegation: DelegationDocument, namespace: string, say: SayAt): void {
  const patterns = section.match?.workspace;
  const own = delegation.workspaces.join(', ');
  if (patterns === undefined)
    say([], `the section ${section.name} is for every workspace`, `Write match.workspace with workspaces of ${namespace}: ${own}.`);
  for (const [index, pattern] of (patterns ?? []).entries()) {
    if (delegation.workspaces.some((allowed) => within(pattern, allowed))) continue;
    const message = `${pattern} is no workspace of the namespace ${namespace}`;
    say(['match', 'workspace', index], message, `It may write sections for ${own}.`);
  }
}

/** Reports settings that the namespace may not write, and a section that would replace one of a trusted namespace. */
function checkSettings(
  section: SectionDocument,
  may: ReadonlySet<string>,
  namespace: string,
  global: readonly SectionDocument[],
  say: SayAt,
): void {
  // Regardless of file order: a team must not use the name of a section that applies to others.
  if (global.some(({ name }) => name === section.name))
    say(
      ['name'],
      `${section.name} is the name of a section that a trusted namespace wrote, and that one holds`,
      `Give this one another name, such as ${namespace}-${section.name}.`,
    );
  for (const key of Object.keys(section)) {
    if (key !== 'name' && key !== 'match' && !may.has(key))
      say(
        [key],
        `the namespace ${namespace} may not write ${key}`,
        `It may write ${[...may].join(', ')}; delegations.${namespace}.may says so.`,
      );
  }
  const above = global.find((other) => meet(other, section) && guarded(other).some((key) => !may.has(key)));
  if (above !== undefined)
    say(
      [],
      `the section ${section.name} would take requests away from ${above.name}, whose ${guarded(above).join(', ')} would not hold for them`,
      `Have a trusted namespace write what differs into ${above.name}, or these settings into its defaults.`,
    );
}

/** The guarded settings of a section, which a team may not replace. */
function guarded(section: SectionDocument): string[] {
  return Object.keys(section).filter((key) => key !== 'name' && key !== 'match' && !usualSettings.has(key));
}

/** Whether everything that a pattern matches is matched by another: each is a name, or a prefix that ends in `*`. */
function within(pattern: string, allowed: string): boolean {
  return allowed.endsWith('*') ? pattern.startsWith(allowed.slice(0, -1)) : pattern === allowed;
}

/** Whether two sections may match the same request. */
function meet(a: SectionDocument, b: SectionDocument): boolean {
  const [ours, theirs] = [a.match?.provider, b.match?.provider];
  if (ours !== undefined && theirs !== undefined && !ours.some((name) => theirs.includes(name))) return false;
  const [first, second] = [a.match?.workspace, b.match?.workspace];
  return (
    first === undefined || second === undefined || first.some((one) => second.some((other) => within(one, other) || within(other, one)))
  );
}
