import type { Budgets } from '../budgets/budgets.ts';
import type { ResponseCache } from '../cache/cache.ts';
import { LearntRefusals } from '../apis/parameters.ts';
import { takesAsIs } from '../apis/translatable.ts';
import { chainHost, type FilterRole } from '../attach/names.ts';
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
import { CrossingAttempt } from './chain/crossing.ts';
import { RescueAttempt } from './chain/rescue.ts';
import { refusal, unknownApi } from './closed.ts';
import type { Credentials } from './credentials.ts';
import { Failures } from './failures.ts';
import type { TakeFeedback } from './feedback.ts';
import type { Grader } from './grading.ts';
import { Intake } from './intake.ts';
import type { LoadGate } from './load-gate.ts';
import { MaskKeys } from './masking.ts';
import type { Shadows } from './mirror.ts';
import type { Attempt, AttemptGateway, Gateway, KnownOfCaller, LoggedExchange, RequestPlan, ResponsePlan } from './plans.ts';
import { Undecided } from './undecided.ts';

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
  readonly feedback: TakeFeedback | null;
  readonly budgets: Budgets;
  /** What tokens for masked data are made with; absent: a key of this process's own. */
  readonly maskKey?: Buffer;
  /** What models refused in this process; absent: the pipeline remembers by itself. */
  readonly refusals?: LearntRefusals;
  readonly admission: LoadGate;
  /** Null: bodies of any size are read at once. */
  readonly bodies: BodyReader | null;
  readonly log: { error(fields: object, message: string): void; debug(fields: object, message: string): void };
}

/**
 * One request, in order: headers → recognise → body → read, look in the cache, classify, decide, rewrite → answer → record.
 * Nothing here throws to Envoy: what goes wrong is a pass, counted.
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
      undecided: new Undecided({ ...options, ...shared, failures: this.#failures }),
    });
  }

  /** Exchanges of whose answer nothing has come yet. */
  get pending(): number {
    return this.#answers.size;
  }

  awaitsLog(): boolean {
    return this.#answers.awaitsLog;
  }

  /** An Envoy is gone, and with it its requests: they give their places back. What else is known of them may yet come by its log. */
  gone(peer: string): void {
    for (const { reservation } of this.#answers.of(peer)) if (reservation !== null) this.#options.budgets.leave(reservation);
  }

  /** Writes the records of what has ended; it happens by itself a turn later. */
  flush(): void {
    this.#closing.flush();
  }

  /** Writes the records of all that is still open. */
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
      // Whose request it was is not known here: one that must not pass undecided may be among them.
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

  attempt(role: FilterRole, metadata: Readonly<Record<string, unknown>> | null, host: string | null): Attempt | null {
    const id = metadata?.['id'];
    if (role === 'shadow') return typeof id === 'string' ? (this.#options.shadows?.attempt(id) ?? null) : null;
    const run = typeof id === 'string' ? this.#answers.get(id)?.chain : null;
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
}
