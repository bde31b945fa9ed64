import { readAnswer } from '../../apis/index.ts';
import { apis } from '../../apis/registry.ts';
import { usageFromTotals } from '../../apis/reported-usage.ts';
import type { Answer, AnswerHead, AnswerReader, ApiName, ParsedRequest, UsageUnknown } from '../../apis/types.ts';
import type { CollectedAnswer, LoggedExchange, MetadataValue, ReportedUsage, SluiceMetadata } from '../plans.ts';
import { answerKey, inlineAnswer, type UsageMode } from '../../attach/names.ts';
import { limits } from '../../lib/limits.ts';
import type { AnswerEnding } from '../../record/record.ts';
import type { AnswerSource } from '../../record/types.ts';
import type { OpenExchange } from '../open.ts';
import { outcomeOf } from './outcome.ts';

/**
 * The source from which an answer is read. Copies are used when the whole answer is needed (by the cache, or to grade its content), and
 * when the protocol manager would not report everything that a price depends on.
 */
export function answerSource(
  usage: UsageMode,
  { api, fill, grading }: Pick<OpenExchange, 'api' | 'fill' | 'grading'>,
  asked: Pick<ParsedRequest, 'audioInputs' | 'audioOutput'> | null,
  body: Buffer | null,
): AnswerSource {
  if (usage === 'inline') return 'inline';
  if (usage === 'observe' || fill !== null || (grading !== null && (grading.copy !== null || grading.judge !== null))) return 'copies';
  if (usage === 'collect') return 'collected';
  // What Envoy's AI Protocol Manager can read. Without an API there is no answer to read.
  const managed = api === null ? true : apis[api].answer.managed;
  if (managed === false) return 'copies';
  if (asked !== null && (asked.audioInputs > 0 || asked.audioOutput)) return 'copies';
  return managed !== true && body?.includes(managed.unless) === true ? 'copies' : 'protocol-manager';
}

/** How many bytes at a stream's end contain its last events: some APIs repeat the whole answer in them. */
function tailBytes(api: ApiName | null): number {
  return api !== null && apis[api].answer.longEnd ? limits.sseEventBytes : limits.collectedTailBytes;
}

/**
 * Adds metadata that makes Envoy log an exchange, if the answer is read from its log, or keeps the request's stream open, if the answer comes
 * on it.
 */
export function addLogMetadata(
  { answerBy, api }: Pick<OpenExchange, 'answerBy' | 'api'>,
  metadata: Record<string, MetadataValue>,
): SluiceMetadata {
  if (answerBy === 'copies') return metadata;
  metadata[answerKey] = answerBy === 'inline' ? inlineAnswer : 'log';
  if (answerBy === 'collected') metadata['answer_tail'] = String(tailBytes(api));
  return metadata;
}

/** The ending of an exchange whose answer was read from Envoy's access log. */
export function loggedEnding(open: OpenExchange, entry: LoggedExchange): AnswerEnding {
  const { status, cutBy, firstByteMs, totalMs } = entry;
  if (status === 0) return { outcome: 'client-gone', status: null, answer: null, firstByteMs: null, firstTokenMs: null, totalMs };
  const whole = entry.collected === null ? cutBy === null : entry.collected.whole;
  const read = readLogged(open, entry, whole);
  return {
    outcome: outcomeOf(status, read.answer, whole, cutBy === 'client'),
    status,
    answer: read.answer,
    firstByteMs,
    // The script's clock has millisecond resolution, so it may be behind.
    firstTokenMs: open.stream && read.firstTokenMs !== null ? Math.max(read.firstTokenMs, firstByteMs ?? 0) : null,
    totalMs,
  };
}

interface Read {
  readonly answer: Answer | null;
  readonly firstTokenMs: number | null;
}

const unread: Read = { answer: null, firstTokenMs: null };

/** A stream that was cut before its first chunks were complete. */
const nothing: CollectedAnswer = { body: null, large: false, head: null, times: '', tail: null, gap: false, whole: false };

function readLogged(open: OpenExchange, entry: LoggedExchange, whole: boolean): Read {
  const { api } = open;
  if (api === null) return unread;
  if (open.answerBy === 'protocol-manager')
    return { answer: reportedAnswer(open, headOf(open, api, entry), entry, whole), firstTokenMs: null };
  // Complete but not collected: a filter before the collector answered.
  return entry.collected === null && whole ? unread : readCollected(headOf(open, api, entry), entry.collected ?? nothing, entry);
}

function headOf({ usageNotAsked }: OpenExchange, api: ApiName, { status, contentType, contentEncoding }: LoggedExchange): AnswerHead {
  return { api, status, contentType, contentEncoding, usageNotAsked };
}

function readCollected(head: AnswerHead, collected: CollectedAnswer, { startedAt, bodyBytes }: LoggedExchange): Read {
  if (collected.large)
    return {
      answer: {
        ...blank,
        usageUnknown: head.status >= 400 ? 'error-status' : 'too-large',
        complete: true,
        errorType: errorOf(head.status),
      },
      firstTokenMs: null,
    };
  const reader = readAnswer(head);
  let firstTokenMs: number | null = null;
  if (collected.body !== null) reader.push(collected.body);
  const first = collected.gap ? wholeEvents(collected.head) : collected.head;
  if (first !== null) firstTokenMs = replayed(reader, first, collected.times, startedAt);
  if (collected.tail !== null) reader.push(collected.gap ? fromNextEvent(collected.tail) : collected.tail);
  return {
    answer: scaled(reader.end(collected.whole), bodyBytes, (collected.head?.length ?? 0) + (collected.tail?.length ?? 0)),
    firstTokenMs,
  };
}

/** Reads the chunks as they came. Returns when the one with the first token came, ms since `startedAt`; null if none had it. */
function replayed(reader: AnswerReader, chunks: Buffer, times: string, startedAt: number): number | null {
  let firstTokenMs: number | null = null;
  let from = 0;
  for (const pair of times.split(',')) {
    const [length, at] = pair.split(':').map(Number);
    const to = from + (length ?? 0);
    if (reader.push(chunks.subarray(from, to)) && at !== undefined && at > 0) firstTokenMs = Math.max(0, at - startedAt);
    from = to;
  }
  return firstTokenMs;
}

/** Extrapolates from the read part of a stream to everything that was sent to the client. */
function scaled(answer: Answer, bodyBytes: number, read: number): Answer {
  const { seen } = answer;
  return seen === undefined || read === 0 || bodyBytes <= read
    ? answer
    : { ...answer, seen: { ...seen, output: Math.ceil((seen.output * bodyBytes) / read), bytes: bodyBytes } };
}

const blankLines = ['\n\n', '\r\n\r\n'] as const;

/** The bytes up to the last complete event. */
function wholeEvents(head: Buffer | null): Buffer | null {
  return head === null
    ? null
    : head.subarray(0, Math.max(...blankLines.map((line) => (head.lastIndexOf(line) < 0 ? 0 : head.lastIndexOf(line) + line.length))));
}

/** The bytes from the first event whose beginning is included. */
function fromNextEvent(tail: Buffer): Buffer {
  const starts = blankLines.flatMap((line) => (tail.indexOf(line) < 0 ? [] : [tail.indexOf(line) + line.length]));
  return tail.subarray(starts.length === 0 ? tail.length : Math.min(...starts));
}

const blank: Answer = { usage: null, usageUnknown: null, model: null, finishReason: null, complete: false, errorType: null };

function errorOf(status: number): string | null {
  return status >= 400 ? `http_${status}` : null;
}

/** Approximate bytes per token in a stream: the protocol manager reports nothing for a stream that was cut. */
const streamedTokenBytes = 200;

/** The answer as the AI Protocol Manager reported it. It reports neither the finish reason nor whether a stream ended properly. */
function reportedAnswer(
  { stream }: OpenExchange,
  head: AnswerHead,
  { usage: reported, bodyBytes }: LoggedExchange,
  whole: boolean,
): Answer {
  const { input, output } = reported ?? { input: null, output: null };
  const usage =
    reported?.complete === true && whole && input !== null && output !== null
      ? usageFromTotals(head.api, { ...reported, input, output })
      : null;
  return {
    ...blank,
    usage,
    usageUnknown: usage === null ? whyUnknown(head, reported, whole) : null,
    ...(usage === null && stream && head.status < 400
      ? { seen: { output: Math.ceil(bodyBytes / streamedTokenBytes), bytes: bodyBytes, said: null } }
      : {}),
    model: reported?.model ?? null,
    complete: whole,
    errorType: errorOf(head.status),
  };
}

function whyUnknown(head: AnswerHead, reported: ReportedUsage | null, whole: boolean): UsageUnknown {
  if (head.status >= 400) return 'error-status';
  if (!whole) return 'cut';
  if (reported === null) return head.usageNotAsked ? 'stream-not-asked' : 'not-sent';
  return reported.complete ? 'unreadable' : 'partial';
}
