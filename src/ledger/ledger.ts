import { Worker } from 'node:worker_threads';
import { SluiceError, type ErrorCode } from '../lib/errors.ts';
import type { Grade, GradedDecision, GradeSink } from '../grades/types.ts';
import { ByteLines } from '../lib/byte-lines.ts';
import { limits } from '../lib/limits.ts';
import { recordJson } from '../record/record-json.ts';
import type { ExchangeRecord, RecordSink } from '../record/types.ts';
import type { AnswerLength } from '../router/output/answer-length.ts';
import { shownPlace } from './backends.ts';
import type { LedgerQuestion, LedgerWorkerData, ReaderReply, ReaderRequest, WriterReply, WriterRequest } from './messages.ts';
import type { DecisionsQuery, SavingsQuery, SavingsReport } from './query.ts';
import type { Retention } from './sqlite/store.ts';
import type { LedgerTarget } from './target.ts';
import type { Checkpoint, GradeEntry } from './types.ts';

export interface LedgerOptions {
  /** An SQLite file, or `postgres://…`. */
  readonly file: string;
  /** File with the database's password. */
  readonly passwordFile?: string | null;
  readonly version: string;
  readonly retention: Retention;
  /** PEM of an Ed25519 private key that signs checkpoints; null to leave them unsigned. */
  readonly signingKey: string | null;
  /** Interval of checkpoints, in ms. */
  readonly checkpointMs?: number;
  readonly onCheckpoint: (checkpoint: Checkpoint) => void;
  /** Called when a write failed and will be retried, or the ledger's thread has died. */
  readonly onError: (message: string) => void;
  readonly onPruned?: (rows: number) => void;
  /** Called when a database that was unavailable at the start is reachable: waiting records are being written. */
  readonly onBack?: () => void;
  /** Called when the file was removed or replaced and a new one was created; the old content is lost. */
  readonly onRemade?: () => void;
}

/** Counted since the start. */
export interface LedgerCounts {
  readonly written: number;
  readonly dropped: number;
  readonly failures: number;
  /** Records accepted but not yet on disk. */
  readonly waiting: number;
}

/** A batch is passed to the writer's thread at this many bytes, or after this long, in ms. */
const batchBytes = 64 * 1024;
const batchMs = 100;

const minute = 60_000;

/** Young generation of a thread, in MB: what a batch needs is garbage when the batch is written. */
const youngMb = 3;

/**
 * The ledger of a running server. Records are passed to a thread that writes them in batches, so the request path only pays for one line of
 * JSON each. Records beyond the bound are dropped and counted, and the gap is recorded.
 */
export class Ledger implements RecordSink, GradeSink {
  readonly #options: LedgerOptions;
  readonly #writer: Worker;
  #reader: Worker | null = null;
  readonly #questions = new Map<number, { resolve(answer: unknown): void; reject(error: unknown): void }>();
  #nextQuestion = 1;
  readonly #lines = new ByteLines(2 * batchBytes);
  #count = 0;
  #timer: NodeJS.Timeout | null = null;
  #written = 0;
  #dropped = 0;
  #droppedUntold = 0;
  #failures = 0;
  #waiting = 0;
  #waitingBytes = 0;
  #closed: (() => void) | null = null;
  #gone = false;

  /**
   * Opens the file or database and starts its writer. Rejects with SLUICE_LEDGER_UNUSABLE, except if a database cannot be reached: then
   * records wait.
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const data: LedgerWorkerData = {
      role: 'writer',
      target: targetOf(options),
      version: options.version,
      retention: options.retention,
      signingKey: options.signingKey,
      checkpointMs: options.checkpointMs ?? minute,
      pruneMs: 60 * minute,
    };
    const worker = startWorker(data);
    const away = await new Promise<string | null>((resolve, reject) => {
      const fail = (message: string): void =>
        reject(new SluiceError('SLUICE_LEDGER_UNUSABLE', message, { where: shownPlace(options.file) }));
      worker.once('error', (error: Error) => fail(error.message));
      worker.once('message', (reply: WriterReply) => {
        if (reply.kind === 'ready') resolve(null);
        else if (reply.kind === 'away') resolve(reply.message);
        else fail(reply.kind === 'refused' ? reply.message : reply.kind);
      });
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    worker.removeAllListeners('error');
    const ledger = new Ledger(options, worker);
    if (away !== null) ledger.#failed(away);
    return ledger;
  }

  private constructor(options: LedgerOptions, writer: Worker) {
    this.#options = options;
    this.#writer = writer;
    writer.on('message', (reply: WriterReply) => this.#hear(reply));
    writer.on('error', (error: Error) => this.#lost(error.message));
    writer.on('exit', () => {
      if (this.#closed === null) this.#lost("the writer's thread ended");
      else this.#closed();
    });
    writer.unref();
  }

  get counts(): LedgerCounts {
    return { written: this.#written, dropped: this.#dropped, failures: this.#failures, waiting: this.#waiting };
  }

  record(record: ExchangeRecord): void {
    if (!this.#hasRoom()) return;
    this.#lines.addJson(recordJson(record));
    this.#added();
  }

  observe(grade: Grade, { workspace }: GradedDecision): void {
    // The record's own checks are part of the record.
    if (grade.source === 'checks' || !this.#hasRoom()) return;
    this.#lines.add(JSON.stringify({ grade, workspace } satisfies GradeEntry));
    this.#added();
  }

  /** Whether another line may wait; if not, it is counted as dropped. */
  #hasRoom(): boolean {
    if (!this.#gone && this.#waitingBytes + this.#lines.length <= limits.ledgerQueueBytes) return true;
    this.#dropped++;
    this.#droppedUntold++;
    return false;
  }

  /** Ends a line. */
  #added(): void {
    this.#lines.add('\n');
    this.#count++;
    this.#waiting++;
    if (this.#lines.length >= batchBytes) this.#post();
    else this.#timer ??= setTimeout(() => this.#post(), batchMs);
  }

  decisions(query: DecisionsQuery): Promise<ExchangeRecord[]> {
    return this.#ask({ kind: 'decisions', query }) as Promise<ExchangeRecord[]>;
  }

  find(id: string): Promise<ExchangeRecord | null> {
    return this.#ask({ kind: 'record', id }) as Promise<ExchangeRecord | null>;
  }

  grades(id: string): Promise<Grade[]> {
    return this.#ask({ kind: 'grades', id }) as Promise<Grade[]>;
  }

  /** Lengths of the answers among the newest `limit` records since `from` (ms since the epoch), the oldest first. */
  lengths(from: number, limit: number): Promise<AnswerLength[]> {
    const found = this.#ask({ kind: 'lengths', from, limit }) as Promise<AnswerLength[]>;
    return found.finally(() => this.#dismiss());
  }

  /** Ends a reader that nobody waits for: a thread costs memory while it is idle. The next query starts another. */
  #dismiss(): void {
    if (this.#questions.size > 0) return;
    const reader = this.#reader;
    this.#reader = null;
    void reader?.terminate();
  }

  savings(query: SavingsQuery): Promise<SavingsReport> {
    return this.#ask({ kind: 'savings', ...query }) as Promise<SavingsReport>;
  }

  /** Writes waiting records, closes the chain and ends the threads. */
  async close(): Promise<void> {
    await this.#reader?.terminate();
    if (this.#gone) return;
    this.#post();
    this.#writer.ref();
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      this.#writer.postMessage({ kind: 'close' } satisfies WriterRequest);
    });
  }

  #post(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#count === 0 || this.#gone) return;
    const lines = this.#lines.take();
    this.#waitingBytes += lines.length;
    // Transferred, not copied.
    this.#writer.postMessage({ kind: 'append', lines, count: this.#count, dropped: this.#droppedUntold } satisfies WriterRequest, [
      lines.buffer,
    ]);
    this.#count = 0;
    this.#droppedUntold = 0;
  }

  #hear(reply: WriterReply): void {
    switch (reply.kind) {
      case 'written':
        this.#written += reply.count;
        this.#waiting -= reply.count;
        this.#waitingBytes -= reply.bytes;
        break;
      case 'failed':
        this.#failed(reply.message);
        break;
      case 'checkpoint':
        this.#options.onCheckpoint(reply.checkpoint);
        break;
      case 'pruned':
        this.#options.onPruned?.(reply.rows);
        break;
      case 'ready':
        this.#options.onBack?.();
        break;
      case 'remade':
        this.#failures++;
        this.#options.onRemade?.();
        // The reader still has the old file open; the next query starts a new one.
        void this.#reader?.terminate();
        break;
      case 'away':
      case 'refused':
      case 'closed':
        break;
    }
  }

  #failed(message: string): void {
    this.#failures++;
    this.#options.onError(message);
  }

  #lost(message: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#failures++;
    this.#dropped += this.#waiting;
    this.#waiting = 0;
    this.#lines.take();
    this.#options.onError(message);
    this.#closed?.();
  }

  #ask(question: LedgerQuestion): Promise<unknown> {
    if (this.#questions.size >= limits.ledgerQuestions)
      return Promise.reject(new SluiceError('SLUICE_LEDGER_BUSY', `${this.#questions.size} questions are waiting.`));
    const reader = (this.#reader ??= this.#startReader());
    const id = this.#nextQuestion++;
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      reader.postMessage({ id, question } satisfies ReaderRequest);
    });
  }

  /** Queries run on their own thread, so that a long one delays neither requests nor writes. */
  #startReader(): Worker {
    const reader = startWorker({ role: 'reader', target: targetOf(this.#options) });
    reader.unref();
    reader.on('message', (reply: ReaderReply) => {
      const question = this.#questions.get(reply.id);
      this.#questions.delete(reply.id);
      if (reply.ok) question?.resolve(reply.answer);
      else
        question?.reject(
          new SluiceError(reply.code as ErrorCode, reply.message, {
            ...(reply.where === undefined ? {} : { where: reply.where }),
            fix: reply.fix,
          }),
        );
    });
    const end = (): void => {
      if (this.#reader !== reader) return;
      this.#reader = null;
      for (const question of this.#questions.values()) question.reject(new SluiceError('SLUICE_INTERNAL', "the ledger's reader ended"));
      this.#questions.clear();
    };
    reader.on('error', end);
    reader.on('exit', end);
    return reader;
  }
}

function targetOf({ file, passwordFile }: LedgerOptions): LedgerTarget {
  return { place: file, passwordFile: passwordFile ?? null };
}

function startWorker(data: LedgerWorkerData): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: data,
    name: `ledger-${data.role}`,
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: youngMb },
  });
}
