import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SluiceError } from '../lib/errors.ts';
import { importList, type ImportReport } from './changes.ts';
import { writeCatalogFile } from './index.ts';
import { openCatalog, type LiveOptions } from './live.ts';
import { smallList } from './testing/list.ts';
import type { Catalog } from './types.ts';

let folder: string;
let live: Awaited<ReturnType<typeof openCatalog>> | null = null;
const told = { catalogs: [] as Catalog[], reports: [] as ImportReport[], errors: [] as SluiceError[] };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-live-'));
  for (const list of Object.values(told)) list.length = 0;
});
afterEach(async () => {
  await live?.close();
  live = null;
  await rm(folder, { recursive: true });
});

async function open(options: Partial<LiveOptions>): Promise<Catalog> {
  live = await openCatalog({
    file: null,
    source: null,
    intervalMs: 3_600_000,
    onChange: (catalog) => told.catalogs.push(catalog),
    onReport: (report) => told.reports.push(report),
    onError: (error) => told.errors.push(error),
    ...options,
  });
  return live.catalog;
}

const empty = { source: 's', version: 'v0', date: '2026-01-01', models: [] };
const fileOf = (list: unknown) => importList(empty, list, { date: '2026-01-01', source: 's', accepts: () => true, acceptLoss: true }).file;

it('is the embedded catalog without a file', async () => {
  expect((await open({})).lookup('openai', 'gpt-4o')).not.toBeNull();
});

it('imports at start into its file, and takes the new facts over from there', async () => {
  const file = join(folder, 'catalog.json');
  const source = join(folder, 'list.json');
  await writeCatalogFile(file, fileOf(smallList()));
  await writeFile(source, JSON.stringify({ ...smallList(), 'gpt-x': { ...smallList()['gpt-x'], input_cost_per_token: 2e-6 } }));
  expect((await open({ file, source })).lookup('openai', 'gpt-x')!.prices.input).toBe(1.25);
  await expect.poll(() => told.catalogs.map((catalog) => catalog.lookup('openai', 'gpt-x')!.prices.input)).toEqual([2]);
  expect(told.reports).toMatchObject([{ changed: [{ from: 1.25, to: 2 }] }]);
  expect(told.errors).toEqual([]);
});

it('starts on the embedded catalog when its file is yet to be imported, and tells a failed import', async () => {
  const catalog = await open({ file: join(folder, 'catalog.json'), source: join(folder, 'none.json') });
  expect(catalog.lookup('openai', 'gpt-4o')).not.toBeNull();
  await expect.poll(() => told.errors.map(({ code }) => code)).toEqual(['SLUICE_CATALOG_UNREADABLE']);
});

it('does not start on a missing file without an import, nor import without a file', async () => {
  await expect(open({ file: join(folder, 'none.json') })).rejects.toMatchObject({ code: 'SLUICE_CATALOG_UNREADABLE' });
  await expect(open({ source: 'list.json' })).rejects.toMatchObject({ code: 'SLUICE_CLI_USAGE' });
});
