import { hostHeader, retryHeader, shadowHeader, type FilterRole } from '../attach/names.ts';
import type { TellEvent } from './events.ts';
import type {
  AnswerPass,
  AnswerPlan,
  AnswerRetry,
  Attempt,
  AttemptGateway,
  BrokenAttempt,
  RelayStep,
  StreamRelay,
} from '../exchange/plans.ts';
import type { HeaderMutation } from '../lib/headers.ts';
import type { Phase, ProcessingRequest, ProcStream, StreamHandler } from './types.ts';

/**
 * - `start`: nothing came yet
 * - `asking`: the request's headers were answered; waiting for its body
 * - `asked`: the request is complete; waiting for the answer
 * - `judging`: the answer's headers are known (and, for role `stream`, held); waiting for its whole body
 * - `relaying`: role `stream`: the answer is relayed
 * - `idle`: nothing is left to decide
 */
type State =
  | { readonly at: 'start' }
  | { readonly at: 'asking' | 'asked'; readonly attempt: Attempt }
  | {
      readonly at: 'judging';
      readonly attempt: Attempt;
      readonly maxBytes: number;
      judge(body: Buffer): AnswerPass | AnswerRetry;
      /** Replaces a longer one; null: it passes. */
      readonly tooLarge: (() => AnswerPass) | null;
      readonly pieces: Buffer[];
      held: number;
    }
  | { readonly at: 'relaying'; readonly attempt: Attempt; readonly relay: StreamRelay; begun: boolean }
  | { readonly at: 'idle' };

const idle: State = { at: 'idle' };
const nothing: Buffer = Buffer.alloc(0);

/** Envoy's stream for one attempt at one provider. Every phase is answered; unknown exchanges are refused or passed through. */
export class AttemptStream implements StreamHandler {
  readonly #stream: ProcStream;
  readonly #role: FilterRole;
  readonly #gateway: AttemptGateway;
  readonly #onEvent: TellEvent;
  #state: State = { at: 'start' };
  #metadata: ProcessingRequest['metadata'] = null;

  constructor(stream: ProcStream, role: FilterRole, gateway: AttemptGateway, onEvent: TellEvent) {
    this.#stream = stream;
    this.#role = role;
    this.#gateway = gateway;
    this.#onEvent = onEvent;
  }

  message(request: ProcessingRequest): void {
    const { phase } = request;
    try {
      switch (phase.kind) {
        case 'request-headers':
          this.#requestHeaders(request);
          return;
        case 'request-body':
          this.#requestBody(phase);
          return;
        case 'response-headers':
          this.#responseHeaders(phase, request);
          return;
        case 'response-body':
          this.#responseBody(phase.body, phase.endOfStream);
          return;
        case 'response-trailers':
          // Trailers end the body without an end-of-stream flag on it.
          if (this.#role === 'stream') this.#responseBody(nothing, true);
          this.#stream.send({ kind: 'continue', phase: phase.kind });
          return;
        case 'request-trailers':
          this.#stream.send({ kind: 'continue', phase: phase.kind });
          return;
      }
    } catch (error) {
      this.#onEvent('gateway-error', error);
      this.#fail(phase);
    }
  }

  closed(cancelled: boolean): void {
    this.#leave(cancelled);
  }

  #requestHeaders(request: ProcessingRequest): void {
    if (this.#state.at !== 'start') {
      this.#unexpected(request.phase);
      return;
    }
    this.#metadata = request.metadata;
    const host = request.phase.kind === 'request-headers' ? (request.phase.headers.get(hostHeader) ?? null) : null;
    // Envoy gives a mirrored request no metadata: its id comes in a header.
    const metadata =
      this.#role === 'shadow' && request.phase.kind === 'request-headers'
        ? { id: request.phase.headers.get(shadowHeader) }
        : request.metadata;
    const attempt = this.#gateway.attempt(this.#role, metadata, host);
    if (attempt === null) {
      // Without an attempt to change them, this provider would get another provider's request and key.
      this.#fail(request.phase);
      return;
    }
    this.#state = { at: 'asking', attempt };
    // Role `stream` always gets the body: its filter's modes cannot be overridden.
    const ours = host === null ? {} : { headers: { set: [], remove: [hostHeader] } };
    this.#stream.send({
      kind: 'continue',
      phase: 'request-headers',
      ...ours,
      ...(this.#role === 'stream' ? {} : { requestBodyMode: 'BUFFERED', expectResponse: true }),
    });
  }

  #requestBody(phase: Phase & { kind: 'request-body' }): void {
    if (this.#state.at !== 'asking') {
      this.#unexpected(phase);
      return;
    }
    const { attempt } = this.#state;
    const plan = attempt.request(phase.body);
    if (plan.kind === 'respond') {
      this.#state = idle;
      const { status, contentType, headers, body, details, metadata } = plan;
      this.#stream.send({
        kind: 'immediate',
        status,
        headers: { set: [['content-type', contentType], ...headers], remove: [] },
        body,
        details,
        ...(metadata === undefined ? {} : { metadata }),
      });
      this.#stream.end();
      return;
    }
    this.#state = { at: 'asked', attempt };
    this.#stream.send({
      kind: 'continue',
      phase: 'request-body',
      headers: plan.headers,
      metadata: plan.metadata,
      ...(plan.body === undefined ? {} : { body: plan.body }),
    });
  }

  #responseHeaders(phase: Phase & { kind: 'response-headers' }, request: ProcessingRequest): void {
    const state = this.#state;
    let attempt: Attempt | null = null;
    if (state.at === 'start' && this.#role === 'gate') attempt = this.#gateway.attempt(this.#role, request.metadata, null);
    else if (state.at === 'asked' || state.at === 'asking') ({ attempt } = state);
    if (attempt === null) {
      this.#metadata ??= request.metadata;
      this.#fail(phase);
      if (this.#role === 'gate') this.#stream.end();
      return;
    }
    const plan = attempt.answer(phase.headers, phase.endOfStream);
    switch (plan.kind) {
      case 'pass':
      case 'retry':
        this.#settle(plan, phase.endOfStream);
        return;
      case 'whole':
        if (phase.endOfStream) this.#settle(plan.judge(nothing), true);
        else this.#judgeWhole(plan, attempt);
        return;
      case 'relay':
        this.#state = { at: 'relaying', attempt, relay: plan.relay, begun: false };
        if (phase.endOfStream) this.#responseBody(nothing, true);
    }
  }

  #judgeWhole(plan: Whole, attempt: Attempt): void {
    const { maxBytes, tooLarge = null } = plan;
    this.#state = { at: 'judging', attempt, maxBytes, judge: (body) => plan.judge(body), tooLarge, pieces: [], held: 0 };
    if (this.#role !== 'stream') this.#stream.send({ kind: 'continue', phase: 'response-headers', responseBodyMode: 'BUFFERED' });
  }

  /** Applies a decision made from the headers alone. */
  #settle(plan: AnswerPass | AnswerRetry, endOfStream: boolean): void {
    if (endOfStream && plan.kind === 'pass' && plan.body !== undefined && plan.body.length > 0) {
      this.#state = idle;
      this.#answer(plan.headers, plan.body);
      return;
    }
    this.#stream.send({ kind: 'continue', phase: 'response-headers', ...withHeaders(plan) });
    if (this.#role === 'stream' && plan.kind === 'pass' && !endOfStream) {
      // Envoy sends the body in any case and waits for our replies.
      const state = this.#state;
      if (state.at === 'asked' || state.at === 'asking')
        this.#state = { at: 'relaying', attempt: state.attempt, relay: asItComes, begun: true };
      return;
    }
    this.#state = idle;
    this.#stream.end();
  }

  #responseBody(bytes: Buffer, endOfStream: boolean): void {
    const state = this.#state;
    switch (state.at) {
      case 'judging':
        this.#judge(state, bytes, endOfStream);
        return;
      case 'relaying':
        if (bytes.length > 0) this.#relay(state, state.relay.push(bytes), false);
        if (endOfStream && this.#state === state) this.#relay(state, state.relay.end(), true);
        return;
      default:
        this.#unexpected({ kind: 'response-body', body: bytes, endOfStream });
    }
  }

  #judge(state: State & { at: 'judging' }, bytes: Buffer, endOfStream: boolean): void {
    if (this.#role !== 'stream') {
      this.#state = idle;
      const plan = state.judge(bytes);
      this.#stream.send({
        kind: 'continue',
        phase: 'response-body',
        ...withHeaders(plan),
        ...(plan.kind === 'pass' && plan.body !== undefined ? { body: plan.body } : {}),
      });
      this.#stream.end();
      return;
    }
    state.pieces.push(Buffer.from(bytes));
    state.held += bytes.length;
    if (!endOfStream && state.held <= state.maxBytes) return;
    const body = Buffer.concat(state.pieces);
    const replaced = endOfStream ? null : (state.tooLarge?.() ?? null);
    const plan = endOfStream ? state.judge(body) : (replaced ?? ({ kind: 'pass' } as const));
    this.#stream.send({ kind: 'continue', phase: 'response-headers', ...withHeaders(plan) });
    if (plan.kind === 'pass') this.#stream.send({ kind: 'chunk', body: plan.body ?? body, endOfStream });
    if (endOfStream || plan.kind === 'retry') {
      this.#state = idle;
      this.#stream.end();
    } else this.#state = { at: 'relaying', attempt: state.attempt, relay: replaced === null ? asItComes : discarded, begun: true };
  }

  /**
   * Sluice failed, or does not know what this answer is for. A first attempt in the app's own API passes as it came. Any other request or
   * answer may be another API's: the app gets an error.
   */
  #fail(phase: Phase): void {
    const state = this.#state;
    this.#leave(false);
    if (this.#role === 'gate' || phase.kind === 'request-trailers') {
      this.#wave(phase);
      return;
    }
    const asked = phase.kind !== 'request-headers' && phase.kind !== 'request-body';
    const { answer, event } = this.#gateway.broken(this.#metadata, asked);
    if (!asked) this.#answer(answer.headers, answer.body);
    else if (phase.kind === 'response-headers') {
      if (phase.endOfStream) this.#answer(answer.headers, answer.body);
      else this.#judgeWhole({ kind: 'whole', maxBytes: 0, judge: () => answer, tooLarge: () => answer }, ofNobody);
    } else if (this.#role !== 'stream' && phase.kind === 'response-body') {
      this.#stream.send({ kind: 'continue', phase: phase.kind, ...withHeaders(answer), body: answer.body });
      this.#stream.end();
    } else this.#failStream(phase, state.at === 'relaying' && state.begun ? event : answer);
  }

  /** `last`: what the app gets: an event of a stream whose headers it has, or a whole answer. */
  #failStream(phase: Phase, last: Buffer | BrokenAttempt['answer']): void {
    const begun = Buffer.isBuffer(last);
    const endOfStream = phase.kind !== 'response-body' || phase.endOfStream;
    if (!begun) this.#stream.send({ kind: 'continue', phase: 'response-headers', ...withHeaders(last) });
    this.#stream.send({ kind: 'chunk', body: begun ? last : last.body, endOfStream });
    if (phase.kind === 'response-trailers') this.#stream.send({ kind: 'continue', phase: phase.kind });
    if (endOfStream) this.#stream.end();
    else this.#state = { at: 'relaying', attempt: ofNobody, relay: discarded, begun: true };
  }

  /** Answers in the provider's place. */
  #answer(headers: HeaderMutation | undefined, body: Buffer): void {
    const set = headers?.set ?? [];
    const status = Number(set.find(([name]) => name === ':status')?.[1] ?? 502);
    this.#stream.send({
      kind: 'immediate',
      status,
      headers: { set: set.filter(([name]) => name !== ':status'), remove: [] },
      body,
      details: 'sluice_answer_replaced',
    });
    this.#stream.end();
  }

  #relay(state: State & { at: 'relaying' }, step: RelayStep, last: boolean): void {
    if (step.kind === 'retry' && !state.begun) {
      this.#state = idle;
      this.#stream.send({ kind: 'continue', phase: 'response-headers', ...withHeaders(step) });
      this.#stream.end();
      return;
    }
    const bytes = step.kind === 'go' ? step.bytes : nothing;
    if (!state.begun && (step.kind === 'go' || last)) {
      state.begun = true;
      const headers = step.kind === 'go' ? step.headers : undefined;
      this.#stream.send({ kind: 'continue', phase: 'response-headers', ...(headers === undefined ? {} : { headers }) });
    }
    if (bytes.length > 0 || last) this.#stream.send({ kind: 'chunk', body: bytes, endOfStream: last });
    if (!last) return;
    this.#state = idle;
    this.#stream.end();
  }

  #unexpected(phase: Phase): void {
    this.#onEvent('unexpected-phase');
    this.#wave(phase);
  }

  #leave(cancelled: boolean): void {
    const state = this.#state;
    this.#state = idle;
    if (state.at !== 'start' && state.at !== 'idle') state.attempt.closed(cancelled);
  }

  /** Passes a phase through unchanged. In full-duplex mode the body must be sent back. */
  #wave(phase: Phase): void {
    if (phase.kind === 'response-body' && this.#role === 'stream')
      this.#stream.send({ kind: 'chunk', body: phase.body, endOfStream: phase.endOfStream });
    else this.#stream.send({ kind: 'continue', phase: phase.kind });
  }
}

type Whole = AnswerPlan & { readonly kind: 'whole' };

/** The rest of an answer that was replaced. */
const discarded: StreamRelay = { push: () => ({ kind: 'go', bytes: nothing }), end: () => ({ kind: 'go', bytes: nothing }) };

/** In place of an attempt that failed or is not known. */
const ofNobody: Attempt = {
  request: () => ({ kind: 'forward', headers: { set: [], remove: [] }, metadata: {} }),
  answer: () => ({ kind: 'pass' }),
  closed: () => undefined,
};

const asItComes: StreamRelay = { push: (bytes) => ({ kind: 'go', bytes }), end: () => ({ kind: 'go', bytes: nothing }) };

function withHeaders(plan: AnswerPass | AnswerRetry): { readonly headers?: HeaderMutation } {
  if (plan.kind === 'retry') return { headers: { set: [[retryHeader, plan.reason]], remove: [] } };
  return plan.headers === undefined ? {} : { headers: plan.headers };
}
