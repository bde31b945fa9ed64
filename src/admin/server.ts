import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { BudgetStore } from '../budgets/types.ts';
import { viewLimits } from '../budgets/rate-view.ts';
import { viewBudgets } from '../budgets/view.ts';
import { inspectEntry, purgeFilterOf } from '../cache/admin.ts';
import type { ResponseCache } from '../cache/cache.ts';
import type { Registry } from 'prom-client';
import type { SelfFacts } from '../doctor/types.ts';
import { SluiceError } from '../lib/errors.ts';
import type { TrialsAdmin } from '../experiments/admin.ts';
import { feedbackPath, type FeedbackReply } from '../grades/request.ts';
import { learningAnswer, type LearningAdmin } from '../router/online/admin.ts';
import { limits } from '../lib/limits.ts';
import type { Credentials } from '../exchange/credentials.ts';
import type { PipelineOptions } from '../exchange/gateway.ts';
import type { PolicyHistory } from '../policy/history.ts';
import type { LivePolicyStore } from '../policy/types.ts';
import { exposition } from '../record/exposition.ts';
import { metricTable } from '../record/metric-table.ts';
import { logLevels } from '../record/log-sink.ts';
import { failure, json, type AdminAnswer } from './answer.ts';
import { isRebound, refusalOf } from './guard.ts';
import { contentPolicy, pageAsset, runbook } from './page.ts';
import { IdleConnections } from './idle-connections.ts';
import { closeServer, listenAt, type Admin } from './listen.ts';
import { readiness } from './metrics-server.ts';
import { badLimit, decision, decisions, limitOf, savings, unknownParameter, type Records } from './queries.ts';
import { tryRequest } from './try.ts';

export interface AdminOptions extends Records {
  readonly registry: Registry;
  readonly cache: ResponseCache;
  readonly budgets: BudgetStore;
  readonly learning: LearningAdmin;
  readonly policyStore: Pick<LivePolicyStore, 'current' | 'lastRefusal' | 'sources'>;
  readonly trials: TrialsAdmin;
  readonly history: PolicyHistory;
  readonly credentials: Credentials;
  readonly router: PipelineOptions['router'];
  /** Token for requests that change state; null: such requests must come from this machine. */
  readonly token: string | null;
  /** The log, whose level can be changed. */
  readonly log: { level: string };
  readonly feedback: (body: Buffer) => Promise<FeedbackReply>;
  /** Facts for `sluice doctor`; absent: the path is not served. */
  readonly checks?: () => Promise<SelfFacts>;
  /** False while starting or draining: /readyz answers 503. */
  readonly ready: () => boolean;
}

/**
 * The admin server: the page, metrics, health, decisions, savings, policy state, the cache, learning. Reading needs no login, so bind it to
 * loopback or a cluster-internal port; requests that change state are guarded (guard.ts).
 */
export function createAdmin(options: AdminOptions): Admin {
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => void respond(options, request, response));
  IdleConnections.bound(server, maxConnections);
  return { listen: (host, port) => listenAt(server, host, port), close: () => closeServer(server) };
}

/** Maximum open connections of the admin server. */
const maxConnections = 256;

/** Paths of probes and scrapers, served under any host name. */
const open: ReadonlySet<string> = new Set(['/metrics', '/healthz', '/readyz']);

async function respond(options: AdminOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let answer: AdminAnswer;
  try {
    answer = await route(options, request);
  } catch (error) {
    if (error instanceof SluiceError)
      answer = failure(
        error.code === 'SLUICE_INTERNAL' || error.code === 'SLUICE_LEDGER_UNUSABLE' ? 500 : error.code === 'SLUICE_LEDGER_BUSY' ? 503 : 400,
        error.code,
        error.advice,
      );
    else answer = failure(500, 'internal', 'The admin server failed at this request.');
  }
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': contentPolicy,
    ...(answer.status === 405 ? { allow: 'GET, HEAD, POST, PUT, DELETE' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function route(options: AdminOptions, request: IncomingMessage): Promise<AdminAnswer> {
  const target = request.url ?? '/';
  if (!URL.canParse(target, 'http://admin')) return failure(400, 'bad-request', 'The URL cannot be read.');
  const url = new URL(target, 'http://admin');
  if (!open.has(url.pathname) && isRebound(request))
    return failure(403, 'host', 'On a loopback address this is for callers by address or as localhost: send that as Host.');
  const action = actionOf(options, request, url);
  if (action !== null) {
    const refusal = refusalOf(request, options.token);
    return refusal === null ? action() : failure(refusal.status, refusal.code, refusal.message);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return failure(
      405,
      'method',
      'Only GET and HEAD are answered here, DELETE for /cache/entries and /learning, PUT for /log and /learning/frozen, and POST for /try, /v1/feedback, rollouts and experiments.',
    );
  return read(options, request, url);
}

async function read(options: AdminOptions, request: IncomingMessage, url: URL): Promise<AdminAnswer> {
  const unknown = unknownParameter(url.pathname, url.searchParams);
  if (unknown !== null) return unknown;
  switch (url.pathname) {
    case '/metrics':
      return { status: 200, ...(await exposition(options.registry, request.headers.accept)) };
    case '/healthz':
      return json(200, { status: 'ok' });
    case '/readyz':
      return readiness(options.ready());
    case '/checks':
      return options.checks === undefined
        ? failure(404, 'not-found', 'This server tells nothing of itself.')
        : json(200, await options.checks());
    case '/decisions':
      return decisions(options, url.searchParams);
    case '/savings':
      return savings(options, url.searchParams);
    case '/policy':
      return json(200, policy(options.policyStore));
    case '/budgets':
      return budgets(options, url.searchParams);
    case '/limits':
      return rateLimits(options, url.searchParams);
    case '/rollout':
      return json(200, options.trials.rollout());
    case '/experiments':
      return json(200, { experiments: options.trials.experiments() });
    case '/policy/generations':
      return json(200, {
        generations: options.history.list(),
        files: options.policyStore.current().files.map(({ name, text }) => ({ name, text })),
      });
    case '/recent':
      return json(200, await options.recent.figures());
    case '/log':
      return json(200, { level: options.log.level });
    case '/learning':
    case '/learning/state':
      return learned(options.learning, request, url);
    case '/cache':
      return json(200, { ...options.cache.stats(), exchanges: await byResult(options.registry, metricTable.cache.name) });
    default:
      return readBelow(options, url);
  }
}

/** What is found by the end of its path. */
function readBelow(options: AdminOptions, url: URL): AdminAnswer | Promise<AdminAnswer> {
  if (url.pathname.startsWith('/cache/entries/')) return entry(options.cache, url.pathname.slice('/cache/entries/'.length));
  if (url.pathname.startsWith('/runbooks/')) return runbookOf(url.pathname.slice('/runbooks/'.length));
  if (url.pathname.startsWith('/decisions/'))
    return decision(options, plainName(url.pathname.slice('/decisions/'.length)) ?? '', url.searchParams.get('format'));
  return pageFile(url.pathname);
}

/** The state-changing action of a request; null if it only reads or is unknown. */
function actionOf(options: AdminOptions, request: IncomingMessage, url: URL): (() => AdminAnswer | Promise<AdminAnswer>) | null {
  switch (`${request.method ?? ''} ${url.pathname}`) {
    case 'POST /try':
      return () => tried(options, request);
    case `POST ${feedbackPath}`:
      return () => feedback(options, request);
    case 'PUT /learning/frozen':
    case 'DELETE /learning':
      return () => learned(options.learning, request, url);
    case 'PUT /log':
      return () => logLevel(options.log, url.searchParams.get('level'));
    case 'DELETE /cache/entries':
      return () => purge(options.cache, url.searchParams);
    default: {
      const order = request.method === 'POST' ? trialsOrder(options.trials, url.pathname) : null;
      // A web page of another origin can post text without permission, but not JSON.
      return order === null ? null : () => (isJson(request) ? order() : notJson());
    }
  }
}

async function runbookOf(alert: string): Promise<AdminAnswer> {
  const page = await runbook(alert);
  return page === null ? failure(404, 'no-runbook', 'There is no alert of this name.') : { status: 200, ...page };
}

async function pageFile(path: string): Promise<AdminAnswer> {
  const asset = await pageAsset(path);
  return asset === null
    ? failure(
        404,
        'not-found',
        'Known paths: / (the page), /metrics, /healthz, /readyz, /checks, /decisions, /decisions/{id}, /savings, /recent, /policy, /policy/generations, /cache, /budgets, /limits, /cache/entries/{id}, /rollout, /experiments, /log, /runbooks/{alert}; POST /try, /v1/feedback, /rollout/rollback, /rollout/promote, /experiments/{name}/stop, /experiments/{name}/start.',
      )
    : { status: 200, ...asset };
}

/** Reads slightly more than the maximum size of feedback, so that too large a body gets its own error. */
async function feedback({ feedback: take }: AdminOptions, request: IncomingMessage): Promise<AdminAnswer> {
  // A web page of another origin can post text without permission, but not JSON.
  if (!isJson(request)) return notJson();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limits.feedbackBytes + 64 * 1024) chunks.push(chunk);
    if (bytes > limits.feedbackBytes) break;
  }
  const { status, body } = await take(Buffer.concat(chunks));
  return json(status, body);
}

function isJson(request: IncomingMessage): boolean {
  return /^application\/json\b/i.test(request.headers['content-type'] ?? '');
}

function notJson(): AdminAnswer {
  return failure(415, 'content-type', 'Send application/json.');
}

/** The action of a POST to one of the trials' paths; null for other paths. */
function trialsOrder(trials: TrialsAdmin, path: string): (() => AdminAnswer) | null {
  if (path === '/rollout/rollback')
    return () =>
      trials.rollback() ? json(200, trials.rollout()) : failure(409, 'no-rollback', 'No policy rolls out, and none from before is kept.');
  if (path === '/rollout/promote')
    return () => (trials.promote() ? json(200, trials.rollout()) : failure(409, 'no-rollout', 'No policy rolls out.'));
  const found = /^\/experiments\/([^/]+)\/(stop|start)$/.exec(path);
  if (found === null) return null;
  const name = plainName(found[1] ?? '');
  const verb = found[2];
  return () =>
    name !== null && trials.order(name, verb === 'stop' ? 'stop' : 'start')
      ? json(200, { experiments: trials.experiments() })
      : failure(404, 'no-experiment', 'The policy in force has no such experiment; * means all.');
}

/** A decoded path segment; null if its percent-encoding is broken. */
function plainName(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** Learning from grades: inspect, freeze, reset. */
function learned(learning: LearningAdmin, request: IncomingMessage, url: URL): AdminAnswer {
  const answer = learningAnswer(learning, request.method ?? '', url, Date.now());
  if (answer === null) return failure(404, 'not-found', 'Known paths: /learning, /learning/state, /learning/frozen.');
  return 'error' in answer.body ? failure(answer.status, answer.body.error, answer.body.message) : json(answer.status, answer.body);
}

async function tried({ policyStore, credentials, router }: AdminOptions, request: IncomingMessage): Promise<AdminAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.tryBodyUnits * 4) return failure(413, 'too-large', 'The request is too large to be tried here.');
    chunks.push(chunk);
  }
  const result = await tryRequest(Buffer.concat(chunks).toString('utf8'), policyStore.current(), { credentials, router });
  return typeof result === 'string' ? failure(400, 'bad-request', result) : json(200, result);
}

async function budgets({ policyStore, budgets: store }: AdminOptions, query: URLSearchParams): Promise<AdminAnswer> {
  const limit = limitOf(query, limits.budgetAnswers);
  if (limit === null) return badLimit(limits.budgetAnswers);
  const generation = policyStore.current();
  const budget = query.get('budget');
  if (budget !== null && !generation.budgets.some(({ name }) => name === budget))
    return failure(404, 'no-budget', `The policy in force has no budget ${budget.slice(0, 64)}.`);
  return json(200, await viewBudgets(generation, store, { budget, limit, now: Date.now() }));
}

async function rateLimits({ policyStore, budgets: store }: AdminOptions, query: URLSearchParams): Promise<AdminAnswer> {
  const rows = limitOf(query, limits.budgetAnswers);
  if (rows === null) return badLimit(limits.budgetAnswers);
  const generation = policyStore.current();
  const limit = query.get('name');
  if (limit !== null && !generation.rateLimits.some(({ name }) => name === limit))
    return failure(404, 'no-limit', `The policy in force has no rate limit ${limit.slice(0, 64)}.`);
  return json(200, await viewLimits(generation, store, { limit, rows, now: Date.now() }));
}

async function purge(cache: ResponseCache, query: URLSearchParams): Promise<AdminAnswer> {
  const filter = purgeFilterOf(query);
  return typeof filter === 'string' ? failure(400, 'bad-filter', filter) : json(200, { purged: await cache.purge(filter) });
}

/** A counter with one label, as an object. Label values that never occurred are absent. */
async function byResult(registry: Registry, name: string): Promise<Record<string, number>> {
  const metric = await registry.getSingleMetric(name)?.get();
  return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [String(Object.values(labels)[0]), value]));
}

async function entry(cache: ResponseCache, id: string): Promise<AdminAnswer> {
  const found = await inspectEntry(cache, id);
  return found === null ? failure(404, 'no-entry', `no entry, or more than one, begins with ${id.slice(0, 64)}.`) : json(200, found);
}

function logLevel(log: AdminOptions['log'], level: string | null): AdminAnswer {
  if (level === null || !(logLevels as readonly string[]).includes(level))
    return failure(400, 'bad-level', `level must be one of ${logLevels.join(', ')}.`);
  log.level = level;
  return json(200, { level });
}

function policy(store: AdminOptions['policyStore']): object {
  const generation = store.current();
  const refusal = store.lastRefusal();
  return {
    number: generation.number,
    hash: generation.hash,
    resourceVersion: generation.resourceVersion,
    loadedAt: new Date(generation.loadedAt).toISOString(),
    ageSeconds: Math.max(0, (Date.now() - generation.loadedAt) / 1000),
    catalog: { version: generation.catalog.version, date: generation.catalog.date },
    sources: store.sources(),
    lastRefusal: refusal === null ? null : { at: new Date(refusal.at).toISOString(), problems: refusal.problems },
  };
}
