import { Redis } from 'ioredis';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { backendOf } from '../src/ledger/backends.ts';
import { dayMs, hourMs } from '../src/ledger/rollup.ts';
import { rollupKeys, rollupSums } from '../src/ledger/sqlite/database.ts';
import { PostgresWriter } from '../src/ledger/postgres/store.ts';
import { postgresThere, TestPostgres } from '../test/support/postgres.ts';
import { TestRedis } from '../test/support/redis.ts';

/**
 * Usage: npm run bench -- scale [REQUESTS] [RECORDS/S OF ONE DATABASE]: what each shared server sees of one request, by counting the real
 * commands of a Sluice behind Envoy; what that makes with up to 1,000 replicas and 300,000 requests a second; and a month's savings over a
 * billion exchanges in PostgreSQL. Figures of docs/capacity.md.
 */
const requests = Number(process.argv[2] ?? 300);
const databaseRate = Number(process.argv[3] ?? 26_000);
const idleSeconds = 10;
const policy = `
version: 1
defaults:
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }
  cache: { mode: on }
budgets: [{ name: team, per: [workspace], period: month, usd: 1000000, hard: {} }]
limits: [{ name: team, per: [workspace], requests: { hour: 100000000 } }]
`;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Calls of each command since the server started; those of this bench are left out. */
async function calls(redis: Redis): Promise<Map<string, number>> {
  const found = (await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  return new Map([...found].map(([, name, count]) => [name!, Number(count)] as const).filter(([name]) => name !== 'info'));
}

class Counters {
  readonly #caches: Redis;
  readonly #budgets: Redis;
  readonly #postgres: TestPostgres;

  constructor(caches: string, budgets: string, postgres: TestPostgres) {
    this.#caches = new Redis(caches);
    this.#budgets = new Redis(budgets);
    this.#postgres = postgres;
  }

  async read(): Promise<{ caches: Map<string, number>; budgets: Map<string, number>; transactions: number; records: number }> {
    const [{ n }] = (await this.#postgres.query<{ n: string }>(
      'SELECT sum(xact_commit) AS n FROM pg_stat_database WHERE datname = current_database()',
    )) as [{ n: string }];
    const [{ rows }] = (await this.#postgres.query<{ rows: string }>(`SELECT count(*) AS rows FROM entries WHERE kind = 'exchange'`)) as [
      { rows: string },
    ];
    return { caches: await calls(this.#caches), budgets: await calls(this.#budgets), transactions: Number(n), records: Number(rows) };
  }

  close(): void {
    this.#caches.disconnect();
    this.#budgets.disconnect();
  }
}

function grown(before: Map<string, number>, after: Map<string, number>): { readonly all: number; per(n: number): string } {
  const by = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const).filter(([, count]) => count > 0);
  const all = by.reduce((sum, [, count]) => sum + count, 0);
  const per = (n: number): string =>
    by
      .sort((a, b) => b[1] - a[1])
      .map(([name, count]) => `${name} ${(count / n).toFixed(2)}`)
      .join(', ');
  return { all, per };
}

interface Seen {
  /** Commands a request: of one that misses the cache, and of one that hits it. */
  readonly cache: readonly [number, number];
  readonly budget: readonly [number, number];
  /** Commands a second of one replica without requests. */
  readonly idle: readonly [number, number];
}

async function counted(): Promise<Seen> {
  const [caches, budgets, postgres] = await Promise.all([TestRedis.start(), TestRedis.start(), TestPostgres.start()]);
  const simulator = new ProviderSimulator();
  const stack = new Stack({
    policy,
    endpoint: await simulator.listen(),
    serve: [
      '--cache-redis',
      caches.url,
      '--cache-redis-deadline',
      '400',
      '--budgets-redis',
      budgets.url,
      '--budgets-redis-deadline',
      '400',
      '--ledger',
      postgres.url,
    ],
  });
  const counters = new Counters(caches.url, budgets.url, postgres);
  const ask = async (question: string): Promise<void> => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer key' },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: question }] }),
    });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    await response.text();
  };
  try {
    await stack.start();
    await ask('the first one');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const rested = await counters.read();
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_000));
    const idle = await counters.read();
    const rounds = [];
    for (const what of ['misses', 'hits'] as const) {
      const before = await counters.read();
      for (let i = 0; i < requests; i++) await ask(`question ${i}`);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const after = await counters.read();
      const [cache, budget] = [grown(before.caches, after.caches), grown(before.budgets, after.budgets)];
      say(`${requests} requests, one after the other, that the cache ${what}; commands a request:`);
      say(`  the cache's Redis: ${(cache.all / requests).toFixed(2)} (${cache.per(requests)})`);
      say(`  the budgets' Redis: ${(budget.all / requests).toFixed(2)} (${budget.per(requests)})`);
      say(
        `  PostgreSQL: ${((after.records - before.records) / requests).toFixed(2)} records, in ${((after.transactions - before.transactions) / requests).toFixed(2)} transactions a request`,
      );
      rounds.push([cache.all / requests, budget.all / requests] as const);
    }
    const resting = [grown(rested.caches, idle.caches).all / idleSeconds, grown(rested.budgets, idle.budgets).all / idleSeconds] as const;
    say(
      `one replica without requests, commands a second: the cache's Redis ${resting[0].toFixed(1)}, the budgets' Redis ${resting[1].toFixed(1)}\n`,
    );
    const [miss, hit] = rounds as [readonly [number, number], readonly [number, number]];
    return { cache: [miss[0], hit[0]], budget: [miss[1], hit[1]], idle: resting };
  } finally {
    counters.close();
    await stack.stop();
    await simulator.close();
    await Promise.all([caches.remove(), budgets.remove(), postgres.remove()]);
  }
}

/** What those counts make; a fifth of the requests hits the cache. */
function simulated({ cache, budget, idle }: Seen): void {
  const hits = 0.2;
  const each = ([miss, hit]: readonly [number, number]): number => miss * (1 - hits) + hit * hits;
  say(
    `with ${hits * 100}% hits, 300 requests a second a replica, and ${databaseRate} records a second of one PostgreSQL on two cores (bench -- fleet):`,
  );
  say('| replicas | requests/s | cache Redis, commands/s | budgets Redis, commands/s | records/s | PostgreSQLs by rate | TB for 30 days |');
  say('|---|---|---|---|---|---|---|');
  for (const replicas of [1, 10, 50, 100, 300, 1_000]) {
    const rate = replicas * 300;
    const thousand = (n: number): string => (n >= 10_000 ? `${Math.round(n / 1_000)} k` : String(Math.round(n)));
    say(
      `| ${replicas} | ${thousand(rate)} | ${thousand(each(cache) * rate + idle[0] * replicas)} | ${thousand(each(budget) * rate + idle[1] * replicas)} | ${thousand(rate)} | ${Math.ceil(rate / databaseRate)} | ${((rate * 86_400 * 30 * 4_400) / 1e12).toFixed(1)} |`,
    );
  }
  say('');
}

/** Sums as a billion exchanges of a month leave them, with as many combinations as one day may have, and the tables of thirty days. */
async function month(): Promise<void> {
  const postgres = await TestPostgres.start({ fsync: false, settings: ['shared_buffers=512MB'] });
  try {
    const now = Date.UTC(2026, 10, 30, 18, 30);
    let clock = now - 30 * dayMs;
    const target = { place: postgres.url, passwordFile: null };
    const writer = await PostgresWriter.open(target, { version: 'bench', now: () => clock });
    for (; clock <= now; clock += dayMs)
      await writer.append([
        JSON.stringify({ grade: { decision: `${clock}`, time: new Date(clock).toISOString(), score: 1, source: 'user' }, workspace: 'a' }),
      ]);
    await writer.end();
    for (const [table, ms, buckets, combinations] of [
      ['by_day', dayMs, 31, 2_000],
      ['by_hour', hourMs, 31 * 24, 200],
    ] as const) {
      const n = Math.ceil(1e9 / 30 / (ms === dayMs ? combinations : 24 * combinations));
      const values = rollupSums.map((sum) =>
        sum === 'cost' || sum === 'compared_cost' ? `${n * 0.001}` : sum === 'savings' || sum === 'baseline' ? `${n * 0.002}` : `${n}`,
      );
      await postgres.query(
        `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')})
         SELECT (${Math.floor(now / ms)} - b) * ${ms}::bigint, 'team-' || k % 50, 'asked-' || k % 5, 'openai', 'served-' || k % 4, (ARRAY['simple', 'standard', 'complex'])[1 + k % 3], 'reason-' || k, 'complete', 'off', ${values.join(', ')}
         FROM generate_series(0, ${buckets - 1}) AS b, generate_series(0, ${combinations - 1}) AS k`,
      );
    }
    await postgres.query(`INSERT INTO sums_new SELECT * FROM by_hour WHERE at = ${Math.floor(now / hourMs) * hourMs}; ANALYZE`);
    const reader = await backendOf(postgres.url).openReader(target);
    for (const by of [[], ['workspace', 'model', 'tier']]) {
      const times: number[] = [];
      let exchanges = 0;
      for (let i = 0; i < 15; i++) {
        const from = performance.now();
        exchanges = (await reader.savings({ from: now - 30 * dayMs, to: now, by, limit: 10_000 })).total.exchanges;
        times.push(performance.now() - from);
      }
      times.sort((a, b) => a - b);
      say(
        `a month over ${(exchanges / 1e9).toFixed(2)} G exchanges in PostgreSQL, 31 tables of days, total and trend${by.length === 0 ? '' : `, and by ${by.join(', ')}`}: median ${times[7]!.toFixed(0)} ms, slowest ${times.at(-1)!.toFixed(0)} ms of ${times.length}`,
      );
    }
    await reader.close();
  } finally {
    await postgres.remove();
  }
}

if (!postgresThere) throw new Error('there is no PostgreSQL on this machine: set POSTGRES_BIN');
await month();
simulated(await counted());
