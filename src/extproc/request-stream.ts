import { answerKey, inlineAnswer, provenance } from '../attach/names.ts';
import { limits } from '../lib/limits.ts';
import type { BodyHandler, BodyPlan, Gateway, LoggedExchange, RequestPlan, ResponseObserver, SluiceMetadata } from '../exchange/plans.ts';
import type { Later } from '../lib/later.ts';
import type { TellEvent } from './events.ts';
import type { Phase, ProcessingRequest, ProcStream, Reply, StreamHandler } from './types.ts';

/**
 * The state of one Envoy stream.
 * - `start`: nothing came yet
 * - `awaiting-body`: the reply to the request's headers asked for the body
 * - `answering`: the body has arrived; waiting for the gateway's plan
 * - `forwarded`: the request went on, and its answer comes on this stream
 * - `reading`: an answer is being read
 * - `idle`: nothing is left to decide; later phases are passed through
 */
type State =
  | { readonly at: 'start' }
  | { readonly at: 'awaiting-body'; readonly handler: BodyHandler }
  | { readonly at: 'answering'; readonly handler: BodyHandler }
  | { readonly at: 'forwarded'; readonly id: string; readonly metadata: SluiceMetadata; readonly unseen: (() => void) | null }
  | { readonly at: 'reading'; readonly observer: ResponseObserver }
  | { readonly at: 'idle' };

/** Extra time that Envoy is asked to wait beyond the plan's own time, in ms. */
const waitMarginMs = 500;

const idle: State = { at: 'idle' };

/** The first reply for every request whose body is read: always the same object, so that a transport can encode it in advance. */
export const wantsBody: Reply & { readonly kind: 'continue' } = { kind: 'continue', phase: 'request-headers', requestBodyMode: 'BUFFERED' };

/** The same for a body of unknown length, which may be more than Envoy can hold. */
const wantsBeginning: Reply & { readonly kind: 'continue' } = { ...wantsBody, requestBodyMode: 'BUFFERED_PARTIAL' };

function asking({ metadata, beginning }: RequestPlan & { readonly kind: 'read-body' }): Reply {
  const reply = beginning === true ? wantsBeginning : wantsBody;
  return metadata === undefined ? reply : { ...reply, metadata };
}

/** What Envoy itself would write from the metadata. */
function provenanceOf(metadata: SluiceMetadata): (readonly [string, string])[] {
  return provenance.flatMap(([header, key]) => {
    const value = metadata[key];
    return typeof value === 'string' ? [[header, value] as const] : [];
  });
}

/** A request whose client left before there was an answer, as Envoy's log would tell of it. */
function leftAlone(id: string): LoggedExchange {
  return {
    id,
    status: 0,
    cutBy: 'client',
    contentType: '',
    contentEncoding: '',
    startedAt: 0,
    firstByteMs: null,
    totalMs: null,
    bodyBytes: 0,
    collected: null,
    usage: null,
  };
}

/**
 * One ext_proc stream. The request filter's stream carries a request's headers and, if requested, its body; Sluice ends it after its last
 * reply. The response filter's stream (observability mode) carries the answer and gets no replies. An Envoy with a single filter for both
 * says so (UsageMode `inline`): its phases come on one stream, which remembers what Envoy does not: the metadata of the request.
 */
export class RequestStream implements StreamHandler {
  readonly #stream: ProcStream;
  readonly #gateway: Gateway;
  readonly #onEvent: TellEvent;
  readonly #traceparent: string | undefined;
  readonly #peer: string | undefined;
  #state: State = { at: 'start' };
  #unseen: (() => void) | null = null;

  /** `traceparent`: of Envoy's span for this stream, if Envoy traces. `peer`: the Envoy that opened it. */
  constructor(stream: ProcStream, gateway: Gateway, onEvent: TellEvent, traceparent?: string, peer?: string) {
    this.#stream = stream;
    this.#gateway = gateway;
    this.#onEvent = onEvent;
    this.#traceparent = traceparent;
    this.#peer = peer;
  }

  message(request: ProcessingRequest): void {
    const { phase } = request;
    try {
      switch (phase.kind) {
        case 'request-headers':
          this.#requestHeaders(phase, request);
          return;
        case 'request-body':
          this.#requestBody(phase, request.observability);
          return;
        case 'response-headers':
          this.#responseHeaders(phase, request);
          return;
        case 'response-body':
          this.#responseBody(phase, request.observability);
          return;
        case 'request-trailers':
        case 'response-trailers':
          this.#trailers(phase, request.observability);
          return;
      }
    } catch (error) {
      // The gateway must not throw; if it does, this request passes as it came.
      this.#onEvent('gateway-error', error);
      this.#leave();
      this.#wave(phase, request.observability);
    }
  }

  closed(cancelled: boolean): void {
    const state = this.#state;
    this.#state = idle;
    switch (state.at) {
      case 'awaiting-body':
      case 'answering':
        this.#onEvent('request-aborted');
        state.handler.aborted();
        return;
      case 'forwarded':
        // The client left. Or Envoy had given up just before the plan reached it, which looks the same here.
        state.unseen?.();
        this.#gateway.logged(leftAlone(state.id));
        return;
      case 'reading':
        state.observer.end(false, cancelled);
        return;
      case 'start':
      case 'idle':
        return;
    }
  }

  unseen(): (() => void) | null {
    return this.#unseen;
  }

  #requestHeaders(phase: Phase & { kind: 'request-headers' }, { observability, known }: ProcessingRequest): void {
    if (this.#state.at !== 'start' || observability) {
      this.#unexpected(phase, observability);
      return;
    }
    const plan = this.#gateway.requestHeaders(phase.headers, phase.endOfStream, this.#traceparent, known, this.#peer);
    switch (plan.kind) {
      case 'pass':
        this.#state = idle;
        this.#stream.send({
          kind: 'continue',
          phase: phase.kind,
          ...(plan.headers === undefined ? {} : { headers: plan.headers }),
          ...(plan.metadata === undefined ? {} : { metadata: plan.metadata }),
        });
        if (!this.#awaitsAnswer(plan.metadata, null)) this.#stream.end();
        return;
      case 'respond':
        this.#state = idle;
        this.#answerBody(plan, null);
        return;
      case 'read-body':
        this.#state = { at: 'awaiting-body', handler: plan.handler };
        this.#stream.send(asking(plan));
        return;
    }
  }

  #requestBody(phase: Phase & { kind: 'request-body' }, observability: boolean): void {
    if (this.#state.at === 'forwarded') {
      // A filter whose modes nobody may override sends every body.
      this.#wave(phase, observability);
      return;
    }
    if (this.#state.at !== 'awaiting-body') {
      this.#unexpected(phase, observability);
      return;
    }
    const { handler } = this.#state;
    this.#state = idle;
    if (!phase.endOfStream && phase.body.length === 0) this.#onEvent('partial-body');
    const planned = handler.take(phase.body, !phase.endOfStream);
    if (planned.kind === 'later') this.#await(planned, handler, phase, observability);
    else this.#planned(planned, handler);
  }

  #planned(plan: BodyPlan, handler: BodyHandler): void {
    const unseen = plan.kind === 'forward' ? (handler.unseen?.() ?? null) : null;
    this.#answerBody(plan, unseen);
  }

  /** Keeps the stream for the answer, if that comes on it. */
  #awaitsAnswer(metadata: SluiceMetadata | undefined, unseen: (() => void) | null): boolean {
    if (metadata?.[answerKey] !== inlineAnswer) return false;
    const { id } = metadata;
    if (typeof id !== 'string') return false;
    this.#state = { at: 'forwarded', id, metadata, unseen };
    return true;
  }

  /** `told` is true if Envoy was already asked for more time; it accepts one such message per body. */
  #await({ ms, result }: Later<BodyPlan>, handler: BodyHandler, phase: Phase, observability: boolean, told = false): void {
    // Rounded up, with a margin for the plan's own transfer: Envoy must not time out first.
    if (ms > 0 && !told) this.#stream.send({ kind: 'wait', ms: Math.min(limits.bodyWaitMs, Math.ceil(ms) + waitMarginMs) });
    const waiting: State = { at: 'answering', handler };
    this.#state = waiting;
    // If something happened meanwhile (the client left, an answer began), the state has changed and the plan is dropped.
    const settle = (answer: () => void): void => {
      if (this.#state !== waiting) return;
      this.#state = idle;
      answer();
    };
    result.then(
      (ready) =>
        settle(() => {
          if (ready.kind === 'later') this.#await(ready, handler, phase, observability, told || ms > 0);
          else this.#planned(ready, handler);
        }),
      (error: unknown) =>
        settle(() => {
          this.#onEvent('gateway-error', error);
          this.#wave(phase, observability);
        }),
    );
  }

  /** `unseen`: what to call if Envoy had given up before it saw this. */
  #answerBody(plan: BodyPlan, unseen: (() => void) | null): void {
    switch (plan.kind) {
      case 'forward':
        this.#stream.send({
          kind: 'continue',
          phase: 'request-body',
          headers: plan.headers,
          body: plan.body,
          clearRouteCache: plan.clearRouteCache,
          metadata: plan.metadata,
        });
        if (this.#awaitsAnswer(plan.metadata, unseen)) return;
        this.#unseen = unseen;
        break;
      case 'respond':
        this.#stream.send({
          kind: 'immediate',
          status: plan.status,
          headers: { set: [['content-type', plan.contentType], ...plan.headers], remove: [] },
          body: plan.body,
          details: plan.details,
          ...(plan.metadata === undefined ? {} : { metadata: plan.metadata }),
        });
        break;
    }
    this.#stream.end();
  }

  #responseHeaders(phase: Phase & { kind: 'response-headers' }, request: ProcessingRequest): void {
    const own = this.#state.at === 'forwarded' ? this.#state.metadata : null;
    if (this.#state.at === 'awaiting-body' || this.#state.at === 'answering') {
      // The answer came before the request was complete: an earlier filter or the provider cut the request short.
      this.#leave();
    } else if (this.#state.at === 'reading') {
      this.#unexpected(phase, request.observability);
      return;
    }
    const plan = this.#gateway.responseHeaders(phase.headers, own ?? request.metadata, phase.endOfStream);
    if (plan.kind === 'read') this.#state = { at: 'reading', observer: plan.observer };
    else this.#state = idle;
    if (own === null) this.#wave(phase, request.observability);
    else this.#stream.send({ kind: 'continue', phase: phase.kind, headers: { set: provenanceOf(own), remove: [] } });
    if (plan.kind === 'ignore') this.#stream.end();
  }

  #responseBody(phase: Phase & { kind: 'response-body' }, observability: boolean): void {
    if (this.#state.at !== 'reading') {
      this.#unexpected(phase, observability);
      return;
    }
    const { observer } = this.#state;
    if (phase.body.length > 0) observer.chunk(phase.body);
    if (phase.endOfStream) {
      this.#state = idle;
      observer.end(true, false);
    }
    this.#wave(phase, observability);
    if (phase.endOfStream) this.#stream.end();
  }

  #trailers(phase: Phase & { kind: 'request-trailers' | 'response-trailers' }, observability: boolean): void {
    if (phase.kind === 'response-trailers' && this.#state.at === 'reading') {
      const { observer } = this.#state;
      this.#state = idle;
      observer.end(true, false);
    }
    // The reply to the body ends the stream, so this phase needs no reply.
    if (this.#state.at === 'answering') return;
    this.#wave(phase, observability);
  }

  #unexpected(phase: Phase, observability: boolean): void {
    this.#onEvent('unexpected-phase');
    // Envoy would take a reply now for the reply to the body.
    if (this.#state.at === 'answering') return;
    this.#wave(phase, observability);
  }

  /** Releases what the state holds. */
  #leave(): void {
    const state = this.#state;
    this.#state = idle;
    if (state.at === 'awaiting-body' || state.at === 'answering') state.handler.aborted();
    else if (state.at === 'reading') state.observer.end(false, false);
  }

  /** Answers a phase with a plain `continue`; in observability mode Envoy expects no reply. */
  #wave(phase: Phase, observability: boolean): void {
    if (!observability) this.#stream.send({ kind: 'continue', phase: phase.kind });
  }
}
