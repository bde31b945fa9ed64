import type { PolicySnapshot } from '../policy/types.ts';
import { joined, standingOf, type Agreed, type Edit } from './agreed.ts';
import { textOf, type PolicyText } from './policy-text.ts';
import type { Rollout, RolloutState } from './rollout.ts';

/** Where replicas keep what they know together. */
export interface SharedRollouts {
  /** What was read or written last; null until it was read. */
  readonly agreed: Agreed | null;
  /** Joins this with it, in the background: again until that is done, or until a newer call replaces it. */
  join(own: Agreed): void;
  /** Calls `listener` when it was read for the first time, and when others have written. */
  onChange(listener: () => void): () => void;
}

/** A policy by its hash, and its text if the others keep it. */
interface Wanted {
  readonly hash: string;
  readonly text: PolicyText | null;
}

/** What a replica changes to be where the others are. */
export interface Aim {
  readonly stable: Wanted;
  readonly stage: number;
  readonly kept: (Wanted & { readonly until: number }) | null;
}

/** One replica's part in what all know of the edits of the policy. */
export class Agreement {
  readonly #shared: SharedRollouts;
  /** Rolled back here, and not known to the others yet. */
  readonly #news = new Set<string>();
  #newest = '';
  /** The newest edit's. */
  #number = 0;
  #joins = false;
  /** A policy that is in force here only because the text of the right one was not to be had. */
  #makeshift: string | null = null;

  constructor(shared: SharedRollouts) {
    this.#shared = shared;
  }

  /** Whether this replica knows what the others know: before that it says nothing. */
  get joins(): boolean {
    return this.#joins;
  }

  /** A policy was rolled back here. */
  rolledBack(policy: string): void {
    if (this.#shared.agreed?.rolledBack.includes(policy) !== true) this.#news.add(policy);
  }

  /**
   * The state of the others for a replica that starts with the policy `newest`; null if there is none. `find`: a policy by its hash, from
   * this text or from elsewhere.
   */
  begin(
    newest: string,
    find: (hash: string, text: PolicyText | null) => PolicySnapshot | null,
  ): { readonly state: RolloutState; readonly stage: number } | null {
    const { agreed } = this.#shared;
    if (agreed === null) return null;
    this.#joins = true;
    this.#newest = newest;
    const [last] = agreed.edits;
    // An edit that came while nobody ran comes after those that are known.
    this.#number = last === undefined ? 1 : last.policy === newest ? last.number : last.number + 1;
    if (last === undefined) return null;
    const rolledBack = new Set([...agreed.rolledBack, ...this.#news]);
    const { stable, stage, kept } = standingOf(last, rolledBack);
    const foundOf = (hash: string): PolicySnapshot | null => {
      const found = find(hash, agreed.texts[hash] ?? null);
      return found?.hash === hash ? found : null;
    };
    const found = stable === null ? null : foundOf(stable);
    this.#makeshift = found === null ? newest : null;
    if (found === null) return null;
    const foundKept = kept === null ? null : foundOf(kept.policy);
    return {
      state: {
        stable: found,
        candidate: null,
        kept: kept === null || foundKept === null ? null : { generation: foundKept, until: kept.until },
        rolledBack: [...rolledBack],
      },
      stage: last.policy === newest ? (stage ?? 0) : 0,
    };
  }

  /** An edit came. */
  edited(policy: string): void {
    if (policy === this.#newest) return;
    this.#newest = policy;
    const edits = this.#shared.agreed?.edits ?? [];
    const there = edits.find((edit) => edit.policy === policy);
    // Others may have seen it before this replica did; an older number is of an earlier edit to the same text.
    this.#number = there !== undefined && there.number > this.#number ? there.number : Math.max(this.#number, edits[0]?.number ?? 0) + 1;
  }

  /** Brings a rollout where the others are. What only a policy's text can do is returned; null if there is nothing left to do. */
  take(rollout: Rollout): Aim | null {
    const { agreed } = this.#shared;
    if (!this.#joins || agreed === null) return null;
    for (const policy of agreed.rolledBack) {
      this.#news.delete(policy);
      rollout.withdraw(policy);
    }
    const there = agreed.edits.find(({ policy }) => policy === this.#newest);
    if (there === undefined || there.number < this.#number) return null;
    this.#number = there.number;
    const all = joined(agreed, this.#own(rollout));
    const edit = all.edits.find(({ policy }) => policy === this.#newest) ?? there;
    const { stable, stage, kept } = standingOf(edit, new Set(all.rolledBack));
    if (stable === this.#newest) rollout.promote();
    else if (stage !== null) rollout.follow(this.#newest, stage);
    const now = rollout.state();
    const textBy = (hash: string): PolicyText | null => all.texts[hash] ?? null;
    if (stable === null || (stable === now.stable.hash && (kept === null || kept.policy === now.kept?.generation.hash))) return null;
    return {
      stable: { hash: stable, text: textBy(stable) },
      stage: stage ?? 0,
      kept: kept === null ? null : { hash: kept.policy, text: textBy(kept.policy), until: kept.until },
    };
  }

  /** Tells the others. */
  tell(rollout: Rollout): void {
    if (this.#joins) this.#shared.join(this.#own(rollout));
  }

  #own(rollout: Rollout): Agreed {
    const { stable, kept } = rollout.state();
    const texts = [stable, ...(kept === null ? [] : [kept.generation])]
      .filter(({ hash }) => hash !== this.#makeshift)
      .map((generation) => [generation.hash, textOf(generation)] as const);
    return { version: 1, edits: [this.#edit(rollout.state())], rolledBack: [...this.#news], texts: Object.fromEntries(texts) };
  }

  #edit({ stable, candidate, kept }: RolloutState): Edit {
    const edit = { policy: this.#newest, number: this.#number, stage: candidate?.stage ?? 0, beforeUntil: null, kept: null };
    // What is in force here by accident says nothing of the others.
    if (stable.hash === this.#makeshift) return { ...edit, promoted: false, before: null };
    const earlier = kept === null || kept.generation.hash === this.#makeshift ? null : { policy: kept.generation.hash, until: kept.until };
    return stable.hash === this.#newest
      ? { ...edit, promoted: true, before: earlier?.policy ?? null, beforeUntil: earlier?.until ?? null }
      : { ...edit, promoted: false, before: stable.hash, kept: earlier };
  }
}
