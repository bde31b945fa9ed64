import { readFileSync, renameSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import type { MemoryBudgetStore, SavedCounter } from './memory.ts';
import { messageOf } from '../lib/message-of.ts';

/** Interval between checks for changes to write, in ms. */
const everyMs = 1_000;

/** Keeps a process's counters in a file, so that a restart does not reset a spent budget. A kill loses up to a second. */
export class BudgetFile {
  readonly #path: string;
  readonly #store: MemoryBudgetStore;
  readonly #onError: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #written: number;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  /** Whether the write failure has been reported. */
  #told = false;

  /**
   * Reads the file. A damaged file is moved aside and reported, and its readable counters are kept. Throws SluiceError if it may not be
   * read.
   */
  constructor(path: string, store: MemoryBudgetStore, onError: (error: unknown) => void) {
    this.#path = path;
    this.#store = store;
    this.#onError = onError;
    const { counters, damage } = read(path);
    if (damage !== null) onError(new SluiceError('SLUICE_BUDGETS_DAMAGED', damage, { where: setAside(path) }));
    store.restore(counters);
    this.#written = store.changes;
    this.#timer = setInterval(() => {
      if (!this.#busy && this.#written !== store.changes) this.#writing = this.#write();
    }, everyMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    if (this.#written !== this.#store.changes) await this.#write();
  }

  async #write(): Promise<void> {
    this.#busy = true;
    const changes = this.#store.changes;
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      await writeFile(`${this.#path}.new`, JSON.stringify({ version: 1, counters: this.#store.snapshot() }), { mode: 0o600, flush: true });
      await rename(`${this.#path}.new`, this.#path);
      this.#written = changes;
      this.#told = false;
    } catch (error) {
      if (!this.#told) this.#onError(error);
      this.#told = true;
    } finally {
      this.#busy = false;
    }
  }
}

interface Saved {
  readonly counters: readonly SavedCounter[];
  /** What is wrong with the file; null if nothing. */
  readonly damage: string | null;
}

function read(path: string): Saved {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { counters: [], damage: null };
    throw new SluiceError('SLUICE_BUDGETS_FILE', messageOf(error), { where: path, cause: error });
  }
  try {
    const saved = JSON.parse(text) as { readonly version?: unknown; readonly counters?: unknown } | null;
    if (saved?.version !== 1 || !Array.isArray(saved.counters)) return { counters: [], damage: 'it holds something else than budgets' };
    const counters = saved.counters.filter(isCounter);
    const lost = saved.counters.length - counters.length;
    return { counters, damage: lost === 0 ? null : `${lost} of its ${saved.counters.length} counters cannot be read` };
  } catch (error) {
    return { counters: [], damage: messageOf(error) };
  }
}

/** Moves a damaged file aside so that people can still read it. Returns its new path. */
function setAside(path: string): string {
  const aside = `${path}.damaged-${Date.now()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    throw new SluiceError('SLUICE_BUDGETS_FILE', messageOf(error), { where: path, cause: error });
  }
  return aside;
}

function isCounter(value: unknown): value is SavedCounter {
  if (typeof value !== 'object' || value === null) return false;
  const { id, budget, values, start, end, spent, told } = value as Partial<Record<keyof SavedCounter, unknown>>;
  const texts = (list: unknown): boolean => Array.isArray(list) && list.every((one) => typeof one === 'string');
  return (
    typeof id === 'string' &&
    typeof budget === 'string' &&
    texts(values) &&
    texts(told) &&
    [start, end, spent].every((number) => typeof number === 'number' && Number.isFinite(number) && number >= 0)
  );
}
