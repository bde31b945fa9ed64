import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { failure, json, type AdminAnswer } from '../../admin/answer.ts';
import { isRebound, refusalOf } from '../../admin/guard.ts';
import { IdleConnections } from '../../admin/idle-connections.ts';
import { closeServer, listenAt, type Admin } from '../../admin/listen.ts';
import { readiness } from '../../admin/metrics-server.ts';
import { listed, liveSavings } from '../../admin/queries.ts';
import { feedbackPath } from '../../grades/request.ts';
import { limits } from '../../lib/limits.ts';
import { addTotals, type SavingsTotals } from '../../record/recent.ts';
import type { ExchangeRecord } from '../../record/types.ts';
import { joinMetrics } from './join-metrics.ts';

/** A worker that is ready, and the URL of its admin server. */
export interface ReadyWorker {
  readonly worker: number;
  readonly pid: number;
  readonly url: string;
}

export interface WorkersAdminOptions {
  /** Those that are ready, by number. */
  readonly ready: () => readonly ReadyWorker[];
  /** As for the admin server of one process. */
  readonly token: string | null;
  /** Metrics and health alone. */
  readonly metricsOnly?: boolean;
}

const maxConnections = 256;
/** Longest wait for a worker, in ms. */
const workerMs = 30_000;

/** Orders that concern one request: one worker takes them. All others are for every worker. */
const ofOne: ReadonlySet<string> = new Set(['/try', feedbackPath]);
/** Parameters of /decisions that each worker answers from its memory; others are the ledger's, which all share. */
const ofMemory: ReadonlySet<string> = new Set(['limit', 'workspace', 'model', 'format']);
/** As many as one process lists without a limit. */
const defaultDecisions = 50;
/** Paths of probes and scrapers, served under any host name. */
const open: ReadonlySet<string> = new Set(['/metrics', '/healthz', '/readyz']);

/** The admin server of several workers: metrics and newest decisions of all, orders to all, and other questions to the first. */
export function createWorkersAdmin(options: WorkersAdminOptions): Admin {
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => void respond(options, request, response));
  IdleConnections.bound(server, maxConnections);
  return { listen: (host, port) => listenAt(server, host, port), close: () => closeServer(server) };
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function respond(options: WorkersAdminOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = await replyTo(options, request).catch(() => own(failure(502, 'worker', 'A worker did not answer.')));
  response.writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.length });
  response.end(request.method === 'HEAD' ? undefined : reply.body);
}

async function replyTo(options: WorkersAdminOptions, request: IncomingMessage): Promise<Reply> {
  const target = request.url ?? '/';
  if (!URL.canParse(target, 'http://admin')) return own(failure(400, 'bad-request', 'The URL cannot be read.'));
  const { pathname, searchParams } = new URL(target, 'http://admin');
  const ready = options.ready();
  if (pathname === '/healthz') return own(json(200, { status: 'ok', workers: ready.length }));
  if (pathname === '/readyz') return own(readiness(ready.length > 0));
  if (pathname === '/metrics') return metrics(ready, request);
  if (pathname === '/workers' && request.method === 'GET' && options.metricsOnly !== true && !isRebound(request))
    return own(json(200, { workers: ready.map(({ worker, pid }) => ({ worker, pid })) }));
  if (options.metricsOnly === true) return own(failure(404, 'not-found', 'Known paths: /metrics, /healthz, /readyz.'));
  if (!open.has(pathname) && isRebound(request))
    return own(failure(403, 'host', 'On a loopback address this is for callers by address or as localhost: send that as Host.'));
  if (ready.length === 0) return own(failure(503, 'not-ready', 'No worker is ready.'));
  if (request.method === 'GET' || request.method === 'HEAD')
    return pathname === '/decisions' && [...searchParams.keys()].every((name) => ofMemory.has(name))
      ? newest(ready, request, searchParams)
      : pathname === '/savings' && searchParams.size === 0
        ? totals(ready, request)
        : firstThatFinds(ready, request, null);
  // The workers see a caller on this machine: who may give orders is decided here.
  const refusal = refusalOf(request, options.token);
  if (refusal !== null) return own(failure(refusal.status, refusal.code, refusal.message));
  const body = await bodyOf(request);
  if (body === null) return own(failure(413, 'too-large', `At most ${limits.requestBodyBytes} bytes are read.`));
  if (ofOne.has(pathname)) return firstThatFinds(ready, request, body);
  const replies = await Promise.all(ready.map((worker) => forward(worker, request, body)));
  // If any worker refused, the caller gets its refusal and has to give the order again.
  return replies.find(({ status }) => status >= 400) ?? replies[0]!;
}

/** The first worker's reply, or of the first one that does not say 404: without a ledger only one knows a decision. */
async function firstThatFinds(ready: readonly ReadyWorker[], request: IncomingMessage, body: Buffer | null): Promise<Reply> {
  let first: Reply | null = null;
  for (const worker of ready) {
    const reply = await forward(worker, request, body);
    if (reply.status !== 404) return reply;
    first ??= reply;
  }
  return first!;
}

/** The newest decisions of all workers, newest first: their ids begin with the time. */
async function newest(ready: readonly ReadyWorker[], request: IncomingMessage, query: URLSearchParams): Promise<Reply> {
  const format = query.get('format') ?? 'json';
  const asked = new URLSearchParams([...query].filter(([name]) => name !== 'format'));
  const replies = await Promise.all(ready.map((worker) => forward(worker, request, null, `/decisions?${asked.toString()}`)));
  const refused = replies.find(({ status }) => status !== 200);
  if (refused !== undefined) return refused;
  const lists = replies.map(({ body }) => (JSON.parse(body.toString()) as { readonly decisions: readonly ExchangeRecord[] }).decisions);
  const sorted = lists.flat().sort((one, other) => (one.id < other.id ? 1 : -1));
  if (format !== 'json' && format !== 'csv') return own(failure(400, 'bad-format', 'format must be json or csv.'));
  return own(listed(sorted.slice(0, Number(query.get('limit') ?? defaultDecisions)), format));
}

/** The totals of all workers since their start, as one process would have them. */
async function totals(ready: readonly ReadyWorker[], request: IncomingMessage): Promise<Reply> {
  const replies = await Promise.all(ready.map((worker) => forward(worker, request, null)));
  const refused = replies.find(({ status }) => status !== 200);
  if (refused !== undefined) return refused;
  return own(json(200, liveSavings(addTotals(replies.map(({ body }) => JSON.parse(body.toString()) as SavingsTotals)))));
}

async function metrics(ready: readonly ReadyWorker[], request: IncomingMessage): Promise<Reply> {
  const replies = await Promise.all(ready.map((worker) => forward(worker, request, null)));
  return {
    status: 200,
    headers: { 'content-type': replies[0]?.headers['content-type'] ?? 'text/plain; version=0.0.4', 'cache-control': 'no-store' },
    body: Buffer.from(joinMetrics(replies.map(({ body }, at) => ({ worker: ready[at]!.worker, text: body.toString() })))),
  };
}

/** Headers of a caller that a worker's answer depends on. */
const passed = ['accept', 'authorization', 'content-type'] as const;

async function forward(
  { url }: ReadyWorker,
  request: IncomingMessage,
  body: Buffer | null,
  path: string = request.url ?? '/',
): Promise<Reply> {
  const headers = passed.flatMap((name): [string, string][] =>
    request.headers[name] === undefined ? [] : [[name, request.headers[name]]],
  );
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  const answer = await fetch(`${url}${path}`, {
    method,
    headers,
    redirect: 'manual',
    signal: AbortSignal.timeout(workerMs),
    ...(body === null ? {} : { body: new Uint8Array(body) }),
  });
  const kept = [...answer.headers].filter(
    ([name]) => !['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding'].includes(name),
  );
  return { status: answer.status, headers: Object.fromEntries(kept), body: Buffer.from(await answer.arrayBuffer()) };
}

function own({ status, type, body }: AdminAnswer): Reply {
  return {
    status,
    headers: { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    body: Buffer.from(body),
  };
}

/** Null if it is too large. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limits.requestBodyBytes) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
