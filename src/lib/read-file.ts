import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { SluiceError, unreadable } from './errors.ts';

/** What reading a file throws: SLUICE_FILE_UNREADABLE, if it is not an error of Sluice already. */
export function thrown(file: string, error: unknown): SluiceError {
  return error instanceof SluiceError ? error : unreadable(file, error);
}

/** Does what needs a file. Throws SLUICE_FILE_UNREADABLE for any error that is not one of Sluice. */
export function withFile<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw thrown(file, error);
  }
}

/** The same for work that takes time. */
export async function withFileLater<T>(file: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw thrown(file, error);
  }
}

/** Each reads a whole file. They throw SLUICE_FILE_UNREADABLE. */
export const readText = (file: string): string => withFile(file, () => readFileSync(file, 'utf8'));
export const readBytes = (file: string): Buffer => withFile(file, () => readFileSync(file));
export const readTextLater = (file: string): Promise<string> => withFileLater(file, () => readFile(file, 'utf8'));
export const readBytesLater = (file: string): Promise<Buffer> => withFileLater(file, () => readFile(file));
