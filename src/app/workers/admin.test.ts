import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { Admin } from '../../admin/listen.ts';
import { createWorkersAdmin, type ReadyWorker } from './admin.ts';

const servers: Server[] = [];
const admins: Admin[] = [];
afterEach(async () => {
  await Promise.all(admins.splice(0).map((admin) => admin.close()));
  for (const server of servers.splice(0)) server.close();
});

/** A worker that says which orders it got. */
async function worker(number: number, got: string[], status = 200): Promise<ReadyWorker> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += String(part)));
    request.on('end', () => {
      if (request.url !== '/metrics')
        got.push(`${number} ${request.method!} ${request.url!} ${body} ${request.headers.authorization ?? ''}`.trim());
      response.writeHead(request.method === 'PUT' ? status : 200, { 'content-type': 'text/plain' });
      response.end(request.url === '/metrics' ? '# TYPE a gauge\na 1\n' : `from ${number}`);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { worker: number, pid: 1000 + number, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function adminOf(ready: readonly ReadyWorker[], token: string | null = null, metricsOnly = false): Promise<string> {
  const admin = createWorkersAdmin({ ready: () => ready, token, metricsOnly });
  admins.push(admin);
  return `http://${await admin.listen('127.0.0.1', 0)}`;
}

it('joins metrics, asks the first worker, and hands orders to all, but those about one request to one', async () => {
  const got: string[] = [];
  const url = await adminOf([await worker(0, got), await worker(1, got)]);
  expect(await (await fetch(`${url}/metrics`)).text()).toBe('# TYPE a gauge\na{worker="0"} 1\na{worker="1"} 1\n');
  expect(await (await fetch(`${url}/savings?by=model`)).text()).toBe('from 0');
  expect(await (await fetch(`${url}/workers`)).json()).toEqual({
    workers: [
      { worker: 0, pid: 1000 },
      { worker: 1, pid: 1001 },
    ],
  });
  expect(got.splice(0)).toEqual(['0 GET /savings?by=model']);
  expect(await (await fetch(`${url}/log?level=debug`, { method: 'PUT' })).text()).toBe('from 0');
  expect(got.splice(0).sort()).toEqual(['0 PUT /log?level=debug', '1 PUT /log?level=debug']);
  await fetch(`${url}/v1/feedback`, { method: 'POST', body: '{"a":1}' });
  expect(got).toEqual(['0 POST /v1/feedback {"a":1}']);
});

it('lists the newest decisions of all, and finds what only one worker has', async () => {
  const of = async (number: number, ids: readonly string[]): Promise<ReadyWorker> => {
    const server = createServer((request, response) => {
      const id = /^\/decisions\/(.+)$/.exec(request.url ?? '')?.[1];
      response.writeHead(id === undefined || ids.includes(id) ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(id === undefined ? { decisions: ids.map((each) => ({ id: each })) } : { id, number }));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { worker: number, pid: number, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const url = await adminOf([await of(0, ['05', '01']), await of(1, ['04', '03'])]);
  const get = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
  expect(await get('/decisions?limit=3')).toEqual({ decisions: [{ id: '05' }, { id: '04' }, { id: '03' }] });
  expect(await get('/decisions?limit=3&where=x')).toEqual({ decisions: [{ id: '05' }, { id: '01' }] });
  expect(await get('/decisions/03')).toEqual({ id: '03', number: 1 });
  expect((await fetch(`${url}/decisions/09`)).status).toBe(404);
});

it('adds up the totals of all, so that they are those of one process', async () => {
  const of = async (number: number, usd: number): Promise<ReadyWorker> => {
    const part = { usd, known: 1, unknown: number };
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          since: `2026-01-0${2 - number}T00:00:00.000Z`,
          exchanges: 1 + number,
          cost: part,
          apart: { usd: 0.5, exchanges: 1 },
          baseline: part,
          savings: part,
          shadow: part,
          currency: 'USD',
          unknownShare: {},
        }),
      );
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { worker: number, pid: number, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const url = await adminOf([await of(0, 2), await of(1, 3)]);
  const both = { usd: 5, known: 2, unknown: 1 };
  expect(await (await fetch(`${url}/savings`)).json()).toEqual({
    since: '2026-01-01T00:00:00.000Z',
    exchanges: 3,
    cost: both,
    apart: { usd: 1, exchanges: 2 },
    baseline: both,
    savings: both,
    shadow: both,
    currency: 'USD',
    unknownShare: { cost: 1 / 3, baseline: 1 / 3, savings: 1 / 3 },
  });
});

it('tells of a worker that refused an order', async () => {
  const url = await adminOf([await worker(0, []), await worker(1, [], 409)]);
  expect((await fetch(`${url}/log?level=debug`, { method: 'PUT' })).status).toBe(409);
});

it('lets nobody give orders whom one process would not let', async () => {
  const got: string[] = [];
  const url = await adminOf([await worker(0, got)], 'secret');
  const order = (headers: Record<string, string>): Promise<Response> => fetch(`${url}/cache/entries`, { method: 'DELETE', headers });
  expect((await order({})).status).toBe(401);
  expect((await order({ authorization: 'Bearer other' })).status).toBe(401);
  expect(got).toEqual([]);
  expect((await order({ authorization: 'Bearer secret' })).status).toBe(200);
  expect(got).toEqual(['0 DELETE /cache/entries  Bearer secret']);
  const open = await adminOf([await worker(0, got)]);
  expect((await fetch(`${open}/log?level=debug`, { method: 'PUT', headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
});

it('is ready with one worker, and not without', async () => {
  const none = await adminOf([]);
  expect((await fetch(`${none}/readyz`)).status).toBe(503);
  expect((await fetch(`${none}/decisions`)).status).toBe(503);
  expect((await fetch(`${none}/healthz`)).status).toBe(200);
  const scraped = await adminOf([await worker(0, [])], null, true);
  expect((await fetch(`${scraped}/readyz`)).status).toBe(200);
  expect((await fetch(`${scraped}/decisions`)).status).toBe(404);
  expect((await fetch(`${scraped}/workers`)).status).toBe(404);
});
