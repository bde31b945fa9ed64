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

/** Problems with the Redis that holds the budgets. Closed list: a metric label. */
export type BudgetBackendProblem = 'connection' | 'down' | 'timeout' | 'error' | 'settle-failed';

export interface RedisBudgetOptions {
  readonly client: RedisClient;
  /** Longest wait for a reservation, in ms. */
  readonly deadlineMs: number;
  readonly onProblem: (problem: BudgetBackendProblem) => void;
  readonly now?: () => number;
  /** How long a slot of a concurrent request is held without being renewed, in ms. */
  readonly slotLeaseMs?: number;
}

/** Reservations of a dead process count as spent after this long, in ms. Longer than answers take. */
const leaseMs = 3_600_000;
/** How long a counter is kept after its period, in ms. */
const afterMs = 2 * leaseMs;
/** Most stale reservations that one request clears. */
const clearedAtOnce = 1_000;

/**
 * Reserves all charges or none, atomically. A counter is a hash (spent, reserved, reported events) and a sorted set of reservations by the
 * end of their lease; amounts are whole numbers, passed to HINCRBY as text so that Lua's doubles cannot lose digits. A counter of
 * concurrent requests is only its leases, by the clock of Redis: replicas' clocks may differ by more than such a lease lasts. KEYS: hash,
 * leases, index per counter. ARGV: now, lease's end, request, then per counter: amount, ceiling (-1: none), ms to live, member of the
 * index, ms of a slot's lease or ''.
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

/** Releases a slot of a concurrent request. KEYS: leases, index. ARGV: request, member of the index. */
const leaveScript = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
local left = redis.call('ZCARD', KEYS[1])
if left == 0 then redis.call('SREM', KEYS[2], ARGV[2]) end
return {'0', tostring(left)}`);

/** Slots of concurrent requests that are held, by the clock of Redis like their leases. KEYS: leases. */
const placesScript = script(`
local clock = redis.call('TIME')
return {tostring(redis.call('ZCOUNT', KEYS[1], clock[1] * 1000 + math.floor(clock[2] / 1000), '+inf'))}`);

/**
 * Renews leases, and restores them in a Redis that lost them. KEYS: leases, index. ARGV: ms of a lease, member of the index, its ms to
 * live, then requests.
 */
const renewScript = script(`
local clock = redis.call('TIME')
local ends = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {tostring(redis.call('ZCARD', KEYS[1]))}`);

/**
 * Settles a charge. KEYS: hash, leases, index. ARGV: lease's member or '', reserved, spent, ms to live, member of the index, then percent
 * and amount of each threshold.
 */
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

// One hash tag: a request may use several counters at once, and in a cluster a script can access only one slot.
const tag = '{sluice:budgets}';
const hashKey = (id: string): string => `${tag}:c:${id}`;
const leaseKey = (id: string): string => `${tag}:l:${id}`;
const indexKey = (budget: string, start: number): string => `${tag}:i:${budget} ${start}`;

/** The slots of concurrent requests that this process holds in one counter, oldest first. */
interface Places {
  readonly counter: Counter;
  /** When each slot was taken, in milliseconds since the epoch, by request. */
  readonly since: Map<string, number>;
}

interface Seen {
  readonly counter: Counter;
  readonly state: CounterState;
}

/**
 * Counters that replicas share. While Redis is down nothing is refused; amounts spent meanwhile are kept here, up to a bound, and added
 * when it is back.
 */
export class RedisBudgetStore implements BudgetStore {
  readonly kind = 'redis';
  readonly #options: RedisBudgetOptions;
  readonly #client: RedisClient;
  readonly #breaker = new Breaker();
  readonly #now: () => number;
  readonly #slotLeaseMs: number;
  readonly #seen = new Map<string, Seen>();
  readonly #owed = new Map<string, { readonly settlement: Settlement; spent: number }>();
  readonly #places = new Map<string, Places>();
  #renewal: NodeJS.Timeout | null = null;

  constructor(options: RedisBudgetOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#now = options.now ?? Date.now;
    this.#slotLeaseMs = options.slotLeaseMs ?? limits.slotLeaseMs;
    this.#client.on('error', () => options.onProblem('connection'));
    this.#client.on('ready', () => this.#pay());
    // The client itself retries a failed first attempt.
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
          counter.concurrent === true ? String(this.#slotLeaseMs) : '',
        ]),
      ],
    );
    const texts = await inTime(reply, this.#options.deadlineMs, this.#breaker, this.#options.onProblem);
    if (texts === failed) {
      // Redis may still have executed it.
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

  /** Counters of all replicas; if Redis does not answer, those that this replica has seen. */
  async list(budget: string, start: number, concurrent = false): Promise<(readonly [Counter, CounterState])[]> {
    const own = [...this.#seen.values()].filter(({ counter }) => counter.budget === budget && counter.start === start);
    const [first] = own;
    try {
      const members = (await this.#client.smembers(indexKey(budget, start))).slice(0, limits.budgetCounters);
      return await Promise.all(
        members.map(async (member) => {
          const values = JSON.parse(member) as string[];
          const counter: Counter = { ...(first?.counter ?? { budget, start, end: start }), values, id: counterId(budget, start, values) };
          if (concurrent) {
            const [places] = await this.#eval(placesScript, [leaseKey(counter.id)], []);
            return [counter, stateOf('0', places)] as const;
          }
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
    this.#renewal = setInterval(() => this.#renew(), this.#slotLeaseMs / 3);
    this.#renewal.unref();
  }

  /** A slot that cannot be released is freed when its lease ends. */
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

  /** Renews leases, because requests may run longer than a lease. */
  #renew(): void {
    const now = this.#now();
    for (const [key, { counter, since }] of this.#places) {
      for (const [id, at] of since) {
        // Its end was never reported: stop renewing it.
        if (now - at < limits.slotMs) break;
        since.delete(id);
      }
      if (since.size === 0) this.#places.delete(key);
      else if (this.#client.status === 'ready') {
        this.#eval(
          renewScript,
          [leaseKey(counter.id), indexKey(counter.budget, counter.start)],
          [String(this.#slotLeaseMs), JSON.stringify(counter.values), String(lifeMs(counter, now)), ...since.keys()],
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

  /** A reservation left in Redis counts as spent when its lease ends, so only the difference is owed. */
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

/** How long Redis keeps a counter, in ms from now. A duration, so that clock differences between Redis and this machine lose no budget. */
function lifeMs({ end, concurrent, keepMs }: Counter, now: number): number {
  return concurrent === true ? afterMs : Math.max(end - now, 0) + (keepMs ?? afterMs);
}

function stateOf(spent: string | undefined, reserved: string | undefined): CounterState {
  return { spent: Number(spent ?? 0), reserved: Number(reserved ?? 0) };
}
