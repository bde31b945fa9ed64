import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import type { MemoryBudgetStore, SavedCounter } from './memory.ts';

/** Between two looks whether there is something to write, in ms. */
const everyMs = 1_000;

/** Keeps a process's counters in a file, so that a restart does not hand out a spent budget once more. A kill loses a second. */
export class BudgetFile {
  readonly #path: string;
  readonly #store: MemoryBudgetStore;
  readonly #onError: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #written: number;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  /** It was told that writing fails. */
  #told = false;

  /** Reads what is there. Throws SluiceError when the file is none of ours: spending must not begin at zero by accident. */
  constructor(path: string, store: MemoryBudgetStore, onError: (error: unknown) => void) {
    this.#path = path;
    this.#store = store;
    this.#onError = onError;
    store.restore(read(path));
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

function read(path: string): SavedCounter[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new SluiceError('SLUICE_BUDGETS_FILE', error instanceof Error ? error.message : String(error), { where: path, cause: error });
  }
  try {
    const saved = JSON.parse(text) as { readonly version?: unknown; readonly counters?: unknown };
    if (saved.version === 1 && Array.isArray(saved.counters) && saved.counters.every(isCounter)) return saved.counters;
  } catch (error) {
    throw new SluiceError('SLUICE_BUDGETS_FILE', error instanceof Error ? error.message : String(error), { where: path, cause: error });
  }
  throw new SluiceError('SLUICE_BUDGETS_FILE', 'it holds something else than budgets.', { where: path });
}

function isCounter(value: unknown): value is SavedCounter {
  if (typeof value !== 'object' || value === null) return false;
  const { id, budget, values, start, end, spent, told } = value as Partial<Record<keyof SavedCounter, unknown>>;
  const texts = (list: unknown): boolean => Array.isArray(list) && list.every((one) => typeof one === 'string');
  return typeof id === 'string' && typeof budget === 'string' && texts(values) && texts(told) && [start, end, spent].every((number) => typeof number === 'number' && Number.isFinite(number));
}
