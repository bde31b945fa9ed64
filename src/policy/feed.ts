import type { Catalog } from '../catalog/types.ts';
import type { LivePolicyStore, PolicySnapshot, PolicySourceState, Problem } from './types.ts';

/** The common part of all policy stores: the active generation, the last refusal, and the listeners for both. */
export abstract class PolicyFeed implements LivePolicyStore {
  /** Set by the constructor of each store. */
  protected inForce!: PolicySnapshot;
  /** If this run started with the kept policy of an earlier run: when that was saved (ISO 8601); null if the source provided one. */
  keptSince: string | null = null;
  protected refusal: { readonly at: number; readonly problems: readonly Problem[] } | null = null;
  readonly #changed = new Set<(generation: PolicySnapshot) => void>();
  readonly #refused = new Set<(problems: readonly Problem[]) => void>();

  current(): PolicySnapshot {
    return this.inForce;
  }

  lastRefusal(): { readonly at: number; readonly problems: readonly Problem[] } | null {
    return this.refusal;
  }

  onChange(listener: (generation: PolicySnapshot) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  onRefusal(listener: (problems: readonly Problem[]) => void): () => void {
    this.#refused.add(listener);
    return () => this.#refused.delete(listener);
  }

  /** Whether the source has no policy: requests then pass unchanged. */
  get none(): boolean {
    return false;
  }

  sources(): readonly PolicySourceState[] {
    return [];
  }

  abstract setCatalog(catalog: Catalog): void;
  abstract close(): Promise<void>;

  /** Activates a generation and notifies the listeners. */
  protected publish(generation: PolicySnapshot): void {
    this.inForce = generation;
    for (const listener of this.#changed) listener(generation);
  }

  /** Keeps the active generation, and notifies the listeners of the problems. */
  protected refuse(problems: readonly Problem[]): void {
    this.refusal = { at: Date.now(), problems };
    this.tell(problems);
  }

  /** Like `refuse`, but keeps the refusal's time if there are no new problems. Without any problem, the refusal is cleared. */
  protected refuseStanding(standing: readonly Problem[], news: readonly Problem[]): void {
    this.refusal =
      standing.length === 0 ? null : { at: news.length > 0 || this.refusal === null ? Date.now() : this.refusal.at, problems: standing };
    if (news.length > 0) this.tell(news);
  }

  protected tell(problems: readonly Problem[]): void {
    for (const listener of this.#refused) listener(problems);
  }
}
