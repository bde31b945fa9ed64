import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bundledModel, readModel } from './file.ts';
import type { RouterModel } from './model.ts';

export interface LiveModelOptions {
  /** Null for the bundled model, which is never edited. */
  readonly file: string | null;
  readonly onChange: (model: RouterModel) => void;
  /** Called once per edit when the file cannot be used; the last good model stays in use. */
  readonly onError: (error: unknown) => void;
  /** Poll interval for when no file event arrives, in ms. */
  readonly pollMs?: number;
}

/** The model in use. It is replaced when its file changes by rename, by rewriting, or by the `..data` swap of a mounted ConfigMap. */
export interface LiveModel {
  current(): RouterModel;
  close(): void;
}

/** Delay after an event, in ms, so that the writer can finish. */
const settleMs = 50;

/**
 * Reads a model and follows its file. Throws if it cannot be read at the start. Keeps no process alive. The bundled model is read when it is
 * first asked for.
 */
export async function openModel({ file, onChange, onError, pollMs = 2_000 }: LiveModelOptions): Promise<LiveModel> {
  if (file === null) return { current: bundledModel, close: () => undefined };
  let model = await readModel(file);
  let seen = await stampOf(file);
  let closed = false;
  let busy = false;
  let settle: NodeJS.Timeout | null = null;
  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    const stamp = await stampOf(file);
    if (stamp !== seen) {
      try {
        const next = await readModel(file);
        // If the writer is still writing, the stamp changes again and the next check decides.
        if (stamp === (await stampOf(file)) && !isClosed()) {
          seen = stamp;
          if (next.version !== model.version) onChange((model = next));
        }
      } catch (error) {
        seen = stamp;
        if (!isClosed()) onError(error);
      }
    }
    busy = false;
  };
  const isClosed = (): boolean => closed;
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(dirname(file), { persistent: false }, () => {
      settle ??= setTimeout(() => {
        settle = null;
        void look();
      }, settleMs).unref();
    });
    watcher.on('error', () => undefined);
  } catch {
    // inotify is exhausted: the poll below sees every edit.
  }
  const poll = setInterval(() => void look(), pollMs).unref();
  return {
    current: () => model,
    close() {
      closed = true;
      watcher?.close();
      clearInterval(poll);
      if (settle !== null) clearTimeout(settle);
    },
  };
}

/** Changes whenever the file changes; symbolic links are followed. */
async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'gone';
  }
}
