import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import { HttpPolicyStore } from './http-store.ts';
import { KeptPolicy } from './kept.ts';
import { FilePolicyStore } from './store.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sluice-kept-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const catalog = await loadCatalog();
const good = 'version: 1\ndefaults:\n  mode: shadow\n';
const keptIn = (source: string): KeptPolicy =>
  new KeptPolicy(join(folder, 'state', 'policy.json'), source, (error) => expect.fail(String(error)));

it('starts with the last good policy when the file is bad or gone, and says so', async () => {
  const path = join(folder, 'policy.yaml');
  writeFileSync(path, good);
  const first = new FilePolicyStore({ path, catalog, watch: false, kept: keptIn(path) });
  const { hash } = first.current();
  await first.close();
  writeFileSync(path, 'version: 1\ndefaults:\n  mode: perhaps\n');
  const second = new FilePolicyStore({ path, catalog, watch: false, kept: keptIn(path) });
  expect(second.current().hash).toBe(hash);
  expect(second.keptSince).toMatch(/^20/);
  expect(second.lastRefusal()?.problems[0]?.message).toMatch(/perhaps|mode/);
  // The edit that mends it is taken as any other.
  writeFileSync(path, `${good}# mended\n`);
  await second.refresh();
  expect(second.lastRefusal()).toBeNull();
  await second.close();
  rmSync(path);
  expect(new FilePolicyStore({ path, catalog, watch: false, kept: keptIn(path) }).lastRefusal()).not.toBeNull();
  // Another source's policy is never used, nor a damaged one.
  expect(() => new FilePolicyStore({ path, catalog, watch: false, kept: keptIn('elsewhere') })).toThrow(/no such file/);
  const file = join(folder, 'state', 'policy.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('shadow', 'enabled'));
  expect(() => new FilePolicyStore({ path, catalog, watch: false, kept: keptIn(path) })).toThrow(/no such file/);
});

it('starts with the last good policy when the backend does not answer', async () => {
  keptIn('http://127.0.0.1:1/').save({ files: [{ name: 'http://127.0.0.1:1/', text: good }], hash: 'abc' });
  const options = {
    url: 'http://127.0.0.1:1/',
    catalog,
    ttlMs: 60_000,
    tokenFile: null,
    onRuleError: () => undefined,
    onSourceError: () => undefined,
  };
  const store = await HttpPolicyStore.open({ ...options, kept: keptIn('http://127.0.0.1:1/') });
  expect(store.current().files[0]?.text).toBe(good);
  expect(store.known).toBe(true);
  await store.close();
  const bare = await HttpPolicyStore.open({ ...options, kept: null });
  expect(bare.known).toBe(false);
  await bare.close();
});
