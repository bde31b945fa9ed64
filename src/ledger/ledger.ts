import { Worker } from 'node:worker_threads';
import { SluiceError, type ErrorCode } from '../lib/errors.ts';
import type { Grade, GradedDecision, GradeSink } from '../grades/types.ts';
import { ByteLines } from '../lib/byte-lines.ts';
import { JsonBytes } from '../lib/json-bytes.ts';
import { limits } from '../lib/limits.ts';
import { messageOf } from '../lib/message-of.ts';
import { recordJson } from '../record/record-json.ts';
import type { ExchangeRecord, RecordSink } from '../record/types.ts';
import type { AnswerLength } from '../router/output/answer-length.ts';
import { backendOf, shownPlace } from './backends.ts';
import { headOfExchange, headOfGrade, type Head } from './entry.ts';
import type { LedgerQuestion, LedgerWorkerData, ReaderReply, ReaderRequest, WriterReply, WriterRequest } from './messages.ts';
import type { DecisionsQuery, SavingsQuery, SavingsReport } from './query.ts';
import { beginChain, closeChain, isPrunable, type BegunChain } from './resting.ts';
import type { Retention } from './sqlite/store.ts';
import type { LedgerTarget } from './target.ts';
import type { Checkpoint, GradeEntry, RestingChain } from './types.ts';

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

/** Interval of checks on a ledger that nothing was written to, in ms. */
const lookMs = 2_000;

/**
 * The ledger of a running server. Records are passed to a thread that writes them in batches, so the request path only pays for one line of
 * JSON each. Records beyond the bound are dropped and counted, and the gap is recorded.
 */
export class Ledger implements RecordSink, GradeSink {
  readonly #options: LedgerOptions;
  /** Null until there is something to write. */
  #writer: Worker | null;
  /** The chain that the writer continues; null once it does. */
  #resting: BegunChain | null;
  readonly #look: NodeJS.Timeout | null;
  /** Whether the database could not be reached. */
  #away = false;
  #reader: Worker | null = null;
  readonly #questions = new Map<number, { resolve(answer: unknown): void; reject(error: unknown): void }>();
  #nextQuestion = 1;
  readonly #lines = new ByteLines(2 * batchBytes);
  readonly #head = new JsonBytes();
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
   * Opens the file or database. Rejects with SLUICE_LEDGER_UNUSABLE, except if a database cannot be reached: then records wait. The thread
   * that writes a file starts with the first record.
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const begun = await beginChain(backendOf(options.file), chainOptions(options)).catch((error: unknown) => {
      throw unusableFile(options.file, error);
    });
    if (begun !== null) {
      options.onCheckpoint(begun.checkpoint);
      return new Ledger(options, { begun });
    }
    const worker = startWorker(writerData(options, null));
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
    const ledger = new Ledger(options, { worker });
    if (away !== null) {
      ledger.#away = true;
      ledger.#failed(away);
    }
    return ledger;
  }

  private constructor(options: LedgerOptions, { worker, begun }: { readonly worker?: Worker; readonly begun?: BegunChain }) {
    this.#options = options;
    this.#writer = worker === undefined ? null : this.#follow(worker);
    this.#resting = begun ?? null;
    this.#look = begun === undefined ? null : setInterval(() => this.#lookAfter(begun), lookMs).unref();
  }

  /** Starts the writer's thread without a record if it has something else to do. */
  #lookAfter({ chain, gone }: BegunChain): void {
    if (gone() || isPrunable(chain, this.#options.retention, Date.now())) this.#thread();
  }

  /** The writer's thread, which continues the resting chain if it has to be started. */
  #thread(): Worker {
    if (this.#look !== null) clearInterval(this.#look);
    const resume = this.#resting?.chain ?? null;
    this.#resting = null;
    return (this.#writer ??= this.#follow(startWorker(writerData(this.#options, resume))));
  }

  #follow(writer: Worker): Worker {
    writer.on('message', (reply: WriterReply) => this.#hear(reply));
    writer.on('error', (error: Error) => this.#lost(error.message));
    writer.on('exit', () => {
      if (this.#closed === null) this.#lost("the writer's thread ended");
      else this.#closed();
    });
    writer.unref();
    return writer;
  }

  get counts(): LedgerCounts {
    return { written: this.#written, dropped: this.#dropped, failures: this.#failures, waiting: this.#waiting };
  }

  record(record: ExchangeRecord): void {
    if (!this.#hasRoom()) return;
    const body = recordJson(record);
    this.#begin(headOfExchange(record));
    this.#lines.addJson(body);
    this.#added();
  }

  observe(grade: Grade, { workspace }: GradedDecision): void {
    // The record's own checks are part of the record.
    if (grade.source === 'checks' || !this.#hasRoom()) return;
    const entry: GradeEntry = { grade, workspace };
    this.#begin(headOfGrade(entry));
    this.#lines.add(JSON.stringify(entry));
    this.#added();
  }

  /** Whether another line may wait; if not, it is counted as dropped. */
  #hasRoom(): boolean {
    if (!this.#gone && this.#waitingBytes + this.#lines.length <= limits.ledgerQueueBytes) return true;
    this.#dropped++;
    this.#droppedUntold++;
    return false;
  }

  /** Begins a row. */
  #begin(head: Head): void {
    this.#lines.addJson(this.#head.write(head));
    this.#lines.add('\n');
  }

  /** Ends a row. */
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
    // A thread that finds nothing would leave 10 MB.
    if (this.#resting?.chain.hasExchanges === false) return Promise.resolve([]);
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
    if (this.#resting !== null) return this.#closeResting(this.#resting.chain);
    const writer = this.#thread();
    writer.ref();
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      writer.postMessage({ kind: 'close' } satisfies WriterRequest);
    });
  }

  async #closeResting(chain: RestingChain): Promise<void> {
    if (this.#look !== null) clearInterval(this.#look);
    try {
      this.#options.onCheckpoint(await closeChain(backendOf(this.#options.file), chainOptions(this.#options), chain));
    } catch (error) {
      this.#failed(messageOf(error));
    }
  }

  #post(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#count === 0 || this.#gone) return;
    const lines = this.#lines.take();
    this.#waitingBytes += lines.length;
    // Transferred, not copied.
    this.#thread().postMessage({ kind: 'append', lines, count: this.#count, dropped: this.#droppedUntold } satisfies WriterRequest, [
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
        if (this.#away) this.#options.onBack?.();
        this.#away = false;
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

function unusableFile(file: string, error: unknown): SluiceError {
  return error instanceof SluiceError
    ? error
    : new SluiceError('SLUICE_LEDGER_UNUSABLE', messageOf(error), { where: shownPlace(file), cause: error });
}

function chainOptions(options: LedgerOptions): Pick<LedgerWorkerData & { role: 'writer' }, 'target' | 'version' | 'signingKey'> {
  return { target: targetOf(options), version: options.version, signingKey: options.signingKey };
}

function writerData(options: LedgerOptions, resume: RestingChain | null): LedgerWorkerData {
  return {
    ...chainOptions(options),
    role: 'writer',
    retention: options.retention,
    checkpointMs: options.checkpointMs ?? minute,
    pruneMs: 60 * minute,
    resume,
  };
}

function startWorker(data: LedgerWorkerData): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData: data, name: `ledger-${data.role}`, execArgv: [], env: {} });
}
