import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { line, sample } from '../../../test/support/ledger.ts';
import { answersAsSqlite, dayMs, graded, now } from '../../../test/support/shared-ledger.ts';
import { postgresThere, TestPostgres } from '../../../test/support/postgres.ts';
import { Ledger } from '../ledger.ts';
import type { LedgerReader } from '../backend.ts';
import { backendOf, shownPlace } from '../backends.ts';
import type { LedgerTarget } from '../target.ts';
import { verifyLedger, type VerifyResult } from '../verify.ts';
import { PostgresWriter } from './store.ts';
import { entry } from '../../../test/support/entry.ts';

let postgres: TestPostgres;
let target: LedgerTarget;
const writers: PostgresWriter[] = [];
const readers: LedgerReader[] = [];

/** Between a writer and the server: hands a COMMIT on, and cuts the connection before its answer. */
class LossyProxy {
  dropAtCommit = false;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async before(url: string): Promise<LossyProxy> {
    const { port } = new URL(url);
    const server = createServer((near) => {
      const far = connect(Number(port), '127.0.0.1');
      for (const socket of [near, far]) socket.on('error', () => undefined);
      near.on('data', (bytes) => {
        far.write(bytes);
        if (!proxy.dropAtCommit || !bytes.includes('COMMIT')) return;
        proxy.dropAtCommit = false;
        // Its answer goes to nobody.
        far.removeAllListeners('data');
        far.once('data', () => {
          near.destroy();
          far.destroy();
        });
      });
      far.on('data', (bytes) => near.write(bytes));
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy: LossyProxy = new LossyProxy(server, url.replace(`:${port}`, `:${(server.address() as AddressInfo).port}`));
    return proxy;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

describe.skipIf(!postgresThere)('a ledger in PostgreSQL', () => {
  beforeAll(async () => {
    postgres = await TestPostgres.start();
    target = { place: postgres.url, passwordFile: null };
  });
  afterAll(() => postgres.remove());
  beforeEach(() => postgres.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public'));
  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.end();
    for (const reader of readers.splice(0)) await reader.close();
  });

  const open = async (): Promise<PostgresWriter> => {
    const writer = await PostgresWriter.open(target, { version: 'test' });
    writers.push(writer);
    return writer;
  };
  const reader = async (): Promise<LedgerReader> => {
    const opened = await backendOf(target.place).openReader(target);
    readers.push(opened);
    return opened;
  };
  const verify = async (): Promise<VerifyResult> => {
    const { db, doubled, close } = await backendOf(target.place).openRows(target, null);
    try {
      return verifyLedger(db, { publicKey: null, checkpoints: [], doubled: doubled ?? [] });
    } finally {
      close();
    }
  };

  it('answers as one in SQLite does, and verifies', async () => answersAsSqlite(await open(), reader, verify));

  it.each([
    ['an altered cost', `UPDATE entries SET cost = 0 WHERE seq = 4`, 'altered'],
    ['a missing row', `DELETE FROM entries WHERE seq = 4`, 'missing'],
    ['an altered sum', `UPDATE by_hour SET savings = savings * 2`, 'rollup'],
    ['an altered sum of a day', `UPDATE by_day SET n = n + 1`, 'rollup'],
    ['an altered sum that is new', `UPDATE sums_new SET savings = savings * 2`, 'rollup'],
    [
      'a row that is there twice',
      `CREATE TABLE more (LIKE entries); INSERT INTO more SELECT * FROM entries WHERE seq = 4; UPDATE more SET day = 1; ALTER TABLE entries ATTACH PARTITION more FOR VALUES FROM (1) TO (2)`,
      'altered',
    ],
  ])('shows %s', async (_what, sql, kind) => {
    const writer = await open();
    await writer.append([1, 2, 3, 4, 5].map((at) => line(sample(now + at))));
    await writer.close();
    // Folds the sums of the first into those by hour and day, and leaves some of its own.
    const next = await open();
    await next.append([line(sample(now + 6))]);
    await next.close();
    expect(await verify()).toMatchObject({ ok: true });
    await postgres.query(sql);
    expect((await verify()).faults.map((fault) => fault.kind)).toContain(kind);
  });

  it('takes many writers at once, and their sums hold', async () => {
    const four = await Promise.all([open(), open(), open(), open()]);
    await Promise.all(
      four.map(async (writer, which) => {
        for (let batch = 0; batch < 10; batch++)
          await writer.append(
            Array.from({ length: 10 }, (_, at) => line(sample(now + batch * 1_000 + at, { workspace: `team-${(at + which) % 4}` }))),
          );
        await writer.close();
      }),
    );
    expect(await verify()).toMatchObject({ ok: true, rows: 408, writers: 4, gaps: [] });
  });

  it('writes down that a writer ended without closing, wherever it ran, and leaves living ones alone', async () => {
    const gone = await open();
    await gone.append([line(sample(now))]);
    await gone.end();
    const living = await open();
    await living.append([line(sample(now + 1))]);
    const next = await open();
    await Promise.all([living.close(), next.close()]);
    const { ok, gaps } = await verify();
    expect([ok, gaps]).toEqual([true, [expect.stringContaining(`writer ${gone.id} ended without closing after row 2`)]]);
  });

  it('goes on after the server was restarted, and writes nothing twice when only the answer to a commit was lost', async () => {
    const writer = await open();
    await writer.append([line(sample(now))]);
    await postgres.stop('immediate');
    const batch = [line(sample(now + 1)), line(sample(now + 2))];
    await expect(writer.append(batch)).rejects.toThrow();
    await postgres.restart();
    await writer.append(batch);
    await writer.close();
    expect(await verify()).toMatchObject({ ok: true, rows: 5 });

    // A commit that goes through and whose answer does not.
    const proxy = await LossyProxy.before(postgres.url);
    const far = await PostgresWriter.open({ place: proxy.url, passwordFile: null }, { version: 'test' });
    writers.push(far);
    proxy.dropAtCommit = true;
    const doubtful = [line(sample(now + 3))];
    await expect(far.append(doubtful)).rejects.toThrow();
    await far.append(doubtful);
    await far.append([line(sample(now + 4))]);
    await far.close();
    await far.end();
    await proxy.close();
    expect(await verify()).toMatchObject({ ok: true, rows: 9, gaps: [] });
  });

  it('erases a user and a workspace, drops the tables of old days, and holds', async () => {
    let clock = now - 30 * dayMs;
    const writer = await PostgresWriter.open(target, { version: 'test', now: () => clock });
    writers.push(writer);
    const records = [0, 1, 2, 3]
      .map((day) =>
        sample(now - day * 10 * dayMs, { user: day === 0 ? 'abcdefabcdefabcd' : null, workspace: day === 1 ? 'secret-team' : 'red' }),
      )
      .reverse();
    for (const record of records) {
      clock = Date.parse(record.time);
      await writer.append([line(record)]);
    }
    await writer.append([graded(records[3]!.id)]);
    const tables = async (): Promise<string[]> =>
      (
        await postgres.query<{ name: string }>(
          `SELECT relname AS name FROM pg_class WHERE relname ~ '^entries_\\d{4}_\\d\\d_\\d\\d$' ORDER BY 1`,
        )
      ).map(({ name }) => name);
    expect(await tables()).toEqual(['entries_2026_10_22', 'entries_2026_11_01', 'entries_2026_11_11', 'entries_2026_11_21']);
    expect(await writer.erase({ user: 'abcdefabcdefabcd' }, 'asked for')).toBe(2);
    expect(await writer.erase({ workspace: 'secret-team' }, 'asked for')).toBe(1);
    expect(await verify()).toMatchObject({ ok: true, erased: 3 });
    const lines = async (): Promise<unknown[]> =>
      (await (await reader()).savings({ from: now - 40 * dayMs, to: now + 1, by: ['workspace'], limit: 10 })).lines.map(
        ({ group, exchanges }) => [...group, exchanges],
      );
    const added = [
      ['erased', 1],
      ['red', 3],
    ];
    expect(await lines()).toEqual(expect.arrayContaining(added));
    const held = await postgres.query<{ all: string }>(`SELECT coalesce(string_agg(entries::text, ''), '') AS all FROM entries`);
    expect(held[0]!.all).not.toContain('secret-team');
    // The first day has the writer's first row and one exchange; the second is younger than 20 days by half a day.
    expect(await writer.prune({ rowsMs: 20 * dayMs, rollupsMs: 400 * dayMs }, now)).toBe(2);
    expect(await tables()).toEqual(['entries_2026_11_01', 'entries_2026_11_11', 'entries_2026_11_21']);
    expect(await writer.prune({ rowsMs: 19 * dayMs, rollupsMs: 400 * dayMs }, now)).toBe(1);
    expect(await writer.prune({ rowsMs: 19 * dayMs, rollupsMs: 400 * dayMs }, now)).toBe(0);
    expect(await verify()).toMatchObject({ ok: true, erased: 3 });
    // The sums outlive the rows, until they are too old themselves.
    expect(await lines()).toEqual(expect.arrayContaining(added));
    await writer.prune({ rowsMs: 19 * dayMs, rollupsMs: 25 * dayMs }, now);
    expect(await lines()).toEqual(expect.arrayContaining([['red', 2]]));
    await writer.close();
    expect(await verify()).toMatchObject({ ok: true });
    await postgres.query(`UPDATE settled SET body = replace(body, '"red"', '"blue"')`);
    expect((await verify()).faults.map((fault) => fault.kind)).toContain('settled');
  });

  it('takes over a database of the version before, whose writers may go on, and removes its rows by their age', async () => {
    await postgres.query(
      readFileSync(fileURLToPath(new URL('../../../test/recorded/ledger/postgres-version-2.sql', import.meta.url)), 'utf8'),
    );
    await expect(backendOf(target.place).openReader(target)).rejects.toThrow('its tables have version 2, this Sluice reads version 3');
    const writer = await PostgresWriter.open(target, { version: 'test', now: () => now });
    writers.push(writer);
    await writer.append([line(sample(now))]);
    expect(await verify()).toMatchObject({ ok: true, rows: 11 });
    expect((await verify()).gaps).toContainEqual(expect.stringContaining('ended without closing after row 2'));
    const counts = async (): Promise<number> =>
      (await (await reader()).savings({ from: now - 10 * dayMs, to: now + 1, by: [], limit: 1 })).total.exchanges;
    expect(await counts()).toBe(6);
    expect(await (await reader()).decisions({ where: ['workspace=red'], from: null, limit: 10 })).toHaveLength(4);
    const [old] = await postgres.query<{ table: string }>(
      `INSERT INTO entries (writer, seq, kind, at, content, hash) VALUES (2, 3, 'exchange', ${now}, '', '') RETURNING tableoid::regclass::text AS table`,
    );
    expect(old).toEqual({ table: 'entries_before' });
    await postgres.query('DELETE FROM entries WHERE writer = 2 AND seq = 3');
    // Nothing of that version runs and nothing is left of it: its table goes, too.
    expect(await writer.prune({ rowsMs: dayMs, rollupsMs: 400 * dayMs }, now)).toBe(3);
    expect(await verify()).toMatchObject({ ok: true });
    await writer.prune({ rowsMs: dayMs, rollupsMs: 400 * dayMs }, now + 1.5 * dayMs);
    expect(await postgres.query(`SELECT 1 FROM pg_class WHERE relname = 'entries_before'`)).toEqual([]);
    expect(await counts()).toBe(6);
    await writer.close();
    expect(await verify()).toMatchObject({ ok: true });
  });

  it('goes on where a replica with another clock dropped the table of its day', async () => {
    let clock = now - 40 * dayMs;
    const behind = await PostgresWriter.open(target, { version: 'test', now: () => clock });
    const writer = await PostgresWriter.open(target, { version: 'test', now: () => now });
    writers.push(behind, writer);
    await behind.append([line(sample(clock))]);
    expect(await writer.prune({ rowsMs: 30 * dayMs, rollupsMs: 400 * dayMs }, now)).toBe(2);
    await expect(behind.append([line(sample(clock + 1))])).rejects.toThrow('entries_2026_10_12');
    await behind.append([line(sample(clock + 1))]);
    clock = now;
    await behind.append([line(sample(clock + 2))]);
    await Promise.all([behind.close(), writer.close()]);
    expect(await verify()).toMatchObject({ ok: true, gaps: [] });
  });

  it('takes what callers chose and no database stores as it is', async () => {
    const odd = sample(now, { workspace: 'a\u0000b', requestedModel: 'half \ud800 a pair', requestId: '\u0000' });
    const writer = await open();
    await writer.append([line(odd)]);
    await writer.close();
    expect(await (await reader()).record(odd.id)).toEqual(odd);
    expect(await verify()).toMatchObject({ ok: true, rows: 3 });
  });

  it('that is away at the start holds nothing up: records wait until it is there; one that refuses is said at once', async () => {
    await postgres.stop('fast');
    const [errors, back]: [string[], string[]] = [[], []];
    const open = (file: string): Promise<Ledger> =>
      Ledger.open({
        file,
        version: 'test',
        retention: { rowsMs: 40 * dayMs, rollupsMs: 400 * dayMs },
        signingKey: null,
        onCheckpoint: () => undefined,
        onError: (message) => errors.push(message),
        onBack: () => back.push('back'),
      });
    const ledger = await open(postgres.url);
    expect(errors).toEqual([expect.stringContaining('ECONNREFUSED')]);
    expect(ledger.counts).toMatchObject({ failures: 1, waiting: 0 });
    const records = [0, 1].map((at) => sample(Date.now() + at));
    for (const record of records) ledger.record(record);
    await expect.poll(() => ledger.counts.failures, { timeout: 10_000 }).toBeGreaterThan(1);
    expect([ledger.counts.waiting, ledger.counts.written, back]).toEqual([2, 0, []]);
    await postgres.restart();
    await expect.poll(() => ledger.counts.written, { timeout: 15_000 }).toBe(2);
    expect(back).toEqual(['back']);
    expect((await ledger.find(records[1]!.id))?.id).toBe(records[1]!.id);
    await ledger.close();
    expect(ledger.counts).toMatchObject({ dropped: 0, waiting: 0 });
    expect(await verify()).toMatchObject({ ok: true, gaps: [] });
    await expect(open(postgres.url.replace(/postgres$/, 'no-such-database'))).rejects.toThrow(/no-such-database.*does not exist/);
  });

  it('serves a server: records, questions, an outage that loses nothing, and the commands', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-pg-'));
    const errors: string[] = [];
    const ledger = await Ledger.open({
      file: postgres.url,
      version: 'test',
      retention: { rowsMs: 40 * dayMs, rollupsMs: 400 * dayMs },
      signingKey: null,
      onCheckpoint: () => undefined,
      onError: (message) => errors.push(message),
    });
    const records = [0, 1, 2].map((at) => sample(Date.now() + at));
    ledger.record(records[0]!);
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(1);
    expect(await ledger.decisions({ where: [], from: null, limit: 10 })).toHaveLength(1);
    await postgres.stop('immediate');
    ledger.record(records[1]!);
    await expect.poll(() => errors.length, { timeout: 10_000 }).toBeGreaterThan(0);
    ledger.record(records[2]!);
    await postgres.restart();
    await expect.poll(() => ledger.counts.written, { timeout: 15_000 }).toBe(3);
    expect((await ledger.find(records[2]!.id))?.id).toBe(records[2]!.id);
    await ledger.close();
    expect(ledger.counts).toMatchObject({ dropped: 0, waiting: 0 });

    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [entry, ...args], { env: { ...process.env, SLUICE_LEDGER: postgres.url } })).stdout;
    expect(await run('ledger', 'verify')).toContain('everything holds');
    expect(await run('savings', '--window', '24h', '--by', 'workspace')).toMatch(/of 3 exchanges/);
    expect(await run('explain', '--ledger', postgres.url, records[0]!.id)).toContain(`Decision ${records[0]!.id}`);
    const out = join(folder, 'out.jsonl');
    await run('ledger', 'export', '--format', 'jsonl', '--out', out);
    expect(readFileSync(out, 'utf8').trim().split('\n')).toHaveLength(3);
    writeFileSync(join(folder, 'policy.yaml'), 'version: 1\n');
    expect(JSON.parse(await run('replay', '--policy', join(folder, 'policy.yaml'), '--json'))).toMatchObject({ read: 3 });
    expect(await run('ledger', 'erase', '--workspace', 'red', '--reason', 'test')).toContain('3 rows of red erased');
    expect(await run('ledger', 'verify')).toContain('everything holds');
    rmSync(folder, { recursive: true });
  });

  it('names no password when it cannot be reached', async () => {
    const place = 'postgres://sluice:hush@127.0.0.1:1/nowhere';
    expect(shownPlace(place)).toBe('postgres://sluice@127.0.0.1:1/nowhere');
    const error = await backendOf(place)
      .openReader({ place, passwordFile: null })
      .then(
        () => null,
        (caught: unknown) => caught as Error,
      );
    expect(error).toMatchObject({ code: 'SLUICE_LEDGER_UNUSABLE', where: 'postgres://sluice@127.0.0.1:1/nowhere' });
    expect(error?.message).not.toContain('hush');
  });
});
