import { performance } from 'node:perf_hooks';
import { saysUsageOnRequest } from './adapt.ts';
import { readExchange, rewritePath, spliceRequest } from '../apis/index.ts';
import { limitNameFor } from '../apis/parameters.ts';
import type { AnswerHead, ParsedRequest, Recognition } from '../apis/types.ts';
import { clusterName, mirrorHeader, shadowHeader } from '../attach/names.ts';
import type { Shadowed as Copied } from '../experiments/trials.ts';
import type { AnswerPlan, Attempt, AttemptRequest } from './plans.ts';
import type { HeaderMap, HeaderMutation } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';
import type { Provider, TargetRef } from '../policy/types.ts';
import { buildRecord, type AnswerEnding, type RequestFacts } from '../record/record.ts';
import type { RecordSink } from '../record/types.ts';
import { disqualify, entryOf, catalogModel } from '../route/capabilities.ts';
import { expectedAnswerTokens, expectedOutputTokens } from '../route/estimate.ts';
import type { DecideInput, Decision } from '../route/types.ts';
import { upstreamPath } from './chain/attempt.ts';
import { answerOf } from './chain/verdicts.ts';
import { crossingPath, removedNames } from './crossing-headers.ts';
import type { Credentials } from './credentials.ts';
import type { Grader } from './grading.ts';
import type { OpenGrading, VerifiedSide } from './open.ts';
import { PendingExchanges } from './pending.ts';
import { outcomeOf } from './answer/outcome.ts';
import { callerFacts } from './caller.ts';
import { extraCallFacts } from './extra-call.ts';
import { unread } from './observed.ts';
import type { ReadRequest, RequestContext } from './context.ts';

/** A mirrored request: for an experiment, or to compare its answer with the served one. */
export interface Shadowed extends Copied {
  readonly verify?: VerifiedSide;
}

/** Used in place of an experiment's name; no experiment can have this name. */
export const verifyName = '(verify)';

/** The result for a request that was drawn. Closed list: a metric label. */
export type ShadowResult = 'sent' | 'answered' | 'lost' | 'envoy' | 'sensitive' | 'cannot' | 'unknown-price' | 'budget' | 'busy' | 'no-key';

export interface ShadowsOptions {
  readonly credentials: Credentials;
  readonly grader: Grader;
  readonly sink: RecordSink;
  readonly onResult: (experiment: string, result: ShadowResult) => void;
  readonly now?: () => number;
}

/** A copy that is in flight. */
interface OpenShadow {
  readonly facts: RequestFacts;
  readonly shadowOf: string;
  readonly experiment: string;
  readonly target: TargetRef;
  readonly provider: Provider;
  /** The provider that the app called. */
  readonly own: string;
  readonly recognition: Recognition & { readonly kind: 'readable' };
  /** The app's own path at its provider. */
  readonly path: string;
  readonly keys: HeaderMutation;
  readonly grading: OpenGrading;
  readonly startedAt: number;
  /** US dollars reserved for it. */
  readonly reserved: number;
}

const dayMs = 86_400_000;

/**
 * Mirrors requests to other models: Envoy copies and sends them after the original, without waiting. A filter in the other model's cluster
 * sets the model's name and key, and reads the answer, which no app receives.
 */
export class Shadows {
  readonly #options: ShadowsOptions;
  readonly #now: () => number;
  readonly #open: PendingExchanges<OpenShadow>;
  readonly #sweeper: NodeJS.Timeout;
  #day = 0;
  /** US dollars spent today, by experiment. */
  readonly #spent = new Map<string, number>();

  constructor(options: ShadowsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#open = new PendingExchanges((shadow) => this.#lost(shadow), { max: limits.shadows, maxAgeMs: limits.shadowMs });
    this.#sweeper = setInterval(() => this.#open.sweep(performance.now()), 5_000);
    this.#sweeper.unref();
  }

  /** The header that makes Envoy send a copy; null if no copy is sent. */
  begin(request: ReadRequest, shadowed: Shadowed, input: DecideInput, decision: Decision): readonly [string, string] | null {
    const { experiment, target, verify } = shadowed;
    const admitted = this.#admit(request, shadowed, input, decision);
    if (typeof admitted === 'string') {
      this.#options.onResult(experiment, admitted);
      return null;
    }
    const { context, exchange } = request;
    const { provider, keys, usd } = admitted;
    const { id, recognition, path } = context;
    this.#spend(experiment, usd);
    const now = performance.now();
    this.#open.add(
      id,
      {
        facts: mirroredFacts(context, exchange, input.verdict, target, verify === undefined ? `${experiment}:treatment` : null),
        shadowOf: id,
        experiment,
        target,
        provider,
        own: context.provider.name,
        recognition,
        path,
        keys,
        grading: this.#options.grader.shadow(request, verify ?? null),
        startedAt: now,
        reserved: usd,
      },
      now,
    );
    this.#options.onResult(experiment, 'sent');
    return [mirrorHeader, clusterName(provider.name, 'shadow')];
  }

  /** What a copy is sent with, or why it must not be sent. `usd`: its expected cost in US dollars. */
  #admit(
    { context, exchange }: ReadRequest,
    { experiment, target, maxUsdPerDay }: Shadowed,
    input: DecideInput,
    decision: Decision,
  ): ShadowResult | { readonly provider: Provider; readonly keys: HeaderMutation; readonly usd: number } {
    const { generation } = context;
    const { verdict } = input;
    const provider = generation.providers.get(target.provider);
    // An Envoy before 1.40 cannot tell which request a copy belongs to.
    if (!context.envoy.mirrors) return 'envoy';
    // Text that matches a sensitive-data pattern is sent to no other model.
    if (decision.reason === 'sensitivity') return 'sensitive';
    if (provider === undefined || disqualify(input, target, entryOf(input, target), expectedAnswerTokens(exchange, verdict)) !== null)
      return 'cannot';
    const estimate = generation.catalog.estimate(
      provider.catalogProvider,
      catalogModel(provider, target.model),
      exchange.promptTokens,
      expectedOutputTokens(exchange, verdict),
    );
    if (!estimate.known) return 'unknown-price';
    if (this.#spentToday(experiment) + estimate.usd > maxUsdPerDay) return 'budget';
    if (this.#open.size >= limits.shadows) return 'busy';
    const keys = this.#keys(context, target, provider);
    return keys === null ? 'no-key' : { provider, keys, usd: estimate.usd };
  }

  /** The copy of a decision's request has reached its provider's cluster; null if the copy is unknown. */
  attempt(id: string): Attempt | null {
    const shadow = this.#open.take(id);
    return shadow === undefined
      ? null
      : new ShadowAttempt(shadow, (ending) => (ending === null ? this.#lost(shadow) : this.#ended(shadow, ending)));
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#open.clear();
  }

  #ended(shadow: OpenShadow, ending: AnswerEnding): void {
    const { facts, experiment, grading, reserved } = shadow;
    const quality = this.#options.grader.end(facts.id, grading, facts.generation, ending);
    const record = buildRecord(facts, ending, quality);
    // Replace the reserved estimate by the real cost; if the cost is unknown, the estimate stays.
    if (record.cost.known) this.#spend(experiment, record.cost.usd - reserved);
    this.#options.sink.record({ ...record, shadowOf: shadow.shadowOf });
    this.#options.onResult(experiment, 'answered');
  }

  #lost({ experiment, grading }: OpenShadow): void {
    this.#options.grader.lost(grading);
    this.#options.onResult(experiment, 'lost');
  }

  /** The target's key: the gateway's, or the app's if the target is the app's own provider. The copy may carry another provider's key. */
  #keys(
    { provider: own, ownHeaders: { list: ownHeaders }, section }: RequestContext,
    target: TargetRef,
    provider: Provider,
  ): HeaderMutation | null {
    const swapped = this.#options.credentials.swap(provider, section);
    if (target.provider === own.name) return swapped ?? { set: ownHeaders, remove: [] };
    return swapped === null ? null : { set: swapped.set, remove: removedNames(ownHeaders, swapped.remove, swapped.set) };
  }

  #spentToday(experiment: string): number {
    const day = Math.floor(this.#now() / dayMs);
    if (day !== this.#day) {
      this.#day = day;
      this.#spent.clear();
    }
    return this.#spent.get(experiment) ?? 0;
  }

  #spend(experiment: string, usd: number): void {
    this.#spent.set(experiment, this.#spentToday(experiment) + usd);
  }
}

function mirroredFacts(
  context: RequestContext,
  exchange: ParsedRequest,
  verdict: DecideInput['verdict'],
  target: TargetRef,
  arm: string | null,
): RequestFacts {
  return extraCallFacts({
    kind: 'shadow',
    wallTime: context.wallTime,
    generation: context.generation,
    workspace: context.caller.workspace,
    user: context.caller.user,
    caller: callerFacts(context.caller),
    provider: target.provider,
    api: exchange.api,
    operation: exchange.operation,
    stream: exchange.stream,
    requestedModel: target.model,
    verdict,
    section: context.section.name,
    mode: context.section.mode,
    request: {
      ...unread,
      bytes: exchange.bodyBytes,
      estimatedTokens: exchange.promptTokens,
      messages: exchange.messages,
      tools: exchange.tools,
      images: exchange.images,
    },
    arm,
  });
}

class ShadowAttempt implements Attempt {
  readonly #shadow: OpenShadow;
  readonly #end: (ending: AnswerEnding | null) => void;
  #ended = false;

  constructor(shadow: OpenShadow, end: (ending: AnswerEnding | null) => void) {
    this.#shadow = shadow;
    this.#end = end;
  }

  request(body: Buffer): AttemptRequest {
    const { recognition, target, provider, path, keys } = this.#shadow;
    const read = readExchange(recognition, body);
    // It was parsed before; only another filter could have changed it.
    if (!read.ok) throw new Error(`the copy cannot be read any more: ${read.reason}`);
    const { exchange } = read;
    const inPath = exchange.pathModel !== null;
    const limitName = limitNameFor(exchange, provider.catalogProvider, catalogModel(provider, target.model));
    const own = inPath ? rewritePath(path, exchange, target.model) : path;
    const sent = provider.name === this.#shadow.own ? own : crossingPath(own);
    return {
      kind: 'forward',
      body: spliceRequest(body, exchange, {
        ...(inPath ? {} : { model: target.model }),
        ...(limitName === null ? {} : { limitName }),
        askUsage: exchange.includeUsage === null && saysUsageOnRequest(exchange),
      }),
      headers: {
        set: [...keys.set, [':path', upstreamPath(provider, sent)], [':authority', new URL(provider.endpoint).hostname]],
        remove: [...keys.remove, shadowHeader, mirrorHeader],
      },
      metadata: {},
    };
  }

  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan {
    const { recognition, grading, startedAt } = this.#shadow;
    const status = Number(headers.get(':status') ?? 0);
    const firstByteMs = performance.now() - startedAt;
    const head: AnswerHead = {
      api: recognition.api,
      status,
      contentType: headers.get('content-type') ?? '',
      contentEncoding: headers.get('content-encoding') ?? '',
      usageNotAsked: false,
    };
    grading.copy?.head(status, head.contentType.toLowerCase(), head.contentEncoding.toLowerCase());
    const close = (body: Buffer): { readonly kind: 'pass' } => {
      grading.copy?.push(body);
      const answer = answerOf(head, body);
      this.#finish({
        outcome: outcomeOf(status, answer, false, false),
        status,
        answer,
        firstByteMs,
        firstTokenMs: null,
        totalMs: performance.now() - startedAt,
      });
      return { kind: 'pass' };
    };
    return endOfStream ? close(Buffer.alloc(0)) : { kind: 'whole', maxBytes: limits.answerBytes, judge: close };
  }

  closed(): void {
    this.#finish(null);
  }

  #finish(ending: AnswerEnding | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#end(ending);
  }
}
