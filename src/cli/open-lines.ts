import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { withFileLater } from '../lib/read-file.ts';

/** A file of lines, plain or `.gz`; `-`: stdin. Throws SLUICE_FILE_UNREADABLE. */
export async function openLines(file: string): Promise<NodeJS.ReadableStream> {
  if (file === '-') return process.stdin;
  const raw = (await withFileLater(file, () => open(file))).createReadStream();
  return file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
}
