import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import {
  fleetPolicy,
  fleetTests,
  limitedAnswer,
  limitedModel,
  loadFromHere,
  orderTo,
  type FleetLoad,
  type TestFleet,
} from './support/fleet.ts';
import { postgresThere, TestPostgres } from './support/postgres.ts';
import { redisThere, TestRedis } from './support/redis.ts';
import { ScriptedProvider, type Behaviour } from './support/scripted-provider.ts';

const absent = !redisThere ? ' (skipped: no redis-server)' : !postgresThere ? ' (skipped: no PostgreSQL)' : '';

const behaviour: Behaviour = (got, response, answer) => {
  if (got.model !== limitedModel) return answer();
  response.writeHead(429, limitedAnswer.headers);
  response.end(limitedAnswer.body);
};

/** As processes of this machine; each keeps its files over a restart. test/kubernetes/node.test.ts does the same with pods. */
class ProcessFleet implements TestFleet {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-fleet-'));
  readonly #provider = new ScriptedProvider();
  readonly redis: TestRedis;
  readonly #postgres: TestPostgres;
  replicas: readonly Stack[] = [];

  private constructor(redis: TestRedis, postgres: TestPostgres) {
    this.redis = redis;
    this.#postgres = postgres;
  }

  static async start(): Promise<ProcessFleet> {
    const fleet = new ProcessFleet(...(await Promise.all([TestRedis.start(), TestPostgres.start()])));
    fleet.#provider.behaviour = behaviour;
    const endpoint = await fleet.#provider.listen();
    const shared = ['--cache-redis', fleet.redis.url, '--budgets-redis', fleet.redis.url, '--ledger', fleet.#postgres.url];
    // A busy machine is late: that is no fault of the fleet's.
    const patience = ['--cache-redis-deadline', '400', '--budgets-redis-deadline', '400', '--max-delay', '0'];
    const state = (number: number): string[] => ['--state', join(fleet.#folder, `${number}.json`)];
    fleet.replicas = Array.from(
      { length: 3 },
      (_, number) =>
        new Stack({ policy: fleetPolicy(), endpoint, serve: [...shared, ...patience, ...state(number)], messageTimeout: '20s' }),
    );
    for (const replica of fleet.replicas) await replica.start();
    return fleet;
  }

  async stop(): Promise<void> {
    for (const replica of this.replicas) await replica.stop();
    await this.#provider.close();
    await this.redis.remove();
    await this.#postgres.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  readonly postgres = { stop: () => this.#postgres.stop('immediate'), restart: () => this.#postgres.restart() };

  async restart(index: number): Promise<void> {
    await this.replicas[index]!.stopSluice('SIGTERM');
    await this.replicas[index]!.startSluice();
  }

  comeAndGo(): Promise<void> {
    return this.restart(2);
  }

  writePolicy(text: string): Promise<void> {
    for (const replica of this.replicas) replica.writePolicy(text);
    return Promise.resolve();
  }

  order(index: number, path: string): Promise<number> {
    return orderTo(this.replicas[index]!.adminUrl, path);
  }

  limited(): Promise<number> {
    return Promise.resolve(this.#provider.got.filter(({ model }) => model === limitedModel).length);
  }

  query<Row extends object>(sql: string): Promise<Row[]> {
    return this.#postgres.query(sql);
  }

  startLoad(): Promise<FleetLoad> {
    return Promise.resolve(loadFromHere(this));
  }
}

describe.skipIf(absent !== '')(`three replicas with one Redis and one PostgreSQL${absent}`, () => {
  let fleet: ProcessFleet | null = null;

  beforeAll(async () => {
    fleet = await ProcessFleet.start();
  });

  afterAll(() => fleet?.stop(), 60_000);

  fleetTests(() => fleet!);
});
