import { performance } from 'node:perf_hooks';
import type { AnswerView } from '../apis/common/answer-view.ts';
import { limits } from '../lib/limits.ts';
import { agreement } from '../grades/agreement.ts';
import type { Side } from './open.ts';
import { PendingExchanges } from './pending.ts';

/** The result of verifying an answer. Closed list: a metric label. `unclear`: neither agreement nor a judge could decide. */
export type VerifyResult = 'agreement' | 'judge' | 'unclear' | 'unreadable';

/** Grades of both answers to one request, 0 to 1. */
export interface BothGrades {
  readonly served: number;
  readonly stronger: number;
}

/** Asks a judge for grades of both answers; false if there is no judge or it has no capacity. */
export type AskJudge = (served: AnswerView, stronger: AnswerView, done: (grades: BothGrades | null) => void) => boolean;

export interface VerifierOptions {
  /** Grades of the decision's own answer and of the stronger model's. */
  readonly onGrades: (decision: string, grades: BothGrades) => void;
  readonly onResult: (result: VerifyResult) => void;
}

interface Half {
  readonly side: Side;
  readonly view: AnswerView | null;
}

/**
 * Pairs the two answers to a verified request, in any order, and grades them: by agreement if they can be compared directly, otherwise by
 * a judge. Bounded.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #waiting: PendingExchanges<Half>;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#waiting = new PendingExchanges(() => this.#options.onResult('unreadable'), { max: limits.shadows, maxAgeMs: limits.shadowMs });
  }

  /** One side's answer is complete. `view`: null if it cannot be read. */
  answered(decision: string, side: Side, view: AnswerView | null, judge: AskJudge | null): void {
    const now = performance.now();
    this.#waiting.sweep(now);
    const before = this.#waiting.get(decision);
    if (before === undefined || before.side === side) {
      this.#waiting.add(decision, { side, view }, now);
      return;
    }
    this.#waiting.take(decision);
    const served = side === 'served' ? view : before.view;
    const stronger = side === 'stronger' ? view : before.view;
    // The decision's record is written after this call, and a grade must follow the record.
    setImmediate(() => this.#grade(decision, served, stronger, judge));
  }

  #grade(decision: string, served: AnswerView | null, stronger: AnswerView | null, judge: AskJudge | null): void {
    if (served === null || stronger === null) return this.#options.onResult('unreadable');
    const agreed = agreement(served, stronger);
    // The stronger model's answer is the reference, so it counts as good.
    if (agreed !== null) return this.#done(decision, { served: agreed, stronger: 1 }, 'agreement');
    const asked = judge?.(served, stronger, (grades) => this.#done(decision, grades, 'judge')) ?? false;
    if (!asked) this.#options.onResult('unclear');
  }

  #done(decision: string, grades: BothGrades | null, by: VerifyResult): void {
    this.#options.onResult(grades === null ? 'unclear' : by);
    if (grades !== null) this.#options.onGrades(decision, grades);
  }
}
