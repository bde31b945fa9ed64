import type { Grade } from '../grades/types.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { position } from './assign.ts';
import { Comparison, type ArmName, type ComparedBy, type MetricFigures } from './comparison.ts';
import { defaultKeepMs, type RolloutPolicy } from '../policy/experiment-types.ts';

/** State changes of a policy. Closed list: a metric label. */
type RolloutEvent = 'began' | 'advanced' | 'promoted' | 'rolled-back';

/** Cause of a rollback. `asked`: requested by somebody. */
export type RollbackCause = ComparedBy | 'asked';

export interface RolloutChange {
  readonly event: RolloutEvent;
  /** Hash of the new policy. */
  readonly policy: string;
  /** Its share from now on. */
  readonly share: number;
  readonly cause: RollbackCause | null;
}

/** A policy that replaces another, as shown to people. */
export interface RolloutStatus {
  /** Hash of the policy in force; during a rollout, of the old one. */
  readonly stable: string;
  readonly candidate: {
    readonly policy: string;
    readonly stage: number;
    readonly stages: readonly number[];
    readonly share: number;
    readonly since: string;
    readonly answers: number;
    readonly figures: Readonly<Record<ComparedBy, MetricFigures>>;
  } | null;
  /** The previous policy, which `rollback` restores at once. */
  readonly kept: { readonly policy: string; readonly until: string } | null;
  /** Policies that were rolled back: they are not tried again until they are edited. */
  readonly rolledBack: readonly string[];
}

/** Evidence of harm at which a stage is prolonged: far from an alarm, but reason to observe longer. */
const worry = 4;

/** The experiment name of a rollout's arms in records. */
export const rolloutName = 'rollout';

/** State that survives a restart. */
export interface RolloutState {
  readonly stable: PolicySnapshot;
  readonly candidate: { readonly hash: string; readonly stage: number } | null;
  readonly kept: { readonly generation: PolicySnapshot; readonly until: number } | null;
  readonly rolledBack: readonly string[];
}

interface Candidate {
  generation: PolicySnapshot;
  readonly rollout: RolloutPolicy;
  stage: number;
  since: number;
  /** Answers of the new policy before this stage. */
  before: number;
  readonly comparison: Comparison;
}

/** Most edits remembered as rolled back. */
const mostRolledBack = 100;

/**
 * Decides which policy a request gets. A new policy with rollout settings gets a share of the requests, then larger ones, while tests look
 * for harm; it is rolled back automatically if they find any, and takes over after all stages.
 */
export class Rollout {
  readonly #tell: (change: RolloutChange) => void;
  readonly #now: () => number;
  #stable: PolicySnapshot;
  #candidate: Candidate | null = null;
  #kept: { generation: PolicySnapshot; until: number } | null = null;
  readonly #rolledBack = new Set<string>();

  constructor(state: RolloutState, tell: (change: RolloutChange) => void, now: () => number = Date.now) {
    this.#stable = state.stable;
    this.#kept = state.kept === null ? null : { ...state.kept };
    for (const hash of state.rolledBack) this.#rolledBack.add(hash);
    this.#tell = tell;
    this.#now = now;
  }

  /** The policy for all requests outside the rollout's share. */
  get stable(): PolicySnapshot {
    return this.#stable;
  }

  get candidate(): PolicySnapshot | null {
    return this.#candidate?.generation ?? null;
  }

  state(): RolloutState {
    const candidate = this.#candidate;
    return {
      stable: this.#stable,
      candidate: candidate === null ? null : { hash: candidate.generation.hash, stage: candidate.stage },
      kept: this.#kept,
      rolledBack: [...this.#rolledBack],
    };
  }

  /** Takes the newest valid edit. `stage`: its stage before a restart. */
  take(generation: PolicySnapshot, stage = 0): void {
    const { hash, rollout } = generation;
    if (hash === this.#stable.hash) {
      // The same text with other prices, or a reverted edit.
      this.#stable = generation;
      this.#candidate = null;
      return;
    }
    if (this.#candidate?.generation.hash === hash) {
      this.#candidate.generation = generation;
      return;
    }
    if (this.#rolledBack.has(hash)) {
      this.#candidate = null;
      return;
    }
    if (rollout === null) {
      this.#candidate = null;
      this.#replace(generation, null);
      return;
    }
    const comparison = new Comparison(rollout);
    this.#candidate = { generation, rollout, stage: Math.min(stage, rollout.stages.length - 1), since: this.#now(), before: 0, comparison };
    this.#begin('began');
  }

  /** Replaces the policy in force by the same one compiled with other prices. */
  refresh(generation: PolicySnapshot): void {
    if (generation.hash === this.#stable.hash) this.#stable = generation;
  }

  /** The policy of a request and its arm; null if no policy is rolling out. */
  choose(unit: (by: RolloutPolicy['by']) => string): { readonly generation: PolicySnapshot; readonly arm: ArmName } | null {
    const candidate = this.#candidate;
    if (candidate === null) return null;
    const { rollout, generation } = candidate;
    const treated = position(`${rolloutName}\0${generation.hash}`, unit(rollout.by)) < this.#share(candidate);
    return treated ? { generation, arm: 'treatment' } : { generation: this.#stable, arm: 'control' };
  }

  record(arm: ArmName, record: ExchangeRecord): void {
    const candidate = this.#candidate;
    // Decisions of a third policy are not part of this comparison.
    if (candidate === null || record.policy.hash !== this.#hashOf(candidate, arm)) return;
    candidate.comparison.record(arm, record);
    this.#judge(candidate);
  }

  /** `policy`: hash of the policy that decided. */
  grade(arm: ArmName, policy: string, grade: Grade): void {
    const candidate = this.#candidate;
    if (candidate === null || policy !== this.#hashOf(candidate, arm)) return;
    candidate.comparison.grade(arm, grade);
    this.#judge(candidate);
  }

  /** Rolls back at once: ends the rollout, or restores the previous policy. False if there is nothing to roll back to. */
  rollback(cause: RollbackCause): boolean {
    const candidate = this.#candidate;
    if (candidate !== null) {
      this.#candidate = null;
      this.#forbid(candidate.generation.hash);
      this.#tell({ event: 'rolled-back', policy: candidate.generation.hash, share: 0, cause });
      return true;
    }
    const kept = this.#alive();
    if (kept === null) return false;
    const { hash } = this.#stable;
    this.#stable = kept.generation;
    this.#kept = null;
    this.#forbid(hash);
    this.#tell({ event: 'rolled-back', policy: hash, share: 0, cause });
    return true;
  }

  /** Another server has rolled this policy back: it ends here too. */
  withdraw(policy: string): void {
    if (this.#rolledBack.has(policy)) return;
    const candidate = this.#candidate;
    const isHere = candidate === null ? this.#stable.hash === policy : candidate.generation.hash === policy;
    if (!isHere || !this.rollback('asked')) this.#forbid(policy);
  }

  /** Begins with another state than this one, as at a start. */
  restore({ stable, kept, rolledBack }: Omit<RolloutState, 'candidate'>): void {
    this.#candidate = null;
    this.settle(stable, kept);
    for (const hash of rolledBack) this.#forbid(hash);
  }

  /** Replaces the policies that an edit came after, as other servers know them. */
  settle(stable: PolicySnapshot, kept: RolloutState['kept']): void {
    this.#stable = stable;
    this.#kept = kept === null ? null : { ...kept };
  }

  /** Another server has taken this policy to a later stage: use that stage. */
  follow(policy: string, stage: number): void {
    const candidate = this.#candidate;
    if (candidate === null || candidate.generation.hash !== policy || stage <= candidate.stage || stage >= candidate.rollout.stages.length)
      return;
    this.#enter(candidate, stage);
  }

  /** Completes the rollout at once, whatever the tests show. False if no policy is rolling out. */
  promote(): boolean {
    const candidate = this.#candidate;
    if (candidate === null) return false;
    this.#candidate = null;
    this.#replace(candidate.generation, candidate.rollout);
    this.#tell({ event: 'promoted', policy: candidate.generation.hash, share: 1, cause: null });
    return true;
  }

  status(): RolloutStatus {
    const candidate = this.#candidate;
    const kept = this.#alive();
    return {
      stable: this.#stable.hash,
      candidate:
        candidate === null
          ? null
          : {
              policy: candidate.generation.hash,
              stage: candidate.stage + 1,
              stages: candidate.rollout.stages,
              share: this.#share(candidate),
              since: new Date(candidate.since).toISOString(),
              answers: candidate.comparison.seen('treatment') - candidate.before,
              figures: candidate.comparison.figures(),
            },
      kept: kept === null ? null : { policy: kept.generation.hash, until: new Date(kept.until).toISOString() },
      rolledBack: [...this.#rolledBack],
    };
  }

  #judge(candidate: Candidate): void {
    const { comparison, rollout } = candidate;
    const { harm } = comparison;
    if (harm !== null) {
      this.rollback(harm);
      return;
    }
    if (
      comparison.seen('treatment') - candidate.before < rollout.requests ||
      this.#now() - candidate.since < rollout.stageMs ||
      comparison.worst >= worry
    )
      return;
    if (candidate.stage + 1 >= rollout.stages.length) {
      this.promote();
      return;
    }
    this.#enter(candidate, candidate.stage + 1);
  }

  #enter(candidate: Candidate, stage: number): void {
    candidate.stage = stage;
    candidate.since = this.#now();
    candidate.before = candidate.comparison.seen('treatment');
    this.#begin('advanced');
  }

  #begin(event: 'began' | 'advanced'): void {
    const candidate = this.#candidate;
    if (candidate === null) return;
    const share = this.#share(candidate);
    candidate.comparison.share(share);
    this.#tell({ event, policy: candidate.generation.hash, share, cause: null });
  }

  #share({ rollout, stage }: Candidate): number {
    return rollout.stages[stage] ?? 1;
  }

  #hashOf(candidate: Candidate, arm: ArmName): string {
    return arm === 'treatment' ? candidate.generation.hash : this.#stable.hash;
  }

  #replace(generation: PolicySnapshot, rollout: RolloutPolicy | null): void {
    this.#kept = { generation: this.#stable, until: this.#now() + (rollout?.keepMs ?? defaultKeepMs) };
    this.#stable = generation;
  }

  #alive(): { readonly generation: PolicySnapshot; readonly until: number } | null {
    if (this.#kept !== null && this.#kept.until <= this.#now()) this.#kept = null;
    return this.#kept;
  }

  #forbid(hash: string): void {
    this.#rolledBack.add(hash);
    if (this.#rolledBack.size > mostRolledBack) {
      const oldest = this.#rolledBack.values().next();
      if (oldest.done !== true) this.#rolledBack.delete(oldest.value);
    }
  }
}
