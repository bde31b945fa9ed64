import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { defaultModelFile, readModel } from './file.ts';
import type { RouterModel } from './model.ts';

export interface LiveModelOptions {
  /** Null: the model that comes with Sluice, which nobody edits. */
  readonly file: string | null;
  readonly onChange: (model: RouterModel) => void;
  /** A file that cannot be used; the last good model stays. Told once an edit. */
  readonly onError: (error: unknown) => void;
  /** How often the file is looked at when no event comes, in ms. */
  readonly pollMs?: number;
}

/** The model in use: swapped when its file is, by rename, rewriting, or the `..data` swap of a mounted ConfigMap. */
export interface LiveModel {
  current(): RouterModel;
  close(): void;
}

/** After an event, in ms: time for the writer to finish. */
const settleMs = 50;

/** Reads a model and follows its file. Throws when it cannot be read at the start. Keeps no process alive. */
export async function openModel({ file, onChange, onError, pollMs = 2_000 }: LiveModelOptions): Promise<LiveModel> {
  let model = await readModel(file ?? defaultModelFile);
  if (file === null) return { current: () => model, close: () => undefined };
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
        // A writer that is not done changes the stamp again: the next look decides.
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
    // No inotify left: the poll below sees every edit.
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

/** Changes whenever the file does; links are followed. */
async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'gone';
  }
}
