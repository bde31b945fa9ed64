import { readFileSync } from 'node:fs';
import { SluiceError, type ErrorCode } from '../errors.ts';

/** Longest time to wait for the admin server, in ms. */
const fetchMs = 30_000;

/** A JSON answer of a running server's admin address; with `order` it is posted to (or put, or deleted), and told the admin token where there is one. Throws SluiceError with what the server says. */
export async function askAdmin(admin: string, path: string, query: URLSearchParams = new URLSearchParams(), code: ErrorCode = 'SLUICE_EXPLAIN_ADMIN', order: { readonly tokenFile: string | undefined; readonly method?: 'PUT' | 'DELETE' } | null = null): Promise<unknown> {
  let response: Response;
  let value: { readonly error?: { readonly message?: string } };
  try {
    const post = order === null ? {} : { method: order.method ?? 'POST', headers: { 'content-type': 'application/json', ...bearer(order.tokenFile) }, body: '{}' };
    response = await fetch(new URL(query.size === 0 ? path : `${path}?${query.toString()}`, admin), { ...post, signal: AbortSignal.timeout(fetchMs) });
    value = (await response.json()) as typeof value;
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError(code, error instanceof Error ? error.message : String(error), { where: admin, cause: error });
  }
  if (!response.ok) throw new SluiceError(code, value.error?.message ?? `it answered ${response.status}.`, { where: admin });
  return value;
}

function bearer(tokenFile: string | undefined): { readonly authorization?: string } {
  if (tokenFile === undefined) return {};
  try {
    return { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
  } catch (error) {
    throw new SluiceError('SLUICE_FILE_UNREADABLE', error instanceof Error ? error.message : String(error), { where: tokenFile, cause: error });
  }
}
