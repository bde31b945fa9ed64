import { performance } from 'node:perf_hooks';
import type { Budgets } from '../../budgets/budgets.ts';
import { limits } from '../../lib/limits.ts';
import type { TargetRef } from '../../policy/types.ts';
import { buildRecord, type AnswerFacts as Ending } from '../../record/record.ts';
import type { ExchangeRecord, RecordSink } from '../../record/types.ts';
import type { Sessions } from '../../sessions/store.ts';
import { cachedAfter } from '../../sessions/warmth.ts';
import { factsOf } from '../cache.ts';
import type { ChainRun } from '../chain/run.ts';
import type { OutputTokens } from '../../router/output/tokens.ts';
import type { Grader } from '../grading.ts';
import type { Credentials } from '../credentials.ts';
import type { OpenExchange } from '../open.ts';

/** Who hears of an exchange that has ended. */
export interface ClosingServices {
  readonly sink: RecordSink;
  readonly credentials: Pick<Credentials, 'answered'>;
  readonly budgets: Pick<Budgets, 'settle'>;
  /** Null: nothing is graded. */
  readonly grader: Grader | null;
  readonly sessions: Sessions | null;
  /** What is learnt of the length of answers; absent: nothing. */
  readonly outputs?: OutputTokens;
}

/** Of an exchange of whose answer nothing is known. */
export const unobserved: Ending = {
  outcome: 'unobserved',
  status: null,
  answer: null,
  firstByteMs: null,
  firstTokenMs: null,
  totalMs: null,
};

/** Of a request that Sluice refuses with `status` after `totalMs`. */
export function blocked(status: number, totalMs: number): Ending {
  return { outcome: 'blocked', status, answer: null, firstByteMs: null, firstTokenMs: null, totalMs };
}

/** Records that are written in one turn of the event loop, each in less than 0.1 ms. */
const recordsATurn = 4;

/** Ends exchanges: grades them, writes their record, and settles what budgets, cache and conversation hold for them. */
export class Closing {
  readonly #services: ClosingServices;
  readonly #failed: (error: unknown) => void;
  /** What has been answered and is not recorded yet. */
  readonly #answered: (readonly [OpenExchange, Ending])[] = [];

  /** `failed`: told of what went wrong with an exchange that was closed later. */
  constructor(services: ClosingServices, failed: (error: unknown) => void) {
    this.#services = services;
    this.#failed = failed;
  }

  /** Throws what a service throws; the exchange holds nothing then. */
  now(open: OpenExchange, ending: Ending): void {
    let record: ExchangeRecord;
    const { chain } = open;
    const rescued = chain?.rescue ?? null;
    if (chain !== null) open.keyFile = chain.keyFile;
    try {
      const ended = chain === null ? ending : withChain(open, ending, chain);
      const quality = open.grading === null ? null : (this.#services.grader?.end(open.id, open.grading, open.generation, ended) ?? null);
      record = buildRecord(
        rescued === null ? open : { ...open, cache: 'stale', cacheEntry: factsOf(rescued, performance.now() - open.startedAt) },
        { ...ended, quality },
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
    if (rescued === null && open.output !== null && served !== undefined) learnOutput(this.#services.outputs, open.output, served, record);
    if (rescued === null) this.#settleSession(open, record, served);
    open.fill?.settle({
      // The cache's own old answer is none to keep, and says nothing good of the provider.
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

  /** Once what waits in the same read has its answer: nobody need wait for a record. */
  soon(open: OpenExchange, ending: Ending): void {
    if (this.#answered.length === 0) setImmediate(() => this.#turn());
    this.#answered.push([open, ending]);
    if (this.#answered.length >= limits.unrecorded) this.flush();
  }

  /** Envoy's log tells of many exchanges at once: requests that come meanwhile do not wait for the records of all of them. */
  #turn(): void {
    this.flush(recordsATurn);
    if (this.#answered.length > 0) setImmediate(() => this.#turn());
  }

  /** Writes the records of what waits, or of the first of them. */
  flush(most = Infinity): void {
    for (const [open, ending] of this.#answered.splice(0, most)) {
      try {
        this.now(open, ending);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  /** The conversation's next turn is priced with what this answer left in its provider's prompt cache. */
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

/** The chain's side of an ending: where the answer was translated, its facts are those that its own provider sent. */
function withChain({ startedAt }: OpenExchange, ending: Ending, chain: ChainRun): Ending {
  if (ending.outcome === 'cut') chain.broke();
  const { answer, status, totalMs } = ending;
  // An end that Envoy's log tells is some moments past.
  return {
    ...ending,
    answer: answer === null ? null : (chain.translated ?? answer),
    chain: chain.outcome(status, totalMs === null ? performance.now() : startedAt + totalMs),
  };
}

/** Only whole answers say how long one is; of several at once each counts as their mean. */
function learnOutput(
  outputs: OutputTokens | undefined,
  { key, assumed }: NonNullable<OpenExchange['output']>,
  { provider, model }: TargetRef,
  { outcome, status, usage, request, shapeSavings }: ExchangeRecord,
): void {
  // How long an answer is that was capped says nothing of others.
  if (shapeSavings !== undefined) return;
  if (outputs === undefined || usage === null || outcome !== 'complete' || status !== 200) return;
  const answers = Math.max(1, request.asks?.answers ?? 1);
  outputs.observe(`${provider}/${model}`, key, assumed, usage.totalOutput / answers, usage.reasoning / answers);
}
