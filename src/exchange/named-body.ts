import type { Arrived } from './context.ts';
import { decodeBody } from './decode.ts';
import type { Observed } from './observed.ts';
import { mayBan, modelNamed } from './observed-rules.ts';
import { planForBody, type BodyHandler, type BodyPlan } from './plans.ts';
import type { Undecided } from './undecided.ts';

/**
 * A body that is not rewritten: only what bans, budgets and limits need is read (its model, its size as a batch), and it is forwarded as it
 * came. Of a body that is too large, nothing is read.
 */
export class NamedBody implements BodyHandler {
  readonly #request: Arrived;
  readonly #recognition: Observed;
  readonly #encoding: string;
  readonly #inside: boolean;
  readonly #refusesLarge: boolean;
  readonly #undecided: Undecided;

  /**
   * `encoding`: the body's content-encoding; `inside`: whether the model may be named below the body's top; `refusesLarge`: a body that is
   * too large may name a banned model, and is refused.
   */
  constructor(
    request: Arrived,
    recognition: Observed,
    body: { readonly encoding: string; readonly inside: boolean; readonly refusesLarge: boolean },
    undecided: Undecided,
  ) {
    this.#request = request;
    this.#recognition = recognition;
    this.#encoding = body.encoding;
    this.#inside = body.inside;
    this.#refusesLarge = body.refusesLarge;
    this.#undecided = undecided;
  }

  take(body: Buffer, more = false): BodyPlan {
    try {
      if (more && this.#refusesLarge) return this.#undecided.refuse(this.#request, this.#recognition, 'too-large');
      // Its address was judged before it was asked for.
      if (more) return planForBody(this.#undecided.permit(this.#request, this.#recognition, null));
      const decoded = decodeBody(body, this.#encoding);
      if (decoded === null && mayBan(this.#request.section))
        return this.#undecided.refuse(this.#request, this.#recognition, 'encoded-body');
      const banned = this.#undecided.banned(this.#request, this.#recognition, decoded);
      if (banned !== null) return banned;
      const model = this.#recognition.model ?? (decoded === null ? null : modelNamed(decoded, this.#inside));
      return planForBody(this.#undecided.permit(this.#request, { ...this.#recognition, model }, decoded));
    } catch (error) {
      return this.#undecided.failed({ ...this.#request, recognition: this.#recognition }, error);
    }
  }

  /** Nothing was decided, so nothing is recorded. */
  aborted(): void {
    return;
  }
}
