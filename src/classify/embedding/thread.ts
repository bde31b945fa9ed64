import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../lib/errors.ts';
import type { Addition } from './heads.ts';

/** Message to the thread: a prompt to embed. */
export interface ToEmbedding {
  readonly number: number;
  readonly prompt: string;
}

/** Message from the thread: it has started, or what a prompt's vector adds; null if there is none for this prompt. */
export type FromEmbedding =
  { readonly kind: 'ready' } | { readonly kind: 'done'; readonly number: number; readonly addition: Addition | null };

export interface ThreadOptions {
  readonly folder: string;
  readonly onDone: (number: number, addition: Addition | null) => void;
  /** Called once if the thread ends by itself. */
  readonly onEnd: (error: Error) => void;
}

/** One life of the thread that holds the sentence model. */
export class EmbeddingThread {
  readonly #worker: Worker;
  #closed = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Starts a thread and waits until it has loaded the model. Throws SLUICE_EMBEDDING. */
  static async start({ folder, onDone, onEnd }: ThreadOptions): Promise<EmbeddingThread> {
    const worker = new Worker(new URL('./embedding-worker.ts', import.meta.url), {
      name: 'embedding',
      workerData: { folder },
      execArgv: [],
      env: {},
    });
    const thread = new EmbeddingThread(worker);
    await new Promise<void>((ready, failed) => {
      let started = false;
      let cause: Error | null = null;
      worker.on('message', (message: FromEmbedding) => {
        if (message.kind === 'done') {
          onDone(message.number, message.addition);
          return;
        }
        started = true;
        // Only a start that is waited for keeps the process alive.
        worker.unref();
        ready();
      });
      worker.on('error', (error: Error) => (cause = error));
      worker.on('exit', (code) => {
        const error = cause ?? new Error(`it ended with ${code}`);
        if (!started) failed(notStarted(folder, error));
        else if (!thread.#closed) onEnd(error);
      });
    });
    return thread;
  }

  send(message: ToEmbedding): void {
    this.#worker.postMessage(message);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker.terminate();
  }
}

/** An error from a thread has lost its class; its message is kept. */
function notStarted(folder: string, error: Error): SluiceError {
  return new SluiceError('SLUICE_EMBEDDING', `The sentence model does not start: ${error.message}`, { where: folder, cause: error });
}
