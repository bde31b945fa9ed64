import { mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { model } from '../../test/support/decision.ts';
import { catalog } from '../../test/support/policy.ts';
import { ModelCatalog } from '../catalog/catalog.ts';
import { readPolicyFiles } from './source.ts';
import { FilePolicyStore } from './store.ts';
import type { PolicySnapshot, Problem } from './types.ts';

/** An edit is to be live within this, in ms. */
const promised = 1_000;

const policy = (mode: string): string => `version: 1\ndefaults:\n  mode: ${mode}\n  tiers: [simple]\n  candidates: {simple: [gpt-small]}\n`;

let folder: string;
let store: FilePolicyStore | null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-policy-'));
  store = null;
});

afterEach(async () => {
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(path: string): FilePolicyStore {
  store = new FilePolicyStore({ path, catalog, watch: true });
  return store;
}

function mode(): string {
  return store!.current().section('any', 'openai').mode;
}

/** Milliseconds until `done`; fails when that takes longer than promised. */
async function within(done: () => boolean): Promise<void> {
  const begin = performance.now();
  while (!done()) {
    if (performance.now() - begin > promised) throw new Error(`not live after ${promised} ms`);
    await sleep(5);
  }
}

/** A ConfigMap volume's switch to new contents: a new folder, `..data` renamed over, links for new keys. */
function project(keys: Readonly<Record<string, string>>, version: number): void {
  const next = `..2026_01_01_00_00_0${version}.1`;
  mkdirSync(join(folder, next));
  for (const [key, text] of Object.entries(keys)) writeFileSync(join(folder, next, key), text);
  let old: string | null = null;
  try {
    old = readlinkSync(join(folder, '..data'));
  } catch {
    // The first time there is none.
  }
  symlinkSync(next, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  for (const key of Object.keys(keys)) {
    try {
      symlinkSync(join('..data', key), join(folder, key));
    } catch {
      // It is there from before.
    }
  }
  if (old !== null) rmSync(join(folder, old), { recursive: true });
}

describe('edits are live within a second', () => {
  test.each([1, 2, 3])('by rename over the file (%#)', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    for (const next of ['shadow', 'off', 'enabled']) {
      writeFileSync(`${file}.new`, policy(next));
      renameSync(`${file}.new`, file);
      await within(() => mode() === next);
    }
    expect(store!.current().number).toBe(4);
  });

  test('by rewriting the file in place, also to the same length', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    for (const next of ['shadow', 'off', "'off'", 'shadow']) {
      writeFileSync(file, policy(next));
      await within(() => mode() === next.replaceAll("'", ''));
    }
  });

  test('by the ..data switch of a mounted ConfigMap, with keys that come and go', async () => {
    project({ 'a.yaml': policy('enabled') }, 1);
    open(folder);
    project({ 'a.yaml': policy('shadow') }, 2);
    await within(() => mode() === 'shadow');
    project({ 'a.yaml': policy('shadow'), 'b.yaml': 'version: 1\nsections: [{name: red, match: {workspace: [red]}, mode: off}]\n' }, 3);
    await within(() => store!.current().section('red', 'openai').mode === 'off');
    expect(mode()).toBe('shadow');
  });

  test('by the ..data switch when one key of the mount is given', async () => {
    project({ 'a.yaml': policy('enabled') }, 1);
    open(join(folder, 'a.yaml'));
    project({ 'a.yaml': policy('off') }, 2);
    await within(() => mode() === 'off');
  });
});

describe('a bad edit changes nothing but what is reported', () => {
  test('it is refused visibly, and the next good one is taken', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    const refused: (readonly Problem[])[] = [];
    const taken: PolicySnapshot[] = [];
    store!.onRefusal((problems) => refused.push(problems));
    store!.onChange((generation) => taken.push(generation));
    writeFileSync(file, policy('enabled').replace('gpt-small', 'gpt-smal'));
    await within(() => store!.lastRefusal() !== null);
    expect(refused.map(([problem]) => problem?.code)).toEqual(['unknown-model']);
    expect(mode()).toBe('enabled');
    expect(store!.current().number).toBe(1);
    writeFileSync(file, policy('shadow'));
    await within(() => mode() === 'shadow');
    expect(store!.lastRefusal()).toBeNull();
    expect(taken.map(({ number }) => number)).toEqual([2]);
  });

  test('going back to the text in force ends the refusal without a new generation', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    writeFileSync(file, '');
    await within(() => store!.lastRefusal() !== null);
    expect(store!.lastRefusal()!.problems[0]!.code).toBe('empty');
    writeFileSync(file, policy('enabled'));
    await within(() => store!.lastRefusal() === null);
    expect(store!.current().number).toBe(1);
  });

  test('a file that is away is refused once, and its return is taken', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    let refusals = 0;
    store!.onRefusal(() => refusals++);
    unlinkSync(file);
    await within(() => store!.lastRefusal()?.problems[0]?.code === 'unreadable');
    await sleep(900);
    expect(refusals).toBe(1);
    writeFileSync(file, policy('off'));
    await within(() => mode() === 'off');
  });

  test('a file that is being written is not taken before it is whole', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    const modes = new Set<string>();
    store!.onChange(() => modes.add(mode()));
    // Valid at every line, and a different policy at each.
    const text = 'version: 1\ndefaults:\n  mode: shadow\n  tiers: []\n';
    for (let end = 1; end <= 4; end++) {
      writeFileSync(file, `${text.split('\n').slice(0, end).join('\n')}\n`);
      await sleep(20);
    }
    await within(() => mode() === 'shadow');
    expect([...modes]).toEqual(['shadow']);
    expect(store!.lastRefusal()).toBeNull();
  });

  test('a store does not open on a bad policy', () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, 'version: 2\n');
    expect(() => new FilePolicyStore({ path: file, catalog, watch: false })).toThrow(/policy.yaml:1:10 error schema at version/);
    expect(() => new FilePolicyStore({ path: join(folder, 'none.yaml'), catalog, watch: false })).toThrow(/there is no such file/);
  });
});

describe('new price facts', () => {
  const dearer = new ModelCatalog('2026-02-02-def', '2026-02-02', [model('openai', 'gpt-small', 7)]);

  test('the policy in force is compiled again, also while a bad edit stands on the disk', async () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    writeFileSync(file, 'version: 1\nnope: 1\n');
    await within(() => store!.lastRefusal() !== null);
    store!.setCatalog(dearer);
    expect(store!.current()).toMatchObject({ number: 2, catalog: { version: '2026-02-02-def' } });
    expect(store!.lastRefusal()).not.toBeNull();
  });

  test('facts without a model of the policy are refused, and the old ones stay', () => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, policy('enabled'));
    open(file);
    store!.setCatalog(new ModelCatalog('x', '2026-02-02', [model('openai', 'other', 1)]));
    expect(store!.current()).toMatchObject({ number: 1, catalog: { version: catalog.version } });
    expect(store!.lastRefusal()!.problems[0]!.code).toBe('unknown-model');
  });
});

describe('a manifest of a ConfigMap', () => {
  test('is read key by key, and problems have the lines of the manifest', () => {
    const file = join(folder, 'cm.yaml');
    writeFileSync(
      file,
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: sluice\ndata:\n  a.yaml: |\n    version: 1\n    defaults:\n      mode: nope\n  b.yaml: "version: 2\\n"\n  notes.txt: hello\n`,
    );
    expect(() => new FilePolicyStore({ path: file, catalog, watch: false })).toThrow(
      /cm\.yaml#a\.yaml:9:13 error schema at defaults\.mode[^\n]*\n.*cm\.yaml#b\.yaml:10:11 error schema at version/,
    );
    expect(readPolicyFiles(file)).toHaveLength(2);
  });
});
