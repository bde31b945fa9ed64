import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../errors.ts';
import { loadCatalog } from './index.ts';
import type { Catalog } from './types.ts';

export interface WatchOptions {
  /** A new catalog that passed its checks. */
  readonly onChange: (catalog: Catalog) => void;
  /** An edit that is refused; the last good catalog stays. Told once for each edit. */
  readonly onError: (error: SluiceError) => void;
  /** How often the file is looked at when no event comes (network file systems), in ms. */
  readonly pollMs?: number;
}

/** After an event, wait for the writer to finish, in ms. */
const settleMs = 40;

/**
 * Follows a catalog file: by rename, by rewriting, and by the `..data` swap of a mounted ConfigMap. Keeps no process alive.
 * `close` stops it; afterwards no callback is called.
 */
export function watchCatalogFile(file: string, { onChange, onError, pollMs = 1_000 }: WatchOptions): { close(): void } {
  let closed = false;
  let busy = false;
  let seen: string | null = null;

  const look = async (): Promise<void> => {
    if (busy || closed) return;
    busy = true;
    try {
      const now = await fingerprint(file);
      // The first look only remembers: whoever starts to watch has just loaded the file.
      const first = seen === null;
      if (closed || now === seen) return;
      seen = now;
      if (first) return;
      const catalog = await loadCatalog(file);
      if (!isClosed()) onChange(catalog);
    } catch (error) {
      if (!isClosed()) onError(error instanceof SluiceError ? error : new SluiceError('SLUICE_INTERNAL', String(error), { where: file, cause: error }));
    } finally {
      busy = false;
    }
  };
  const isClosed = (): boolean => closed;

  let settle: NodeJS.Timeout | null = null;
  let watcher: FSWatcher | null = null;
  try {
    // The folder, never the file: a rename leaves the old file's watch on nothing.
    watcher = watch(dirname(file), { persistent: false }, () => {
      settle ??= setTimeout(() => {
        settle = null;
        void look();
      }, settleMs).unref();
    });
    watcher.on('error', () => undefined);
  } catch {
    // No inotify left, or no folder yet: the poll below sees every edit.
  }
  const poll = setInterval(() => void look(), pollMs).unref();
  void look();
  return {
    close() {
      closed = true;
      watcher?.close();
      clearInterval(poll);
      if (settle !== null) clearTimeout(settle);
    },
  };
}

/** Hash of the content; what a missing file has instead is told by loadCatalog when it is its turn. */
async function fingerprint(file: string): Promise<string> {
  try {
    return createHash('sha256').update(await readFile(file)).digest('base64');
  } catch {
    return 'unreadable';
  }
}
