import { readFileSync } from 'node:fs';
import { SluiceError, unreadable } from '../lib/errors.ts';

/** Minimum length of a token, in characters. */
const least = 16;

/** Reads the admin token, or another secret, from a file. Throws SluiceError if it cannot be read or is too short. */
export function readToken(file: string, what = 'token'): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw unreadable(file, error);
  }
  if (token.length < least) throw new SluiceError('SLUICE_CLI_USAGE', `the ${what} has less than 16 characters.`, { where: file });
  return token;
}
