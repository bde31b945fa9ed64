import { performance } from 'node:perf_hooks';
import type { CacheHit } from '../../cache/cache.ts';
import type { Cost } from '../../catalog/types.ts';
import type { Restoring } from '../../apis/mask/restore.ts';
import type { Answer, Exchange, Recognition } from '../../apis/types.ts';
import type { FallbackPolicy, FallbackTrigger, PolicyGeneration, PolicySection, Provider, TargetRef } from '../../policy/types.ts';
import type { ChainFacts as ChainFactsOfRecord } from '../../record/record.ts';
import { traceparentOf, type TraceFacts } from '../../record/trace.ts';
import type { AttemptRecord, OutcomeKind } from '../../record/types.ts';
import type { Expectation } from '../../grades/check-answer.ts';
import type { AttemptHealth, Cooldowns } from '../../route/cooldowns.ts';
import type { Pools } from '../../route/pools.ts';
import type { LearntRefusals } from '../../apis/parameters.ts';
import { catalogModel } from '../../route/capabilities.ts';

/** What every attempt of one exchange has in common. Holds no prompt text. */
export interface ChainFacts {
  readonly generation: PolicyGeneration;
  /** The provider that the app called. */
  readonly provider: Provider;
  /** What the app asked for. */
  readonly requested: TargetRef;
  /** Names of the request's parameters that not every model takes. */
  readonly parameters: readonly string[];
  readonly fallback: FallbackPolicy;
  readonly targets: readonly TargetRef[];
  /** Whether the last target, before an old answer, is there for parameters that the chosen models refuse, and for nothing else. */
  readonly spare: boolean;
  /** An old answer from the cache that the last target stands for; null: the last target is one. */
  readonly rescue: CacheHit | null;
  readonly recognition: Recognition & { readonly kind: 'readable' };
  /** The app's own path at its provider. */
  readonly path: string;
  readonly stream: boolean;
  readonly expects: Expectation;
  readonly includeUsage: boolean;
  /** Whether the app's streams must lose the chunk that only counts tokens: the policy asked for it, the app did not. */
  readonly stripUsage: boolean;
  /** What the app's answer gets back in place of tokens; null: nothing. Held for as long as the attempts run. */
  readonly restoring: Restoring | null;
  /** Null while spans are off. */
  readonly trace: TraceFacts | null;
  /** Whose keys the attempts carry. */
  readonly scope: Pick<PolicySection, 'credentials' | 'keys' | 'mode'>;
  /** The app's own headers, to be put back when a later attempt goes to its own provider again. */
  readonly ownHeaders: readonly (readonly [string, string])[];
}

/** What a chain leaves its targets' facts with. */
export interface ChainServices {
  readonly cooldowns: Cooldowns;
  readonly pools: Pools;
  /** What models refused in this process; absent: nobody remembers. */
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

/** One exchange's way along its chain: which attempt is on, and how the earlier ones ended. */
export class ChainRun {
  readonly facts: ChainFacts;
  /** Attempts that ended and were followed by another. */
  readonly ended: AttemptRecord[] = [];
  /** The last attempt's answer as its own provider sent it, where it was translated. */
  translated: Answer | null = null;
  /** The file of the gateway's key that the current attempt carries; null: the app's own, or a signature. */
  keyFile: string | null = null;
  readonly #cooldowns: Cooldowns;
  readonly #pools: Pools;
  readonly #refusals: LearntRefusals | undefined;
  readonly #perTryMs: number | null;
  #current = -1;
  #startedAt = 0;
  #dropped: readonly string[] = [];
  #adapted: readonly string[] = [];
  /** Status of the current attempt's response headers; null: none came yet. */
  #status: number | null = null;
  /** It is known what became of the current attempt: its answer goes to the app, or another target is to answer. */
  #settled = false;

  constructor(facts: ChainFacts, { cooldowns, pools, refusals }: ChainServices, perTryMs: number | null) {
    this.facts = facts;
    this.#cooldowns = cooldowns;
    this.#pools = pools;
    this.#refusals = refusals;
    this.#perTryMs = perTryMs;
  }

  /** Index of the attempt that is on; -1 before the first. */
  get current(): number {
    return this.#current;
  }

  /** The target that answers, as far as is known. */
  get target(): TargetRef {
    return this.facts.targets[Math.max(0, this.#current)]!;
  }

  /** The old answer, once it is its turn. */
  get rescue(): CacheHit | null {
    return this.#current >= 0 && !this.hasNext ? this.facts.rescue : null;
  }

  /** Whether what comes next is the old answer. */
  get nextRescues(): boolean {
    return this.facts.rescue !== null && this.#current + 2 === this.facts.targets.length;
  }

  /** Whether what comes next answers refused parameters only. */
  get nextIsSpare(): boolean {
    const { spare, rescue, targets } = this.facts;
    return spare && this.#current + 2 === targets.length - (rescue === null ? 0 : 1);
  }

  /** Whether another target may answer instead of the current one. */
  get hasNext(): boolean {
    return this.#current + 1 < this.facts.targets.length;
  }

  /** The next target's turn; null when there is none. An attempt before it whose end nobody told was lost: it never answered, or broke off, or stalled. */
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

  /** What the current attempt's translation left out, as the policy allows. */
  dropped(paths: readonly string[]): void {
    this.#dropped = paths;
  }

  /** What the current attempt says in its target's own words. */
  adapted(changes: readonly string[]): void {
    this.#adapted = changes;
  }

  /** The current target refused a parameter: it is not offered one like it again by this process. */
  refused(parameter: string): void {
    const { target } = this;
    const provider = this.facts.generation.providers.get(target.provider);
    if (provider !== undefined) this.#refusals?.learn(provider.catalogProvider, catalogModel(provider, target.model), parameter);
  }

  /** Response headers came. `status`: null where they are no provider's. */
  answered(status: number | null): void {
    this.#status = status;
    if (status === null) this.#settled = true;
    // How fast an error comes says nothing of answers.
    if (status !== null && status < 400 && this.facts.fallback.pools.length > 0)
      this.#pools.measured(this.target, this.facts.stream, performance.now() - this.#startedAt);
  }

  /** The current attempt failed, and the next target is to answer. */
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

  /** The current attempt's answer goes to the app. `reason`: what is wrong with it; null: nothing. */
  passed(reason: FallbackTrigger | null, retryAfterMs: number | null): void {
    this.#settled = true;
    this.health(reason, retryAfterMs);
  }

  /** The answer that was going to the app broke off. */
  broke(): void {
    if (this.#settled && this.rescue === null) this.health('reset', null);
  }

  /** The current attempt ended without an answer that could be judged: reset, refused, stalled, or too late. `status`: of Envoy's own answer to the app; null: another attempt follows. */
  lost(status: number | null = null, endedAt = performance.now()): void {
    if (this.#settled || this.rescue !== null) return;
    this.#settled = true;
    const ms = Math.max(0, endedAt - this.#startedAt);
    // Of the last attempt Envoy's own answer tells; of the others its timer, less what a busy processor may have seen the attempt begin late.
    const timedOut = status === null ? this.#perTryMs !== null && ms >= this.#perTryMs * 0.9 - 5 : status === 504;
    const reason: FallbackTrigger = timedOut ? 'timeout' : 'reset';
    // What a provider did with a request that it never answered is unknown, and so is what it bills.
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

  /** How it came out, for the record. `status`: of the answer that went to the app, if only Envoy's own; null: none did. `endedAt`: by performance.now(). */
  outcome(status: number | null, endedAt: number): ChainFactsOfRecord {
    // Below that, what the app got is the provider's own.
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

  /** Tells the target's health how its attempt ended; null: well. */
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
        // An app's own bad key says nothing of the target.
        if (!ownKey) end({ kind: 'key-dead' });
        return;
      case 'model-gone':
        end({ kind: 'dead' });
        return;
      case 'server-error':
        // A server that says when to come back is left alone until then.
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
        // The request's own fault, or the model's: the target is well.
        end({ kind: 'ok' });
    }
  }

  /** The provider of this attempt hears of the span that stands for it. */
  traceHeaders(): (readonly [string, string])[] {
    const { trace } = this.facts;
    return trace === null ? [] : [['traceparent', traceparentOf(trace, this.#current)]];
  }

  /** Whether an attempt at the app's own provider carries the gateway's key as well. */
  get gatewayKeys(): boolean {
    const { credentials, mode } = this.facts.scope;
    return credentials === 'gateway' && mode === 'enabled';
  }
}

function adaptedOf(adapted: readonly string[]): { readonly adapted?: readonly string[] } {
  return adapted.length === 0 ? {} : { adapted };
}

/** Milliseconds that Envoy gives one attempt, and all of them; null: no limit. */
export function timeoutsOf(
  fallback: FallbackPolicy,
  targets: number,
  exchange: Pick<Exchange, 'stream'>,
): { readonly perTryMs: number | null; readonly totalMs: number | null } {
  const { attemptMs, firstByteMs, totalMs } = fallback;
  if (!exchange.stream) return { perTryMs: least(attemptMs, totalMs), totalMs };
  // Envoy's total time would cut a stream that runs: for streams the total is shared out among the attempts' beginnings.
  return { perTryMs: least(least(firstByteMs, attemptMs), totalMs === null ? null : Math.floor(totalMs / targets)), totalMs: null };
}

function least(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
