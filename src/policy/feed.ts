import type { Catalog } from '../catalog/types.ts';
import type { LivePolicyStore, PolicyGeneration, PolicySourceState, Problem } from './types.ts';

/** What every policy store does alike: the generation in force, the last refusal, and who is told of either. */
export abstract class PolicyFeed implements LivePolicyStore {
  /** Set by the constructor of each store. */
  protected inForce!: PolicyGeneration;
  /** When the policy of an earlier run, with which this one began, was kept (ISO 8601); null: its source gave one. */
  keptSince: string | null = null;
  protected refusal: { readonly at: number; readonly problems: readonly Problem[] } | null = null;
  readonly #changed = new Set<(generation: PolicyGeneration) => void>();
  readonly #refused = new Set<(problems: readonly Problem[]) => void>();

  current(): PolicyGeneration {
    return this.inForce;
  }

  lastRefusal(): { readonly at: number; readonly problems: readonly Problem[] } | null {
    return this.refusal;
  }

  onChange(listener: (generation: PolicyGeneration) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  onRefusal(listener: (problems: readonly Problem[]) => void): () => void {
    this.#refused.add(listener);
    return () => this.#refused.delete(listener);
  }

  /** The source has no policy: requests pass as they came. */
  get none(): boolean {
    return false;
  }

  sources(): readonly PolicySourceState[] {
    return [];
  }

  abstract setCatalog(catalog: Catalog): void;
  abstract close(): Promise<void>;

  /** Puts a generation in force and tells of it. */
  protected publish(generation: PolicyGeneration): void {
    this.inForce = generation;
    for (const listener of this.#changed) listener(generation);
  }

  /** Keeps what is in force, and tells why. */
  protected refuse(problems: readonly Problem[]): void {
    this.refusal = { at: Date.now(), problems };
    this.tell(problems);
  }

  /** As `refuse`, keeping when the first of several standing refusals came. None standing: nothing is refused any more. */
  protected refuseStanding(standing: readonly Problem[], news: readonly Problem[]): void {
    this.refusal =
      standing.length === 0 ? null : { at: news.length > 0 || this.refusal === null ? Date.now() : this.refusal.at, problems: standing };
    if (news.length > 0) this.tell(news);
  }

  protected tell(problems: readonly Problem[]): void {
    for (const listener of this.#refused) listener(problems);
  }
}
