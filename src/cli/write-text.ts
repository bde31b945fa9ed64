import { writeFile } from 'node:fs/promises';
import { SluiceError } from '../lib/errors.ts';
import { messageOf } from '../lib/message-of.ts';

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

export function unwritable(file: string, error: unknown): SluiceError {
  return new SluiceError('SLUICE_FILE_UNWRITABLE', messageOf(error), { where: file, cause: error });
}
