import { writeFile } from 'node:fs/promises';
import { unwritable } from '../lib/errors.ts';

/** Writes a text file, or to stdout for `-`; `mode`: permissions of a new file. Throws SLUICE_FILE_UNWRITABLE. */
export async function writeText(file: string, text: string, mode = 0o666): Promise<void> {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    await writeFile(file, text, { mode });
  } catch (error) {
    throw unwritable(file, error);
  }
}
