import { performance } from 'node:perf_hooks';
import type { Answer } from '../apis/types.ts';
import type { GradeBook } from '../grades/book.ts';
import { AnswerCopy, checkEnding, checkWhole, viewOf, type QualityCheck } from '../grades/checks.ts';
import { Judge } from '../grades/judge.ts';
import { questionKey, regenerateScore, RegenerateWatch } from '../grades/regenerate.ts';
import type { PolicyGeneration } from '../policy/types.ts';
import type { OutcomeKind } from '../record/types.ts';
import type { Decision } from '../route/types.ts';
import type { ReadRequest } from './context.ts';
import type { OpenGrading } from './open.ts';

export interface Grading {
  readonly book: GradeBook;
  readonly judge: Judge;
}

/** Grades answers without being asked: their form, questions that come again, and the draw for the judge. */
export class Grader {
  readonly #grading: Grading;
  readonly #regenerates = new RegenerateWatch();

  constructor(grading: Grading) {
    this.#grading = grading;
  }

  /** What to keep of a request that was decided. Null: its answer is none that a model could do well or badly. */
  begin({ context, exchange, body }: ReadRequest, decision: Decision | null): OpenGrading | null {
    const { id, section, caller, masked } = context;
    if (exchange.operation !== 'generate' || decision?.action === 'block') return null;
    const { maxOutputTokens } = exchange;
    const { grading } = section;
    // An answer with originals in it is kept nowhere.
    if (grading === null || (masked !== null && masked.restored.size > 0)) return { maxOutputTokens, copy: null, judge: null };
    if (grading.regenerate && !exchange.lastIsToolResult) {
      const before = this.#regenerates.asks(questionKey(caller.workspace, exchange), id, performance.now());
      if (before !== null) this.#grading.book.own(before, regenerateScore, 'regenerate');
    }
    // What a pattern calls sensitive is shown to nobody else.
    const judged =
      grading.judge !== null &&
      decision !== null &&
      decision.reason !== 'sensitivity' &&
      (decision.learning?.why === 'probe' || Judge.draws(id, grading.judge.share));
    const wanted = judged || (grading.checks && (exchange.jsonOutput !== 'none' || exchange.tools > 0));
    return {
      maxOutputTokens,
      copy: wanted ? new AnswerCopy(exchange, body) : null,
      judge: judged && grading.judge !== null ? { policy: grading.judge, prompt: Judge.prompt(exchange) } : null,
    };
  }

  /** What to keep of a copy of a request: its answer is looked into in any case. Drawn for the judge when the original is. */
  shadow({ context: { id, section }, exchange, body }: ReadRequest): OpenGrading & { readonly copy: AnswerCopy } {
    const policy = section.grading?.judge ?? null;
    const judged = policy !== null && Judge.draws(id, policy.share);
    return {
      maxOutputTokens: exchange.maxOutputTokens,
      copy: new AnswerCopy(exchange, body),
      judge: judged && policy !== null ? { policy, prompt: Judge.prompt(exchange) } : null,
    };
  }

  /** Grades the form of an answer that has ended, and hands it to the judge if it was drawn. Null: it was no whole answer. */
  end(
    id: string,
    open: OpenGrading,
    generation: PolicyGeneration,
    ending: { readonly outcome: OutcomeKind; readonly status: number | null; readonly answer: Answer | null },
  ): QualityCheck | null {
    const { outcome, status, answer } = ending;
    const good = outcome === 'complete' && status === 200 && answer !== null;
    this.#regenerates.answered(id, good, performance.now());
    if (!good) {
      open.copy?.drop();
      return null;
    }
    const whole = open.copy?.take(answer.usage) ?? null;
    if (whole !== null && open.judge !== null) {
      const view = viewOf(whole);
      if (view !== null) this.#grading.judge.offer(id, open.judge.policy, generation, open.judge.prompt, view);
    }
    return (whole === null ? null : checkWhole(whole)) ?? checkEnding(answer.finishReason, open.maxOutputTokens);
  }
}
