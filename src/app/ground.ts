import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { openLog, type LogOutput } from '../record/log-sink.ts';
import type { SluiceOptions } from './options.ts';

/**
 * The context of every startup step. A step that opens something pushes its close onto the stack: a failed start and a stop close the same
 * things, in reverse order.
 */
export interface Ground {
  readonly options: SluiceOptions;
  readonly version: string;
  readonly log: LogOutput;
  readonly logger: Logger;
  readonly stack: AsyncDisposableStack;
}

export function openGround(options: SluiceOptions, stack: AsyncDisposableStack): Ground {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const log = openLog({ level: options.logLevel, path: options.log });
  stack.defer(() => log.close());
  return { options, version, log, logger: log.logger, stack };
}
