import type { Catalog, ModelEntry } from '../catalog/types.ts';
import { defaultThresholds, tiers, type Tier } from '../classify/types.ts';
import { compileConditions } from './conditions.ts';
import { didYouMean } from './nearest.ts';
import { compileExpression, compilePattern } from './rules.ts';
import type { DirectiveDocument, SectionDocument, SettingsDocument } from './schema.ts';
import type { SourceFile } from './source-map.ts';
import type { CompiledRule, Directive, PolicySection, Problem, ProblemLevel, Provider, SensitivityRule, TargetRef } from './types.ts';

export interface SectionContext {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly catalog: Catalog;
  readonly defaults: SettingsDocument;
  readonly problems: Problem[];
  readonly onRuleError: (rule: string, error: unknown) => void;
}

/** Where a setting is written: its path in the file, for the problem's line. */
interface Place {
  readonly source: SourceFile;
  readonly base: readonly PropertyKey[];
}

/** Compiles sections for one provider each, and says what is wrong with them. */
export class SectionCompiler {
  readonly #context: SectionContext;
  /** A section is compiled once a provider; what is wrong with it is said once. */
  readonly #said = new Set<string>();

  constructor(context: SectionContext) {
    this.#context = context;
  }

  /** `index` null: the settings of `defaults` alone. */
  compile(document: SectionDocument, source: SourceFile, index: number | null, provider: Provider): PolicySection {
    const settings: SettingsDocument = { ...this.#context.defaults, ...document };
    const place = (key: string): Place => {
      const own = index !== null && key in document;
      return { source, base: own ? ['sections', index, key] : ['defaults', key] };
    };
    const allow = new Set(settings.allowProviders ?? []);
    this.#checkProviders(settings.allowProviders ?? [], place('allowProviders'));
    const refs = { provider, allow };
    const routed = new Set<Tier>(settings.tiers ?? tiers);
    const candidates = this.#candidates(settings, place('candidates'), refs);
    // A section for all providers holds candidates that only fit one of them; the others just are not routed.
    const mine = tiers.some((tier) => candidates[tier].length > 0);
    if (mine && (settings.mode ?? 'enabled') !== 'off') {
      for (const tier of routed) {
        if (candidates[tier].length === 0) {
          this.#say('error', 'no-candidates', place('candidates'), [], `tier ${tier} is routed for ${provider.name} and has no candidate`, `List models under candidates.${tier}, or leave ${tier} out of tiers.`);
        }
      }
    }
    const overrides = this.#overrides(settings, place('overrides'), refs);
    const rules = this.#rules(settings, place('rules'), refs);
    const target = settings.default === undefined ? null : this.#target(settings.default, place('default'), [], refs);
    return {
      name: document.name,
      mode: settings.mode ?? 'enabled',
      failClosed: settings.failClosed ?? false,
      routedTiers: mine ? routed : new Set(),
      thresholds: settings.thresholds ?? defaultThresholds,
      candidates,
      overrides,
      rules,
      sensitivity: this.#sensitivity(settings, place('sensitivity'), refs),
      pinned: new Set(settings.pinned ?? []),
      allowProviders: allow,
      upgrades: settings.upgrades ?? 'never',
      unknownModel: settings.unknownModel ?? 'keep',
      defaultTarget: target,
      streamUsage: settings.streamUsage ?? 'leave',
      promptCapture:
        settings.prompts === undefined
          ? { kind: 'hash' }
          : settings.prompts.capture === 'truncate'
            ? { kind: 'truncate', units: settings.prompts.units ?? 256 }
            : { kind: settings.prompts.capture },
    };
  }

  #say(level: ProblemLevel, code: string, place: Place, path: readonly PropertyKey[], message: string, fix: string): void {
    const problem = place.source.problem(level, code, [...place.base, ...path], message, fix);
    const key = `${code}\n${problem.file}\n${problem.path}\n${message}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#context.problems.push(problem);
  }

  #checkProviders(names: readonly string[], place: Place): void {
    const { providers } = this.#context;
    for (const [at, name] of names.entries()) {
      if (!providers.has(name)) this.#say('error', 'unknown-provider', place, [at], `there is no provider ${name}`, didYouMean(name, providers.keys(), `Known: ${[...providers.keys()].join(', ')}.`));
    }
  }

  #candidates(settings: SettingsDocument, place: Place, refs: Refs): Record<Tier, readonly TargetRef[]> {
    const result = { simple: [] as TargetRef[], standard: [] as TargetRef[], complex: [] as TargetRef[] };
    for (const tier of tiers) {
      const listed = settings.candidates?.[tier] ?? [];
      for (const [at, text] of listed.entries()) {
        const target = this.#target(text, place, [tier, at], refs);
        if (target === null) continue;
        if (result[tier].some(({ provider, model }) => provider === target.provider && model === target.model)) {
          this.#say('warning', 'twice', place, [tier, at], `${text} is listed twice`, 'Remove one.');
          continue;
        }
        result[tier].push(target);
        this.#checkCandidate(target, place, [tier, at]);
      }
      this.#checkTierCapabilities(tier, result[tier], place);
    }
    return result;
  }

  #checkCandidate(target: TargetRef, place: Place, path: readonly PropertyKey[]): void {
    const entry = this.#entry(target);
    if (entry === null) return;
    if (entry.mode === 'embedding' || entry.mode === 'other') {
      this.#say('error', 'capability', place, path, `${target.model} is no chat model (${entry.mode})`, 'List a model that answers prompts.');
    }
    if (entry.prices.input === null || entry.prices.output === null) {
      this.#say('warning', 'unknown-price', place, path, `the catalog has no price for ${target.model}, so it can never be the cheapest`, 'Add its price under catalog.overrides.');
    }
  }

  /** A tier none of whose models can do something sends such requests to the next tier: worth knowing beforehand. */
  #checkTierCapabilities(tier: Tier, targets: readonly TargetRef[], place: Place): void {
    const entries = targets.map((target) => this.#entry(target)).filter((entry) => entry !== null);
    if (entries.length === 0) return;
    for (const capability of ['tools', 'vision', 'jsonSchema'] as const) {
      if (entries.some((entry) => entry.capabilities[capability] === true)) continue;
      this.#say('warning', 'capability', place, [tier], `no candidate of ${tier} is known to have ${capability}; requests that need it go to a higher tier`, `Add one that has it, or state it under catalog.overrides.`);
    }
  }

  #entry(target: TargetRef): ModelEntry | null {
    const provider = this.#context.providers.get(target.provider);
    if (provider === undefined) return null;
    return this.#context.catalog.lookup(provider.catalogProvider, provider.deployments.get(target.model) ?? target.model);
  }

  /** `model` or `provider/model`; null, with a problem said unless it simply belongs to another provider's traffic. */
  #target(text: string, place: Place, path: readonly PropertyKey[], { provider, allow }: Refs): TargetRef | null {
    const { providers, catalog } = this.#context;
    const slash = text.indexOf('/');
    const named = slash === -1 ? undefined : providers.get(text.slice(0, slash));
    const target = named === undefined ? { provider: provider.name, model: text } : { provider: named.name, model: text.slice(slash + 1) };
    const owner = providers.get(target.provider)!;
    if (this.#entry(target) !== null) {
      if (owner.name === provider.name || allow.has(owner.name)) return target;
      // Written with its provider: it serves that provider's own traffic, and nobody else's unless allowed.
      return null;
    }
    if (named === undefined) {
      const elsewhere = [...providers.values()].find((other) => catalog.lookup(other.catalogProvider, text) !== null);
      if (elsewhere !== undefined) {
        if (allow.has(elsewhere.name)) return { provider: elsewhere.name, model: text };
        return null;
      }
    }
    const known = catalog.models(owner.catalogProvider).map((entry) => entry.model);
    const all = named === undefined ? [...providers.values()].flatMap((other) => catalog.models(other.catalogProvider).map((entry) => entry.model)) : known;
    this.#say('error', 'unknown-model', place, path, `the catalog knows no model ${text}`, didYouMean(target.model, all, 'Add it under catalog.overrides, or see `sluice catalog show`.'));
    return null;
  }

  #directive(document: DirectiveDocument, place: Place, path: readonly PropertyKey[], refs: Refs): Directive | null {
    if (document.tier !== undefined) return { kind: 'tier', tier: document.tier };
    if (document.best === true) return { kind: 'best' };
    if (document.keep === true) return { kind: 'keep' };
    if (document.block !== undefined) return { kind: 'block', message: document.block };
    const target = this.#target(document.model ?? '', place, [...path, 'model'], refs);
    return target === null ? null : { kind: 'model', target };
  }

  #overrides(settings: SettingsDocument, place: Place, refs: Refs): CompiledRule[] {
    const seen = new Map<string, string>();
    return (settings.overrides ?? []).flatMap((document, at) => {
      this.#checkRepeated(seen, JSON.stringify(document.when), document.name, place, at);
      let matches: CompiledRule['matches'];
      try {
        matches = compileConditions(document.when);
      } catch {
        this.#say('error', 'time-zone', place, [at, 'when', 'time', 'zone'], `there is no time zone ${document.when.time?.zone ?? ''}`, 'Use an IANA name such as Europe/Berlin.');
        return [];
      }
      const then = this.#directive(document.then, place, [at, 'then'], refs);
      return then === null ? [] : [{ name: document.name, kind: 'override', source: JSON.stringify(document.when), matches, then }];
    });
  }

  #rules(settings: SettingsDocument, place: Place, refs: Refs): CompiledRule[] {
    const seen = new Map<string, string>();
    let always: string | null = null;
    return (settings.rules ?? []).flatMap((document, at) => {
      if (always !== null) this.#say('error', 'unreachable', place, [at], `rule ${document.name} is never reached: rule ${always} before it is always true`, `Move it before ${always}, or remove it.`);
      this.#checkRepeated(seen, document.when.replace(/\s+/g, ' ').trim(), document.name, place, at);
      const expression = compileExpression(document.when, (error) => this.#context.onRuleError(document.name, error));
      if (!expression.ok) {
        this.#say('error', 'cel', place, [at, 'when'], `${expression.message} (at character ${expression.offset + 1})`, 'The variables and their types are in docs/policy.md.');
        return [];
      }
      if (expression.constant === false) this.#say('error', 'unreachable', place, [at, 'when'], `rule ${document.name} is never true`, 'Remove it.');
      if (expression.constant === true) always ??= document.name;
      const then = this.#directive(document.then, place, [at, 'then'], refs);
      return then === null ? [] : [{ name: document.name, kind: 'rule', source: document.when, matches: expression.matches, then }];
    });
  }

  #checkRepeated(seen: Map<string, string>, condition: string, name: string, place: Place, at: number): void {
    const earlier = seen.get(condition);
    if (earlier !== undefined) this.#say('error', 'unreachable', place, [at], `${name} is never reached: ${earlier} before it has the same condition`, 'Remove one of them.');
    seen.set(condition, earlier ?? name);
  }

  #sensitivity(settings: SettingsDocument, place: Place, refs: Refs): SensitivityRule[] {
    return (settings.sensitivity ?? []).flatMap((document, at) => {
      const pattern = compilePattern(document.pattern, document.ignoreCase ?? false);
      if (!pattern.ok) {
        this.#say('error', 'regex', place, [at, 'pattern'], `not a regular expression in RE2 syntax: ${pattern.message}`, 'Look-around and back-references do not exist there; write it without.');
        return [];
      }
      if (document.then.block !== undefined) return [{ name: document.name, matches: pattern.matches, then: { kind: 'block', message: document.then.block } }];
      const target = this.#target(document.then.model ?? '', place, [at, 'then', 'model'], refs);
      // A secure model that this provider's traffic cannot reach must not turn into "let it through".
      const then: SensitivityRule['then'] = target === null ? { kind: 'block', message: `This prompt holds ${document.name} and no secure model can take it.` } : { kind: 'model', target };
      return [{ name: document.name, matches: pattern.matches, then }];
    });
  }
}

interface Refs {
  readonly provider: Provider;
  readonly allow: ReadonlySet<string>;
}
