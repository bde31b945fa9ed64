import { SluiceError } from '../lib/errors.ts';
import { readText } from '../lib/read-file.ts';

/** Minimum length of a token, in characters. */
const least = 16;

/** Reads the admin token, or another secret, from a file. Throws SluiceError if it cannot be read or is too short. */
export function readToken(file: string, what = 'token'): string {
  const token = readText(file).trim();
  if (token.length < least) throw new SluiceError('SLUICE_CLI_USAGE', `the ${what} has less than 16 characters.`, { where: file });
  return token;
}
