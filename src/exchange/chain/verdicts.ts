import type { Cost } from '../../catalog/types.ts';
import { readAnswer } from '../../apis/index.ts';
import type { Answer, AnswerHead } from '../../apis/types.ts';
import { renderFailure } from '../../apis/errors.ts';
import type { AnswerPass, AnswerRetry } from '../plans.ts';
import type { HeaderMap, HeaderMutation } from '../../lib/headers.ts';
import type { FallbackTrigger, TargetRef } from '../../policy/types.ts';
import { estimateSavings } from '../../route/savings.ts';
import type { ChainRun } from './run.ts';
import { decodeBody } from '../decode.ts';
import { judgeErrorBody, bodyMayBlameModel, refusedIn } from '../../grades/check-answer.ts';
import { outageTriggers } from './rescue.ts';

/** Decides about one attempt once its failure, if any, is known. */
export class AttemptVerdicts {
  readonly #run: ChainRun;
  readonly #target: TargetRef;

  constructor(run: ChainRun, target: TargetRef) {
    this.#run = run;
    this.#target = target;
  }

  /** Passes the answer on or tries the next target, depending on the failure and the policy's triggers. */
  of(reason: FallbackTrigger | null, status: number, retryAfterMs: number | null, answer: (() => Answer) | null): AnswerPass | AnswerRetry {
    const run = this.#run;
    if (reason !== null && run.hasNext && this.#mayRetry(reason)) {
      // Providers do not bill errors.
      const cost: Cost = status >= 400 ? { known: true, usd: 0 } : this.#cost(answer);
      run.failed({ outcome: status >= 400 ? 'provider-error' : 'complete', status, reason, cost, retryAfterMs });
      return { kind: 'retry', reason };
    }
    run.passed(reason, retryAfterMs);
    return { kind: 'pass' };
  }

  /** Replaces what the last target sent instead of an answer. */
  noAnswer(status: number, retryAfterMs: number | null): AnswerPass {
    const run = this.#run;
    run.failed({ outcome: 'provider-error', status, reason: 'server-error', cost: { known: false, reason: 'usage' }, retryAfterMs });
    return this.#replaced(`${this.#target.provider} sent no answer that can be read.`);
  }

  /** Replaces the refusal of a gateway key, which the app would take for its own key's; null if the key was the app's. */
  keyRefused(): AnswerPass | null {
    if (this.#target.provider === this.#run.facts.provider.name && !this.#run.gatewayKeys) return null;
    return this.#replaced(`The gateway's own access to ${this.#target.provider} was refused; the operator has to look at its key.`);
  }

  #replaced(message: string): AnswerPass {
    const { status, contentType, body } = renderFailure(this.#run.facts.recognition.api, { kind: 'server', status: 502, message });
    return { kind: 'pass', headers: answerHeaders(status, contentType), body };
  }

  /** The failure that an error's body describes. A parameter that the chosen model refuses is recorded. */
  error(body: Buffer, status: number): FallbackTrigger | null {
    const said = judgeErrorBody(body, status);
    // A limit, or a member that no rule knows: not remembered, since another value may be taken.
    if (said === null && !this.#asked() && bodyMayBlameModel(body)) return 'unsupported-parameter';
    if (said !== 'unsupported-parameter') return said;
    if (this.#asked()) return null;
    const parameter = refusedIn(body, this.#run.facts.parameters);
    if (parameter !== null) this.#run.refused(parameter);
    return said;
  }

  /** Whether this is the model that the app asked for: its refusals are passed on to the app. */
  #asked(): boolean {
    const { requested } = this.#run.facts;
    return requested.provider === this.#target.provider && requested.model === this.#target.model;
  }

  #mayRetry(reason: FallbackTrigger): boolean {
    const { facts } = this.#run;
    if (reason === 'unsupported-parameter') return !this.#asked() && !this.#run.nextRescues;
    // The app did not ask for the model that the account has not.
    if (this.#run.nextIsSpare) return reason === 'model-gone' && !this.#asked();
    if (this.#run.nextRescues) return outageTriggers.has(reason);
    if (!facts.fallback.triggers.has(reason)) return false;
    // The app's own provider refused the app's own key: the gateway's keys must not compensate for that.
    if (reason === 'key-dead') return this.#target.provider !== facts.provider.name || this.#run.gatewayKeys;
    if (reason === 'context-window') return window(this.#run, this.#run.current + 1) > window(this.#run, this.#run.current);
    return true;
  }

  #cost(answer: (() => Answer) | null): Cost {
    return estimateSavings(this.#run.facts.generation, { target: this.#target, typical: null }, this.#target, answer?.().usage ?? null)
      .cost;
  }
}

/** The provider's body headers do not match the replaced body. */
export function answerHeaders(status: number, contentType: string): HeaderMutation {
  return {
    set: [
      [':status', String(status)],
      ['content-type', contentType],
    ],
    remove: ['content-encoding', 'content-length', 'transfer-encoding'],
  };
}

/** A whole body, decoded if possible: some providers compress although they were asked not to. */
export function plainOf({ contentEncoding }: AnswerHead, body: Buffer): Buffer {
  return contentEncoding === '' || body.length === 0 ? body : (decodeBody(body, contentEncoding) ?? body);
}

/** The facts of a whole answer. */
export function answerOf(head: AnswerHead, body: Buffer): Answer {
  const reader = readAnswer(head);
  reader.push(body);
  return reader.end(true);
}

/** Context window of a chain's target in tokens; 0 if not known. */
function window({ facts }: ChainRun, index: number): number {
  const target = facts.targets[index];
  const provider = target === undefined ? undefined : facts.generation.providers.get(target.provider);
  if (target === undefined || provider === undefined) return 0;
  return (
    facts.generation.catalog.lookup(provider.catalogProvider, provider.deployments.get(target.model) ?? target.model)?.contextWindow ?? 0
  );
}

/** Whether the body of an answer with this status may say when to try again. */
export function saysWhen(status: number): boolean {
  return status === 429 || status === 503;
}

/** Milliseconds from `retry-after-ms` or `retry-after` (seconds or a date); null if neither is given. */
export function retryAfter(headers: HeaderMap, now = Date.now()): number | null {
  const ms = Number(headers.get('retry-after-ms') ?? NaN);
  if (ms >= 0) return ms;
  const text = headers.get('retry-after');
  if (text === undefined) return null;
  const seconds = Number(text);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
