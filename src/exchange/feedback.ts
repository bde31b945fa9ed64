import type { FeedbackReply } from '../grades/request.ts';
import type { Later } from '../lib/later.ts';
import type { BodyHandler, BodyPlan } from './plans.ts';

export type TakeFeedback = (body: Buffer, workspace: string) => Promise<FeedbackReply>;

/** Timeout for a grade, ms: an old decision is looked up in the ledger. */
const feedbackMs = 5_000;

/** Accepts an app's grade of an answer here, so that apps need only the gateway's address. */
export class FeedbackBody implements BodyHandler {
  readonly #take: TakeFeedback;
  readonly #workspace: string;
  readonly #log: { error(fields: object, message: string): void };

  constructor(take: TakeFeedback, workspace: string, log: { error(fields: object, message: string): void }) {
    this.#take = take;
    this.#workspace = workspace;
    this.#log = log;
  }

  take(body: Buffer): Later<BodyPlan> {
    return { kind: 'later', ms: feedbackMs, result: this.#answer(body) };
  }

  /** A grade that was already given counts. */
  aborted(): void {
    return;
  }

  async #answer(grade: Buffer): Promise<BodyPlan> {
    const { status, body } = await this.#take(grade, this.#workspace).catch((error: unknown) => {
      this.#log.error({ err: error }, 'feedback could not be taken');
      return { status: 503, body: { error: { code: 'unavailable', message: 'Feedback cannot be taken right now.' } } };
    });
    return {
      kind: 'respond',
      status,
      contentType: 'application/json',
      headers: [],
      body: Buffer.from(`${JSON.stringify(body)}\n`),
      details: 'sluice_feedback',
    };
  }
}
