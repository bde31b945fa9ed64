import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient } from '@clickhouse/client';
import { freePorts } from '../../src/demo/stack.ts';

const python = fileURLToPath(new URL('../../.tools/clickhouse/venv/bin/python', import.meta.url));
const bridge = fileURLToPath(new URL('./clickhouse-bridge.py', import.meta.url));

/** Whether ClickHouse's engine is on this machine: `scripts/setup.sh clickhouse` installs it. */
export const clickhouseThere: boolean = existsSync(python);

/** ClickHouse's engine behind its HTTP interface, on a free port, with an empty database `ledger`. */
export class TestClickHouse {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-clickhouse-'));
  #process: ChildProcess | null = null;
  #port = 0;
  #database = 'ledger';

  static async start(): Promise<TestClickHouse> {
    const clickhouse = new TestClickHouse();
    clickhouse.#port = (await freePorts(1))[0]!;
    await clickhouse.restart();
    return clickhouse;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `clickhouse://127.0.0.1:${this.#port}/${this.#database}`;
  }

  /** The database of `url` and of queries from now on; empty. */
  async use(database: string): Promise<void> {
    this.#database = database;
    await this.command(`CREATE DATABASE ${database}`);
  }

  async restart(): Promise<void> {
    const running = spawn(python, [bridge, String(this.#port), join(this.#folder, 'data')], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = running;
    const first = await createInterface({ input: running.stdout })[Symbol.asyncIterator]().next();
    if (first.value !== 'ready') throw new Error("ClickHouse's engine did not start");
  }

  /** Rows of a query of the test's own. */
  async query<Row>(sql: string): Promise<Row[]> {
    const client = createClient({ url: `http://127.0.0.1:${this.#port}`, database: this.#database });
    try {
      return await (await client.query({ query: sql, format: 'JSONEachRow' })).json<Row>();
    } finally {
      await client.close();
    }
  }

  /** A statement of the test's own; changes of rows are waited for. */
  async command(sql: string): Promise<void> {
    const client = createClient({
      url: `http://127.0.0.1:${this.#port}`,
      database: this.#database,
      clickhouse_settings: { mutations_sync: '2' },
    });
    try {
      await client.command({ query: sql });
    } finally {
      await client.close();
    }
  }

  /** Ends as a crash does. */
  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      running.once('exit', () => resolve());
      running.kill('SIGKILL');
    });
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
