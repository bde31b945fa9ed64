import { performance } from 'node:perf_hooks';
import { canonicalPath, recognise } from '../apis/index.ts';
import type { Recognition, RequestHead } from '../apis/types.ts';
import { abilitiesHeader, usageHeader } from '../attach/names.ts';
import { usageModeOfHeader } from '../attach/usage.ts';
import { abilitiesNamed, type EnvoyAbilities } from '../attach/abilities.ts';
import { feedbackPath } from '../grades/request.ts';
import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySnapshot, PolicySection } from '../policy/types.ts';
import { uuidv7 } from '../record/id.ts';
import { beginTrace, type TraceFacts } from '../record/trace.ts';
import { sessionInHeaders } from '../sessions/key.ts';
import { cacheScope } from './cache.ts';
import { callOf, namesModel, type ObservedCall } from './call.ts';
import { bodyTells } from './call-units.ts';
import { callerOf, headOf, keepsModel } from './caller.ts';
import { Claims } from './claims.ts';
import { isClosed, unknownApi } from './closed.ts';
import { readsCharset } from './decode.ts';
import type { Arrived, RequestContext } from './context.ts';
import { OwnHeaders } from './crossing-headers.ts';
import { FeedbackBody, type TakeFeedback } from './feedback.ts';
import { InspectedBody } from './inspected.ts';
import { uncounted } from './memory-gate.ts';
import { NamedBody } from './named-body.ts';
import type { Observed } from './observed.ts';
import { mayBan } from './observed-rules.ts';
import { readBody, type KnownOfCaller, type RequestPlan } from './plans.ts';
import { Run } from './run.ts';
import type { RunServices } from './services.ts';

export interface IntakeOptions {
  readonly policy: { current(): Arrived['generation'] };
  /** The request header with the app's own id; not recorded if absent. */
  readonly requestIdHeader?: string;
  /** Sampled share of the traces that begin here, 0 to 1; spans are off if absent. */
  readonly traceRatio?: number;
  /** Whether a caller's own sampling decision is kept; true if absent. */
  readonly traceByParent?: boolean;
  /** Null if feedback is not accepted here. */
  readonly feedback: TakeFeedback | null;
  readonly log: { error(fields: object, message: string): void };
}

/** Plans a request from its headers: whether its body is needed, and what for. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #services: RunServices;

  constructor(options: IntakeOptions, services: RunServices) {
    this.#options = options;
    this.#services = services;
  }

  /** `traceparent`: Envoy's, if Envoy traces. `known`: facts about the caller from Envoy's filters. `peer`: the Envoy that asks. */
  plan(headers: HeaderMap, endOfStream: boolean, traceparent?: string, known?: KnownOfCaller, peer?: string): RequestPlan {
    const startedAt = performance.now();
    const { undecided, credentials, admission, memory } = this.#services;
    const { feedback, log, policy } = this.#options;
    const generation = policy.current();
    const authority = headers.get(':authority') ?? headers.get('host') ?? '';
    const gatewayPath = canonicalPath(headers.get(':path') ?? '/');
    if (gatewayPath === feedbackPath && feedback !== null && !endOfStream && headers.get(':method') === 'POST') {
      const { workspace } = callerOf(headers, generation, new Claims(headers, generation.callers, known));
      return readBody(new FeedbackBody(feedback, workspace, log), null);
    }
    const resolved = generation.resolveProvider(authority, gatewayPath, headers);
    if (resolved === 'ambiguous') return undecided.ambiguous(gatewayPath);
    if (resolved === null) return undecided.pass('unknown-provider');
    const { provider, path } = resolved;
    const head = headOf(headers, path, authority);
    const claims = new Claims(headers, generation.callers, known);
    const caller = callerOf(headers, generation, claims, this.#options.requestIdHeader ?? null);
    const envoy = abilitiesNamed(headers.get(abilitiesHeader));
    const section = sectionFor(generation.section(caller.workspace, provider.name), envoy);
    const closed = isClosed(section);
    const recognition = recognise(head, provider.family, closed);
    if (section.mode === 'off') return undecided.pass(recognition.kind === 'pass' ? recognition.reason : 'policy-off');
    const arrived: Arrived = {
      id: uuidv7(),
      startedAt,
      generation,
      provider,
      section,
      caller,
      prefix: gatewayPath.slice(0, gatewayPath.length - path.length),
      path,
      method: head.method,
      trace: this.#trace(headers, traceparent),
      usage: usageModeOfHeader(headers.get(usageHeader)),
      headers,
      peer,
    };
    if (section.credentials === 'gateway' && section.mode === 'enabled' && !credentials.has(provider.name, section))
      return undecided.refuse(arrived, recognition, 'no-gateway-key');
    if (closed && !endOfStream && !readsCharset(head.contentType)) return undecided.refuse(arrived, recognition, 'encoded-body');
    if (recognition.kind !== 'readable') return this.#unrewritable(arrived, head, recognition, endOfStream);
    // Envoy keeps bodies of requests that pass, too.
    const held = endOfStream ? uncounted : memory.enter(head.contentLength);
    if (held === null) return undecided.refuse(arrived, recognition, 'memory');
    const why = endOfStream ? 'no-body' : admission.admits(startedAt) ? null : 'overload';
    if (why !== null) {
      if (closed) held.release();
      else held.forwarded(false);
      return closed ? undecided.refuse(arrived, recognition, why) : undecided.passKeyed(arrived, why, recognition);
    }
    const run = new Run(this.#context(arrived, recognition, claims, envoy), { encoding: head.contentEncoding, held }, this.#services);
    // A client that leaves while its request is decided must release its slot: Envoy reports only requests that have an id.
    const plan = readBody(run, head.contentLength);
    return generation.limitsConcurrent ? { ...plan, metadata: { id: arrived.id } } : plan;
  }

  #context(arrived: Arrived, recognition: RequestContext['recognition'], claims: Claims, envoy: EnvoyAbilities): RequestContext {
    const { generation, section, caller, path } = arrived;
    const headers = arrived.headers!;
    const { trials, metrics } = this.#services;
    const cache = cacheScope(headers, generation, section, path, { claims, workspace: caller.workspace });
    const routeOff = keepsModel(claims);
    const named = section.sessions !== null || trials?.active(generation) === true;
    const sessionName = named ? claimedSession(claims, section.sessions?.headers ?? []) : null;
    if (claims.ignored.length > 0) for (const { claim, why } of claims.ignored) metrics.claimIgnored(claim, why);
    return {
      id: arrived.id,
      startedAt: arrived.startedAt,
      wallTime: caller.now,
      generation,
      provider: arrived.provider,
      section,
      caller,
      recognition,
      prefix: arrived.prefix,
      path,
      trace: arrived.trace,
      inspection: null,
      masked: null,
      replaced: false,
      routeOff,
      cache,
      arm: null,
      forced: null,
      shadow: null,
      sessionName,
      envoy,
      usage: arrived.usage,
      peer: arrived.peer,
      ownHeaders: new OwnHeaders(headers),
      headers: section.credentials === 'gateway' ? headers : null,
    };
  }

  /** A request that is never rewritten, or whose path is unknown: it passes, unless a closed section must read it. */
  #unrewritable(
    request: Arrived,
    head: RequestHead,
    recognition: Exclude<Recognition, { readonly kind: 'readable' }>,
    endOfStream: boolean,
  ): RequestPlan {
    const { undecided, admission, maskKeys } = this.#services;
    const { section } = request;
    const { reason } = recognition;
    if (reason === 'upgrade' && section.websockets === 'refuse' && section.mode === 'enabled')
      return undecided.refuse(request, recognition, reason);
    const known: Observed = recognition.kind === 'observed' ? recognition : { kind: 'observed', api: unknownApi, model: null, reason };
    if (recognition.kind === 'pass' && !isClosed(section) && reason !== 'upgrade') return undecided.passKeyed(request, reason);
    const banned = undecided.banned(request, known, null);
    if (banned !== null) return banned;
    if (endOfStream || reason === 'upgrade') return undecided.permit(request, known, null);
    if (!isClosed(section)) return this.#open(request, head, known);
    if (recognition.kind === 'pass' && reason !== 'method') return undecided.refuse(request, recognition, reason);
    if (head.contentLength !== null && head.contentLength > limits.requestBodyBytes)
      return undecided.refuse(request, recognition, 'too-large');
    if (!admission.admits()) return undecided.refuse(request, recognition, 'overload');
    return readBody(new InspectedBody(request, known, head.contentEncoding, undecided, maskKeys), head.contentLength);
  }

  /** An observed call of a section that is not closed: its body is read only if bans, budgets or limits need it. Large files pass unread. */
  #open(request: Arrived, head: RequestHead, known: Observed): RequestPlan {
    const { undecided, admission } = this.#services;
    const { section, generation } = request;
    const call = callOf(head.method, request.path, known.reason);
    const bans = mayBan(section) && known.model === null;
    const names = known.model === null ? namesModel(call) : null;
    const named = names !== null && head.contentLength !== null && head.contentLength <= limits.namedCallBytes;
    if (!bans && !named && !(countsBodies(generation, call) && !call.reads)) return undecided.permit(request, known, null);
    const large = head.contentLength !== null && head.contentLength > limits.requestBodyBytes;
    const refusesLarge = bans && call.about !== 'files';
    if (large && refusesLarge) return undecided.refuse(request, known, 'too-large');
    if (large || !admission.admits()) return undecided.permit(request, known, null);
    const body = { encoding: head.contentEncoding, inside: names === 'inside', refusesLarge };
    return readBody(new NamedBody(request, known, body, undecided), head.contentLength);
  }

  /** If Envoy traces, its span for this stream is the parent; otherwise the app's span is. */
  #trace(headers: HeaderMap, traceparent: string | undefined): TraceFacts | null {
    const { traceRatio, traceByParent } = this.#options;
    return traceRatio === undefined ? null : beginTrace(traceparent ?? headers.get('traceparent'), traceRatio, traceByParent);
  }
}

function claimedSession(claims: Claims, more: readonly string[]): string | null {
  return sessionInHeaders((names) => claims.said('session', names), more);
}

/** Whether budgets or limits need a call's body: for its model, or for the number of a batch's requests. */
function countsBodies({ budgets, rateLimits }: PolicySnapshot, call: ObservedCall): boolean {
  const all = [...budgets, ...rateLimits];
  return all.length > 0 && (bodyTells(call) || all.some(({ models, per }) => models !== null || per.includes('model')));
}

/** Removes the fallback for an Envoy that does not support chains. */
function sectionFor(section: PolicySection, envoy: EnvoyAbilities): PolicySection {
  return !envoy.chains && section.fallback !== null ? { ...section, fallback: null } : section;
}
