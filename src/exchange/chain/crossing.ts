import { renderFailure } from '../../apis/errors.ts';
import { renderError } from '../../apis/index.ts';
import { apis, dialects } from '../../apis/registry.ts';
import { renderAnswer, type Rendered } from '../../apis/replay.ts';
import type { AnswerHead, ApiName, DialectFamily, ParsedRequest } from '../../apis/types.ts';
import type { AnswerPass, AnswerPlan, AnswerRetry, Attempt, AttemptRequest } from '../plans.ts';
import type { HeaderMap } from '../../lib/headers.ts';
import { limits } from '../../lib/limits.ts';
import type { FallbackTrigger, Provider, TargetRef } from '../../policy/types.ts';
import { answerTriggers, judgeAnswer, judgeStatus } from '../../grades/check-answer.ts';
import { entryOf } from '../../route/capabilities.ts';
import type { Obstacle } from '../../route/types.ts';
import { apiHeaders, AnswerTranslator, canTranslate, translateAnswer, translateRequest, type AnswerOptions } from '../../apis/translate.ts';
import { upstreamPath } from './attempt.ts';
import { answerHeaders, answerOf, AttemptVerdicts, plainOf, retryAfter, saysWhen } from './verdicts.ts';
import { DecodedStream, isEncoded } from './decoded-stream.ts';
import { retryDelayIn } from '../../apis/common/retry-delay.ts';
import type { ChainRun } from './run.ts';
import { restoreJson } from '../../apis/mask/restore.ts';
import type { Credentials } from '../credentials.ts';
import { strangeKeys } from '../crossing-headers.ts';
import { RestoredStream, TranslatedStream } from './relays.ts';

/** A model of another family, and the parameters that its chain may leave out. */
export interface CrossingTarget {
  readonly family: DialectFamily;
  readonly model: string;
  readonly drop: readonly string[];
  /** The catalog's name of its provider; undefined if not known. */
  readonly provider: string | undefined;
}

/**
 * What keeps a request from being translated to another family's API without loss; empty if nothing does. Bodies up to
 * limits.translationCheckBytes are translated to find out; larger ones are judged by their facts, and refused later if that was wrong.
 */
export function obstaclesTo(exchange: ParsedRequest, body: Buffer, to: CrossingTarget): readonly Obstacle[] {
  const { model, drop, provider } = to;
  const api = dialects[to.family].chatApi;
  const large = body.length > limits.translationCheckBytes;
  if (api === null || !canTranslate(exchange.api, api, large ? exchange : undefined, drop))
    return [{ path: '', why: `a request like this of ${exchange.api} is not translated to ${api ?? to.family}` }];
  if (large) return none;
  const options = { model, stream: exchange.stream, drop, ...(provider === undefined ? {} : { provider }) };
  const translated = translateRequest(exchange.api, api, body, options);
  return translated.ok ? none : translated.unsupported.slice(0, limits.recordedObstacles);
}

const none: readonly Obstacle[] = [];

/** Whether a request can be translated to another family's API without loss. */
export function translatableTo(exchange: ParsedRequest, body: Buffer, to: CrossingTarget): boolean {
  return obstaclesTo(exchange, body, to).length === 0;
}

/** One attempt at a target that speaks another API than the app: requests and answers are translated. */
export class CrossingAttempt implements Attempt {
  readonly #run: ChainRun;
  readonly #target: TargetRef;
  readonly #provider: Provider;
  /** The API of the target. */
  readonly api: ApiName;
  readonly #id: string;
  readonly #credentials: Credentials;
  readonly #verdicts: AttemptVerdicts;
  #names: ReadonlyMap<string, string> = new Map();

  /** `id`: the decision's id, used to generate ids that the provider omits. */
  constructor(run: ChainRun, target: TargetRef, provider: Provider, id: string, credentials: Credentials) {
    const api = dialects[provider.family].chatApi;
    if (api === null) throw new Error(`requests are not translated for ${provider.family}`);
    this.#run = run;
    this.#target = target;
    this.#provider = provider;
    this.api = api;
    this.#id = id;
    this.#credentials = credentials;
    this.#verdicts = new AttemptVerdicts(run, target);
  }

  request(body: Buffer): AttemptRequest {
    const { facts } = this.#run;
    const translated = translateRequest(facts.recognition.api, this.api, body, {
      model: this.#target.model,
      stream: facts.stream,
      drop: facts.fallback.drop,
      provider: this.#provider.catalogProvider,
      maxOutputTokens: entryOf(facts, this.#target)?.maxOutput ?? null,
    });
    if (!translated.ok) return this.#refuse(translated.unsupported.map(({ path, why }) => `${path} ${why}`).join('; '));
    const keys = this.#credentials.swap(this.#provider, facts.scope);
    this.#run.keyFile = keys?.file ?? null;
    if (keys === null) return this.#refuse(`the gateway has no key for ${this.#target.provider}`);
    this.#run.dropped(translated.dropped);
    this.#names = translated.names;
    return {
      kind: 'forward',
      body: translated.body,
      headers: {
        set: [
          ...keys.set,
          ...this.#run.traceHeaders(),
          [':path', upstreamPath(this.#provider, translated.path)],
          ['content-type', 'application/json'],
          ...Object.entries(translated.headers),
        ],
        remove: strangeKeys(facts.ownHeaders, keys, apiHeaders).remove.filter((name) => !Object.hasOwn(translated.headers, name)),
      },
      metadata: { model: this.#target.model, provider: this.#target.provider, attempts: String(this.#run.current + 1) },
    };
  }

  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan {
    const run = this.#run;
    const status = Number(headers.get(':status') ?? 0);
    run.answered(status);
    const retryAfterMs = retryAfter(headers);
    this.#credentials.answered(run.keyFile, status, retryAfterMs);
    const head: AnswerHead = {
      api: this.api,
      status,
      contentType: headers.get('content-type') ?? '',
      contentEncoding: headers.get('content-encoding') ?? '',
      usageNotAsked: false,
    };
    if (status < 400 && head.contentType.toLowerCase().startsWith('text/event-stream')) return this.#stream(head, status, retryAfterMs);
    const whole = (sent: Buffer): AnswerPass | AnswerRetry => {
      const body = plainOf(head, sent);
      const reason = this.#judge(status, head, body);
      const waitMs = retryAfterMs ?? (saysWhen(status) ? retryDelayIn(body) : null);
      if (waitMs !== retryAfterMs) this.#credentials.answered(run.keyFile, status, waitMs);
      const verdict = this.#verdicts.of(reason, status, waitMs, () => answerOf(head, sent));
      if (verdict.kind === 'retry') return verdict;
      const refused = reason === 'key-dead' ? this.#verdicts.keyRefused() : null;
      this.#run.translated = answerOf(head, sent);
      if (refused === null) return this.#translate(status, body);
      return refused;
    };
    const tooLarge = (): ReturnType<typeof failed> => failed(run, `The answer of ${this.#target.provider} is too large to be translated.`);
    return endOfStream ? whole(Buffer.alloc(0)) : { kind: 'whole', maxBytes: limits.answerBytes, judge: whole, tooLarge };
  }

  closed(): void {
    this.#run.closed();
  }

  #judge(status: number, head: AnswerHead, body: Buffer): FallbackTrigger | null {
    const { fallback, expects } = this.#run.facts;
    if (status >= 400) {
      const meaning = judgeStatus(status);
      return meaning === 'look' ? this.#verdicts.error(body, status) : meaning;
    }
    const looks =
      body.length <= fallback.inspectBytes &&
      (fallback.triggers.has('server-error') || answerTriggers.some((trigger) => fallback.triggers.has(trigger)));
    return looks ? judgeAnswer(head.api, body, expects, fallback.triggers) : null;
  }

  #translate(status: number, body: Buffer): AnswerPass {
    const { facts } = this.#run;
    const api = facts.recognition.api;
    const translated = translateAnswer(this.api, api, status, body, this.#options());
    const plain = facts.restoring === null ? translated.body : restoreJson(translated.body, facts.restoring);
    // An app that asked for a stream gets errors as its API sends them: as JSON.
    const streamed = facts.stream && translated.failure === null ? this.#streamed(plain) : null;
    return {
      kind: 'pass',
      headers: answerHeaders(translated.status, streamed?.contentType ?? translated.contentType),
      body: streamed?.body ?? plain,
    };
  }

  /** A whole answer as the stream that the app asked for; null if it cannot be converted. */
  #streamed(body: Buffer): Rendered | null {
    const { facts } = this.#run;
    const { api } = facts.recognition;
    const usage = this.#run.translated?.usage ?? null;
    const form = apis[api].answer.arrayStreams && this.#options().framing === 'json-array' ? 'array' : 'sse';
    return renderAnswer({ api, form: 'json', body, usage }, { form, includeUsage: facts.includeUsage });
  }

  #stream(head: AnswerHead, status: number, retryAfterMs: number | null): AnswerPlan {
    const { facts } = this.#run;
    const translator = new AnswerTranslator(this.api, facts.recognition.api, this.#options());
    const translated = new TranslatedStream({ ...head, contentEncoding: '' }, translator, {
      headers: answerHeaders(status, translator.contentType),
      verdict: (failed) => this.#verdicts.of(failed ? 'stream-error' : null, status, retryAfterMs, null),
      done: (answer) => (this.#run.translated = answer),
      holds: this.#run.hasNext,
    });
    const relay = isEncoded(head) ? new DecodedStream(translated, head) : translated;
    return {
      kind: 'relay',
      relay:
        facts.restoring === null
          ? relay
          : new RestoredStream(relay, facts.restoring, translator.contentType.startsWith('text/event-stream')),
    };
  }

  #options(): AnswerOptions {
    const { facts } = this.#run;
    const framing = facts.path.includes('alt=sse') ? 'sse' : 'json-array';
    return {
      model: this.#target.model,
      id: this.#id,
      created: Math.floor(Date.now() / 1000),
      includeUsage: facts.includeUsage,
      framing,
      names: this.#names,
    };
  }

  #refuse(why: string): AttemptRequest {
    const rendered = renderError(this.#run.facts.recognition.api, {
      status: 502,
      message: `The fallback ${this.#target.provider}/${this.#target.model} cannot take this request: ${why}`,
      code: 'fallback_not_translatable',
    });
    return {
      kind: 'respond',
      status: 502,
      contentType: rendered.contentType,
      headers: [],
      body: rendered.body,
      details: 'sluice_not_translatable',
    };
  }
}

/** An answer that cannot be translated, as an error of the app's API. */
function failed({ facts }: ChainRun, message: string): AnswerPass & { readonly body: Buffer } {
  const { status, contentType, body } = renderFailure(facts.recognition.api, { kind: 'server', status: 502, message });
  return { kind: 'pass', headers: answerHeaders(status, contentType), body };
}
