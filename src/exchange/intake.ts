import { performance } from 'node:perf_hooks';
import { canonicalPath, recognise } from '../apis/index.ts';
import type { Recognition, RequestHead } from '../apis/types.ts';
import { chainStyleHeader, usageHeader } from '../attach/names.ts';
import { usageModeOfHeader } from '../attach/usage.ts';
import { chainStyleOfHeader, type ChainStyle } from '../attach/versions.ts';
import { feedbackPath } from '../grades/request.ts';
import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySection } from '../policy/types.ts';
import { uuidv7 } from '../record/id.ts';
import { beginTrace, type TraceFacts } from '../record/trace.ts';
import { sessionInHeaders } from '../sessions/key.ts';
import { cacheScope } from './cache.ts';
import { callOf } from './call.ts';
import { callerOf, headOf, keepsModel } from './caller.ts';
import { Claims } from './claims.ts';
import { isClosed, unknownApi } from './closed.ts';
import type { Arrived, RequestContext } from './context.ts';
import { OwnHeaders } from './crossing-headers.ts';
import { FeedbackBody, type TakeFeedback } from './feedback.ts';
import { InspectedBody } from './inspected.ts';
import { NamedBody } from './named-body.ts';
import type { Observed } from './observed.ts';
import { mayBan } from './observed-rules.ts';
import type { KnownOfCaller, RequestPlan } from './plans.ts';
import { Run } from './run.ts';
import type { RunServices } from './services.ts';

export interface IntakeOptions {
  readonly policy: { current(): Arrived['generation'] };
  /** The request header with the app's own id; absent: it is not recorded. */
  readonly requestIdHeader?: string;
  /** Share of the traces that begin here that are sampled, 0 to 1; absent: spans are off. */
  readonly traceRatio?: number;
  /** A caller's own decision to sample is kept; absent: it is. */
  readonly traceByParent?: boolean;
  /** Null: feedback is not taken here. */
  readonly feedback: TakeFeedback | null;
  readonly log: { error(fields: object, message: string): void };
}

/** What the headers of a request settle: whether its body is wanted, and what for. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #services: RunServices;

  constructor(options: IntakeOptions, services: RunServices) {
    this.#options = options;
    this.#services = services;
  }

  /** `traceparent`: Envoy's, where Envoy traces. `known`: what Envoy's own filters know of the caller. `peer`: which Envoy asks. */
  plan(headers: HeaderMap, endOfStream: boolean, traceparent?: string, known?: KnownOfCaller, peer?: string): RequestPlan {
    const startedAt = performance.now();
    const { undecided, credentials, admission } = this.#services;
    const { feedback, log, policy } = this.#options;
    const generation = policy.current();
    const authority = headers.get(':authority') ?? headers.get('host') ?? '';
    const gatewayPath = canonicalPath(headers.get(':path') ?? '/');
    if (gatewayPath === feedbackPath && feedback !== null && !endOfStream && headers.get(':method') === 'POST') {
      const { workspace } = callerOf(headers, generation, new Claims(headers, generation.callers, known));
      return { kind: 'read-body', handler: new FeedbackBody(feedback, workspace, log) };
    }
    const resolved = generation.resolveProvider(authority, gatewayPath, headers);
    if (resolved === 'ambiguous') return undecided.ambiguous(gatewayPath);
    if (resolved === null) return undecided.pass('unknown-provider');
    const { provider, path } = resolved;
    const head = headOf(headers, path, authority);
    const claims = new Claims(headers, generation.callers, known);
    const caller = callerOf(headers, generation, claims, this.#options.requestIdHeader ?? null);
    const chainStyle = chainStyleOfHeader(headers.get(chainStyleHeader));
    const section = sectionFor(generation.section(caller.workspace, provider.name), chainStyle);
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
    };
    if (section.credentials === 'gateway' && section.mode === 'enabled' && !credentials.has(provider.name, section))
      return undecided.refuse(arrived, recognition, 'no-gateway-key');
    if (recognition.kind !== 'readable') return this.#unrewritable(arrived, head, recognition, endOfStream);
    const why = endOfStream ? 'no-body' : admission.admits() ? null : 'overload';
    if (why !== null) return closed ? undecided.refuse(arrived, recognition, why) : undecided.passKeyed(arrived, why);
    const run = new Run(this.#context(arrived, recognition, claims, chainStyle, peer), closed ? head.contentEncoding : '', this.#services);
    // A client that leaves while its request is decided must give its place back: Envoy tells of those that have a name.
    return generation.limitsConcurrent
      ? { kind: 'read-body', metadata: { id: arrived.id }, handler: run }
      : { kind: 'read-body', handler: run };
  }

  #context(
    arrived: Arrived,
    recognition: RequestContext['recognition'],
    claims: Claims,
    chainStyle: ChainStyle,
    peer: string | undefined,
  ): RequestContext {
    const { generation, section, caller, path } = arrived;
    const headers = arrived.headers!;
    const { trials, metrics } = this.#services;
    const cache = cacheScope(headers, generation, section, path, { claims, workspace: caller.workspace });
    const routeOff = keepsModel(claims);
    const sessionName =
      section.sessions === null && trials?.active(generation) !== true
        ? null
        : sessionInHeaders((names) => claims.said('session', names), section.sessions?.headers ?? []);
    for (const { claim, why } of claims.ignored) metrics.claimIgnored(claim, why);
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
      chainStyle,
      usage: arrived.usage,
      peer,
      ownHeaders: new OwnHeaders(headers),
      headers: section.credentials === 'gateway' ? headers : null,
    };
  }

  /** What is known by its path and never rewritten, or not known: it passes, but for what a closed section must have read. */
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
    const forbidden = undecided.forbidden(request, known, null);
    if (forbidden !== null) return forbidden;
    if (endOfStream || reason === 'upgrade') return undecided.observe(request, known);
    if (!isClosed(section)) return this.#open(request, head, known);
    if (recognition.kind === 'pass' && reason !== 'method') return undecided.refuse(request, recognition, reason);
    if (head.contentLength !== null && head.contentLength > limits.requestBodyBytes)
      return undecided.refuse(request, recognition, 'too-large');
    if (!admission.admits()) return undecided.refuse(request, recognition, 'overload');
    return { kind: 'read-body', handler: new InspectedBody(request, known, head.contentEncoding, undecided, maskKeys) };
  }

  /** A call that is only observed, of a section that is not closed: read where a model may be banned. Files are what they are, at any size. */
  #open(request: Arrived, head: RequestHead, known: Observed): RequestPlan {
    const { undecided, admission } = this.#services;
    if (!mayBan(request.section) || known.model !== null) return undecided.observe(request, known);
    const large = head.contentLength !== null && head.contentLength > limits.requestBodyBytes;
    if (large && callOf(head.method, request.path, known.reason).about !== 'files') return undecided.refuse(request, known, 'too-large');
    if (large || !admission.admits()) return undecided.observe(request, known);
    return { kind: 'read-body', handler: new NamedBody(request, known, head.contentEncoding, undecided) };
  }

  /** Where Envoy traces too, its span for this stream is the parent; else it is the app's. */
  #trace(headers: HeaderMap, traceparent: string | undefined): TraceFacts | null {
    const { traceRatio, traceByParent } = this.#options;
    return traceRatio === undefined ? null : beginTrace(traceparent ?? headers.get('traceparent'), traceRatio, traceByParent);
  }
}

/** An Envoy that cannot carry out chains gets none. */
function sectionFor(section: PolicySection, chainStyle: ChainStyle): PolicySection {
  return chainStyle === 'none' && section.fallback !== null ? { ...section, fallback: null } : section;
}
