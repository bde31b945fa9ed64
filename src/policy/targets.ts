import { askedModel, differences, tableOf } from '../apis/parameters.ts';
import type { Catalog, ModelEntry } from '../catalog/types.ts';
import type { Tier } from '../classify/types.ts';
import { translatable } from '../apis/translatable.ts';
import { didYouMean, nearest } from './nearest.ts';
import type { Place, Reporter } from './reporter.ts';
import type { Provider, TargetRef } from './types.ts';

const mostNamed = 5;

const anyTraffic = 'no traffic of this section';
const routedTraffic = 'no traffic that has candidates here';

/** The provider whose traffic is compiled, and the others that it may reach. */
export interface Reach {
  readonly provider: Provider;
  readonly allow: ReadonlySet<string>;
  /** Whether a target may speak another API than the traffic: requests and answers are translated for it. */
  readonly translate?: boolean;
  /** Providers for which the section has keys of its own. */
  readonly keys?: ReadonlySet<string>;
  /** Whether the section has no candidate for this traffic: where it has some for other traffic, this one is not who is meant. */
  readonly idle?: boolean;
  /** The requested models that the target is meant for; all if absent. */
  readonly asked?: readonly string[] | undefined;
}

interface Unused {
  readonly place: Place;
  readonly path: readonly PropertyKey[];
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  /** Whether only traffic that does not ask for the target has been seen. */
  readonly aside: boolean;
  /** Whether only traffic without candidates has been seen. */
  readonly idle: boolean;
}

/** Which ability of a model each kind of content needs; null: none that the catalog states. */
const needed = { vision: 'vision', audio: 'audioInput', files: 'files', tools: 'tools', code: null } as const;

/** Capabilities that requests need often enough to warn about in advance. */
const watched = ['tools', 'vision', 'jsonSchema'] as const;

/** Why a provider's traffic may not use another provider's model; null if it may. `aside`: it does not ask for what the model is meant for. */
function barrierTo(
  text: string,
  owner: Provider,
  { provider, allow, translate, asked }: Reach,
  aside: boolean,
): Pick<Unused, 'code' | 'message' | 'fix'> | null {
  const crossable = translatable(provider.family, owner.family);
  // Check the API first: allowing a provider with another API would only cause the next message.
  if (owner.family !== provider.family && !(translate === true && crossable)) {
    const instead =
      translate !== true && crossable ? ` Chains are translated: fallback may name it, with ${owner.name} in allowProviders.` : '';
    return {
      code: 'dialect',
      message: `${text} speaks the ${owner.family} API; requests for ${provider.name} come as ${provider.family} and are not translated here`,
      fix: `List a model of ${provider.name}, or of a provider that speaks ${provider.family}.${instead}`,
    };
  }
  if (owner === provider || allow.has(owner.name)) return null;
  const who = asked === undefined || aside ? anyTraffic : `no traffic that asks for ${asked.join(', ')}`;
  return {
    code: 'cross-provider',
    message: `${text} is a model of ${owner.name}, and ${who} may go there`,
    fix: `Add ${owner.name} to allowProviders, or list a model of ${provider.name}.`,
  };
}

/**
 * Resolves the models that a policy names to targets, and reports those that do not exist, can never be used, or cannot do the job. A list
 * may hold models of several providers, each for its own traffic: only a model that no traffic can use is a mistake.
 */
export class Targets {
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #catalog: Catalog;
  readonly #reporter: Reporter;
  readonly #used = new Set<string>();
  /** Used, but only by traffic that does not ask for the models that the target is meant for. */
  readonly #usedAside = new Set<string>();
  /** Used, but only by traffic that the section has no candidates for. */
  readonly #usedIdle = new Set<string>();
  readonly #unused = new Map<string, Unused>();

  constructor(providers: ReadonlyMap<string, Provider>, catalog: Catalog, reporter: Reporter) {
    this.#providers = providers;
    this.#catalog = catalog;
    this.#reporter = reporter;
  }

  /** Resolves `model` or `provider/model`. Null if this provider's traffic cannot use it, or it does not exist. */
  resolve(text: string, place: Place, path: readonly PropertyKey[], reach: Reach): TargetRef | null {
    const target = this.#find(text, reach.provider);
    if (target === null) {
      this.#unknown(text, place, path);
      return null;
    }
    const key = this.#key(place, path);
    const aside = this.isAside(reach);
    const idle = reach.idle === true && reach.asked === undefined;
    const barrier = barrierTo(text, this.#providers.get(target.provider)!, reach, aside);
    if (barrier !== null) {
      this.#leave(key, { place, path, aside, idle, ...barrier });
      return null;
    }
    (aside ? this.#usedAside : idle ? this.#usedIdle : this.#used).add(key);
    return target;
  }

  /** Reports a name that neither the catalog nor the providers know. */
  #unknown(text: string, place: Place, path: readonly PropertyKey[]): void {
    const slash = text.indexOf('/');
    const named = slash === -1 ? undefined : this.#providers.get(text.slice(0, slash));
    const prefix = named === undefined && slash > 0 ? text.slice(0, slash) : null;
    if (prefix !== null && !this.known(text)) {
      const [likely] = nearest(prefix, this.#providers.keys(), 1);
      const message = `there is no provider ${prefix}, and the catalog knows no model ${text}`;
      const fix =
        likely === undefined
          ? `Add ${prefix} under providers; known: ${[...this.#providers.keys()].join(', ')}.`
          : `Did you mean ${likely}${text.slice(slash)}?`;
      this.#reporter.say('error', 'unknown-model', place, path, message, fix);
      return;
    }
    const owners = named === undefined ? [...this.#providers.values()] : [named];
    const models = owners.flatMap(({ catalogProvider }) => this.#catalog.models(catalogProvider).map((entry) => entry.model));
    const wanted = named === undefined ? text : text.slice(slash + 1);
    const fix = didYouMean(wanted, new Set(models), 'Add it under catalog.overrides, or see `sluice catalog show`.');
    this.#reporter.say('error', 'unknown-model', place, path, `the catalog knows no model ${text}`, fix);
  }

  /** Whether a target is meant for models that only other providers have: this traffic does not ask for them. */
  isAside({ provider, asked }: Reach): boolean {
    return (
      (asked ?? []).length > 0 && asked!.every((model) => this.known(model) && this.entry({ provider: provider.name, model }) === null)
    );
  }

  /** Reports that a model is not known to take what the requests for it carry: its rule then does nothing. */
  checkModality(kinds: readonly (keyof typeof needed)[], target: TargetRef, place: Place, path: readonly PropertyKey[]): void {
    for (const kind of kinds) {
      const ability = needed[kind];
      const entry = this.entry(target);
      if (ability === null || entry === null || !answersPrompts(entry) || entry.capabilities[ability] === true) continue;
      this.#reporter.say(
        'warning',
        'capability',
        place,
        path,
        `${target.model} is not known to have ${ability}, which requests with ${kind} need: they do not go to it`,
        'Name a model that has it, or state it under catalog.overrides.',
      );
    }
  }

  /** Reports problems of a single candidate. */
  checkCandidate(target: TargetRef, place: Place, path: readonly PropertyKey[]): void {
    const entry = this.entry(target);
    if (entry === null) return;
    if (!answersPrompts(entry)) {
      this.#reporter.say(
        'error',
        'capability',
        place,
        path,
        `${target.model} does not answer prompts (it is for ${entry.mode === 'embedding' ? 'embeddings' : 'other work'})`,
        'List a chat model.',
      );
      return;
    }
    if (entry.prices.input === null || entry.prices.output === null) {
      this.#reporter.say(
        'warning',
        'unknown-price',
        place,
        path,
        `the catalog has no price for ${target.model}, so it can never be the cheapest`,
        'Add its price under catalog.overrides.',
      );
    }
    if (entry.contextWindow === null) {
      this.#reporter.say(
        'warning',
        'capability',
        place,
        path,
        `the catalog does not say how long a prompt ${target.model} takes, so it is never used`,
        'Add contextWindow under catalog.overrides.',
      );
    }
  }

  /** Reports what a tier's candidates cannot do: all of them, or single ones, which requests that need it will skip. */
  checkTier(tier: Tier, targets: readonly TargetRef[], place: Place): void {
    const entries = targets.map((target) => this.entry(target));
    for (const capability of watched) {
      const lacking = targets.filter((_, at) => entries[at]?.capabilities[capability] !== true);
      if (lacking.length === 0) continue;
      if (lacking.length === targets.length) {
        const then = tier === 'complex' ? 'keep the model that was asked for' : 'go to a higher tier';
        this.#reporter.say(
          'warning',
          'capability',
          place,
          [tier],
          `no candidate of ${tier} is known to have ${capability}; requests that need it ${then}`,
          'Add one that has it, or state it under catalog.overrides.',
        );
        continue;
      }
      for (const { provider, model } of lacking) {
        this.#reporter.say(
          'warning',
          'capability',
          place,
          [tier],
          `${provider}/${model} is not known to have ${capability}; requests that need it skip this candidate`,
          'That is fine if it is meant; otherwise state it under catalog.overrides.',
        );
      }
    }
  }

  /** Reports parameters that some of a tier's candidates accept and others refuse: requests with them have fewer candidates. */
  checkParameters(tier: Tier, targets: readonly TargetRef[], place: Place): void {
    const models = targets.flatMap((target) => {
      const provider = this.#providers.get(target.provider);
      const table = provider === undefined ? null : tableOf(provider.family);
      return provider === undefined || table === null
        ? []
        : [{ target, table, asked: askedModel(provider.catalogProvider, provider.deployments.get(target.model) ?? target.model) }];
    });
    for (const { target, table, asked } of models) {
      const refused = differences(
        table,
        asked,
        models.filter((other) => other.table === table && other.target !== target).map((other) => other.asked),
      );
      if (refused.length === 0) continue;
      const names = `${refused.slice(0, mostNamed).join(', ')}${refused.length > mostNamed ? ` and ${refused.length - mostNamed} more` : ''}`;
      this.#reporter.say(
        'warning',
        'parameters',
        place,
        [tier],
        `${target.provider}/${target.model} refuses ${names}, which another candidate of ${tier} takes; requests that say so skip this candidate`,
        'That is fine if it is meant; docs/parameters.md has the table.',
      );
    }
  }

  entry(target: TargetRef): ModelEntry | null {
    const provider = this.#providers.get(target.provider);
    if (provider === undefined) return null;
    return this.#catalog.lookup(provider.catalogProvider, provider.deployments.get(target.model) ?? target.model);
  }

  /** Whether any provider's model has this name. */
  known(model: string): boolean {
    return [...this.#providers.values()].some((provider) => this.entry({ provider: provider.name, model }) !== null);
  }

  /** Call after all sections are compiled: reports models that no traffic can use, or none that asks for what they are meant for. */
  finish(): void {
    for (const [key, { place, path, code, message, fix, aside, idle }] of this.#unused) {
      if (this.#used.has(key) || (aside && this.#usedAside.has(key)) || (idle && this.#usedIdle.has(key))) continue;
      const some = this.#usedAside.has(key) || this.#usedIdle.has(key);
      this.#reporter.say(
        some ? 'warning' : 'error',
        code,
        place,
        path,
        this.#usedIdle.has(key) ? message.replace(anyTraffic, routedTraffic) : message,
        fix,
      );
    }
  }

  /** Finds the model of the stated provider, or else of the traffic's own, or else of the first provider that has it. */
  #find(text: string, provider: Provider): TargetRef | null {
    const slash = text.indexOf('/');
    const named = slash === -1 ? undefined : this.#providers.get(text.slice(0, slash));
    const tries = named === undefined ? [provider, ...this.#providers.values()] : [named, provider];
    for (const owner of tries) {
      const target = { provider: owner.name, model: owner === named ? text.slice(slash + 1) : text };
      if (this.entry(target) !== null) return target;
    }
    return null;
  }

  #leave(key: string, unused: Unused): void {
    const before = this.#unused.get(key);
    // If some traffic speaks the model's API, only a permission is missing.
    if (
      before === undefined ||
      (before.aside && !unused.aside) ||
      (before.idle && !unused.idle) ||
      (before.aside === unused.aside && before.idle === unused.idle && unused.code === 'cross-provider' && before.code === 'dialect')
    )
      this.#unused.set(key, unused);
  }

  #key(place: Place, path: readonly PropertyKey[]): string {
    return [place.source.file.name, ...place.base, ...path].join('\n');
  }
}

function answersPrompts({ mode }: ModelEntry): boolean {
  return mode !== 'embedding' && mode !== 'other';
}
