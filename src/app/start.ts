import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { createMetricsServer } from '../admin/metrics-server.ts';
import { createAdmin } from '../admin/server.ts';
import { openBudgets } from '../budgets/open.ts';
import { limitFigures } from '../budgets/rate-view.ts';
import { budgetFigures } from '../budgets/view.ts';
import { ResponseCache } from '../cache/cache.ts';
import { openCatalog } from '../catalog/live.ts';
import { shippedQuality } from '../router/quality/file.ts';
import { openModel } from '../router/model/live.ts';
import { EnvoyFiles } from '../attach/files.ts';
import { chainWarning } from '../attach/versions.ts';
import { SluiceError } from '../lib/errors.ts';
import { evidenceOf, trialsAdmin } from '../experiments/admin.ts';
import type { Fleet } from '../experiments/fleet.ts';
import { RolloutPolicies } from '../experiments/policies.ts';
import { Trials } from '../experiments/trials.ts';
import { GradeBook, newestBySource } from '../grades/book.ts';
import { LearningHub } from '../router/online/hub.ts';
import { OutputTokens } from '../router/output/tokens.ts';
import { OnlineLearner } from '../router/online/learner.ts';
import { learningSink } from '../router/online/sink.ts';
import { Judge } from '../grades/judge.ts';
import { takeFeedback, type FeedbackReply } from '../grades/request.ts';
import { SocketTransport } from '../extproc/socket-transport.ts';
import { AttemptSession } from '../extproc/attempt-session.ts';
import { Session } from '../extproc/session.ts';
import { socketPath } from '../extproc/socket.ts';
import type { ConfigMapPolicyOptions, ConfigMapPolicyStore } from '../kubernetes/policy-store.ts';
import { Ledger } from '../ledger/ledger.ts';
import { shownPlace } from '../ledger/target.ts';
import type { WebhookServer } from '../kubernetes/webhook-server.ts';
import { LoadGate } from '../exchange/load-gate.ts';
import { BodyReader } from '../exchange/body-reader.ts';
import { Credentials } from '../exchange/credentials.ts';
import { Pipeline } from '../exchange/gateway.ts';
import { Grader } from '../exchange/grading.ts';
import { Shadows } from '../exchange/mirror.ts';
import { PolicyHistory } from '../policy/history.ts';
import { defaultPolicyFile } from '../policy/source.ts';
import { HttpPolicyStore } from '../policy/http-store.ts';
import { KeptPolicy } from '../policy/kept.ts';
import { PairPolicyStore } from '../policy/pair-store.ts';
import { FilePolicyStore } from '../policy/store.ts';
import type { LivePolicyStore, PolicyGeneration } from '../policy/types.ts';
import { checkListen, hostAndPort } from '../lib/address.ts';
import { fanout } from '../record/fanout.ts';
import { gradeLog, logSink, openLog } from '../record/log-sink.ts';
import { Metrics } from '../record/metrics.ts';
import { samplesByParent, spansAskedFor } from '../record/otel-settings.ts';
import { RecentRecords } from '../record/recent.ts';
import { Cooldowns } from '../route/cooldowns.ts';
import { Pools } from '../route/pools.ts';
import { Sessions } from '../sessions/store.ts';
import type { LedgerSettings, SluiceOptions } from './options.ts';
import { selfFacts } from './self-check.ts';

export interface Sluice {
  readonly address: string;
  readonly adminUrl: string;
  /** Drains for up to `graceMs`, then writes what is open and stops. */
  close(graceMs: number): Promise<void>;
}

/** How often key files are read again, in ms. */
const credentialRefreshMs = 5_000;

/** Builds and starts one Sluice. Everything is wired here, and nowhere else. Throws SluiceError on what cannot start. */
export async function startSluice(options: SluiceOptions): Promise<Sluice> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  // What cannot be listened on is said before anything is opened.
  checkListen(options.listen, '--listen');
  const adminAt = hostAndPort(options.admin, '--admin');
  const metricsAt = options.metrics === null ? null : hostAndPort(options.metrics, '--metrics');
  if (options.webhook !== null) hostAndPort(options.webhook.listen, '--webhook');
  const log = openLog({ level: options.logLevel, path: options.log });
  const { logger } = log;
  const prices = await openCatalog({
    file: options.catalog,
    source: options.catalogSource,
    intervalMs: options.catalogIntervalMs,
    onChange: (catalog) => policy.setCatalog(catalog),
    onReport: ({ added, removed, changed, held }) =>
      logger.info({ added: added.length, removed: removed.length, changed, held }, 'price list imported'),
    onError: (err) => logger.error({ err }, 'price catalog not updated; the last good one stays'),
  });
  const failedRules = new Set<string>();
  const onRuleError = (rule: string, err: unknown): void => {
    // Once a rule and generation: a rule that fails does so on every request.
    if (failedRules.has(rule)) return;
    failedRules.add(rule);
    logger.warn({ rule, err }, 'a rule failed while it was evaluated; it counts as no match');
  };
  const onSourceError = (what: string, failure: string): void => logger.error({ failure }, what);
  const keptAs = (source: string): KeptPolicy | null =>
    options.policyKept === null
      ? null
      : new KeptPolicy(options.policyKept, source, (err) =>
          logger.warn({ err, file: options.policyKept }, 'the policy in force could not be kept for the next start'),
        );
  const shared = { catalog: prices.catalog, onRuleError, onSourceError };
  const configMaps =
    options.policyConfigMaps === null
      ? null
      : await openConfigMaps(options.policyConfigMaps, {
          ...shared,
          kept: keptAs(`configmaps ${options.policyConfigMaps.namespaces.join(',')} ${options.policyConfigMaps.labelSelector}`),
        });
  const whole =
    options.policyUrl === null || options.policyUrl.pairs
      ? null
      : await HttpPolicyStore.open({ ...options.policyUrl, ...shared, kept: keptAs(`url ${options.policyUrl.url}`) });
  const base: LivePolicyStore & { readonly keptSince: string | null } =
    configMaps ??
    whole ??
    new FilePolicyStore({
      path: options.policy ?? fileURLToPath(defaultPolicyFile),
      watch: options.policy !== null,
      ...shared,
      kept: options.policy === null ? null : keptAs(`path ${options.policy}`),
    });
  if (base.keptSince !== null)
    logger.error(
      { keptSince: base.keptSince, hash: base.current().hash, problems: base.lastRefusal()?.problems ?? [] },
      'the policy cannot be read: the last good one of an earlier run is in force',
    );
  const pairs = options.policyUrl?.pairs === true ? new PairPolicyStore({ ...options.policyUrl, base, ...shared }) : null;
  const source: LivePolicyStore = pairs ?? base;
  const metrics = new Metrics({ version, policy: () => policy.current(), refused: () => policy.lastRefusal() !== null });
  let fleet: Fleet | null = null;
  const policy: RolloutPolicies = new RolloutPolicies({
    source,
    catalog: prices.catalog,
    file: options.state,
    onRuleError,
    onChange: (change) => {
      const { event, policy: hash, share, cause } = change;
      fleet?.tell(change);
      metrics.rolloutEvent(event, cause);
      logger.info({ event, policy: hash, share, cause }, 'rollout');
    },
    onError: (err) => logger.error({ err, file: options.state }, 'the state of rollouts cannot be kept'),
  });
  const sayMaskKey = ({ hasMasks }: PolicyGeneration): void => {
    if (hasMasks && options.maskKey === null)
      logger.warn('the policy masks data and there is no --mask-key: tokens change with each start and differ between replicas');
  };
  sayMaskKey(policy.current());
  policy.onChange(sayMaskKey);
  policy.onChange(() => failedRules.clear());
  policy.onChange(({ number, hash }) => logger.info({ generation: number, hash }, 'policy changed'));
  policy.onRefusal((problems) => logger.error({ problems }, 'policy edit refused; the last good one stays'));

  metrics.watchLog(() => log.counts());
  if (configMaps !== null) metrics.watchPolicySources(configMaps);
  watchNoPolicy(configMaps ?? whole, metrics, logger);
  const connections = [configMaps, whole, pairs].filter((source) => source !== null);
  if (connections.length > 0) metrics.watchPolicyConnection(() => connections.every(({ connected }) => connected));
  const recent = new RecentRecords();
  const ledger = await openLedger(options.ledger, version, logger);
  if (ledger !== null) metrics.watchLedger(() => ledger.counts);
  // The SDK is loaded where spans are wanted, and only there.
  const spans = spansAskedFor(process.env)
    ? (await import('../record/spans.ts')).openSpans(process.env, version, (name) => policy.current().providers.get(name)?.endpoint)
    : null;
  if (spans !== null) metrics.watchSpans(() => spans.sink.counts);
  const sessions = new Sessions(
    options.cacheRedis === null
      ? null
      : new (await import('../sessions/redis.ts')).RedisSessions(options.cacheRedis, () => metrics.cacheBackendProblem('session')),
  );
  metrics.watchSessions(() => sessions.size);
  const trials = new Trials({
    rollout: policy.rollout,
    stopped: policy.stoppedBefore,
    onChange: (experiment, change, by) => {
      policy.keepStopped(trials.stopped);
      fleet?.tellStopped(trials.stopped);
      logger.info({ experiment, by, change }, 'experiment changed');
    },
  });
  if (options.cacheRedis !== null)
    fleet = new (await import('../experiments/fleet.ts')).Fleet({
      ...options.cacheRedis,
      rollout: policy.rollout,
      trials,
      onProblem: () => metrics.cacheBackendProblem('fleet'),
    });
  const seen = trialsAdmin(policy.rollout, trials, () => policy.current());
  metrics.watchTrials(
    () => seen.rollout().candidate?.share ?? 0,
    () => evidenceOf(seen),
  );
  const learner = new OnlineLearner();
  const onLearningError = (err: unknown, what: string): void => logger.error({ err }, what);
  const learning = await LearningHub.open({
    learner,
    file: options.learningState,
    stream:
      options.cacheRedis === null
        ? null
        : (await import('../router/online/redis-stream.ts')).openLearningStream(options.cacheRedis, onLearningError),
    onError: onLearningError,
  });
  const book = new GradeBook({
    find: ledger === null ? null : (id) => ledger.find(id),
    sinks: [
      metrics,
      sessions,
      trials,
      ...(ledger === null ? [] : [ledger]),
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
      ...(ledger === null ? [] : [ledger]),
      logSink(log, options.logShare),
    ],
    (err) => logger.error({ err }, 'a record sink failed'),
  );
  const credentials = new Credentials((file, problem) => {
    metrics.keyProblem(problem);
    logger.error({ file, problem }, 'a key of the gateway does not serve: limited or refused by its provider, or its file holds none');
  });
  const refreshKeys = (): Promise<void> => credentials.refresh({ ...policy.reachable(), keyFiles: policy.current().keyFiles });
  await refreshKeys();
  const rereadKeys = setInterval(() => void refreshKeys(), credentialRefreshMs);
  rereadKeys.unref();
  policy.onChange(() => void refreshKeys());

  const remote =
    options.cacheRedis === null
      ? null
      : // ioredis is loaded where it is used.
        (await import('../cache/redis/index.ts')).openRedis(options.cacheRedis, {
          onProblem: (problem) => metrics.cacheBackendProblem(problem),
          onPurge: (filter) => cache.forget(filter),
        });
  const cache: ResponseCache = new ResponseCache({
    memoryBytes: options.cacheMemoryBytes,
    remote,
    onStore: (result) => metrics.cacheStore(result),
  });
  metrics.watchCache(() => cache.stats());
  // Read before requests come: the first that compares models is not to wait for it.
  shippedQuality();
  const router = await openModel({
    file: options.model,
    onChange: (model) => logger.info({ model: model.version, name: model.header.card.name }, 'learned router changed'),
    onError: (err) => logger.error({ err }, 'learned router not changed; the last good model stays'),
  });
  const share =
    options.cacheRedis === null
      ? null
      : new (await import('../route/redis-cooldowns.ts')).RedisCooldowns({
          ...options.cacheRedis,
          onChange: (target, change) => cooldowns.heard(target, change),
          onProblem: () => metrics.cooldownSharingProblem(),
        });
  const cooldowns: Cooldowns = new Cooldowns(undefined, share);
  const judge = new Judge({
    credentials,
    onGrade: (decision, score) => book.own(decision, score, 'judge'),
    onResult: (result, usd) => metrics.judged(result, usd),
  });
  const feedback = (body: Buffer, workspace: string | null): Promise<FeedbackReply> =>
    takeFeedback(book, body, workspace, (source, result) => metrics.feedback(source, result));
  const files =
    options.envoy === null
      ? null
      : new EnvoyFiles(options.envoy, (err) => logger.error({ err }, "Envoy's config not written; the last one stays"));
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
  const { budgets } = kept;
  metrics.watchBudgets(() => budgetFigures(policy.current(), budgets.store, Date.now()));
  metrics.watchUnnamedWorkspaces(() => budgets.unnamedWorkspaces);
  metrics.watchLimits(() => limitFigures(policy.current(), budgets.store, Date.now()));
  const grader = new Grader({ book, judge });
  const shadows = new Shadows({ credentials, grader, sink, onResult: (experiment, result) => metrics.shadowed(experiment, result) });
  const pipeline = new Pipeline({
    admission: new LoadGate(options.maxDelayMs),
    bodies: new BodyReader(),
    cache,
    budgets,
    policy,
    credentials,
    cooldowns,
    pools: new Pools(),
    ...(files === null ? {} : { inEnvoy: (provider) => files.has(provider) }),
    router,
    learner,
    outputs: new OutputTokens(),
    trials,
    shadows,
    sessions,
    grader,
    feedback,
    sink,
    metrics,
    log: logger,
    ...(options.maskKey === null ? {} : { maskKey: Buffer.from(options.maskKey) }),
    ...(options.requestIdHeader === null ? {} : { requestIdHeader: options.requestIdHeader }),
    ...(spans === null ? {} : { traceRatio: spans.ratio, traceByParent: samplesByParent(process.env) }),
  });
  metrics.watchPending(() => pipeline.pending);
  metrics.watchCooldowns(() => cooldowns.states());
  // On the socket beside an Envoy every microsecond counts; over TCP the well-kept library does the talking.
  const transport =
    socketPath(options.listen) === null ? new (await import('../extproc/grpc-transport.ts')).GrpcTransport() : new SocketTransport();
  const history = new PolicyHistory();
  history.add(policy.current());
  policy.onChange((generation) => history.add(generation));
  let ready = false;
  // Without a policy, and without knowing that there is none, requests would go where no policy would send them.
  const isReady = (): boolean => ready && (configMaps?.known ?? whole?.known ?? true);
  const first = policy.current().number;
  let listensAt = options.listen;
  const admin = createAdmin({
    registry: metrics.registry,
    recent,
    ledger,
    grades: async (id) => newestBySource([...((await ledger?.grades(id)) ?? []), ...book.grades(id)]),
    trials: seen,
    feedback: (body) => feedback(body, null),
    learning: { learner, publish: (event) => learning.publish(event) },
    cache,
    budgets: budgets.store,
    policyStore: policy,
    history,
    credentials,
    router,
    token: options.adminToken,
    log: logger,
    checks: () =>
      selfFacts({
        options,
        version,
        listen: () => listensAt,
        ready: isReady,
        policy,
        keptSince: () => (policy.current().number === first ? base.keptSince : null),
        credentials,
        ledger,
        cache,
        budgets: budgets.store,
      }),
    ready: isReady,
  });
  // A start that fails leaves no writer in the ledger that seems to have been killed.
  const orEnd = <T>(step: Promise<T>): Promise<T> =>
    step.catch(async (error: unknown) => {
      await ledger?.close();
      throw error;
    });
  const adminUrl = `http://${await orEnd(admin.listen(adminAt.host, adminAt.port))}`;
  const scraped = metricsAt === null ? null : createMetricsServer({ registry: metrics.registry, ready: isReady });
  const metricsUrl = scraped === null ? null : `http://${await orEnd(scraped.listen(metricsAt!.host, metricsAt!.port))}`;
  const address = await orEnd(
    transport.listen(options.listen, {
      process: (stream, role, traceparent, peer) =>
        role === 'listener'
          ? new Session(stream, pipeline, (event) => metrics.protocolEvent(event), traceparent, peer)
          : new AttemptSession(stream, role, pipeline, (event) => metrics.protocolEvent(event)),
      logged: (entry) => pipeline.logged(entry),
      awaitsLog: () => pipeline.awaitsLog(),
      gone: (peer) => pipeline.gone(peer),
      decodeError: () => metrics.protocolEvent('decode-error'),
    }),
  );
  listensAt = address;
  const webhooks =
    options.webhook === null
      ? null
      : await orEnd(openWebhooks(options.webhook, configMaps, recent, (failure) => logger.error({ failure }, 'a webhook failed')));
  if (options.envoy !== null && files !== null) {
    const { chains } = options.envoy;
    const warnOfChains = (generation: PolicyGeneration): void => {
      const warning = chainWarning(chains, generation);
      if (warning !== null) logger.warn(warning);
    };
    warnOfChains(policy.current());
    policy.onChange(warnOfChains);
    await orEnd(files.write({ ...policy.current(), ...policy.reachable() }));
    policy.onChange(
      (generation) =>
        void files
          .write({ ...generation, ...policy.reachable() })
          .catch((err: unknown) => logger.error({ err }, "Envoy's config not written; the last one stays")),
    );
  }
  ready = true;
  logger.info(
    {
      listen: address,
      admin: adminUrl,
      ...(metricsUrl === null ? {} : { metrics: metricsUrl }),
      ...(webhooks === null ? {} : { webhook: webhooks.address }),
      version,
      policy: policy.current().hash,
      catalog: policy.current().catalog.version,
    },
    'ready',
  );

  return {
    address,
    adminUrl,
    async close(graceMs) {
      ready = false;
      await transport.drain(graceMs);
      pipeline.close();
      shadows.close();
      fleet?.close();
      judge.close();
      sessions.close();
      await learning.close();
      router.close();
      cache.close();
      await kept.close();
      share?.close();
      files?.close();
      clearInterval(rereadKeys);
      await webhooks?.close();
      await policy.close();
      await prices.close();
      await admin.close();
      await scraped?.close();
      await ledger?.close();
      await spans?.sink.close();
      logger.info('stopped');
      await log.flush();
    },
  };
}

/** Says when a source has no policy at all, at the start and later. */
function watchNoPolicy(store: ConfigMapPolicyStore | HttpPolicyStore | null, metrics: Metrics, logger: Logger): void {
  if (store === null) return;
  metrics.watchNoPolicy(() => store.none);
  let told = false;
  const say = (): void => {
    if (store.none && !told) logger.warn('there is no policy: requests pass as their apps sent them');
    told = store.none;
  };
  say();
  store.onChange(say);
}

/** The Kubernetes client takes about 90 MB and half a second: it is loaded where it is used. */
async function openConfigMaps(
  from: NonNullable<SluiceOptions['policyConfigMaps']>,
  shared: Pick<ConfigMapPolicyOptions, 'catalog' | 'onRuleError' | 'onSourceError' | 'kept'>,
): Promise<ConfigMapPolicyStore> {
  const [{ ConfigMapPolicyStore }, { loadKubeConfig }] = await Promise.all([
    import('../kubernetes/policy-store.ts'),
    import('../kubernetes/client.ts'),
  ]);
  const config = loadKubeConfig();
  const trusted = from.trusted ?? [from.namespaces[0] ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default'];
  return ConfigMapPolicyStore.open({ config, namespaces: from.namespaces, trusted, labelSelector: from.labelSelector, ...shared });
}

const dayMs = 86_400_000;

/** How long sums by hour and day are kept, beyond the records themselves. */
const rollupDays = 400;

async function openLedger(settings: LedgerSettings, version: string, logger: Logger): Promise<Ledger | null> {
  const { file } = settings;
  if (file === null) return null;
  try {
    return await Ledger.open({
      file,
      passwordFile: settings.passwordFile,
      version,
      retention: { rowsMs: settings.retentionDays * dayMs, rollupsMs: Math.max(settings.retentionDays, rollupDays) * dayMs },
      signingKey: settings.keyFile === null ? null : readSigningKey(settings.keyFile),
      onCheckpoint: (checkpoint) => logger.info({ checkpoint }, 'ledger checkpoint'),
      onError: (message) => logger.error({ err: message, file: shownPlace(file) }, 'the ledger could not be written; it is tried again'),
      onBack: () => logger.info({ file: shownPlace(file) }, 'the ledger is there; what waited is being written'),
      onRemade: () =>
        logger.error(
          { file: shownPlace(file) },
          'the ledger file was removed or replaced; a new one was made, which holds nothing of the old one',
        ),
      onPruned: (rows) => logger.info({ rows, retentionDays: settings.retentionDays }, 'old records left the ledger'),
    });
  } catch (error) {
    if (settings.required) throw error;
    logger.warn({ err: error, file: shownPlace(file) }, 'no ledger is kept: its default place cannot be written');
    return null;
  }
}

function readSigningKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SluiceError('SLUICE_FILE_UNREADABLE', error instanceof Error ? error.message : String(error), { where: file, cause: error });
  }
}

async function openWebhooks(
  { listen, tls, egress, sidecar }: NonNullable<SluiceOptions['webhook']>,
  policy: ConfigMapPolicyStore | null,
  recent: RecentRecords,
  onError: (failure: string) => void,
): Promise<WebhookServer> {
  const [{ startWebhooks }, { effectOf }] = await Promise.all([
    import('../kubernetes/webhook-server.ts'),
    import('../kubernetes/policy-effect.ts'),
  ]);
  const names = egress?.names ?? null;
  return startWebhooks({
    listen,
    tls,
    sidecar,
    policy: policy === null ? null : { policies: policy, effect: (after) => effectOf(recent, policy.current(), after, Date.now()) },
    // Read when it is handed out: the CA may be renewed as the certificate is.
    egress:
      egress === null
        ? null
        : {
            ...egress,
            names:
              names === null
                ? null
                : {
                    hosts: names.hosts,
                    image: names.image,
                    get ca() {
                      return readFileSync(names.caFile, 'utf8');
                    },
                  },
          },
    onError,
  });
}
