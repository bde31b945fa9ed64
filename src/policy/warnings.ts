import { counted } from '../lib/counted.ts';
import type { ModelEntry } from '../catalog/types.ts';
import { tiers, type Tier } from '../classify/types.ts';
import type { LoadedFile } from './load.ts';
import { nearest } from './nearest.ts';
import type { Place, Reporter } from './reporter.ts';
import type { SettingsDocument } from './options/section.ts';
import type { Problem, TargetRef } from './types.ts';

/** Reports a warning at a path below a place of the policy. */
type Say = (path: readonly PropertyKey[], message: string, fix: string) => void;

/** Warns if a section enables routing but names nothing to route to. */
export function checkIdle(settings: SettingsDocument, say: Say): void {
  const { mode, candidates, overrides, rules, sensitivity, learned, fallback, cache, default: standard } = settings;
  if (mode !== 'enabled' || standard !== undefined || learned !== undefined || fallback !== undefined || cache !== undefined) return;
  if (
    tiers.some((tier) => (candidates?.[tier] ?? []).length > 0) ||
    [overrides, rules, sensitivity].some((list) => (list ?? []).length > 0)
  )
    return;
  say([], 'mode is enabled, and nothing says where requests go: all keep their model', 'List models under candidates.');
}

/** Warns if no prompt can be standard, or none above a length that standard ends before simple does. */
export function checkThresholds({ thresholds }: SettingsDocument, say: Say): void {
  if (thresholds === undefined) return;
  const { simple, standard } = thresholds;
  const [few, many] = [simple.tokens ?? Infinity, standard.tokens ?? Infinity];
  if (standard.score <= simple.score && many <= few)
    say(
      ['standard', 'score'],
      `no prompt is standard: standard ends at ${standard.score}, and simple at ${simple.score}`,
      'Let standard end above simple.',
    );
  else if (many < few)
    say(
      ['standard', 'tokens'],
      `standard ends at ${counted(many, 'token')}, before simple${few === Infinity ? ', which has no such end' : ` at ${few}`}: a longer prompt is simple or complex, never standard`,
      'Let standard end above simple.',
    );
}

/** Price for a typical ratio: four input tokens per output token. */
function priceOf(entry: ModelEntry | null): number | null {
  const { input = null, output = null } = entry?.prices ?? {};
  return input === null || output === null ? null : input * 4 + output;
}

/** Warns if a lower tier costs more than a higher one. */
export function checkTierPrices(
  candidates: Readonly<Record<Tier, readonly TargetRef[]>>,
  entryOf: (target: TargetRef) => ModelEntry | null,
  say: Say,
): void {
  const cheapest = tiers.map((tier) =>
    candidates[tier]
      .map((target) => ({ target, price: priceOf(entryOf(target)) }))
      .reduce<{ readonly target: TargetRef; readonly price: number } | null>(
        (best, { target, price }) => (price !== null && (best === null || price < best.price) ? { target, price } : best),
        null,
      ),
  );
  for (const [low, tier] of tiers.entries()) {
    const own = cheapest[low] ?? null;
    const above = cheapest.findIndex((other, high) => high > low && own !== null && other !== null && other.price < own.price);
    if (own === null || above < 0) continue;
    say(
      [tier],
      `the cheapest candidate of ${tier}, ${own.target.model}, costs more than ${cheapest[above]!.target.model} of ${tiers[above]!}`,
      `Swap them, or list ${cheapest[above]!.target.model} under ${tier} as well.`,
    );
    return;
  }
}

/** Factor from the catalog's price above which an override's price is probably in another unit. */
const farOff = 50;

/** Warns if a price of the policy seems to be in another unit than dollars per million tokens. */
export function checkPrices(facts: object, entry: ModelEntry | null, say: Say): void {
  for (const [name, stated] of Object.entries(facts)) {
    const listed = (entry?.prices as Readonly<Record<string, unknown>> | undefined)?.[name];
    if (typeof stated !== 'number' || typeof listed !== 'number' || stated <= 0 || listed <= 0) continue;
    const times = stated / listed;
    if (times < farOff && times > 1 / farOff) continue;
    say(
      [name],
      `${stated} is ${times > 1 ? `${Math.round(times).toLocaleString('en-US')} times` : `one ${Math.round(1 / times).toLocaleString('en-US')}th of`} the catalog's ${listed}`,
      'Prices are US dollars for a million tokens.',
    );
  }
}

/** Warns if a key file is written as other products refer to secrets. */
export function checkKeyFile(file: string, say: Say): void {
  // A scheme (env:, op://, file:), a variable, a template, a home folder, a secret's resource name, or the name of a variable.
  const foreign =
    /^(?:[a-z][a-z0-9+.-]*:|os\.environ\b|(?:env|secrets?|vault|aws|gcp)\.|[$~@%<{[]|projects\/[^/]+\/secrets\/)/i.test(file) ||
    /\$\{|\$\(|\{\{/.test(file) ||
    /^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/.test(file);
  if (foreign)
    say(
      [],
      `${file} is no path: this is the file that holds the key, and variables and addresses are not resolved`,
      'Write the key into a file (a mounted Secret) and name that.',
    );
}

/** Warns about workspace names that nearly match a known one: of workspaces.known, or without that list, of a section. */
export function checkWorkspaceNames(loaded: readonly LoadedFile[], problems: Problem[]): void {
  const listed = new Set(loaded.flatMap(({ document }) => document.workspaces?.known ?? []));
  const inSections = loaded.flatMap(({ document }) => (document.sections ?? []).flatMap(({ match }) => match?.workspace ?? []));
  const known = listed.size > 0 ? listed : new Set(inSections.filter((name) => !name.endsWith('*')));
  if (known.size === 0) return;
  for (const { source, document } of loaded) {
    const named: [readonly PropertyKey[], readonly string[] | undefined][] = [
      ...(document.sections ?? []).map((section, at): [PropertyKey[], readonly string[] | undefined] => [
        ['sections', at, 'match', 'workspace'],
        section.match?.workspace,
      ]),
      ...(document.budgets ?? []).map((budget, at): [PropertyKey[], readonly string[] | undefined] => [
        ['budgets', at, 'match', 'workspace'],
        budget.match?.workspace,
      ]),
      ...(document.limits ?? []).map((limit, at): [PropertyKey[], readonly string[] | undefined] => [
        ['limits', at, 'match', 'workspace'],
        limit.match?.workspace,
      ]),
    ];
    for (const [path, names] of named) {
      for (const [at, name] of (names ?? []).entries()) {
        if (name.endsWith('*') || known.has(name)) continue;
        const [likely] = nearest(name, known, 1);
        if (likely !== undefined && !isSibling(name, likely))
          problems.push(
            source.problem(
              'warning',
              'unknown-workspace',
              [...path, at],
              listed.size > 0 ? `workspaces.known has no ${name}` : `no section is for ${name}, but one is for ${likely}`,
              listed.size > 0
                ? `Did you mean ${likely}? Otherwise add it there.`
                : `Did you mean ${likely}? Otherwise list both in workspaces.known.`,
            ),
          );
      }
    }
  }
}

/** `team-a` and `team-b`, `app1` and `app2`: different members of a series, not typos. */
function isSibling(a: string, b: string): boolean {
  const stem = (name: string): string => name.replace(/(?:[-_.:/]?[a-z]|\d+)$/i, '');
  return stem(a) === stem(b) && stem(a) !== a;
}

/** Collects secure models that some traffic of their section cannot reach, where every match is refused, and warns about them. */
export class SecureModels {
  readonly #found = new Map<
    string,
    {
      readonly place: Place;
      readonly path: readonly PropertyKey[];
      readonly rule: string;
      readonly model: string;
      readonly out: Set<string>;
      any: boolean;
    }
  >();

  /** `reached`: whether requests for `provider` can reach it. */
  note(
    place: Place,
    path: readonly PropertyKey[],
    {
      rule,
      model,
      provider,
      reached,
    }: { readonly rule: string; readonly model: string; readonly provider: string; readonly reached: boolean },
  ): void {
    const key = [place.source.file.name, ...place.base, ...path].join('\n');
    const found = this.#found.get(key) ?? { place, path, rule, model, out: new Set<string>(), any: false };
    this.#found.set(key, found);
    if (reached) found.any = true;
    else found.out.add(provider);
  }

  finish(reporter: Reporter): void {
    for (const { place, path, rule, model, out, any } of this.#found.values()) {
      if (out.size === 0) continue;
      const whose = any ? `requests for ${[...out].join(', ')}` : 'all requests';
      reporter.say(
        'warning',
        'secure-model',
        place,
        path,
        `${whose} that ${rule} matches are refused with 403: they cannot reach ${model}`,
        'Its provider needs a place in allowProviders, a key (credentialFile) and the same API; else name another model in a section for those, or say block.',
      );
    }
  }
}
