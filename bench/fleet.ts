import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { backendOf } from '../src/ledger/backends.ts';
import { verifyLedger } from '../src/ledger/verify.ts';
import { record as sampleRecord } from '../test/support/decision.ts';
import { postgresThere, TestPostgres } from '../test/support/postgres.ts';

/**
 * Usage: npm run bench -- fleet [SECONDS] [WRITERS] [WORKSPACES]: what one PostgreSQL takes from several replicas that record as fast as
 * they can, its CPU and theirs, and whether everything acknowledged is there and verifies.
 */
const seconds = Number(process.argv[2] ?? 10);
const writers = Number(process.argv[3] ?? 8);
const workspaces = Number(process.argv[4] ?? 20);
const child = fileURLToPath(new URL('./fleet-child.ts', import.meta.url));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const template = sampleRecord();

/** What docs/ledger.md recommends for a server that is a ledger and nothing else. */
const settings = ['shared_buffers=1GB', 'max_wal_size=8GB', 'wal_buffers=64MB', 'checkpoint_timeout=15min'];

interface Told {
  readonly made: number;
  readonly written: number;
  readonly dropped: number;
  readonly failures: number;
  readonly cpuMs: number;
}

/** CPU time of a process and of those of its children that have ended, in ms; as Linux counts it, in hundredths of a second. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

async function replica(place: string): Promise<{ readonly start: () => void; readonly told: Promise<Told> }> {
  const running = spawn(process.execPath, [child, place, String(seconds), String(workspaces), JSON.stringify(template)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: running.stdout })[Symbol.asyncIterator]();
  if ((await lines.next()).value !== 'ready') throw new Error('a replica did not start');
  return {
    start: () => void running.stdin.write('start\n'),
    told: lines.next().then(({ value }) => {
      if (typeof value !== 'string') throw new Error('a replica died');
      return JSON.parse(value) as Told;
    }),
  };
}

if (!postgresThere) throw new Error('there is no PostgreSQL on this machine: set POSTGRES_BIN');
const postgres = await TestPostgres.start({ fsync: true, settings });
try {
  const replicas = [];
  for (let i = 0; i < writers; i++) replicas.push(await replica(postgres.url));
  const before = cpuOf(postgres.pid);
  const began = performance.now();
  for (const { start } of replicas) start();
  const told = await Promise.all(replicas.map((each) => each.told));
  const took = (performance.now() - began) / 1_000;
  const sum = (key: keyof Told): number => told.reduce((total, each) => total + each[key], 0);
  // Connections end with their replicas: their processes are counted with the server's then.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [theirs, servers] = [sum('cpuMs'), cpuOf(postgres.pid) - before];
  const { rows } = (await postgres.query<{ rows: string }>(`SELECT count(*) AS rows FROM entries WHERE kind = 'exchange'`))[0]!;
  const [{ bytes }] = (await postgres.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes')) as [
    { bytes: string },
  ];
  const written = sum('written');
  const cpu = ((theirs + servers) / written) * 1_000;
  say(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}; ${writers} replicas, ${seconds} s, a record is ${JSON.stringify(template).length} bytes of JSON`,
  );
  say(
    `${Math.round(sum('written') / took)} records/s, until the last is acknowledged; ${written} of ${sum('made')} made, ${sum('dropped')} dropped, ${sum('failures')} failures`,
  );
  say(
    `  in the ledger: ${rows}, ${Number(rows) === written ? 'every acknowledged one' : 'NOT WHAT WAS ACKNOWLEDGED'}; ${Math.round(Number(bytes) / Number(rows))} bytes a record on disk`,
  );
  say(
    `  CPU a record: ${cpu.toFixed(0)} µs, of it ${((theirs / written) * 1_000).toFixed(0)} the replicas (records made, too) and ${((servers / written) * 1_000).toFixed(0)} the server: two cores of their own take ${Math.round(2e6 / cpu)} records/s`,
  );
  const from = performance.now();
  const opened = await backendOf(postgres.url).openRows({ place: postgres.url, passwordFile: null }, null);
  const result = verifyLedger(opened.db, { publicKey: null, checkpoints: [] });
  opened.close();
  say(
    `  verify: ${result.ok ? 'holds' : `BROKEN: ${JSON.stringify(result.faults.slice(0, 3))}`}, ${result.rows} rows of ${result.writers} writers in ${Math.round((performance.now() - from) / 100) / 10} s`,
  );
} finally {
  await postgres.remove();
}
