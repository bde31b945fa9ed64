import { SluiceError, type ErrorCode } from '../errors.ts';

/** Longest time to wait for the admin server, in ms. */
const fetchMs = 30_000;

/** A JSON answer of a running server's admin address. Throws SluiceError with what the server says. */
export async function askAdmin(admin: string, path: string, query: URLSearchParams = new URLSearchParams(), code: ErrorCode = 'SLUICE_EXPLAIN_ADMIN', method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
  let response: Response;
  let value: { readonly error?: { readonly message?: string } };
  try {
    const post = method === 'POST' ? { method, headers: { 'content-type': 'application/json' }, body: '{}' } : {};
    response = await fetch(new URL(query.size === 0 ? path : `${path}?${query.toString()}`, admin), { ...post, signal: AbortSignal.timeout(fetchMs) });
    value = (await response.json()) as typeof value;
  } catch (error) {
    throw new SluiceError(code, error instanceof Error ? error.message : String(error), { where: admin, cause: error });
  }
  if (!response.ok) throw new SluiceError(code, value.error?.message ?? `it answered ${response.status}.`, { where: admin });
  return value;
}
