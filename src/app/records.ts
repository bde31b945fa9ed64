import type { Fleet } from '../experiments/fleet.ts';
import { evidenceOf, trialsAdmin } from '../experiments/admin.ts';
import { Trials } from '../experiments/trials.ts';
import { GradeBook } from '../grades/book.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { fanout } from '../record/fanout.ts';
import { gradeLog, logSink } from '../record/log-sink.ts';
import { recordsWanted, remoteSampler, spansAskedFor } from '../record/otel-settings.ts';
import { RecentRecords } from '../record/recent.ts';
import type { RecordSink } from '../record/types.ts';
import { LearningHub } from '../router/online/hub.ts';
import { OnlineLearner } from '../router/online/learner.ts';
import { learningSink } from '../router/online/sink.ts';
import { Sessions } from '../sessions/store.ts';
import type { Ground } from './ground.ts';
import { openLedger } from './ledger.ts';
import type { PolicyParts } from './policy.ts';

/** The receivers of exchange records and grades. */
export interface RecordParts {
  readonly recent: RecentRecords;
  readonly ledger: Ledger | null;
  /** Sampled share of the traces that begin here, 0 to 1; null if spans are off. */
  readonly traceRatio: number | null;
  readonly sessions: Sessions;
  readonly trials: Trials;
  readonly seen: ReturnType<typeof trialsAdmin>;
  readonly learner: OnlineLearner;
  readonly learning: LearningHub;
  readonly book: GradeBook;
  readonly sink: RecordSink;
}

/** Opens the receivers of exchange records: ledger, spans, experiments, learning, log. */
export async function openRecords(ground: Ground, policyParts: PolicyParts): Promise<RecordParts> {
  const { options, version, logger, log, stack } = ground;
  const { policy, metrics } = policyParts;
  metrics.watchLog(() => log.counts());
  const recent = new RecentRecords();
  // The SDK is loaded only if spans are on.
  const spans = spansAskedFor(process.env)
    ? (await import('../record/spans.ts')).openSpans(process.env, version, (name) => policy.current().providers.get(name)?.endpoint)
    : null;
  if (spans !== null) {
    stack.defer(() => spans.sink.close());
    metrics.watchSpans(() => spans.sink.counts);
    const sampler = remoteSampler(process.env);
    if (sampler !== null) logger.warn({ sampler, ratio: spans.ratio }, 'no sampling server is asked: this share of new traces is sampled');
  }
  const otlp = recordsWanted(options.records, process.env)
    ? new (await import('../record/otlp-records.ts')).OtlpRecords(process.env, version)
    : null;
  if (otlp !== null) {
    stack.defer(() => otlp.close());
    metrics.watchOtlpRecords(() => otlp.counts);
  }
  const ledger = await openLedger(ground);
  if (ledger !== null) metrics.watchLedger(() => ledger.counts);
  const sessions = await openSessions(ground, policyParts);
  const { trials, seen } = await openTrials(ground, policyParts);
  const learner = new OnlineLearner();
  const learning = await openLearning(ground, learner);
  const kept = ledger === null ? [] : [ledger];
  const book = new GradeBook({
    find: ledger === null ? null : (id) => ledger.find(id),
    sinks: [
      metrics,
      sessions,
      trials,
      ...kept,
      gradeLog(logger),
      learningSink(learning, (workspace, provider) => policy.current().section(workspace, provider).learning),
    ],
    onError: (err) => logger.error({ err }, 'a grade sink failed'),
  });
  const sink = fanout(
    [
      metrics,
      recent,
      book,
      trials,
      ...(spans === null ? [] : [spans.sink]),
      ...(otlp === null ? [] : [otlp]),
      ...kept,
      logSink(log, options.logShare),
    ],
    (err) => logger.error({ err }, 'a record sink failed'),
  );
  return { recent, ledger, traceRatio: spans?.ratio ?? null, sessions, trials, seen, learner, learning, book, sink };
}

async function openSessions({ options: { cacheRedis }, stack }: Ground, { metrics }: PolicyParts): Promise<Sessions> {
  const sessions = new Sessions(
    cacheRedis === null
      ? null
      : new (await import('../sessions/redis.ts')).RedisSessions(cacheRedis, () => metrics.cacheBackendProblem('session')),
  );
  stack.defer(() => sessions.close());
  metrics.watchSessions(() => sessions.size);
  return sessions;
}

async function openTrials(
  { options, logger, stack }: Ground,
  { policy, metrics, told }: PolicyParts,
): Promise<Pick<RecordParts, 'trials' | 'seen'>> {
  const trials = new Trials({
    rollout: policy.rollout,
    stopped: policy.stoppedBefore,
    onChange: (experiment, change, by) => {
      policy.keepStopped(trials.stopped);
      told.fleet?.tellStopped(trials.stopped);
      logger.info({ experiment, by, change }, 'experiment changed');
    },
  });
  if (options.cacheRedis !== null) {
    const onProblem = (): void => metrics.cacheBackendProblem('fleet');
    const fleet: Fleet = new (await import('../experiments/fleet.ts')).Fleet({
      ...options.cacheRedis,
      rollout: policy.rollout,
      trials,
      onProblem,
    });
    stack.defer(() => fleet.close());
    told.fleet = fleet;
  }
  const seen = trialsAdmin(policy.rollout, trials, () => policy.current());
  metrics.watchTrials(
    () => seen.rollout().candidate?.share ?? 0,
    () => evidenceOf(seen),
  );
  return { trials, seen };
}

async function openLearning({ options, logger, stack }: Ground, learner: OnlineLearner): Promise<LearningHub> {
  const onError = (err: unknown, what: string): void => logger.error({ err }, what);
  const { cacheRedis, learningState } = options;
  const stream = cacheRedis === null ? null : (await import('../router/online/redis-stream.ts')).openLearningStream(cacheRedis, onError);
  // The hub closes its stream, unless it failed to open.
  const learning = await LearningHub.open({ learner, file: learningState, stream, onError }).catch((error: unknown) => {
    stream?.close();
    throw error;
  });
  stack.defer(() => learning.close());
  return learning;
}
