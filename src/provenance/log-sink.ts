import { pino, type DestinationStream, type Logger } from 'pino';
import type { GradeSink } from '../feedback/types.ts';
import type { ExchangeRecord, RecordSink } from './types.ts';

export interface LogOptions {
  /** pino's levels, or `silent`. */
  readonly level: string;
  /** File to append to, or `-` for stdout. */
  readonly path: string;
}

export interface LogOutput {
  readonly logger: Logger;
  /** Writes out what is buffered; call it before the process ends. */
  flush(): void;
}

/** Longest time that a line waits in the buffer, in ms. */
const flushMs = 200;

/** A logger whose writes never block: lines are buffered and written in the background. */
export function openLog(options: LogOptions): LogOutput {
  const destination = pino.destination({
    dest: options.path === '-' ? 1 : options.path,
    sync: false,
    mkdir: true,
    minLength: 8 * 1024,
    // Lines beyond this many bytes of backlog are dropped: a full disk must not fill the memory.
    maxLength: 64 * 1024 * 1024,
    periodicFlush: flushMs,
  });
  const logger = createLogger(options.level, destination);
  return {
    logger,
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // Not open yet, or gone: there is nowhere left to write to.
      }
    },
  };
}

/** The process's JSON lines: level names, ISO time, no host and process id. */
export function createLogger(level: string, destination: DestinationStream): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, destination);
}

/**
 * One JSON line per record, `msg` is `exchange`, the record under `record`. A record holds no key, and of a prompt only
 * what the policy allowed when it was captured.
 */
export function logSink(logger: Logger): RecordSink {
  return {
    record(record: ExchangeRecord): void {
      try {
        logger.info({ record }, 'exchange');
      } catch {
        // The log may fail (closed, full); the request it tells of must not.
      }
    },
  };
}

/** Grades as log lines, but for those that are in the record anyway. */
export function gradeLog(logger: Logger): GradeSink {
  return {
    observe(grade): void {
      if (grade.source !== 'checks') logger.info({ grade }, 'grade');
    },
  };
}
