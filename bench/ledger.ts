import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { openDatabase, rollupKeys, rollupSums, type Db } from '../src/ledger/sqlite/database.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { savingsReport } from '../src/ledger/query.ts';
import { backendOf } from '../src/ledger/backends.ts';
import { verifyLedger, type VerifyResult } from '../src/ledger/verify.ts';
import { uuidv7 } from '../src/record/id.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { record as sampleRecord } from '../test/support/decision.ts';
import { postgresThere, TestPostgres } from '../test/support/postgres.ts';
import { killDrill } from './ledger-drill.ts';

/** `npm run bench -- ledger [SECONDS] [KILLS]`: what the ledger costs, what it sustains, and what a killed process loses. */
const seconds = Number(process.argv[2] ?? 20);
const kills = Number(process.argv[3] ?? 100);
const rate = 5_000;
const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'ledger-bench-'));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const template = sampleRecord();
const fresh = (): ExchangeRecord => ({ ...template, id: uuidv7(), time: new Date().toISOString() });

say(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}; a record is ${JSON.stringify(template).length} bytes of JSON\n`,
);
try {
  await sustained(join(folder, 'sustained.db'));
  if (postgresThere !== null) await inPostgres();
  month();
  await drill();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** A paced stream of records, as a server would hand them over, first to nothing and then to a ledger. */
async function sustained(file: string): Promise<void> {
  const idle = await paced(() => undefined);
  const errors: string[] = [];
  const ledger = await Ledger.open({
    file,
    version: 'bench',
    retention: { rowsMs: 400 * day, rollupsMs: 400 * day },
    signingKey: null,
    onCheckpoint: () => undefined,
    onError: (message) => errors.push(message),
  });
  let most = 0;
  const kept = await paced((record) => {
    ledger.record(record);
    most = Math.max(most, ledger.counts.waiting);
  });
  const { dropped } = ledger.counts;
  const closing = performance.now();
  await ledger.close();
  say(
    `${rate}/s for ${seconds} s: ${kept.records} records, ${ledger.counts.written} on disk, ${dropped} dropped, ${errors.length} failures, at most ${most} waiting; the last of them on disk ${Math.round(performance.now() - closing)} ms after the end`,
  );
  say(`  on the request path: ${((kept.inSinkMs * 1000) / kept.records).toFixed(1)} µs a record`);
  say(`  event loop delay p50 / p99, ms: without ${idle.p50} / ${idle.p99}, with ${kept.p50} / ${kept.p99}`);
  say(
    `  CPU of the process, all threads: without ${idle.cpu}%, with ${kept.cpu}% of one core${backendOf(file).shared ? '' : `; ${Math.round(statSync(file).size / kept.records)} bytes a record on disk`}`,
  );
  const from = performance.now();
  const check = (db: Db): VerifyResult => verifyLedger(db, { publicKey: null, checkpoints: [] });
  const opened = await backendOf(file).openRows({ place: file, passwordFile: null }, null);
  const { ok, rows } = check(opened.db);
  opened.close();
  say(`  verify: ${ok ? 'holds' : 'BROKEN'}, ${rows} rows in ${Math.round(performance.now() - from)} ms`);
}

async function paced(
  sink: (record: ExchangeRecord) => void,
): Promise<{ records: number; inSinkMs: number; p50: string; p99: string; cpu: string }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  let records = 0;
  let inSinkMs = 0;
  while (performance.now() - begin < seconds * 1000) {
    const due = ((performance.now() - begin) / 1000) * rate;
    while (records < due) {
      const record = fresh();
      const from = performance.now();
      sink(record);
      inSinkMs += performance.now() - from;
      records++;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  delay.disable();
  const { user, system } = process.cpuUsage(cpu);
  const ms = (ns: number): string => (ns / 1e6).toFixed(2);
  return {
    records,
    inSinkMs,
    p50: ms(delay.percentile(50)),
    p99: ms(delay.percentile(99)),
    cpu: (((user + system) / 1000 / (performance.now() - begin)) * 100).toFixed(0),
  };
}

async function inPostgres(): Promise<void> {
  const postgres = await TestPostgres.start({ fsync: true });
  try {
    say('in PostgreSQL, on the same machine:');
    await sustained(postgres.url);
  } finally {
    await postgres.remove();
  }
}

/** Roll-ups as 100 million requests leave them: thirty days, and in each as many combinations as one may have. */
function month(): void {
  const file = join(folder, 'month.db');
  const db = openDatabase(file, 'write');
  const now = Date.now();
  const perDay = 2_000;
  const each = Math.ceil(100e6 / 31 / perDay);
  db.transaction(() => {
    for (const [table, ms, buckets] of [
      ['by_day', day, 31],
      ['by_hour', 3_600_000, 31 * 24],
    ] as const) {
      const insert = db.prepare(
        `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')}) VALUES (${Array(
          1 + rollupKeys.length + rollupSums.length,
        )
          .fill('?')
          .join(', ')})`,
      );
      const combinations = table === 'by_day' ? perDay : 200;
      for (let bucket = 0; bucket < buckets; bucket++) {
        const at = (Math.floor(now / ms) - bucket) * ms;
        for (let i = 0; i < combinations; i++) {
          const keys = [
            `team-${i % 50}`,
            `asked-${i % 5}`,
            'openai',
            `served-${i % 4}`,
            ['simple', 'standard', 'complex'][i % 3],
            `reason-${i}`,
            'complete',
            'off',
          ];
          insert.run(at, ...keys, each, 0, each * 0.001, each, 0, each * 0.003, each, each * 0.002, each, 0, each * 100, each * 300, 0);
        }
      }
    }
  })();
  for (const by of [[], ['workspace', 'model', 'tier']]) {
    const times: number[] = [];
    let exchanges = 0;
    for (let i = 0; i < 20; i++) {
      const from = performance.now();
      exchanges = savingsReport(db, { from: now - 30 * day, to: now, by, limit: 10_000 }).total.exchanges;
      times.push(performance.now() - from);
    }
    times.sort((a, b) => a - b);
    say(
      `30 days over ${(exchanges / 1e6).toFixed(0)} M exchanges, total and trend${by.length === 0 ? '' : `, and by ${by.join(', ')}`}: median ${times[10]!.toFixed(0)} ms, slowest ${times.at(-1)!.toFixed(0)} ms of ${times.length}`,
    );
  }
  db.close();
}

async function drill(): Promise<void> {
  const { acknowledged, lost, verify } = await killDrill({ file: join(folder, 'drill.db'), kills, rate, record: template });
  say(
    `${kills} × kill -9 at ${rate}/s: ${acknowledged} records acknowledged, ${lost} of them lost; ${verify.rows} rows, verify ${verify.ok ? 'holds' : 'BROKEN'}, ${verify.gaps.length} gaps shown`,
  );
}
