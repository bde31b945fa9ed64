import { apis } from '../../apis/registry.ts';
import { readExchange, rewritePath, spliceRequest } from '../../apis/index.ts';
import type { AnswerHead } from '../../apis/types.ts';
import type { AnswerPass, AnswerPlan, AnswerRetry, Attempt, AttemptRequest } from '../plans.ts';
import type { FilterRole } from '../../attach/names.ts';
import type { HeaderMap, HeaderMutation } from '../../lib/headers.ts';
import { limits } from '../../lib/limits.ts';
import type { FallbackTrigger, Provider, TargetRef } from '../../policy/types.ts';
import { restoreJson, type Restoring } from '../../apis/mask/restore.ts';
import { adaptedLimit } from '../../apis/parameters.ts';
import { retryDelayIn } from '../../apis/common/retry-delay.ts';
import { answerTriggers, judgeAnswer, judgeSilent, judgeStatus } from '../../grades/check-answer.ts';
import { limitNameAt } from '../adapt.ts';
import { answerOf, AttemptVerdicts, plainOf, retryAfter, saysWhen } from './verdicts.ts';
import type { ChainRun } from './run.ts';
import { crossingPath, ownKeys, strangeKeys, withoutKeys } from '../crossing-headers.ts';
import type { Credentials } from '../credentials.ts';
import { OwnStream, RestoredStream, withoutLength } from './relays.ts';
import { DecodedStream, isEncoded } from './decoded-stream.ts';

/** What is looked for in the answer of a chain's last target. */
const notAnAnswer: ReadonlySet<FallbackTrigger> = new Set<FallbackTrigger>(['server-error']);

/** One attempt of a chain at a target that speaks the app's own API. */
export class TargetAttempt implements Attempt {
  readonly #run: ChainRun;
  readonly #target: TargetRef;
  readonly #provider: Provider;
  readonly #role: FilterRole;
  readonly #credentials: Credentials;
  readonly #verdicts: AttemptVerdicts;

  constructor(run: ChainRun, target: TargetRef, role: FilterRole, credentials: Credentials) {
    const provider = run.facts.generation.providers.get(target.provider);
    if (provider === undefined) throw new Error(`no provider ${target.provider}`);
    this.#run = run;
    this.#target = target;
    this.#provider = provider;
    this.#role = role;
    this.#credentials = credentials;
    this.#verdicts = new AttemptVerdicts(run, target);
  }

  request(body: Buffer): AttemptRequest {
    const { facts } = this.#run;
    const read = readExchange(facts.recognition, body);
    // It was parsed before; only another filter could have changed it.
    if (!read.ok) throw new Error(`the request cannot be read any more: ${read.reason}`);
    const { exchange } = read;
    const limitName = limitNameAt(facts.generation, this.#target, exchange);
    if (limitName !== null) this.#run.adapted([adaptedLimit(limitName)]);
    const inPath = exchange.pathModel !== null;
    const path = inPath ? rewritePath(facts.path, exchange, this.#target.model) : facts.path;
    return {
      kind: 'forward',
      // Set even if unchanged: the previous attempt may have left another content-length.
      body: spliceRequest(body, exchange, {
        ...(inPath ? {} : { model: this.#target.model }),
        ...(limitName === null ? {} : { limitName }),
        askUsage: false,
      }),
      headers: this.#headers(path),
      metadata: { model: this.#target.model, provider: this.#target.provider, attempts: String(this.#run.current + 1) },
    };
  }

  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan {
    const run = this.#run;
    const status = Number(headers.get(':status') ?? 0);
    run.answered(status);
    const retryAfterMs = retryAfter(headers);
    this.#credentials.answered(run.keyFile, status, retryAfterMs);
    const { fallback, stream } = run.facts;
    const head: AnswerHead = {
      api: run.facts.recognition.api,
      status,
      contentType: headers.get('content-type') ?? '',
      contentEncoding: headers.get('content-encoding') ?? '',
      usageNotAsked: stream && !run.facts.includeUsage,
    };
    if (status >= 400) return this.#error(head, endOfStream, retryAfterMs);
    const events = head.contentType.toLowerCase().startsWith('text/event-stream');
    // Nothing, or events that were not asked for, are no answer.
    if (endOfStream || (events && !stream)) return this.#noAnswer(status, endOfStream, retryAfterMs);
    const watches = fallback.triggers.has('stream-error');
    const { restoring } = run.facts;
    if (events && this.#role === 'stream' && (watches || run.facts.stripUsage || restoring !== null)) {
      const own = new OwnStream(
        { ...head, contentEncoding: '' },
        (failed) => this.#verdicts.of(failed ? 'stream-error' : null, status, retryAfterMs, null),
        { holds: watches && run.hasNext, notices: watches, strips: run.facts.stripUsage ? (answer) => (run.translated = answer) : null },
      );
      const relay = isEncoded(head) ? new DecodedStream(own, head) : own;
      return { kind: 'relay', relay: restoring === null ? relay : new RestoredStream(relay, restoring, true) };
    }
    if (restoring !== null && !events && !endOfStream) return this.#restored(restoring, head, headers, retryAfterMs);
    if (events || !this.#looksInto(headers)) return this.#verdicts.of(null, status, retryAfterMs, null);
    if (!run.hasNext) return this.#last(head, retryAfterMs);
    return {
      kind: 'whole',
      maxBytes: this.#mostLooked(),
      judge: (body) =>
        this.#verdicts.of(judgeAnswer(head.api, plainOf(head, body), run.facts.expects, fallback.triggers), status, retryAfterMs, () =>
          answerOf(head, body),
        ),
    };
  }

  #noAnswer(status: number, empty: boolean, retryAfterMs: number | null): AnswerPlan {
    const run = this.#run;
    const watched = run.facts.fallback.triggers.has('server-error');
    if (watched && empty && !run.hasNext && run.current > 0) return this.#verdicts.noAnswer(status, retryAfterMs);
    return this.#verdicts.of(watched ? 'server-error' : null, status, retryAfterMs, null);
  }

  /** Of a stream that is a JSON array only the beginning is held: an error is short. */
  #mostLooked(): number {
    const { stream, recognition, fallback } = this.#run.facts;
    return stream && apis[recognition.api].answer.arrayStreams ? limits.errorAnswerBytes : fallback.inspectBytes;
  }

  /** The last target's answer passes whatever it says, but a page or half an answer becomes an error of the app's API. */
  #last(head: AnswerHead, retryAfterMs: number | null): AnswerPlan {
    const run = this.#run;
    if (run.current === 0) return this.#verdicts.of(null, head.status, retryAfterMs, null);
    const judge = (body: Buffer): AnswerPass | AnswerRetry =>
      judgeAnswer(head.api, plainOf(head, body), run.facts.expects, notAnAnswer) === null
        ? this.#verdicts.of(null, head.status, retryAfterMs, null)
        : this.#verdicts.noAnswer(head.status, retryAfterMs);
    return { kind: 'whole', maxBytes: this.#mostLooked(), judge };
  }

  /** A whole answer whose mask tokens are replaced by their originals. */
  #restored(restoring: Restoring, head: AnswerHead, headers: HeaderMap, retryAfterMs: number | null): AnswerPlan {
    const { fallback, expects } = this.#run.facts;
    const looks = this.#run.hasNext && this.#looksInto(headers);
    const judge = (body: Buffer): AnswerPass | AnswerRetry => {
      const reason = looks && body.length <= fallback.inspectBytes ? judgeAnswer(head.api, body, expects, fallback.triggers) : null;
      const verdict = this.#verdicts.of(reason, head.status, retryAfterMs, () => answerOf(head, body));
      if (verdict.kind === 'retry') return verdict;
      const restored = restoreJson(body, restoring);
      return restored === body ? verdict : { ...verdict, headers: withoutLength(verdict.headers), body: restored };
    };
    return { kind: 'whole', maxBytes: limits.answerBytes, judge };
  }

  #error(head: AnswerHead, endOfStream: boolean, retryAfterMs: number | null): AnswerPlan {
    const run = this.#run;
    const { status } = head;
    const maxBytes = run.facts.fallback.inspectBytes;
    const said = judgeStatus(status);
    const ownKey = this.#target.provider === run.facts.provider.name;
    const answer = (reason: FallbackTrigger | null, waitMs = retryAfterMs): AnswerPass | AnswerRetry => {
      const verdict = this.#verdicts.of(reason, status, waitMs, null);
      return verdict.kind === 'retry' || reason !== 'key-dead' ? verdict : (this.#verdicts.keyRefused() ?? verdict);
    };
    if (said === 'look' && !endOfStream && (run.hasNext || !ownKey))
      return { kind: 'whole', maxBytes, judge: (body) => answer(this.#verdicts.error(plainOf(head, body), status)) };
    if (said !== 'look' && retryAfterMs === null && saysWhen(status) && !endOfStream)
      return { kind: 'whole', maxBytes, judge: (body) => answer(said, this.#delay(head, body)) };
    const verdict = answer(said === 'look' ? judgeSilent(status) : said);
    // The replacement is sent once the provider's body has arrived.
    return verdict.kind === 'pass' && verdict.body !== undefined && !endOfStream
      ? { kind: 'whole', maxBytes, judge: () => verdict }
      : verdict;
  }

  /** The delay that a body asks for; the key is not used for that time. */
  #delay(head: AnswerHead, body: Buffer): number | null {
    const waitMs = retryDelayIn(plainOf(head, body));
    if (waitMs !== null) this.#credentials.answered(this.#run.keyFile, head.status, waitMs);
    return waitMs;
  }

  /**
   * Whether a whole 200 is inspected: the policy asks for it, or it may be short enough to be an error sent with the wrong status. Most
   * providers do not send a content-length.
   */
  #looksInto(headers: HeaderMap): boolean {
    const { inspectBytes, triggers } = this.#run.facts.fallback;
    const bytes = Number(headers.get('content-length') ?? NaN);
    if (bytes > inspectBytes) return false;
    return answerTriggers.some((trigger) => triggers.has(trigger)) || (triggers.has('server-error') && !(bytes > limits.errorAnswerBytes));
  }

  closed(): void {
    this.#run.closed();
  }

  #headers(path: string): HeaderMutation {
    const { facts } = this.#run;
    const atOwn = this.#target.provider === facts.provider.name;
    const own = atOwn && this.#provider.signing === null && !this.#run.gatewayKeys;
    const swapped = own ? null : this.#credentials.swap(this.#provider, facts.scope);
    this.#run.keyFile = swapped?.file ?? null;
    if (!own && swapped === null) throw new Error(`no credential for ${this.#target.provider}`);
    const keys = swapped === null ? ownKeys(facts.ownHeaders) : strangeKeys(facts.ownHeaders, swapped);
    return {
      set: [
        ...keys.set,
        ...this.#run.traceHeaders(),
        [':path', upstreamPath(this.#provider, own ? path : atOwn ? withoutKeys(path) : crossingPath(path))],
      ],
      remove: keys.remove,
    };
  }
}

/** The path at a provider's endpoint, whose URL may have a path of its own. */
export function upstreamPath(provider: Provider, path: string): string {
  return new URL(provider.endpoint).pathname.replace(/\/$/, '') + path;
}
