import { SluiceError } from '../lib/errors.ts';
import { shownUrl } from './shown-url.ts';
import { messageOf } from '../lib/message-of.ts';

/** SLUICE_LEDGER_UNUSABLE for a database, without its password. */
export function unusable(place: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('SLUICE_LEDGER_UNUSABLE', messageOf(error), { where: shownUrl(place), cause: error });
}

/** Error codes of Node for a server that is temporarily unreachable. */
export const awayCodes = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'EAI_AGAIN',
  'ENOTFOUND',
] as const;
