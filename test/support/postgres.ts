import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePorts } from '../../src/demo/stack.ts';
import { contained, ContainerServer, images } from './containers.ts';
import { InstalledServer, startEither, untilReady, type TestServer } from './server.ts';

/** The folder of PostgreSQL's programs: $POSTGRES_BIN, or where Debian has them; null: not on this machine. */
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

export const postgresInstalled: boolean = postgresFolder !== null;

/** Whether tests with PostgreSQL run: in a container or on the installed server. */
export const postgresThere: boolean = contained('postgres') || postgresInstalled;

/** The installed server on a new database in this folder, or on the one that is there; arguments may follow. */
export function initdb(folder: string): { command: string; args: readonly string[]; user: ReturnType<typeof owner> } {
  if (postgresFolder === null) throw new Error('no PostgreSQL');
  const user = owner();
  const data = join(folder, 'data');
  if (!existsSync(data)) {
    if (user !== null) chownSync(folder, user.uid, user.gid);
    const made = spawnSync(join(postgresFolder, 'initdb'), ['-D', data, '-U', 'sluice', '-A', 'trust', ...initdbArgs], {
      cwd: folder,
      encoding: 'utf8',
      ...user,
    });
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  }
  return { command: join(postgresFolder, 'postgres'), args: ['-D', data, '-h', '127.0.0.1', '-k', folder], user };
}

const initdbArgs = ['-E', 'UTF8', '--locale=C', '--no-sync'];

/** A real PostgreSQL of a test's own, on a free port, with an empty database. */
export class TestPostgres {
  readonly #port: number;
  #server: TestServer | null = null;
  #folder: string | null = null;

  private constructor(port: number) {
    this.#port = port;
  }

  /** `fsync`: whether it waits for the disk, as it does in service. `settings`: further settings of the server, as `name=value`. */
  static async start(
    options: { readonly fsync: boolean; readonly settings?: readonly string[] } = { fsync: false },
  ): Promise<TestPostgres> {
    const [port] = await freePorts(1);
    const postgres = new TestPostgres(port!);
    const settings = [`fsync=${options.fsync ? 'on' : 'off'}`, ...(options.settings ?? [])];
    const args = ['-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    postgres.#server = await startEither('PostgreSQL', {
      container: contained('postgres')
        ? () =>
            new ContainerServer({
              image: images.postgres,
              command: ['postgres', ...args],
              environment: {
                POSTGRES_USER: 'sluice',
                POSTGRES_DB: 'postgres',
                POSTGRES_HOST_AUTH_METHOD: 'trust',
                POSTGRES_INITDB_ARGS: initdbArgs.join(' '),
              },
              ports: [{ host: port!, container: port! }],
            })
        : null,
      installed: postgresFolder === null ? null : () => postgres.#installed(args),
    });
    await postgres.#ready();
    return postgres;
  }

  #installed(args: readonly string[]): InstalledServer {
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-'));
    const { command, args: own, user } = initdb(this.#folder);
    return new InstalledServer(command, [...own, ...args], { cwd: this.#folder, ...user });
  }

  get url(): string {
    return `postgres://sluice@127.0.0.1:${this.#port}/postgres`;
  }

  /** The process of the installed server; 0 when it does not run, or runs in a container. */
  get pid(): number {
    return this.#server instanceof InstalledServer ? this.#server.pid : 0;
  }

  #ready(): Promise<void> {
    return untilReady('PostgreSQL', async () => {
      const client = new pg.Client({ connectionString: this.url });
      client.on('error', () => undefined);
      const ready = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => undefined);
      return ready;
    });
  }

  async restart(): Promise<void> {
    await this.#server!.start();
    await this.#ready();
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

  /** Ends it; `immediate` as a crash does. It may be started again. */
  async stop(how: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#server?.stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
  }

  /** Ends it for good. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    await this.#server?.remove();
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }
}
