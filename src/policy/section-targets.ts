import type { Catalog } from '../catalog/types.ts';
import { tiers, type Tier } from '../classify/types.ts';
import { MissingKeys } from './missing-keys.ts';
import { didYouMean } from './nearest.ts';
import type { Place, Reporter } from './reporter.ts';
import type { DirectiveDocument } from './options/rules.ts';
import type { SettingsDocument } from './options/section.ts';
import { Targets, type Reach } from './targets.ts';
import type { Directive, Provider, TargetRef } from './types.ts';

/** Resolves the models that the settings of sections name: candidates, directives, and what follows in a chain. */
export class SectionTargets {
  readonly all: Targets;
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #catalog: Catalog;
  readonly #reporter: Reporter;
  readonly #missingKeys = new MissingKeys();
  /** Every model's name; computed when a hint needs them. */
  #models: ReadonlySet<string> | null = null;

  constructor(providers: ReadonlyMap<string, Provider>, catalog: Catalog, reporter: Reporter) {
    this.#providers = providers;
    this.#catalog = catalog;
    this.#reporter = reporter;
    this.all = new Targets(providers, catalog, reporter);
  }

  candidates(settings: SettingsDocument, place: Place, reach: Reach): Record<Tier, readonly TargetRef[]> {
    const result = { simple: [] as TargetRef[], standard: [] as TargetRef[], complex: [] as TargetRef[] };
    for (const tier of tiers) {
      this.#listed(settings, tier, place, reach, result[tier]);
      // A list may hold models of several providers, each for its own traffic. Those with another API are only for traffic that has no
      // candidate with its own API there, or if the policy says so.
      if (settings.otherApis === 'always' || result[tier].length === 0)
        this.#listed(settings, tier, place, { ...reach, translate: true }, result[tier]);
      this.all.checkTier(tier, result[tier], place);
      this.all.checkParameters(tier, result[tier], place);
    }
    return result;
  }

  /** Adds a tier's candidates that this traffic can use, in the policy's order; with `translate` also those of another API. */
  #listed(settings: SettingsDocument, tier: Tier, place: Place, reach: Reach, into: TargetRef[]): void {
    const before = reach.translate === true ? [...into] : [];
    if (reach.translate === true) into.length = 0;
    for (const [at, text] of (settings.candidates?.[tier] ?? []).entries()) {
      const target = this.all.resolve(text, place, [tier, at], reach);
      if (target === null) continue;
      if (into.some((other) => sameTarget(other, target))) {
        if (before.length === 0) this.#reporter.say('warning', 'twice', place, [tier, at], `${text} is listed twice`, 'Remove one.');
        continue;
      }
      into.push(target);
      // Already reported when the traffic's own API was checked.
      if (before.some((other) => sameTarget(other, target))) continue;
      this.all.checkCandidate(target, place, [tier, at]);
      this.#checkKey(target, place, [tier, at], reach);
    }
  }

  /** Another provider's traffic carries that provider's key, so the gateway or the section needs its own. */
  hasKey(target: TargetRef, { provider, keys }: Reach): boolean {
    const other = this.#providers.get(target.provider);
    return target.provider === provider.name || other?.credential !== null || other.signing !== null || keys?.has(other.name) === true;
  }

  #checkKey(target: TargetRef, place: Place, path: readonly PropertyKey[], reach: Reach): void {
    if (!this.hasKey(target, reach) && !this.all.isAside(reach)) this.#missingKeys.note(place, path, target, reach.provider.name);
  }

  directive(document: DirectiveDocument, place: Place, path: readonly PropertyKey[], reach: Reach): Directive | null {
    const chained = (document.fallback ?? [])
      .map((text, at) => this.chained(text, place, [...path, 'fallback', at], reach))
      .filter((target) => target !== null);
    const fallback = document.fallback === undefined ? {} : { fallback: chained };
    if (document.tier !== undefined) return { kind: 'tier', tier: document.tier, ...fallback };
    if (document.best === true) return { kind: 'best', ...fallback };
    if (document.keep === true) return { kind: 'keep' };
    if (onlyShapes(document)) return { kind: 'shape' };
    if (document.block !== undefined) return { kind: 'block', message: document.block };
    const target = this.all.resolve(document.model ?? '', place, [...path, 'model'], reach);
    return target === null ? null : { kind: 'model', target, ...fallback };
  }

  /** Resolves a target that may speak another API. */
  chained(text: string, place: Place, path: readonly PropertyKey[], reach: Reach): TargetRef | null {
    const target = this.all.resolve(text, place, path, { ...reach, translate: true });
    if (target === null) return null;
    this.all.checkCandidate(target, place, path);
    this.#checkKey(target, place, path, reach);
    return target;
  }

  /** Apps may request models that the catalog lacks, so this is only a warning. */
  checkNamed(model: string, place: Place, path: readonly PropertyKey[]): void {
    if (this.all.known(model)) return;
    this.#models ??= new Set(this.#catalog.providers().flatMap((name) => this.#catalog.models(name).map((entry) => entry.model)));
    this.#reporter.say(
      'warning',
      'unknown-model',
      place,
      path,
      `the catalog knows no model ${model}`,
      didYouMean(model, this.#models, 'Check that apps do ask for it by this name.'),
    );
  }

  /** Call once after all sections. */
  finish(): void {
    this.all.finish();
    this.#missingKeys.finish(this.#reporter);
  }
}

function sameTarget(a: TargetRef, b: TargetRef): boolean {
  return a.provider === b.provider && a.model === b.model;
}

/** Whether a rule leaves the target to later rules. */
export function onlyShapes({ shape, tier, model, best, keep, block }: DirectiveDocument): boolean {
  return shape !== undefined && [tier, model, best, keep, block].every((part) => part === undefined);
}
