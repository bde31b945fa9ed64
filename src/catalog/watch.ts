import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { catalogOf, parseCatalog } from './index.ts';
import type { Catalog } from './types.ts';
import { messageOf } from '../lib/message-of.ts';

export interface WatchOptions {
  /** Called with a new catalog that passed its checks. */
  readonly onChange: (catalog: Catalog) => void;
  /** Called once for each refused edit; the last good catalog stays. */
  readonly onError: (error: SluiceError) => void;
  /** Poll interval if no file event comes (network file systems), in ms. */
  readonly pollMs?: number;
}

/** Delay after an event, and between the two reads of a change, in ms: time for the writer to finish. */
const settleMs = 40;

/**
 * Watches a catalog file for renames, rewrites, and the `..data` swap of a mounted ConfigMap. Does not keep the process alive. `close`
 * stops it; no callback is called afterwards.
 */
export function watchCatalogFile(file: string, { onChange, onError, pollMs = 1_000 }: WatchOptions): { close(): void } {
  let closed = false;
  let busy = false;
  // The caller has just loaded the file; read it at once, so that no later edit is missed.
  let seen = readNow(file);
  /** Content that was read once; it is used when read again unchanged, so that half-written files are not. */
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
    // Watch the folder, not the file: after a rename, a watch on the old file sees nothing.
    watcher = watch(dirname(file), { persistent: false }, soon);
    watcher.on('error', () => undefined);
  } catch {
    // No inotify watches left, or no folder yet: the poll below sees every edit.
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
    return { text: null, error: messageOf(error) };
  }
}

async function read(file: string): Promise<Content> {
  try {
    const { size } = await stat(file);
    if (size > limits.priceListBytes) return { text: null, error: `it is larger than ${limits.priceListBytes} bytes` };
    return { text: await readFile(file, 'utf8'), error: '' };
  } catch (error) {
    return { text: null, error: messageOf(error) };
  }
}
