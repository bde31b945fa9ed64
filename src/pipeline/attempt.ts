import type { Cost } from '../catalog/types.ts';
import { readAnswer, readExchange, rewritePath, spliceRequest } from '../dialects/index.ts';
import { SseSplitter } from '../dialects/sse.ts';
import type { Answer, AnswerHead } from '../dialects/types.ts';
import type { AnswerPass, AnswerPlan, AnswerRetry, Attempt, AttemptRequest, FilterRole, HeaderMap, HeaderMutation, RelayStep, StreamRelay } from '../extproc/types.ts';
import type { FallbackTrigger, Provider, TargetRef } from '../policy/types.ts';
import { answerTriggers, isErrorEvent, judgeAnswer, judgeErrorBody, judgeStatus } from '../quality/judge.ts';
import { estimateSavings } from '../route/savings.ts';
import type { ChainRun } from './chain-run.ts';
import type { Credentials } from './credentials.ts';

const nothing: HeaderMutation = { set: [], remove: [] };

/** One attempt of a chain at a target that speaks the app's own API. */
export class TargetAttempt implements Attempt {
  readonly #run: ChainRun;
  readonly #target: TargetRef;
  readonly #provider: Provider;
  readonly #role: FilterRole;
  readonly #credentials: Credentials;

  constructor(run: ChainRun, target: TargetRef, role: FilterRole, credentials: Credentials) {
    const provider = run.facts.generation.providers.get(target.provider);
    if (provider === undefined) throw new Error(`no provider ${target.provider}`);
    this.#run = run;
    this.#target = target;
    this.#provider = provider;
    this.#role = role;
    this.#credentials = credentials;
  }

  request(body: Buffer): AttemptRequest {
    const { facts } = this.#run;
    const read = readExchange(facts.recognition, body);
    // It was read before it came here; only another filter could have changed it.
    if (!read.ok) throw new Error(`the request cannot be read any more: ${read.reason}`);
    const { exchange } = read;
    const inPath = exchange.pathModel !== null;
    const path = inPath ? rewritePath(facts.path, exchange, this.#target.model) : facts.path;
    return {
      kind: 'forward',
      ...(inPath ? {} : { body: spliceRequest(body, exchange, { model: this.#target.model, askUsage: false }) }),
      headers: this.#headers(path),
      metadata: { model: this.#target.model, provider: this.#target.provider, attempts: String(this.#run.current + 1) },
    };
  }

  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan {
    const run = this.#run;
    run.answered();
    const status = Number(headers.get(':status') ?? 0);
    const retryAfterMs = retryAfter(headers);
    const { fallback, stream } = run.facts;
    const head: AnswerHead = {
      api: run.facts.recognition.api,
      status,
      contentType: headers.get('content-type') ?? '',
      contentEncoding: headers.get('content-encoding') ?? '',
      usageNotAsked: stream && !run.facts.includeUsage,
    };
    if (status >= 400) {
      const meaning = judgeStatus(status);
      if (meaning !== 'look' || endOfStream) return this.#verdict(meaning === 'look' ? null : meaning, status, retryAfterMs, null);
      if (!run.hasNext) return this.#verdict(null, status, retryAfterMs, null);
      return { kind: 'whole', maxBytes: fallback.inspectBytes, judge: (body) => this.#verdict(judgeErrorBody(body), status, retryAfterMs, null) };
    }
    const events = head.contentType.toLowerCase().startsWith('text/event-stream');
    if (events && this.#role === 'stream' && fallback.triggers.has('stream-error')) {
      return { kind: 'relay', relay: new FirstEventGate((failed) => this.#verdict(failed ? 'stream-error' : null, status, retryAfterMs, null)) };
    }
    if (events || endOfStream || !run.hasNext || !answerTriggers.some((trigger) => fallback.triggers.has(trigger)) || tooLarge(headers, fallback.inspectBytes)) {
      return this.#verdict(null, status, retryAfterMs, null);
    }
    return {
      kind: 'whole',
      maxBytes: fallback.inspectBytes,
      judge: (body) => this.#verdict(judgeAnswer(head.api, body, run.facts.expects, fallback.triggers), status, retryAfterMs, () => answerOf(head, body)),
    };
  }

  /** Nothing to note: without headers the next attempt's beginning tells that this one was lost, and a client that left ends all of it. */
  closed(): void {
    return;
  }

  /** Passes the answer on, or has the next target try, by what went wrong and what the policy watches for. */
  #verdict(reason: FallbackTrigger | null, status: number, retryAfterMs: number | null, answer: (() => Answer) | null): AnswerPass | AnswerRetry {
    const run = this.#run;
    if (reason !== null && run.hasNext && this.#mayRetry(reason)) {
      // No provider bills an answer that is an error.
      const cost: Cost = status >= 400 ? { known: true, usd: 0 } : this.#cost(answer);
      run.failed({ outcome: status >= 400 ? 'provider-error' : 'complete', status, reason, cost, retryAfterMs });
      return { kind: 'retry', reason };
    }
    run.health(status >= 400 ? reason : null, retryAfterMs);
    return { kind: 'pass' };
  }

  #mayRetry(reason: FallbackTrigger): boolean {
    const { facts } = this.#run;
    if (!facts.fallback.triggers.has(reason)) return false;
    // The app's own key was refused by its own provider: the gateway's keys are not there to make up for it.
    if (reason === 'key-dead') return this.#target.provider !== facts.provider.name;
    if (reason === 'context-window') return window(this.#run, this.#run.current + 1) > window(this.#run, this.#run.current);
    return true;
  }

  #cost(answer: (() => Answer) | null): Cost {
    return estimateSavings(this.#run.facts.generation, this.#target, this.#target, answer?.().usage ?? null).cost;
  }

  #headers(path: string): HeaderMutation {
    const { facts } = this.#run;
    const keys = this.#target.provider === facts.provider.name ? this.#run.ownKeys() : this.#credentials.swap(this.#provider);
    if (keys === null) throw new Error(`no credential for ${this.#target.provider}`);
    return { set: [...keys.set, [':path', upstreamPath(this.#provider, path)]], remove: keys.remove };
  }
}

/** The path at a provider's endpoint, whose URL may have one of its own. */
export function upstreamPath(provider: Provider, path: string): string {
  return new URL(provider.endpoint).pathname.replace(/\/$/, '') + path;
}

/** Holds a stream until its first event, which may be an error in spite of the 200. */
class FirstEventGate implements StreamRelay {
  readonly #verdict: (failed: boolean) => AnswerPass | AnswerRetry;
  readonly #splitter: SseSplitter;
  #held: Buffer[] | null = [];
  #first: string | null = null;

  constructor(verdict: (failed: boolean) => AnswerPass | AnswerRetry) {
    this.#verdict = verdict;
    this.#splitter = new SseSplitter((data) => (this.#first ??= data.toString('utf8')));
  }

  push(bytes: Buffer): RelayStep {
    if (this.#held === null) return { kind: 'go', bytes };
    this.#held.push(Buffer.from(bytes));
    this.#splitter.push(bytes);
    return this.#first === null && this.#splitter.skipped === 0 ? { kind: 'hold' } : this.#open();
  }

  end(): RelayStep {
    return this.#held === null ? { kind: 'go', bytes: Buffer.alloc(0) } : this.#open();
  }

  #open(): RelayStep {
    const plan = this.#verdict(this.#first !== null && isErrorEvent(this.#first));
    if (plan.kind === 'retry') return plan;
    const bytes = Buffer.concat(this.#held ?? []);
    this.#held = null;
    return { kind: 'go', bytes, headers: nothing };
  }
}

function answerOf(head: AnswerHead, body: Buffer): Answer {
  const reader = readAnswer(head);
  reader.push(body);
  return reader.end(true);
}

function tooLarge(headers: HeaderMap, bytes: number): boolean {
  return Number(headers.get('content-length') ?? 0) > bytes;
}

/** Context window of a chain's target, tokens; 0: not known. */
function window({ facts }: ChainRun, index: number): number {
  const target = facts.targets[index];
  const provider = target === undefined ? undefined : facts.generation.providers.get(target.provider);
  if (target === undefined || provider === undefined) return 0;
  return facts.generation.catalog.lookup(provider.catalogProvider, provider.deployments.get(target.model) ?? target.model)?.contextWindow ?? 0;
}

/** Milliseconds from `retry-after-ms` or `retry-after` (seconds or a date); null: not said. */
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
