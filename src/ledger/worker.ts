import { createPrivateKey, type KeyObject } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../lib/errors.ts';
import { openDatabase } from './database.ts';
import type { LedgerQuestion, LedgerWorkerData, ReaderReply, ReaderRequest, WriterReply, WriterRequest } from './messages.ts';
import { openReader, type LedgerReader } from './reader.ts';
import { LedgerWriter, type Retention } from './store.ts';
import { isPostgres, type LedgerTarget } from './target.ts';
import type { Checkpoint } from './types.ts';

/** A failed write is tried again after this long, in ms: the disk may have room again. */
const retryMs = 1_000;

const port = parentPort;
const data = workerData as LedgerWorkerData;
if (port === null) throw new Error('this file runs as a worker thread');

if (data.role === 'writer') void write(data);
else read(data.target);

/** A writer of a file answers at once, one of a database later. */
interface Writer {
  readonly id: string;
  readonly seq: number;
  append(lines: readonly string[], dropped: number): void | Promise<void>;
  checkpoint(key: KeyObject | null): Checkpoint | Promise<Checkpoint>;
  prune(retention: Retention): number | Promise<number>;
  close(): void | Promise<void>;
}

async function openWriter(target: LedgerTarget, version: string): Promise<{ readonly writer: Writer; readonly end: () => void | Promise<void> }> {
  if (isPostgres(target.place)) {
    // Loaded where it is used.
    const { PostgresWriter } = await import('./postgres/store.ts');
    const writer = await PostgresWriter.open(target, { version });
    return { writer, end: () => writer.end() };
  }
  const db = openDatabase(target.place, 'write');
  return { writer: new LedgerWriter(db, { version }), end: () => void db.close() };
}

function addLines({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>, lines: string[]): void {
  const bytes = Buffer.from(buffer, byteOffset, length);
  for (let from = 0, end = bytes.indexOf(10); end >= 0; from = end + 1, end = bytes.indexOf(10, from)) lines.push(bytes.toString('utf8', from, end));
}

type Batch = WriterRequest & { readonly kind: 'append' };

async function write(options: LedgerWorkerData & { readonly role: 'writer' }): Promise<void> {
  const say = (reply: WriterReply): void => port!.postMessage(reply);
  let opened: Awaited<ReturnType<typeof openWriter>>;
  try {
    opened = await openWriter(options.target, options.version);
  } catch (error) {
    say({ kind: 'refused', message: messageOf(error) });
    return;
  }
  const { writer, end } = opened;
  const key = options.signingKey === null ? null : createPrivateKey(options.signingKey);
  let waiting: Batch[] = [];
  /** What a transaction was tried with: tried again, it is the same. */
  let current: Batch[] = [];
  let closing = false;
  let scheduled: NodeJS.Timeout | NodeJS.Immediate | null = null;
  let checkpointAt = 0;
  let turn: Promise<void> = Promise.resolve();

  /** One thing at a time: all of them move the end of the chain. What fails is told. */
  const inTurn = (work: () => void | Promise<void>): Promise<void> => {
    turn = turn.then(work).catch((error: unknown) => say({ kind: 'failed', message: messageOf(error) }));
    return turn;
  };

  /** One transaction for all that waits: the more comes, the fewer commits a record. */
  const drain = async (): Promise<void> => {
    if (current.length === 0) {
      current = waiting;
      waiting = [];
    }
    if (current.length === 0) return;
    let count = 0;
    let bytes = 0;
    let dropped = 0;
    const lines: string[] = [];
    for (const batch of current) {
      count += batch.count;
      bytes += batch.lines.length;
      dropped += batch.dropped;
      addLines(batch.lines, lines);
    }
    try {
      await writer.append(lines, dropped);
      current = [];
      say({ kind: 'written', count, bytes });
    } catch (error) {
      say({ kind: 'failed', message: messageOf(error) });
    }
  };
  const schedule = (): void => {
    if (scheduled !== null) return;
    const next = (): void => {
      scheduled = null;
      void inTurn(drain).then(() => {
        if (closing) void finish();
        else if (current.length + waiting.length > 0) schedule();
      });
    };
    scheduled = current.length > 0 ? setTimeout(next, retryMs) : setImmediate(next);
  };
  const checkpoint = async (): Promise<void> => {
    if (writer.seq === checkpointAt) return;
    say({ kind: 'checkpoint', checkpoint: await writer.checkpoint(key) });
    checkpointAt = writer.seq;
  };
  const prune = async (): Promise<void> => {
    const rows = await writer.prune(options.retention);
    if (rows > 0) say({ kind: 'pruned', rows });
  };
  const timers = [setInterval(() => void inTurn(checkpoint), options.checkpointMs), setInterval(() => void inTurn(prune), options.pruneMs)];
  let finishing = false;
  const finish = async (): Promise<void> => {
    if (finishing) return;
    finishing = true;
    for (const timer of timers) clearInterval(timer);
    // Once for what failed before, once for what came since.
    await inTurn(drain);
    await inTurn(drain);
    await inTurn(() => writer.close());
    await inTurn(checkpoint);
    await inTurn(end);
    say({ kind: 'closed' });
    port!.close();
  };
  port!.on('message', (request: WriterRequest) => {
    if (request.kind === 'append') waiting.push(request);
    else closing = true;
    if (!closing) {
      schedule();
      return;
    }
    clearTimeout(scheduled as NodeJS.Timeout | undefined ?? undefined);
    clearImmediate(scheduled as NodeJS.Immediate | undefined ?? undefined);
    void finish();
  });
  say({ kind: 'ready', writer: writer.id });
  // The first row names where other chains ended: signed at once, it covers what a killed writer could not sign.
  void inTurn(checkpoint);
  void inTurn(prune);
}

function read(target: LedgerTarget): void {
  let reader: Promise<LedgerReader> | null = null;
  port!.on('message', ({ id, question }: ReaderRequest) => {
    reader ??= openReader(target);
    void reader
      .then((opened) => answer(opened, question))
      .then(
        (found): ReaderReply => ({ id, ok: true, answer: found }),
        (error: unknown): ReaderReply => {
          const known = error instanceof SluiceError ? error : new SluiceError('SLUICE_INTERNAL', messageOf(error));
          // One that could not be opened may be there the next time.
          if (known.code === 'SLUICE_LEDGER_UNUSABLE') reader = null;
          return { id, ok: false, code: known.code, message: known.message, where: known.where, fix: known.fix };
        },
      )
      .then((reply) => port!.postMessage(reply));
  });
}

function answer(reader: LedgerReader, question: LedgerQuestion): Promise<unknown> {
  switch (question.kind) {
    case 'decisions':
      return reader.decisions(question.query);
    case 'record':
      return reader.record(question.id);
    case 'grades':
      return reader.grades(question.id);
    case 'savings':
      return reader.savings(question);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
