import type { Provider } from '../policy/types.ts';
import { chainHost, clusterName, hostListener } from './names.ts';
import type { ChainStyle } from './versions.ts';

export interface RolloutOptions {
  /** Envoy's admin: `host:port`. */
  readonly admin: string;
  readonly chains: ChainStyle;
  /** Clusters of providers that have left the policy may go now. */
  readonly onRetired: () => void;
}

/** Time between two looks at Envoy while a provider is awaited, in ms. */
const lookMs = 50;
/** Longest wait for an answer of Envoy's admin, in ms. */
const callMs = 2_000;
/** An Envoy whose admin cannot be asked for so long is taken to have what was written, in ms. */
const blindMs = 10_000;
/** How long the clusters of a provider that left the policy stay for the requests that are on their way, in ms. */
const retireMs = 5 * 60_000;

/**
 * Envoy takes a policy's providers a moment later than Sluice. Until it shows a new provider's clusters nothing is sent there, and those of a provider
 * that has left the policy stay while requests are on their way that may still fall back to it.
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

  /** Whether Envoy can send there. */
  has(provider: string): boolean {
    return !this.#awaited.has(provider);
  }

  /** Providers whose clusters stay although the policy has them no more. */
  get retired(): readonly Provider[] {
    return [...this.#retired.values()];
  }

  /** The policy has other providers from now on. */
  change(providers: ReadonlyMap<string, Provider>): void {
    const before = this.#providers;
    this.#providers = providers;
    // What was there at the start is in the files that Envoy starts from.
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

  /** What Envoy has by its own account; null: it does not say. */
  async #shown(): Promise<((provider: string) => boolean) | null> {
    const byHosts = this.#options.chains === 'hosts';
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
        return this.#options.chains === 'none' || (['gate', 'next', 'stream'] as const).every((role) => has(clusterName(name, role)));
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
