import { performance } from 'node:perf_hooks';
import type { CacheHit } from '../../cache/cache.ts';
import type { Cost } from '../../catalog/types.ts';
import type { Restoring } from '../../apis/mask/restore.ts';
import type { Answer, ParsedRequest, Recognition } from '../../apis/types.ts';
import type { FallbackPolicy, FallbackTrigger, InAnswer, PolicySnapshot, PolicySection, Provider, TargetRef } from '../../policy/types.ts';
import type { ChainEnding as ChainFactsOfRecord } from '../../record/record.ts';
import { traceparentOf, type TraceFacts } from '../../record/trace.ts';
import type { AttemptRecord, OutcomeKind } from '../../record/types.ts';
import type { Expectation } from '../../grades/check-answer.ts';
import type { AttemptHealth, Cooldowns } from '../../route/cooldowns.ts';
import type { Pools } from '../../route/pools.ts';
import type { LearntRefusals } from '../../apis/parameters.ts';
import { catalogModel } from '../../route/capabilities.ts';

/** Facts shared by all attempts of one exchange. Holds no prompt text. */
export interface ChainFacts {
  readonly generation: PolicySnapshot;
  /** The provider that the app called. */
  readonly provider: Provider;
  /** What the app asked for. */
  readonly requested: TargetRef;
  /** Names of the request's parameters that not every model accepts. */
  readonly parameters: readonly string[];
  readonly fallback: FallbackPolicy;
  readonly targets: readonly TargetRef[];
  /** Whether the last target (before the stale answer) is used only for parameters that the chosen models refuse. */
  readonly spare: boolean;
  /** A stale answer from the cache, for which the last target is a placeholder; null if the last target is a real one. */
  readonly rescue: CacheHit | null;
  /** Called if an attempt ended without an answer and no other one follows, since the app may have left; null if nobody needs to know. */
  readonly whenSilent: (() => void) | null;
  readonly recognition: Recognition & { readonly kind: 'readable' };
  /** The app's own path at its provider. */
  readonly path: string;
  readonly stream: boolean;
  readonly expects: Expectation;
  readonly includeUsage: boolean;
  /** Whether the usage chunk must be removed from the stream: the policy asked for it, the app did not. */
  readonly stripUsage: boolean;
  /** Originals to restore in place of mask tokens in the answer; null if none. Held while the attempts run. */
  readonly restoring: Restoring | null;
  /** What Sluice adds to the answer for its app; null for nothing. */
  readonly tells: InAnswer | null;
  /** Null while spans are off. */
  readonly trace: TraceFacts | null;
  /** The section settings that decide which keys the attempts carry. */
  readonly scope: Pick<PolicySection, 'credentials' | 'keys' | 'mode'>;
  /** The app's own headers, restored when a later attempt is sent to its own provider. */
  readonly ownHeaders: readonly (readonly [string, string])[];
}

/** Until an attempt that ended without an answer is followed by another one, ms. */
const nextAttemptMs = 1_000;

/** Services that record what a chain learns about its targets. */
export interface ChainServices {
  readonly cooldowns: Cooldowns;
  readonly pools: Pools;
  /** Parameters that models refused in this process; not recorded if absent. */
  readonly refusals?: LearntRefusals;
}

/** How an attempt ended. */
export interface AttemptEnd {
  readonly outcome: OutcomeKind;
  readonly status: number | null;
  readonly reason: FallbackTrigger | null;
  readonly cost: Cost;
  readonly retryAfterMs: number | null;
}

/** The progress of one exchange along its chain: the current attempt, and how the earlier ones ended. */
export class ChainRun {
  readonly facts: ChainFacts;
  /** Attempts that ended and were followed by another attempt. */
  readonly ended: AttemptRecord[] = [];
  /** The last attempt's answer as its provider sent it, if it was translated. */
  translated: Answer | null = null;
  /** The file of the gateway key in the current attempt; null if it carries the app's key or a signature. */
  keyFile: string | null = null;
  readonly #cooldowns: Cooldowns;
  readonly #pools: Pools;
  readonly #refusals: LearntRefusals | undefined;
  readonly #perTryMs: number | null;
  #current = -1;
  #startedAt = 0;
  #dropped: readonly string[] = [];
  #adapted: readonly string[] = [];
  /** Status of the current attempt's response headers; null if none came yet. */
  #status: number | null = null;
  /** The current attempt's result is known: its answer is passed on, or another target is tried. */
  #settled = false;

  constructor(facts: ChainFacts, { cooldowns, pools, refusals }: ChainServices, perTryMs: number | null) {
    this.facts = facts;
    this.#cooldowns = cooldowns;
    this.#pools = pools;
    this.#refusals = refusals;
    this.#perTryMs = perTryMs;
  }

  /** Index of the current attempt; -1 before the first. */
  get current(): number {
    return this.#current;
  }

  /** The target of the current attempt, or the first target before any attempt. */
  get target(): TargetRef {
    return this.facts.targets[Math.max(0, this.#current)]!;
  }

  /** The stale answer, once the chain has reached it. */
  get rescue(): CacheHit | null {
    return this.#current >= 0 && !this.hasNext ? this.facts.rescue : null;
  }

  /** Whether the stale answer is next. */
  get nextRescues(): boolean {
    return this.facts.rescue !== null && this.#current + 2 === this.facts.targets.length;
  }

  /** Whether the next target is used for refused parameters only. */
  get nextIsSpare(): boolean {
    const { spare, rescue, targets } = this.facts;
    return spare && this.#current + 2 === targets.length - (rescue === null ? 0 : 1);
  }

  /** Whether another target follows the current one. */
  get hasNext(): boolean {
    return this.#current + 1 < this.facts.targets.length;
  }

  /**
   * Begins the attempt at the next target; null if there is none. If the previous attempt's end was not reported, it is recorded as lost:
   * it never answered, broke off, or stalled.
   */
  begin(): TargetRef | null {
    if (this.#current >= 0 && this.ended.length <= this.#current) this.lost();
    const target = this.facts.targets[this.#current + 1];
    if (target === undefined) return null;
    this.#current++;
    this.#startedAt = performance.now();
    this.#status = null;
    this.#settled = false;
    this.#dropped = [];
    this.#adapted = [];
    this.translated = null;
    if (this.rescue === null) this.#cooldowns.began(target, target.provider === this.facts.provider.name);
    return target;
  }

  /** Records what the current attempt's translation left out, as the policy allows. */
  dropped(paths: readonly string[]): void {
    this.#dropped = paths;
  }

  /** Records what was changed for the current attempt's target. */
  adapted(changes: readonly string[]): void {
    this.#adapted = changes;
  }

  /** The stream of an attempt closed before its answer ended; an attempt without an answer is recorded when the next one begins. */
  closed(): void {
    const { whenSilent } = this.facts;
    if (this.#status !== null || whenSilent === null) return;
    const attempt = this.#current;
    setTimeout(() => {
      if (this.#current === attempt) whenSilent();
    }, nextAttemptMs).unref();
  }

  /** The current target refused a parameter: this process does not send it that parameter again. */
  refused(parameter: string): void {
    const { target } = this;
    const provider = this.facts.generation.providers.get(target.provider);
    if (provider !== undefined) this.#refusals?.learn(provider.catalogProvider, catalogModel(provider, target.model), parameter);
  }

  #streamed(): void {
    const { target } = this;
    const provider = this.facts.generation.providers.get(target.provider);
    if (provider !== undefined) this.#refusals?.streamed(provider.catalogProvider, catalogModel(provider, target.model));
  }

  /** Response headers came. `status`: null if they are not from a provider. */
  answered(status: number | null): void {
    this.#status = status;
    if (status === null) this.#settled = true;
    // The latency of an error says nothing about the latency of answers.
    if (status !== null && status < 400 && this.facts.fallback.pools.length > 0)
      this.#pools.measured(this.target, this.facts.stream, performance.now() - this.#startedAt);
  }

  /** The current attempt failed, and the next target is tried. */
  failed(end: AttemptEnd): void {
    this.#settled = true;
    this.ended.push({
      target: this.target,
      status: end.status,
      outcome: end.outcome,
      reason: end.reason,
      ms: performance.now() - this.#startedAt,
      cost: end.cost,
      dropped: this.#dropped,
      ...adaptedOf(this.#adapted),
    });
    this.health(end.reason, end.retryAfterMs);
  }

  /** The current attempt's answer is passed on to the app. `reason`: its problem; null if none. */
  passed(reason: FallbackTrigger | null, retryAfterMs: number | null): void {
    this.#settled = true;
    if (reason === null && this.facts.spare && this.facts.stream && (this.#status ?? 400) < 400) this.#streamed();
    this.health(reason, retryAfterMs);
  }

  /** The answer broke off while it was sent to the app. */
  broke(): void {
    if (this.#settled && this.rescue === null) this.health('reset', null);
  }

  /**
   * The current attempt ended without a usable answer: reset, refused, stalled, or too late. `status`: of Envoy's own answer to the app;
   * null if another attempt follows.
   */
  lost(status: number | null = null, endedAt = performance.now()): void {
    if (this.#settled || this.rescue !== null) return;
    this.#settled = true;
    const ms = Math.max(0, endedAt - this.#startedAt);
    // Envoy's own answer shows whether the last attempt timed out. For earlier ones compare with the timer, less a margin: a busy processor
    // may see an attempt begin late.
    const timedOut = status === null ? this.#perTryMs !== null && ms >= this.#perTryMs * 0.9 - 5 : status === 504;
    const reason: FallbackTrigger = timedOut ? 'timeout' : 'reset';
    // It is unknown what a provider bills for a request that it never answered.
    this.ended.push({
      target: this.target,
      status: this.#status,
      outcome: 'cut',
      reason,
      ms,
      cost: { known: false, reason: 'attempt' },
      dropped: this.#dropped,
      ...adaptedOf(this.#adapted),
    });
    this.health(reason, null);
  }

  /**
   * The chain's result for the record. `status`: of the answer sent to the app, even if it is Envoy's own; null if none was sent.
   * `endedAt`: by performance.now().
   */
  outcome(status: number | null, endedAt: number): ChainFactsOfRecord {
    // A lower status is the provider's own answer.
    if (status !== null && status >= 500) this.lost(status, endedAt);
    return {
      served: this.target,
      failed: this.ended,
      exhausted: this.ended.length > this.#current,
      lastMs: Math.max(0, endedAt - this.#startedAt),
      lastDropped: this.#dropped,
      lastAdapted: this.#adapted,
      lastStatus: this.#status,
    };
  }

  /** Updates the target's health with the attempt's end; `reason`: null if it succeeded. */
  health(reason: FallbackTrigger | null, retryAfterMs: number | null): void {
    const { target } = this;
    const ownKey = target.provider === this.facts.provider.name;
    const end = (health: AttemptHealth): void => this.#cooldowns.ended(target, health, ownKey);
    switch (reason) {
      case null:
        end({ kind: 'ok' });
        return;
      case 'rate-limit':
      case 'overloaded':
        end({ kind: 'limited', retryAfterMs });
        return;
      case 'key-dead':
        // A bad key of the app says nothing about the target.
        if (!ownKey) end({ kind: 'key-dead' });
        return;
      case 'model-gone':
        end({ kind: 'dead' });
        return;
      case 'server-error':
        // A server that says when to retry gets no requests until then.
        end(retryAfterMs === null ? { kind: 'failed' } : { kind: 'limited', retryAfterMs });
        return;
      case 'connect':
      case 'reset':
      case 'timeout':
      case 'stream-error':
        end({ kind: 'failed' });
        return;
      case 'context-window':
      case 'content-filter':
      case 'refusal':
      case 'empty':
      case 'length':
      case 'invalid-json':
      case 'bad-tool-call':
      case 'unsupported-parameter':
        // The request or the model is at fault: the target is healthy.
        end({ kind: 'ok' });
    }
  }

  /** Headers that tell the provider the span of this attempt. */
  traceHeaders(): (readonly [string, string])[] {
    const { trace } = this.facts;
    return trace === null ? [] : [['traceparent', traceparentOf(trace, this.#current)]];
  }

  /** Whether attempts at the app's own provider carry the gateway's key too. */
  get gatewayKeys(): boolean {
    const { credentials, mode } = this.facts.scope;
    return credentials === 'gateway' && mode === 'enabled';
  }
}

function adaptedOf(adapted: readonly string[]): { readonly adapted?: readonly string[] } {
  return adapted.length === 0 ? {} : { adapted };
}

/** Envoy's timeouts for one attempt and for all of them, ms; null if there is no limit. */
export function timeoutsOf(
  fallback: FallbackPolicy,
  targets: number,
  exchange: Pick<ParsedRequest, 'stream'>,
): { readonly perTryMs: number | null; readonly totalMs: number | null } {
  const { attemptMs, firstByteMs, totalMs } = fallback;
  if (!exchange.stream) return { perTryMs: least(attemptMs, totalMs), totalMs };
  // Envoy's total timeout would cut a running stream: for streams the total is divided among the attempts' first bytes.
  return { perTryMs: least(least(firstByteMs, attemptMs), totalMs === null ? null : Math.floor(totalMs / targets)), totalMs: null };
}

function least(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
