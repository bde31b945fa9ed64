import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SluiceError } from '../lib/errors.ts';
import { formatCatalog } from './index.ts';
import type { CatalogFile } from './schema.ts';
import type { Catalog } from './types.ts';
import { watchCatalogFile } from './watch.ts';

let folder: string;
let watcher: { close(): void } | null = null;
let versions: string[];
let errors: SluiceError[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-watch-'));
  versions = [];
  errors = [];
});
afterEach(async () => {
  watcher?.close();
  await rm(folder, { recursive: true });
});

const text = (version: string): string => formatCatalog({ source: 's', version, date: '2026-01-01', models: [] } satisfies CatalogFile);

function follow(file: string): void {
  watcher = watchCatalogFile(file, {
    onChange: (catalog: Catalog) => versions.push(catalog.version.split('+')[0]!),
    onError: (error) => errors.push(error),
    pollMs: 50,
  });
}

const within = { timeout: 20_000 };

it('follows a file that is rewritten, and one that is replaced by rename', async () => {
  const file = join(folder, 'c.json');
  await writeFile(file, text('v1'));
  follow(file);
  expect(versions).toEqual([]);
  await writeFile(file, text('v2'));
  await expect.poll(() => versions, within).toEqual(['v2']);
  await writeFile(`${file}.new`, text('v3'));
  await rename(`${file}.new`, file);
  await expect.poll(() => versions, within).toEqual(['v2', 'v3']);
  expect(errors).toEqual([]);
});

it('follows the swap of a mounted ConfigMap', async () => {
  for (const version of ['v1', 'v2']) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'c.json'), text(version));
  }
  await symlink('v1', join(folder, '..data'));
  await symlink(join('..data', 'c.json'), join(folder, 'c.json'));
  follow(join(folder, 'c.json'));
  await symlink('v2', join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  await expect.poll(() => versions, within).toEqual(['v2']);
});

it('refuses a bad edit and a missing file once each, and takes the next good one', async () => {
  const file = join(folder, 'c.json');
  await writeFile(file, text('v1'));
  follow(file);
  await writeFile(`${file}.new`, '{"models": 3}');
  await rename(`${file}.new`, file);
  await expect.poll(() => errors.map(({ code }) => code), within).toEqual(['SLUICE_CATALOG_INVALID']);
  await rm(file);
  await expect.poll(() => errors.map(({ code }) => code), within).toEqual(['SLUICE_CATALOG_INVALID', 'SLUICE_CATALOG_UNREADABLE']);
  await sleep(200);
  expect(errors).toHaveLength(2);
  await writeFile(`${file}.new`, text('v2'));
  await rename(`${file}.new`, file);
  await expect.poll(() => versions, within).toEqual(['v2']);
});

it('tells nothing after it is closed', async () => {
  const file = join(folder, 'c.json');
  await writeFile(file, text('v1'));
  follow(file);
  watcher!.close();
  await writeFile(file, text('v2'));
  await sleep(200);
  expect([...versions, ...errors]).toEqual([]);
});
