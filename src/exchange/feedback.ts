import type { FeedbackReply } from '../grades/request.ts';
import type { Later } from '../lib/later.ts';
import type { BodyHandler, BodyPlan } from './plans.ts';

export type TakeFeedback = (body: Buffer, workspace: string) => Promise<FeedbackReply>;

/** How long a grade may take: an old decision is looked up in the ledger. */
const feedbackMs = 5_000;

/** An app's grade of an answer: taken here, so that apps need to know no other address than the gateway's. */
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

  /** A grade that was given counts. */
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
