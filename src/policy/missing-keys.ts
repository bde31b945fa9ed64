import { counted } from '../lib/counted.ts';
import type { Place, Reporter } from './reporter.ts';
import type { TargetRef } from './types.ts';

interface Missing {
  readonly place: Place;
  readonly path: readonly PropertyKey[];
  /** Whose requests would go there. */
  readonly traffic: Set<string>;
  readonly models: Set<string>;
}

/** Collects targets of other providers for which there is no key, and warns once for each provider, where it is first named. */
export class MissingKeys {
  readonly #missing = new Map<string, Missing>();

  /** `traffic`: the provider whose requests cannot go to the target. */
  note(place: Place, path: readonly PropertyKey[], { provider, model }: TargetRef, traffic: string): void {
    const found = this.#missing.get(provider) ?? { place, path, traffic: new Set(), models: new Set() };
    this.#missing.set(provider, found);
    found.traffic.add(traffic);
    found.models.add(model);
  }

  finish(reporter: Reporter): void {
    for (const [provider, { place, path, traffic, models }] of this.#missing) {
      const [first, ...more] = models;
      const others = more.length === 0 ? '' : ` and ${counted(more.length, 'other model')} of it`;
      reporter.say(
        'warning',
        'no-credential',
        place,
        path,
        `requests for ${[...traffic].join(', ')} cannot go to ${provider}/${first ?? ''}${others}: the gateway has no key for ${provider}`,
        `Set providers.${provider}.credentialFile.`,
      );
    }
  }
}
