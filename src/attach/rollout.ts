import type { Provider } from '../policy/types.ts';
import { chainHost, clusterName, hostListener } from './names.ts';
import type { EnvoyAbilities } from './abilities.ts';

export interface RolloutOptions {
  /** Envoy's admin: `host:port`. */
  readonly admin: string;
  readonly abilities: EnvoyAbilities;
  /** Called when clusters of providers that have left the policy may be removed. */
  readonly onRetired: () => void;
}

/** Interval between checks of Envoy while waiting for a provider, in ms. */
const lookMs = 50;
/** Time-out of a call to Envoy's admin, in ms. */
const callMs = 2_000;
/** If Envoy's admin is unreachable for this long, the written config is assumed to be loaded, in ms. */
const blindMs = 10_000;
/** How long the clusters of a provider that left the policy are kept for requests in flight, in ms. */
const retireMs = 5 * 60_000;

/**
 * Envoy loads a policy's providers a moment later than Sluice. Nothing is sent to a new provider until Envoy shows its clusters, and those
 * of a provider that has left the policy are kept while requests in flight may still fall back to it.
 */
export class Rollout {
  readonly #options: RolloutOptions;
  #providers: ReadonlyMap<string, Provider> | null = null;
  readonly #awaited = new Map<string, number>();
  readonly #retired = new Map<string, Provider>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #looking = false;
  #closed = false;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  /** Whether Envoy can send requests to the provider. */
  has(provider: string): boolean {
    return !this.#awaited.has(provider);
  }

  /** Providers no longer in the policy whose clusters are kept. */
  get retired(): readonly Provider[] {
    return [...this.#retired.values()];
  }

  /** Sets the providers of a new policy. */
  change(providers: ReadonlyMap<string, Provider>): void {
    const before = this.#providers;
    this.#providers = providers;
    // The initial providers are in the files that Envoy starts with.
    if (before === null) return;
    for (const name of providers.keys()) {
      if (this.#retired.delete(name) || before.has(name)) continue;
      this.#awaited.set(name, performance.now());
    }
    for (const [name, provider] of before) if (!providers.has(name)) this.#retire(name, provider);
    if (this.#awaited.size > 0) void this.#look();
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #retire(name: string, provider: Provider): void {
    this.#awaited.delete(name);
    this.#retired.set(name, provider);
    this.#later(retireMs, () => {
      if (this.#retired.get(name) === provider && this.#retired.delete(name)) this.#options.onRetired();
    });
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const shown = await this.#shown();
    this.#looking = false;
    const now = performance.now();
    for (const [name, since] of this.#awaited) if (shown === null ? now - since > blindMs : shown(name)) this.#awaited.delete(name);
    if (this.#awaited.size > 0 && !this.#closed) this.#later(lookMs, () => void this.#look());
  }

  /** The clusters that Envoy reports; null if it does not answer. */
  async #shown(): Promise<((provider: string) => boolean) | null> {
    const byHosts = this.#options.abilities.attemptEndpoints;
    try {
      const [clusters, routes, listeners] = await Promise.all([
        this.#get('/clusters'),
        this.#get('/config_dump?resource=dynamic_route_configs'),
        byHosts ? this.#get('/listeners') : '',
      ]);
      const has = (cluster: string): boolean => clusters.includes(`\n${cluster}::`) || clusters.startsWith(`${cluster}::`);
      return (name) => {
        if (!has(clusterName(name)) || !routes.includes(`"${clusterName(name)}"`)) return false;
        if (byHosts) return clusters.includes(`::${chainHost(name)}::`) && listeners.includes(`${hostListener(name)}::`);
        return (
          !this.#options.abilities.attemptClusters || (['gate', 'next', 'stream'] as const).every((role) => has(clusterName(name, role)))
        );
      };
    } catch {
      return null;
    }
  }

  async #get(path: string): Promise<string> {
    const response = await fetch(`http://${this.#options.admin}${path}`, { signal: AbortSignal.timeout(callMs) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.text();
  }

  #later(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }
}
