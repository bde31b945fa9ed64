import { limits } from '../lib/limits.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { anyModel } from '../route/cooldowns.ts';

export const other = 'other';
export const none = 'none';

/**
 * Maps values sent by apps to label values from bounded lists. Names in the catalog are bounded by it, but it may list thousands: the first
 * `limits.labelValues` seen get their own series.
 */
export class BoundedLabels {
  readonly #current: () => PolicySnapshot;
  readonly #max: number;
  readonly #models = new Set<string>();
  readonly #routed = new Set<string>();
  #workspaces: ReadonlySet<string> = new Set();
  #workspacesOf: readonly string[] | null = null;

  constructor(current: () => PolicySnapshot, max: number = limits.labelValues) {
    this.#current = current;
    this.#max = max;
  }

  /** `routed`: the model comes from the policy and not from a caller, so it is accepted even if the catalog lacks it. */
  model(provider: string | null, model: string | null, routed: boolean): string {
    if (model === null) return none;
    if (routed) return seen(this.#routed, model, this.#max);
    if (provider === null) return other;
    const { providers, catalog } = this.#current();
    const facts = providers.get(provider);
    if (facts === undefined) return other;
    const entry = catalog.lookup(facts.catalogProvider, facts.deployments.get(model) ?? model);
    return entry === null ? other : seen(this.#models, entry.model, this.#max);
  }

  /** A target whose name is of unknown origin: treated as the policy's if requests were routed to it before. */
  target(provider: string, model: string): string {
    // A whole provider whose key is invalid.
    return model === anyModel ? anyModel : this.model(provider, model, this.#routed.has(model));
  }

  provider(provider: string | null): string {
    if (provider === null) return none;
    return this.#current().providers.has(provider) ? provider : other;
  }

  workspace(workspace: string): string {
    const { workspaces } = this.#current();
    if (workspaces !== this.#workspacesOf) {
      this.#workspacesOf = workspaces;
      this.#workspaces = new Set(workspaces.slice(0, this.#max));
    }
    return this.#workspaces.has(workspace) ? workspace : other;
  }
}

function seen(values: Set<string>, value: string, max: number): string {
  if (values.has(value)) return value;
  if (values.size >= max) return other;
  values.add(value);
  return value;
}
