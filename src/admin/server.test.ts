import { decisionsCsv } from '../ledger/export-fields.ts';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generation, record } from '../../test/support/decision.ts';
import { adminOf } from '../../test/support/admin.ts';
import { gradeEvent } from '../../test/support/grades.ts';
import type { Grade } from '../grades/types.ts';
import { LearningHub } from '../router/online/hub.ts';
import { OnlineLearner } from '../router/online/learner.ts';
import { Metrics } from '../record/metrics.ts';
import { RecentRecords } from '../record/recent.ts';
import type { Admin } from './listen.ts';

const policy = generation();
const recent = new RecentRecords();
const metrics = new Metrics({ version: '1', policy: () => policy, refused: () => true });
let grades: readonly Grade[] = [];
const learner = new OnlineLearner();
let hub: LearningHub;
let ready = true;
let admin: Admin;
let base: string;

beforeAll(async () => {
  hub = await LearningHub.open({ learner, file: null, stream: null, onError: () => undefined });
  recent.record(record());
  metrics.record(record());
  admin = adminOf(() => policy, {
    registry: metrics.registry,
    recent,
    policyStore: { current: () => policy, lastRefusal: () => ({ at: 1_700_000_000_000, problems: [] }), sources: () => [] },
    learning: { learner, publish: (event) => hub.publish(event) },
    grades: () => Promise.resolve(grades),
    feedback: (body) => Promise.resolve({ status: 202, body: { bytes: body.length } }),
    ready: () => ready,
  });
  base = `http://${await admin.listen('127.0.0.1', 0)}`;
});

afterAll(async () => {
  await admin.close();
  await hub.close();
});

const get = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(base + path, init);
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
};
const json = async (path: string) => JSON.parse((await get(path)).text) as Record<string, unknown>;

describe('the admin server', () => {
  it('answers probes while many clients have connected and say nothing', async () => {
    const { hostname, port } = new URL(base);
    const silent = Array.from({ length: 300 }, () => connect(Number(port), hostname).on('error', () => undefined));
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    expect((await get('/healthz')).status).toBe(200);
    for (const socket of silent) socket.destroy();
  });

  it('answers probes while many clients have sent half of a request', async () => {
    const { hostname, port } = new URL(base);
    const halves = ['GET /decisions HTTP/1.1\r\nhost: x\r\n', 'POST /try HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{'];
    for (const half of halves) {
      const open = Array.from({ length: 300 }, () => connect(Number(port), hostname).on('error', () => undefined));
      await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
      await Promise.all(open.map((socket) => new Promise((resolve) => socket.write(half, resolve))));
      expect((await get('/healthz')).status).toBe(200);
      for (const socket of open) socket.destroy();
    }
  });

  it('says what the cache did, by kind', async () => {
    metrics.record({ ...record(), cache: 'semantic' });
    expect(await json('/cache')).toMatchObject({ entries: 0, redis: 'none', exchanges: { semantic: 1 } });
  });

  it('serves the metrics as Prometheus reads them', async () => {
    const { status, type, text } = await get('/metrics');
    expect([status, type]).toEqual([200, metrics.registry.contentType]);
    expect(text).toContain('llm_proxy_policy_refused 1\n');
  });

  it('is always alive, and ready when told so', async () => {
    ready = false;
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(503);
    ready = true;
    expect((await get('/readyz')).status).toBe(200);
  });

  it('lists decisions by workspace and model', async () => {
    expect(await json('/decisions')).toEqual({ decisions: [record()] });
    expect(await json('/decisions?workspace=red&model=dear&limit=1')).toEqual({ decisions: [record()] });
    expect(await json('/decisions?workspace=blue')).toEqual({ decisions: [] });
  });

  it('lists decisions as CSV, with the fields of an export', async () => {
    const { type, text } = await get('/decisions?format=csv');
    expect([type, text]).toEqual(['text/csv; charset=utf-8', decisionsCsv([record()])]);
    expect(text).toMatch(/^time,id,workspace,/);
  });

  it('shows one decision as JSON and in words', async () => {
    expect(await json(`/decisions/${record().id}`)).toEqual(record());
    const { type, text } = await get(`/decisions/${record().id}?format=text`);
    expect(type).toBe('text/plain; charset=utf-8');
    expect(text).toContain('served by   openai/small');
  });

  it('shows the grades of a decision', async () => {
    grades = [{ decision: record().id, time: '2026-01-01T00:00:00.000Z', score: 0.25, source: 'user' }];
    expect(await json(`/decisions/${record().id}`)).toEqual({ ...record(), grades });
    expect((await get(`/decisions/${record().id}?format=text`)).text).toContain('  graded      0.25 by user at 2026-01-01T00:00:00.000Z\n');
    grades = [];
  });

  it('takes feedback as JSON only', async () => {
    const post = (type: string) => get('/v1/feedback', { method: 'POST', body: '{}', headers: { 'content-type': type } });
    expect(await post('application/json')).toMatchObject({ status: 202, text: '{"bytes":2}\n' });
    expect((await post('text/plain')).status).toBe(415);
  });

  it('totals the savings', async () => {
    expect(await json('/savings')).toMatchObject({
      exchanges: 1,
      currency: 'USD',
      savings: { usd: 0.0285 },
      unknownShare: { cost: 0, savings: 0 },
    });
  });

  it('shows the policy in force and the last refusal', async () => {
    expect(await json('/policy')).toMatchObject({
      number: 3,
      hash: '0123456789abcdef',
      lastRefusal: { at: '2023-11-14T22:13:20.000Z', problems: [] },
      catalog: { version: '2026-01-01-abc' },
    });
  });

  it.each([
    ['/decisions?limit=0', 400, 'bad-limit'],
    ['/decisions?limit=2001', 400, 'bad-limit'],
    ['/decisions?limit=1e3', 400, 'bad-limit'],
    ['/decisions/nobody', 404, 'no-decision'],
    [`/decisions/${record().id}?format=xml`, 400, 'bad-format'],
    ['/decisions?where=tier=simple', 404, 'no-ledger'],
    ['/decisions?format=xml', 400, 'bad-format'],
    ['/savings?window=1d', 404, 'no-ledger'],
    ['/decisions?wher=tier=simple', 400, 'bad-parameter'],
    ['/savings?mnth=2026-10', 400, 'bad-parameter'],
    ['/budgets?name=a', 400, 'bad-parameter'],
    ['/limits?limits=a', 400, 'bad-parameter'],
    ['/recent?window=1d', 400, 'bad-parameter'],
    [`/decisions/${record().id}?forma=text`, 400, 'bad-parameter'],
    ['/nothing', 404, 'not-found'],
  ])('answers %s with %d %s', async (path, status, code) => {
    const found = await get(path);
    expect([found.status, (JSON.parse(found.text) as { error: { code: string } }).error.code]).toEqual([status, code]);
  });

  it('changes nothing: only GET and HEAD are answered', async () => {
    expect((await get('/policy', { method: 'POST', body: 'x' })).status).toBe(405);
    expect(await get('/healthz', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });

  it('shows, freezes and forgets what was learnt from grades', async () => {
    const event = gradeEvent(0.1, { upgradeMs: 60_000 }, { workspace: 'red', source: 'judge', time: Date.now() });
    hub.publish(event);
    expect(await json('/learning')).toMatchObject({
      frozen: false,
      grades: 1,
      upgrades: [{ workspace: 'red', decisionId: 'd' }],
      pairs: [{ workspace: 'red', templates: [{ template: 't', grades: 1 }] }],
    });
    expect(await json('/learning/state')).toEqual(JSON.parse(JSON.stringify(learner.state(Date.now()))));
    expect((await get('/learning/frozen?frozen=true', { method: 'PUT' })).status).toBe(200);
    hub.publish(event);
    expect(await json('/learning')).toMatchObject({ frozen: true, grades: 1 });
    expect((await get('/learning/frozen?frozen=no', { method: 'PUT' })).status).toBe(400);
    expect((await get('/learning', { method: 'DELETE' })).status).toBe(400);
    expect((await get('/learning?workspace=red', { method: 'DELETE' })).status).toBe(200);
    expect(await json('/learning')).toMatchObject({ upgrades: [], pairs: [] });
  });

  it('changes how much is logged, to a level that there is', async () => {
    expect(await json('/log')).toEqual({ level: 'info' });
    expect((await get('/log?level=debug', { method: 'PUT' })).text).toBe('{"level":"debug"}\n');
    expect(await json('/log')).toEqual({ level: 'debug' });
    expect((await get('/log?level=loud', { method: 'PUT' })).status).toBe(400);
    expect((await get('/log?level=info', { method: 'PUT', headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
  });

  it('tells what the last exchanges tell together', async () => {
    expect(await json('/recent')).toMatchObject({
      of: 1,
      since: record().time,
      fallbacks: [],
      arms: [],
      latency: { overhead: { count: 1, p50: record().timing.overheadMs } },
    });
  });

  it('says which address is taken', async () => {
    const second = adminOf(() => policy);
    await expect(second.listen('127.0.0.1', Number(new URL(base).port))).rejects.toMatchObject({ code: 'SLUICE_LISTEN' });
  });
});
