import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import type { GradeSink } from '../grades/types.ts';
import { unwritable } from '../lib/errors.ts';
import { isoTime } from '../lib/iso-time.ts';
import type { JsonBytes } from '../lib/json-bytes.ts';
import { limits } from '../lib/limits.ts';
import { BatchedLines } from './batched.ts';
import { LineWriter, type LogCounts } from './line-writer.ts';
import { recordJson } from './record-json.ts';
import { Repeats } from './repeats.ts';
import type { ExchangeRecord, RecordSink } from './types.ts';

export interface LogOptions {
  /** pino's levels, or `silent`. */
  readonly level: string;
  /** File to append to, or `-` for stdout. */
  readonly path: string;
}

export interface LogOutput {
  readonly logger: Logger;
  /** Destination of the logger's lines. */
  readonly destination: DestinationStream & { writeParts?(...parts: readonly (string | JsonBytes)[]): void };
  /** Writes buffered lines, for half a second at most; await it before the process exits. */
  flush(): Promise<void>;
  /** Flushes and closes; later lines are not written. */
  close(): Promise<void>;
  /** Counts of lines that could not be written. */
  counts(): LogCounts;
}

/** A logger whose writes never block: lines are gathered and written in the background. Throws SluiceError SLUICE_FILE_UNWRITABLE. */
export function openLog(options: LogOptions): LogOutput {
  let file: LineWriter;
  try {
    file = new LineWriter(options.path, limits.logBacklogBytes);
  } catch (error) {
    throw unwritable(options.path, error);
  }
  const destination = new BatchedLines(file);
  const logger = createLogger(options.level, destination);
  return {
    logger,
    destination,
    counts: () => file.counts,
    flush: () => {
      destination.flush();
      return file.flush();
    },
    close: async () => {
      destination.flush();
      await file.close();
    },
  };
}

/** Log levels, from the most to the least verbose. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** pino's number of `warn`: from this level on, repeated messages are suppressed. */
const warn = 40;

/** The process's JSON logger: level names, ISO time, no host or process id. Its `level` may be changed at any time. */
export function createLogger(level: string, destination: DestinationStream): Logger {
  const repeats = new Repeats();
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFields },
      hooks: {
        logMethod(args, method, number) {
          const message: unknown = args[1];
          if (number < warn || typeof message !== 'string') {
            method.apply(this, args);
            return;
          }
          const held = repeats.held(message, Date.now());
          if (held === null) return;
          if (held > 0) args[0] = { ...(args[0] as object), held };
          method.apply(this, args);
        },
      },
    },
    destination,
  );
}

/** An error's fields. A parser's message quotes its input, which may be a prompt, so only the position is kept. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof SyntaxError)) return error instanceof Error ? stdSerializers.err(error) : error;
  return {
    type: error.name,
    stack: (error.stack ?? '')
      .split('\n')
      .filter((line) => /^ {4}at /.test(line))
      .join('\n'),
  };
}

const head = '{"level":"info","time":"';
const middle = '","record":';

/**
 * One JSON line per record: `msg` is `exchange`, the record is under `record`. A record never contains a key, and contains of a prompt only
 * what the policy's capture setting allowed. Of successful exchanges only a `share` (0 to 1) is written; if it is below 1, the line
 * contains it too.
 */
export function logSink({ logger, destination }: Pick<LogOutput, 'logger' | 'destination'>, share = 1): RecordSink {
  const most = share * 0x1_0000_0000;
  const tail = share < 1 ? `,"share":${share},"msg":"exchange"}\n` : ',"msg":"exchange"}\n';
  return {
    record(record: ExchangeRecord): void {
      // Decided by the random end of the id, so that the same exchanges are chosen everywhere.
      if (share < 1 && record.outcome === 'complete' && Number.parseInt(record.id.slice(-8), 16) >= most) return;
      if (!logger.isLevelEnabled('info')) return;
      try {
        // Built by hand in the logger's format, because the JSON already exists.
        const time = isoTime(Date.now());
        if (destination.writeParts === undefined) destination.write(`${head}${time}${middle}${recordJson(record).toString()}${tail}`);
        else destination.writeParts(head, time, middle, recordJson(record), tail);
      } catch {
        // A log failure (closed, full) must not fail the request.
      }
    },
  };
}

/** Writes grades as log lines, except those that the record contains anyway. */
export function gradeLog(logger: Logger): GradeSink {
  return {
    observe(grade): void {
      if (grade.source !== 'checks') logger.info({ grade }, 'grade');
    },
  };
}
