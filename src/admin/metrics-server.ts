import { createServer } from 'node:http';
import type { Registry } from 'prom-client';
import { exposition } from '../record/exposition.ts';
import { failure, json, type AdminAnswer } from './answer.ts';
import { IdleConnections } from './idle-connections.ts';
import { closeServer, listenAt, type Admin } from './listen.ts';

/** Maximum open connections: probes and scrapers are few. */
const maxConnections = 64;

/**
 * A server with metrics and health only, for scrapers and probes. The admin server, which also shows decisions and the policy, can then
 * stay closed to them.
 */
export function createMetricsServer({ registry, ready }: { readonly registry: Registry; readonly ready: () => boolean }): Admin {
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => {
    void answerTo(request.url ?? '/', request.headers.accept, registry, ready)
      .catch(() => failure(500, 'internal', 'The metrics server failed at this request.'))
      .then(({ status, type, body }) => {
        response.writeHead(status, {
          'content-type': type,
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
  });
  IdleConnections.bound(server, maxConnections);
  return { listen: (host, port) => listenAt(server, host, port), close: () => closeServer(server) };
}

async function answerTo(url: string, accept: string | undefined, registry: Registry, ready: () => boolean): Promise<AdminAnswer> {
  switch (url.replace(/\?.*$/, '')) {
    case '/metrics':
      return { status: 200, ...(await exposition(registry, accept)) };
    case '/healthz':
      return json(200, { status: 'ok' });
    case '/readyz':
      return readiness(ready());
    default:
      return failure(404, 'not-found', 'Known paths: /metrics, /healthz, /readyz. Decisions and the page are on the admin address.');
  }
}

/** The response of /readyz. */
export function readiness(ready: boolean): AdminAnswer {
  return ready ? json(200, { status: 'ready' }) : failure(503, 'not-ready', 'Sluice is starting or draining.');
}
