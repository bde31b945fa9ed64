import { EnvoyFiles } from '../attach/files.ts';
import { openBudgets, type OpenBudgets } from '../budgets/open.ts';
import { limitFigures } from '../budgets/rate-view.ts';
import { budgetFigures } from '../budgets/view.ts';
import { ResponseCache } from '../cache/cache.ts';
import { Embedder } from '../classify/embedding/embedder.ts';
import { Credentials } from '../exchange/credentials.ts';
import { judgeRecord } from '../exchange/judge-record.ts';
import { Judge } from '../grades/judge.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { Cooldowns } from '../route/cooldowns.ts';
import { openModel, type LiveModel } from '../router/model/live.ts';
import { OutputTokens } from '../router/output/tokens.ts';
import { shippedQuality } from '../router/quality/file.ts';
import type { Ground } from './ground.ts';
import type { PolicyParts } from './policy.ts';
import type { RecordParts } from './records.ts';

/** Services that all requests share. */
export interface ServiceParts {
  readonly credentials: Credentials;
  readonly cache: ResponseCache;
  readonly router: LiveModel;
  /** Null if there is no sentence model. */
  readonly embedder: Embedder | null;
  readonly cooldowns: Cooldowns;
  readonly judge: Judge;
  /** Null if Envoy's config is managed elsewhere. */
  readonly files: EnvoyFiles | null;
  readonly kept: OpenBudgets;
  /** Learnt lengths of answers. */
  readonly outputs: OutputTokens;
}

/** How often key files are read again, in ms. */
const credentialRefreshMs = 5_000;

/** Opens the services that decide requests. */
export async function openServices(ground: Ground, policyParts: PolicyParts, { book, sink }: RecordParts): Promise<ServiceParts> {
  const { options, logger, stack } = ground;
  const { metrics } = policyParts;
  const credentials = await openCredentials(ground, policyParts);
  const cache = await openCache(ground, policyParts);
  const router = await openModel({
    file: options.model,
    onChange: (model) => logger.info({ model: model.version, name: model.header.card.name }, 'learned router changed'),
    onError: (err) => logger.error({ err }, 'learned router not changed; the last good model stays'),
  });
  stack.defer(() => router.close());
  readModels(policyParts.policy, router);
  const embedder = await openEmbedder(ground);
  const cooldowns = await openCooldowns(ground, policyParts);
  const judge = new Judge({
    credentials,
    onGrade: (decision, score) => book.own(decision, score, 'judge'),
    onResult: (result, usd) => metrics.judged(result, usd),
    onCall: (call) => sink.record(judgeRecord(call)),
  });
  stack.defer(() => judge.close());
  const files =
    options.envoy === null
      ? null
      : new EnvoyFiles(options.envoy, (err) => logger.error({ err }, "Envoy's config not written; the last one stays"));
  if (files !== null) stack.defer(() => files.close());
  const kept = await openBudgetsOf(ground, policyParts);
  return { credentials, cache, router, embedder, cooldowns, judge, files, kept, outputs: new OutputTokens() };
}

/** Reads the models that a policy asks, 5 MB, before a request waits for them. */
function readModels(policy: PolicyParts['policy'], router: LiveModel): void {
  const read = ({ asksRouter, comparesModels }: PolicySnapshot): void => {
    if (asksRouter) router.current();
    if (comparesModels) shippedQuality();
  };
  read(policy.current());
  policy.onChange(read);
}

async function openCredentials({ logger, stack }: Ground, { policy, metrics }: PolicyParts): Promise<Credentials> {
  const credentials = new Credentials((file, problem) => {
    metrics.keyProblem(problem);
    logger.error({ file, problem }, 'a key of the gateway does not serve: limited or refused by its provider, or its file holds none');
  });
  const refresh = (): Promise<void> => credentials.refresh({ ...policy.reachable(), keyFiles: policy.current().keyFiles });
  await refresh();
  metrics.watchKeyFiles(() => credentials.files().filter(({ problem }) => problem === 'none').length);
  const reread = setInterval(() => void refresh(), credentialRefreshMs);
  reread.unref();
  stack.defer(() => clearInterval(reread));
  policy.onChange(() => void refresh());
  return credentials;
}

async function openEmbedder({ options, logger, stack }: Ground): Promise<Embedder | null> {
  if (options.embedding === null) return null;
  const embedder = await Embedder.open({
    folder: options.embedding,
    onProblem: (err) => logger.error({ err }, 'the sentence model has ended; the text model decides alone until it is back'),
  });
  stack.defer(() => embedder.close());
  return embedder;
}

async function openCache({ options, stack }: Ground, { metrics }: PolicyParts): Promise<ResponseCache> {
  const remote =
    options.cacheRedis === null
      ? null
      : // ioredis is loaded only when used.
        (await import('../cache/redis/index.ts')).openRedis(options.cacheRedis, {
          onProblem: (problem) => metrics.cacheBackendProblem(problem),
          onPurge: (filter) => cache.forget(filter),
        });
  const cache: ResponseCache = new ResponseCache({
    memoryBytes: options.cacheMemoryBytes,
    remote,
    onStore: (result) => metrics.cacheStore(result),
  });
  stack.defer(() => cache.close());
  metrics.watchCache(() => cache.stats());
  return cache;
}

async function openCooldowns({ options, stack }: Ground, { metrics }: PolicyParts): Promise<Cooldowns> {
  const share =
    options.cacheRedis === null
      ? null
      : new (await import('../route/redis-cooldowns.ts')).RedisCooldowns({
          ...options.cacheRedis,
          onChange: (target, change) => cooldowns.heard(target, change),
          onProblem: () => metrics.cooldownSharingProblem(),
        });
  if (share !== null) stack.defer(() => share.close());
  const cooldowns: Cooldowns = new Cooldowns(undefined, share);
  metrics.watchCooldowns(() => cooldowns.states());
  return cooldowns;
}

async function openBudgetsOf({ options, logger, stack }: Ground, { policy, metrics }: PolicyParts): Promise<OpenBudgets> {
  const kept = await openBudgets(options.budgets, {
    action: (budget, action) => metrics.budgetAction(budget, action),
    limit: (limit, kind, action) => metrics.limitAction(limit, kind, action),
    shared: () => {
      metrics.sharedWorkspace();
      logger.warn({}, 'more workspaces than are counted apart: name them in the policy, or have somebody vouch for them');
    },
    message: (budget, result, error) => {
      metrics.budgetMessage(budget, result);
      if (error !== null) logger.error({ budget, error }, 'a webhook did not take a message about a budget');
    },
    backendProblem: (problem) => metrics.budgetBackendProblem(problem),
    event: (fields) => logger.warn(fields, 'budget'),
    fileError: (err) =>
      logger.error({ err, file: options.budgets.file }, 'the budgets could not be kept on disk; a restart begins at what was kept last'),
  });
  stack.defer(() => kept.close());
  const { budgets } = kept;
  metrics.watchBudgets(() => budgetFigures(policy.current(), budgets.store, Date.now()));
  metrics.watchUnnamedWorkspaces(() => budgets.unnamedWorkspaces);
  metrics.watchLimits(() => limitFigures(policy.current(), budgets.store, Date.now()));
  return kept;
}
