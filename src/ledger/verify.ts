import type { KeyObject } from 'node:crypto';
import type { ExchangeRecord } from '../record/types.ts';
import { contentHash, genesis, rowHash, signatureHolds } from './chain.ts';
import type { Db } from './database.ts';
import { columnNames, columnsOf, gradeColumns, type ChainHead, type Checkpoint, type EntryKind, type EraseEntry, type GapEntry, type GradeEntry, type LedgerColumns, type OpenEntry, type PruneEntry } from './types.ts';

export type FaultKind = 'altered' | 'missing' | 'broken-chain' | 'erased-unexplained' | 'checkpoint' | 'signature' | 'rollup';

export interface Fault {
  readonly kind: FaultKind;
  readonly writer: string;
  /** Null: of the whole chain, or of a roll-up. */
  readonly seq: number | null;
  readonly message: string;
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly rows: number;
  readonly writers: number;
  readonly erased: number;
  readonly checkpoints: number;
  /** Records that are known to be missing; no fault of the ledger. */
  readonly gaps: readonly string[];
  /** At most `maxFaults`. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
}

export interface VerifyOptions {
  /** Checks signatures of checkpoints; null: signatures are not looked at. */
  readonly publicKey: KeyObject | null;
  /** Checkpoints that were kept elsewhere (the log): they also find a chain whose end was cut off. */
  readonly checkpoints: readonly Checkpoint[];
}

interface Row extends LedgerColumns {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly at: number;
  readonly salt: Buffer | null;
  readonly body: string | null;
  readonly content: Buffer;
  readonly hash: Buffer;
}

const maxFaults = 100;

/**
 * Reads a whole ledger and says what does not hold: rows that were altered, that are missing, or in another order; erased
 * rows that no entry names; checkpoints that the chain does not pass; roll-ups that are not the sum of their rows.
 */
export function verifyLedger(db: Db, options: VerifyOptions): VerifyResult {
  return db.transaction(() => new Verifier(db, options).run())();
}

class Verifier {
  readonly #db: Db;
  readonly #options: VerifyOptions;
  readonly #faults: Fault[] = [];
  #faultCount = 0;
  #rows = 0;
  readonly #gaps: string[] = [];
  /** By writer and seq: rows without content, and the erasures that are on record. */
  readonly #empty = new Map<string, Set<number>>();
  readonly #erased = new Map<string, Set<number>>();
  /** What other rows and checkpoints say that a chain must pass through. */
  readonly #passes: (ChainHead & { readonly from: string })[] = [];
  readonly #heads = new Map<string, ReadonlyMap<number, string>>();

  constructor(db: Db, options: VerifyOptions) {
    this.#db = db;
    this.#options = options;
  }

  run(): VerifyResult {
    const checkpoints = [...this.#db.prepare<[], Checkpoint>('SELECT writer, seq, hash, at, signature FROM checkpoints ORDER BY writer, seq').all(), ...this.#options.checkpoints];
    for (const checkpoint of checkpoints) this.#passes.push({ ...checkpoint, from: 'a checkpoint' });
    const pruned = this.#prunedHeads();
    const writers = this.#db.prepare<[], { n: number; id: string; closed: number | null }>('SELECT n, id, closed FROM writers ORDER BY n').all();
    // Heads of chains may be named by rows of later writers: they are gathered first.
    for (const body of this.#db.prepare<[], string | null>(`SELECT body FROM entries WHERE kind = 'open'`).pluck().iterate()) {
      for (const head of (parsed(body) as Partial<OpenEntry> | null)?.heads ?? []) this.#passes.push({ ...head, from: "a later writer's first row" });
    }
    for (const writer of writers) this.#chain(writer, pruned.get(writer.id) ?? null);
    this.#passThrough(pruned);
    this.#erasures();
    this.#signatures(checkpoints);
    this.#rollups();
    let erased = 0;
    for (const seqs of this.#empty.values()) erased += seqs.size;
    return { ok: this.#faultCount === 0, rows: this.#rows, writers: writers.length, erased, checkpoints: checkpoints.length, gaps: this.#gaps, faults: this.#faults, faultCount: this.#faultCount };
  }

  /** Where each chain was cut because its rows were old, as rows of the ledger say. */
  #prunedHeads(): Map<string, ChainHead> {
    const heads = new Map<string, ChainHead>();
    for (const body of this.#db.prepare<[], string | null>(`SELECT body FROM entries WHERE kind = 'prune'`).pluck().iterate()) {
      for (const head of (parsed(body) as Partial<PruneEntry> | null)?.removed ?? []) if (head.seq > (heads.get(head.writer)?.seq ?? 0)) heads.set(head.writer, head);
    }
    return heads;
  }

  #chain({ n, id, closed }: { readonly n: number; readonly id: string; readonly closed: number | null }, pruned: ChainHead | null): void {
    let previous = pruned === null ? genesis(id) : Buffer.from(pruned.hash, 'hex');
    let expected = (pruned?.seq ?? 0) + 1;
    const wanted = new Map<number, string>();
    for (const { writer, seq } of this.#passes) if (writer === id) wanted.set(seq, '');
    let lastKind: EntryKind | null = null;
    let last = 0;
    for (const row of this.#db.prepare<[number], Row>('SELECT * FROM entries WHERE writer = ? ORDER BY seq').iterate(n)) {
      this.#rows++;
      if (row.seq !== expected) this.#fault('missing', id, expected, row.seq === expected + 1 ? `row ${expected} is missing` : `rows ${expected} to ${row.seq - 1} are missing`);
      else if (!rowHash(previous, row.seq, row.kind, row.at, row.content).equals(row.hash)) this.#fault('broken-chain', id, row.seq, 'the row does not follow from the row before it: one of them was altered or moved');
      this.#content(id, row);
      if (wanted.has(row.seq)) wanted.set(row.seq, row.hash.toString('hex'));
      previous = row.hash;
      expected = row.seq + 1;
      lastKind = row.kind;
      last = row.seq;
    }
    this.#heads.set(id, wanted);
    if (closed === null && lastKind !== 'close' && lastKind !== null) this.#gaps.push(`writer ${id} is running, or ended without closing: after row ${last} up to a second of records may be missing`);
  }

  #content(id: string, row: Row): void {
    if (row.body === null || row.salt === null) {
      add(this.#empty, id, row.seq);
      if (columnNames.some((name) => row[name] !== null)) this.#fault('altered', id, row.seq, 'the row has no content and still has columns');
      return;
    }
    if (!contentHash(row.salt, row.body).equals(row.content)) {
      this.#fault('altered', id, row.seq, 'the content is not what was written');
      return;
    }
    switch (row.kind) {
      case 'exchange': {
        const columns = columnsOf(JSON.parse(row.body) as ExchangeRecord);
        const differs = columnNames.find((name) => row[name] !== columns[name]);
        if (differs !== undefined) this.#fault('altered', id, row.seq, `column ${differs} is not what the record says`);
        break;
      }
      case 'grade': {
        const columns: Partial<LedgerColumns> = gradeColumns(JSON.parse(row.body) as GradeEntry);
        const differs = columnNames.find((name) => row[name] !== (columns[name] ?? null));
        if (differs !== undefined) this.#fault('altered', id, row.seq, `column ${differs} is not what the grade says`);
        break;
      }
      case 'gap':
        this.#gap(id, row.seq, JSON.parse(row.body) as GapEntry);
        break;
      case 'erase':
        for (const { writer, seqs } of (JSON.parse(row.body) as EraseEntry).rows) for (const seq of seqs) add(this.#erased, writer, seq);
        break;
      case 'open':
      case 'close':
      case 'prune':
        break;
    }
  }

  #gap(id: string, seq: number, gap: GapEntry): void {
    this.#gaps.push(
      gap.cause === 'overload'
        ? `writer ${id} dropped ${gap.dropped} records before row ${seq}: more came than could be written`
        : `writer ${gap.writer} ended without closing after row ${gap.afterSeq} (${gap.lastAt}): up to a second of records may be missing`,
    );
  }

  #passThrough(pruned: ReadonlyMap<string, ChainHead>): void {
    for (const { writer, seq, hash, from } of this.#passes) {
      if (seq <= (pruned.get(writer)?.seq ?? 0)) continue;
      const found = this.#heads.get(writer)?.get(seq) ?? '';
      if (found === '') this.#fault('missing', writer, seq, `the row is missing, and ${from} names it`);
      else if (found !== hash) this.#fault('checkpoint', writer, seq, `the row has another hash than ${from} says`);
    }
  }

  #erasures(): void {
    for (const [writer, seqs] of this.#empty) {
      for (const seq of seqs) if (this.#erased.get(writer)?.has(seq) !== true) this.#fault('erased-unexplained', writer, seq, 'the content is gone and no erasure names the row');
    }
  }

  #signatures(checkpoints: readonly Checkpoint[]): void {
    const { publicKey } = this.#options;
    if (publicKey === null) return;
    for (const checkpoint of checkpoints) {
      if (!signatureHolds(checkpoint, publicKey)) this.#fault('signature', checkpoint.writer, checkpoint.seq, checkpoint.signature === null ? 'the checkpoint is not signed' : 'the signature is not of this key');
    }
  }

  /** Hours that are wholly there; sums of dollars may differ by rounding. */
  #rollups(): void {
    const oldest = this.#db.prepare<[], number | null>(`SELECT max(first) FROM (SELECT min(at) AS first FROM entries WHERE kind = 'exchange' AND writer IN (SELECT n FROM writers JOIN pruned ON pruned.writer = writers.id) GROUP BY writer)`).pluck().get() ?? 0;
    const from = oldest === 0 ? 0 : oldest - (oldest % 3_600_000) + 3_600_000;
    const rows = this.#db.prepare<[number], { hour: number; n: number; cost: number; savings: number; gone: number }>(
      `SELECT at - at % 3600000 AS hour, count(*) AS n, coalesce(sum(cost), 0) AS cost, coalesce(sum(savings), 0) AS savings, sum(body IS NULL) AS gone FROM entries WHERE kind = 'exchange' AND at >= ? GROUP BY hour`,
    ).all(from);
    const sums = new Map(
      this.#db.prepare<[number], { at: number; n: number; cost: number; savings: number }>('SELECT at, sum(n) AS n, sum(cost) AS cost, sum(savings) AS savings FROM by_hour WHERE at >= ? GROUP BY at').all(from).map((sum) => [sum.at, sum]),
    );
    for (const row of rows) {
      const sum = sums.get(row.hour) ?? { n: 0, cost: 0, savings: 0 };
      const hour = new Date(row.hour).toISOString();
      if (sum.n !== row.n) this.#fault('rollup', '', null, `the roll-up of ${hour} counts ${sum.n} exchanges, the rows are ${row.n}`);
      else if (row.gone === 0 && (!near(sum.cost, row.cost) || !near(sum.savings, row.savings))) this.#fault('rollup', '', null, `the roll-up of ${hour} is not the sum of its rows`);
    }
  }

  #fault(kind: FaultKind, writer: string, seq: number | null, message: string): void {
    this.#faultCount++;
    if (this.#faults.length < maxFaults) this.#faults.push({ kind, writer, seq, message });
  }
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}

function add(map: Map<string, Set<number>>, writer: string, seq: number): void {
  const seqs = map.get(writer);
  if (seqs === undefined) map.set(writer, new Set([seq]));
  else seqs.add(seq);
}

function parsed(body: string | null): unknown {
  try {
    return body === null ? null : (JSON.parse(body) as unknown);
  } catch {
    return null;
  }
}
