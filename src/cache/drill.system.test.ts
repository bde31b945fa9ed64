import { describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { ResponseCache, type CacheQuery, type PendingLookup, type Lookup } from './cache.ts';
import { answer, nearKeyOf, queryOf, type Pairs } from '../exchange/testing/cache-harness.ts';

const generation = compiled(
  'version: 1\ndefaults: { cache: { mode: on, partitionHeaders: [x-tenant], coalesce: 60 } }\nsections: [{ name: shared, match: { workspace: [s*] }, cache: { mode: on, share: workspace, partitionHeaders: [x-tenant], coalesce: 60 } }]\n',
);

/** A generator of numbers 0 … n-1 that is the same on every run (LCG of Numerical Recipes). */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * n);
  };
}

const roll = dice(7);

/** Callers that are made to be taken for each other: by case, white space, separators, long names, a name in another header's value. */
const tricks: readonly ((n: number) => Pairs)[] = [
  (n) => [
    ['x-sluice-workspace', `w${n}`],
    ['authorization', `Bearer k${n}`],
  ],
  (n) => [
    ['x-sluice-workspace', `W${n}`],
    ['authorization', `Bearer k${n}`],
  ],
  (n) => [['x-sluice-workspace', `s${n}`]],
  (n) => [
    ['x-sluice-workspace', `s${n}`],
    ['x-tenant', 'a'],
  ],
  (n) => [
    ['x-sluice-workspace', `s${n}`],
    ['x-tenant', 'a'],
    ['x-tenant', `w${n}`],
  ],
  (n) => [['x-sluice-workspace', `s${n}\u00e9`]],
  (n) => [['x-sluice-workspace', `s${n}e\u0301`]],
  (n) => [['x-sluice-workspace', `s${'x'.repeat(140)}${n}`]],
  (n) => [['x-tenant', `w${n}"],["x-sluice-workspace","w${n}`]],
  (n) => [['authorization', `w${n}`]],
];
const callers = Array.from({ length: 50 }, (_, index) => tricks[index % tricks.length]!(Math.floor(index / tricks.length)));

/** Prompts that look alike, and bodies that say the same in another order. */
function bodyOf(prompt: number): { readonly body: string; readonly means: string } {
  const texts = [
    `question ${prompt}`,
    `question  ${prompt}`,
    `Question ${prompt}`,
    `question ${prompt}\u200b`,
    `qu\u00e9stion ${prompt}`,
    `que\u0301stion ${prompt}`,
    `question ${prompt}","x":"`,
    `question \\u0030${prompt}`,
  ];
  const content = texts[prompt % texts.length]!;
  const messages = [{ role: 'user', content }];
  const shapes = [
    JSON.stringify({ model: 'gpt-large', messages }),
    JSON.stringify({ messages, model: 'gpt-large' }, null, 2),
    JSON.stringify({ user: 'somebody else', messages, stream: true, metadata: { workspace: 'w1' }, model: 'gpt-large' }),
    JSON.stringify({ model: 'gpt-large', messages, messagesx: [] }),
  ];
  const shape = roll(shapes.length);
  return { body: shapes[shape]!, means: JSON.stringify([content, shape === 3]) };
}

describe('50 callers with 1,000 prompts each, asked twice and at once', () => {
  it('never get an answer that was given to another caller or to another prompt', async () => {
    const cache = new ResponseCache({ memoryBytes: 256 * 1024 * 1024 });
    const work = callers.flatMap((_, caller) => Array.from({ length: 2_000 }, (_unused, prompt) => ({ caller, prompt: prompt % 1_000 })));
    for (let index = work.length - 1; index > 0; index--) {
      const other = roll(index + 1);
      [work[index], work[other]] = [work[other]!, work[index]!];
    }
    const waiting: Promise<void>[] = [];
    const leading: (() => void)[] = [];
    const seen = { hit: 0, coalesced: 0, miss: 0 };
    const take = (found: Lookup | PendingLookup, owner: string): void => {
      if (found.kind === 'hit') {
        expect(found.entry.body.toString()).toContain(`"${owner}"`);
        seen[found.state === 'coalesced' ? 'coalesced' : 'hit']++;
      } else if (found.kind === 'miss' && found.fill !== null) {
        const { fill } = found;
        seen.miss++;
        leading.push(() =>
          answer(fill, JSON.stringify({ choices: [{ index: 0, message: { content: owner }, finish_reason: 'stop' }] }), { usage: null }),
        );
      }
    };
    for (const { caller, prompt } of work) {
      const { body, means } = bodyOf(prompt);
      const query: CacheQuery = { ...queryOf(generation, body, callers[caller])!, wanted: { form: 'json', includeUsage: true } };
      const owner = Buffer.from(`caller ${caller} asks ${means}`).toString('hex');
      const found = cache.lookup(query);
      if (found.kind === 'later') waiting.push(found.result.then((later) => take(later, owner)));
      else take(found, owner);
      // Answers come in any order, some at once and some long after.
      while (leading.length > 200) leading.splice(roll(leading.length), 1)[0]!();
    }
    while (leading.length > 0) leading.pop()!();
    await Promise.all(waiting);
    cache.close();
    expect(seen.hit + seen.coalesced + seen.miss).toBe(100_000);
    // The drill is worth something only when answers were shared at all, in both ways.
    expect(seen.hit).toBeGreaterThan(1_000);
    expect(seen.coalesced).toBeGreaterThan(10);
  });
});

describe('50 callers who ask the same in other words', () => {
  it('never get an answer to another question, nor one that was given to another caller', () => {
    const semantic = compiled(
      'version: 1\ndefaults: { cache: { mode: on, semantic: wide, partitionHeaders: [x-tenant] } }\nsections: [{ name: shared, match: { workspace: [s*] }, cache: { mode: on, semantic: wide, share: workspace, partitionHeaders: [x-tenant] } }]\n',
    );
    const cache = new ResponseCache({ memoryBytes: 256 * 1024 * 1024 });
    // Each line asks one thing, as long as its number is the same; no two lines do.
    const ways: readonly ((n: number) => string)[][] = [
      [(n) => `What is the price of item ${n}?`, (n) => `what's a price of item ${n}`, (n) => `Hi, what is the price of items ${n}`],
      [(n) => `What is not the price of item ${n}?`, (n) => `What isn't the price of item ${n}`],
      [(n) => `How do I return item ${n}?`, (n) => `how can you return the item ${n}`, (n) => `How to return item ${n}`],
      [(n) => `Can I return item ${n}?`, (n) => `can I return an item ${n}`],
      [(n) => `What is the price of item "${n} A"?`, (n) => `what is a price of item "${n} A"`],
      [(n) => `What is the price of item "${n} a"?`],
      [(n) => `What is the difference between item ${n} and item X?`, (n) => `what's the difference between item X and item ${n}`],
    ];
    const seen = { hit: 0, semantic: 0, miss: 0 };
    for (let round = 0; round < 20_000; round++) {
      const [caller, line, number] = [roll(callers.length), roll(ways.length), roll(20)];
      const way = ways[line]!;
      const body = JSON.stringify({ model: 'gpt-large', messages: [{ role: 'user', content: way[roll(way.length)]!(number) }] });
      const owner = `caller ${caller} line ${line} number ${number} end`;
      const found = cache.lookup(queryOf(semantic, body, callers[caller])!, () => nearKeyOf(semantic, body, callers[caller]));
      if (found.kind === 'hit') {
        expect(found.entry.body.toString()).toContain(`"${owner}"`);
        seen[found.state === 'semantic' ? 'semantic' : 'hit']++;
      } else if (found.kind === 'miss' && found.fill !== null) {
        seen.miss++;
        answer(found.fill, JSON.stringify({ choices: [{ index: 0, message: { content: owner }, finish_reason: 'stop' }] }));
      }
    }
    cache.close();
    expect(seen.hit + seen.semantic + seen.miss).toBe(20_000);
    // Each caller pays for each question once at most.
    expect(seen.miss).toBeLessThanOrEqual(callers.length * ways.length * 20);
    expect(seen.semantic).toBeGreaterThan(2_000);
  });
});

describe('a day of traffic on a clock that runs fast', () => {
  it('stays within the bytes that were given, and holds nothing whose time is over', () => {
    let clock = 0;
    const bound = 8 * 1024 * 1024;
    const cache = new ResponseCache({ memoryBytes: bound, now: () => clock });
    const day = 24 * 3_600_000;
    const step = 4_000;
    let highest = 0;
    const base = queryOf(generation, JSON.stringify({ model: 'gpt-large', messages: [] }))!;
    for (; clock < day; clock += step) {
      const prompt = roll(10) < 3 ? roll(50) : roll(1_000_000);
      const found = cache.lookup({ ...base, key: String(prompt).padStart(64, '0') });
      if (found.kind === 'miss' && found.fill !== null) {
        const content = 'x'.repeat(1 + roll(20_000));
        answer(found.fill, JSON.stringify({ choices: [{ index: 0, message: { content }, finish_reason: 'stop' }] }));
      }
      highest = Math.max(highest, cache.stats().bytes);
    }
    expect(highest).toBeLessThanOrEqual(bound);
    expect(highest).toBeGreaterThan(bound / 2);
    expect(cache.stats().evictions).toBeGreaterThan(0);
    clock += 3_600_000;
    expect(cache.forget({})).toBe(0);
    cache.close();
  });
});
