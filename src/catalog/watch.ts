import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { catalogOf, parseCatalog } from './index.ts';
import type { Catalog } from './types.ts';

export interface WatchOptions {
  /** A new catalog that passed its checks. */
  readonly onChange: (catalog: Catalog) => void;
  /** An edit that is refused; the last good catalog stays. Told once for each edit. */
  readonly onError: (error: SluiceError) => void;
  /** How often the file is looked at when no event comes (network file systems), in ms. */
  readonly pollMs?: number;
}

/** After an event, and between the two reads of a change, in ms: time for the writer to finish. */
const settleMs = 40;

/**
 * Follows a catalog file: by rename, by rewriting, and by the `..data` swap of a mounted ConfigMap. Keeps no process alive.
 * `close` stops it; afterwards no callback is called.
 */
export function watchCatalogFile(file: string, { onChange, onError, pollMs = 1_000 }: WatchOptions): { close(): void } {
  let closed = false;
  let busy = false;
  // Whoever starts to watch has just loaded the file; read at once, so that no later edit is missed.
  let seen = readNow(file);
  /** A content that was read once; it counts when it is read again unchanged, so that no half-written file does. */
  let pending: Content | null = null;

  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    const now = await read(file);
    busy = false;
    if (isClosed()) return;
    if (same(now, seen)) {
      pending = null;
    } else if (pending === null || !same(now, pending)) {
      pending = now;
      soon();
    } else {
      seen = now;
      pending = null;
      tell(now);
    }
  };
  const tell = ({ text, error }: Content): void => {
    try {
      if (text === null) throw new SluiceError('SLUICE_CATALOG_UNREADABLE', `${error}.`, { where: file });
      onChange(catalogOf(parseCatalog(text, file)));
    } catch (cause) {
      onError(cause instanceof SluiceError ? cause : new SluiceError('SLUICE_INTERNAL', String(cause), { where: file, cause }));
    }
  };
  const isClosed = (): boolean => closed;
  const soon = (): void => {
    settle ??= setTimeout(() => {
      settle = null;
      void look();
    }, settleMs).unref();
  };

  let settle: NodeJS.Timeout | null = null;
  let watcher: FSWatcher | null = null;
  try {
    // The folder, never the file: a rename leaves the old file's watch on nothing.
    watcher = watch(dirname(file), { persistent: false }, soon);
    watcher.on('error', () => undefined);
  } catch {
    // No inotify left, or no folder yet: the poll below sees every edit.
  }
  const poll = setInterval(() => void look(), pollMs).unref();
  return {
    close() {
      closed = true;
      watcher?.close();
      clearInterval(poll);
      if (settle !== null) clearTimeout(settle);
    },
  };
}

/** A file's text, or why it cannot be read. */
interface Content {
  readonly text: string | null;
  readonly error: string;
}

function same(a: Content, b: Content): boolean {
  return a.text === b.text && a.error === b.error;
}

function readNow(file: string): Content {
  try {
    return { text: readFileSync(file, 'utf8'), error: '' };
  } catch (error) {
    return { text: null, error: error instanceof Error ? error.message : String(error) };
  }
}

async function read(file: string): Promise<Content> {
  try {
    const { size } = await stat(file);
    if (size > limits.priceListBytes) return { text: null, error: `it is larger than ${limits.priceListBytes} bytes` };
    return { text: await readFile(file, 'utf8'), error: '' };
  } catch (error) {
    return { text: null, error: error instanceof Error ? error.message : String(error) };
  }
}
