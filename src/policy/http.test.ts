import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PolicyBackend } from '../../test/support/policy-backend.ts';
import { catalog } from '../../test/support/policy.ts';
import { limits } from '../lib/limits.ts';
import { HttpPolicyStore } from './http-store.ts';
import { PairPolicyStore } from './pair-store.ts';
import { FilePolicyStore } from './store.ts';
import type { LivePolicyStore } from './types.ts';

const routed = (model: string, more = ''): string =>
  `version: 1\n${more}defaults:\n  candidates: { simple: [${model}], standard: [${model}], complex: [${model}] }\n`;

const folder = mkdtempSync(join(tmpdir(), 'sluice-http-'));
const stores: LivePolicyStore[] = [];
const failures: string[] = [];
let backend: PolicyBackend;
let url: string;

beforeEach(async () => {
  backend = new PolicyBackend();
  url = await backend.listen();
  failures.length = 0;
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

const shared = {
  catalog,
  tokenFile: null,
  onRuleError: () => undefined,
  onSourceError: (what: string, failure: string) => void failures.push(`${what}: ${failure}`),
};

/** Models that simple prompts may get. */
const candidates = (store: LivePolicyStore, workspace = 'red'): (string | undefined)[] =>
  store
    .current()
    .section(workspace, 'openai')
    .candidates.simple.map(({ model }) => model);
const soon = { timeout: 15_000, interval: 20 };

describe('a whole policy at a URL', () => {
  const open = async (ttlMs = 1_000): Promise<HttpPolicyStore> => {
    const store = await HttpPolicyStore.open({ ...shared, url: `${url}/policy`, ttlMs });
    stores.push(store);
    return store;
  };

  test('is in force from the start, asked for again by its ETag, and taken when it has changed', async () => {
    backend.documents.set('/policy', routed('gpt-small'));
    const store = await open();
    expect([candidates(store), store.connected, store.current().number]).toEqual([['gpt-small'], true, 2]);
    await expect.poll(() => backend.calls.map(({ status }) => status).slice(0, 2), soon).toEqual([200, 304]);
    expect(store.current().number).toBe(2);
    backend.documents.set('/policy', routed('gpt-middle'));
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-middle']);
    expect(store.current().number).toBe(3);
  });

  test('stays as it was when the newest one is bad, which says its line, until it is good again', async () => {
    backend.documents.set('/policy', routed('gpt-small'));
    const store = await open();
    const refused: string[] = [];
    store.onRefusal((problems) => refused.push(...problems.map(({ file, line, code }) => `${file}:${line} ${code}`)));
    backend.documents.set('/policy', routed('gpt-small', 'nonsense: 1\n'));
    await expect.poll(() => refused, soon).toEqual([`${url}/policy:2 unknown-key`]);
    expect([candidates(store), store.connected, store.lastRefusal()?.problems.length]).toEqual([['gpt-small'], true, 1]);
    backend.documents.set('/policy', '  ');
    await expect.poll(() => refused, soon).toContain(`${url}/policy:1 empty`);
    backend.documents.set('/policy', routed('gpt-small'));
    await expect.poll(() => store.lastRefusal(), soon).toBeNull();
  });

  test('stays while the backend fails, is gone or has none, which is told once, and is read again after', async () => {
    backend.documents.set('/policy', routed('gpt-small'));
    const store = await open();
    backend.status = 500;
    await expect
      .poll(() => failures, soon)
      .toEqual([`the policy at ${url}/policy cannot be read; what is in force stays: it answered 500`]);
    expect(store.connected).toBe(false);
    await backend.close();
    backend.status = null;
    backend.documents.set('/policy', routed('gpt-middle'));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect([candidates(store), store.connected, failures.length]).toEqual([['gpt-small'], false, 1]);
    await backend.listen();
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-middle']);
    expect(store.connected).toBe(true);
  });

  test('changes no request until the backend has answered for the first time', async () => {
    const store = await open();
    expect([store.current().section('red', 'openai').mode, store.connected]).toEqual(['off', false]);
    expect(failures[0]).toContain('there is none');
    backend.documents.set('/policy', routed('gpt-small'));
    await expect.poll(() => store.current().section('red', 'openai').mode, soon).toBe('enabled');
  });

  test('holds for as long as its answer says, whatever the setting is', async () => {
    backend.documents.set('/policy', routed('gpt-small'));
    backend.cacheControl = 'private, max-age=1';
    await open(3_600_000);
    await expect.poll(() => backend.calls.length, soon).toBeGreaterThan(1);
  });

  test('is asked for with the token of the file, and not read when it is too large', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-token-')), 'token');
    writeFileSync(file, 'secret-token\n');
    backend.documents.set('/policy', `version: 1\n#${'x'.repeat(limits.policyBytes)}\n`);
    const store = await HttpPolicyStore.open({ ...shared, url: `${url}/policy?team=a`, ttlMs: 1_000, tokenFile: file });
    stores.push(store);
    expect(backend.calls[0]?.headers.authorization).toBe('Bearer secret-token');
    expect(failures[0]).toContain('there is none');
    const large = await HttpPolicyStore.open({ ...shared, url: `${url}/policy`, ttlMs: 1_000 });
    stores.push(large);
    expect(failures[1]).toContain(`more than ${limits.policyBytes} bytes`);
    rmSync(join(file, '..'), { recursive: true });
  });
});

describe('a backend that is asked for each workspace and provider', () => {
  const open = (ttlMs = 60_000, base = routed('gpt-large')): PairPolicyStore => {
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-base-')), 'policy.yaml');
    writeFileSync(file, base);
    const store = new PairPolicyStore({
      ...shared,
      url: `${url}/{workspace}/{provider}`,
      ttlMs,
      base: new FilePolicyStore({ path: file, catalog, watch: false }),
    });
    stores.push(store);
    rmSync(join(file, '..'), { recursive: true });
    return store;
  };

  test('lets no request wait: the first goes by the base, later ones by what was answered, each by its own', async () => {
    backend.documents.set('/red/openai', routed('gpt-small'));
    backend.documents.set('/a b/openai', routed('gpt-middle'));
    const store = open();
    const before = store.current();
    expect([candidates(store), candidates(store, 'a b'), candidates(store, 'none')]).toEqual([['gpt-large'], ['gpt-large'], ['gpt-large']]);
    await expect
      .poll(() => [candidates(store), candidates(store, 'a b'), candidates(store, 'none')], soon)
      .toEqual([['gpt-small'], ['gpt-middle'], ['gpt-large']]);
    // A request keeps the generation that it began with.
    expect(before.section('red', 'openai').candidates.simple.map(({ model }) => model)).toEqual(['gpt-large']);
    expect(store.current().hash).not.toBe(before.hash);
    // One call each, the one without an answer too, until its time is over.
    for (let more = 0; more < 50; more++) candidates(store, more % 2 === 0 ? 'none' : 'red');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(backend.calls.map(({ path }) => path).sort()).toEqual(['/a b/openai', '/none/openai', '/red/openai']);
  });

  test('asks for no workspace whose name would lead elsewhere, and fails at none', async () => {
    backend.documents.set('/openai', routed('gpt-small'));
    const store = open();
    for (const workspace of ['.', '..', 'a\ud83d', '']) expect(candidates(store, workspace)).toEqual(['gpt-large']);
    candidates(store, 'red');
    await expect.poll(() => backend.calls.map(({ path }) => path), soon).toEqual(['/red/openai']);
    for (const workspace of ['.', '..', 'a\ud83d', '']) expect(candidates(store, workspace)).toEqual(['gpt-large']);
  });

  test('takes an edit at the first request after its time, and goes back to the base when there is none any more', async () => {
    backend.documents.set('/red/openai', routed('gpt-small'));
    const store = open(1_000);
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-small']);
    backend.documents.set('/red/openai', routed('gpt-middle'));
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-middle']);
    backend.documents.delete('/red/openai');
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-large']);
    expect(backend.calls.some(({ status }) => status === 404)).toBe(true);
  });

  test('keeps what holds for a pair when its newest answer is bad or cannot be read, and only for it', async () => {
    backend.documents.set('/red/openai', routed('gpt-small'));
    backend.documents.set('/blue/openai', routed('gpt-middle'));
    const store = open(1_000);
    await expect.poll(() => [candidates(store), candidates(store, 'blue')], soon).toEqual([['gpt-small'], ['gpt-middle']]);
    backend.documents.set('/red/openai', routed('gpt-small', 'providers: { own: { dialect: openai, endpoint: "http://x" } }\n'));
    await expect
      .poll(() => {
        candidates(store);
        return store.lastRefusal()?.problems.map(({ file, code }) => `${file} ${code}`);
      }, soon)
      .toEqual([`${url}/red/openai not-in-part`]);
    expect([candidates(store), candidates(store, 'blue')]).toEqual([['gpt-small'], ['gpt-middle']]);
    backend.status = 503;
    await expect
      .poll(() => {
        candidates(store);
        return store.connected;
      }, soon)
      .toBe(false);
    expect(candidates(store)).toEqual(['gpt-small']);
    backend.status = null;
    backend.documents.set('/red/openai', routed('gpt-middle'));
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-middle']);
    expect([store.lastRefusal(), store.connected]).toEqual([null, true]);
  });

  test('compiles what was answered again when prices change', async () => {
    backend.documents.set('/red/openai', routed('gpt-small'));
    const store = open();
    await expect.poll(() => candidates(store), soon).toEqual(['gpt-small']);
    const { number } = store.current();
    store.setCatalog(catalog);
    await expect.poll(() => [candidates(store), store.current().number]).toEqual([['gpt-small'], number + 1]);
  });
});
