import { execFile } from 'node:child_process';
import { createServer, request, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clickhouseThere, TestClickHouse } from '../../../test/support/clickhouse.ts';
import { line, sample } from '../../../test/support/ledger.ts';
import { answersAsSqlite, dayMs, graded, now } from '../../../test/support/shared-ledger.ts';
import type { LedgerReader } from '../backend.ts';
import { backendOf, shownPlace } from '../backends.ts';
import { Ledger } from '../ledger.ts';
import type { LedgerTarget } from '../target.ts';
import { verifyLedger, type VerifyResult } from '../verify.ts';
import { ClickHouseWriter } from './store.ts';
import { entry } from '../../../test/support/entry.ts';

let clickhouse: TestClickHouse;
let target: LedgerTarget;
const writers: ClickHouseWriter[] = [];
const readers: LedgerReader[] = [];

/** Between a writer and the server: hands an insert on, and keeps its answer. */
class LossyProxy {
  drop = false;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before(port: number): Promise<LossyProxy> {
    const server = createServer((asked, answer) => {
      const { method, url, headers } = asked;
      const far = request({ host: '127.0.0.1', port, ...(method === undefined ? {} : { method }), path: url ?? '/', headers }, (told) => {
        if (proxy.drop) {
          proxy.drop = false;
          told.resume().on('end', () => answer.destroy());
          return;
        }
        answer.writeHead(told.statusCode ?? 500, told.headers);
        told.pipe(answer);
      });
      far.on('error', () => answer.destroy());
      asked.pipe(far);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy: LossyProxy = new LossyProxy(server);
    return proxy;
  }

  get url(): string {
    return clickhouse.url.replace(/:\d+/, `:${(this.#server.address() as AddressInfo).port}`);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

describe.skipIf(!clickhouseThere)('a ledger in ClickHouse (a container, or its engine by scripts/setup.sh clickhouse)', () => {
  let databases = 0;
  beforeAll(async () => {
    clickhouse = await TestClickHouse.start();
  });
  afterAll(() => clickhouse.remove());
  beforeEach(async () => {
    await clickhouse.use(`ledger_${++databases}`);
    target = { place: clickhouse.url, passwordFile: null };
  });
  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.end();
    for (const reader of readers.splice(0)) await reader.close();
  });

  const open = async (at?: () => number): Promise<ClickHouseWriter> => {
    const writer = await ClickHouseWriter.open(target, { version: 'test', ...(at === undefined ? {} : { now: at }) });
    writers.push(writer);
    return writer;
  };
  const reader = async (): Promise<LedgerReader> => {
    const opened = await backendOf(target.place).openReader(target);
    readers.push(opened);
    return opened;
  };
  const verify = async (): Promise<VerifyResult> => {
    const { db, doubled = [], moving = [], close } = await backendOf(target.place).openRows(target, null);
    try {
      return verifyLedger(db, { publicKey: null, checkpoints: [], doubled, moving });
    } finally {
      close();
    }
  };
  const kinds = async (): Promise<string[]> => (await verify()).faults.map(({ kind }) => kind);

  it('answers as one in SQLite does, and verifies', async () => answersAsSqlite(await open(), reader, verify));

  it('shows what was altered, removed, or is there twice', async () => {
    const writer = await open();
    await writer.append([1, 2, 3, 4, 5].map((at) => line(sample(now + at))));
    await writer.close();
    expect(await kinds()).toEqual([]);
    for (const [sql, kind] of [
      ['ALTER TABLE by_day UPDATE savings = savings * 2 WHERE true', 'rollup'],
      ['ALTER TABLE entries UPDATE cost = 0 WHERE seq = 4', 'altered'],
      ['ALTER TABLE entries DELETE WHERE seq = 3', 'missing'],
    ] as const) {
      expect(await kinds()).not.toContain(kind);
      await clickhouse.command(sql);
      expect(await kinds()).toContain(kind);
    }
    await clickhouse.command('INSERT INTO entries SELECT * REPLACE (1 AS day) FROM entries WHERE seq = 5');
    expect((await verify()).faults).toContainEqual(expect.objectContaining({ seq: 5, message: 'the ledger holds the row more than once' }));
  });

  it('takes several writers at once, and knows which of them ended without closing', async () => {
    const gone = await open(() => now - 3_600_000);
    await gone.append([line(sample(now - 3_600_000))]);
    await gone.end();
    const three = await Promise.all([open(() => now), open(() => now), open(() => now)]);
    await Promise.all(
      three.map(async (writer, which) => {
        for (let batch = 0; batch < 5; batch++)
          await writer.append(
            Array.from({ length: 10 }, (_, at) => line(sample(now + batch * 1_000 + at, { workspace: `team-${(at + which) % 4}` }))),
          );
        await writer.close();
      }),
    );
    const { ok, rows, gaps } = await verify();
    expect({ ok, gaps }).toEqual({
      ok: true,
      gaps: expect.arrayContaining([expect.stringContaining(`writer ${gone.id} ended without closing after row 2`)]) as unknown,
    });
    expect(rows).toBe(2 + 150 + 6 + gaps.length);
  });

  it('writes nothing twice when only the answer to an insert was lost, and goes on after the server was killed', async () => {
    const proxy = await LossyProxy.before(clickhouse.port);
    const writer = await ClickHouseWriter.open({ place: proxy.url, passwordFile: null }, { version: 'test' });
    writers.push(writer);
    const batch = [line(sample(now)), line(sample(now + 1))];
    proxy.drop = true;
    await expect(writer.append(batch)).rejects.toThrow();
    await writer.append(batch);
    await clickhouse.stop();
    const after = [line(sample(now + 2))];
    const error: unknown = await writer.append(after).catch((caught: unknown) => caught);
    expect(backendOf(target.place).isAway(error)).toBe(true);
    await clickhouse.restart();
    await writer.append(after);
    await writer.close();
    await writer.end();
    await proxy.close();
    expect(await verify()).toMatchObject({ ok: true, rows: 5, gaps: [] });
    expect((await (await reader()).savings({ from: now - dayMs, to: now + dayMs, by: [], limit: 1 })).total.exchanges).toBe(3);
  });

  it('erases a user and a workspace, drops old days, and holds', async () => {
    let clock = now - 30 * dayMs;
    const writer = await open(() => clock);
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
    expect(await writer.erase({ user: 'abcdefabcdefabcd' }, 'asked for')).toBe(2);
    expect(await writer.erase({ workspace: 'secret-team' }, 'asked for')).toBe(1);
    expect(await verify()).toMatchObject({ ok: true, erased: 3 });
    const lines = async (): Promise<unknown[]> =>
      (await (await reader()).savings({ from: now - 40 * dayMs, to: now + 1, by: ['workspace'], limit: 10 })).lines
        .map(({ group, exchanges }) => [...group, exchanges])
        .sort();
    const added = [
      ['erased', 1],
      ['red', 3],
    ];
    expect(await lines()).toEqual(added);
    for (const table of ['entries', 'by_hour', 'by_day', 'settled', 'doomed'])
      expect(JSON.stringify(await clickhouse.query(`SELECT * FROM ${table}`)), table).not.toContain('secret-team');
    expect(await writer.prune({ rowsMs: 20 * dayMs, rollupsMs: 400 * dayMs }, now)).toBe(2);
    expect(await writer.prune({ rowsMs: 19 * dayMs, rollupsMs: 400 * dayMs }, now)).toBe(1);
    expect(await verify()).toMatchObject({ ok: true, erased: 3 });
    expect(await lines()).toEqual(added);
    await writer.prune({ rowsMs: 19 * dayMs, rollupsMs: 25 * dayMs }, now);
    await writer.close();
    expect(await verify()).toMatchObject({ ok: true });
    expect(await lines()).toEqual([
      ['erased', 1],
      ['red', 2],
    ]);
    await clickhouse.command(`ALTER TABLE settled UPDATE body = replaceAll(body, '"red"', '"blue"') WHERE true`);
    expect(await kinds()).toContain('settled');
  });

  it('finishes removals that a killed replica left half done, and their sums count once', async () => {
    let clock = now - 30 * dayMs;
    const first = await open(() => clock);
    await first.append([line(sample(clock))]);
    await first.close();
    clock = now;
    const second = await open(() => clock);
    await second.append([line(sample(clock, { workspace: 'gone' }))]);
    const prune = (): Promise<number> => second.prune({ rowsMs: dayMs, rollupsMs: 400 * dayMs }, now);
    const erase = (): Promise<number> => second.erase({ workspace: 'gone' }, 'asked for');
    const [command, write] = [second.client.command.bind(second.client), second.write.bind(second)];
    // Before the entry of the removal, and behind it.
    for (const [work, at] of [
      [prune, 'entry'],
      [prune, 'DROP PARTITION'],
      [erase, 'entry'],
      [erase, 'ALTER TABLE entries UPDATE'],
    ] as const) {
      const said = second.say.bind(second);
      const kind = work === prune ? '"removed":[{"writer"' : '"seqs"';
      if (at === 'entry')
        second.say = (of, when, body) => {
          if (body.includes(kind)) throw new Error('killed');
          said(of, when, body);
        };
      second.client.command = (sql, values) => (sql.includes(at) ? Promise.reject(new Error('killed')) : command(sql, values));
      await expect(work()).rejects.toThrow('killed');
      Object.assign(second, { say: said, write });
      second.client.command = command;
    }
    expect(await prune()).toBe(3);
    expect(await erase()).toBe(0);
    await second.close();
    expect(await verify()).toMatchObject({ ok: true, erased: 1, gaps: [] });
    expect((await (await reader()).savings({ from: now - 40 * dayMs, to: now + 1, by: [], limit: 1 })).total.exchanges).toBe(2);
  });

  it('serves a server and the commands', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-ch-'));
    const ledger = await Ledger.open({
      file: clickhouse.url,
      version: 'test',
      retention: { rowsMs: 40 * dayMs, rollupsMs: 400 * dayMs },
      signingKey: null,
      onCheckpoint: () => undefined,
      onError: () => undefined,
    });
    const records = [0, 1, 2].map((at) => sample(Date.now() + at));
    for (const record of records) ledger.record(record);
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(3);
    expect((await ledger.find(records[2]!.id))?.id).toBe(records[2]!.id);
    await ledger.close();
    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [entry, ...args], { env: { ...process.env, SLUICE_LEDGER: clickhouse.url } })).stdout;
    expect(await run('ledger', 'verify')).toContain('everything holds');
    const out = join(folder, 'out.jsonl');
    await run('ledger', 'export', '--format', 'jsonl', '--out', out);
    expect(readFileSync(out, 'utf8').trim().split('\n')).toHaveLength(3);
    rmSync(folder, { recursive: true });
  });
});

it('names no password of a ClickHouse that cannot be reached', async () => {
  const place = 'clickhouse://sluice:hush@127.0.0.1:1/nowhere';
  expect(shownPlace(place)).toBe('clickhouse://sluice@127.0.0.1:1/nowhere');
  const error: unknown = await backendOf(place)
    .openReader({ place, passwordFile: null })
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'SLUICE_LEDGER_UNUSABLE', where: 'clickhouse://sluice@127.0.0.1:1/nowhere' });
  expect(backendOf(place).isAway(error)).toBe(true);
  expect((error as Error).message).not.toContain('hush');
});
