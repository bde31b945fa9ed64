import { limits } from '../lib/limits.ts';
import { isoTime } from '../lib/iso-time.ts';
import { Newest } from '../lib/newest.ts';
import type { ExchangeRecord, RecordSink } from '../record/types.ts';
import type { Grade, GradedDecision, GradeSink, GradeSource } from './types.ts';
import type { Mutable } from '../lib/mutable.ts';

/** The result of submitting a grade. Closed list: a metric label. */
export type GradeResult = 'accepted' | 'unknown';

interface Entry {
  readonly about: GradedDecision;
  grades: readonly Grade[];
}

export interface GradeBookOptions {
  /** Finds decisions that are no longer in memory; null without a ledger. */
  readonly find: ((id: string) => Promise<ExchangeRecord | null>) | null;
  readonly sinks: readonly GradeSink[];
  readonly onError: (error: unknown) => void;
}

/**
 * The decisions that may still be graded, bounded, and their grades. A decision is added when its exchange is over; older ones are looked
 * up in the ledger. One grade per source: a later one replaces the earlier.
 */
export class GradeBook implements RecordSink {
  readonly #options: GradeBookOptions;
  readonly #entries = new Newest<Entry>(limits.gradedDecisions);

  constructor(options: GradeBookOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  record(record: ExchangeRecord): void {
    const about = gradable(record);
    if (about === null) return;
    this.#remember(about);
    if (record.quality !== null) this.#take(record.id, record.quality.score, 'checks');
    for (let at = 0; at < record.attempts.length - 1; at++) {
      const { reason, target } = record.attempts[at]!;
      // The final answer came from another model, because this one's was not good enough.
      if (reason !== null && answerFaults.has(reason))
        this.#tell({ decision: record.id, time: new Date().toISOString(), score: 0, source: 'escalation' }, { ...about, ...target });
    }
  }

  /** `workspace`: only grade decisions of this one; null for any. */
  async grade(id: string, score: number, source: GradeSource, workspace: string | null): Promise<GradeResult> {
    if (!this.#entries.has(id)) {
      const record = (await this.#options.find?.(id)) ?? null;
      const about = record === null || record.id !== id ? null : gradable(record);
      if (about === null) return 'unknown';
      this.#remember(about);
    }
    const { about } = this.#entries.get(id)!;
    if (workspace !== null && workspace !== about.workspace) return 'unknown';
    return this.#take(id, score, source);
  }

  /** Adds a grade by Sluice itself; ignored if the decision is no longer in memory. `against`: the score of the stronger model's answer. */
  own(id: string, score: number, source: GradeSource, against?: number): void {
    if (this.#entries.has(id)) this.#take(id, score, source, against);
  }

  grades(id: string): readonly Grade[] {
    return this.#entries.get(id)?.grades ?? [];
  }

  #remember(about: GradedDecision): void {
    this.#entries.set(about.id, { about, grades: [] });
  }

  #take(id: string, score: number, source: GradeSource, against?: number): GradeResult {
    const entry = this.#entries.get(id);
    if (entry === undefined) return 'unknown';
    const grade: Mutable<Grade> = { decision: id, time: isoTime(Date.now()), score, source };
    if (against !== undefined) grade.against = against;
    // A source's newer grade replaces its older one; most answers have one grade, from the checks.
    entry.grades = entry.grades.length === 0 ? [grade] : [...entry.grades.filter((other) => other.source !== source), grade];
    this.#tell(grade, entry.about);
    return 'accepted';
  }

  #tell(grade: Grade, about: GradedDecision): void {
    const { sinks } = this.#options;
    for (let at = 0; at < sinks.length; at++) {
      try {
        sinks[at]!.observe(grade, about);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }
}

/** The newest grade of each source, in the order of their first grades. */
export function newestBySource(grades: readonly Grade[]): readonly Grade[] {
  const bySource = new Map<GradeSource, Grade>();
  for (const grade of grades) {
    const before = bySource.get(grade.source);
    if (before === undefined || before.time <= grade.time) bySource.set(grade.source, grade);
  }
  return [...bySource.values()];
}

/** Fallback reasons that are faults of the answer. */
const answerFaults: ReadonlySet<string> = new Set(['refusal', 'empty', 'length', 'invalid-json', 'bad-tool-call']);

/** The decision that a grade of this exchange is about; null if no model answered it here. */
function gradable(record: ExchangeRecord): GradedDecision | null {
  const { decision } = record;
  const target = record.attempts.at(-1)?.target;
  const tier = decision?.tier ?? (record.kind === 'shadow' ? record.verdict?.tier : undefined);
  if (tier === undefined || target === undefined || record.operation !== 'generate') return null;
  return {
    id: record.id,
    workspace: record.workspace,
    tier,
    provider: target.provider,
    model: target.model,
    requestedProvider: decision?.requested.provider ?? target.provider,
    requestedModel: decision?.requested.model ?? target.model,
    policy: record.policy.hash,
    arm: record.arm,
    session: decision?.session?.key ?? null,
    learning: decision?.learning ?? null,
  };
}
