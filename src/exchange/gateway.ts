import type { Budgets } from '../budgets/budgets.ts';
import type { ResponseCache } from '../cache/cache.ts';
import type { Embedder } from '../classify/embedding/embedder.ts';
import { LearntRefusals } from '../apis/parameters.ts';
import { renderFailure, renderStreamError } from '../apis/errors.ts';
import { apis, dialects } from '../apis/registry.ts';
import { takesAsIs } from '../apis/translatable.ts';
import type { ApiName } from '../apis/types.ts';
import { chainHost, errorForm, errorsKey, type FilterRole } from '../attach/names.ts';
import type { Trials } from '../experiments/trials.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { PolicyStore } from '../policy/types.ts';
import type { Metrics } from '../record/metrics.ts';
import type { RecordSink } from '../record/types.ts';
import type { Cooldowns } from '../route/cooldowns.ts';
import type { Pools } from '../route/pools.ts';
import type { LiveModel } from '../router/model/live.ts';
import type { OnlineLearner } from '../router/online/learner.ts';
import type { OutputTokens } from '../router/output/tokens.ts';
import type { Sessions } from '../sessions/store.ts';
import { Closing, unobserved } from './answer/closing.ts';
import { AnswerObserver } from './answer/copies.ts';
import { loggedEnding } from './answer/logged.ts';
import { OpenAnswers } from './answer/open-answers.ts';
import type { BodyReader } from './body-reader.ts';
import { TargetAttempt } from './chain/attempt.ts';
import { answerHeaders } from './chain/verdicts.ts';
import { CrossingAttempt } from './chain/crossing.ts';
import { ToldAttempt } from './chain/told.ts';
import { RescueAttempt } from './chain/rescue.ts';
import { refusal, unknownApi } from './closed.ts';
import type { Credentials } from './credentials.ts';
import { Failures } from './failures.ts';
import type { TakeFeedback } from './feedback.ts';
import type { Grader } from './grading.ts';
import { Intake } from './intake.ts';
import type { LoadGate } from './load-gate.ts';
import { MaskKeys } from './masking.ts';
import { MemoryGate } from './memory-gate.ts';
import type { Shadows } from './mirror.ts';
import type { Attempt, AttemptGateway, BrokenAttempt, Gateway, KnownOfCaller, LoggedExchange, RequestPlan, ResponsePlan } from './plans.ts';
import { Undecided } from './undecided.ts';

export interface PipelineOptions {
  readonly policy: Pick<PolicyStore, 'current'>;
  readonly credentials: Credentials;
  readonly cooldowns: Cooldowns;
  readonly pools: Pools;
  /** Learnt answer lengths; nothing is learnt if absent. */
  readonly outputs?: OutputTokens;
  /** Whether Envoy can send to a provider; if absent, it can send to all of the policy's. */
  readonly inEnvoy?: (provider: string) => boolean;
  readonly router: Pick<LiveModel, 'current'> | null;
  readonly learner: Pick<OnlineLearner, 'assess' | 'compare' | 'remember'> | null;
  readonly sink: RecordSink;
  readonly metrics: Metrics;
  readonly cache: ResponseCache;
  /** The request header with the app's own id; not recorded if absent. */
  readonly requestIdHeader?: string;
  /** Sampled share of the traces that begin here, 0 to 1; spans are off if absent. */
  readonly traceRatio?: number;
  /** Whether a caller's own sampling decision is kept; true if absent. */
  readonly traceByParent?: boolean;
  /** Null if nothing is mirrored. */
  readonly shadows: Shadows | null;
  /** Null if there are no experiments and no rollouts. */
  readonly trials: Trials | null;
  /** Null if conversations are not tracked. */
  readonly sessions: Sessions | null;
  /** Null if nothing is graded and feedback is not accepted. */
  readonly grader: Grader | null;
  readonly feedback: TakeFeedback | null;
  readonly budgets: Budgets;
  /** The key for mask tokens; if absent, this process generates one. */
  readonly maskKey?: Buffer;
  /** Parameters that models refused in this process; if absent, the pipeline creates its own store. */
  readonly refusals?: LearntRefusals;
  readonly admission: LoadGate;
  /** Envoy's memory for bodies; if absent, it is not known and nothing is refused. */
  readonly memory?: MemoryGate;
  /** Null if there is no sentence model. */
  readonly embedder: Pick<Embedder, 'find'> | null;
  /** Null if bodies of any size are read synchronously. */
  readonly bodies: BodyReader | null;
  readonly log: { error(fields: object, message: string): void; debug(fields: object, message: string): void };
}

/**
 * One request, in order: headers → recognise → body → read, look in the cache, classify, decide, rewrite → answer → record.
 * Nothing here throws to Envoy: after an error the request passes, and the error is counted.
 */
export class Pipeline implements Gateway, AttemptGateway {
  readonly #options: PipelineOptions;
  readonly #intake: Intake;
  readonly #answers: OpenAnswers;
  readonly #closing: Closing;
  readonly #failures: Failures;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#failures = new Failures(options.metrics, options.log);
    this.#closing = new Closing(options, (error) => this.#failures.tell(error));
    this.#answers = new OpenAnswers(options.metrics, (open) => this.#closing.now(open, unobserved));
    const shared = { answers: this.#answers, closing: this.#closing };
    this.#intake = new Intake(options, {
      ...options,
      ...shared,
      refusals: options.refusals ?? new LearntRefusals(),
      maskKeys: new MaskKeys(options.maskKey),
      memory: options.memory ?? new MemoryGate(null),
      undecided: new Undecided({ ...options, ...shared, failures: this.#failures }),
    });
  }

  /** Number of exchanges whose answer has not begun. */
  get pending(): number {
    return this.#answers.size;
  }

  awaitsLog(): boolean {
    return this.#answers.awaitsLog;
  }

  /** An Envoy is gone: release the concurrency slots of its requests. Its access log may still deliver the rest. */
  gone(peer: string): void {
    for (const { reservation } of this.#answers.of(peer)) if (reservation !== null) this.#options.budgets.leave(reservation);
  }

  /** Writes the records of ended exchanges now; otherwise they are written one event-loop turn later. */
  flush(): void {
    this.#closing.flush();
  }

  /** Writes the records of all open exchanges. */
  close(): void {
    this.#options.bodies?.close();
    this.flush();
    this.#options.admission.close();
    this.#answers.close();
  }

  requestHeaders(headers: HeaderMap, endOfStream: boolean, traceparent?: string, known?: KnownOfCaller, peer?: string): RequestPlan {
    try {
      return this.#intake.plan(headers, endOfStream, traceparent, known, peer);
    } catch (error) {
      this.#failures.tell(error);
      // The request's section is not known here; it may be one whose requests must not pass undecided.
      return this.#options.policy.current().hasClosedSections ? refusal('internal-error', unknownApi, null) : { kind: 'pass' };
    }
  }

  responseHeaders(headers: HeaderMap, metadata: Readonly<Record<string, unknown>> | null, endOfStream: boolean): ResponsePlan {
    const id = metadata?.['id'];
    const open = typeof id === 'string' ? this.#answers.take(id) : undefined;
    if (open === undefined) return { kind: 'ignore' };
    const observer = new AnswerObserver(open, headers, (exchange, ending) => this.#closing.soon(exchange, ending));
    if (!endOfStream) return { kind: 'read', observer };
    observer.end(true, false);
    return { kind: 'ignore' };
  }

  logged(entry: LoggedExchange): void {
    const open = this.#answers.takeLogged(entry.id, entry.status !== 0);
    if (open === undefined) return;
    try {
      this.#closing.soon(open, loggedEnding(open, entry));
    } catch (error) {
      this.#failures.tell(error);
    }
  }

  broken(metadata: Readonly<Record<string, unknown>> | null, asked: boolean): BrokenAttempt {
    const id = metadata?.['id'];
    const form = metadata?.[errorsKey];
    const known = typeof id === 'string' ? this.#answers.get(id)?.api : null;
    const api = known ?? (Object.keys(apis) as ApiName[]).find((name) => errorForm(name) === form) ?? dialects.openai.errorApi;
    const message = `The gateway could not ${asked ? 'handle the answer for' : 'prepare an attempt of'} this request; send it again.`;
    // The gateway's own refusals are 503 in every API, also where a provider's overload has another status.
    const status = asked ? 502 : 503;
    const { contentType, body } = renderFailure(api, { kind: 'server', status, message });
    return { answer: { kind: 'pass', headers: answerHeaders(status, contentType), body }, event: renderStreamError(api, message) };
  }

  attempt(role: FilterRole, metadata: Readonly<Record<string, unknown>> | null, host: string | null): Attempt | null {
    const id = metadata?.['id'];
    if (role === 'shadow') return typeof id === 'string' ? (this.#options.shadows?.attempt(id) ?? null) : null;
    const run = typeof id === 'string' ? this.#answers.get(id)?.chain : null;
    if (run === null || run === undefined) return null;
    // For role `gate`, the request filter has already begun the attempt.
    const target = role === 'gate' ? run.target : run.begin();
    if (run.rescue !== null && target !== null) {
      run.answered(null);
      return new RescueAttempt(run.rescue);
    }
    const { credentials } = this.#options;
    const { generation, provider } = run.facts;
    const other = target === null ? undefined : generation.providers.get(target.provider);
    if (target === null || other === undefined) return null;
    // Envoy skips endpoints that it does not have: this endpoint would get another target's request and key.
    if (host !== null && host !== chainHost(target.provider)) return null;
    const own = target.provider === provider.name || takesAsIs(other, provider.family, run.facts.recognition.api);
    const crossing = own ? null : new CrossingAttempt(run, target, other, String(id), credentials);
    const attempt = crossing ?? new TargetAttempt(run, target, role, credentials);
    const { tells, recognition } = run.facts;
    if (tells === null || role !== 'stream') return attempt;
    return new ToldAttempt(attempt, run, target, { api: crossing?.api ?? recognition.api, telling: { id: String(id), says: tells } });
  }
}
