import type { LearntRefusals } from '../apis/parameters.ts';
import type { Budgets } from '../budgets/budgets.ts';
import type { ResponseCache } from '../cache/cache.ts';
import type { Embedder } from '../classify/embedding/embedder.ts';
import type { Trials } from '../experiments/trials.ts';
import type { Metrics } from '../record/metrics.ts';
import type { Cooldowns } from '../route/cooldowns.ts';
import type { Pools } from '../route/pools.ts';
import type { LiveModel } from '../router/model/live.ts';
import type { OnlineLearner } from '../router/online/learner.ts';
import type { OutputTokens } from '../router/output/tokens.ts';
import type { Sessions } from '../sessions/store.ts';
import type { OpenAnswers } from './answer/open-answers.ts';
import type { Closing } from './answer/closing.ts';
import type { BodyReader } from './body-reader.ts';
import type { Credentials } from './credentials.ts';
import type { Grader } from './grading.ts';
import type { LoadGate } from './load-gate.ts';
import type { MemoryGate } from './memory-gate.ts';
import type { MaskKeys } from './masking.ts';
import type { Shadows } from './mirror.ts';
import type { Undecided } from './undecided.ts';

/** Services that all requests share. */
export interface RequestServices {
  readonly credentials: Credentials;
  readonly cooldowns: Cooldowns;
  readonly pools: Pools;
  /** See DecideInput. */
  readonly inEnvoy?: (provider: string) => boolean;
  /** The learned router; if null, sections that ask for it route by tiers alone. */
  readonly router: Pick<LiveModel, 'current'> | null;
  /** Null if nothing is mirrored. */
  readonly shadows: Shadows | null;
  /** Null if conversations are not tracked. */
  readonly sessions: Sessions | null;
  /** Learns from grades; null if nothing is learnt. */
  readonly learner: Pick<OnlineLearner, 'assess' | 'compare' | 'remember'> | null;
  /** Learnt answer lengths; nothing is learnt if absent. */
  readonly outputs?: OutputTokens;
  /** Null if nothing is graded. */
  readonly grader: Grader | null;
  readonly budgets: Budgets;
  /** Parameters that models refused in this process. */
  readonly refusals?: LearntRefusals;
}

/** Additional services that a run needs to decide its request and record its end. */
export interface RunServices extends RequestServices {
  readonly cache: ResponseCache;
  /** Null if there are no experiments and no rollouts. */
  readonly trials: Trials | null;
  readonly admission: LoadGate;
  readonly memory: MemoryGate;
  /** Null if there is no sentence model. */
  readonly embedder: Pick<Embedder, 'find'> | null;
  /** Null if bodies of any size are read synchronously. */
  readonly bodies: BodyReader | null;
  readonly maskKeys: MaskKeys;
  readonly metrics: Metrics;
  readonly undecided: Undecided;
  readonly answers: OpenAnswers;
  readonly closing: Closing;
}
