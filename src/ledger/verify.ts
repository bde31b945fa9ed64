import type { KeyObject } from 'node:crypto';
import type { ExchangeRecord } from '../record/types.ts';
import { contentHash, genesis, rowHash } from './hash-chain.ts';
import type { Db } from './sqlite/database.ts';
import {
  columnNames,
  columnsOf,
  gradeColumns,
  stored,
  type ChainHead,
  type Checkpoint,
  type EntryKind,
  type EraseEntry,
  type GapEntry,
  type GradeEntry,
  type LedgerColumns,
  type OpenEntry,
  type PruneEntry,
} from './types.ts';
import type { DoubledRow } from './backend.ts';
import { dayMs } from './rollup.ts';
import { verifyCoverage, type ChainRead } from './verify-coverage.ts';
import { verifySums, type SettledSaid } from './verify-sums.ts';

type FaultKind =
  'altered' | 'missing' | 'broken-chain' | 'erased-unexplained' | 'checkpoint' | 'signature' | 'rollup' | 'settled' | 'writer' | 'schema';

interface Fault {
  readonly kind: FaultKind;
  readonly writer: string;
  /** Null if the fault concerns the whole chain, or a roll-up. */
  readonly seq: number | null;
  readonly message: string;
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly rows: number;
  readonly writers: number;
  readonly erased: number;
  readonly checkpoints: number;
  /** Rows of running writers that wait for their next signed checkpoint; null if signatures were not checked. */
  readonly unsigned: number | null;
  /** Records known to be missing; not a fault of the ledger. */
  readonly gaps: readonly string[];
  /** At most `maxFaults`. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
}

export interface VerifyOptions {
  /** Rows not covered by a signature of this key are faults; null to skip signatures. */
  readonly publicKey: KeyObject | null;
  /** Checkpoints kept elsewhere (the log): they also reveal a chain whose end was cut off. */
  readonly checkpoints: readonly Checkpoint[];
  /** Rows that the ledger holds more than once, if its tables do not exclude that; by the writer's number. */
  readonly doubled?: readonly DoubledRow[];
  /** Hours whose sums changed while the rows were read: they are not compared this time; ms since the epoch. */
  readonly moving?: readonly number[];
  /** What the database has that could change or hide rows, one sentence each. */
  readonly foreign?: readonly string[];
  /** Ms since the epoch; default: now. */
  readonly now?: number;
  /** Called for each row read. */
  readonly progress?: () => void;
}

interface WriterRow {
  readonly n: number;
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly started: number;
  readonly closed: number | null;
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
 * Reads a whole ledger and reports faults: altered, missing or reordered rows; erased rows without an entry; checkpoints that do not match
 * the chain; roll-ups that are not the sum of their rows, key by key; with a key, rows without a covering signature.
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
  /** By writer and seq: rows without content, and the recorded erasures. */
  readonly #empty = new Map<string, Set<number>>();
  readonly #erased = new Map<string, Set<number>>();
  /** Points that a chain must contain, according to other rows and checkpoints. */
  readonly #passes: (ChainHead & { readonly from: string })[] = [];
  readonly #heads = new Map<string, ReadonlyMap<number, string>>();
  /** The ends of other chains recorded in a chain's rows, by its writer. */
  readonly #said = new Map<string, { seq: number; head: ChainHead }[]>();
  readonly #settled: SettledSaid[] = [];
  readonly #read: ChainRead[] = [];
  /** Closed chains without a last row, and places where others recorded that a writer was killed. */
  readonly #unclosed: { readonly writer: string; readonly seq: number }[] = [];
  readonly #killed = new Map<string, number>();

  constructor(db: Db, options: VerifyOptions) {
    this.#db = db;
    this.#options = options;
  }

  run(): VerifyResult {
    this.#schema();
    const held = this.#db.prepare<[], Checkpoint>('SELECT writer, seq, hash, at, signature FROM checkpoints ORDER BY writer, seq').all();
    const checkpoints = [...held, ...this.#options.checkpoints];
    for (const checkpoint of checkpoints) this.#passes.push({ ...checkpoint, from: 'a checkpoint' });
    const pruned = this.#prunedHeads();
    this.#prunedTable(pruned);
    this.#keptCheckpoints(pruned, held);
    const writers = this.#db.prepare<[], WriterRow>('SELECT n, id, host, pid, started, closed FROM writers ORDER BY n').all();
    this.#foreignRows(writers);
    for (const { writer, seq } of this.#options.doubled ?? [])
      this.#fault('altered', writers.find(({ n }) => n === writer)?.id ?? '', seq, 'the ledger holds the row more than once');
    // Later writers' rows may refer to chain heads, so these are collected first.
    const alone: Begun[] = [];
    const later: Later[] = [];
    for (const { id, seq, kind, at, body } of this.#db
      .prepare<[], { id: string; seq: number; kind: EntryKind; at: number; body: string | null }>(
        `SELECT w.id, e.seq, e.kind, e.at, e.body FROM entries e JOIN writers w ON w.n = e.writer WHERE e.kind IN ('open', 'prune', 'erase')`,
      )
      .iterate()) {
      const entry = parsed(body) as Partial<OpenEntry & PruneEntry & EraseEntry> | null;
      if (kind === 'open' && entry?.heads?.length === 0) alone.push({ id, at });
      else if (kind === 'open' && entry?.heads !== undefined) later.push({ id, at, found: entry.heads });
      if (entry?.settled !== undefined) this.#settled.push({ writer: id, seq, settled: entry.settled });
      for (const head of entry?.heads ?? []) {
        this.#passes.push({ ...head, from: kind === 'open' ? "a later writer's first row" : "a row of another writer's chain" });
        add(this.#said, id, { seq, head });
      }
    }
    this.#firsts(alone, later);
    for (const writer of writers) this.#chain(writer, pruned.get(writer.id) ?? null);
    this.#passThrough(pruned);
    this.#erasures();
    // A closed chain ends with its last row, or another writer recorded that it ended without one.
    for (const { writer, seq } of this.#unclosed)
      if (this.#killed.get(writer) !== seq)
        this.#fault('missing', writer, seq + 1, 'the writer closed its chain, and its last row is missing');
    const { publicKey } = this.#options;
    const unsigned =
      publicKey === null
        ? null
        : verifyCoverage(this.#read, { checkpoints, publicKey, now: this.#options.now ?? Date.now() }, (writer, seq, message) =>
            this.#fault('signature', writer, seq, message),
          );
    const moving = this.#options.moving ?? [];
    verifySums(this.#db, this.#settled, { moving, report: (kind, message) => this.#fault(kind, '', null, message) });
    if (moving.length > 0)
      this.#gaps.push(`sums of ${moving.length} hours were written while rows were read: these are not compared this time`);
    let erased = 0;
    for (const seqs of this.#empty.values()) erased += seqs.size;
    return {
      ok: this.#faultCount === 0,
      rows: this.#rows,
      writers: writers.length,
      erased,
      checkpoints: checkpoints.length,
      unsigned,
      gaps: this.#gaps,
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }

  /** Where each chain was cut by pruning, according to rows of the ledger. */
  #prunedHeads(): Map<string, ChainHead> {
    const heads = new Map<string, ChainHead>();
    for (const body of this.#db.prepare<[], string | null>(`SELECT body FROM entries WHERE kind = 'prune'`).pluck().iterate()) {
      for (const head of (parsed(body) as Partial<PruneEntry> | null)?.removed ?? [])
        if (head.seq > (heads.get(head.writer)?.seq ?? 0)) heads.set(head.writer, head);
    }
    return heads;
  }

  /** Rows of an unregistered writer belong to no chain. */
  #foreignRows(writers: readonly WriterRow[]): void {
    const known = new Set(writers.map(({ n }) => n));
    for (const n of this.#db.prepare<[], number>('SELECT DISTINCT writer FROM entries').pluck().all())
      if (!known.has(n)) this.#fault('writer', '', null, `there are rows of writer number ${n}, whom the ledger does not know`);
  }

  /**
   * Only a ledger's first writer finds no other. A second such chain was begun in another ledger, whatever key signed it; so was one that
   * found none although a writer whose own first row grew old has rows from before it. A record may be written long after its exchange
   * began, but not a day.
   */
  #firsts(alone: readonly Begun[], later: readonly Later[]): void {
    this.#unnamed(alone, later);
    const began = Math.min(...alone.map(({ at }) => at));
    const earlier = this.#db
      .prepare<[string, number, number], number>(
        'SELECT 1 FROM writers w JOIN pruned p ON p.writer = w.id JOIN entries e ON e.writer = w.n WHERE w.id <> ? AND w.started < ? AND e.at < ? LIMIT 1',
      )
      .pluck();
    for (const { id, at } of alone)
      if (at > began + sameMomentMs || earlier.get(id, at - sameMomentMs, at - dayMs) !== undefined)
        this.#fault(
          'writer',
          id,
          1,
          "the writer's first row names no other writer, and the ledger had one: the chain is of another ledger",
        );
  }

  /** Whoever found no other was there before all that found some, and each of these names it. */
  #unnamed(alone: readonly Begun[], later: readonly Later[]): void {
    for (const { id, at } of alone)
      if (later.some((other) => other.at > at + sameMomentMs && !other.found.some(({ writer }) => writer === id)))
        this.#fault('writer', id, 1, "a later writer's first row does not name the writer: the chain is of another ledger");
  }

  /** The register's times are those of the rows in which a writer began and ended. */
  #times({ id, started, closed }: WriterRow, row: Row): void {
    const said = row.kind === 'open' ? started : row.kind === 'close' ? closed : null;
    if (said !== null && Math.abs(said - row.at) > sameMomentMs)
      this.#fault(
        'writer',
        id,
        row.seq,
        `the writer is registered with another ${row.kind === 'open' ? 'beginning' : 'end'} than its row says`,
      );
  }

  #chain(writer: WriterRow, pruned: ChainHead | null): void {
    const { n, id, closed } = writer;
    let previous = pruned === null ? genesis(id) : Buffer.from(pruned.hash, 'hex');
    let expected = (pruned?.seq ?? 0) + 1;
    const wanted = new Map<number, string>();
    for (const pass of this.#passes) if (pass.writer === id) wanted.set(pass.seq, '');
    let lastKind: EntryKind | null = null;
    let last = 0;
    for (const row of this.#db.prepare<[number], Row>('SELECT * FROM entries WHERE writer = ? ORDER BY seq').iterate(n)) {
      this.#rows++;
      this.#options.progress?.();
      if (row.seq !== expected)
        this.#fault(
          'missing',
          id,
          expected,
          row.seq === expected + 1 ? `row ${expected} is missing` : `rows ${expected} to ${row.seq - 1} are missing`,
        );
      else if (!rowHash(previous, row.seq, row.kind, row.at, row.content).equals(row.hash))
        this.#fault('broken-chain', id, row.seq, 'the row does not follow from the row before it: one of them was altered or moved');
      if (row.kind === 'open' && (row.seq !== 1 || !opens(row.body, writer)))
        this.#fault('writer', id, row.seq, 'the writer is registered with another id, host or process than its first row says');
      this.#times(writer, row);
      this.#content(id, row);
      if (wanted.has(row.seq)) wanted.set(row.seq, row.hash.toString('hex'));
      previous = row.hash;
      expected = row.seq + 1;
      lastKind = row.kind;
      last = row.seq;
    }
    this.#heads.set(id, wanted);
    this.#read.push({
      writer: id,
      closed: closed !== null,
      first: (pruned?.seq ?? 0) + 1,
      last,
      hashes: wanted,
      heads: this.#said.get(id) ?? [],
      oldestAfter: (seq) =>
        this.#db
          .prepare<[number, number], number | null>('SELECT min(at) FROM entries WHERE writer = ? AND seq >= ?')
          .pluck()
          .get(n, seq) ?? 0,
    });
    if (closed !== null && lastKind !== 'close' && lastKind !== null) this.#unclosed.push({ writer: id, seq: last });
    if (closed === null && lastKind !== 'close' && lastKind !== null)
      this.#gaps.push(`writer ${id} is running, or ended without closing: after row ${last} up to a second of records may be missing`);
  }

  #content(id: string, row: Row): void {
    if (row.body === null || row.salt === null) {
      addSeq(this.#empty, id, row.seq);
      if (columnNames.some((name) => row[name] !== null))
        this.#fault('altered', id, row.seq, 'the row has no content and still has columns');
      return;
    }
    if (!contentHash(row.salt, row.body).equals(row.content)) {
      this.#fault('altered', id, row.seq, 'the content is not what was written');
      return;
    }
    try {
      this.#entry(id, row, row.body);
    } catch {
      this.#fault('altered', id, row.seq, `the content is not that of a row of kind ${row.kind}`);
    }
  }

  /** Compares the row's content with its columns. Throws on invalid content. */
  #entry(id: string, row: Row, body: string): void {
    switch (row.kind) {
      case 'exchange': {
        const columns = columnsOf(JSON.parse(body) as ExchangeRecord);
        const differs = columnNames.find((name) => !same(name, row[name], columns[name]));
        if (differs !== undefined) this.#fault('altered', id, row.seq, `column ${differs} is not what the record says`);
        break;
      }
      case 'grade': {
        const columns: Partial<LedgerColumns> = gradeColumns(JSON.parse(body) as GradeEntry);
        const differs = columnNames.find((name) => !same(name, row[name], columns[name] ?? null));
        if (differs !== undefined) this.#fault('altered', id, row.seq, `column ${differs} is not what the grade says`);
        break;
      }
      case 'gap':
        this.#gap(id, row.seq, JSON.parse(body) as GapEntry);
        break;
      case 'erase':
        for (const { writer, seqs } of (JSON.parse(body) as EraseEntry).rows) for (const seq of seqs) addSeq(this.#erased, writer, seq);
        break;
      case 'open': {
        const { adopted } = JSON.parse(body) as OpenEntry;
        if (adopted !== undefined)
          this.#gaps.push(
            `writer ${id} took over sums of ${adopted} hours from an earlier version, which did not tie them to the chain: nothing shows that these are right`,
          );
        break;
      }
      case 'close':
      case 'prune':
        break;
    }
  }

  #gap(id: string, seq: number, gap: GapEntry): void {
    if (gap.cause === 'killed') this.#killed.set(gap.writer, gap.afterSeq);
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
      for (const seq of seqs)
        if (this.#erased.get(writer)?.has(seq) !== true)
          this.#fault('erased-unexplained', writer, seq, 'the content is gone and no erasure names the row');
    }
  }

  /** Triggers or views could show data other than what is stored. */
  #schema(): void {
    for (const message of this.#options.foreign ?? []) this.#fault('schema', '', null, message);
    for (const { type, name } of this.#db
      .prepare<[], { type: string; name: string }>(`SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')`)
      .all())
      this.#fault('schema', '', null, `a ${type} that is not Sluice's is in the file: ${name}`);
  }

  /** The table of pruned chains must match rows of the ledger. */
  #prunedTable(pruned: ReadonlyMap<string, ChainHead>): void {
    const table = new Map(
      this.#db
        .prepare<[], ChainHead>('SELECT writer, seq, hash FROM pruned')
        .all()
        .map((head) => [head.writer, head]),
    );
    for (const writer of new Set([...table.keys(), ...pruned.keys()])) {
      const [has, should] = [table.get(writer), pruned.get(writer)];
      if (has?.seq !== should?.seq || has?.hash !== should?.hash)
        this.#fault('missing', writer, has?.seq ?? should?.seq ?? null, 'where the chain was cut is not what a row of the ledger says');
    }
  }

  /** Checkpoints from the log that the ledger should contain as well. */
  #keptCheckpoints(pruned: ReadonlyMap<string, ChainHead>, held: readonly Checkpoint[]): void {
    const there = new Set(held.map(({ writer, seq }) => `${writer} ${seq}`));
    for (const { writer, seq } of this.#options.checkpoints) {
      if (seq > (pruned.get(writer)?.seq ?? 0) && !there.has(`${writer} ${seq}`))
        this.#fault('checkpoint', writer, seq, 'the log has a checkpoint here that the ledger lacks');
    }
  }

  #fault(kind: FaultKind, writer: string, seq: number | null, message: string): void {
    this.#faultCount++;
    if (this.#faults.length < maxFaults) this.#faults.push({ kind, writer, seq, message });
  }
}

/** Whether a column holds what the record says, or what a database can store of it. */
function same(name: keyof LedgerColumns, held: string | number | null, said: string | number | null): boolean {
  return held === said || held === stored(name, said);
}

/** What a writer registers and what it writes in its chain are some milliseconds apart. */
const sameMomentMs = 60_000;

/** A writer, and when its first row was written; ms since the epoch. */
interface Begun {
  readonly id: string;
  readonly at: number;
}

/** One that found others, and where these ended. */
interface Later extends Begun {
  readonly found: readonly ChainHead[];
}

/** Whether a writer's first row matches its registration. */
function opens(body: string | null, { id, host, pid }: WriterRow): boolean {
  const entry = parsed(body) as Partial<OpenEntry> | null;
  return entry?.writer === id && entry.host === host && entry.pid === pid;
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

function addSeq(map: Map<string, Set<number>>, writer: string, seq: number): void {
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
