import { performance } from 'node:perf_hooks';
import type { Budgets, CallAdmission } from '../budgets/budgets.ts';
import type { ApiName, PassReason, Recognition } from '../apis/types.ts';
import type { HeaderMutation } from '../lib/headers.ts';
import type { Metrics } from '../record/metrics.ts';
import { traceparentOf, type TraceFacts } from '../record/trace.ts';
import { addLogMetadata } from './answer/logged.ts';
import { blocked, unobserved, type Closing } from './answer/closing.ts';
import type { OpenAnswers } from './answer/open-answers.ts';
import { callOf } from './call.ts';
import { errorApi, isClosed, refusal, spentRefusal, unknownApi } from './closed.ts';
import type { Arrived, RequestContext } from './context.ts';
import type { Credentials, OwnKey } from './credentials.ts';
import { ownHeadersOf, removedNames, withoutKeys } from './crossing-headers.ts';
import type { Failures } from './failures.ts';
import { observedExchange, type Observed } from './observed.ts';
import { unitsOf } from './call-units.ts';
import { banOf, mayBan, modelInQuery, modelsIn } from './observed-rules.ts';
import type { OpenExchange } from './open.ts';
import { planForBody, type BodyPlan, type RequestPlan } from './plans.ts';

export interface UndecidedServices {
  readonly budgets: Pick<Budgets, 'admitCall'>;
  readonly credentials: Credentials;
  readonly metrics: Metrics;
  readonly log: { debug(fields: object, message: string): void };
  readonly failures: Failures;
  readonly answers: OpenAnswers;
  readonly closing: Closing;
}

/** Handles requests that are not decided: they pass as they came, are observed, or are refused. */
export class Undecided {
  readonly #services: UndecidedServices;

  constructor(services: UndecidedServices) {
    this.#services = services;
  }

  pass(reason: PassReason): RequestPlan & { readonly kind: 'pass' } {
    this.#passing(reason);
    return { kind: 'pass', metadata: { reason } };
  }

  /** Passes the request undecided, with the gateway's key if the policy says so. Recorded if a budget or rate limit counts it. */
  passKeyed(
    request: Arrived,
    reason: PassReason,
    read?: Recognition & { readonly kind: 'readable' },
  ): Exclude<RequestPlan, { readonly kind: 'read-body' }> {
    const known: Observed = { kind: 'observed', api: read?.api ?? unknownApi, model: read?.pathModel?.model ?? null, reason };
    const counted = reason === 'no-body' ? null : this.#count(request, known, null);
    if (counted !== null)
      return counted.refused === null ? this.observe(request, known, { counted }) : this.#spent(request, known, counted);
    const key = this.#gatewayKey(request);
    const plan = this.pass(reason);
    return key === null ? plan : { ...plan, headers: key };
  }

  /** A request that cannot be read passes, except in closed sections. */
  unread(context: RequestContext, reason: PassReason): BodyPlan {
    if (isClosed(context.section)) return this.refuse(context, context.recognition, reason);
    return planForBody(this.passKeyed(context, reason, context.recognition));
  }

  /** Refuses: guessing the provider could send a key to the wrong one. */
  ambiguous(path: string): RequestPlan {
    this.#services.metrics.refused('ambiguous-provider');
    this.#services.log.debug({ path: path.replace(/\?.*$/, '') }, 'more than one provider may be meant');
    return refusal('ambiguous-provider', unknownApi, null);
  }

  /** Forwards a request as it came, and observes its answer. `masked`: what was masked in it nevertheless; `counted`: by `permit`. */
  observe(
    request: Arrived,
    recognition: Observed,
    more: { readonly masked?: OpenExchange['masked']; readonly counted?: CallAdmission | null } = {},
  ): RequestPlan & { readonly kind: 'pass' } {
    const { id, trace, usage, startedAt } = request;
    this.#services.metrics.passthrough(recognition.reason);
    const open = observedExchange(request, recognition, more);
    const key = this.#gatewayKey(request);
    open.keyFile = key?.file ?? null;
    // Sluice does not see WebSocket traffic.
    if (recognition.reason === 'upgrade') this.#services.closing.now(open, unobserved);
    else this.#services.answers.add(open, usage, startedAt);
    return {
      kind: 'pass',
      metadata: addLogMetadata(open, { id, reason: recognition.reason }),
      ...(trace === null ? (key === null ? {} : { headers: key }) : { headers: withTrace(key ?? undefined, trace) }),
    };
  }

  /** Refuses a request that a closed section cannot read or decide, and records it. `message`: replaces the reason's own. */
  refuse(request: Arrived, recognition: Recognition, reason: PassReason, message?: string): BodyPlan & { readonly kind: 'respond' } {
    const api: ApiName = recognition.kind === 'pass' ? unknownApi : recognition.api;
    const model =
      recognition.kind === 'observed' ? recognition.model : recognition.kind === 'readable' ? (recognition.pathModel?.model ?? null) : null;
    const open = observedExchange(request, { kind: 'observed', api, model, reason });
    const plan = refusal(reason, errorApi(recognition, request.provider.family), open.id, message);
    this.#services.metrics.refused(reason);
    this.#services.closing.now(open, blocked(plan.status, performance.now() - open.startedAt));
    return plan;
  }

  /**
   * The refusal of an observed call whose path, query or body (null if not available) names a banned model. Null if it may pass. Calls
   * that only list, fetch or delete are not banned.
   */
  banned(request: Arrived, recognition: Observed, body: Buffer | null): Refusal | null {
    const { section, method = 'POST', path } = request;
    if (!mayBan(section) || callOf(method, path, recognition.reason).reads) return null;
    for (const model of modelsOf(request, recognition, body)) {
      const ban = banOf(request, model);
      if (ban?.then.kind === 'block') return this.refuse(request, { ...recognition, model }, 'not-rewritable', ban.then.message);
    }
    return null;
  }

  /** Observes a call if its caller's budgets and rate limits have something left for it, in which it is counted. */
  permit(
    request: Arrived,
    recognition: Observed,
    body: Buffer | null,
    masked?: OpenExchange['masked'],
  ): (RequestPlan & { readonly kind: 'pass' }) | Refusal {
    const counted = this.#count(request, recognition, body);
    return counted === null || counted.refused === null
      ? this.observe(request, recognition, { counted, masked })
      : this.#spent(request, recognition, counted);
  }

  /** Counts an observed call; null if no budget or limit applies. Calls that only list, fetch or delete cost nothing. */
  #count(request: Arrived, recognition: Observed, body: Buffer | null): CallAdmission | null {
    const { id, section, generation, provider, caller, method = 'POST', path } = request;
    if (generation.budgets.length === 0 && generation.rateLimits.length === 0) return null;
    const call = callOf(method, path, recognition.reason);
    if (call.reads) return null;
    const [model] = modelsOf(request, recognition, body);
    const { workspace, user, trust } = caller;
    const counted = this.#services.budgets.admitCall({
      id,
      generation,
      caller: { workspace, user, ...(trust === undefined ? {} : { trust }) },
      target: model === undefined ? null : { provider: provider.name, model },
      enforce: section.mode === 'enabled',
      ...unitsOf(call, recognition.reason, body),
    });
    return counted.refused === null && counted.reservation === null ? null : counted;
  }

  #spent(request: Arrived, recognition: Observed, counted: CallAdmission): Refusal {
    const open = observedExchange(request, recognition, { counted });
    const plan = spentRefusal(counted.refused!, errorApi(recognition, request.provider.family), open.id);
    this.#services.closing.now(open, blocked(plan.status, performance.now() - open.startedAt));
    return plan;
  }

  /** After an internal error of Sluice. */
  failed(request: Arrived & { readonly recognition: Recognition }, error: unknown): BodyPlan {
    this.#services.failures.tell(error);
    // Under `credentials: gateway`, what the app sent in the key's place must not be sent either.
    if (!isClosed(request.section) && request.section.credentials !== 'gateway') return { kind: 'forward' };
    try {
      return this.refuse(request, request.recognition, 'internal-error');
    } catch (again) {
      // The record failed too: still refuse, so that nothing is sent.
      this.#services.failures.tell(again);
      return refusal('internal-error', errorApi(request.recognition, request.provider.family), request.id);
    }
  }

  /** Header changes that replace whatever key the app sent to its own provider by the gateway's; null if the app's own is kept. */
  #gatewayKey({ section, provider, headers, prefix, path }: Arrived): OwnKey | null {
    if (section.credentials !== 'gateway' || section.mode !== 'enabled' || headers === null) return null;
    const key = this.#services.credentials.swap(provider, section);
    // The key existed a moment ago.
    if (key === null) throw new Error(`no credential for ${provider.name}`);
    const came = prefix + path;
    const sent = withoutKeys(came);
    return {
      set: [...key.set, ...(sent === came ? [] : [[':path', sent] as const])],
      remove: removedNames(ownHeadersOf(headers), key.remove, key.set),
      file: key.file,
    };
  }

  #passing(reason: PassReason): void {
    this.#services.metrics.passthrough(reason);
    this.#services.log.debug({ reason }, 'a request passed undecided');
  }
}

type Refusal = BodyPlan & { readonly kind: 'respond' };

/** The models that an observed call names. */
function modelsOf({ path }: Arrived, { model }: Observed, body: Buffer | null): readonly string[] {
  const named = model ?? modelInQuery(path);
  return [...(named === null ? [] : [named]), ...(body === null ? [] : modelsIn(body))];
}

/** Tells the provider the span of its call. */
export function withTrace(headers: HeaderMutation | undefined, trace: TraceFacts): HeaderMutation {
  return { set: [...(headers?.set ?? []), ['traceparent', traceparentOf(trace, 0)]], remove: headers?.remove ?? [] };
}
