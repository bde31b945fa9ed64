import { LRUCache } from 'lru-cache';
import type { ParsedRequest } from '../../apis/types.ts';
import { limits } from '../../lib/limits.ts';
import { askKey, askOf } from './ask.ts';
import { embeddingHeads, type Addition } from './heads.ts';
import { EmbeddingThread, type ThreadOptions } from './thread.ts';

/**
 * How a request's vector came: from the cache, computed while the request waited, later than it was ready to wait, not at all because too
 * many others wait, or not at all because the thread has ended.
 */
export const embeddingResults = ['cached', 'computed', 'late', 'busy', 'failed'] as const;
export type EmbeddingResult = (typeof embeddingResults)[number];

/** What a prompt's vector adds to the text model's outputs; null if it does not join. */
export interface Embedded {
  readonly result: EmbeddingResult;
  readonly addition: Addition | null;
}

export interface EmbedderOptions {
  /** The folder of the sentence model. */
  readonly folder: string;
  /** Called when the thread has ended, and each time it could not be started again. */
  readonly onProblem: (error: unknown) => void;
  /** After the thread has ended, how long until it is started again, in ms; doubled at each failure. */
  readonly restartMs?: number;
  /** Most vectors that are kept. */
  readonly entries?: number;
  /** Starts a thread. */
  readonly start?: (options: ThreadOptions) => Promise<Pick<EmbeddingThread, 'send' | 'close'>>;
}

interface Waiting {
  readonly key: string;
  readonly resolve: ((embedded: Embedded) => void)[];
}

const without = (result: EmbeddingResult): Embedded => ({ result, addition: null });

/** Bytes of a cached entry: its key, the numbers, and what the lists around them take, measured roughly. */
const entryBytes = 600;

/** First and longest pause before the thread is started again, in ms. */
const firstRestartMs = 1_000;
const mostRestartMs = 60_000;

/**
 * Vectors of prompts by a sentence model on a thread. Prompts that differ only in numbers, dates, spaces and upper case share one. What
 * a vector adds is kept in memory; a request waits for it no longer than it wants, and what comes later serves the next ones.
 */
export class Embedder {
  readonly #options: EmbedderOptions;
  readonly #kept: LRUCache<string, Addition>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #byKey = new Map<string, number>();
  #thread: Pick<EmbeddingThread, 'send' | 'close'> | null = null;
  #number = 0;
  #restartMs: number;
  #restart: NodeJS.Timeout | null = null;
  #closed = false;

  private constructor(options: EmbedderOptions) {
    this.#options = options;
    this.#kept = new LRUCache({ max: options.entries ?? Math.floor(limits.embeddingCacheBytes / entryBytes) });
    this.#restartMs = options.restartMs ?? firstRestartMs;
  }

  /** Starts the thread and waits until it has loaded the model. Throws SLUICE_EMBEDDING. */
  static async open(options: EmbedderOptions): Promise<Embedder> {
    // Read before requests come.
    embeddingHeads();
    const embedder = new Embedder(options);
    await embedder.#start();
    return embedder;
  }

  /** Prompts whose vectors are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /**
   * The vector of what a request asks: at once if it is known or the request does not wait, else a promise that is kept within `waitMs`
   * and never rejects. Null if the request asks nothing of its own.
   */
  find(
    { lastUser, lastIsToolResult }: Pick<ParsedRequest, 'lastUser' | 'lastIsToolResult'>,
    waitMs: number,
  ): Embedded | Promise<Embedded> | null {
    if (lastIsToolResult || lastUser.trim() === '') return null;
    const key = askKey(lastUser);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return { result: 'cached', addition: kept };
    if (this.#thread === null) return without('failed');
    const waiting = this.#ask(key, lastUser);
    if (waiting === null) return without('busy');
    return waitMs === 0 ? without('late') : waitFor(waiting, waitMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const thread = this.#thread;
    this.#lose();
    await thread?.close();
  }

  /** Has a prompt embedded, unless it is already. Null if too many are waiting. */
  #ask(key: string, prompt: string): Waiting | null {
    const earlier = this.#byKey.get(key);
    if (earlier !== undefined) return this.#waiting.get(earlier)!;
    if (this.#waiting.size >= limits.embeddingsWaiting) return null;
    const number = ++this.#number;
    const waiting: Waiting = { key, resolve: [] };
    this.#waiting.set(number, waiting);
    this.#byKey.set(key, number);
    this.#thread!.send({ number, prompt: askOf(prompt) });
    return waiting;
  }

  async #start(): Promise<void> {
    const start = this.#options.start ?? ((options) => EmbeddingThread.start(options));
    const thread = await start({
      folder: this.#options.folder,
      onDone: (number, addition) => this.#done(number, addition),
      onEnd: (error) => this.#ended(error),
    });
    if (this.#closed) await thread.close();
    else this.#thread = thread;
  }

  #done(number: number, addition: Addition | null): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    this.#waiting.delete(number);
    this.#byKey.delete(waiting.key);
    this.#restartMs = this.#options.restartMs ?? firstRestartMs;
    if (addition !== null) this.#kept.set(waiting.key, addition);
    for (const resolve of waiting.resolve) resolve(addition === null ? without('failed') : { result: 'computed', addition });
  }

  #ended(error: unknown): void {
    this.#lose();
    this.#options.onProblem(error);
    if (this.#closed) return;
    this.#restart = setTimeout(() => {
      this.#start().catch((again: unknown) => this.#ended(again));
    }, this.#restartMs);
    this.#restart.unref();
    this.#restartMs = Math.min(mostRestartMs, 2 * this.#restartMs);
  }

  /** Requests that wait go on without. */
  #lose(): void {
    this.#thread = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#byKey.clear();
    for (const { resolve } of waiting) for (const one of resolve) one(without('failed'));
  }
}

function waitFor({ resolve }: Waiting, waitMs: number): Promise<Embedded> {
  return new Promise((done) => {
    const timer = setTimeout(() => done(without('late')), waitMs);
    resolve.push((embedded) => {
      clearTimeout(timer);
      done(embedded);
    });
  });
}
