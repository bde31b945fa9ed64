import type { CacheSettings } from './cache-types.ts';
import type { Catalog } from '../catalog/types.ts';
import { tiers, type Tier } from '../classify/types.ts';
import { compileCache } from './cache.ts';
import { compileClassifier } from './classifier.ts';
import { compileConditions, covers } from './conditions.ts';
import type { Overlay } from './experiments.ts';
import { besideName } from './example-file.ts';
import { compileFallback } from './fallback.ts';
import { compileGrading, compileVerify } from './grading.ts';
import { compileLearned, compileLearning, compileModels } from './learned.ts';
import { celAdvice } from './cel-advice.ts';
import { didYouMean } from './nearest.ts';
import { compileSessions } from './sessions.ts';
import { Reporter, type Place } from './reporter.ts';
import { compileExpression, patternFault, type CompiledExpression } from './rules.ts';
import { sensitiveExpression, type SensitivePattern } from '../apis/inspect/patterns.ts';
import { labelOf, Tokens, type MaskRule } from '../apis/mask/tokens.ts';
import { compileShape } from './shape.ts';
import type { DirectiveDocument, SectionDocument, SettingsDocument } from './schema.ts';
import type { PolicySource } from './source-map.ts';
import { Targets, type Reach } from './targets.ts';
import { checkTeaching } from './teaching-checks.ts';
import { MissingKeys } from './missing-keys.ts';
import { breadthOf, broadMatch, type Breadth } from './broad-patterns.ts';
import { checkIdle, checkKeyFile, checkThresholds, checkTierPrices, SecureModels } from './warnings.ts';
import type {
  CompiledRule,
  Directive,
  InAnswer,
  PolicyFile,
  PolicySection,
  Problem,
  Provider,
  SensitivityRule,
  TargetRef,
} from './types.ts';

export interface SectionContext {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly catalog: Catalog;
  readonly defaults: SettingsDocument;
  /** The file that contains the defaults. */
  readonly defaultsSource: PolicySource;
  /** Lower case. */
  readonly ruleHeaders: ReadonlySet<string>;
  /** Files of examples for the classifier, by name. */
  readonly exampleFiles: ReadonlyMap<string, PolicyFile>;
  readonly problems: Problem[];
  readonly onRuleError: (rule: string, error: unknown) => void;
}

/** Compiles sections, each for one provider, and reports problems. */
export class SectionCompiler {
  readonly #context: SectionContext;
  readonly #reporter: Reporter;
  readonly #targets: Targets;
  readonly #secure = new SecureModels();
  readonly #missingKeys = new MissingKeys();
  /** Sections that define routing, and whether any provider's traffic can be routed: a list may be for only one of them. */
  readonly #routable = new Map<string, { readonly place: Place; any: boolean }>();

  /** Routed tiers without candidates, and for which providers' traffic. */
  readonly #bareTiers = new Map<string, { readonly place: Place; readonly tier: Tier; readonly names: Set<string> }>();
  readonly #expressions = new Map<string, CompiledExpression>();
  readonly #patterns = new Map<string, string | null>();
  readonly #breadths = new Map<string, Breadth | null>();
  /** Every model's name; computed when a hint needs them. */
  #models: ReadonlySet<string> | null = null;

  constructor(context: SectionContext) {
    this.#context = context;
    this.#reporter = new Reporter(context.problems);
    this.#targets = new Targets(context.providers, context.catalog, this.#reporter);
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
    const place = (key: string): Place => {
      if (overlay !== null && key in overlay.settings) return { source: overlay.source, base: [...overlay.path, key] };
      const own = index !== null && key in document;
      return own ? { source, base: ['sections', index, key] } : { source: this.#context.defaultsSource, base: ['defaults', key] };
    };
    const allow = new Set(settings.allowProviders ?? []);
    this.#checkProviders(settings.allowProviders ?? [], place('allowProviders'));
    const reach: Reach = { provider, allow, keys: new Set(Object.keys(settings.keys ?? {})) };
    const routed = new Set<Tier>(settings.tiers ?? tiers);
    const candidates = this.#candidates(settings, place('candidates'), reach);
    // A section for all providers may hold candidates that suit only one of them; the others are then not routed.
    const mine = tiers.some((tier) => candidates[tier].length > 0);
    const active = (settings.mode ?? 'enabled') !== 'off';
    if (mine && active) {
      for (const tier of routed) {
        if (candidates[tier].length === 0) this.#bare(place('candidates'), tier, provider.name);
      }
    }
    if (mine) for (const key of ['overrides', 'rules'] as const) this.#checkTiersOf(settings[key] ?? [], candidates, place(key));
    if (active && routed.size > 0 && (settings.tiers !== undefined || settings.candidates !== undefined)) {
      const key = `${source.file.name}\n${document.name}\n${index ?? ''}`;
      const routable = this.#routable.get(key) ?? { place: place(settings.candidates === undefined ? 'tiers' : 'candidates'), any: false };
      routable.any ||= mine;
      this.#routable.set(key, routable);
    }
    this.#warn(settings, candidates, place);
    for (const [at, model] of (settings.pinned ?? []).entries()) this.#checkNamed(model, place('pinned'), [at]);
    this.#checkPrompts(settings, place('prompts'));
    const overrides = this.#overrides(settings, place('overrides'), reach);
    const rules = this.#rules(settings, place('rules'), reach);
    const sensitivity = this.#sensitivity(settings, place('sensitivity'), reach);
    const target = settings.default === undefined ? null : this.#targets.resolve(settings.default, place('default'), [], reach);
    return {
      name: document.name,
      mode: settings.mode ?? 'enabled',
      failClosed: settings.failClosed ?? false,
      routedTiers: mine ? routed : new Set(),
      classifier: compileClassifier(settings, this.#exampleFile(settings, place('classifier'))),
      candidates,
      shapes:
        settings.shape === undefined
          ? null
          : {
              simple: compileShape(settings.shape.simple),
              standard: compileShape(settings.shape.standard),
              complex: compileShape(settings.shape.complex),
            },
      overrides,
      rules,
      learned: this.#learned(settings, place('learned'), reach),
      models: this.#modelsOf(settings, place('models'), reach),
      learning: compileLearning(settings.learning),
      verify: compileVerify(settings.verify),
      sensitivity: sensitivity.map(({ rule }) => rule),
      masks: sensitivity.some(({ mask }) => mask !== null) ? sensitivity.map(({ mask }) => mask) : null,
      pinned: new Set(settings.pinned ?? []),
      allowProviders: allow,
      upgrades: settings.upgrades ?? 'never',
      unknownModel: settings.unknownModel ?? 'keep',
      defaultTarget: target,
      baseline:
        settings.baseline === undefined
          ? null
          : this.#targets.resolve(settings.baseline, place('baseline'), [], { provider, allow: new Set(this.#context.providers.keys()) }),
      fallback: compileFallback(settings.fallback, (text, path, asked) =>
        this.#chained(text, place('fallback'), path, { ...reach, asked }),
      ),
      credentials: settings.credentials ?? 'app',
      keys: this.#keys(settings, document.match?.provider === undefined ? null : provider, place),
      websockets: settings.websockets ?? (settings.failClosed === true || (settings.sensitivity ?? []).length > 0 ? 'refuse' : 'allow'),
      streamUsage: settings.streamUsage ?? 'leave',
      inAnswer: inAnswerOf(settings.inAnswer),
      cache: this.#cache(settings, place('cache')),
      sessions: compileSessions(settings.sessions),
      grading: compileGrading(settings.grading, this.#context.providers, (code, path, message, fix) =>
        this.#say('error', code, place('grading'), path, message, fix),
      ),
      promptCapture:
        settings.prompts === undefined
          ? { kind: 'hash' }
          : settings.prompts.capture === 'truncate'
            ? { kind: 'truncate', units: settings.prompts.units ?? 256 }
            : { kind: settings.prompts.capture },
    };
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
    checkTierPrices(candidates, (target) => this.#targets.entry(target), say('tier-prices', 'candidates'));
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
    for (const name of Object.keys(keys ?? {})) {
      if (!providers.has(name))
        this.#say(
          'error',
          'unknown-provider',
          place('keys'),
          [name],
          `there is no provider ${name}`,
          didYouMean(name, providers.keys(), `Known: ${[...providers.keys()].join(', ')}.`),
        );
    }
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
    const target = this.#targets.resolve(text, place, [], { provider, allow: new Set(this.#context.defaults.allowProviders ?? []) });
    if (target !== null) this.#targets.checkCandidate(target, place, []);
    return target;
  }

  /** Call once after all sections: reports what no provider's traffic can use. */
  finish(): void {
    this.#targets.finish();
    this.#secure.finish(this.#reporter);
    this.#missingKeys.finish(this.#reporter);
    for (const { place, tier, names } of this.#bareTiers.values()) {
      this.#say(
        'error',
        'no-candidates',
        place,
        [],
        `tier ${tier} is routed for ${[...names].join(', ')} and has no candidate`,
        `List models under candidates.${tier}, or leave ${tier} out of tiers.`,
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

  #bare(place: Place, tier: Tier, provider: string): void {
    const key = [place.source.file.name, ...place.base, tier].join('\n');
    const found = this.#bareTiers.get(key);
    if (found === undefined) this.#bareTiers.set(key, { place, tier, names: new Set([provider]) });
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

  /** The file of examples that the settings name: it lies beside the file in which they are written. */
  #exampleFile({ classifier }: SettingsDocument, { source }: Place): PolicyFile | null {
    return classifier?.file === undefined ? null : (this.#context.exampleFiles.get(besideName(source.file.name, classifier.file)) ?? null);
  }

  #say(...said: Parameters<Reporter['say']>): void {
    this.#reporter.say(...said);
  }

  #learned(settings: SettingsDocument, place: Place, reach: Reach): PolicySection['learned'] {
    for (const [at, model] of (settings.learned?.strong ?? []).entries()) this.#checkNamed(model, place, ['strong', at]);
    return compileLearned(settings.learned, (text) =>
      this.#targets.resolve(text, place, ['weak'], { ...reach, asked: settings.learned?.strong }),
    );
  }

  #modelsOf(settings: SettingsDocument, place: Place, reach: Reach): PolicySection['models'] {
    for (const [at, model] of (settings.models?.for ?? []).entries()) this.#checkNamed(model, place, ['for', at]);
    return compileModels(settings.models, (text, at) =>
      this.#chained(text, place, ['list', at], { ...reach, asked: settings.models?.for }),
    );
  }

  /** Apps may request models that the catalog lacks, so this is only a warning. */
  #checkNamed(model: string, place: Place, path: readonly PropertyKey[]): void {
    if (this.#targets.known(model)) return;
    this.#models ??= new Set(
      this.#context.catalog.providers().flatMap((name) => this.#context.catalog.models(name).map((entry) => entry.model)),
    );
    this.#say(
      'warning',
      'unknown-model',
      place,
      path,
      `the catalog knows no model ${model}`,
      didYouMean(model, this.#models, 'Check that apps do ask for it by this name.'),
    );
  }

  /** A directive to a tier uses that tier's candidates or a higher one's; if there are none, it does nothing. */
  #checkTiersOf(
    listed: readonly { readonly name: string; readonly then: DirectiveDocument }[],
    candidates: PolicySection['candidates'],
    place: Place,
  ): void {
    for (const [at, { name, then }] of listed.entries()) {
      const wanted = then.best === true ? tiers.at(-1) : then.tier;
      if (wanted === undefined || tiers.slice(tiers.indexOf(wanted)).some((tier) => candidates[tier].length > 0)) continue;
      this.#say(
        'error',
        'no-candidates',
        place,
        [at, 'then'],
        `${name} asks for tier ${wanted}, which has no candidate`,
        `List models under candidates.${wanted}.`,
      );
    }
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

  #checkProviders(names: readonly string[], place: Place): void {
    const { providers } = this.#context;
    for (const [at, name] of names.entries()) {
      if (!providers.has(name))
        this.#say(
          'error',
          'unknown-provider',
          place,
          [at],
          `there is no provider ${name}`,
          didYouMean(name, providers.keys(), `Known: ${[...providers.keys()].join(', ')}.`),
        );
    }
  }

  #candidates(settings: SettingsDocument, place: Place, reach: Reach): Record<Tier, readonly TargetRef[]> {
    const result = { simple: [] as TargetRef[], standard: [] as TargetRef[], complex: [] as TargetRef[] };
    for (const tier of tiers) {
      this.#listed(settings, tier, place, reach, result[tier]);
      // A list may hold models of several providers, each for its own traffic. Those with another API are only for traffic that has no
      // candidate with its own API there, or if the policy says so.
      if (settings.otherApis === 'always' || result[tier].length === 0)
        this.#listed(settings, tier, place, { ...reach, translate: true }, result[tier]);
      this.#targets.checkTier(tier, result[tier], place);
      this.#targets.checkParameters(tier, result[tier], place);
    }
    return result;
  }

  /** Adds a tier's candidates that this traffic can use, in the policy's order; with `translate` also those of another API. */
  #listed(settings: SettingsDocument, tier: Tier, place: Place, reach: Reach, into: TargetRef[]): void {
    const before = reach.translate === true ? [...into] : [];
    if (reach.translate === true) into.length = 0;
    for (const [at, text] of (settings.candidates?.[tier] ?? []).entries()) {
      const target = this.#targets.resolve(text, place, [tier, at], reach);
      if (target === null) continue;
      if (into.some((other) => sameTarget(other, target))) {
        if (before.length === 0) this.#say('warning', 'twice', place, [tier, at], `${text} is listed twice`, 'Remove one.');
        continue;
      }
      into.push(target);
      // Already reported when the traffic's own API was checked.
      if (before.some((other) => sameTarget(other, target))) continue;
      this.#targets.checkCandidate(target, place, [tier, at]);
      this.#checkKey(target, place, [tier, at], reach);
    }
  }

  /** Another provider's traffic carries that provider's key, so the gateway or the section needs its own. */
  #hasKey(target: TargetRef, { provider, keys }: Reach): boolean {
    const other = this.#context.providers.get(target.provider);
    return target.provider === provider.name || other?.credential !== null || other.signing !== null || keys?.has(other.name) === true;
  }

  #checkKey(target: TargetRef, place: Place, path: readonly PropertyKey[], reach: Reach): void {
    if (!this.#hasKey(target, reach) && !this.#targets.isAside(reach)) this.#missingKeys.note(place, path, target, reach.provider.name);
  }

  #directive(document: DirectiveDocument, place: Place, path: readonly PropertyKey[], reach: Reach): Directive | null {
    const chained = (document.fallback ?? [])
      .map((text, at) => this.#chained(text, place, [...path, 'fallback', at], reach))
      .filter((target) => target !== null);
    const fallback = document.fallback === undefined ? {} : { fallback: chained };
    if (document.tier !== undefined) return { kind: 'tier', tier: document.tier, ...fallback };
    if (document.best === true) return { kind: 'best', ...fallback };
    if (document.keep === true) return { kind: 'keep' };
    if (onlyShapes(document)) return { kind: 'shape' };
    if (document.block !== undefined) return { kind: 'block', message: document.block };
    const target = this.#targets.resolve(document.model ?? '', place, [...path, 'model'], reach);
    return target === null ? null : { kind: 'model', target, ...fallback };
  }

  /** Resolves a target that may speak another API. */
  #chained(text: string, place: Place, path: readonly PropertyKey[], reach: Reach): TargetRef | null {
    const target = this.#targets.resolve(text, place, path, { ...reach, translate: true });
    if (target === null) return null;
    this.#targets.checkCandidate(target, place, path);
    this.#checkKey(target, place, path, reach);
    return target;
  }

  #overrides(settings: SettingsDocument, place: Place, reach: Reach): CompiledRule[] {
    const listed = settings.overrides ?? [];
    return listed.flatMap((document, at) => {
      const earlier = listed.slice(0, at).find((other) => !onlyShapes(other.then) && covers(other.when, document.when));
      if (earlier !== undefined)
        this.#say(
          'error',
          'unreachable',
          place,
          [at],
          `${document.name} is never reached: ${earlier.name} before it matches whenever it does`,
          'Put the narrower one first, or remove one.',
        );
      this.#checkName(listed, document.name, place, at);
      for (const [index, model] of (document.when.model ?? []).entries()) this.#checkNamed(model, place, [at, 'when', 'model', index]);
      const { time } = document.when;
      if (time !== undefined && time.from === time.to)
        this.#say(
          'error',
          'unreachable',
          place,
          [at, 'when', 'time'],
          `from and to are both ${time.from}, so this is never true`,
          'For the whole day leave time out or give days with from 00:00 to 23:59.',
        );
      let matches: CompiledRule['matches'];
      try {
        matches = compileConditions(document.when, document.then.block !== undefined);
      } catch {
        const zones = Intl.supportedValuesOf('timeZone');
        this.#say(
          'error',
          'time-zone',
          place,
          [at, 'when', 'time', 'zone'],
          `there is no time zone ${time?.zone ?? ''}`,
          didYouMean(time?.zone ?? '', zones, 'Use an IANA name such as Europe/Berlin.'),
        );
        return [];
      }
      const then = this.#directive(document.then, place, [at, 'then'], { ...reach, asked: document.when.model });
      // Conditions on what a prompt carries or asks for apply only to prompts.
      if ((document.when.modality ?? document.when.task) !== undefined && then?.kind === 'model') {
        this.#targets.checkCandidate(then.target, place, [at, 'then', 'model']);
        this.#targets.checkModality(document.when.modality ?? [], then.target, place, [at, 'then', 'model']);
      }
      const hinted = document.when.quality !== undefined || document.when.task !== undefined;
      return then === null
        ? []
        : [
            {
              name: document.name,
              kind: 'override',
              source: JSON.stringify(document.when),
              hinted,
              readsTask: document.when.task !== undefined,
              matches,
              then,
              shape: compileShape(document.then.shape),
            },
          ];
    });
  }

  /** The record names the deciding rule; two rules with one name would be indistinguishable. */
  #checkName(listed: readonly { readonly name: string }[], name: string, place: Place, at: number): void {
    if (listed.findIndex((other) => other.name === name) < at)
      this.#say('error', 'twice', place, [at, 'name'], `there is another one called ${name}`, 'Give each its own name.');
  }

  #rules(settings: SettingsDocument, place: Place, reach: Reach): CompiledRule[] {
    const seen = new Map<string, string>();
    let always: string | null = null;
    return (settings.rules ?? []).flatMap((document, at) => {
      if (always !== null)
        this.#say(
          'error',
          'unreachable',
          place,
          [at],
          `rule ${document.name} is never reached: rule ${always} before it is always true`,
          `Move it before ${always}, or remove it.`,
        );
      this.#checkName(settings.rules ?? [], document.name, place, at);
      if (!onlyShapes(document.then)) this.#checkRepeated(seen, document.when.replace(/\s+/g, ' ').trim(), document.name, place, at);
      const expression = this.#expression(document.name, document.when);
      if (!expression.ok) {
        this.#reporter.sayInside(
          'error',
          'cel',
          place,
          [at, 'when'],
          expression.offset,
          `${expression.message} (at character ${expression.offset + 1})`,
          expression.fix ?? celAdvice(document.when, expression.message, expression.offset),
        );
        return [];
      }
      if (expression.constant === false)
        this.#say('error', 'unreachable', place, [at, 'when'], `rule ${document.name} is never true`, 'Remove it.');
      else if (expression.never !== null)
        this.#say(
          'warning',
          'unreachable',
          place,
          [at, 'when'],
          `rule ${document.name} is never true: ${expression.never}`,
          'Correct the condition, or remove the rule.',
        );
      const every = broadMatch(document.when);
      if (every !== null)
        this.#reporter.sayInside(
          'warning',
          'matches-everything',
          place,
          [at, 'when'],
          every.offset,
          `${every.breadth === 'usual' ? 'nearly every' : 'every'} text matches ${every.pattern}`,
          'Correct the pattern, or leave it out.',
        );
      if (expression.constant === true && !onlyShapes(document.then)) always ??= document.name;
      const then = this.#directive(document.then, place, [at, 'then'], reach);
      return then === null
        ? []
        : [
            {
              name: document.name,
              kind: 'rule',
              source: document.when,
              hinted: expression.hinted,
              readsTask: expression.readsTask,
              matches: expression.matches,
              then,
              shape: compileShape(document.then.shape),
            },
          ];
    });
  }

  #checkRepeated(seen: Map<string, string>, condition: string, name: string, place: Place, at: number): void {
    const earlier = seen.get(condition);
    if (earlier !== undefined)
      this.#say(
        'error',
        'unreachable',
        place,
        [at],
        `${name} is never reached: ${earlier} before it has the same condition`,
        'Remove one of them.',
      );
    seen.set(condition, earlier ?? name);
  }

  /** Compiled once, not once per provider: type checks are most of the compile time. */
  #expression(name: string, source: string): CompiledExpression {
    const key = `${name}\n${source}`;
    let expression = this.#expressions.get(key);
    if (expression === undefined)
      this.#expressions.set(
        key,
        (expression = compileExpression(source, this.#context.ruleHeaders, (error) => this.#context.onRuleError(name, error), [
          ...this.#context.providers.keys(),
        ])),
      );
    return expression;
  }

  #breadth(source: string): Breadth | null {
    let breadth = this.#breadths.get(source);
    if (breadth === undefined) this.#breadths.set(source, (breadth = breadthOf(source)));
    return breadth;
  }

  #patternFault(source: string): string | null {
    let fault = this.#patterns.get(source);
    if (fault === undefined) this.#patterns.set(source, (fault = patternFault(source)));
    return fault;
  }

  #sensitivity(
    settings: SettingsDocument,
    place: Place,
    reach: Reach,
  ): { readonly rule: SensitivityRule; readonly mask: MaskRule | null }[] {
    return (settings.sensitivity ?? []).flatMap((document, at): { rule: SensitivityRule; mask: MaskRule | null }[] => {
      this.#checkName(settings.sensitivity ?? [], document.name, place, at);
      const fault = this.#patternFault(document.pattern);
      if (fault !== null) {
        this.#say(
          'error',
          'regex',
          place,
          [at, 'pattern'],
          `not a regular expression in RE2 syntax: ${fault}`,
          'Look-around and back-references do not exist there; write it without.',
        );
        return [];
      }
      const breadth = this.#breadth(document.pattern);
      if (breadth !== null && (document.then.mask !== true || breadth !== 'empty'))
        this.#say(
          'warning',
          'matches-everything',
          place,
          [at, 'pattern'],
          `${breadth === 'usual' ? 'nearly every' : 'every'} prompt matches ${document.name}`,
          breadth === 'empty' ? 'Correct the pattern: a part that may be empty is found everywhere.' : 'Write a narrower pattern.',
        );
      const pattern: SensitivePattern = {
        source: document.pattern,
        ignoreCase: document.ignoreCase ?? false,
        fold: document.fold ?? true,
        base64: document.base64 ?? false,
      };
      if (document.then.mask === true) {
        this.#checkMask(pattern, document.name, place, [at, 'pattern']);
        const message = document.then.block ?? `This request holds ${document.name} where it cannot be masked.`;
        return [
          {
            rule: { name: document.name, pattern, then: { kind: 'mask', message } },
            mask: { label: labelOf(document.name), restore: document.then.restore === true },
          },
        ];
      }
      if (document.then.block !== undefined)
        return [{ rule: { name: document.name, pattern, then: { kind: 'block', message: document.then.block } }, mask: null }];
      const target = this.#targets.resolve(document.then.model ?? '', place, [at, 'then', 'model'], reach);
      if ((settings.mode ?? 'enabled') !== 'off')
        this.#secure.note(place, [at, 'then', 'model'], {
          rule: document.name,
          model: document.then.model ?? '',
          provider: reach.provider.name,
          reached: target !== null && this.#hasKey(target, reach),
        });
      // If this provider's traffic cannot reach the secure model, the request must not be let through.
      const then: SensitivityRule['then'] =
        target === null
          ? { kind: 'block', message: `This prompt holds ${document.name} and no secure model can take it.` }
          : { kind: 'model', target };
      return [{ rule: { name: document.name, pattern, then }, mask: null }];
    });
  }

  /** A pattern that matches the empty string, or the tokens themselves, would mask endlessly. */
  #checkMask(pattern: SensitivePattern, name: string, place: Place, path: readonly PropertyKey[]): void {
    const expression = sensitiveExpression(pattern);
    if (expression.test('')) {
      this.#say(
        'error',
        'mask',
        place,
        path,
        `${name} matches an empty text, which cannot be masked`,
        'Write a pattern that needs at least one character.',
      );
      return;
    }
    const token = new Tokens('').of({ label: labelOf(name), restore: false }, name);
    if (expression.test(token))
      this.#say(
        'warning',
        'mask',
        place,
        path,
        `${name} also matches its own tokens, such as ${token}`,
        'Make the pattern narrower: a text around a token may be masked once more.',
      );
  }
}

function sameTarget(a: TargetRef, b: TargetRef): boolean {
  return a.provider === b.provider && a.model === b.model;
}

/** Whether a rule leaves the target to later rules. */
function onlyShapes({ shape, tier, model, best, keep, block }: DirectiveDocument): boolean {
  return shape !== undefined && [tier, model, best, keep, block].every((part) => part === undefined);
}

/** Null if answers tell nothing. */
function inAnswerOf({ decision = false, cost = false }: SettingsDocument['inAnswer'] & object = {}): InAnswer | null {
  return decision || cost ? { decision, cost } : null;
}
