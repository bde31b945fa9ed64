import type { Arrived } from './context.ts';
import { decodeBody } from './decode.ts';
import type { Observed } from './observed.ts';
import type { BodyHandler, BodyPlan } from './plans.ts';
import type { Undecided } from './undecided.ts';

/** A body that is not rewritten, in a section that bans models: only its model is read, and the body is forwarded as it came. */
export class NamedBody implements BodyHandler {
  readonly #request: Arrived;
  readonly #recognition: Observed;
  readonly #encoding: string;
  readonly #undecided: Undecided;

  /** `encoding`: the body's content-encoding. */
  constructor(request: Arrived, recognition: Observed, encoding: string, undecided: Undecided) {
    this.#request = request;
    this.#recognition = recognition;
    this.#encoding = encoding;
    this.#undecided = undecided;
  }

  take(body: Buffer): BodyPlan {
    try {
      const decoded = decodeBody(body, this.#encoding);
      if (decoded === null) return this.#undecided.refuse(this.#request, this.#recognition, 'encoded-body');
      const forbidden = this.#undecided.forbidden(this.#request, this.#recognition, decoded);
      if (forbidden !== null) return forbidden;
      const { metadata, headers } = this.#undecided.observe(this.#request, this.#recognition);
      return { kind: 'forward', ...(metadata === undefined ? {} : { metadata }), ...(headers === undefined ? {} : { headers }) };
    } catch (error) {
      return this.#undecided.failed({ ...this.#request, recognition: this.#recognition }, error);
    }
  }

  /** Nothing was decided, so nothing is recorded. */
  aborted(): void {
    return;
  }
}
