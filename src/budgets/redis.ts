import { Breaker } from '../lib/redis/breaker.ts';
import type { RedisClient } from '../lib/redis/connect.ts';
import { failed, inTime } from '../lib/redis/in-time.ts';
import { runScript, script, type Script } from '../lib/redis/script.ts';
import { limits } from '../lib/limits.ts';
import {
  counterId,
  type BudgetStore,
  type Charge,
  type Counter,
  type CounterState,
  type Crossing,
  type ReserveResult,
  type Settlement,
} from './types.ts';

/** What went wrong with the Redis behind the budgets. Closed list: a metric label. */
export type BudgetBackendProblem = 'connection' | 'down' | 'timeout' | 'error' | 'settle-failed';

export interface RedisBudgetOptions {
  readonly client: RedisClient;
  /** Longest wait for a reservation, in ms. */
  readonly deadlineMs: number;
  readonly onProblem: (problem: BudgetBackendProblem) => void;
  readonly now?: () => number;
}

/** Reservations of a process that is gone count as spent after this long, in ms. Longer than answers take. */
const leaseMs = 3_600_000;
/** How long a counter outlives its period, in ms. */
const afterMs = 2 * leaseMs;
/** Stale reservations that one request clears at most. */
const clearedAtOnce = 1_000;

/**
 * All charges or none, in one step. A counter is a hash (spent, reserved, what was told) and a sorted set of reservations by
 * the end of their lease; amounts are whole numbers and handed to HINCRBY as text, which Lua's doubles cannot spoil.
 * A counter of concurrent requests is its leases alone, by the clock of Redis: replicas' clocks differ by more than such a lease takes.
 * KEYS: hash, leases, index a counter. ARGV: now, lease's end, request, then amount, ceiling (-1: none), ms to live, member of the index, ms of a place's lease or '' a counter.
 */
const reserveScript = script(`
local n = #KEYS / 3
local time
for i = 1, n do
  local hash, leases = KEYS[3 * i - 2], KEYS[3 * i - 1]
  local spent, reserved
  if ARGV[5 * i + 3] ~= '' then
    if not time then
      local clock = redis.call('TIME')
      time = clock[1] * 1000 + math.floor(clock[2] / 1000)
    end
    redis.call('ZREMRANGEBYSCORE', leases, '-inf', time)
    spent, reserved = '0', tostring(redis.call('ZCARD', leases))
  else
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', ARGV[1], 'LIMIT', 0, ${clearedAtOnce})) do
      local amount = string.match(member, ' (%d+)$')
      redis.call('HINCRBY', hash, 'reserved', '-' .. amount)
      redis.call('HINCRBY', hash, 'spent', amount)
      redis.call('ZREM', leases, member)
    end
    local found = redis.call('HMGET', hash, 'spent', 'reserved')
    spent, reserved = found[1] or '0', found[2] or '0'
  end
  local amount, ceiling = tonumber(ARGV[5 * i - 1]), tonumber(ARGV[5 * i])
  if ceiling >= 0 and tonumber(spent) + tonumber(reserved) + amount > ceiling then return {'0', tostring(i - 1), spent, reserved} end
end
local reply = {'1'}
for i = 1, n do
  local hash, leases, index = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local amount, life, lease = ARGV[5 * i - 1], ARGV[5 * i + 1], ARGV[5 * i + 3]
  redis.call('SADD', index, ARGV[5 * i + 2])
  redis.call('PEXPIRE', index, life)
  if lease ~= '' then
    redis.call('ZADD', leases, time + lease, ARGV[3])
    redis.call('PEXPIRE', leases, lease)
    reply[#reply + 1] = '0'
    reply[#reply + 1] = tostring(redis.call('ZCARD', leases))
  else
    redis.call('HINCRBY', hash, 'reserved', amount)
    redis.call('ZADD', leases, ARGV[2], ARGV[3] .. ' ' .. amount)
    redis.call('PEXPIRE', hash, life)
    redis.call('PEXPIRE', leases, life)
    local found = redis.call('HMGET', hash, 'spent', 'reserved')
    reply[#reply + 1] = found[1] or '0'
    reply[#reply + 1] = found[2] or '0'
  end
end
return reply`);

/** KEYS: leases, index. ARGV: request, member of the index. Gives a place among concurrent requests back. */
const leaveScript = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
local left = redis.call('ZCARD', KEYS[1])
if left == 0 then redis.call('SREM', KEYS[2], ARGV[2]) end
return {'0', tostring(left)}`);

/** KEYS: leases, index. ARGV: ms of a lease, member of the index, its ms to live, then requests. A Redis that has forgotten them learns of them again. */
const renewScript = script(`
local clock = redis.call('TIME')
local ends = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {tostring(redis.call('ZCARD', KEYS[1]))}`);

/** KEYS: hash, leases, index. ARGV: lease's member or '', reserved, spent, ms to live, member of the index, then percent and amount of each threshold. */
const settleScript = script(`
if ARGV[1] ~= '' then
  if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'reserved', '-' .. ARGV[2])
  elseif ARGV[2] ~= '0' then redis.call('HINCRBY', KEYS[1], 'spent', '-' .. ARGV[2]) end
end
local spent = redis.call('HINCRBY', KEYS[1], 'spent', ARGV[3])
redis.call('SADD', KEYS[3], ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
local found = redis.call('HMGET', KEYS[1], 'spent', 'reserved')
local reply = {found[1], found[2] or '0'}
local highest = nil
for i = 6, #ARGV, 2 do
  if spent >= tonumber(ARGV[i + 1]) and redis.call('HSETNX', KEYS[1], 'told ' .. ARGV[i] .. '@' .. ARGV[i + 1], '1') == 1 then
    if highest == nil or tonumber(ARGV[i]) > tonumber(highest) then highest = ARGV[i] end
  end
end
if highest ~= nil then reply[#reply + 1] = highest end
return reply`);

// One hash tag: a request may touch several counters at once, and in a cluster a script sees one slot.
const tag = '{sluice:budgets}';
const hashKey = (id: string): string => `${tag}:c:${id}`;
const leaseKey = (id: string): string => `${tag}:l:${id}`;
const indexKey = (budget: string, start: number): string => `${tag}:i:${budget} ${start}`;

/** The places among concurrent requests that this process holds in one counter, the oldest first. */
interface Places {
  readonly counter: Counter;
  /** Milliseconds since the epoch when each was taken, by request. */
  readonly since: Map<string, number>;
}

interface Seen {
  readonly counter: Counter;
  readonly state: CounterState;
}

/**
 * Counters that replicas share. While Redis is away nothing is refused; what is spent meanwhile is kept here, as far as the
 * bound goes, and added when it is back.
 */
export class RedisBudgetStore implements BudgetStore {
  readonly kind = 'redis';
  readonly #options: RedisBudgetOptions;
  readonly #client: RedisClient;
  readonly #breaker = new Breaker();
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();
  readonly #owed = new Map<string, { readonly settlement: Settlement; spent: number }>();
  readonly #places = new Map<string, Places>();
  #renewal: NodeJS.Timeout | null = null;

  constructor(options: RedisBudgetOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#now = options.now ?? Date.now;
    this.#client.on('error', () => options.onProblem('connection'));
    this.#client.on('ready', () => this.#pay());
    // A first attempt that fails is tried again by the client itself.
    this.#client.connect().catch(() => undefined);
  }

  get up(): boolean {
    return this.#client.status === 'ready' && !this.#breaker.open;
  }

  async reserve(id: string, charges: readonly Charge[]): Promise<ReserveResult | null> {
    if (this.#client.status !== 'ready' || !this.#breaker.allow()) {
      this.#options.onProblem('down');
      return null;
    }
    const now = this.#now();
    const reply = this.#eval(
      reserveScript,
      charges.flatMap(({ counter }) => [hashKey(counter.id), leaseKey(counter.id), indexKey(counter.budget, counter.start)]),
      [
        String(now),
        String(now + leaseMs),
        id,
        ...charges.flatMap(({ counter, amount, ceiling }) => [
          String(amount),
          ceiling === Infinity ? '-1' : String(ceiling),
          String(lifeMs(counter, now)),
          JSON.stringify(counter.values),
          counter.concurrent === true ? String(limits.slotLeaseMs) : '',
        ]),
      ],
    );
    const texts = await inTime(reply, this.#options.deadlineMs, this.#breaker, this.#options.onProblem);
    if (texts === failed) {
      // It may have been carried out all the same.
      reply.then(
        (late) => {
          if (late[0] === '1')
            void this.settle(
              id,
              charges.map(({ counter, amount }) => ({ counter, reserved: amount, spent: 0, thresholds: [] })),
            );
        },
        () => undefined,
      );
      return null;
    }
    const [ok, ...rest] = texts;
    if (ok === '0') {
      const refused = Number(rest[0]);
      const state = stateOf(rest[1], rest[2]);
      const { counter } = charges[refused]!;
      this.#note(counter, state);
      return { ok: false, failed: refused, state };
    }
    const states = charges.map(({ counter }, at) => this.#note(counter, stateOf(rest[2 * at], rest[2 * at + 1])));
    for (const { counter } of charges) if (counter.concurrent === true) this.#hold(counter, id, now);
    return { ok: true, states };
  }

  async settle(id: string, settlements: readonly Settlement[]): Promise<readonly Crossing[]> {
    const crossings = await Promise.all(
      settlements.map(async (settlement) => {
        const { counter, reserved, spent, thresholds } = settlement;
        if (counter.concurrent === true) return this.#leave(counter, id);
        try {
          if (this.#client.status !== 'ready') throw new Error('not connected');
          const [nowSpent, nowReserved, ...percents] = await this.#eval(
            settleScript,
            [hashKey(counter.id), leaseKey(counter.id), indexKey(counter.budget, counter.start)],
            [
              reserved === 0 ? '' : `${id} ${reserved}`,
              String(reserved),
              String(spent),
              String(lifeMs(counter, this.#now())),
              JSON.stringify(counter.values),
              ...thresholds.flatMap(([percent, amount]) => [String(percent), String(amount)]),
            ],
          );
          const state = this.#note(counter, stateOf(nowSpent, nowReserved));
          return percents.map((percent) => ({ counter, percent: Number(percent), state }));
        } catch {
          this.#options.onProblem('settle-failed');
          this.#owe(settlement);
          return [];
        }
      }),
    );
    return crossings.flat();
  }

  async mark(counter: Counter, event: string): Promise<boolean> {
    if (this.#client.status !== 'ready') return false;
    return this.#client.hsetnx(hashKey(counter.id), `told ${event}`, '1').then(
      (set) => set === 1,
      () => false,
    );
  }

  peek(id: string): CounterState | null {
    return this.#seen.get(id)?.state ?? null;
  }

  *seen(): Iterable<readonly [Counter, CounterState]> {
    const now = this.#now();
    for (const { counter, state } of this.#seen.values()) if (counter.end > now) yield [counter, state];
  }

  /** Of all replicas. What Redis does not answer is what this one has seen. */
  async list(budget: string, start: number, concurrent = false): Promise<(readonly [Counter, CounterState])[]> {
    const own = [...this.#seen.values()].filter(({ counter }) => counter.budget === budget && counter.start === start);
    const [first] = own;
    try {
      const members = (await this.#client.smembers(indexKey(budget, start))).slice(0, limits.budgetCounters);
      return await Promise.all(
        members.map(async (member) => {
          const values = JSON.parse(member) as string[];
          const counter: Counter = { ...(first?.counter ?? { budget, start, end: start }), values, id: counterId(budget, start, values) };
          if (concurrent)
            return [counter, { spent: 0, reserved: await this.#client.zcount(leaseKey(counter.id), this.#now(), '+inf') }] as const;
          const [spent, reserved] = await this.#client.hmget(hashKey(counter.id), 'spent', 'reserved');
          return [counter, stateOf(spent ?? '0', reserved ?? '0')] as const;
        }),
      );
    } catch {
      return own.map(({ counter, state }) => [counter, state] as const);
    }
  }

  close(): Promise<void> {
    if (this.#renewal !== null) clearInterval(this.#renewal);
    this.#client.disconnect();
    return Promise.resolve();
  }

  #hold(counter: Counter, id: string, now: number): void {
    let places = this.#places.get(counter.id);
    if (places === undefined) this.#places.set(counter.id, (places = { counter, since: new Map() }));
    places.since.set(id, now);
    if (this.#renewal !== null) return;
    this.#renewal = setInterval(() => this.#renew(), limits.slotLeaseMs / 3);
    this.#renewal.unref();
  }

  /** A place that cannot be given back is free when its lease ends. */
  async #leave(counter: Counter, id: string): Promise<readonly Crossing[]> {
    const places = this.#places.get(counter.id);
    places?.since.delete(id);
    if (places?.since.size === 0) this.#places.delete(counter.id);
    try {
      if (this.#client.status !== 'ready') throw new Error('not connected');
      const [spent, reserved] = await this.#eval(
        leaveScript,
        [leaseKey(counter.id), indexKey(counter.budget, counter.start)],
        [id, JSON.stringify(counter.values)],
      );
      this.#note(counter, stateOf(spent, reserved));
    } catch {
      this.#options.onProblem('settle-failed');
    }
    return [];
  }

  /** Requests go on for longer than a lease. */
  #renew(): void {
    const now = this.#now();
    for (const [key, { counter, since }] of this.#places) {
      for (const [id, at] of since) {
        // Nobody has told its end: it gives way.
        if (now - at < limits.slotMs) break;
        since.delete(id);
      }
      if (since.size === 0) this.#places.delete(key);
      else if (this.#client.status === 'ready') {
        this.#eval(
          renewScript,
          [leaseKey(counter.id), indexKey(counter.budget, counter.start)],
          [String(limits.slotLeaseMs), JSON.stringify(counter.values), String(lifeMs(counter, now)), ...since.keys()],
        ).then(
          ([reserved]) => this.#note(counter, stateOf('0', reserved)),
          () => this.#options.onProblem('error'),
        );
      }
    }
    if (this.#places.size > 0 || this.#renewal === null) return;
    clearInterval(this.#renewal);
    this.#renewal = null;
  }

  #note(counter: Counter, state: CounterState): CounterState {
    if (this.#seen.size >= limits.budgetCounters && !this.#seen.has(counter.id)) {
      const now = this.#now();
      for (const [id, seen] of this.#seen) if (seen.counter.end <= now) this.#seen.delete(id);
      if (this.#seen.size >= limits.budgetCounters) return state;
    }
    this.#seen.set(counter.id, { counter, state });
    return state;
  }

  /** A reservation that stays behind counts as spent when its lease ends: only the difference is owed. */
  #owe(settlement: Settlement): void {
    const owed = this.#owed.get(settlement.counter.id);
    const more = settlement.spent - settlement.reserved;
    if (owed !== undefined) owed.spent += more;
    else if (this.#owed.size < limits.budgetCounters)
      this.#owed.set(settlement.counter.id, { settlement: { ...settlement, reserved: 0 }, spent: more });
  }

  #pay(): void {
    const owed = [...this.#owed.values()];
    this.#owed.clear();
    if (owed.length > 0)
      void this.settle(
        '',
        owed.map(({ settlement, spent }) => ({ ...settlement, spent })),
      );
  }

  async #eval(what: Script, keys: readonly string[], args: readonly string[]): Promise<string[]> {
    return (await runScript(this.#client, 'call', what, keys, args)) as string[];
  }
}

/** How long Redis keeps a counter, in ms from now. A duration, so that a Redis whose clock differs from this machine's loses no budget. */
function lifeMs({ end, concurrent, keepMs }: Counter, now: number): number {
  return concurrent === true ? afterMs : Math.max(end - now, 0) + (keepMs ?? afterMs);
}

function stateOf(spent: string | undefined, reserved: string | undefined): CounterState {
  return { spent: Number(spent ?? 0), reserved: Number(reserved ?? 0) };
}
