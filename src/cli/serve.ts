import type { Command } from 'commander';
import { sentenceOf } from '../lib/errors.ts';
import { readFlags, takeFlags } from './flags/flag.ts';
import { serveFlags } from './flags/serve.ts';
import { serveOptions } from './serve-options.ts';

/**
 * `sluice serve`: the processor. Prints JSON lines; the line with `"msg":"ready"` carries the bound addresses
 * (`listen`, `admin`). SIGTERM and SIGINT drain for `--grace` seconds, then exit 0.
 */
export function registerServe(program: Command): void {
  takeFlags(program.command('serve').description("run the external processor for Envoy's ext_proc filters"), serveFlags).action(
    async (given: Readonly<Record<string, string | undefined>>) => {
      const flags = readFlags(serveFlags, given);
      const options = serveOptions(flags, given);
      const { startSluice } = await import('../app/start.ts');
      const sluice = await orExit(startSluice(options));
      let closing = false;
      const stop = (): void => {
        if (closing) return;
        closing = true;
        void sluice.close(flags.grace).then(() => process.exit(0));
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    },
  );
}

/** A failed start ends the process, even if something is already open, so that nothing appears to serve. */
async function orExit<T>(start: Promise<T>): Promise<T> {
  try {
    return await start;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    process.exit(1);
  }
}
