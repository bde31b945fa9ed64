import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFile } from '../lib/read-file.ts';

const pieceBytes = 1 << 20;
const waitMs = 20;

let kept: string | null = null;

/**
 * A file that a command reads, by its name on the command line; `-` is always stdin. Stdin is copied to a temporary file of this process,
 * because it may be a socket, which has no path to open. Throws SLUICE_FILE_UNREADABLE.
 */
export function fileOf(name: string): string {
  if (name !== '-') return name;
  kept ??= keepStdin();
  return kept;
}

/** Whether a path that `fileOf` gave is that of stdin. */
export function isStdin(path: string): boolean {
  return path === kept;
}

/** A text with stdin's name in place of the file that it is copied to. */
export function namingStdin(text: string): string {
  return kept === null ? text : text.replaceAll(kept, 'stdin');
}

function keepStdin(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'stdin');
  const to = openSync(file, 'w', 0o600);
  try {
    withFile('stdin', () => {
      const piece = Buffer.alloc(pieceBytes);
      for (let read = readStdin(piece); read > 0; read = readStdin(piece)) writeSync(to, piece, 0, read);
    });
  } finally {
    closeSync(to);
  }
  return file;
}

/** Bytes read; 0 at the end. A non-blocking stdin may have no data yet: then it is read again. */
function readStdin(piece: Buffer): number {
  for (;;) {
    try {
      return readSync(0, piece);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
    }
  }
}
