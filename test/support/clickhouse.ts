import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@clickhouse/client';
import { freePorts } from '../../src/demo/stack.ts';
import { contained, ContainerServer, images } from './containers.ts';
import { InstalledServer, startEither, untilReady, type TestServer } from './server.ts';

export const python = fileURLToPath(new URL('../../.tools/clickhouse/venv/bin/python', import.meta.url));
export const bridge = fileURLToPath(new URL('./clickhouse-bridge.py', import.meta.url));

const engineThere = existsSync(python);

/** Whether tests with ClickHouse run: on its server in a container, or on its engine, which `scripts/setup.sh clickhouse` installs. */
export const clickhouseThere: boolean = contained('clickhouse') || engineThere;

/** ClickHouse on a free port: its server in a container, or its engine behind the HTTP interface. */
export class TestClickHouse {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-clickhouse-'));
  readonly #port: number;
  #server: TestServer | null = null;
  #database = 'default';

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(): Promise<TestClickHouse> {
    const [port] = await freePorts(1);
    const clickhouse = new TestClickHouse(port!);
    clickhouse.#server = await startEither('ClickHouse', {
      container: contained('clickhouse')
        ? () =>
            new ContainerServer({
              image: images.clickhouse,
              // Without a password, from other addresses than its own.
              environment: { CLICKHOUSE_SKIP_USER_SETUP: '1' },
              ports: [{ host: port!, container: 8_123 }],
              ready: 'http',
            })
        : null,
      installed: engineThere
        ? () =>
            new InstalledServer(python, [bridge, String(port), join(clickhouse.#folder, 'data')], { stdio: ['pipe', 'ignore', 'inherit'] })
        : null,
    });
    await clickhouse.#ready();
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
    await this.command(`CREATE DATABASE ${database}`);
    this.#database = database;
  }

  #ready(): Promise<void> {
    return untilReady('ClickHouse', () =>
      fetch(`http://127.0.0.1:${this.#port}/ping`).then(
        (response) => response.ok,
        () => false,
      ),
    );
  }

  async restart(): Promise<void> {
    await this.#server!.start();
    await this.#ready();
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

  /** Ends as a crash does. It may be started again. */
  async stop(): Promise<void> {
    await this.#server?.stop('SIGKILL');
  }

  /** Ends it for good. */
  async remove(): Promise<void> {
    await this.#server?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
