import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { unreadable } from '../lib/errors.ts';

/** A file of lines, plain or `.gz`; `-`: stdin. Throws SLUICE_FILE_UNREADABLE. */
export async function openLines(file: string): Promise<NodeJS.ReadableStream> {
  if (file === '-') return process.stdin;
  try {
    const handle = await open(file);
    const raw = handle.createReadStream();
    return file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  } catch (error) {
    throw unreadable(file, error);
  }
}
