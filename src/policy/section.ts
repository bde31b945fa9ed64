import type { CacheSettings } from './options/cache.ts';
import type { Catalog } from '../catalog/types.ts';
import { tiers, type Tier } from '../classify/types.ts';
import { compileCache } from './options/cache.ts';
import { compileClassifier } from './classifier.ts';
import type { Overlay } from './experiments.ts';
import { besideName } from './example-file.ts';
import { compileFallback } from './options/fallback.ts';
import { compileGrading, compileVerify } from './options/grading.ts';
import { compileLearned, compileModels } from './options/learned.ts';
import { compileLearning } from './options/learning.ts';
import { didYouMean } from './nearest.ts';
import { compileSessions } from './options/sessions.ts';
import { Reporter, type Place } from './reporter.ts';
import { compileShape } from './options/shape.ts';
import type { SectionDocument, SettingsDocument } from './options/section.ts';
import type { PolicySource } from './source-map.ts';
import { RuleCompiler, type RuleContext } from './section-rules.ts';
import { SensitivityCompiler } from './section-sensitivity.ts';
import { SectionTargets } from './section-targets.ts';
import type { Reach } from './targets.ts';
import { checkTeaching } from './teaching-checks.ts';
import { checkIdle, checkKeyFile, checkThresholds, checkTierPrices } from './warnings.ts';
import type { InAnswer, PolicyFile, PolicySection, Problem, Provider, TargetRef } from './types.ts';

export interface SectionContext extends RuleContext {
  readonly catalog: Catalog;
  readonly defaults: SettingsDocument;
  /** The file that contains the defaults. */
  readonly defaultsSource: PolicySource;
  /** Files of examples for the classifier, by name. */
  readonly exampleFiles: ReadonlyMap<string, PolicyFile>;
  readonly problems: Problem[];
}

/** Compiles sections, each for one provider, and reports problems. */
export class SectionCompiler {
  readonly #context: SectionContext;
  readonly #reporter: Reporter;
  readonly #targets: SectionTargets;
  readonly #rules: RuleCompiler;
  readonly #sensitivity: SensitivityCompiler;
  /** Sections that define routing, and whether any provider's traffic can be routed: a list may be for only one of them. */
  readonly #routable = new Map<string, { readonly place: Place; any: boolean }>();

  /** Routed tiers without candidates, and for which providers' traffic. */
  readonly #bareTiers = new Map<
    string,
    { readonly place: Place; readonly tier: Tier; readonly names: Set<string>; readonly others: boolean }
  >();

  constructor(context: SectionContext) {
    this.#context = context;
    this.#reporter = new Reporter(context.problems);
    this.#targets = new SectionTargets(context.providers, context.catalog, this.#reporter);
    this.#rules = new RuleCompiler(context, this.#targets, this.#reporter);
    this.#sensitivity = new SensitivityCompiler(this.#targets, this.#reporter);
  }

  /** `index` is null for the settings of `defaults` alone. */
  compile(
    document: SectionDocument,
    source: PolicySource,
    index: number | null,
    provider: Provider,
    overlay: Overlay | null = null,
  ): PolicySection {
    const settings: SettingsDocument = { ...this.#context.defaults, ...document, ...overlay?.settings };
    const place = this.#places(document, source, index, overlay);
    const allow = new Set(settings.allowProviders ?? []);
    for (const [at, name] of (settings.allowProviders ?? []).entries()) this.#checkProvider(name, place('allowProviders'), [at]);
    const reach: Reach = { provider, allow, keys: new Set(Object.keys(settings.keys ?? {})) };
    const candidates = this.#targets.candidates(settings, place('candidates'), reach);
    // A section for all providers may hold candidates that suit only one of them; the others are then not routed.
    const mine = tiers.some((tier) => candidates[tier].length > 0);
    const directed: Reach = { ...reach, idle: !mine };
    if (mine) for (const key of ['overrides', 'rules'] as const) this.#rules.checkTiers(settings[key] ?? [], candidates, place(key));
    this.#checkRouted(settings, candidates, `${source.file.name}\n${document.name}\n${index ?? ''}`, reach, place);
    this.#warn(settings, candidates, place);
    for (const [at, model] of (settings.pinned ?? []).entries()) this.#targets.checkNamed(model, place('pinned'), [at]);
    this.#checkPrompts(settings, place('prompts'));
    return {
      name: document.name,
      mode: settings.mode ?? 'enabled',
      failClosed: settings.failClosed ?? false,
      routedTiers: new Set(mine ? (settings.tiers ?? tiers) : []),
      candidates,
      pinned: new Set(settings.pinned ?? []),
      allowProviders: allow,
      ...this.#directed(settings, place, directed),
      ...this.#learnedFrom(settings, place, reach),
      ...this.#sensitive(settings, place('sensitivity'), reach),
      ...this.#kept(settings, place),
      baseline: this.#baseline(settings, place('baseline'), provider),
      fallback: compileFallback(settings.fallback, (text, path, asked) =>
        this.#targets.chained(text, place('fallback'), path, { ...(path[0] === 'tiers' ? directed : reach), asked }),
      ),
      keys: this.#keys(settings, document.match?.provider === undefined ? null : provider, place),
    };
  }

  /** Where each setting is written: in the overlay, in the section itself or in the defaults. */
  #places(document: SectionDocument, source: PolicySource, index: number | null, overlay: Overlay | null): (key: string) => Place {
    return (key) => {
      if (overlay !== null && key in overlay.settings) return { source: overlay.source, base: [...overlay.path, key] };
      const own = index !== null && key in document;
      return own ? { source, base: ['sections', index, key] } : { source: this.#context.defaultsSource, base: ['defaults', key] };
    };
  }

  /** Notes routed tiers without candidates. `key` is the section's, whichever provider it is compiled for. */
  #checkRouted(
    settings: SettingsDocument,
    candidates: PolicySection['candidates'],
    key: string,
    { provider }: Reach,
    place: (key: string) => Place,
  ): void {
    const routed = settings.tiers ?? tiers;
    if ((settings.mode ?? 'enabled') === 'off' || routed.length === 0) return;
    const mine = tiers.some((tier) => candidates[tier].length > 0);
    for (const tier of mine ? new Set(routed) : []) {
      if (candidates[tier].length === 0)
        this.#bare(place('candidates'), tier, provider.name, (settings.candidates?.[tier]?.length ?? 0) > 0);
    }
    if (settings.tiers === undefined && settings.candidates === undefined) return;
    const routable = this.#routable.get(key) ?? { place: place(settings.candidates === undefined ? 'tiers' : 'candidates'), any: false };
    routable.any ||= mine;
    this.#routable.set(key, routable);
  }

  /** Settings that name models for some requests. */
  #directed(
    settings: SettingsDocument,
    place: (key: string) => Place,
    directed: Reach,
  ): Pick<PolicySection, 'overrides' | 'rules' | 'defaultTarget' | 'upgrades' | 'unknownModel'> {
    return {
      overrides: this.#rules.overrides(settings, place('overrides'), directed),
      rules: this.#rules.rules(settings, place('rules'), directed),
      defaultTarget: settings.default === undefined ? null : this.#targets.all.resolve(settings.default, place('default'), [], directed),
      upgrades: settings.upgrades ?? 'never',
      unknownModel: settings.unknownModel ?? 'keep',
    };
  }

  /** Settings of classifier, router and grades. */
  #learnedFrom(
    settings: SettingsDocument,
    place: (key: string) => Place,
    reach: Reach,
  ): Pick<PolicySection, 'classifier' | 'learned' | 'models' | 'learning' | 'verify' | 'grading'> {
    return {
      classifier: compileClassifier(settings, this.#exampleFile(settings, place('classifier'))),
      learned: this.#learned(settings, place('learned'), reach),
      models: this.#modelsOf(settings, place('models'), reach),
      learning: compileLearning(settings.learning),
      verify: compileVerify(settings.verify),
      grading: compileGrading(settings.grading, this.#context.providers, (code, path, message, fix) =>
        this.#say('error', code, place('grading'), path, message, fix),
      ),
    };
  }

  #sensitive(settings: SettingsDocument, place: Place, reach: Reach): Pick<PolicySection, 'sensitivity' | 'masks'> {
    const compiled = this.#sensitivity.compile(settings, place, reach);
    return {
      sensitivity: compiled.map(({ rule }) => rule),
      masks: compiled.some(({ mask }) => mask !== null) ? compiled.map(({ mask }) => mask) : null,
    };
  }

  /** Settings that name no model. */
  #kept(
    settings: SettingsDocument,
    place: (key: string) => Place,
  ): Pick<PolicySection, 'shapes' | 'credentials' | 'websockets' | 'streamUsage' | 'inAnswer' | 'cache' | 'sessions' | 'promptCapture'> {
    const { shape, prompts } = settings;
    return {
      shapes:
        shape === undefined
          ? null
          : { simple: compileShape(shape.simple), standard: compileShape(shape.standard), complex: compileShape(shape.complex) },
      credentials: settings.credentials ?? 'app',
      websockets: settings.websockets ?? (settings.failClosed === true || (settings.sensitivity ?? []).length > 0 ? 'refuse' : 'allow'),
      streamUsage: settings.streamUsage ?? 'leave',
      inAnswer: inAnswerOf(settings.inAnswer),
      cache: this.#cache(settings, place('cache')),
      sessions: compileSessions(settings.sessions),
      promptCapture:
        prompts === undefined
          ? { kind: 'hash' }
          : prompts.capture === 'truncate'
            ? { kind: 'truncate', units: prompts.units ?? 256 }
            : { kind: prompts.capture },
    };
  }

  /** The baseline may be any provider's: nothing is sent there. */
  #baseline({ baseline }: SettingsDocument, place: Place, provider: Provider): TargetRef | null {
    if (baseline === undefined) return null;
    return this.#targets.all.resolve(baseline, place, [], { provider, allow: new Set(this.#context.providers.keys()) });
  }

  /** Warns about settings that do nothing, or the opposite of what they seem to. */
  #warn(settings: SettingsDocument, candidates: PolicySection['candidates'], place: (key: string) => Place): void {
    const say =
      (code: string, key: string) =>
      (path: readonly PropertyKey[], message: string, fix: string): void =>
        this.#say('warning', code, place(key), path, message, fix);
    checkIdle(settings, say('no-effect', 'mode'));
    checkThresholds(settings, say('no-effect', 'thresholds'));
    this.#checkTeaching(settings, place('classifier'));
    checkTierPrices(candidates, (target) => this.#targets.all.entry(target), say('tier-prices', 'candidates'));
    for (const [name, files] of Object.entries(settings.keys ?? {}))
      for (const file of [files].flat())
        checkKeyFile(file, (path, message, fix) => this.#say('warning', 'key-file', place('keys'), [name, ...path], message, fix));
  }

  /**
   * Compiles the section's own keys. `named`: the provider, if the section names its providers; with `credentials: gateway` each of them
   * needs a key.
   */
  #keys(
    { keys, credentials }: SettingsDocument,
    named: Provider | null,
    place: (key: string) => Place,
  ): ReadonlyMap<string, readonly string[]> {
    const { providers } = this.#context;
    for (const name of Object.keys(keys ?? {})) this.#checkProvider(name, place('keys'), [name]);
    if (credentials === 'gateway') {
      const has = (one: Provider): boolean => one.credential !== null || one.signing !== null || Object.hasOwn(keys ?? {}, one.name);
      if (named === null ? ![...providers.values()].some(has) : !has(named))
        this.#say(
          'error',
          'no-credential',
          place('credentials'),
          [],
          `the gateway has no key for ${named === null ? 'any provider' : named.name}: such requests would all be refused`,
          'Set credentialFile at the provider, or keys in this section.',
        );
    }
    return new Map(Object.entries(keys ?? {}).map(([name, files]) => [name, typeof files === 'string' ? [files] : files]));
  }

  /** Resolves an experiment's model for one provider's traffic. */
  target(text: string, source: PolicySource, path: readonly PropertyKey[], provider: Provider): TargetRef | null {
    const place: Place = { source, base: path };
    const target = this.#targets.all.resolve(text, place, [], { provider, allow: new Set(this.#context.defaults.allowProviders ?? []) });
    if (target !== null) this.#targets.all.checkCandidate(target, place, []);
    return target;
  }

  /** Call once after all sections: reports what no provider's traffic can use. */
  finish(): void {
    this.#targets.finish();
    this.#sensitivity.finish();
    for (const { place, tier, names, others } of this.#bareTiers.values()) {
      const who = [...names].join(', ');
      this.#say(
        'error',
        'no-candidates',
        place,
        [],
        others
          ? `tier ${tier} is routed for ${who}, and all models under candidates.${tier} are of providers where these requests may not go`
          : `tier ${tier} is routed for ${who} and has no candidate`,
        others
          ? `List a model of ${who} there, or let these requests go to the others: allowProviders with their names, and a credentialFile at each; or leave ${who} out of the other tiers.`
          : `List models under candidates.${tier}, or leave ${tier} out of tiers.`,
      );
    }
    for (const { place, any } of this.#routable.values()) {
      if (!any)
        this.#say(
          'error',
          'no-candidates',
          place,
          [],
          'tiers are routed and no traffic of this section has a candidate',
          'List models under candidates, or set tiers to [].',
        );
    }
  }

  /** `others`: the tier has candidates, of other providers. */
  #bare(place: Place, tier: Tier, provider: string, others: boolean): void {
    const key = [place.source.file.name, ...place.base, tier].join('\n');
    const found = this.#bareTiers.get(key);
    if (found === undefined) this.#bareTiers.set(key, { place, tier, names: new Set([provider]), others });
    else found.names.add(provider);
  }

  #checkTeaching(settings: SettingsDocument, place: Place): void {
    if (settings.classifier === undefined) return;
    checkTeaching(
      settings.classifier,
      this.#exampleFile(settings, place),
      (code, path, message, fix) => this.#say('error', code, place, path, message, fix),
      (problem) => this.#reporter.add(problem),
    );
  }

  /** The file of examples that the settings name: it is in the folder of the file that has the settings. */
  #exampleFile({ classifier }: SettingsDocument, { source }: Place): PolicyFile | null {
    return classifier?.file === undefined ? null : (this.#context.exampleFiles.get(besideName(source.file.name, classifier.file)) ?? null);
  }

  #say(...said: Parameters<Reporter['say']>): void {
    this.#reporter.say(...said);
  }

  #learned(settings: SettingsDocument, place: Place, reach: Reach): PolicySection['learned'] {
    for (const [at, model] of (settings.learned?.strong ?? []).entries()) this.#targets.checkNamed(model, place, ['strong', at]);
    return compileLearned(settings.learned, (text) =>
      this.#targets.all.resolve(text, place, ['weak'], { ...reach, asked: settings.learned?.strong }),
    );
  }

  #modelsOf(settings: SettingsDocument, place: Place, reach: Reach): PolicySection['models'] {
    for (const [at, model] of (settings.models?.for ?? []).entries()) this.#targets.checkNamed(model, place, ['for', at]);
    return compileModels(settings.models, (text, at) =>
      this.#targets.chained(text, place, ['list', at], { ...reach, asked: settings.models?.for }),
    );
  }

  #checkPrompts({ prompts }: SettingsDocument, place: Place): void {
    if (prompts?.units === undefined || prompts.capture === 'truncate') return;
    this.#say(
      'warning',
      'no-effect',
      place,
      ['units'],
      `units does nothing when capture is ${prompts.capture}`,
      'Remove it, or set capture to truncate.',
    );
  }

  /** A lifetime for a rule that does not exist is a typo. */
  #cache(settings: SettingsDocument, place: Place): CacheSettings {
    const rules = [...(settings.overrides ?? []), ...(settings.rules ?? []), ...(settings.sensitivity ?? [])].map(({ name }) => name);
    for (const rule of Object.keys(settings.cache?.ttlByRule ?? {})) {
      if (!rules.includes(rule))
        this.#say(
          'error',
          'unknown-rule',
          place,
          ['ttlByRule', rule],
          `there is no override or rule ${rule}`,
          didYouMean(rule, rules, 'Name one of this section.'),
        );
    }
    return compileCache(settings);
  }

  #checkProvider(name: string, place: Place, path: readonly PropertyKey[]): void {
    const { providers } = this.#context;
    if (providers.has(name)) return;
    const fix = didYouMean(name, providers.keys(), `Known: ${[...providers.keys()].join(', ')}.`);
    this.#say('error', 'unknown-provider', place, path, `there is no provider ${name}`, fix);
  }
}

/** Null if answers tell nothing. */
function inAnswerOf({ decision = false, cost = false }: SettingsDocument['inAnswer'] & object = {}): InAnswer | null {
  return decision || cost ? { decision, cost } : null;
}
