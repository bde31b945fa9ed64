import type { Command } from 'commander';
import type { SluiceOptions } from '../app/options.ts';
import type { Sluice } from '../app/start.ts';
import { tellSupervisor } from '../app/supervised.ts';
import { balanceMs, renewMessage, secretVariable, workerVariable, type WorkerMessage } from '../app/workers/messages.ts';
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
      const sluice = await orExit(started(serveOptions(flags, given), flags.workers));
      let closing = false;
      const stop = (): void => {
        if (closing) return;
        closing = true;
        void sluice.close(flags.grace).then(() => process.exit(0));
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
      if (process.env[workerVariable] === undefined)
        tellSupervisor({ socket: null, adopt: (connection) => connection.destroy(), ...sluice.waits, lost: stop });
    },
  );
}

/** One process, or the parent of several, or one of these. Each loads only its own part. */
async function started(options: SluiceOptions, workers: number): Promise<Pick<Sluice, 'close'> & Partial<Pick<Sluice, 'waits'>>> {
  const number = process.env[workerVariable];
  if (number === undefined && workers > 1) {
    const { superviseWorkers } = await import('../app/workers/supervise.ts');
    return superviseWorkers(options, workers, (line) => {
      process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
    });
  }
  const { startSluice } = await import('../app/start.ts');
  if (number === undefined || process.send === undefined) return startSluice(options);
  const { optionsOfWorker } = await import('../app/workers/options.ts');
  const sluice = await startSluice(optionsOfWorker(options, Number(number), process.env[secretVariable] ?? ''));
  tellParent(sluice);
  return sluice;
}

/** Tells the parent of this worker that it is ready, and of its connections, and does what the parent says. */
function tellParent(sluice: Sluice): void {
  const tell = (message: WorkerMessage): void => {
    if (process.connected) process.send?.(message);
  };
  process.on('message', (message) => {
    if (message === renewMessage) sluice.renew();
  });
  tell({ adminUrl: sluice.adminUrl });
  let told = 0;
  setInterval(() => {
    if (sluice.connections() !== told) tell({ connections: (told = sluice.connections()) });
  }, balanceMs).unref();
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
