import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Frequency } from './frequency.ts';
import { MemoryStore } from './memory.ts';
import type { CacheEntry } from './types.ts';

const keyOf = (name: string): string => createHash('sha256').update(name).digest('hex');
const entryOf = (key: string, bytes = 1_000, near: string | null = null): CacheEntry => ({
  key,
  near,
  api: 'openai-chat',
  form: 'json',
  body: Buffer.alloc(bytes),
  storedAt: 0,
  ttlMs: 1_000,
  keepMs: 1_000,
  workspace: 'w',
  provider: 'p',
  model: 'm',
  requestedModel: 'r',
  tier: null,
  tags: [],
  usage: null,
  finishReason: 'stop',
  tookMs: 1,
});

/** Numbers 0 … n-1, the same on every run. */
function dice(): (n: number) => number {
  let state = 11;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * n);
  };
}

describe('the memory', () => {
  const bytes = 500 * 2_024;
  const ask = (store: MemoryStore, name: string): boolean => {
    const key = keyOf(name);
    if (store.get(key) !== undefined) return true;
    store.set(entryOf(key));
    return false;
  };

  it('keeps what is asked again and again through a flood of what is asked once', () => {
    const store = new MemoryStore(bytes, () => 0);
    for (let round = 0; round < 5; round++) for (let prompt = 0; prompt < 100; prompt++) ask(store, `often ${prompt}`);
    for (let prompt = 0; prompt < 5_000; prompt++) ask(store, `once ${prompt}`);
    const held = Array.from({ length: 100 }, (_, prompt) => store.get(keyOf(`often ${prompt}`)) !== undefined).filter(Boolean).length;
    expect(held).toBeGreaterThan(95);
    expect(store.stats().bytes).toBeLessThanOrEqual(bytes);
  });

  it('learns to hold what is new where prompts come back soon or never', () => {
    const store = new MemoryStore(bytes, () => 0);
    const roll = dice();
    let hits = 0;
    for (let asked = 0; asked < 60_000; asked++) {
      const hit = ask(store, `prompt ${roll(2) === 0 ? asked : Math.max(0, asked - roll(400))}`);
      if (hit && asked >= 50_000) hits++;
      if (asked % 1_000 === 0) expect(store.stats().bytes).toBeLessThanOrEqual(bytes);
    }
    // A window of a fixed few per cent gets a small part of that.
    expect(hits).toBeGreaterThan(2_000);
  });

  it('stays within its bytes with answers of all sizes, and forgets with an entry how to find it', () => {
    const store = new MemoryStore(bytes, () => 0);
    const roll = dice();
    for (let asked = 0; asked < 3_000; asked++) {
      store.set(entryOf(keyOf(`${asked}`), roll(10) === 0 ? roll(bytes / 2) : roll(3_000), `near ${asked}`));
      expect(store.stats().bytes).toBeLessThanOrEqual(bytes);
    }
    const found = Array.from({ length: 3_000 }, (_, asked) => store.getNear(`near ${asked}`)).filter((entry) => entry !== undefined);
    expect(found.length).toBe(store.stats().entries);
    expect(found.length).toBeGreaterThan(20);
    store.purge({}, 0);
    expect(store.stats()).toMatchObject({ entries: 0, bytes: 0 });
    expect(store.getNear('near 2999')).toBeUndefined();
  });

  it('lets go of what is past its time, in both parts', () => {
    let clock = 10;
    const store = new MemoryStore(bytes, () => clock);
    for (let prompt = 0; prompt < 300; prompt++) ask(store, `${prompt}`);
    clock = 1_009;
    expect(ask(store, '0')).toBe(true);
    clock = 1_011;
    expect(store.get(keyOf('0'))).toBeUndefined();
    store.sweep();
    expect(store.stats()).toMatchObject({ entries: 0, bytes: 0 });
    // A memory that was full of old ones takes new ones.
    for (let prompt = 0; prompt < 600; prompt++) ask(store, `old ${prompt}`);
    clock = 2_020;
    store.sweep();
    for (let prompt = 0; prompt < 600; prompt++) ask(store, `new ${prompt}`);
    expect(store.stats().entries).toBeGreaterThan(400);
    expect(ask(store, 'new 599')).toBe(true);
  });
});

describe('frequency', () => {
  it('counts no key too low, and few too high', () => {
    const frequency = new Frequency();
    for (let key = 0; key < 2_000; key++) for (let count = 0; count <= key % 5; count++) frequency.add(keyOf(`${key}`));
    const errors = Array.from({ length: 2_000 }, (_, key) => frequency.of(keyOf(`${key}`)) - ((key % 5) + 1));
    expect(Math.min(...errors)).toBe(0);
    expect(errors.filter((error) => error > 0).length).toBeLessThan(100);
    expect(frequency.of(keyOf('never'))).toBeLessThanOrEqual(1);
  });

  it('fades', () => {
    const frequency = new Frequency();
    for (let count = 0; count < 20; count++) frequency.add(keyOf('a'));
    expect(frequency.of(keyOf('a'))).toBe(15);
    for (let count = 0; count < 400_000; count++) frequency.add(keyOf(`${count % 50}`));
    expect(frequency.of(keyOf('a'))).toBeLessThan(4);
  });
});
