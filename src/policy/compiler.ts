import { setImmediate } from 'node:timers/promises';
import { limits } from '../lib/limits.ts';
import {
  assemble,
  compilePolicy,
  orderFiles,
  resultOf,
  textsOf,
  unreadProblems,
  type CompileOptions,
  type CompileResult,
} from './compile.ts';
import { ReaderThread } from './reader-thread.ts';
import type { PolicyFile } from './types.ts';

/** A value that is there, or will be. */
export type Soon<T> = T | Promise<T>;

/** Calls `use` with the value: at once if it is there. */
export function whenThere<T, R>(value: Soon<T>, use: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** Runs some work once at a time. Whoever asks meanwhile has it run again afterwards: the work looks for what is wanted by then. */
export class Rounds {
  readonly #work: () => Soon<void>;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(work: () => Soon<void>) {
    this.#work = work;
  }

  /** Resolves when the work that was asked for is done; at once if it took no time. */
  run(): Soon<void> {
    if (this.#running !== null) {
      this.#again = true;
      return this.#running;
    }
    const done = this.#work();
    if (!(done instanceof Promise)) return done;
    this.#running = done.then(() => this.#rest()).finally(() => (this.#running = null));
    return this.#running;
  }

  async #rest(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#work();
    }
  }
}

/**
 * Compiles policies while requests are answered. Small ones are compiled at once. Large ones are read on a thread, which takes most of the
 * time, and compiled in short steps between requests, one policy after the other. The result is the same.
 */
export class PolicyCompiler {
  readonly #thread = new ReaderThread();
  readonly #now: () => number;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `now`: a clock in ms. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** The promise never rejects; after `close` it may never resolve. */
  compile(files: readonly PolicyFile[], options: CompileOptions): Soon<CompileResult> {
    const bytes = files.reduce((sum, { text }) => sum + text.length, 0);
    if (bytes < limits.inlinePolicyBytes || bytes > limits.policyBytes || this.#closed) return compilePolicy(files, options);
    const result = this.#last.then(() =>
      this.#apart(orderFiles(files, options), options).catch(() =>
        // Without its thread a policy is still compiled, at the cost of the requests meanwhile.
        this.#closed ? new Promise<never>(() => undefined) : compilePolicy(files, options),
      ),
    );
    this.#last = result;
    return result;
  }

  close(): void {
    this.#closed = true;
    this.#thread.close();
  }

  async #apart(files: readonly PolicyFile[], options: CompileOptions): Promise<CompileResult> {
    const unread = unreadProblems(files);
    if (unread.length > 0) return { generation: null, problems: unread };
    const { loaded, problems, locate } = await this.#thread.read(textsOf(files));
    const read = { files, loaded, problems };
    const { generation, problems: found } = await inSteps(assemble(read, options), this.#now);
    return resultOf(read, { generation, problems: await locate(found) });
  }
}

/** Runs steps, and lets everything else run every few milliseconds. Done at once if they take no longer than that. `now`: a clock in ms. */
export function inSteps<T>(steps: Iterator<undefined, T>, now = (): number => performance.now()): Soon<T> {
  const until = now() + limits.policyStepMs;
  do {
    const step = steps.next();
    if (step.done === true) return step.value;
  } while (now() < until);
  return setImmediate().then(() => inSteps(steps, now));
}
