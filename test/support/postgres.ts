import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePorts } from '../../src/demo/stack.ts';

/** Folder of PostgreSQL's programs: $POSTGRES_BIN, or where Debian has them; null: not on this machine. */
export const postgresFolder: string | null =
  [
    process.env['POSTGRES_BIN'] ?? '',
    ...(existsSync('/usr/lib/postgresql')
      ? readdirSync('/usr/lib/postgresql')
          .sort()
          .reverse()
          .map((version) => `/usr/lib/postgresql/${version}/bin`)
      : []),
  ].find((folder) => folder !== '' && existsSync(join(folder, 'initdb'))) ?? null;

/** PostgreSQL refuses to run as root: there another user runs it. */
function owner(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const number = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim() || 65_534);
  return { uid: number('-u'), gid: number('-g') };
}

/** A real PostgreSQL of a test's own, on a free port, with an empty database. */
export class TestPostgres {
  readonly #folder: string;
  readonly #settings: readonly string[];
  readonly #user: ReturnType<typeof owner>;
  #process: ChildProcess | null = null;
  #port = 0;

  private constructor(folder: string, settings: readonly string[]) {
    this.#folder = folder;
    this.#settings = settings;
    this.#user = owner();
  }

  /** `fsync`: whether it waits for the disk, as it does in service. `settings`: further settings of the server, as `name=value`. */
  static async start(
    options: { readonly fsync: boolean; readonly settings?: readonly string[] } = { fsync: false },
  ): Promise<TestPostgres> {
    if (postgresFolder === null) throw new Error('no PostgreSQL');
    const postgres = new TestPostgres(mkdtempSync(join(tmpdir(), 'sluice-postgres-')), [
      `fsync=${options.fsync ? 'on' : 'off'}`,
      ...(options.settings ?? []),
    ]);
    if (postgres.#user !== null) chownSync(postgres.#folder, postgres.#user.uid, postgres.#user.gid);
    const made = spawnSync(
      join(postgresFolder, 'initdb'),
      ['-D', join(postgres.#folder, 'data'), '-U', 'sluice', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { cwd: postgres.#folder, encoding: 'utf8', ...postgres.#user },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    postgres.#port = (await freePorts(1))[0]!;
    await postgres.restart();
    return postgres;
  }

  get url(): string {
    return `postgres://sluice@127.0.0.1:${this.#port}/postgres`;
  }

  /** Its process; 0 when it does not run. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async restart(): Promise<void> {
    this.#process = spawn(
      join(postgresFolder!, 'postgres'),
      [
        '-D',
        join(this.#folder, 'data'),
        '-p',
        String(this.#port),
        '-h',
        '127.0.0.1',
        '-k',
        this.#folder,
        ...this.#settings.flatMap((setting) => ['-c', setting]),
      ],
      { cwd: this.#folder, stdio: 'ignore', ...this.#user },
    );
    for (let tries = 0; tries < 300; tries++) {
      const client = new pg.Client({ connectionString: this.url });
      client.on('error', () => undefined);
      const ready = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => undefined);
      if (ready) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('PostgreSQL did not start');
  }

  /** A query of the test's own. */
  async query<Row extends object>(sql: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Ends it; `immediate` as a crash does. */
  async stop(how: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      running.once('exit', () => resolve());
      running.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    });
  }

  async remove(): Promise<void> {
    await this.stop('immediate');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
