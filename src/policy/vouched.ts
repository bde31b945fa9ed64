import type { LoadedFile } from './load.ts';
import type { SettingsDocument } from './options/section.ts';
import type { PolicySource } from './source-map.ts';
import type { CallerClaim, Problem } from './types.ts';

/** Settings by which a section grants or restricts access: to keys, providers, models, or past what stops others. */
const accessSettings = ['mode', 'failClosed', 'sensitivity', 'credentials', 'keys', 'websockets', 'allowProviders'] as const;

type Identity = CallerClaim & ('workspace' | 'user' | 'user-tier');

interface Dependence {
  readonly source: PolicySource;
  readonly path: readonly PropertyKey[];
  readonly what: string;
}

const names: Readonly<Record<Identity, string>> = { workspace: 'workspace', user: 'user', 'user-tier': 'user tier' };
const keys: Readonly<Record<Identity, 'workspace' | 'user' | 'userTier'>> = {
  workspace: 'workspace',
  user: 'user',
  'user-tier': 'userTier',
};

/** Warns, once per claim, if money or access depends on who a caller says it is, and the policy does not say who vouches for that. */
export function checkVouched(loaded: readonly LoadedFile[], problems: Problem[]): void {
  const found: Record<Identity, Dependence[]> = { workspace: [], user: [], 'user-tier': [] };
  for (const file of loaded) dependences(file, (claim, path, what) => found[claim].push({ source: file.source, path, what }));
  for (const claim of ['workspace', 'user', 'user-tier'] as const) {
    const [first, ...others] = found[claim];
    // No warning if the policy states explicitly whose claim is believed, even if everybody's.
    if (first === undefined || loaded.some(({ document }) => document.callers?.believe?.[keys[claim]] !== undefined)) continue;
    const name = names[claim];
    const more = others.length === 0 ? '' : ` (and ${others.length} more ${others.length === 1 ? 'place does' : 'places do'})`;
    problems.push(
      first.source.problem(
        'warning',
        'unvouched',
        first.path,
        `${first.what} by the ${name}${more}, and callers say their ${name} themselves`,
        `Say of whom it is believed: callers.believe.${keys[claim]}: gateway where something before Sluice sets it, trusted, nobody with callers.identify, or all if every caller may; see docs/callers.md.`,
      ),
    );
  }
}

type Note = (claim: Identity, path: readonly PropertyKey[], what: string) => void;

function dependences({ document }: LoadedFile, note: Note): void {
  for (const [list, what] of [
    ['budgets', 'budget'],
    ['limits', 'rate limit'],
  ] as const) {
    for (const [at, { name, per = [], match }] of (document[list] ?? []).entries()) {
      if (match?.workspace !== undefined) note('workspace', [list, at, 'match', 'workspace'], `the ${what} ${name} is chosen`);
      if (per.includes('workspace')) note('workspace', [list, at, 'per'], `the ${what} ${name} is counted`);
      if (per.includes('user')) note('user', [list, at, 'per'], `the ${what} ${name} is counted`);
    }
  }
  for (const [at, section] of (document.sections ?? []).entries()) {
    if (section.match?.workspace !== undefined && (accessSettings.some((key) => section[key] !== undefined) || blocks(section)))
      note('workspace', ['sections', at, 'match', 'workspace'], `the section ${section.name}, which decides on access, is chosen`);
    settingsDependences(section, ['sections', at], note);
  }
  if (document.defaults !== undefined) settingsDependences(document.defaults, ['defaults'], note);
}

function blocks({ overrides = [], rules = [] }: SettingsDocument): boolean {
  return [...overrides, ...rules].some(({ then }) => then.block !== undefined);
}

function settingsDependences({ overrides = [], rules = [], cache }: SettingsDocument, base: readonly PropertyKey[], note: Note): void {
  if (cache?.share === 'workspace' && cache.mode === 'on') note('workspace', [...base, 'cache', 'share'], 'cached answers are shared');
  for (const [at, { name, when }] of overrides.entries()) {
    if (when.userTier !== undefined) note('user-tier', [...base, 'overrides', at, 'when', 'userTier'], `the override ${name} decides`);
  }
  for (const [at, { name, when }] of rules.entries()) {
    for (const [, field] of when.matchAll(/\bcaller\s*(?:\.\s*\??\s*|\[\s*["'])(workspace|userTier)\b/g)) {
      note(field === 'workspace' ? 'workspace' : 'user-tier', [...base, 'rules', at, 'when'], `the rule ${name} decides`);
    }
  }
}
