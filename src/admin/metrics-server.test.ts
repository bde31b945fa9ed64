import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generation } from '../../test/support/decision.ts';
import { Metrics } from '../record/metrics.ts';
import { createMetricsServer } from './metrics-server.ts';

let ready = true;
const { registry } = new Metrics({ version: '1', policy: () => generation(), refused: () => false });
const server = createMetricsServer({ registry, ready: () => ready });
let base: string;

beforeAll(async () => {
  base = `http://${await server.listen('127.0.0.1', 0)}`;
});
afterAll(() => server.close());

it('serves metrics and health', async () => {
  const metrics = await fetch(`${base}/metrics?x=1`);
  expect([metrics.status, metrics.headers.get('content-type')]).toEqual([200, registry.contentType]);
  expect(await metrics.text()).toContain('llm_proxy_policy_refused 0\n');
  ready = false;
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
  expect((await fetch(`${base}/readyz`)).status).toBe(503);
  ready = true;
  expect((await fetch(`${base}/readyz`)).status).toBe(200);
});

it.each(['/', '/decisions', '/policy', '/savings', '/try', '/log'])('shows nothing else: %s', async (path) => {
  for (const method of ['GET', 'POST']) expect((await fetch(`${base}${path}`, { method })).status).toBe(404);
});

it('answers probes while many clients have sent half of a request', async () => {
  const { hostname, port } = new URL(base);
  const open = Array.from({ length: 300 }, () => connect(Number(port), hostname).on('error', () => undefined));
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  for (const socket of open) socket.write('POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n');
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
  for (const socket of open) socket.destroy();
});
