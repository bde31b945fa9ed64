import { inspectJson, inspectPlain } from '../apis/inspect/patterns.ts';
import { maskJson, maskPlain } from '../apis/mask/mask.ts';
import { limits } from '../lib/limits.ts';
import type { SensitivityRule } from '../policy/types.ts';
import type { Arrived } from './context.ts';
import { decodeBody, withoutMark } from './decode.ts';
import { maskWish, rulesMasked, type MaskKeys } from './masking.ts';
import type { Observed } from './observed.ts';
import { planForBody, type BodyHandler, type BodyPlan } from './plans.ts';
import type { Undecided } from './undecided.ts';

/** A body that is not rewritten, in a section whose patterns for sensitive data must not match it. */
export class InspectedBody implements BodyHandler {
  readonly #request: Arrived;
  readonly #recognition: Observed;
  readonly #encoding: string;
  readonly #undecided: Undecided;
  readonly #maskKeys: MaskKeys;

  /** `encoding`: the body's content-encoding. */
  constructor(request: Arrived, recognition: Observed, encoding: string, undecided: Undecided, maskKeys: MaskKeys) {
    this.#request = request;
    this.#recognition = recognition;
    this.#encoding = encoding;
    this.#undecided = undecided;
    this.#maskKeys = maskKeys;
  }

  take(body: Buffer, more = false): BodyPlan {
    try {
      return more ? this.#refuse('too-large') : this.#inspect(body);
    } catch (error) {
      return this.#undecided.failed({ ...this.#request, recognition: this.#recognition }, error);
    }
  }

  #inspect(body: Buffer): BodyPlan {
    const { sensitivity } = this.#request.section;
    if (body.length > limits.requestBodyBytes) return this.#refuse('too-large');
    const decoded = decodeBody(body, this.#encoding);
    if (decoded === null) return this.#refuse('encoded-body');
    const read = withoutMark(decoded);
    const patterns = sensitivity.map(({ pattern }) => pattern);
    const inJson = inspectJson(read, patterns);
    const { matched, unread } = inJson ?? inspectPlain(read, patterns);
    const found = sensitivity.find(({ then }, at) => matched[at] && then.kind !== 'mask');
    if (found !== undefined) return this.#refuse('not-rewritable', messageOf(found));
    if (unread) return this.#refuse('unread');
    const banned = this.#undecided.banned(this.#request, this.#recognition, read);
    if (banned !== null) return banned;
    const masks = sensitivity.find(({ then }, at) => matched[at] && then.kind === 'mask');
    if (masks !== undefined) {
      const masked = this.#mask(read, inJson !== null, masks, decoded !== body);
      if (masked !== null) return masked;
    }
    return planForBody(this.#undecided.permit(this.#request, this.#recognition, read));
  }

  /** Nothing was decided, so nothing is recorded. */
  aborted(): void {
    return;
  }

  /** Null if this section does not mask. `rule`: the first that matched. `decoded`: the body is forwarded without its content-encoding. */
  #mask(read: Buffer, json: boolean, rule: SensitivityRule, decoded: boolean): BodyPlan | null {
    const { section, caller } = this.#request;
    const wish = maskWish(section, caller.workspace, this.#maskKeys);
    if (wish === null) return null;
    const masking = (json ? maskJson : maskPlain)(read, { ...wish, patterns: section.sensitivity.map(({ pattern }) => pattern) });
    if (masking === null) return this.#refuse('unmasked', rule.then.kind === 'mask' ? rule.then.message : undefined);
    const plan = this.#undecided.permit(this.#request, this.#recognition, read, rulesMasked(section, masking.counts));
    if (plan.kind === 'respond') return plan;
    const { headers, metadata } = plan;
    return {
      kind: 'forward',
      body: masking.body,
      headers: { set: headers?.set ?? [], remove: [...(headers?.remove ?? []), ...(decoded ? ['content-encoding'] : [])] },
      ...(metadata === undefined ? {} : { metadata }),
    };
  }

  #refuse(reason: Parameters<Undecided['refuse']>[2], message?: string): BodyPlan {
    return this.#undecided.refuse(this.#request, this.#recognition, reason, message);
  }
}

/** Only generation requests can be routed to the rule's secure model. */
function messageOf({ name, then }: SensitivityRule): string {
  return then.kind === 'block' ? then.message : `This request holds ${name}, and the model for sensitive data cannot take it.`;
}
