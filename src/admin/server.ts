import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BudgetStore } from '../budgets/types.ts';
import { viewBudgets } from '../budgets/view.ts';
import { inspectEntry, purgeFilterOf } from '../cache/admin.ts';
import type { ResponseCache } from '../cache/cache.ts';
import type { Registry } from 'prom-client';
import { SluiceError } from '../errors.ts';
import type { TrialsAdmin } from '../experiments/admin.ts';
import { feedbackPath, type FeedbackReply } from '../feedback/request.ts';
import type { Grade } from '../feedback/types.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { parseWhere, parseWindow } from '../ledger/query.ts';
import { limits } from '../limits.ts';
import type { LivePolicyStore } from '../policy/types.ts';
import { exposition } from '../provenance/exposition.ts';
import type { RecentRecords } from '../provenance/recent.ts';
import { explainRecord } from '../route/explain.ts';

export interface AdminOptions {
  readonly registry: Registry;
  readonly recent: RecentRecords;
  readonly cache: ResponseCache;
  readonly budgets: BudgetStore;
  readonly policyStore: Pick<LivePolicyStore, 'current' | 'lastRefusal' | 'sources'>;
  /** Null: none is kept. */
  readonly ledger: Pick<Ledger, 'decisions' | 'find' | 'savings'> | null;
  /** The grades that are known of a decision's answer. */
  readonly grades: (id: string) => Promise<readonly Grade[]>;
  readonly trials: TrialsAdmin;
  readonly feedback: (body: Buffer) => Promise<FeedbackReply>;
  /** False while starting or draining: /readyz answers 503. */
  readonly ready: () => boolean;
}

export interface Admin {
  /** Port 0 takes a free one. Resolves with `host:port` as bound; rejects with SLUICE_LISTEN. */
  listen(host: string, port: number): Promise<string>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Decisions listed when no limit is asked for. */
const defaultLimit = 50;

/**
 * The admin server: metrics, health, recent decisions, savings, policy state, the cache. A DELETE under /cache changes
 * something, and so does JSON that is posted; a web page can send neither across origins. It has no login, and belongs on loopback or a cluster-internal port.
 */
export function createAdmin(options: AdminOptions): Admin {
  const server = createServer((request, response) => {
    void respond(options, request, response);
  });
  server.maxConnections = 256;
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', (error) => reject(new SluiceError('SLUICE_LISTEN', error.message, { where: `${host}:${port}`, cause: error })));
        server.listen(port, host, () => {
          const bound = server.address() as AddressInfo;
          resolve(`${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(options: AdminOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let answer: Answer;
  try {
    answer = await route(options, request);
  } catch (error) {
    if (error instanceof SluiceError) answer = failure(error.code === 'SLUICE_INTERNAL' || error.code === 'SLUICE_LEDGER_UNUSABLE' ? 500 : error.code === 'SLUICE_LEDGER_BUSY' ? 503 : 400, error.code, `${error.message} ${error.fix}`);
    else answer = failure(500, 'internal', 'The admin server failed at this request.');
  }
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(answer.status === 405 ? { allow: 'GET, HEAD, DELETE, POST' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function route(options: AdminOptions, request: IncomingMessage): Promise<Answer> {
  const target = request.url ?? '/';
  if (!URL.canParse(target, 'http://admin')) return failure(400, 'bad-request', 'The URL cannot be read.');
  const url = new URL(target, 'http://admin');
  if (request.method === 'DELETE' && url.pathname === '/cache/entries') return purge(options.cache, url.searchParams);
  if (request.method === 'POST' && url.pathname === feedbackPath) return feedback(options, request);
  if (request.method === 'POST') {
    const order = trialsOrder(options.trials, url.pathname);
    // A web page of another origin can post text, and never JSON, without being allowed to.
    if (order !== null) return isJson(request) ? order() : notJson();
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return failure(405, 'method', 'Only GET and HEAD are answered here, DELETE for /cache/entries, and POST for /v1/feedback, rollouts and experiments.');
  switch (url.pathname) {
    case '/metrics':
      return { status: 200, ...(await exposition(options.registry, request.headers.accept)) };
    case '/healthz':
      return json(200, { status: 'ok' });
    case '/readyz':
      return options.ready() ? json(200, { status: 'ready' }) : failure(503, 'not-ready', 'Sluice is starting or draining.');
    case '/decisions':
      return decisions(options, url.searchParams);
    case '/savings':
      return savings(options, url.searchParams);
    case '/policy':
      return json(200, policy(options.policyStore));
    case '/budgets':
      return budgets(options, url.searchParams);
    case '/rollout':
      return json(200, options.trials.rollout());
    case '/experiments':
      return json(200, { experiments: options.trials.experiments() });
    case '/cache':
      return json(200, options.cache.stats());
    default:
      if (url.pathname.startsWith('/cache/entries/')) return entry(options.cache, url.pathname.slice('/cache/entries/'.length));
      return url.pathname.startsWith('/decisions/')
        ? decision(options, url.pathname.slice('/decisions/'.length), url.searchParams.get('format'))
        : failure(404, 'not-found', 'Known paths: /metrics, /healthz, /readyz, /decisions, /decisions/{id}, /savings, /policy, /budgets, /cache, /cache/entries/{id}, /rollout, /experiments; POST /v1/feedback, /rollout/rollback, /rollout/promote, /experiments/{name}/stop, /experiments/{name}/start.');
  }
}

async function decisions({ recent, ledger }: AdminOptions, query: URLSearchParams): Promise<Answer> {
  const limit = limitOf(query, limits.recentDecisions);
  if (limit === null) return badLimit(limits.recentDecisions);
  const where = query.getAll('where');
  const window = query.get('window');
  if (where.length === 0 && window === null) {
    return json(200, { decisions: recent.list({ limit, workspace: query.get('workspace') ?? undefined, model: query.get('model') ?? undefined }) });
  }
  if (ledger === null) return noLedger();
  for (const condition of where) parseWhere(condition);
  return json(200, { decisions: await ledger.decisions({ where, from: window === null ? null : Date.now() - parseWindow(window), limit }) });
}

function limitOf(query: URLSearchParams, most: number): number | null {
  const asked = query.get('limit') ?? String(defaultLimit);
  const limit = Number(asked);
  return !/^\d{1,6}$/.test(asked) || limit < 1 || limit > most ? null : limit;
}

function badLimit(most: number): Answer {
  return failure(400, 'bad-limit', `limit must be a whole number from 1 to ${most}.`);
}

function noLedger(): Answer {
  return failure(404, 'no-ledger', 'This server keeps no ledger: start it with --ledger FILE.');
}

/** Read up to a little more than feedback may have, so that what is too large is said to be so. */
async function feedback({ feedback: take }: AdminOptions, request: IncomingMessage): Promise<Answer> {
  // A web page of another origin can post text, and never JSON, without being allowed to.
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

function notJson(): Answer {
  return failure(415, 'content-type', 'Send application/json.');
}

/** What a POST to one of the trials' paths does; null: it is none of them. */
function trialsOrder(trials: TrialsAdmin, path: string): (() => Answer) | null {
  if (path === '/rollout/rollback') return () => (trials.rollback() ? json(200, trials.rollout()) : failure(409, 'no-rollback', 'No policy rolls out, and none from before is kept.'));
  if (path === '/rollout/promote') return () => (trials.promote() ? json(200, trials.rollout()) : failure(409, 'no-rollout', 'No policy rolls out.'));
  const found = /^\/experiments\/([^/]+)\/(stop|start)$/.exec(path);
  if (found === null) return null;
  const [, name = '', verb] = found;
  return () => (trials.order(decodeURIComponent(name), verb === 'stop' ? 'stop' : 'start') ? json(200, { experiments: trials.experiments() }) : failure(404, 'no-experiment', 'The policy in force has no such experiment; * means all.'));
}

async function decision({ recent, ledger, grades }: AdminOptions, id: string, format: string | null): Promise<Answer> {
  const record = recent.get(id) ?? (await ledger?.find(id)) ?? null;
  if (record === null) return failure(404, 'no-decision', `This id is not among the last ${limits.recentDecisions} decisions of this process, and in no ledger of it. Look it up in the log: sluice explain ID --log FILE`);
  const known = await grades(record.id);
  if (format === null || format === 'json') return json(200, known.length === 0 ? record : { ...record, grades: known });
  if (format === 'text') return { status: 200, type: 'text/plain; charset=utf-8', body: explainRecord(record, known) };
  return failure(400, 'bad-format', 'format must be json or text.');
}

async function budgets({ policyStore, budgets: store }: AdminOptions, query: URLSearchParams): Promise<Answer> {
  const limit = limitOf(query, limits.budgetAnswers);
  if (limit === null) return badLimit(limits.budgetAnswers);
  const generation = policyStore.current();
  const budget = query.get('budget');
  if (budget !== null && !generation.budgets.some(({ name }) => name === budget)) return failure(404, 'no-budget', `The policy in force has no budget ${budget.slice(0, 64)}.`);
  return json(200, await viewBudgets(generation, store, { budget, limit, now: Date.now() }));
}

async function purge(cache: ResponseCache, query: URLSearchParams): Promise<Answer> {
  const filter = purgeFilterOf(query);
  return typeof filter === 'string' ? failure(400, 'bad-filter', filter) : json(200, { purged: await cache.purge(filter) });
}

async function entry(cache: ResponseCache, id: string): Promise<Answer> {
  const found = await inspectEntry(cache, id);
  return found === null ? failure(404, 'no-entry', `no entry, or more than one, begins with ${id.slice(0, 64)}.`) : json(200, found);
}

/** Without a window: since the process started, from memory. With one: from the ledger. */
async function savings({ recent, ledger }: AdminOptions, query: URLSearchParams): Promise<Answer> {
  const window = query.get('window');
  if (window !== null) {
    if (ledger === null) return noLedger();
    const limit = limitOf(query, limits.ledgerAnswers);
    if (limit === null) return badLimit(limits.ledgerAnswers);
    const to = Date.now();
    const by = (query.get('by') ?? '').split(',').filter((key) => key !== '');
    return json(200, await ledger.savings({ from: to - parseWindow(window), to, by, limit }));
  }
  const totals = recent.totals();
  const share = ({ known, unknown }: { readonly known: number; readonly unknown: number }): number | null => (known + unknown === 0 ? null : unknown / (known + unknown));
  return json(200, { ...totals, currency: 'USD', unknownShare: { cost: share(totals.cost), baseline: share(totals.baseline), savings: share(totals.savings) } });
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

function json(status: number, value: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function failure(status: number, code: string, message: string): Answer {
  return json(status, { error: { code, message } });
}
