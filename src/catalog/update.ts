import { SluiceError } from '../lib/errors.ts';
import { importList, type ImportReport } from './changes.ts';
import { fetchPriceList, publicName } from './fetch.ts';
import { catalogOf, embeddedCatalog, readCatalogFile, writeCatalogFile } from './index.ts';
import type { CatalogFile } from './schema.ts';
import type { Catalog } from './types.ts';

export interface UpdaterOptions {
  /** LiteLLM's price list: a file or an http(s) URL. */
  readonly source: string;
  /** The file that keeps the catalog and its held prices across restarts. If it does not exist, the embedded catalog is the base. */
  readonly file: string;
  /** Time between two checks, in ms. */
  readonly intervalMs: number;
  /** Timeout of one download, in ms. */
  readonly timeoutMs?: number;
  /** Called with a new catalog, which is already written to `file`. */
  readonly onUpdate: (catalog: Catalog, report: ImportReport) => void;
  /** Called when a check failed; the last good catalog stays, and the next check follows on schedule. */
  readonly onError: (error: SluiceError) => void;
  /** Returns the ISO date of new facts; today by default. */
  readonly today?: () => string;
}

export type UpdateOutcome = 'updated' | 'unchanged' | 'failed' | 'closed';

/**
 * Imports a price list periodically. Held prices wait in `file` for `sluice catalog import --accept`; prices that a person accepts there
 * stay accepted, because the updater reads the file before each import. Its timer does not keep the process alive.
 */
export class CatalogUpdater {
  readonly #options: UpdaterOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<UpdateOutcome> | null = null;
  #etag: string | null = null;
  /** Hash of the models and held prices last reported: an import that changes neither is not an update. */
  #version: string | null = null;

  constructor(options: UpdaterOptions) {
    this.#options = options;
  }

  /** Checks now, and then at the interval. */
  start(): void {
    if (this.#timer !== null || this.#closed()) return;
    this.#timer = setInterval(() => void this.check(), this.#options.intervalMs).unref();
    void this.check();
  }

  /** Checks once; a running check is shared. Never rejects: failures go to `onError`. */
  check(): Promise<UpdateOutcome> {
    this.#running ??= this.#look().finally(() => (this.#running = null));
    return this.#running;
  }

  /** Stops, including a running download. No callback is called afterwards. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#abort.abort();
    await this.#running;
  }

  #closed(): boolean {
    return this.#abort.signal.aborted;
  }

  async #look(): Promise<UpdateOutcome> {
    const { source, file, timeoutMs, onUpdate, onError, today = isoToday } = this.#options;
    if (this.#closed()) return 'closed';
    try {
      const list = await fetchPriceList(source, {
        etag: this.#etag,
        signal: this.#abort.signal,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      if (list === null) return 'unchanged';
      const base = await readBase(file);
      const imported = importList(base, list.json, {
        date: today(),
        source: sourceName(list.from),
        accepts: () => false,
        acceptLoss: false,
      });
      if (this.#closed()) return 'closed';
      const fresh = contentOf(imported.file) !== contentOf(base);
      if (fresh) await writeCatalogFile(file, imported.file);
      this.#etag = list.etag;
      if (this.#closed()) return 'closed';
      const current = fresh ? imported.file : base;
      if (current.version === this.#version) return 'unchanged';
      this.#version = current.version;
      onUpdate(catalogOf(current), imported.report);
      return 'updated';
    } catch (error) {
      if (this.#closed()) return 'closed';
      onError(
        error instanceof SluiceError
          ? error
          : new SluiceError('SLUICE_INTERNAL', String(error), { where: publicName(source), cause: error }),
      );
      return 'failed';
    }
  }
}

/** The catalog's `source` for a list. */
export function sourceName(from: string): string {
  return `LiteLLM price list (MIT), ${from}`;
}

/** The catalog in `file`, or the embedded one if there is no file. Throws SluiceError for an invalid file. */
export async function readBase(file: string): Promise<CatalogFile> {
  try {
    return await readCatalogFile(file);
  } catch (error) {
    const cause = error instanceof SluiceError ? error.cause : null;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return readCatalogFile(embeddedCatalog);
    throw error;
  }
}

/** The content that distinguishes catalogs, without the date. */
function contentOf({ models, held }: CatalogFile): string {
  return JSON.stringify([models, held ?? []]);
}

export function isoToday(): string {
  return new Date().toISOString().slice(0, 10);
}
