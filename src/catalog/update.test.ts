import { once } from 'node:events';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { importList, type ImportReport } from './changes.ts';
import { fetchPriceList, publicName } from './fetch.ts';
import { readCatalogFile, writeCatalogFile } from './index.ts';
import type { CatalogFile } from './schema.ts';
import { smallList } from './testing/list.ts';
import type { Catalog } from './types.ts';
import { CatalogUpdater, type UpdaterOptions } from './update.ts';

let folder: string;
let server: Server | null = null;
let updater: CatalogUpdater | null = null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-update-'));
});
afterEach(async () => {
  await updater?.close();
  server?.closeAllConnections();
  server?.close();
  updater = null;
  server = null;
  await rm(folder, { recursive: true });
});

/** A server on loopback; the address of a list on it. */
async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/list.json`;
}

const unreadable = (message: RegExp) => ({ code: 'SLUICE_CATALOG_UNREADABLE', message: expect.stringMatching(message) as string });

describe('fetching a list', () => {
  it('reads a file, and says when it did not change', async () => {
    const path = join(folder, 'list.json');
    await writeFile(path, JSON.stringify(smallList()));
    const list = (await fetchPriceList(path))!;
    expect(list).toMatchObject({ json: smallList(), from: 'list.json' });
    expect(await fetchPriceList(path, { etag: list.etag })).toBeNull();
    await utimes(path, 1, 1);
    expect(await fetchPriceList(path, { etag: list.etag })).not.toBeNull();
  });

  it('reads a URL, packed or not, and asks with the ETag', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.headers['if-none-match']);
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"', 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify(smallList())));
    });
    const list = (await fetchPriceList(url))!;
    expect(list).toMatchObject({ json: smallList(), etag: '"1"' });
    expect(list.from).toBe(url.slice('http://'.length));
    expect(await fetchPriceList(url, { etag: list.etag })).toBeNull();
    expect(asked).toEqual([undefined, '"1"']);
  });

  it.each([
    [404, 'nothing here', /answered 404/],
    [500, '{}', /answered 500/],
    [200, '<html>', /not JSON/],
    [200, '', /not JSON/],
  ])('refuses status %d with %j', async (status, body, message) => {
    const url = await serve((_, response) => response.writeHead(status).end(body));
    await expect(fetchPriceList(url)).rejects.toMatchObject(unreadable(message));
  });

  it('gives up on an answer that is too slow, also when it drips', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(drip));
    });
    await expect(fetchPriceList(url, { timeoutMs: 150 })).rejects.toMatchObject(unreadable(/too long/));
  });

  it('gives up on an answer that is too large, counted unpacked', async () => {
    const url = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(limits.priceListBytes + 1, ' '))),
    );
    await expect(fetchPriceList(url)).rejects.toMatchObject(unreadable(/larger than/));
  });

  it('gives up on a file that is missing, and on a server that is', async () => {
    await expect(fetchPriceList(join(folder, 'none.json'))).rejects.toMatchObject(unreadable(/ENOENT/));
    const url = await serve(() => undefined);
    server!.close();
    await expect(fetchPriceList(url)).rejects.toMatchObject(unreadable(/ECONNREFUSED/));
  });

  it('keeps secrets in an address out of errors', () => {
    expect(publicName('https://user:pass@prices.example/list.json?token=abc')).toBe('https://prices.example/list.json');
    expect(publicName('/etc/prices.json')).toBe('/etc/prices.json');
  });
});

/** An updater over a small base catalog in `folder`, and what it told. */
async function small(source: string, options: Partial<UpdaterOptions> = {}) {
  const file = join(folder, 'catalog.json');
  const empty: CatalogFile = { source: 's', version: 'v0', date: '2026-01-01', models: [] };
  const base = importList(empty, smallList(), { date: '2026-01-01', source: 'base', accepts: () => false, acceptLoss: false }).file;
  await writeCatalogFile(file, base);
  const updates: { catalog: Catalog; report: ImportReport }[] = [];
  const errors: SluiceError[] = [];
  updater = new CatalogUpdater({
    source,
    file,
    intervalMs: 3_600_000,
    today: () => '2026-02-02',
    onUpdate: (catalog, report) => updates.push({ catalog, report }),
    onError: (error) => errors.push(error),
    ...options,
  });
  return { file, base, updates, errors, updater };
}

const cheaper = (price: number) => ({ ...smallList(), 'gpt-x': { ...smallList()['gpt-x'], input_cost_per_token: price } });

describe('updating on a schedule', () => {
  it('takes a changed list over, writes it, and tells once', async () => {
    const source = join(folder, 'list.json');
    await writeFile(source, JSON.stringify(cheaper(1e-6)));
    const { file, updates, errors, updater } = await small(source);
    expect(await updater.check()).toBe('updated');
    expect(await updater.check()).toBe('unchanged');
    expect(errors).toEqual([]);
    expect(updates).toHaveLength(1);
    expect(updates[0]!.catalog.lookup('openai', 'gpt-x')!.prices.input).toBe(1);
    expect(updates[0]!.report.changed).toHaveLength(1);
    expect(await readCatalogFile(file)).toMatchObject({ date: '2026-02-02', version: updates[0]!.catalog.version });
  });

  it('holds a jump in the file until a person accepts it there', async () => {
    const source = join(folder, 'list.json');
    await writeFile(source, JSON.stringify(cheaper(1e-4)));
    const { file, updates, updater } = await small(source);
    await updater.check();
    expect(updates[0]!.report.held).toMatchObject([{ model: 'gpt-x', from: 1.25, to: 100 }]);
    expect(updates[0]!.catalog.lookup('openai', 'gpt-x')!.prices.input).toBe(1.25);
    const kept = await readCatalogFile(file);
    expect(kept.held).toHaveLength(1);

    const accepted = importList(kept, cheaper(1e-4), { date: '2026-02-03', source: 'person', accepts: () => true, acceptLoss: false });
    await writeCatalogFile(file, accepted.file);
    await utimes(source, 5, 5);
    expect(await updater.check()).toBe('updated');
    expect(updates[1]!.catalog.lookup('openai', 'gpt-x')!.prices.input).toBe(100);
  });

  it('starts from the embedded catalog when there is no file, and refuses a list that would empty it', async () => {
    const source = join(folder, 'list.json');
    await writeFile(source, JSON.stringify(smallList()));
    const file = join(folder, 'other.json');
    const { updates, errors, updater } = await small(source, { file });
    expect(await updater.check()).toBe('failed');
    expect(updates).toEqual([]);
    expect(errors[0]!.render()).toMatch(/SLUICE_CATALOG_INVALID.*lacks/);
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('keeps the last good catalog through failures, and recovers', async () => {
    let answer: { status: number; body: string } = { status: 500, body: '' };
    const url = await serve((_, response) => response.writeHead(answer.status).end(answer.body));
    const { file, base, updates, errors, updater } = await small(url);
    expect(await updater.check()).toBe('failed');
    answer = { status: 200, body: '{"models": 1' };
    expect(await updater.check()).toBe('failed');
    expect(errors.map(({ code }) => code)).toEqual(['SLUICE_CATALOG_UNREADABLE', 'SLUICE_CATALOG_UNREADABLE']);
    expect((await readCatalogFile(file)).version).toBe(base.version);
    answer = { status: 200, body: JSON.stringify(cheaper(2e-6)) };
    expect(await updater.check()).toBe('updated');
    expect(updates).toHaveLength(1);
  });

  it('does not overwrite a catalog file that is broken', async () => {
    const source = join(folder, 'list.json');
    await writeFile(source, JSON.stringify(smallList()));
    const { file, errors, updater } = await small(source);
    await writeFile(file, '{ half');
    expect(await updater.check()).toBe('failed');
    expect(errors[0]!.code).toBe('SLUICE_CATALOG_UNREADABLE');
    expect(await readFile(file, 'utf8')).toBe('{ half');
  });

  it('looks at start and then at the interval, one look at a time', async () => {
    let open = 0;
    let most = 0;
    let looks = 0;
    const url = await serve((_, response) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        looks++;
        response.writeHead(200).end(JSON.stringify(cheaper((1 + (looks % 2)) * 1e-6)));
      }, 30);
    });
    const { updates, updater } = await small(url, { intervalMs: 10 });
    updater.start();
    await expect.poll(() => updates.length).toBeGreaterThanOrEqual(3);
    expect(most).toBe(1);
  });

  it('stops a download when it is closed, and tells nothing afterwards', async () => {
    const asked = Promise.withResolvers<undefined>();
    const url = await serve(() => asked.resolve(undefined));
    const { updates, errors, updater } = await small(url);
    updater.start();
    await asked.promise;
    await updater.close();
    expect(await updater.check()).toBe('closed');
    expect([...updates, ...errors]).toEqual([]);
  });
});
