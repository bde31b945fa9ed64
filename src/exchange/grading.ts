import { performance } from 'node:perf_hooks';
import type { AnswerView } from '../apis/common/answer-view.ts';
import type { Answer } from '../apis/types.ts';
import { position } from '../experiments/assign.ts';
import type { GradeBook } from '../grades/book.ts';
import { AnswerCopy, checkEnding, checkWhole, viewOf, type QualityCheck } from '../grades/checks.ts';
import { Judge } from '../grades/judge.ts';
import { questionKey, regenerateScore, RegenerateWatch } from '../grades/regenerate.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { OutcomeKind } from '../record/types.ts';
import type { Decision } from '../route/types.ts';
import type { ReadRequest } from './context.ts';
import type { OpenGrading, VerifiedSide } from './open.ts';
import type { Verifier } from './verifier.ts';

export interface Grading {
  readonly book: GradeBook;
  readonly judge: Judge;
  readonly verifier: Verifier;
}

/** Grades answers automatically: by their form, by repeated questions, and by drawing some for the judge. */
export class Grader {
  readonly #grading: Grading;
  readonly #regenerates = new RegenerateWatch();

  constructor(grading: Grading) {
    this.#grading = grading;
  }

  /** What to keep of a decided request. Null when the response cannot be graded (for example embeddings). */
  begin({ context, exchange, body }: ReadRequest, decision: Decision | null, verify: VerifiedSide | null = null): OpenGrading | null {
    const { id, section, caller, masked } = context;
    if (exchange.operation !== 'generate' || decision?.action === 'block') return null;
    const { maxOutputTokens } = exchange;
    const { grading } = section;
    // An answer that contains unmasked originals is never kept.
    if (masked !== null && masked.restored.size > 0) return { maxOutputTokens, copy: null, judge: null, verify: null };
    if (grading === null) return { maxOutputTokens, copy: verify === null ? null : new AnswerCopy(exchange, body), judge: null, verify };
    if (grading.regenerate && !exchange.lastIsToolResult) {
      const before = this.#regenerates.asks(questionKey(caller.workspace, exchange), id, performance.now());
      if (before !== null) this.#grading.book.own(before, regenerateScore, 'regenerate');
    }
    // Text that matches a sensitive-data pattern is sent to no other model.
    const judged =
      grading.judge !== null &&
      decision !== null &&
      decision.reason !== 'sensitivity' &&
      (decision.learning?.why === 'probe' || Judge.draws(id, grading.judge.share));
    const wanted = verify !== null || judged || (grading.checks && (exchange.jsonOutput !== 'none' || exchange.tools > 0));
    return {
      maxOutputTokens,
      copy: wanted ? new AnswerCopy(exchange, body) : null,
      judge: judged && grading.judge !== null ? { policy: grading.judge, judged: Judge.request(context, exchange) } : null,
      verify,
    };
  }

  /** What to keep of a mirrored request: its answer is always inspected. It is drawn for the judge when the original is. */
  shadow({ context, exchange, body }: ReadRequest, verify: VerifiedSide | null = null): OpenGrading & { readonly copy: AnswerCopy } {
    const policy = context.section.grading?.judge ?? null;
    // The two answers of a verified request are judged together or not at all.
    const judged = verify === null && policy !== null && Judge.draws(context.id, policy.share);
    return {
      maxOutputTokens: exchange.maxOutputTokens,
      copy: new AnswerCopy(exchange, body),
      judge: judged && policy !== null ? { policy, judged: Judge.request(context, exchange) } : null,
      verify,
    };
  }

  /** Grades the form of an ended answer, and hands it to the judge if it was drawn. Null if the answer was incomplete. */
  end(
    id: string,
    open: OpenGrading,
    generation: PolicySnapshot,
    ending: { readonly outcome: OutcomeKind; readonly status: number | null; readonly answer: Answer | null },
  ): QualityCheck | null {
    const { outcome, status, answer } = ending;
    const good = outcome === 'complete' && status === 200 && answer !== null;
    this.#regenerates.answered(id, good, performance.now());
    if (!good) {
      open.copy?.drop();
      this.#verify(open, generation, null);
      return null;
    }
    const whole = open.copy?.take(answer.usage) ?? null;
    const view = whole === null || (open.judge === null && open.verify === null) ? null : viewOf(whole);
    // A copy's grade is the copy's, not that of the request it was made of.
    if (view !== null && open.judge !== null) this.#grading.judge.offer(open.judge.policy, generation, { ...open.judge.judged, id }, view);
    this.#verify(open, generation, view);
    return (whole === null ? null : checkWhole(whole)) ?? checkEnding(answer.finishReason, open.maxOutputTokens);
  }

  /** No answer will come. */
  lost({ copy, verify }: OpenGrading): void {
    copy?.drop();
    if (verify !== null) this.#grading.verifier.answered(verify.decision, verify.side, null, null);
  }

  /** The served side of a request to verify; null if it was not drawn or the requested model answers it. */
  verifies({ context, exchange }: ReadRequest, { requested, served, reason, action }: Decision): VerifiedSide | null {
    const { id, section, masked } = context;
    const { verify, grading } = section;
    if (verify === null || action !== 'route' || exchange.operation !== 'generate') return null;
    if (served.provider === requested.provider && served.model === requested.model) return null;
    // Text that matches a sensitive-data pattern is sent to no other model, and an answer with unmasked originals is never kept.
    if (reason === 'sensitivity' || (masked !== null && masked.restored.size > 0) || position('verify', id) >= verify.share) return null;
    const judge = grading?.judge == null ? null : { policy: grading.judge, judged: Judge.request(context, exchange) };
    return { decision: id, side: 'served', judge };
  }

  #verify({ verify }: OpenGrading, generation: PolicySnapshot, view: AnswerView | null): void {
    if (verify !== null) this.#verified(verify, generation, view);
  }

  #verified({ decision, side, judge }: VerifiedSide, generation: PolicySnapshot, view: AnswerView | null): void {
    this.#grading.verifier.answered(
      decision,
      side,
      view,
      judge === null
        ? null
        : (served, stronger, done) =>
            this.#grading.judge.offerPair(judge.policy, generation, judge.judged, [served, stronger], (scores) =>
              done(scores === null ? null : { served: scores[0], stronger: scores[1] }),
            ),
    );
  }
}
