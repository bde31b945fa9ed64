import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Stack, type StackOptions } from '../../src/demo/stack.ts';
import { openDatabase } from '../../src/ledger/sqlite/database.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { limits } from '../../src/lib/limits.ts';
import { redisThere, TestRedis } from '../../test/support/redis.ts';
import { memoryOf } from '../processes.ts';
import { until } from './types.ts';

export interface RigOptions extends Pick<StackOptions, 'env' | 'envoyConfig' | 'envoyMemoryBytes'> {
  /** More flags of `sluice serve`. */
  readonly serve?: readonly string[];
  /** The program that plays the provider, beside this folder; absent: one that answers at once. */
  readonly provider?: string;
  /** Where the first provider of chains is, and the second, instead of that. */
  readonly endpoints?: { readonly first: string; readonly second: string };
  /** More of the policy's defaults. */
  readonly defaults?: object;
}

/** A real Envoy and a real Sluice with everything on, before a provider in a process of its own; a real Redis where there is one. */
export class Rig {
  readonly stack: Stack;
  readonly #folder: string;
  readonly #provider: ChildProcess | null;
  readonly #redis: TestRedis | null;
  readonly #options: RigOptions;
  readonly #endpoints: NonNullable<RigOptions['endpoints']>;

  readonly #lastResort = (): void => {
    this.stack.kill();
    this.#provider?.kill('SIGKILL');
    this.#redis?.killNow();
    rmSync(this.#folder, { recursive: true, force: true });
  };

  private constructor(
    options: RigOptions,
    folder: string,
    provider: ChildProcess | null,
    redis: TestRedis | null,
    endpoints: NonNullable<RigOptions['endpoints']>,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#provider = provider;
    this.#redis = redis;
    this.#endpoints = endpoints;
    process.once('exit', this.#lastResort);
    this.stack = new Stack({
      policy: this.policy(),
      endpoint: null,
      messageTimeout: `${limits.messageMs / 1_000}s`,
      env: { SLUICE_MAX_DELAY: String(limits.eventLoopLateMs), ...options.env },
      ...(options.envoyMemoryBytes === undefined ? {} : { envoyMemoryBytes: options.envoyMemoryBytes }),
      ...(options.envoyConfig === undefined ? {} : { envoyConfig: options.envoyConfig }),
      serve: [...(redis === null ? [] : ['--cache-redis', redis.url, '--budgets-redis', redis.url]), ...(options.serve ?? [])],
    });
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-endurance-'));
    writeFileSync(join(folder, 'key'), 'key-of-second');
    const redis = !redisThere ? null : await TestRedis.start();
    const provider =
      options.endpoints === undefined
        ? spawn(process.execPath, [fileURLToPath(new URL(options.provider ?? './upstream.ts', new URL('../', import.meta.url)))], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
        : null;
    const port =
      provider === null
        ? ''
        : await new Promise<string>((resolve) => provider.stdout.once('data', (data: Buffer) => resolve(data.toString().trim())));
    const here = `http://127.0.0.1:${port}`;
    const rig = new Rig(options, folder, provider, redis, options.endpoints ?? { first: here, second: here });
    try {
      await rig.stack.start();
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  /** The policy, with a chain, a cache, sessions and a budget; `simple`: the model of simple questions. */
  policy(simple = 'openai/gpt-5-nano'): string {
    const { first, second } = this.#endpoints;
    return stringify({
      version: 1,
      providers: { openai: { endpoint: first }, mistral: { endpoint: second, credentialFile: join(this.#folder, 'key') } },
      budgets: [{ name: 'all', period: 'day', usd: 1_000_000, hard: {} }],
      defaults: {
        allowProviders: ['mistral'],
        candidates: { simple: [simple], standard: [simple], complex: [simple] },
        fallback: {
          tiers: Object.fromEntries(['simple', 'standard', 'complex'].map((tier) => [tier, ['mistral/mistral-large-latest']])),
          attempts: 2,
          attemptSeconds: 10,
        },
        cache: { mode: 'on', ttl: 60 },
        sessions: {},
        ...this.#options.defaults,
      },
    });
  }

  /** The sum of a metric's series whose labels hold `labels`; 0: there is none. */
  async metric(name: string, labels = ''): Promise<number> {
    const text = await fetch(`${this.stack.adminUrl}/metrics`).then((response) => response.text());
    return sumOf(text, name, labels);
  }

  /** The sum of Envoy's counters of this name. */
  async envoyCounter(name: string): Promise<number> {
    const text = await fetch(`${this.stack.envoyAdminUrl}/stats?usedonly&filter=${encodeURIComponent(name)}`).then((response) =>
      response.text(),
    );
    return [...text.matchAll(/: (\d+)$/gm)].reduce((total, [, value]) => total + Number(value), 0);
  }

  /** Resident memory in MB and open file descriptors of Sluice. */
  sluice(): { readonly mb: number; readonly fds: number } {
    return usage(this.stack.sluicePid);
  }

  envoy(): { readonly mb: number; readonly fds: number } {
    return usage(this.stack.envoyPid);
  }

  /** Waits until nothing is on its way to the ledger, then ends Sluice and reads what is there. */
  async ledger(
    file = this.stack.ledgerFile,
  ): Promise<{ readonly times: ReadonlyMap<string, number>; readonly holds: boolean; readonly gaps: number; readonly odd: number }> {
    if (this.stack.sluicePid > 0) {
      await until(
        async () =>
          (await this.metric('llm_proxy_ledger_waiting_records')) === 0 && (await this.metric('llm_proxy_pending_exchanges')) === 0,
        15_000,
      );
      await this.stack.stopSluice('SIGTERM');
    }
    const db = openDatabase(file, 'readonly');
    try {
      const rows = db
        .prepare<[], { id: string; times: number }>(`SELECT id, count(*) AS times FROM entries WHERE kind = 'exchange' GROUP BY id`)
        .all();
      const odd = db
        .prepare<[], number>(
          `SELECT count(*) FROM entries WHERE kind = 'exchange' AND (cost < 0 OR latency < 0 OR ttft < 0 OR overhead < 0 OR input < 0 OR output < 0)`,
        )
        .pluck()
        .get();
      const { ok, gaps } = verifyLedger(db, { publicKey: null, checkpoints: [] });
      return { times: new Map(rows.map(({ id, times }) => [id, times])), holds: ok, gaps: gaps.length, odd: odd ?? 0 };
    } finally {
      db.close();
    }
  }

  async stop(): Promise<void> {
    process.off('exit', this.#lastResort);
    await this.stack.stop();
    this.#provider?.kill('SIGKILL');
    await this.#redis?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function usage(pid: number): { readonly mb: number; readonly fds: number } {
  return { mb: memoryOf(pid) / 1_024, fds: readdirSync(`/proc/${pid}/fd`).length };
}

/** The sum of a Prometheus metric's series whose labels hold a text. */
function sumOf(text: string, name: string, labels: string): number {
  let total = 0;
  for (const [, held, value] of text.matchAll(new RegExp(`^${name}(\\{[^}]*\\})? (\\S+)$`, 'gm')))
    if ((held ?? '').includes(labels)) total += Number(value);
  return total;
}
