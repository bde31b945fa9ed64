import { createPrivateKey } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { openDatabase, type Db } from './database.ts';
import type { LedgerQuestion, LedgerWorkerData, ReaderReply, ReaderRequest, WriterReply, WriterRequest } from './messages.ts';
import { findDecisions, findGrades, findRecord, savingsReport } from './query.ts';
import { LedgerWriter } from './store.ts';

/** A failed write is tried again after this long, in ms: the disk may have room again. */
const retryMs = 1_000;

const port = parentPort;
const data = workerData as LedgerWorkerData;
if (port === null) throw new Error('this file runs as a worker thread');

if (data.role === 'writer') write(data);
else read(data.file);

function write(options: LedgerWorkerData & { readonly role: 'writer' }): void {
  const say = (reply: WriterReply): void => port!.postMessage(reply);
  let db: Db;
  let writer: LedgerWriter;
  try {
    db = openDatabase(options.file, 'write');
    writer = new LedgerWriter(db, { version: options.version });
  } catch (error) {
    say({ kind: 'refused', message: messageOf(error) });
    return;
  }
  const key = options.signingKey === null ? null : createPrivateKey(options.signingKey);
  let waiting: (WriterRequest & { readonly kind: 'append' })[] = [];
  let closing = false;
  let scheduled: NodeJS.Timeout | NodeJS.Immediate | null = null;
  let checkpointAt = 0;

  /** One transaction for all that waits: the more comes, the fewer commits a record. */
  const drain = (): void => {
    scheduled = null;
    if (waiting.length > 0) {
      let count = 0;
      let characters = 0;
      let dropped = 0;
      const lines: string[] = [];
      for (const batch of waiting) {
        count += batch.count;
        characters += batch.lines.length;
        dropped += batch.dropped;
        for (const line of batch.lines.split('\n')) if (line !== '') lines.push(line);
      }
      try {
        writer.append(lines, dropped);
        waiting = [];
        say({ kind: 'written', count, characters });
      } catch (error) {
        say({ kind: 'failed', message: messageOf(error) });
        if (!closing) {
          scheduled = setTimeout(drain, retryMs);
          return;
        }
      }
    }
    if (closing) finish();
  };
  const checkpoint = (): void => {
    if (writer.seq === checkpointAt) return;
    say({ kind: 'checkpoint', checkpoint: writer.checkpoint(key) });
    checkpointAt = writer.seq;
  };
  const guarded = (work: () => void) => (): void => {
    try {
      work();
    } catch (error) {
      say({ kind: 'failed', message: messageOf(error) });
    }
  };
  const prune = (): void => {
    const rows = writer.prune(options.retention);
    if (rows > 0) say({ kind: 'pruned', rows });
  };
  const timers = [setInterval(guarded(checkpoint), options.checkpointMs), setInterval(guarded(prune), options.pruneMs)];
  const finish = (): void => {
    for (const timer of timers) clearInterval(timer);
    guarded(() => writer.close())();
    guarded(checkpoint)();
    db.close();
    say({ kind: 'closed' });
    port!.close();
  };
  port!.on('message', (request: WriterRequest) => {
    if (request.kind === 'append') waiting.push(request);
    else closing = true;
    if (closing && scheduled !== null) {
      clearTimeout(scheduled as NodeJS.Timeout);
      clearImmediate(scheduled as NodeJS.Immediate);
      scheduled = null;
    }
    scheduled ??= setImmediate(drain);
  });
  say({ kind: 'ready', writer: writer.id });
  guarded(prune)();
}

function read(file: string): void {
  let db: Db | null = null;
  port!.on('message', ({ id, question }: ReaderRequest) => {
    let reply: ReaderReply;
    try {
      db ??= openDatabase(file, 'readonly');
      reply = { id, ok: true, answer: answer(db, question) };
    } catch (error) {
      const known = error instanceof SluiceError ? error : new SluiceError('SLUICE_INTERNAL', messageOf(error));
      reply = { id, ok: false, code: known.code, message: known.message, where: known.where, fix: known.fix };
    }
    port!.postMessage(reply);
  });
}

function answer(db: Db, question: LedgerQuestion): unknown {
  switch (question.kind) {
    case 'decisions':
      return findDecisions(db, question.query);
    case 'record':
      return findRecord(db, question.id);
    case 'grades':
      return findGrades(db, question.id);
    case 'savings':
      return savingsReport(db, question);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
