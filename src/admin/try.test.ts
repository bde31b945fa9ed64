import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { monthGeneration, monthPolicy } from '../../test/support/month.ts';
import { adminOf } from '../../test/support/admin.ts';
import { loadCatalog } from '../catalog/index.ts';
import type { Catalog } from '../catalog/types.ts';
import { PolicyHistory } from '../policy/history.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { RecentRecords } from '../record/recent.ts';
import type { Admin } from './listen.ts';
import type { TryResult } from './try.ts';

const token = 'a-token-of-sixteen-or-more';
const recent = new RecentRecords();
/** An address of this machine that is not loopback. */
const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((found) => found !== undefined && !found.internal && found.family === 'IPv4')?.address;
const admins: Admin[] = [];
let catalog: Catalog;
let policy: PolicySnapshot;
let history: PolicyHistory;
let open: string;
let guarded: string;

beforeAll(async () => {
  catalog = await loadCatalog();
  policy = monthGeneration(catalog, monthPolicy, 2);
  history = new PolicyHistory();
  history.add(monthGeneration(catalog, monthPolicy.replace('gpt-5-mini', 'gpt-4.1-mini'), 1));
  history.add(policy);
  history.add(monthGeneration(catalog, monthPolicy, 3));
  open = await serve(null);
  guarded = await serve(token);
});

function adminWith(adminToken: string | null): Admin {
  return adminOf(() => policy, { recent, history, token: adminToken });
}

async function serve(adminToken: string | null): Promise<string> {
  const admin = adminWith(adminToken);
  admins.push(admin);
  return `http://${await admin.listen('127.0.0.1', 0)}`;
}

afterAll(() => Promise.all(admins.map((admin) => admin.close())));

const prompt = JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] });

/** fetch() would not let the test say these headers. */
function post(
  url: string,
  headers: Record<string, string>,
  body: object = { body: prompt },
): Promise<{ status: number; json: TryResult & { readonly error?: { readonly code: string; readonly message: string } } }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/try`, { method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) as TryResult }),
      );
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

describe('what is more than reading', () => {
  it.each<[string, Record<string, string>, number]>([
    ['this machine', {}, 200],
    ['the page in a browser', { 'sec-fetch-site': 'same-origin' }, 200],
    ["another site's page", { 'sec-fetch-site': 'cross-site' }, 403],
    ['a name that was bent to this address', { host: 'evil.example:9901' }, 403],
  ])('without a token is for %s alone', async (_who, headers, status) => {
    expect((await post(open, headers)).status).toBe(status);
  });

  it.each<[string, Record<string, string>, number]>([
    ['none', {}, 401],
    ['another', { authorization: 'Bearer wrong' }, 401],
    ['another scheme', { authorization: `Basic ${token}` }, 401],
    ['it', { authorization: `Bearer ${token}` }, 200],
  ])('needs the token where there is one: %s', async (_what, headers, status) => {
    expect((await post(guarded, headers)).status).toBe(status);
  });

  it.each([
    ['DELETE', '/cache/entries?all=true'],
    ['PUT', '/log?level=info'],
    ['PUT', '/learning/frozen?frozen=false'],
    ['DELETE', '/learning?all=true'],
    ['POST', '/v1/feedback'],
    ['POST', '/rollout/promote'],
    ['POST', '/rollout/rollback'],
    ['POST', '/experiments/any/stop'],
    ['POST', '/experiments/%zz/start'],
  ])('so is %s %s', async (method, path) => {
    const status = (url: string, headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) =>
        request(url + path, { method, headers: { 'content-type': 'application/json', ...headers } }, (response) =>
          resolve(response.resume().statusCode ?? 0),
        )
          .on('error', reject)
          .end(method === 'POST' ? '{}' : undefined),
      );
    expect(await status(guarded, {})).toBe(401);
    expect(await status(open, { 'sec-fetch-site': 'cross-site' })).toBe(403);
    for (const allowed of [await status(guarded, { authorization: `Bearer ${token}` }), await status(open, {})])
      expect([200, 202, 404, 409]).toContain(allowed);
  });

  it.skipIf(elsewhere === undefined)(
    'without a token, a caller at an address of the network changes nothing, whatever Host it sends',
    async () => {
      const admin = adminWith(null);
      admins.push(admin);
      const port = (await admin.listen('0.0.0.0', 0)).split(':')[1];
      const ask = (path: string, method: string): Promise<number> =>
        new Promise((resolve, reject) =>
          request({ host: elsewhere, port, path, method, headers: { host: 'localhost', 'content-type': 'application/json' } }, (response) =>
            resolve(response.resume().statusCode ?? 0),
          )
            .on('error', reject)
            .end(method === 'POST' ? '{}' : undefined),
        );
      expect([
        await ask('/decisions', 'GET'),
        await ask('/rollout/rollback', 'POST'),
        await ask('/v1/feedback', 'POST'),
        await ask('/cache/entries?all=true', 'DELETE'),
      ]).toEqual([200, 403, 403, 403]);
    },
  );
});

it('a page under a name that was bent to this address reads nothing but figures and health', async () => {
  const ask = (path: string, host: string): Promise<number> =>
    new Promise((resolve, reject) =>
      request(`${open}${path}`, { headers: { host } }, (response) => resolve(response.resume().statusCode ?? 0))
        .on('error', reject)
        .end(),
    );
  expect(await ask('/decisions', 'evil.example:9901')).toBe(403);
  expect(await ask('/', 'evil.example')).toBe(403);
  for (const host of ['localhost:9901', '127.0.0.1', '[::1]:9901', 'LOCALHOST']) expect(await ask('/decisions', host)).toBe(200);
  for (const path of ['/metrics', '/healthz', '/readyz']) expect(await ask(path, 'evil.example')).toBe(200);
});

describe('a prompt that is tried', () => {
  const served = (found: TryResult['running'] | null): string | null =>
    found?.kind === 'decided' ? found.record.servedModel : (found?.kind ?? null);
  const edited = (from: string, to: string): object => ({
    body: prompt,
    policy: [{ name: 'policy.yaml', text: monthPolicy.replace(from, to) }],
  });

  it('is decided by the policy in force and by an edited one, and kept nowhere', async () => {
    expect(served((await post(open, {})).json.running)).toBe('gpt-5-nano');
    const { json } = await post(open, {}, edited('[gpt-5-nano]', '[gpt-4.1-nano]'));
    expect([served(json.running), served(json.edited)]).toEqual(['gpt-5-nano', 'gpt-4.1-nano']);
    expect(recent.list({ limit: 10 })).toEqual([]);
    expect(await fetch(`${open}/metrics`).then((response) => response.text())).not.toContain('llm_proxy_request_total{');
  });

  it('is refused by a policy that is wrong, with the place', async () => {
    const { json } = await post(open, {}, edited('[gpt-5-nano]', '7'));
    expect(json.edited).toMatchObject({ kind: 'refused', problems: [{ line: 4 }] });
  });

  it('may pass untouched', async () => {
    expect((await post(open, {}, { body: 'no json' })).json.running).toMatchObject({ kind: 'passed', reason: 'invalid-json' });
  });

  it('is asked for in JSON that is complete', async () => {
    expect(await post(open, {}, { nothing: 1 })).toMatchObject({ status: 400, json: { error: { code: 'bad-request' } } });
  });
});

it('the generations come newest first, with what changed', async () => {
  const { generations, files } = (await fetch(`${open}/policy/generations`).then((response) => response.json())) as {
    generations: { number: number; diffs: { file: string; patch: string }[] | null }[];
    files: object[];
  };
  expect(files).toEqual([{ name: 'policy.yaml', text: monthPolicy }]);
  expect(generations.map(({ number }) => number)).toEqual([3, 2, 1]);
  expect(generations.map(({ diffs }) => diffs?.length ?? null)).toEqual([0, 1, null]);
  expect(generations[1]!.diffs![0]!.patch).toContain('-    standard: [gpt-4.1-mini]\n+    standard: [gpt-5-mini]\n');
});
