import { performance } from 'node:perf_hooks';
import type { Budgets } from '../../budgets/budgets.ts';
import { limits } from '../../lib/limits.ts';
import type { TargetRef } from '../../policy/types.ts';
import { apis } from '../../apis/registry.ts';
import { buildRecord, type AnswerEnding } from '../../record/record.ts';
import type { ExchangeRecord, RecordSink } from '../../record/types.ts';
import type { Sessions } from '../../sessions/store.ts';
import { cachedAfter } from '../../sessions/warmth.ts';
import { factsOf } from '../cache.ts';
import type { ChainRun } from '../chain/run.ts';
import { answerLength, learnLength } from '../../router/output/answer-length.ts';
import type { OutputTokens } from '../../router/output/tokens.ts';
import type { Grader } from '../grading.ts';
import type { Credentials } from '../credentials.ts';
import { usageCounts } from '../call.ts';
import type { OpenExchange } from '../open.ts';

/** Services that are notified of an ended exchange. */
export interface ClosingServices {
  readonly sink: RecordSink;
  readonly credentials: Pick<Credentials, 'answered'>;
  readonly budgets: Pick<Budgets, 'settle'>;
  /** Null if nothing is graded. */
  readonly grader: Grader | null;
  readonly sessions: Sessions | null;
  /** Learnt answer lengths; nothing is learnt if absent. */
  readonly outputs?: OutputTokens;
}

/** The ending of an exchange whose answer was not observed. */
export const unobserved: AnswerEnding = {
  outcome: 'unobserved',
  status: null,
  answer: null,
  firstByteMs: null,
  firstTokenMs: null,
  totalMs: null,
};

/** The ending of a request that Sluice refuses with `status` after `totalMs`. */
export function blocked(status: number, totalMs: number): AnswerEnding {
  return { outcome: 'blocked', status, answer: null, firstByteMs: null, firstTokenMs: null, totalMs };
}

/** Number of records written per event-loop turn, each in less than 0.1 ms. */
const recordsATurn = 4;

/** Closes exchanges: grades them, writes their record, and settles their budgets, cache entry and conversation. */
export class Closing {
  readonly #services: ClosingServices;
  readonly #failed: (error: unknown) => void;
  /** Exchanges that were answered but not recorded yet, with their endings, in lists that are reused. */
  readonly #answered: (OpenExchange | null)[] = [];
  readonly #endings: (AnswerEnding | null)[] = [];
  /** Where the first of them is, and the end of the last. */
  #first = 0;
  #end = 0;
  readonly #nextTurn = (): void => this.#turn();

  /** `failed`: called with errors of exchanges that are closed later. */
  constructor(services: ClosingServices, failed: (error: unknown) => void) {
    this.#services = services;
    this.#failed = failed;
  }

  /** Rethrows a service's error; the exchange holds nothing afterwards. */
  now(open: OpenExchange, ending: AnswerEnding): void {
    let record: ExchangeRecord;
    const { chain } = open;
    const rescued = chain?.rescue ?? null;
    if (chain !== null) open.keyFile = chain.keyFile;
    try {
      const ended = unclearUsage(open, chain === null ? ownUsage(open, ending) : withChain(open, ending, chain));
      const quality = open.grading === null ? null : (this.#services.grader?.end(open.id, open.grading, open.generation, ended) ?? null);
      record = buildRecord(
        rescued === null ? open : { ...open, cache: 'stale', cacheEntry: factsOf(rescued, performance.now() - open.startedAt) },
        ended,
        quality,
      );
      if (open.reservation !== null) this.#services.budgets.settle(open.reservation, record);
      this.#services.sink.record(record);
    } catch (error) {
      open.fill?.abandon();
      if (open.grading !== null) this.#services.grader?.lost(open.grading);
      throw error;
    }
    if (chain === null && ending.status !== null) this.#services.credentials.answered(open.keyFile, ending.status, null);
    const served = record.attempts.at(-1)?.target;
    if (rescued === null && this.#services.outputs !== undefined) learnLength(this.#services.outputs, answerLength(record));
    if (rescued === null) this.#settleSession(open, record, served);
    open.fill?.settle({
      // A stale answer from the cache must not be cached again, and does not count as the provider's success.
      outcome: rescued === null ? record.outcome : 'provider-error',
      status: rescued === null ? record.status : null,
      finishReason: record.finishReason,
      usage: record.usage,
      provider: served?.provider ?? record.provider ?? '',
      model: served?.model ?? record.servedModel ?? '',
      tier: record.decision?.tier ?? null,
      rule: record.decision?.rule ?? null,
      tookMs: record.timing.totalMs,
    });
  }

  /** Closes the exchange after the other messages of the same read were answered: no request waits for a record. */
  soon(open: OpenExchange, ending: AnswerEnding): void {
    if (this.#first === this.#end) setImmediate(this.#nextTurn);
    if (this.#end === 2 * limits.unrecorded) this.#moveDown();
    this.#answered[this.#end] = open;
    this.#endings[this.#end++] = ending;
    if (this.#end - this.#first >= limits.unrecorded) this.flush();
  }

  /** Moves the waiting exchanges to the beginning of the lists. */
  #moveDown(): void {
    const count = this.#end - this.#first;
    this.#answered.copyWithin(0, this.#first, this.#end).fill(null, count);
    this.#endings.copyWithin(0, this.#first, this.#end).fill(null, count);
    this.#first = 0;
    this.#end = count;
  }

  /** Envoy's log reports many exchanges at once: new requests must not wait for all their records. */
  #turn(): void {
    this.flush(recordsATurn);
    if (this.#first < this.#end) setImmediate(this.#nextTurn);
  }

  /** Writes the waiting records, or the first `most` of them. */
  flush(most = Infinity): void {
    // More may come meanwhile, which are not of this turn.
    const end = Math.min(this.#end, this.#first + most);
    while (this.#first < end) {
      const open = this.#answered[this.#first]!;
      const ending = this.#endings[this.#first]!;
      this.#answered[this.#first] = this.#endings[this.#first] = null;
      this.#first++;
      try {
        this.now(open, ending);
      } catch (error) {
        this.#failed(error);
      }
    }
    if (this.#first === this.#end) this.#first = this.#end = 0;
  }

  /** Stores what this answer left in its provider's prompt cache, to price the conversation's next turn. */
  #settleSession(
    { sessionIdleMs, decision, generation }: OpenExchange,
    { outcome, usage }: ExchangeRecord,
    served: TargetRef | undefined,
  ): void {
    const { sessions } = this.#services;
    const key = decision?.session?.key;
    const provider = served === undefined ? undefined : generation.providers.get(served.provider);
    if (
      sessions === null ||
      sessionIdleMs === null ||
      key === undefined ||
      served === undefined ||
      provider === undefined ||
      outcome !== 'complete'
    )
      return;
    sessions.answered(key, served, usage === null ? { tokens: 0, ms: 0 } : cachedAfter(provider.family, usage), sessionIdleMs);
  }
}

/** Leaves out the usage of an observed call's answer that is another call's, or no call's yet. */
function ownUsage({ kind, call }: OpenExchange, ending: AnswerEnding): AnswerEnding {
  const { answer } = ending;
  if (kind !== 'observed' || call === undefined || answer === null || answer.usage === null || usageCounts(call)) return ending;
  return { ...ending, answer: { ...answer, usage: null, usageUnknown: 'not-sent' } };
}

/** Marks a usage that leaves open what the request cost. */
function unclearUsage({ unclear, api }: OpenExchange, ending: AnswerEnding): AnswerEnding {
  const usage = ending.answer?.usage ?? null;
  const why = unclear === true && api !== null && usage !== null ? (apis[api].answer.unclear?.usage(usage) ?? null) : null;
  if (why === null) return ending;
  return { ...ending, answer: { ...ending.answer!, usage: { ...usage!, beyond: [...(usage!.beyond ?? []), why] } } };
}

/** Adds the chain's facts to an ending: for a translated answer, the facts of what its provider sent. */
function withChain({ startedAt }: OpenExchange, ending: AnswerEnding, chain: ChainRun): AnswerEnding {
  if (ending.outcome === 'cut') chain.broke();
  const { answer, status, totalMs } = ending;
  // Envoy's log reports an end some time after it happened.
  return {
    ...ending,
    answer: answer === null ? null : (chain.translated ?? answer),
    chain: chain.outcome(status, totalMs === null ? performance.now() : startedAt + totalMs),
  };
}
