import { generateKeyPairSync } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lastingLedger, line, sample } from '../../test/support/ledger.ts';
import { signCheckpoint } from './hash-chain.ts';
import { userHash } from '../budgets/user.ts';
import { openDatabase, type Db } from './sqlite/database.ts';
import { exportLedger } from './export.ts';
import { Ledger } from './ledger.ts';
import { findDecisions, findGrades, findRecord, savingsReport } from './query.ts';
import { Rollups } from './rollup.ts';
import { LedgerWriter } from './sqlite/store.ts';
import { columnsOf, joinColumns, type Checkpoint } from './types.ts';
import { verifyLedger, type VerifyResult } from './verify.ts';

const dayMs = 86_400_000;
const now = Date.UTC(2026, 5, 15, 12, 30);
const forever = { rowsMs: 10_000 * dayMs, rollupsMs: 10_000 * dayMs };

let folder: string;
let file: string;
let db: Db;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-'));
  file = join(folder, 'ledger.db');
  db = openDatabase(file, 'write');
});

afterEach(() => {
  vi.useRealTimers();
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const verify = (checkpoints: readonly Checkpoint[] = []): VerifyResult => verifyLedger(db, { publicKey: null, checkpoints });
const faults = (checkpoints: readonly Checkpoint[] = []): string[] =>
  verify(checkpoints).faults.map(({ kind, seq }) => `${kind} ${seq ?? '-'}`);

/** A writer with `count` records, a minute apart, written in batches of four; rows 2 to count + 1 of its chain. */
function filled(count: number, workspace = 'red'): LedgerWriter {
  const writer = new LedgerWriter(db, { version: '1' });
  for (let i = 0; i < count; i += 4) {
    writer.append(Array.from({ length: Math.min(4, count - i) }, (_, j) => line(sample(now + (i + j) * 60_000, { workspace }))));
  }
  return writer;
}

const graded = (decision: string, score: number): string =>
  JSON.stringify({ grade: { decision, time: new Date(now).toISOString(), score, source: 'user' }, workspace: 'red' });

describe('grades', () => {
  it('stand in the chain beside their decision, and in no sum', () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const record = sample(now);
    writer.append([line(record), graded(record.id, 0), graded(record.id, 1)]);
    expect(findGrades(db, record.id).map(({ score }) => score)).toEqual([0, 1]);
    expect(findRecord(db, record.id)?.id).toBe(record.id);
    expect(findDecisions(db, { where: [], from: null, limit: 10 })).toHaveLength(1);
    expect(savingsReport(db, { from: now - dayMs, to: now + dayMs, by: [], limit: 1 }).total.exchanges).toBe(1);
    expect(verify()).toMatchObject({ ok: true, rows: 4 });
    db.exec(`UPDATE entries SET workspace = 'blue' WHERE kind = 'grade' AND seq = 3`);
    expect(faults()).toEqual(['altered 3']);
  });

  it('are erased with their workspace', () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const record = sample(now);
    writer.append([line(record), graded(record.id, 0)]);
    expect(writer.erase({ workspace: 'red' }, 'asked for')).toBe(2);
    expect(findGrades(db, record.id)).toEqual([]);
    expect(verify()).toMatchObject({ ok: true, erased: 2 });
  });
});

describe('the chain', () => {
  it('holds when nobody touched it', () => {
    const writer = filled(10);
    writer.checkpoint(null);
    writer.close();
    expect(verify()).toMatchObject({ ok: true, rows: 12, writers: 1, erased: 0, checkpoints: 1, gaps: [], faults: [] });
  });

  it.each([
    ['an altered cost', `UPDATE entries SET cost = 0 WHERE seq = 4`, 'altered 4'],
    ['an altered record', `UPDATE entries SET body = replace(body, '"red"', '"blue"') WHERE seq = 4`, 'altered 4'],
    ['an altered time', `UPDATE entries SET at = at + 1 WHERE seq = 4`, 'broken-chain 4'],
    ['a missing row', `DELETE FROM entries WHERE seq = 4`, 'missing 4'],
    ['a missing first row', `DELETE FROM entries WHERE seq = 1`, 'missing 1'],
    ['a content that is gone', `UPDATE entries SET salt = NULL, body = NULL WHERE seq = 4`, 'altered 4'],
    ['an altered roll-up', `UPDATE by_hour SET savings = savings * 2`, 'rollup -'],
    ['a roll-up that counts more', `UPDATE by_hour SET n = n + 1`, 'rollup -'],
  ])('finds %s', (_what, sql, fault) => {
    filled(10).close();
    db.exec(sql);
    expect(faults()).toContain(fault);
  });

  it('finds two rows that changed places', () => {
    filled(10).close();
    db.exec(
      'UPDATE entries SET seq = -4 WHERE seq = 4; UPDATE entries SET seq = 4 WHERE seq = 5; UPDATE entries SET seq = 5 WHERE seq = -4',
    );
    expect(faults()).toEqual(expect.arrayContaining(['broken-chain 4', 'broken-chain 5']));
  });

  it('finds a record that was replaced with all of its own hashes right', () => {
    filled(10).close();
    const other = openDatabase(join(folder, 'other.db'), 'write');
    const forger = new LedgerWriter(other, { version: '1' });
    forger.append([line(sample(now, { workspace: 'forged' }))]);
    const forged = other.prepare<[], Record<string, unknown>>('SELECT * FROM entries WHERE seq = 2').get()!;
    other.close();
    db.prepare(
      `UPDATE entries SET ${Object.keys(forged)
        .filter((key) => !['seq', 'writer'].includes(key))
        .map((key) => `"${key}" = @${key}`)
        .join(', ')} WHERE seq = 4`,
    ).run(forged);
    expect(faults()).toEqual(expect.arrayContaining(['broken-chain 4', 'broken-chain 5']));
  });

  it('finds an end that was cut off, by a checkpoint from the log or by the next writer', () => {
    const first = filled(10);
    const checkpoint = first.checkpoint(null);
    db.exec(`DELETE FROM checkpoints; DELETE FROM entries WHERE seq > 8`);
    expect(faults()).toEqual(['rollup -', 'rollup -']);
    expect(faults([checkpoint])).toContain('missing 11');
  });

  it('finds a whole chain that is gone', () => {
    filled(10).close();
    new LedgerWriter(db, { version: '1' }).close();
    db.exec('DELETE FROM by_hour; DELETE FROM by_day; DELETE FROM entries WHERE writer = 1; DELETE FROM writers WHERE n = 1');
    expect(faults()).toEqual(['missing 12']);
  });

  it('checks signatures', () => {
    // Rows that are newer wait for theirs.
    vi.useFakeTimers({ toFake: ['Date'], now: now + 3_600_000 });
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const writer = filled(4);
    const signed = writer.checkpoint(privateKey);
    expect(verifyLedger(db, { publicKey, checkpoints: [] }).ok).toBe(true);
    expect(verifyLedger(db, { publicKey: generateKeyPairSync('ed25519').publicKey, checkpoints: [] }).faults).toMatchObject([
      { kind: 'signature', seq: 5 },
      { kind: 'signature', message: 'no signature covers rows 1 to 5' },
    ]);
    expect(verifyLedger(db, { publicKey, checkpoints: [{ ...signed, hash: '00' }] }).faults.map(({ kind }) => kind)).toEqual([
      'checkpoint',
      'signature',
    ]);
    // One without a signature covers nothing, and is no fault.
    expect(verifyLedger(db, { publicKey, checkpoints: [signCheckpoint({ ...signed }, null)] }).ok).toBe(true);
    writer.close();
    expect(verifyLedger(db, { publicKey, checkpoints: [] }).faults).toMatchObject([
      { kind: 'signature', seq: 6, message: 'no signature covers the row' },
    ]);
    // A later writer's first row names where this chain ends: its signature covers both.
    new LedgerWriter(db, { version: '1' }).checkpoint(privateKey);
    expect(verifyLedger(db, { publicKey, checkpoints: [] })).toMatchObject({ ok: true, unsigned: 0 });
  });

  it('waits for the signature of a running writer, and for that of no other', () => {
    vi.useFakeTimers({ toFake: ['Date'], now });
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const writer = filled(4);
    writer.checkpoint(privateKey);
    writer.append([line(sample(now))]);
    expect(verifyLedger(db, { publicKey, checkpoints: [], now: now + 60_000 })).toMatchObject({ ok: true, unsigned: 1 });
    expect(verifyLedger(db, { publicKey, checkpoints: [], now: now + 10 * 60_000 }).faults).toMatchObject([{ kind: 'signature', seq: 6 }]);
  });

  it('writes nothing of a batch that fails, and goes on after it', () => {
    const writer = filled(4);
    expect(() => writer.append([line(sample(now)), 'no JSON'])).toThrow();
    writer.append([line(sample(now))]);
    writer.close();
    expect(verify()).toMatchObject({ ok: true, rows: 7 });
  });
});

describe('gaps', () => {
  it('are written down for what was dropped, and for a writer that never closed', () => {
    const killed = filled(4);
    const next = new LedgerWriter(db, { version: '1' });
    next.append([line(sample(now))], 7);
    next.close();
    const { ok, gaps } = verify();
    expect(ok).toBe(true);
    expect(gaps).toEqual([
      `writer ${killed.id} ended without closing after row 5 (2026-06-15T12:33:00.000Z): up to a second of records may be missing`,
      `writer ${next.id} dropped 7 records before row 3: more came than could be written`,
    ]);
  });
});

describe('erasing', () => {
  it('leaves a chain that holds and nothing of the workspace', () => {
    filled(6, 'secret-team').append([line(sample(now, { workspace: 'blue' }))]);
    const eraser = new LedgerWriter(db, { version: 'erase' });
    expect(eraser.erase({ workspace: 'secret-team' }, 'asked for by its owner')).toBe(6);
    eraser.close();
    expect(verify()).toMatchObject({ ok: true, erased: 6 });
    db.close();
    expect(readFileSync(file).includes('secret-team')).toBe(false);
    db = openDatabase(file, 'write');
    expect(findDecisions(db, { where: [], from: null, limit: 100 }).map(({ workspace }) => workspace)).toEqual(['blue']);
    const { total, lines } = savingsReport(db, { from: now - dayMs, to: now + dayMs, by: ['workspace'], limit: 10 });
    expect(total.exchanges).toBe(7);
    expect(lines.map(({ group, exchanges }) => [...group, exchanges])).toEqual([
      ['erased', 6],
      ['blue', 1],
    ]);
    // The erasure is on record: without its row the same ledger does not hold.
    db.exec(`UPDATE entries SET salt = NULL, body = NULL WHERE kind = 'erase'`);
    expect(faults().filter((fault) => fault.startsWith('erased-unexplained'))).toHaveLength(8);
  });
});

describe('erasing a user', () => {
  it('takes their exchanges and the grades of these, and leaves sums, others and the chain', () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const [ann, bob] = [userHash('ann@example.test'), userHash('bob@example.test')];
    const mine = [1, 2, 3].map((at) => sample(now + at, { user: ann }));
    const theirs = sample(now + 9, { user: bob });
    writer.append([...mine.map(line), line(theirs), graded(mine[0]!.id, 0.5), graded(theirs.id, 0.5)]);
    expect(findDecisions(db, { where: [`user=${ann}`], from: null, limit: 10 })).toHaveLength(3);
    expect(writer.erase({ user: ann }, 'asked for')).toBe(4);
    writer.close();
    expect(verify()).toMatchObject({ ok: true, erased: 4 });
    expect(findGrades(db, mine[0]!.id)).toEqual([]);
    expect(findGrades(db, theirs.id)).toHaveLength(1);
    expect(findDecisions(db, { where: [], from: null, limit: 10 }).map(({ id }) => id)).toEqual([theirs.id]);
    expect(savingsReport(db, { from: now - dayMs, to: now + dayMs, by: ['workspace'], limit: 10 }).lines).toMatchObject([
      { group: ['red'], exchanges: 4 },
    ]);
    db.close();
    expect(readFileSync(file).includes(ann)).toBe(false);
    db = openDatabase(file, 'write');
  });

  it('works in a ledger of the first version, whose rows still hold', () => {
    filled(3).close();
    // As the first version made it.
    for (const name of joinColumns) db.exec(`DROP INDEX entries_${name}; ALTER TABLE entries DROP COLUMN ${name}`);
    db.exec(
      'DROP INDEX entries_user; ALTER TABLE entries DROP COLUMN "user"; DROP TABLE settled; DROP TABLE settled_head; ALTER TABLE by_hour DROP COLUMN compared_cost; ALTER TABLE by_day DROP COLUMN compared_cost; PRAGMA user_version = 1',
    );
    db.close();
    expect(() => openDatabase(file, 'readonly')).toThrow(
      expect.objectContaining({
        code: 'SLUICE_LEDGER_UNUSABLE',
        message: expect.stringContaining('brings them up to date') as string,
      }) as Error,
    );
    db = openDatabase(file, 'write');
    const writer = new LedgerWriter(db, { version: '2' });
    writer.append([line(sample(now, { user: 'abc' }))]);
    expect(writer.erase({ user: 'abc' }, 'asked for')).toBe(1);
    expect(verify()).toMatchObject({ ok: true, erased: 1 });
  });
});

describe('retention', () => {
  it('removes old rows, keeps the sums, and the chain holds from there on, run after run', () => {
    vi.useFakeTimers({ toFake: ['Date'], now });
    const writer = new LedgerWriter(db, { version: '1' });
    for (let day = 0; day < 40; day++) writer.append([line(sample(now + day * dayMs))]);
    const end = now + 40 * dayMs;
    expect(writer.prune({ rowsMs: 30 * dayMs, rollupsMs: 400 * dayMs }, end)).toBe(11);
    expect(verify()).toMatchObject({ ok: true, gaps: [expect.stringContaining('running')] });
    expect(savingsReport(db, { from: now - dayMs, to: end, by: [], limit: 1 }).total.exchanges).toBe(40);
    writer.prune({ rowsMs: 20 * dayMs, rollupsMs: 400 * dayMs }, end);
    writer.prune({ rowsMs: 10 * dayMs, rollupsMs: 10 * dayMs }, end);
    expect(verify().faults).toEqual([]);
    expect(savingsReport(db, { from: now - dayMs, to: end, by: [], limit: 1 }).total.exchanges).toBe(10);
    db.exec(`DELETE FROM entries WHERE seq = (SELECT min(seq) FROM entries)`);
    expect(verify().ok).toBe(false);
  });
});

describe('questions', () => {
  it('finds decisions by conditions, newest first', () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const cheap = sample(now, { workspace: 'red' });
    const unknown = sample(now + 1, { workspace: 'blue-1', cost: { known: false, reason: 'price' } });
    const dear = sample(now + 2, { workspace: 'blue-2', cost: { known: true, usd: 3 }, outcome: 'cut' });
    writer.append([cheap, unknown, dear].map(line));
    const find = (...where: string[]): string[] => findDecisions(db, { where, from: null, limit: 10 }).map(({ id }) => id);
    expect(find()).toEqual([dear.id, unknown.id, cheap.id]);
    expect(find('workspace=red')).toEqual([cheap.id]);
    expect(find('workspace~BLUE', 'cost!=unknown')).toEqual([dear.id]);
    expect(find('cost=unknown')).toEqual([unknown.id]);
    expect(find('cost>1', 'outcome!=complete')).toEqual([dear.id]);
    expect(find('tier=simple', 'latency<=90.5')).toHaveLength(3);
    expect(find('rule=none')).toHaveLength(3);
    expect(find(`workspace=' OR 1=1 --`)).toEqual([]);
    expect(findDecisions(db, { where: [], from: now + 1, limit: 1 }).map(({ id }) => id)).toEqual([dear.id]);
    expect(findRecord(db, cheap.id)).toEqual(JSON.parse(line(cheap)));
    expect(findRecord(db, cheap.id.slice(0, 35))).toMatchObject({ id: cheap.id });
    expect(findRecord(db, '%')).toBeNull();
    expect(() => findRecord(db, cheap.id.slice(0, 4))).toThrow(/both begin with/);
    for (const wrong of ['cost', 'nonsense=1', 'cost>much', 'tier>simple', '__proto__=1', 'cost='])
      expect(() => find(wrong)).toThrow(expect.objectContaining({ code: 'SLUICE_LEDGER_WHERE' }));
  });

  it('finds a decision by the ids of other systems', () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const one = sample(now, { responseId: 'chatcmpl-1', requestId: 'order-7', traceId: 'a'.repeat(32) });
    const two = sample(now + 1, { responseId: 'msg_2', requestId: 'order-8', traceId: 'a'.repeat(32) });
    writer.append([one, two].map(line));
    expect(findRecord(db, 'chatcmpl-1')?.id).toBe(one.id);
    expect(findRecord(db, 'order-8')?.id).toBe(two.id);
    expect(findRecord(db, 'order-9')).toBeNull();
    expect(() => findRecord(db, 'a'.repeat(32))).toThrow(/is the id of several/);
    expect(findDecisions(db, { where: [], id: 'a'.repeat(32), from: null, limit: 10 }).map(({ id }) => id)).toEqual([two.id, one.id]);
    expect(findDecisions(db, { where: [], id: one.id.slice(0, 35), from: null, limit: 10 })).toHaveLength(1);
    expect(findDecisions(db, { where: ['request_id=order-7'], from: null, limit: 10 })).toHaveLength(1);
    expect(verify()).toMatchObject({ ok: true });
  });

  it('names the provider that answered, and none where nobody was asked', () => {
    const record = sample(now, { traceId: null });
    const attempt = { ...record.attempts[0]!, target: { provider: 'elsewhere', model: 'm' } };
    expect(columnsOf({ ...record, attempts: [...record.attempts, attempt] }).provider).toBe('elsewhere');
    expect(columnsOf({ ...record, attempts: [], outcome: 'blocked', servedModel: null }).provider).toBeNull();
    expect(columnsOf({ ...sample(now), traceId: undefined, attempts: [attempt] } as unknown as typeof record).provider).toBe('openai');
  });

  it('sums savings by keys, with what is unknown, from the first whole hour', () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const money = (usd: number) => ({ known: true, usd }) as const;
    const nobody = { known: false, reason: 'usage' } as const;
    writer.append(
      [
        sample(now, { workspace: 'red', cost: money(1), baseline: money(4), savings: money(3) }),
        sample(now - 3 * dayMs, { workspace: 'red', cost: money(2), baseline: money(3), savings: money(1) }),
        sample(now - 5 * dayMs, { workspace: 'blue', cost: money(0.5), baseline: nobody, savings: nobody, usage: null }),
        sample(now - 31 * dayMs, { workspace: 'red', cost: money(100), baseline: money(100), savings: money(0) }),
      ].map(line),
    );
    const report = savingsReport(db, { from: now - 30 * dayMs, to: now + 1, by: ['workspace', 'tier'], limit: 10 });
    expect(report).toMatchObject({
      from: '2026-05-16T12:00:00.000Z',
      unknownShare: 1 / 3,
      total: { exchanges: 3, cost: 3, apart: 0.5, baseline: 7, savings: 4, savingsUnknown: 1, costUnknown: 0, usageUnknown: 1 },
    });
    expect(report.lines).toMatchObject([
      { group: ['red', 'simple'], exchanges: 2, savings: 4 },
      { group: ['blue', 'simple'], exchanges: 1, savings: 0, savingsUnknown: 1 },
    ]);
    expect(report.trend.map(({ at, savings }) => [at.slice(0, 10), savings])).toEqual([
      ['2026-06-10', 0],
      ['2026-06-12', 1],
      ['2026-06-15', 3],
    ]);
    expect(savingsReport(db, { from: now - 3_600_000, to: now + 1, by: [], limit: 1 }).total).toMatchObject({ exchanges: 1, savings: 3 });
    expect(savingsReport(db, { from: now + dayMs, to: now + 2 * dayMs, by: ['model'], limit: 1 })).toMatchObject({
      unknownShare: null,
      total: { exchanges: 0, savings: 0 },
      lines: [],
    });
    expect(() => savingsReport(db, { from: 0, to: 1, by: ['id'], limit: 1 })).toThrow(/no key/);
  });

  it('bounds what callers can name in the roll-ups', () => {
    const rollups = new Rollups(db, 3);
    for (let i = 0; i < 50; i++) rollups.add(now, columnsOf(sample(now, { workspace: `made-up-${i}` })));
    db.transaction(() => rollups.flush())();
    const { lines, total } = savingsReport(db, { from: now - dayMs, to: now + dayMs, by: ['workspace'], limit: 100 });
    expect(total.exchanges).toBe(50);
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatchObject({ group: ['other'], exchanges: 47 });
  });
});

describe('export', () => {
  it('writes the same exchanges as JSON lines, CSV and Parquet', async () => {
    const writer = new LedgerWriter(db, { version: '1' });
    const records = [sample(now, { workspace: '=1+1,"x"' }), sample(now + 1, { cost: { known: false, reason: 'model' } })];
    writer.append(records.map(line));
    const to = async (format: 'jsonl' | 'csv' | 'parquet'): Promise<string> => {
      const out = join(folder, `out.${format}`);
      expect(await exportLedger(db, { format, file: out, from: 0, to: now + 10 })).toBe(2);
      return out;
    };
    expect(
      readFileSync(await to('jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as unknown),
    ).toEqual(records.map((one) => ({ provenance_records: { routing_decision: JSON.parse(line(one)) as unknown } })));
    const [head, first] = readFileSync(await to('csv'), 'utf8').split('\n');
    expect(head).toMatch(/^time,id,workspace,/);
    expect(first).toContain(`,"'=1+1,""x""",`);
    const bytes = readFileSync(await to('parquet'));
    const rows = await parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) });
    expect(rows).toMatchObject([
      { id: records[0]!.id, workspace: '=1+1,"x"', cost: 0.0015 },
      { id: records[1]!.id, cost: null, unknown: 'model' },
    ]);
  });
});

describe('a running ledger', () => {
  it('writes in the background, answers questions, and closes its chain', async () => {
    const checkpoints: Checkpoint[] = [];
    const ledger = await Ledger.open({
      file,
      version: '1',
      retention: forever,
      signingKey: null,
      onCheckpoint: (checkpoint) => checkpoints.push(checkpoint),
      onError: (message) => expect.fail(message),
    });
    const records = Array.from({ length: 1_000 }, (_, i) => sample(now + i));
    for (const record of records) ledger.record(record);
    expect(ledger.counts).toMatchObject({ written: 0, waiting: 1_000 });
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(1_000);
    expect(await ledger.find(records[7]!.id)).toEqual(JSON.parse(line(records[7]!)));
    expect((await ledger.decisions({ where: ['tier=simple'], from: null, limit: 3 })).map(({ id }) => id)).toEqual(
      [999, 998, 997].map((i) => records[i]!.id),
    );
    expect(await ledger.savings({ from: now, to: now + dayMs, by: [], limit: 1 })).toMatchObject({ total: { exchanges: 1_000 } });
    // A period that ends within a day has only the hours of that day that are in it.
    const midnight = now - (now % dayMs);
    for (const record of [
      sample(midnight - 3 * dayMs + 3_600_000),
      sample(midnight - dayMs + 3_600_000),
      sample(midnight - dayMs + 20 * 3_600_000),
    ])
      ledger.record(record);
    await expect.poll(() => ledger.counts.written).toBe(1_003);
    const until = (to: number): Promise<unknown> => ledger.savings({ from: midnight - 6 * dayMs, to, by: [], limit: 1 });
    expect(await until(midnight - dayMs + 15 * 3_600_000)).toMatchObject({ total: { exchanges: 2 } });
    expect(await until(midnight)).toMatchObject({ total: { exchanges: 3 } });
    expect(await ledger.savings({ from: midnight - dayMs, to: midnight - dayMs + 15 * 3_600_000, by: [], limit: 1 })).toMatchObject({
      total: { exchanges: 1 },
    });
    await expect(ledger.decisions({ where: ['x'], from: null, limit: 3 })).rejects.toMatchObject({ code: 'SLUICE_LEDGER_WHERE' });
    ledger.record(sample(now));
    await ledger.close();
    expect(ledger.counts).toEqual({ written: 1_004, dropped: 0, failures: 0, waiting: 0 });
    expect(verify(checkpoints)).toMatchObject({ ok: true, rows: 1_006, gaps: [] });
    expect(checkpoints.at(-1)).toMatchObject({ seq: 1_006 });
  });

  it('starts its thread with the first record, and closes its chain without one', async () => {
    let threads = 0;
    const count = (): unknown => threads++;
    subscribe('worker_threads', count);
    const checkpoints: Checkpoint[] = [];
    const open = (): Promise<Ledger> =>
      Ledger.open({
        file,
        version: '1',
        retention: forever,
        signingKey: null,
        onCheckpoint: (checkpoint) => checkpoints.push(checkpoint),
        onError: (message) => expect.fail(message),
      });
    try {
      const idle = await open();
      expect(await idle.lengths(0, 10)).toEqual([]);
      await idle.close();
      expect(threads).toBe(0);
      expect(verify(checkpoints)).toMatchObject({ ok: true, rows: 2, writers: 1, gaps: [] });
      const used = await open();
      expect(threads).toBe(0);
      used.record(sample(now));
      await expect.poll(() => used.counts.written, { timeout: 10_000 }).toBe(1);
      expect(threads).toBe(1);
      await used.close();
    } finally {
      unsubscribe('worker_threads', count);
    }
    expect(verify(checkpoints)).toMatchObject({ ok: true, rows: 5, writers: 2, gaps: [] });
    expect(checkpoints.map(({ seq }) => seq)).toEqual([1, 2, 1, 3]);
  });

  it('starts its thread without a record where something is too old', async () => {
    const old = Date.now() - 10 * dayMs;
    vi.useFakeTimers({ toFake: ['Date'], now: old });
    const writer = new LedgerWriter(db, { version: '1' });
    writer.append([line(sample(old)), line(sample(old))]);
    writer.close();
    vi.useRealTimers();
    let pruned = 0;
    const ledger = await lastingLedger(file, {
      retention: { rowsMs: 5 * dayMs, rollupsMs: 400 * dayMs },
      onPruned: (rows) => (pruned += rows),
    });
    await expect.poll(() => pruned, { timeout: 10_000 }).toBe(4);
    await ledger.close();
    expect(verify().faults).toEqual([]);
  });

  it('does not continue its chain in a file that took the place of its own', async () => {
    const own = join(folder, 'own.db');
    let remade = 0;
    const ledger = await lastingLedger(own, { retention: forever, onRemade: () => remade++ });
    rmSync(own);
    const other = openDatabase(own, 'write');
    new LedgerWriter(other, { version: 'other' }).close();
    other.close();
    ledger.record(sample(now));
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(1);
    expect(remade).toBe(1);
    await ledger.close();
    const found = openDatabase(own, 'readonly');
    expect(verifyLedger(found, { publicKey: null, checkpoints: [] })).toMatchObject({ ok: true, writers: 2, rows: 5 });
    found.close();
  });

  it('tries again what the disk refused', async () => {
    const errors: string[] = [];
    const ledger = await Ledger.open({
      file,
      version: '1',
      retention: forever,
      signingKey: null,
      onCheckpoint: () => undefined,
      onError: (message) => errors.push(message),
    });
    // A table that cannot be inserted into stands for a full disk.
    db.exec(`CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'disk is full'); END`);
    ledger.record(sample(now));
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    expect(errors[0]).toContain('disk is full');
    db.exec('DROP TRIGGER full');
    await expect.poll(() => ledger.counts, { timeout: 10_000 }).toMatchObject({ written: 1, waiting: 0 });
    await ledger.close();
    expect(verify()).toMatchObject({ ok: true, rows: 3 });
  });

  it('notices that its file was removed or moved, says so, and goes on in a new one', async () => {
    const own = join(folder, 'own.db');
    let remade = 0;
    const ledger = await lastingLedger(own, { retention: forever, onRemade: () => remade++ });
    const ids = async (): Promise<string[]> => (await ledger.decisions({ where: [], from: null, limit: 10 })).map(({ id }) => id);
    const [first, second, third] = [sample(now), sample(now + 1), sample(now + 2)];
    ledger.record(first);
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(1);
    expect(await ids()).toEqual([first.id]);
    renameSync(own, join(folder, 'moved.db'));
    ledger.record(second);
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(2);
    expect([remade, ledger.counts.failures]).toEqual([1, 1]);
    await expect.poll(() => ids().catch(() => []), { timeout: 10_000 }).toEqual([second.id]);
    // Without a record to write it is noticed as well.
    for (const end of ['', '-wal', '-shm']) rmSync(`${own}${end}`, { force: true });
    await expect.poll(() => remade, { timeout: 10_000 }).toBe(2);
    ledger.record(third);
    await expect.poll(() => ledger.counts.written, { timeout: 10_000 }).toBe(3);
    await ledger.close();
    const held = (name: string): string[] => {
      const opened = openDatabase(join(folder, name), 'readonly');
      try {
        return opened.prepare<[], string>("SELECT id FROM entries WHERE kind = 'exchange' ORDER BY seq").pluck().all();
      } finally {
        opened.close();
      }
    };
    expect([held('moved.db'), held('own.db')]).toEqual([[first.id], [third.id]]);
  });

  it('says which file is no ledger', async () => {
    const bad = join(folder, 'bad.db');
    const foreign = new Database(bad);
    foreign.pragma('user_version = 99');
    foreign.close();
    const open = (path: string): Promise<Ledger> =>
      Ledger.open({
        file: path,
        version: '1',
        retention: forever,
        signingKey: null,
        onCheckpoint: () => undefined,
        onError: () => undefined,
      });
    await expect(open(bad)).rejects.toMatchObject({ code: 'SLUICE_LEDGER_UNUSABLE', where: bad });
    await expect(open(folder)).rejects.toMatchObject({ code: 'SLUICE_LEDGER_UNUSABLE' });
    expect(() => openDatabase(join(folder, 'none.db'), 'readonly')).toThrow(expect.objectContaining({ code: 'SLUICE_LEDGER_UNUSABLE' }));
  });
});
