import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { MemoryStore } from '../src/cache/memory.ts';
import type { CacheEntry } from '../src/cache/types.ts';

/** Hit rates of the cache's memory against one list of the least recently used, on made-up traffic. Usage: npm run bench -- eviction */
const capacity = 2_000;
const bodyBytes = 1_000;
/** As the memory counts an entry with such a body. */
const entryBytes = bodyBytes + 1_024;
const asked = 400_000;
const prompts = 50_000;

let state = 7;
const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 0x1_0000_0000;

const cumulated: number[] = [];
for (let rank = 1, sum = 0; rank <= prompts; rank++) cumulated.push((sum += 1 / rank ** 0.9));

/** A rank drawn by Zipf's law with exponent 0.9. */
function zipf(): number {
  const wanted = random() * cumulated.at(-1)!;
  let [low, high] = [0, prompts - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulated[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

const traffic: Readonly<Record<string, (at: number) => string>> = {
  'some prompts often, most seldom (Zipf, 0.9)': () => `zipf ${zipf()}`,
  'the same, and as many that come once': (at) => (random() < 0.5 ? `once ${at}` : `zipf ${zipf()}`),
  'the same without these, favourites changing': (at) => `zipf ${zipf() + Math.floor(at / 200)}`,
  'a batch of new prompts now and then': (at) => (at % 40_000 < 10_000 ? `batch ${at}` : `zipf ${zipf()}`),
  'half new, half repeats of the last 1,500': (at) => `recent ${random() < 0.5 ? at : Math.max(0, at - Math.floor(random() * 1_500))}`,
};

const entryOf = (key: string): CacheEntry => ({
  key,
  near: null,
  api: 'openai-chat',
  form: 'json',
  body: Buffer.alloc(bodyBytes),
  storedAt: 0,
  ttlMs: 3_600_000,
  keepMs: 3_600_000,
  workspace: '',
  provider: '',
  model: '',
  requestedModel: '',
  tier: null,
  tags: [],
  usage: null,
  finishReason: null,
  tookMs: null,
});

process.stdout.write(`| traffic (room for ${capacity} answers, ${asked} requests) | least recently used | the memory |\n|---|---|---|\n`);
for (const [name, next] of Object.entries(traffic)) {
  const memory = new MemoryStore(capacity * entryBytes, () => 1);
  const list = new LRUCache<string, true>({ max: capacity });
  let [ours, plain] = [0, 0];
  for (let at = 0; at < asked; at++) {
    const key = createHash('sha256').update(next(at)).digest('hex');
    if (memory.get(key) === undefined) memory.set(entryOf(key));
    else ours++;
    if (list.get(key) === undefined) list.set(key, true);
    else plain++;
  }
  const percent = (hits: number): string => `${((100 * hits) / asked).toFixed(1)}%`;
  process.stdout.write(`| ${name} | ${percent(plain)} | ${percent(ours)} |\n`);
}
