import { randomBytes, type KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import { uuidv7 } from '../../record/id.ts';
import { contentHash, genesis, rowHash, signCheckpoint } from '../hash-chain.ts';
import { entryOf, type Entry } from '../entry.ts';
import { dayMs } from '../rollup.ts';
import type { Retention, Whose } from '../sqlite/store.ts';
import type { LedgerTarget } from '../target.ts';
import {
  columnNames,
  stored,
  type ChainHead,
  type Checkpoint,
  type EntryKind,
  type GapEntry,
  type LedgerColumns,
  type OpenEntry,
} from '../types.ts';
import type { HashChain } from './hash-chain.ts';
import { unusable } from '../unusable.ts';
import { type ClickHouse } from './connect.ts';
import { erase, prune } from './removal.ts';
import { settle, settledHead } from './settle.ts';
import { openClickHouse, rowNames } from './tables.ts';

const saltBytes = 16;

/** A writer says this often that it runs, and counts as ended after several times without; in ms. */
const aliveMs = 30_000;
const deadMs = 150_000;

/** Whether rows are the worker's batch, which would be sent again after a failure. */
type Work = 'append' | 'other';

/** Rows whose insert was not confirmed: exactly these are sent again. */
interface Pending {
  readonly work: Work;
  readonly lines: string;
  readonly token: string;
  readonly seq: number;
  readonly hash: Buffer;
}

export interface ClickHouseWriterOptions {
  readonly version: string;
  /** Ms since the epoch; default: the clock. */
  readonly now?: () => number;
}

/**
 * One writer of a ledger in ClickHouse: the same chain, rows and sums as in SQLite. There are no transactions: a batch is one insert, which
 * is repeated with the same bytes and the same token until it is confirmed, so that it counts once, in the sums too.
 */
export class ClickHouseWriter implements HashChain {
  readonly id = uuidv7();
  readonly client: ClickHouse;
  readonly now: () => number;
  /** The ends of other chains that this chain's rows have recorded. */
  readonly said = new Map<string, number>();
  readonly #target: LedgerTarget;
  readonly #started: number;
  #seq = 0;
  #hash: Buffer = genesis(this.id);
  #day = 0;
  #pending: Pending | null = null;
  /** The batch that the worker will send again was confirmed meanwhile. */
  #batchDone = false;
  #lines: string[] = [];
  #next = { seq: 0, hash: this.#hash };
  #alive: NodeJS.Timeout | null = null;

  private constructor(target: LedgerTarget, client: ClickHouse, now: () => number) {
    this.#target = target;
    this.client = client;
    this.now = now;
    this.#started = now();
  }

  /** Registers the writer, writes its first row, and a gap row for each writer that says no more that it runs. */
  static async open(target: LedgerTarget, { version, now = () => Date.now() }: ClickHouseWriterOptions): Promise<ClickHouseWriter> {
    const client = await openClickHouse(target, 'write');
    const writer = new ClickHouseWriter(target, client, now);
    try {
      await writer.#begin(version);
      return writer;
    } catch (error) {
      await client.close();
      throw unusable(target.place, error);
    }
  }

  get seq(): number {
    return this.#seq;
  }

  /** The day that takes the next rows; in days since the epoch. It never goes back, whatever the clock does. */
  get day(): number {
    return (this.#day = Math.max(this.#day, Math.floor(this.now() / dayMs)));
  }

  async #begin(version: string): Promise<void> {
    const now = this.now();
    const dead = await this.client.ask<{ id: string; host: string; pid: number; started: number }>(
      'SELECT id, host, pid, started FROM writers FINAL WHERE closed IS NULL AND alive < ? ORDER BY started, id',
      [now - deadMs],
    );
    const heads = await this.heads();
    for (const { writer, seq } of heads) this.said.set(writer, seq);
    const settled = (await settledHead(this.client)) ?? (await settle(this.client, { source: 'open' }));
    await this.#register(null);
    const entry: OpenEntry = { writer: this.id, host: hostname(), pid: process.pid, version, heads, settled };
    this.say('open', now, JSON.stringify(entry));
    const ends = new Map(
      (await this.client.ask<{ writer: string; seq: number; at: number }>('SELECT writer, seq, at FROM heads FINAL')).map((end) => [
        end.writer,
        end,
      ]),
    );
    for (const { id } of dead) {
      const last = ends.get(id);
      const lastAt = new Date(last?.at ?? now).toISOString();
      this.say('gap', now, JSON.stringify({ cause: 'killed', writer: id, afterSeq: last?.seq ?? 0, lastAt } satisfies GapEntry));
    }
    await this.write();
    for (const { id, host, pid, started } of dead)
      await this.client.insert('writers', writerNames, JSON.stringify([id, host, pid, started, now, now, now * 1_000]));
    this.#alive = setInterval(() => {
      // It will be found the next time; failures of writes are reported.
      this.#register(null).catch(() => undefined);
    }, aliveMs);
    this.#alive.unref();
  }

  async #register(closed: number | null): Promise<void> {
    const now = this.now();
    await this.client.insert(
      'writers',
      writerNames,
      JSON.stringify([this.id, hostname(), process.pid, this.#started, closed, now, now * 1_000 + (closed === null ? 1 : 2)]),
    );
  }

  /** Appends records and grades, as rows or as JSON, in one insert; `dropped` > 0 adds a gap row before them. */
  async append(lines: Iterable<Entry | string>, dropped = 0): Promise<void> {
    await this.#settlePending();
    if (this.#batchDone) {
      this.#batchDone = false;
      return;
    }
    if (dropped > 0) this.say('gap', this.now(), JSON.stringify({ cause: 'overload', dropped } satisfies GapEntry));
    for (const line of lines) {
      const { kind, at, columns, body } = typeof line === 'string' ? entryOf(line) : line;
      this.#row(kind, at, columns, body);
    }
    await this.write('append');
  }

  /** Records the current end of the chain. */
  async checkpoint(key: KeyObject | null): Promise<Checkpoint> {
    const now = this.now();
    const end = { writer: this.id, seq: this.#seq, hash: this.#hash.toString('hex'), at: new Date(now).toISOString() };
    const checkpoint = signCheckpoint(end, key);
    await this.client.insert(
      'checkpoints',
      ['writer', 'seq', 'hash', 'at', 'signature', 'v'],
      JSON.stringify([checkpoint.writer, checkpoint.seq, checkpoint.hash, checkpoint.at, checkpoint.signature, now]),
    );
    return checkpoint;
  }

  /** Writes the closing row: nothing is missing after it. The connection stays open. */
  async close(): Promise<void> {
    await this.#settlePending();
    this.say('close', this.now(), '{}');
    await this.write();
    if (this.#alive !== null) clearInterval(this.#alive);
    await this.#register(this.now());
  }

  async end(): Promise<void> {
    if (this.#alive !== null) clearInterval(this.#alive);
    await this.client.close();
  }

  async erase(whose: Whose, reason: string): Promise<number> {
    await this.#settlePending();
    return erase(this, whose, reason);
  }

  async prune(retention: Retention, now: number = this.now()): Promise<number> {
    await this.#settlePending();
    return prune(this, retention, now);
  }

  /** The end of every chain that has rows. */
  async heads(): Promise<ChainHead[]> {
    return this.client.ask<ChainHead>(
      'SELECT writer, seq, hash FROM heads FINAL WHERE (writer, seq) NOT IN (SELECT writer, seq FROM pruned FINAL)',
    );
  }

  /** Adds a row of the ledger's own to the next `write`. */
  say(kind: EntryKind, at: number, body: string): void {
    this.#row(kind, at, null, body);
  }

  #row(kind: EntryKind, at: number, columns: Partial<LedgerColumns> | null, body: string): void {
    if (this.#lines.length === 0) this.#next = { seq: this.#seq, hash: this.#hash };
    const salt = randomBytes(saltBytes);
    const content = contentHash(salt, body);
    const seq = this.#next.seq + 1;
    const hash = rowHash(this.#next.hash, seq, kind, at, content);
    const values = columnNames.map((name) => stored(name, columns?.[name] ?? null));
    this.#lines.push(
      JSON.stringify([
        this.id,
        seq,
        kind,
        at,
        this.day,
        ...values,
        salt.toString('hex'),
        body,
        content.toString('hex'),
        hash.toString('hex'),
      ]),
    );
    this.#next = { seq, hash };
  }

  /** Inserts the rows since the last call; the chain ends behind them once that is confirmed. */
  async write(work: Work = 'other'): Promise<void> {
    if (this.#lines.length === 0) return;
    const { seq, hash } = this.#next;
    this.#pending = { work, lines: this.#lines.join('\n'), token: `${this.id} ${seq} ${hash.toString('hex')}`, seq, hash };
    this.#lines = [];
    await this.#send(this.#pending);
  }

  async #send({ lines, token, seq, hash }: Pending): Promise<void> {
    await this.client.insert('entries', rowNames, lines, token).catch((error: unknown) => {
      throw unusable(this.#target.place, error);
    });
    this.#seq = seq;
    this.#hash = hash;
    this.#pending = null;
  }

  /** Sends again what was not confirmed. */
  async #settlePending(): Promise<void> {
    const pending = this.#pending;
    if (pending === null) return;
    await this.#send(pending);
    this.#batchDone = pending.work === 'append';
  }
}

const writerNames = ['id', 'host', 'pid', 'started', 'closed', 'alive', 'v'] as const;
