import { SluiceError } from '../lib/errors.ts';

const offWords: ReadonlySet<string> = new Set(['off', 'none', 'no', 'false', 'disabled', 'null', '0']);
const onWords: ReadonlySet<string> = new Set(['on', 'yes', 'true', 'enabled', '1']);

/**
 * The file that an option names; null if its value switches the option off (off, none, no, false, in any case). A file with such a name is
 * written as a path: ./none. Throws SluiceError SLUICE_CLI_USAGE for an empty value and for on, yes, true, which name no file.
 */
export function fileOrOff(option: string, value: string): string | null {
  const word = value.trim().toLowerCase();
  if (offWords.has(word)) return null;
  if (word === '' || onWords.has(word))
    throw new SluiceError('SLUICE_CLI_USAGE', `"${value}" names no file.`, {
      where: option,
      fix: `Give the file's path, or off. A file of this name is ./${word === '' ? 'NAME' : value.trim()}.`,
    });
  return value;
}

/** The file that an option names, if it cannot be switched off. Throws SluiceError SLUICE_CLI_USAGE with `fix` as its advice. */
export function fileAlways(option: string, value: string, fix: string): string {
  let file: string | null;
  try {
    file = fileOrOff(option, value);
  } catch {
    file = null;
  }
  if (file === null) throw new SluiceError('SLUICE_CLI_USAGE', `"${value}" names no file.`, { where: option, fix });
  return file;
}
