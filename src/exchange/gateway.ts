import { performance } from 'node:perf_hooks';
import type { Budgets } from '../budgets/budgets.ts';
import type { LiveModel } from '../router/model/live.ts';
import type { AskingLookup, Lookup, PendingLookup, ResponseCache } from '../cache/cache.ts';
import { LearntRefusals } from '../apis/parameters.ts';
import { inspectJson, inspectPlain } from '../apis/inspect/patterns.ts';
import { maskJson, maskPlain } from '../apis/mask/mask.ts';
import { canonicalPath, recognise } from '../apis/index.ts';
import { takesAsIs } from '../apis/translatable.ts';
import type { ApiName, Exchange, PassReason, Recognition, RequestHead } from '../apis/types.ts';
import { chainHost, chainStyleHeader, usageHeader } from '../attach/names.ts';
import { usageModeOfHeader } from '../attach/usage.ts';
import { chainStyleOfHeader, type ChainStyle } from '../attach/versions.ts';
import type {
  Attempt,
  AttemptGateway,
  BodyPlan,
  BodyWait,
  FilterRole,
  Gateway,
  HeaderMap,
  HeaderMutation,
  KnownOfCaller,
  LoggedExchange,
  RequestPlan,
  ResponsePlan,
  UsageMode,
} from '../extproc/types.ts';
import { limits } from '../lib/limits.ts';
import { MaskKeys, maskWish, rulesMasked } from './masking.ts';
import { feedbackPath, type FeedbackReply } from '../grades/request.ts';
import type { OutputTokens } from '../router/output/tokens.ts';
import type { OnlineLearner } from '../router/online/learner.ts';
import type { PolicySection, PolicyStore } from '../policy/types.ts';
import { uuidv7 } from '../record/id.ts';
import type { Metrics } from '../record/metrics.ts';
import type { AnswerFacts as Ending } from '../record/record.ts';
import { beginTrace, traceparentOf, type TraceFacts } from '../record/trace.ts';
import type { RecordSink } from '../record/types.ts';
import type { Cooldowns } from '../route/cooldowns.ts';
import { Admission } from './admission.ts';
import type { Pools } from '../route/pools.ts';
import { TargetAttempt } from './attempt.ts';
import { maskHere, readHere, type BodyReader, type MaskedBody, type ReadBody, type ReadWish } from './body-reader.ts';
import { callerOf, headOf, keepsModel } from './caller.ts';
import { Claims } from './claims.ts';
import { errorApi, isClosed, refusal } from './closed.ts';
import { Closing } from './closing.ts';
import { observedExchange, type ObservedRequest } from './observed.ts';
import { cacheQuery, cacheScope, hitAnswer, nearOf, notCachedAnswer } from './cached.ts';
import { OwnHeaders, ownHeadersOf, removedNames, withoutKeys } from './crossing-headers.ts';
import { CrossingAttempt } from './crossing-attempt.ts';
import type { Credentials, OwnKey } from './credentials.ts';
import { decodeBody, withoutMark } from './decode.ts';
import type { Grader } from './grading.ts';
import { loggedEnding, logMetadata } from './logged.ts';
import type { OpenExchange } from './open.ts';
import { PendingExchanges } from './pending.ts';
import {
  blocksSensitive,
  decidesSensitive,
  processRequest,
  uncached,
  type CacheFacts,
  type RequestContext,
  type RequestResult,
} from './request.ts';
import { sessionInHeaders, sessionKey } from '../sessions/key.ts';
import type { Sessions } from '../sessions/store.ts';
import type { SessionView } from '../sessions/types.ts';
import type { Trials } from '../experiments/trials.ts';
import { RescueAttempt } from './rescue.ts';
import { AnswerObserver } from './response.ts';
import type { Shadows } from './shadows.ts';

export interface PipelineOptions {
  readonly policy: Pick<PolicyStore, 'current'>;
  readonly credentials: Credentials;
  readonly cooldowns: Cooldowns;
  readonly pools: Pools;
  /** What is learnt of the length of answers; absent: nothing. */
  readonly outputs?: OutputTokens;
  /** Whether Envoy can send to a provider; absent: to all of the policy's. */
  readonly inEnvoy?: (provider: string) => boolean;
  readonly router: Pick<LiveModel, 'current'> | null;
  readonly learner: Pick<OnlineLearner, 'assess' | 'compare' | 'remember'> | null;
  readonly sink: RecordSink;
  readonly metrics: Metrics;
  readonly cache: ResponseCache;
  /** The request header with the app's own id; absent: it is not recorded. */
  readonly requestIdHeader?: string;
  /** Share of the traces that begin here that are sampled, 0 to 1; absent: spans are off. */
  readonly traceRatio?: number;
  /** A caller's own decision to sample is kept; absent: it is. */
  readonly traceByParent?: boolean;
  /** Null: nothing is mirrored. */
  readonly shadows: Shadows | null;
  /** Null: there are no experiments and no rollouts here. */
  readonly trials: Trials | null;
  /** Null: conversations are not kept together. */
  readonly sessions: Sessions | null;
  /** Null: nothing is graded, and feedback is not taken here. */
  readonly grader: Grader | null;
  readonly feedback: ((body: Buffer, workspace: string) => Promise<FeedbackReply>) | null;
  readonly budgets: Budgets;
  /** What tokens for masked data are made with; absent: a key of this process's own. */
  readonly maskKey?: Buffer;
  /** What models refused in this process; absent: the pipeline remembers by itself. */
  readonly refusals?: LearntRefusals;
  readonly admission: Admission;
  /** Null: bodies of any size are read at once. */
  readonly bodies: BodyReader | null;
  readonly log: { error(fields: object, message: string): void; debug(fields: object, message: string): void };
}

/** What the headers settled of a request that may be refused. */
type RefusedRequest = Omit<ObservedRequest, 'recognition' | 'section'> & {
  readonly section: PolicySection;
  readonly headers: HeaderMap | null;
  readonly sentPath?: string;
};

/** A plan that waits for a backend or for another request's answer. */
interface WaitingPlan {
  readonly kind: 'waiting';
  readonly plan: Promise<BodyPlan | BodyWait> | BodyWait;
  /** The client has gone. */
  readonly leave: () => void;
}

/** How long a grade may take: an old decision is looked up in the ledger. */
const feedbackMs = 5_000;

const unobserved: Ending = { outcome: 'unobserved', status: null, answer: null, firstByteMs: null, firstTokenMs: null, totalMs: null };

/**
 * One request, in order: headers → recognise → body → read, look in the cache, classify, decide, rewrite → answer → record.
 * Nothing here throws to Envoy: what goes wrong is a pass, counted.
 */
export class Pipeline implements Gateway, AttemptGateway {
  readonly #options: PipelineOptions;
  readonly #pending: PendingExchanges<OpenExchange>;
  /** Those whose end Envoy's access log tells. */
  readonly #logged: PendingExchanges<OpenExchange>;
  readonly #sweeper: NodeJS.Timeout;
  readonly #closing: Closing;
  readonly #admission: Admission;
  readonly #maskKeys: MaskKeys;

  constructor(options: PipelineOptions) {
    this.#options = { ...options, refusals: options.refusals ?? new LearntRefusals() };
    this.#admission = options.admission;
    this.#maskKeys = new MaskKeys(options.maskKey);
    this.#closing = new Closing(options, (error) => this.#fail(error));
    this.#pending = new PendingExchanges((open) => this.#closing.now(open, unobserved));
    this.#logged = new PendingExchanges((open) => this.#closing.now(open, unobserved), { maxAgeMs: limits.loggedMs });
    this.#sweeper = setInterval(() => {
      this.#pending.sweep(performance.now());
      this.#logged.sweep(performance.now());
    }, 5_000);
    this.#sweeper.unref();
  }

  /** Exchanges of whose answer nothing has come yet. */
  get pending(): number {
    return this.#pending.size + this.#logged.size;
  }

  awaitsLog(): boolean {
    return this.#logged.size > 0;
  }

  /** An Envoy is gone, and with it its requests: they give their places back. What else is known of them may yet come by its log. */
  gone(peer: string): void {
    for (const pending of [this.#pending, this.#logged]) {
      for (const { reservation, peer: of } of pending.values())
        if (of === peer && reservation !== null) this.#options.budgets.leave(reservation);
    }
  }

  /** Writes the records of what has ended; it happens by itself a turn later. */
  flush(): void {
    this.#closing.flush();
  }

  /** Writes the records of all that is still open. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#options.bodies?.close();
    this.flush();
    this.#admission.close();
    this.#pending.clear();
    this.#logged.clear();
  }

  requestHeaders(headers: HeaderMap, endOfStream: boolean, traceparent?: string, known?: KnownOfCaller, peer?: string): RequestPlan {
    try {
      return this.#headers(headers, endOfStream, traceparent, known, peer);
    } catch (error) {
      this.#fail(error);
      // Whose request it was is not known here: one that must not pass undecided may be among them.
      return this.#options.policy.current().hasClosedSections ? refusal('internal-error', 'other-llm', null) : { kind: 'pass' };
    }
  }

  responseHeaders(headers: HeaderMap, metadata: Readonly<Record<string, unknown>> | null, endOfStream: boolean): ResponsePlan {
    const id = metadata?.['id'];
    // Copies of what was to come by the log are sent by an Envoy whose config is half a new one.
    const open = typeof id === 'string' ? (this.#pending.take(id) ?? this.#logged.take(id)) : undefined;
    if (open === undefined) return { kind: 'ignore' };
    const observer = new AnswerObserver(open, headers, (exchange, ending) => this.#closing.soon(exchange, ending));
    if (!endOfStream) return { kind: 'read', observer };
    observer.end(true, false);
    return { kind: 'ignore' };
  }

  logged(entry: LoggedExchange): void {
    const { id } = entry;
    const open = this.#logged.take(id) ?? (entry.status === 0 ? this.#pending.take(id) : undefined);
    if (open === undefined) return;
    try {
      this.#closing.soon(open, loggedEnding(open, entry));
    } catch (error) {
      this.#fail(error);
    }
  }

  attempt(role: FilterRole, metadata: Readonly<Record<string, unknown>> | null, host: string | null): Attempt | null {
    const id = metadata?.['id'];
    if (role === 'shadow') return typeof id === 'string' ? (this.#options.shadows?.attempt(id) ?? null) : null;
    const run = typeof id === 'string' ? (this.#pending.get(id) ?? this.#logged.get(id))?.chain : null;
    if (run === null || run === undefined) return null;
    // The request filter has begun an attempt of role gate itself.
    const target = role === 'gate' ? run.target : run.begin();
    if (run.rescue !== null && target !== null) {
      run.answered(null);
      return new RescueAttempt(run.rescue);
    }
    const { credentials } = this.#options;
    const { generation, provider } = run.facts;
    const other = target === null ? undefined : generation.providers.get(target.provider);
    if (target === null || other === undefined) return null;
    // Envoy passes over endpoints that it does not have: another target's request and key would go there.
    if (host !== null && host !== chainHost(target.provider)) return null;
    return target.provider === provider.name || takesAsIs(other, provider.family, run.facts.recognition.api)
      ? new TargetAttempt(run, target, role, credentials)
      : new CrossingAttempt(run, target, other, String(id), credentials);
  }

  #headers(
    headers: HeaderMap,
    endOfStream: boolean,
    traceparent: string | undefined,
    known: KnownOfCaller | undefined,
    peer: string | undefined,
  ): RequestPlan {
    const startedAt = performance.now();
    const generation = this.#options.policy.current();
    const authority = headers.get(':authority') ?? headers.get('host') ?? '';
    const gatewayPath = canonicalPath(headers.get(':path') ?? '/');
    const { feedback } = this.#options;
    if (gatewayPath === feedbackPath && feedback !== null && !endOfStream && headers.get(':method') === 'POST')
      return this.#feedback(feedback, callerOf(headers, generation, new Claims(headers, generation.callers, known)).workspace);
    const resolved = generation.resolveProvider(authority, gatewayPath, headers);
    if (resolved === 'ambiguous') return this.#ambiguous(gatewayPath);
    if (resolved === null) return this.#pass('unknown-provider');
    const { provider, path } = resolved;
    const head = headOf(headers, path, authority);
    const claims = new Claims(headers, generation.callers, known);
    const caller = callerOf(headers, generation, claims, this.#options.requestIdHeader ?? null);
    const chainStyle = chainStyleOfHeader(headers.get(chainStyleHeader));
    const usage = usageModeOfHeader(headers.get(usageHeader));
    const section = sectionFor(generation.section(caller.workspace, provider.name), chainStyle);
    const id = uuidv7();
    const closed = isClosed(section);
    const recognition = recognise(head, provider.family, closed);
    if (section.mode === 'off') return this.#pass(recognition.kind === 'pass' ? recognition.reason : 'policy-off');
    const trace = this.#trace(headers, traceparent);
    const refused = {
      id,
      startedAt,
      generation,
      provider,
      caller,
      section,
      trace,
      usage,
      method: head.method,
      path,
      headers,
      sentPath: gatewayPath,
    };
    if (section.credentials === 'gateway' && section.mode === 'enabled' && !this.#options.credentials.has(provider.name, section))
      return this.#refuse(refused, recognition, 'no-gateway-key');
    if (recognition.kind !== 'readable') return this.#unrewritable(refused, head, recognition, endOfStream);
    if (endOfStream) return closed ? this.#refuse(refused, recognition, 'no-body') : this.#passKeyed(refused, 'no-body');
    if (!this.#admission.admits()) return closed ? this.#refuse(refused, recognition, 'overload') : this.#passKeyed(refused, 'overload');
    const context: RequestContext = {
      id,
      startedAt,
      wallTime: caller.now,
      generation,
      provider,
      section,
      caller,
      recognition,
      prefix: gatewayPath.slice(0, gatewayPath.length - path.length),
      path,
      trace,
      inspection: null,
      masked: null,
      replaced: false,
      routeOff: keepsModel(claims),
      cache: cacheScope(headers, generation, section, path, { claims, workspace: caller.workspace }),
      arm: null,
      forced: null,
      shadow: null,
      sessionName:
        section.sessions === null && this.#options.trials?.active(generation) !== true
          ? null
          : sessionInHeaders((names) => claims.said('session', names), section.sessions?.headers ?? []),
      chainStyle,
      usage,
      peer,
      ownHeaders: new OwnHeaders(headers),
      headers: section.credentials === 'gateway' ? headers : null,
    };
    for (const { claim, why } of claims.ignored) this.#options.metrics.claimIgnored(claim, why);
    let leave: (() => void) | null = null;
    let awaited = true;
    this.#admission.entered();
    return {
      kind: 'read-body',
      // A client that leaves while its request is decided must give its place back: Envoy tells of those that have a name.
      ...(generation.limitsConcurrent ? { metadata: { id } } : {}),
      exchange: {
        body: (bytes) => {
          awaited = false;
          this.#admission.left();
          const planned = this.#body(context, bytes, refused, closed ? head.contentEncoding : '');
          if (planned.kind !== 'waiting') return planned;
          leave = planned.leave;
          return planned.plan;
        },
        // Nothing was decided: there is nothing to record.
        aborted: () => {
          if (awaited) this.#admission.left();
          awaited = false;
          leave?.();
        },
      },
    };
  }

  /** Nobody guesses with somebody's key. */
  #ambiguous(path: string): RequestPlan {
    this.#options.metrics.refused('ambiguous-provider');
    this.#options.log.debug({ path: path.replace(/\?.*$/, '') }, 'more than one provider may be meant');
    return refusal('ambiguous-provider', 'other-llm', null);
  }

  /** An app's grade of an answer: taken here, so that apps need to know no other address than the gateway's. */
  #feedback(take: NonNullable<PipelineOptions['feedback']>, workspace: string): RequestPlan {
    const answer = async (bytes: Buffer): Promise<BodyPlan> => {
      const { status, body } = await take(bytes, workspace).catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'feedback could not be taken');
        return { status: 503, body: { error: { code: 'unavailable', message: 'Feedback cannot be taken right now.' } } };
      });
      return {
        kind: 'respond',
        status,
        contentType: 'application/json',
        headers: [],
        body: Buffer.from(`${JSON.stringify(body)}\n`),
        details: 'sluice_feedback',
      };
    };
    return {
      kind: 'read-body',
      exchange: { body: (bytes) => ({ kind: 'wait', ms: feedbackMs, plan: answer(bytes) }), aborted: () => undefined },
    };
  }

  /** `encoding`: what has to be taken off the body before it can be read. */
  #body(came: RequestContext, sent: Buffer, request: RefusedRequest, encoding: string): BodyPlan | WaitingPlan {
    const enteredAt = performance.now();
    const { recognition, section } = came;
    if (sent.length > limits.requestBodyBytes) return this.#unread(came, 'too-large');
    // The body has waited its turn as the headers did; Envoy may have given the request up.
    if (!this.#admission.admits()) return this.#unread(came, 'overload');
    const decoded = encoding === '' ? sent : decodeBody(sent, encoding);
    if (decoded === null) return this.#refuse(request, recognition, 'encoded-body');
    const bytes = isClosed(section) ? withoutMark(decoded) : decoded;
    const context = bytes === sent ? came : { ...came, replaced: true };
    const { bodies } = this.#options;
    const wish = this.#wish(context);
    const read = bodies === null ? readHere(recognition, bytes, wish) : bodies.read(recognition, bytes, wish);
    let left = false;
    let leave = (): void => undefined;
    const planned =
      read instanceof Promise
        ? read.then((here) =>
            this.#resumed(
              context,
              here,
              enteredAt,
              () => left,
              (waiting) => (leave = waiting.leave),
            ),
          )
        : this.#read(context, read, enteredAt, () => left);
    if (!(planned instanceof Promise)) return planned;
    // A large body on its thread may take longer than Envoy waits by itself, and so may what comes after it.
    const plan = planned.then((ready) => (ready.kind === 'wait' ? ready.plan : ready));
    return {
      kind: 'waiting',
      plan:
        read instanceof Promise
          ? { kind: 'wait', ms: Math.min(limits.bodyWaitMs, limits.bodyReadMs + section.cache.coalesce * 1_000), plan }
          : planned,
      leave: () => {
        left = true;
        leave();
      },
    };
  }

  /** Goes on with a body that was read on another thread, unless the client has left by then. */
  #resumed(
    context: RequestContext,
    here: ReadBody,
    enteredAt: number,
    gone: () => boolean,
    wait: (waiting: WaitingPlan) => void,
  ): BodyPlan | BodyWait | Promise<BodyPlan | BodyWait> {
    if (gone()) return { kind: 'forward' };
    const planned = this.#read(context, here, enteredAt, gone);
    if (planned instanceof Promise || planned.kind !== 'waiting') return planned;
    wait(planned);
    return planned.plan;
  }

  /** What is wanted of a body: as little as the section needs. */
  #wish({ section, caller, cache }: Pick<RequestContext, 'section' | 'caller' | 'cache'>): ReadWish {
    const patterns = section.sensitivity.map(({ pattern }) => pattern);
    const mask = maskWish(section, caller.workspace, this.#maskKeys);
    return { members: cache !== null, patterns, ...(mask === null ? {} : { mask }) };
  }

  #read(before: RequestContext, here: ReadBody, enteredAt: number, gone: () => boolean): BodyPlan | Promise<BodyPlan> | WaitingPlan {
    const { read, inspection } = here;
    const came = inspection === null ? before : { ...before, inspection };
    let context = came;
    try {
      if (!read.ok) return this.#unread(came, read.reason);
      context = this.#inArms(came, read.exchange, here.body);
      if (context.inspection?.unread === true && !decidesSensitive(context) && isClosed(context.section))
        return this.#unread(context, 'unread');
      const masked = this.#masked(context, before, here);
      if (masked === 'failed') return this.#unmasked(context);
      const { body: bytes, members } = masked ?? here;
      const { exchange } = masked?.read ?? read;
      if (masked !== null)
        context = {
          ...context,
          replaced: true,
          masked: { rules: rulesMasked(context.section, masked.counts), restored: new Map(masked.restored) },
        };
      // An answer to what holds sensitive data is kept nowhere; one that only knows tokens may be.
      if (context.cache === null || members === null || decidesSensitive(context) || (context.masked?.restored.size ?? 0) > 0)
        return this.#decide(context, exchange, bytes, uncached, enteredAt, gone);
      const query = cacheQuery(context, context.cache, exchange, members, bytes);
      if (query === null) return this.#decide(context, exchange, bytes, { ...uncached, cache: 'bypass' }, enteredAt, gone);
      const lookedAt = context.trace === null ? 0 : performance.now();
      const found = this.#options.cache.lookup(query, nearOf(context, context.cache, exchange, members, bytes));
      context.trace?.steps.push({ name: 'cache', startMs: lookedAt - context.startedAt, endMs: performance.now() - context.startedAt });
      return found.kind === 'pending' || found.kind === 'asking'
        ? this.#wait(context, exchange, bytes, found)
        : this.#found(context, exchange, bytes, found, enteredAt, gone);
    } catch (error) {
      return this.#failed(context, error);
    }
  }

  /** The request's body with tokens for its sensitive data; null: there is none to mask. `before`: as it was read, in no arm yet. */
  #masked(
    context: RequestContext,
    before: RequestContext,
    here: ReadBody,
  ): (MaskedBody & { readonly read: { readonly ok: true } }) | 'failed' | null {
    const same = context.section.sensitivity === before.section.sensitivity;
    const masked =
      same || context.inspection === null ? here.masked : maskHere(context.recognition, here.body, this.#wish(context), context.inspection);
    if (masked === null || masked === 'failed') return masked === null || blocksSensitive(context) ? null : masked;
    const { read } = masked;
    return read.ok ? { ...masked, read } : 'failed';
  }

  /** What must be masked and cannot be does not leave. */
  #unmasked(context: RequestContext): BodyPlan {
    const { section, inspection, recognition } = context;
    const rule = section.sensitivity.find(({ then }, at) => then.kind === 'mask' && inspection?.matched[at] === true);
    return this.#refuse(context, recognition, 'unmasked', rule?.then.kind === 'mask' ? rule.then.message : undefined);
  }

  /** The same request with the policy and the arms that rollouts and experiments put it in. */
  #inArms(context: RequestContext, exchange: Exchange, bytes: Buffer): RequestContext {
    const { trials } = this.#options;
    const { id, caller, provider, section, routeOff } = context;
    if (
      trials === null ||
      routeOff ||
      exchange.operation !== 'generate' ||
      section.mode !== 'enabled' ||
      !trials.active(context.generation)
    )
      return context;
    const session = sessionKey(caller.workspace, context.sessionName, exchange, bytes, caller.trust?.believesBody('session'))?.key ?? null;
    const assigned = trials.assign({ id, workspace: caller.workspace, provider: provider.name, session }, context.generation);
    if (assigned === null) return context;
    const { generation, forced, shadow, arm } = assigned;
    const inArm = assigned.section ?? generation.section(caller.workspace, provider.name);
    const inspection =
      inArm.sensitivity === section.sensitivity
        ? context.inspection
        : inspectJson(
            bytes,
            inArm.sensitivity.map(({ pattern }) => pattern),
          );
    return {
      ...context,
      generation,
      provider: generation.providers.get(provider.name) ?? provider,
      section: inArm,
      inspection,
      forced,
      shadow,
      arm,
    };
  }

  /** Goes on when the cache has spoken, unless the client has left by then. */
  #wait(context: RequestContext, exchange: Exchange, bytes: Buffer, pending: PendingLookup | AskingLookup): WaitingPlan {
    let gone = false;
    const answer = (found: Lookup): BodyPlan | Promise<BodyPlan> => {
      const looked = context.trace?.steps.at(-1);
      if (looked !== undefined) looked.endMs = performance.now() - context.startedAt;
      if (gone) {
        if (found.kind === 'miss') found.fill?.abandon();
        return { kind: 'forward' };
      }
      try {
        return this.#found(context, exchange, bytes, found, performance.now(), () => gone);
      } catch (error) {
        return this.#failed(context, error);
      }
    };
    const wait = ({ ms, result }: PendingLookup): BodyWait => ({ kind: 'wait', ms, plan: result.then(answer) });
    const leave = (): void => {
      gone = true;
      pending.leave();
    };
    const plan =
      pending.kind === 'pending' ? wait(pending) : pending.result.then((found) => (found.kind === 'pending' ? wait(found) : answer(found)));
    return { kind: 'waiting', plan, leave };
  }

  #found(
    context: RequestContext,
    exchange: Exchange,
    bytes: Buffer,
    found: Lookup,
    enteredAt: number,
    gone: () => boolean,
  ): BodyPlan | Promise<BodyPlan> {
    if (found.kind === 'miss')
      return this.#decide(
        context,
        exchange,
        bytes,
        { cache: found.state, cacheEntry: null, fill: found.fill, rescue: found.rescue },
        enteredAt,
        gone,
      );
    const { plan, open, ending } =
      found.kind === 'hit' ? hitAnswer(context, exchange, found, enteredAt) : notCachedAnswer(context, exchange, enteredAt);
    this.#closing.soon(open, ending);
    return plan;
  }

  /** Looks the conversation up where there is one: at once, or in a Redis. */
  #decide(
    context: RequestContext,
    exchange: Exchange,
    bytes: Buffer,
    cache: CacheFacts,
    enteredAt: number,
    gone: () => boolean,
  ): BodyPlan | Promise<BodyPlan> {
    const { sessions } = this.#options;
    const { section, caller } = context;
    if (sessions === null || section.sessions === null || context.routeOff || exchange.operation !== 'generate')
      return this.#plan(context, exchange, bytes, null, cache, enteredAt, gone);
    const key = sessionKey(caller.workspace, context.sessionName, exchange, bytes, caller.trust?.believesBody('session'));
    if (key === null) return this.#plan(context, exchange, bytes, null, cache, enteredAt, gone);
    const found = sessions.find(key.key);
    if (!(found instanceof Promise)) return this.#plan(context, exchange, bytes, { ...key, state: found }, cache, enteredAt, gone);
    const ownMs = performance.now() - enteredAt;
    return found.then((state) => {
      if (gone()) {
        cache.fill?.abandon();
        return { kind: 'forward' };
      }
      try {
        return this.#plan(context, exchange, bytes, { ...key, state }, cache, performance.now() - ownMs, gone);
      } catch (error) {
        return this.#failed(context, error);
      }
    });
  }

  #plan(
    context: RequestContext,
    exchange: Exchange,
    bytes: Buffer,
    session: SessionView | null,
    cache: CacheFacts,
    enteredAt: number,
    gone: () => boolean,
  ): BodyPlan | Promise<BodyPlan> {
    try {
      const result = processRequest(context, exchange, bytes, this.#options, session, cache, enteredAt);
      return result instanceof Promise ? this.#deciding(context, result, cache, gone) : this.#decided(context, result);
    } catch (error) {
      // Others may wait for this answer, and it will not come through here.
      cache.fill?.abandon();
      throw error;
    }
  }

  #decided({ trace, usage }: RequestContext, { plan, open }: RequestResult): BodyPlan {
    if (plan.kind === 'respond')
      this.#closing.now(open, { ...unobserved, outcome: 'blocked', status: plan.status, totalMs: performance.now() - open.startedAt });
    else this.#await(open, usage, performance.now());
    return trace === null || plan.kind !== 'forward' ? plan : { ...plan, headers: withTrace(plan.headers, trace) };
  }

  #await(open: OpenExchange, usage: UsageMode, now: number): void {
    this.#options.metrics.answerSource(usage, open.answerBy);
    (open.answerBy === 'copies' ? this.#pending : this.#logged).add(open.id, open, now);
  }

  /** Goes on when the budgets have spoken, unless the client has left by then. */
  #deciding(context: RequestContext, result: Promise<RequestResult>, cache: CacheFacts, gone: () => boolean): Promise<BodyPlan> {
    return result
      .then((decided): BodyPlan => {
        if (!gone()) return this.#decided(context, decided);
        const { reservation } = decided.open;
        if (reservation !== null) this.#options.budgets.release(reservation);
        cache.fill?.abandon();
        return { kind: 'forward' };
      })
      .catch((error: unknown) => {
        cache.fill?.abandon();
        return this.#failed(context, error);
      });
  }

  #failed(context: RequestContext, error: unknown): BodyPlan {
    this.#fail(error);
    // What the app sent in the key's place must not leave either.
    if (!isClosed(context.section) && context.section.credentials !== 'gateway') return { kind: 'forward' };
    try {
      return this.#refuse(context, context.recognition, 'internal-error');
    } catch (again) {
      // The record cannot be made either: what counts is that nothing leaves.
      this.#fail(again);
      return refusal('internal-error', errorApi(context.recognition, context.provider.family), context.id);
    }
  }

  /** What is known by its path and never rewritten, or not known: it passes, but for what a closed section must have read. */
  #unrewritable(
    request: RefusedRequest,
    head: RequestHead,
    recognition: Exclude<Recognition, { readonly kind: 'readable' }>,
    endOfStream: boolean,
  ): RequestPlan {
    const { section } = request;
    const { reason } = recognition;
    if (reason === 'upgrade' && section.websockets === 'refuse' && section.mode === 'enabled')
      return this.#refuse(request, recognition, reason);
    const known: Recognition & { readonly kind: 'observed' } =
      recognition.kind === 'observed' ? recognition : { kind: 'observed', api: 'other-llm', model: null, reason };
    if (recognition.kind === 'pass' && !isClosed(section) && reason !== 'upgrade') return this.#passKeyed(request, reason);
    if (!isClosed(section) || endOfStream || reason === 'upgrade') return this.#observe(request, known);
    if (recognition.kind === 'pass' && reason !== 'method') return this.#refuse(request, recognition, reason);
    if (head.contentLength !== null && head.contentLength > limits.requestBodyBytes) return this.#refuse(request, recognition, 'too-large');
    if (!this.#admission.admits()) return this.#refuse(request, recognition, 'overload');
    return { kind: 'read-body', exchange: { body: (bytes) => this.#inspected(request, head, known, bytes), aborted: () => undefined } };
  }

  /** A body that is not rewritten, of a section whose patterns must not be found in it. */
  #inspected(request: RefusedRequest, head: RequestHead, known: Recognition & { readonly kind: 'observed' }, sent: Buffer): BodyPlan {
    const { section } = request;
    if (sent.length > limits.requestBodyBytes) return this.#refuse(request, known, 'too-large');
    const bytes = decodeBody(sent, head.contentEncoding);
    if (bytes === null) return this.#refuse(request, known, 'encoded-body');
    const patterns = section.sensitivity.map(({ pattern }) => pattern);
    const body = withoutMark(bytes);
    const inJson = inspectJson(body, patterns);
    const { matched, unread } = inJson ?? inspectPlain(body, patterns);
    const found = section.sensitivity.find(({ then }, at) => matched[at] && then.kind !== 'mask');
    if (found !== undefined) {
      // Its secure model is reached by generation alone.
      const message =
        found.then.kind === 'block'
          ? found.then.message
          : `This request holds ${found.name}, and the model for sensitive data cannot take it.`;
      return this.#refuse(request, known, 'not-rewritable', message);
    }
    if (unread) return this.#refuse(request, known, 'unread');
    const mask = maskWish(section, request.caller.workspace, this.#maskKeys);
    const first = mask === null ? undefined : section.sensitivity.find(({ then }, at) => matched[at] && then.kind === 'mask');
    if (mask !== null && first !== undefined) {
      const masking = (inJson === null ? maskPlain : maskJson)(body, { ...mask, patterns });
      if (masking === null) return this.#refuse(request, known, 'unmasked', first.then.kind === 'mask' ? first.then.message : undefined);
      const { headers, metadata } = this.#observe({ ...request, maskedRules: rulesMasked(section, masking.counts) }, known);
      return {
        kind: 'forward',
        body: masking.body,
        headers: { set: headers?.set ?? [], remove: [...(headers?.remove ?? []), ...(bytes === sent ? [] : ['content-encoding'])] },
        ...(metadata === undefined ? {} : { metadata }),
      };
    }
    const plan = this.#observe(request, known);
    return {
      kind: 'forward',
      ...(plan.metadata === undefined ? {} : { metadata: plan.metadata }),
      ...(plan.headers === undefined ? {} : { headers: plan.headers }),
    };
  }

  #observe(request: RefusedRequest, recognition: Recognition & { readonly kind: 'observed' }): RequestPlan & { readonly kind: 'pass' } {
    const { id, trace, usage, startedAt } = request;
    this.#options.metrics.passthrough(recognition.reason);
    const open = observedExchange({ ...request, recognition });
    const keys = this.#gatewayKey(request);
    open.keyFile = keys?.file ?? null;
    // What goes through a WebSocket is not seen.
    if (recognition.reason === 'upgrade') this.#closing.now(open, unobserved);
    else this.#await(open, usage, startedAt);
    return {
      kind: 'pass',
      metadata: { id, reason: recognition.reason, ...logMetadata(open) },
      ...(trace === null ? (keys === null ? {} : { headers: keys }) : { headers: withTrace(keys ?? undefined, trace) }),
    };
  }

  /** Header changes that put the gateway's key in place of whatever the app sent to its own provider; null: the app's own goes. */
  #gatewayKey({
    section,
    provider,
    headers,
    sentPath,
  }: Pick<RefusedRequest, 'section' | 'provider' | 'headers' | 'sentPath'>): OwnKey | null {
    if (section.credentials !== 'gateway' || section.mode !== 'enabled' || headers === null) return null;
    const key = this.#options.credentials.swap(provider, section);
    // It was there a moment ago.
    if (key === null) throw new Error(`no credential for ${provider.name}`);
    const sent = withoutKeys(sentPath ?? '');
    return {
      set: [...key.set, ...(sentPath === undefined || sent === sentPath ? [] : [[':path', sent] as const])],
      remove: removedNames(ownHeadersOf(headers), key.remove, key.set),
      file: key.file,
    };
  }

  /** Passes undecided; where the policy says so, with the gateway's key. */
  #passKeyed(request: RefusedRequest, reason: PassReason): RequestPlan {
    const keys = this.#gatewayKey(request);
    const plan = this.#pass(reason);
    return keys === null || plan.kind !== 'pass' ? plan : { ...plan, headers: keys };
  }

  /** Refuses what a closed section cannot read or decide, and records that. `message`: in place of the reason's own. */
  #refuse(
    request: RefusedRequest,
    recognition: Recognition,
    reason: PassReason,
    message?: string,
  ): BodyPlan & { readonly kind: 'respond' } {
    const api: ApiName = recognition.kind === 'pass' ? 'other-llm' : recognition.api;
    const model =
      recognition.kind === 'observed' ? recognition.model : recognition.kind === 'readable' ? (recognition.pathModel?.model ?? null) : null;
    const open = observedExchange({ ...request, recognition: { kind: 'observed', api, model, reason } });
    const plan = refusal(reason, errorApi(recognition, request.provider.family), open.id, message);
    this.#options.metrics.refused(reason);
    this.#closing.now(open, { ...unobserved, outcome: 'blocked', status: plan.status, totalMs: performance.now() - open.startedAt });
    return plan;
  }

  /** What cannot be read passes, but for closed sections. */
  #unread(context: RequestContext, reason: PassReason): BodyPlan {
    if (isClosed(context.section)) return this.#refuse(context, context.recognition, reason);
    const plan = this.#passBody(reason);
    const keys = this.#gatewayKey({ ...context, sentPath: context.prefix + context.path });
    return keys === null || plan.kind !== 'forward' ? plan : { ...plan, headers: keys };
  }

  /** Where Envoy traces too, its span for this stream is the parent; else it is the app's. */
  #trace(headers: HeaderMap, traceparent: string | undefined): TraceFacts | null {
    const { traceRatio, traceByParent } = this.#options;
    return traceRatio === undefined ? null : beginTrace(traceparent ?? headers.get('traceparent'), traceRatio, traceByParent);
  }

  #pass(reason: PassReason): RequestPlan {
    this.#passing(reason);
    return { kind: 'pass', metadata: { reason } };
  }

  #passBody(reason: PassReason): BodyPlan {
    this.#passing(reason);
    return { kind: 'forward', metadata: { reason } };
  }

  #passing(reason: PassReason): void {
    this.#options.metrics.passthrough(reason);
    this.#options.log.debug({ reason }, 'a request passed undecided');
  }

  #fail(error: unknown): void {
    this.#options.metrics.passthrough('internal-error');
    this.#options.metrics.failOpen('internal-error');
    this.#options.log.error({ err: error }, 'a request passed undecided after an internal error');
  }
}

/** The provider hears of the span that stands for its call. */
function withTrace(headers: HeaderMutation | undefined, trace: TraceFacts): HeaderMutation {
  return { set: [...(headers?.set ?? []), ['traceparent', traceparentOf(trace, 0)]], remove: headers?.remove ?? [] };
}

/** An Envoy that cannot carry out chains gets none. */
function sectionFor(section: PolicySection, chainStyle: ChainStyle): PolicySection {
  return chainStyle === 'none' && section.fallback !== null ? { ...section, fallback: null } : section;
}
