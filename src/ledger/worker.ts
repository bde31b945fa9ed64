import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../lib/errors.ts';
import { messageOf } from '../lib/message-of.ts';
import { answerLength, type AnswerLength } from '../router/output/answer-length.ts';
import type { LedgerReader } from './backend.ts';
import { backendOf } from './backends.ts';
import type { LedgerQuestion, LedgerWorkerData, ReaderReply, ReaderRequest } from './messages.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { LedgerTarget } from './target.ts';
import { WriterThread } from './writer-thread.ts';

const port = parentPort;
const data = workerData as LedgerWorkerData;
if (port === null) throw new Error('this file runs as a worker thread');

if (data.role === 'writer') void new WriterThread(data, port).start();
else read(data.target);

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
