import { bodyRoom } from '../attach/overload.ts';
import type { Admin } from '../admin/listen.ts';
import { createMetricsServer } from '../admin/metrics-server.ts';
import { createAdmin } from '../admin/server.ts';
import { chainWarning } from '../attach/abilities.ts';
import { BodyReader } from '../exchange/body-reader.ts';
import { Pipeline } from '../exchange/gateway.ts';
import { Grader } from '../exchange/grading.ts';
import { LoadGate } from '../exchange/load-gate.ts';
import { MemoryGate } from '../exchange/memory-gate.ts';
import { Shadows } from '../exchange/mirror.ts';
import { Verifier } from '../exchange/verifier.ts';
import { newestBySource } from '../grades/book.ts';
import { takeFeedback, type FeedbackReply } from '../grades/request.ts';
import { hostAndPort } from '../lib/address.ts';
import { collectWhenUnused } from '../lib/collect.ts';
import { checkFree } from '../lib/free-address.ts';
import { limits } from '../lib/limits.ts';
import { samplesByParent } from '../record/otel-settings.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { Pools } from '../route/pools.ts';
import { openGround, type Ground } from './ground.ts';
import type { SluiceOptions } from './options.ts';
import { openCertificates } from './certificates.ts';
import { openPolicy, type PolicyParts } from './policy.ts';
import { protocolEvents } from './protocol-events.ts';
import { recallLengths } from './recall-lengths.ts';
import { openRecords, type RecordParts } from './records.ts';
import { selfFacts } from './self-check.ts';
import { openServices, type ServiceParts } from './services.ts';
import { openSpareEndpoints } from './spare-endpoints.ts';
import type { Supervised } from './supervised.ts';
import { openTransport } from './transport.ts';
import { warmUp } from './warm-up.ts';
import { openWebhooks } from './webhooks.ts';

export interface Sluice {
  readonly address: string;
  readonly adminUrl: string;
  /** Envoy's connections, and how to have it open one again, so that another worker gets it. */
  connections(): number;
  renew(): void;
  /** How connections that have waited for this process reach it; absent where they cannot. */
  readonly waits?: Pick<Supervised, 'socket' | 'adopt'>;
  /** Drains for up to `graceMs`, then writes the open records and stops. */
  close(graceMs: number): Promise<void>;
}

/** All parts that the start has created. */
interface Parts extends Ground, PolicyParts, RecordParts, ServiceParts {
  readonly feedback: (body: Buffer, workspace: string | null) => Promise<FeedbackReply>;
  readonly state: State;
}

interface State {
  ready: boolean;
  listensAt: string;
  /** The drain timeout in ms; null until a stop is requested. */
  graceMs: number | null;
}

/**
 * Builds and starts one Sluice. All wiring is in this folder. If something cannot start, it closes everything that it had opened and throws
 * SluiceError.
 */
export async function startSluice(options: SluiceOptions): Promise<Sluice> {
  // Check the listen addresses before anything is opened.
  await checkFree(options.listen, '--listen');
  await checkFree(options.admin, '--admin');
  if (options.metrics !== null) await checkFree(options.metrics, '--metrics');
  if (options.webhook !== null) await checkFree(options.webhook.listen, '--webhook');
  await using stack = new AsyncDisposableStack();
  const sluice = await start(openGround(options, stack));
  const opened = stack.move();
  return {
    address: sluice.address,
    adminUrl: sluice.adminUrl,
    connections: sluice.connections,
    renew: sluice.renew,
    ...(sluice.waits === undefined ? {} : { waits: sluice.waits }),
    async close(graceMs) {
      sluice.state.ready = false;
      sluice.state.graceMs = graceMs;
      await opened.disposeAsync();
    },
  };
}

async function start(ground: Ground): Promise<Omit<Sluice, 'close'> & { readonly state: State }> {
  const { options, version, logger, stack } = ground;
  const state: State = { ready: false, listensAt: options.listen, graceMs: null };
  // The log's last line before it is closed.
  stack.defer(() => {
    if (state.graceMs !== null) logger.info('stopped');
  });
  const policyParts = await openPolicy(ground);
  const { policy, metrics } = policyParts;
  const records = await openRecords(ground, policyParts);
  const services = await openServices(ground, policyParts, records);
  const feedback: Parts['feedback'] = (body, workspace) =>
    takeFeedback(records.book, body, workspace, (source, result) => metrics.feedback(source, result));
  const parts: Parts = { ...ground, ...policyParts, ...records, ...services, feedback, state };
  const isReady = (): boolean => state.ready && parts.known();
  const admin = adminOf(parts, isReady);
  stack.defer(() => admin.close());
  const scraped = options.metrics === null ? null : createMetricsServer({ registry: metrics.registry, ready: isReady });
  if (scraped !== null) stack.defer(() => scraped.close());
  await openCertificates(ground, metrics);
  const webhooks = await openWebhooks(ground, policyParts.configMaps, records.recent, metrics);
  const pipeline = openPipeline(parts);
  const transport = await openTransport(options, stack, () => state.graceMs ?? 0);
  const adminUrl = await urlOf(admin, options.admin, '--admin');
  const metricsUrl = scraped === null || options.metrics === null ? null : await urlOf(scraped, options.metrics, '--metrics');
  await warmUp(parts);
  const address = await transport.listen(pipeline, protocolEvents(metrics, logger));
  state.listensAt = address;
  const waits = transport.waits();
  await followFiles(parts);
  await openSpareEndpoints(ground);
  state.ready = true;
  void recallLengths(parts.ledger, parts.outputs, logger);
  const tidy = collectWhenUnused(() => transport.used());
  stack.defer(() => clearTimeout(tidy));
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
    options.worker === undefined ? 'ready' : `worker ${options.worker} ready`,
  );
  return {
    address,
    adminUrl,
    connections: () => transport.connections(),
    renew: () => transport.renew(),
    ...(waits === null ? {} : { waits }),
    state,
  };
}

function openPipeline(parts: Parts): Pipeline {
  const { options, logger, stack, policy, metrics, credentials, cooldowns, files, kept, sink, book, judge } = parts;
  const verifier = new Verifier({
    onGrades: (decision, { served, stronger }) => book.own(decision, served, 'verify', stronger),
    onResult: (result) => metrics.verified(result),
  });
  const grader = new Grader({ book, judge, verifier });
  const shadows = new Shadows({ credentials, grader, sink, onResult: (experiment, result) => metrics.shadowed(experiment, result) });
  stack.defer(() => shadows.close());
  const pipeline = new Pipeline({
    admission: new LoadGate(options.maxDelayMs, undefined, () =>
      policy.current().withholds ? limits.withheldLateMs / limits.eventLoopLateMs : 1,
    ),
    memory: new MemoryGate(options.envoyMemoryBytes === null ? null : bodyRoom(options.envoyMemoryBytes)),
    bodies: new BodyReader(),
    embedder: parts.embedder,
    cache: parts.cache,
    budgets: kept.budgets,
    policy,
    credentials,
    cooldowns,
    pools: new Pools(),
    ...(files === null ? {} : { inEnvoy: (provider) => files.has(provider) }),
    router: parts.router,
    learner: parts.learner,
    outputs: parts.outputs,
    trials: parts.trials,
    shadows,
    sessions: parts.sessions,
    grader,
    feedback: parts.feedback,
    sink,
    metrics,
    log: logger,
    ...(options.maskKey === null ? {} : { maskKey: Buffer.from(options.maskKey) }),
    ...(options.requestIdHeader === null ? {} : { requestIdHeader: options.requestIdHeader }),
    ...(parts.traceRatio === null ? {} : { traceRatio: parts.traceRatio, traceByParent: samplesByParent(process.env) }),
  });
  stack.defer(() => pipeline.close());
  metrics.watchPending(() => pipeline.pending);
  return pipeline;
}

/** Listens at `address`, the value of `flag`. */
async function urlOf(server: Admin, address: string, flag: string): Promise<string> {
  const { host, port } = hostAndPort(address, flag);
  return `http://${await server.listen(host, port)}`;
}

function adminOf(parts: Parts, isReady: () => boolean): Admin {
  const { options, version, logger, policy, metrics, ledger, book, learner, learning, cache, kept, credentials, state } = parts;
  return createAdmin({
    registry: metrics.registry,
    recent: parts.recent,
    ledger,
    grades: async (id) => newestBySource([...((await ledger?.grades(id)) ?? []), ...book.grades(id)]),
    trials: parts.seen,
    feedback: (body) => parts.feedback(body, null),
    learning: { learner, publish: (event) => learning.publish(event) },
    cache,
    budgets: kept.budgets.store,
    policyStore: policy,
    history: parts.history,
    credentials,
    router: parts.router,
    token: options.adminToken,
    log: logger,
    checks: () =>
      selfFacts({
        options,
        version,
        listen: () => state.listensAt,
        ready: isReady,
        policy,
        keptSince: parts.keptSince,
        credentials,
        ledger,
        cache,
        budgets: kept.budgets.store,
      }),
    ready: isReady,
  });
}

/** Writes Envoy's config, now and whenever the policy changes. */
async function followFiles({ options, logger, files, policy }: Parts): Promise<void> {
  if (options.envoy === null || files === null) return;
  const { abilities } = options.envoy;
  const warnOfChains = (generation: PolicySnapshot): void => {
    const warning = chainWarning(abilities, generation);
    if (warning !== null) logger.warn(warning);
  };
  warnOfChains(policy.current());
  policy.onChange(warnOfChains);
  await files.write({ ...policy.current(), ...policy.reachable() });
  policy.onChange(
    (generation) =>
      void files
        .write({ ...generation, ...policy.reachable() })
        .catch((err: unknown) => logger.error({ err }, "Envoy's config not written; the last one stays")),
  );
}
