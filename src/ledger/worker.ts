import { createPrivateKey } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { collectWhenUnused } from '../lib/collect.ts';
import { SluiceError } from '../lib/errors.ts';
import { answerLength, type AnswerLength } from '../router/output/answer-length.ts';
import type { LedgerReader } from './backend.ts';
import { backendOf } from './backends.ts';
import type { LedgerQuestion, LedgerWorkerData, ReaderReply, ReaderRequest, WriterReply, WriterRequest } from './messages.ts';
import { ReopeningWriter } from './reopening-writer.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { LedgerTarget } from './target.ts';

/** Delay before a failed write is retried, in ms: the disk may have space again. */
const retryMs = 1_000;

/** Interval of checks on a ledger without records to write: whether its database is back, or its file is gone. In ms. */
const lookMs = 2_000;

/** Bytes of lines in one transaction: enough that its commit costs little a record, and memory stays small when many wait. */
const transactionBytes = 4 * 1024 * 1024;

const port = parentPort;
const data = workerData as LedgerWorkerData;
if (port === null) throw new Error('this file runs as a worker thread');

if (data.role === 'writer') void write(data);
else read(data.target);

function addLines({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>, lines: string[]): void {
  const bytes = Buffer.from(buffer, byteOffset, length);
  for (let from = 0, end = bytes.indexOf(10); end >= 0; from = end + 1, end = bytes.indexOf(10, from))
    lines.push(bytes.toString('utf8', from, end));
}

type Batch = WriterRequest & { readonly kind: 'append' };

async function write(options: LedgerWorkerData & { readonly role: 'writer' }): Promise<void> {
  const say = (reply: WriterReply): void => port!.postMessage(reply);
  const backend = backendOf(options.target.place);
  const ledger = new ReopeningWriter({
    open: () => backend.openWriter(options.target, { version: options.version }),
    onOpen: (remade) => {
      checkpointAt = 0;
      say({ kind: remade ? 'remade' : 'ready' });
      // The first row records where other chains ended: signed at once, it covers what a killed writer could not sign.
      void inTurn(checkpoint);
      void inTurn(prune);
    },
  });
  const key = options.signingKey === null ? null : createPrivateKey(options.signingKey);
  const waiting: Batch[] = [];
  /** The batches of the current transaction; a retry uses the same. */
  let current: Batch[] = [];
  let closing = false;
  let scheduled: NodeJS.Timeout | NodeJS.Immediate | null = null;
  let checkpointAt = 0;
  let turn: Promise<void> = Promise.resolve();

  /** Serialises all work, because each task moves the end of the chain. Failures are reported. */
  const inTurn = (work: () => void | Promise<void>): Promise<void> => {
    turn = turn.then(work).catch((error: unknown) => say({ kind: 'failed', message: messageOf(error) }));
    return turn;
  };

  /** One transaction for the waiting batches: under load there are fewer commits per record. */
  const drain = async (): Promise<void> => {
    if (current.length === 0) {
      let most = 0;
      for (let size = 0; most < waiting.length && size < transactionBytes; most++) size += waiting[most]!.lines.length;
      current = waiting.splice(0, most);
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
      await (await ledger.reach()).append(lines, dropped);
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
    if (ledger.seq === checkpointAt) return;
    const writer = await ledger.reach();
    say({ kind: 'checkpoint', checkpoint: await writer.checkpoint(key) });
    checkpointAt = writer.seq;
  };
  const prune = async (): Promise<void> => {
    if (!ledger.open) return;
    const rows = await (await ledger.reach()).prune(options.retention);
    if (rows > 0) say({ kind: 'pruned', rows });
  };
  const look = async (): Promise<void> => {
    // A failure here is reported when there is something to write.
    await ledger.reach().catch(() => undefined);
  };
  const timers = [
    setInterval(() => void inTurn(look), lookMs),
    setInterval(() => void inTurn(checkpoint), options.checkpointMs),
    setInterval(() => void inTurn(prune), options.pruneMs),
  ];
  let finishing = false;
  const finish = async (): Promise<void> => {
    if (finishing) return;
    finishing = true;
    for (const timer of timers) clearInterval(timer);
    // What failed before is tried once more; then what arrived since, as long as it can be written.
    await inTurn(drain);
    while (current.length === 0 && waiting.length > 0) await inTurn(drain);
    await inTurn(drain);
    if (ledger.open) await inTurn(async () => (await ledger.reach()).close());
    await inTurn(checkpoint);
    await inTurn(() => ledger.end());
    say({ kind: 'closed' });
    port!.close();
  };
  let refused = false;
  await inTurn(async () => {
    await ledger.reach().catch((error: unknown) => {
      refused = !backend.isAway(error);
      say({ kind: refused ? 'refused' : 'away', message: messageOf(error) });
    });
  });
  if (refused) {
    for (const timer of timers) clearInterval(timer);
    return;
  }
  let used = false;
  collectWhenUnused(() => used);
  port!.on('message', (request: WriterRequest) => {
    used = true;
    if (request.kind === 'append') waiting.push(request);
    else closing = true;
    if (!closing) {
      schedule();
      return;
    }
    clearTimeout((scheduled as NodeJS.Timeout | undefined) ?? undefined);
    clearImmediate((scheduled as NodeJS.Immediate | undefined) ?? undefined);
    void finish();
  });
}

function read(target: LedgerTarget): void {
  let reader: Promise<LedgerReader> | null = null;
  port!.on('message', ({ id, question }: ReaderRequest) => {
    reader ??= backendOf(target.place).openReader(target);
    void reader
      .then((opened) => answer(opened, question))
      .then(
        (found): ReaderReply => ({ id, ok: true, answer: found }),
        (error: unknown): ReaderReply => {
          const known = error instanceof SluiceError ? error : new SluiceError('SLUICE_INTERNAL', messageOf(error));
          // A ledger that could not be opened may be available next time.
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
    case 'lengths':
      return lengths(reader, question.from, question.limit);
    case 'savings':
      return reader.savings(question);
  }
}

/** Records held at once while lengths are read. */
const lengthsPage = 500;

/** Only what they teach leaves the thread: whole records would cost the receiver more than they say. */
async function lengths(reader: LedgerReader, from: number, limit: number): Promise<AnswerLength[]> {
  const found: AnswerLength[] = [];
  let to: number | null = null;
  for (let left = limit; left > 0; left -= lengthsPage) {
    const records: ExchangeRecord[] = await reader.decisions({ where: [], from, to, limit: Math.min(left, lengthsPage) });
    found.push(...records.map(answerLength).filter((length) => length !== null));
    if (records.length < lengthsPage) break;
    // Records of this same millisecond that were on no page are left out: these are means, not sums of money.
    to = Date.parse(records.at(-1)!.time);
  }
  return found.reverse();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
