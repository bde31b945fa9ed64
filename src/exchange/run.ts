import { performance } from 'node:perf_hooks';
import { apis } from '../apis/registry.ts';
import type { BodyMember, ParsedRequest } from '../apis/types.ts';
import type { BudgetAdmission } from '../budgets/budgets.ts';
import type { Lookup, PendingLookup } from '../cache/cache.ts';
import type { Embedded } from '../classify/embedding/embedder.ts';
import type { Later } from '../lib/later.ts';
import { limits } from '../lib/limits.ts';
import { decide } from '../route/decide.ts';
import type { Decision } from '../route/types.ts';
import { sessionKey } from '../sessions/key.ts';
import type { SessionView } from '../sessions/types.ts';
import { blocked } from './answer/closing.ts';
import { assigned } from './assign.ts';
import { readHere, type ReadBody } from './body-reader.ts';
import { cacheQuery, hitAnswer, nearOf, notCachedAnswer } from './cache.ts';
import { userOf } from './caller.ts';
import { planChain } from './chain/plan.ts';
import { isClosed } from './closed.ts';
import { rememberModels } from './compare-models.ts';
import { decidesSensitive, type ReadRequest, type RequestContext } from './context.ts';
import { Question } from './decide.ts';
import { decodeBody, withoutMark } from './decode.ts';
import { maskedIn, readWish, rulesMasked, unmaskedMessage } from './masking.ts';
import { noAdmission, uncached, type CacheFacts, type HeldBody, type OpenExchange } from './open.ts';
import { verifyName, type Shadowed } from './mirror.ts';
import { openExchange } from './opening.ts';
import type { BodyPlan } from './plans.ts';
import { blockPlan, rewritePlan } from './rewrite.ts';
import { RunLife, type Plan } from './run-life.ts';
import type { RunServices } from './services.ts';
import { withTrace } from './undecided.ts';

const nothing: Buffer = Buffer.alloc(0);
const bypassed: CacheFacts = { ...uncached, cache: 'bypass' };

/** When the steps began that a span shows. */
interface StepTimes {
  readonly classifyAt: number;
  readonly decideAt: number;
}

/**
 * One decided request, from its body to the reply to Envoy. Each step calls the next one, immediately or later; `context`, `exchange` and
 * `body` hold the state.
 */
export class Run extends RunLife implements ReadRequest {
  context: RequestContext;
  /** Set once the body was read. */
  exchange!: ParsedRequest;
  /** The request's bytes; after reading, the bytes that `exchange` was read from. */
  body: Buffer = nothing;
  readonly #encoding: string;
  #session: SessionView | null = null;
  #embedded: Embedded | null = null;
  /** `encoding`: the body's content-encoding, decoded before reading; `held`: its share of Envoy's memory. */
  constructor(context: RequestContext, body: { readonly encoding: string; readonly held: HeldBody }, services: RunServices) {
    super(services, body.held);
    this.context = context;
    this.#encoding = body.encoding;
  }

  protected decode(body: Buffer): Plan {
    const { recognition, section } = this.context;
    const decoded = this.#encoding === '' ? body : decodeBody(body, this.#encoding);
    if (decoded === null) return this.unread('encoded-body');
    this.body = withoutMark(decoded);
    // In shadow mode the provider gets the bytes as they came.
    if (this.body !== body && section.mode === 'enabled') this.context = { ...this.context, replaced: true };
    const { bodies, maskKeys } = this.services;
    const wish = readWish(this.context, maskKeys);
    const read = bodies === null ? readHere(recognition, this.body, wish) : bodies.read(recognition, this.body, wish);
    if (!(read instanceof Promise)) return this.#read(read);
    // Reading a large body on the thread, and the steps after it, may exceed Envoy's timeout: Envoy is asked once for more time.
    const ms = Math.min(limits.bodyWaitMs, limits.bodyReadMs + section.cache.coalesce * 1_000);
    return this.after(read, ms, (here) => this.#read(here));
  }

  #read(here: ReadBody): Plan {
    const { read, inspection } = here;
    if (inspection !== null) this.context = { ...this.context, inspection };
    if (!read.ok) return this.unread(read.reason);
    this.exchange = withHeaders(read.exchange, this.context);
    this.body = here.body;
    const { sensitivity } = this.context.section;
    const { trials, maskKeys, undecided } = this.services;
    const context = assigned(this, trials);
    this.context = context;
    if (context.inspection?.unread === true && !decidesSensitive(context) && isClosed(context.section)) return this.unread('unread');
    const masked = maskedIn(here, context, context.section.sensitivity === sensitivity, maskKeys);
    // Data that must be masked and cannot be is not sent.
    if (masked === 'failed') return undecided.refuse(context, context.recognition, 'unmasked', unmaskedMessage(context));
    if (masked === null) return this.#lookUp(here.members);
    this.exchange = withHeaders(masked.read.exchange, context);
    this.body = masked.body;
    this.context = {
      ...context,
      replaced: true,
      masked: { rules: rulesMasked(context.section, masked.counts), restored: new Map(masked.restored) },
    };
    return this.#lookUp(masked.members);
  }

  /** Asks the cache. `members`: the body's top-level members; null if not requested. */
  #lookUp(members: readonly BodyMember[] | null): Plan {
    const { context } = this;
    const { cache, trace } = context;
    // An answer to sensitive data is never kept; one that contains only mask tokens may be.
    if (cache === null || members === null || decidesSensitive(context) || (context.masked?.restored.size ?? 0) > 0)
      return this.#converse();
    const query = cacheQuery(this, cache, members);
    if (query === null) {
      this.cacheFacts = bypassed;
      return this.#converse();
    }
    const lookedAt = trace === null ? 0 : performance.now();
    const found = this.services.cache.lookup(query, nearOf(this, cache, members));
    trace?.steps.push({ name: 'cache', startMs: lookedAt - context.startedAt, endMs: performance.now() - context.startedAt });
    return found.kind === 'later' ? this.#wait(found) : this.#found(found);
  }

  /** Waits for another request's answer or for the cache backend, whose reply may be to wait for another request. */
  #wait({ ms, result, leave }: PendingLookup): Later<BodyPlan> {
    this.leave = leave;
    const next = (found: Lookup | PendingLookup): Plan => {
      if (found.kind === 'later') return this.#wait(found);
      const looked = this.context.trace?.steps.at(-1);
      if (looked !== undefined) looked.endMs = performance.now() - this.context.startedAt;
      this.enteredAt = performance.now();
      return this.#found(found);
    };
    return this.after(result, ms, next, letGo);
  }

  #found(found: Lookup): Plan {
    if (found.kind === 'miss') {
      this.cacheFacts = { cache: found.state, cacheEntry: null, fill: found.fill, rescue: found.rescue };
      return this.#converse();
    }
    const { plan, open, ending } = found.kind === 'hit' ? hitAnswer(this, found, this.enteredAt) : notCachedAnswer(this, this.enteredAt);
    this.services.closing.soon(open, ending);
    return plan;
  }

  /** Looks up the conversation, if there is one: in memory, or asynchronously in Redis. */
  #converse(): Plan {
    const { sessions } = this.services;
    const { context, exchange, body } = this;
    const { section, caller } = context;
    if (sessions === null || section.sessions === null || context.routeOff || exchange.operation !== 'generate') return this.#embed();
    const key = sessionKey(caller.workspace, context.sessionName, exchange, body, caller.trust?.believesBody('session'));
    if (key === null) return this.#embed();
    const found = sessions.find(key.key);
    if (!(found instanceof Promise)) {
      this.#session = { ...key, state: found };
      return this.#embed();
    }
    const ownMs = performance.now() - this.enteredAt;
    return this.after(found, 0, (state) => {
      this.enteredAt = performance.now() - ownMs;
      this.#session = { ...key, state };
      return this.#embed();
    });
  }

  /** Asks the sentence model, if there is one and the policy wants it. */
  #embed(): Plan {
    const { embedder, metrics } = this.services;
    const waitMs = this.context.section.classifier.embeddingWaitMs;
    if (embedder === null || waitMs === null || this.exchange.operation !== 'generate') return this.#decide();
    const found = embedder.find(this.exchange, waitMs);
    const known = (embedded: Embedded | null): Plan => {
      this.#embedded = embedded;
      if (embedded !== null) metrics.embedded(embedded.result);
      return this.#decide();
    };
    if (!(found instanceof Promise)) return known(found);
    const ownMs = performance.now() - this.enteredAt;
    return this.after(found, 0, (embedded) => {
      this.enteredAt = performance.now() - ownMs;
      return known(embedded);
    });
  }

  /** Classifies and decides, and asks the budgets if there are any. */
  #decide(): Plan {
    const { context } = this;
    const { generation, trace } = context;
    const classifyAt = trace === null ? 0 : performance.now();
    const question = new Question(this, this.services, { session: this.#session, embedded: this.#embedded });
    const decideAt = trace === null ? 0 : performance.now();
    const decision = decide(question);
    this.#remember(question, decision);
    // The step ends when everything is decided.
    const times = trace === null ? null : { classifyAt, decideAt };
    return generation.budgets.length === 0 && generation.rateLimits.length === 0
      ? this.#finish(question, decision, noAdmission, times)
      : this.#admit(question, decision, times);
  }

  #admit(question: Question, decision: Decision, times: StepTimes | null): Plan {
    const { context } = this;
    const { budgets } = this.services;
    const admission = budgets.admit({
      id: context.id,
      input: question,
      decision,
      user: userOf(context.caller, this.exchange),
      enforce: context.section.mode === 'enabled',
      cheaper: context.routeOff ? null : (cheaper) => decide(question, cheaper),
    });
    const admitted = (found: BudgetAdmission): BodyPlan => this.#finish(question, found.decision, found, times);
    return admission instanceof Promise
      ? this.after(admission, 0, admitted, ({ reservation }) => reservation !== null && budgets.release(reservation))
      : admitted(admission);
  }

  /** Stores what the conversation's next turn and similar requests will use. */
  #remember({ compared, verdict, learned }: Question, decision: Decision): void {
    const { learner, sessions } = this.services;
    const { section, caller } = this.context;
    const session = this.#session;
    if (compared !== null && learner !== null) rememberModels(compared, decision, caller.workspace, learner);
    if (session === null || section.sessions === null) return;
    const strong = learned?.acts === true && learned.says === 'strong';
    sessions?.turn(session.key, { tier: verdict.tier, strong }, session.state, section.sessions.idleMs);
  }

  /** Opens the record and plans what is sent where. */
  #finish(question: Question, decision: Decision, admission: Omit<BudgetAdmission, 'decision'>, times: StepTimes | null): BodyPlan {
    const { context } = this;
    const { budgets, grader, shadows, credentials } = this.services;
    const { trace, startedAt } = context;
    let open: OpenExchange;
    let plan: BodyPlan;
    try {
      const old = context.routeOff ? null : (this.cacheFacts.rescue ?? null);
      const chain = planChain(this, decision, this.services, { old, whenSilent: this.unseen() });
      if (chain?.mostMs != null) this.cacheFacts.fill?.within(chain.mostMs);
      const shadow = decision.action === 'block' ? null : this.#shadow(decision);
      const mirrored = shadow === null ? null : (shadows?.begin(this, shadow, question, decision) ?? null);
      const verify = mirrored === null || shadow?.verify === undefined ? null : ({ ...shadow.verify, side: 'served' } as const);
      open = this.#open(question, decision, admission, chain?.run ?? null, grader?.begin(this, decision, verify) ?? null);
      if (times !== null)
        trace?.steps.push(
          { name: 'classify', startMs: times.classifyAt - startedAt, endMs: times.decideAt - startedAt },
          { name: 'decide', startMs: times.decideAt - startedAt, endMs: performance.now() - startedAt },
        );
      if (decision.action === 'block') plan = blockPlan(context, decision, open, admission.refusal);
      else {
        plan = rewritePlan(this, decision, open, chain, credentials);
        if (mirrored !== null) plan = withHeader(plan, mirrored);
      }
    } catch (error) {
      if (admission.reservation !== null) budgets.release(admission.reservation);
      throw error;
    }
    return this.#leaves(plan, open);
  }

  /** The target of a mirrored copy: an experiment's model, otherwise the model that verifies this answer; null if none. */
  #shadow(decision: Decision): Shadowed | null {
    const { shadow, section } = this.context;
    if (shadow !== null || section.verify === null || this.services.shadows === null) return shadow;
    const verify = this.services.grader?.verifies(this, decision) ?? null;
    return verify === null
      ? null
      : {
          experiment: verifyName,
          target: decision.requested,
          maxUsdPerDay: section.verify.maxUsdPerDay,
          verify: { ...verify, side: 'stronger' },
        };
  }

  #open(
    { verdict, outputKey }: Question,
    decision: Decision,
    admission: Omit<BudgetAdmission, 'decision'>,
    chain: OpenExchange['chain'],
    grading: OpenExchange['grading'],
  ): OpenExchange {
    return openExchange(this, {
      kind: 'decision',
      verdict,
      decision,
      template: outputKey?.template ?? null,
      cache: this.cacheFacts,
      chain,
      grading,
      admission,
      enteredAt: this.enteredAt,
    });
  }

  /** Keeps the record open for the answer, or closes it immediately if Sluice answers itself. */
  #leaves(plan: BodyPlan, open: OpenExchange): BodyPlan {
    const { trace, usage } = this.context;
    if (plan.kind === 'respond') this.services.closing.now(open, blocked(plan.status, performance.now() - open.startedAt));
    else {
      this.forwards(open);
      this.services.answers.add(open, usage, this.enteredAt);
    }
    return trace === null || plan.kind !== 'forward' ? plan : { ...plan, headers: withTrace(plan.headers, trace) };
  }
}

/** Releases a lookup whose client has left, so that no other request waits for an answer that will not be fetched. */
function letGo(found: Lookup | PendingLookup): void {
  if (found.kind === 'later') void found.result.then(letGo);
  else if (found.kind === 'miss') found.fill?.abandon();
}

/** The request with the parameters that its API takes from headers. */
function withHeaders(exchange: ParsedRequest, { ownHeaders }: RequestContext): ParsedRequest {
  const more = apis[exchange.api].request.headerParameters?.(ownHeaders.list) ?? [];
  return more.length === 0 ? exchange : { ...exchange, parameters: [...exchange.parameters, ...more] };
}

function withHeader(plan: BodyPlan, header: readonly [string, string]): BodyPlan {
  return plan.kind === 'forward'
    ? { ...plan, headers: { set: [...(plan.headers?.set ?? []), header], remove: plan.headers?.remove ?? [] } }
    : plan;
}
