import { isErrorCode, reasonOf, SluiceError, type ErrorCode } from '../lib/errors.ts';
import { readToken } from './read-token.ts';

/** Maximum time to wait for the admin server, in ms: purging a large Redis scans all of it. */
const fetchMs = 60_000;

/** Options of a request besides the path. */
export interface AdminQuestion {
  readonly query?: URLSearchParams;
  /** For requests that change state: sent with the admin token from this file, if there is one. */
  readonly order?: { readonly method: 'POST' | 'PUT' | 'DELETE'; readonly tokenFile: string | undefined };
  /** The code of an error response that carries no Sluice code; SLUICE_ADMIN_REFUSED if absent. */
  readonly refusal?: (status: number) => ErrorCode | undefined;
}

/** Fetches JSON from a running server's admin address. Throws SluiceError: SLUICE_ADMIN if nothing answers, else the server's error. */
export async function askAdmin(admin: string, path: string, { query, order, refusal }: AdminQuestion = {}): Promise<unknown> {
  const url = new URL(query === undefined || query.size === 0 ? path : `${path}?${query.toString()}`, adminUrl(admin));
  const init =
    order === undefined
      ? {}
      : { method: order.method, headers: { 'content-type': 'application/json', ...bearer(order.tokenFile) }, body: '{}' };
  let response: Response;
  let value: unknown;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(fetchMs) });
    const text = await response.text();
    value = parsed(text);
  } catch (error) {
    throw new SluiceError('SLUICE_ADMIN', `${reasonOf(error)}.`, { where: admin, cause: error });
  }
  if (response.ok && value !== undefined) return value;
  const said = errorIn(value);
  if (said === null)
    throw new SluiceError('SLUICE_ADMIN', `${response.status} and no JSON came back: this is no Sluice.`, {
      where: admin,
      fix: 'Check --admin.',
    });
  if (response.status === 401)
    throw new SluiceError('SLUICE_ADMIN_REFUSED', 'this needs the admin token.', {
      where: admin,
      fix: 'Give the file that the server was started with: --admin-token FILE.',
    });
  // The server's message already says what to do.
  if (isErrorCode(said.code)) throw new SluiceError(said.code, said.message, { where: admin, fix: '' });
  throw new SluiceError(refusal?.(response.status) ?? 'SLUICE_ADMIN_REFUSED', said.message, {
    where: admin,
    ...(order === undefined ? { fix: '' } : {}),
  });
}

/** The URL of an admin address; `host:port` is accepted. `where`: the flag. Throws SluiceError if it is not an address. */
export function adminUrl(admin: string, where = '--admin'): URL {
  const text = /^https?:\/\//i.test(admin) ? admin : `http://${admin}`;
  if (!URL.canParse(text))
    throw new SluiceError('SLUICE_CLI_USAGE', `${admin} is no address.`, { where, fix: 'Write host:port, or http://host:port.' });
  return new URL(text);
}

function bearer(tokenFile: string | undefined): { readonly authorization?: string } {
  return tokenFile === undefined ? {} : { authorization: `Bearer ${readToken(tokenFile)}` };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorIn(value: unknown): { readonly code: string; readonly message: string } | null {
  const { error } = (value ?? {}) as { readonly error?: { readonly code?: unknown; readonly message?: unknown } };
  return typeof error?.message === 'string' ? { code: String(error.code), message: error.message } : null;
}
