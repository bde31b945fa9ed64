import { readFile } from 'node:fs/promises';
import { SluiceError } from '../errors.ts';
import { limits } from '../limits.ts';

export interface PriceList {
  readonly json: unknown;
  /** Where it came from, for the catalog's `source`: a URL's host and path, or "a file". */
  readonly from: string;
  /** The server's ETag; null for files and servers without one. */
  readonly etag: string | null;
}

/**
 * Reads a price list from a file or an http(s) URL, within limits.priceListBytes and 30 s. With `etag`, null means
 * "not changed". Throws SluiceError.
 */
export async function fetchPriceList(source: string): Promise<PriceList>;
export async function fetchPriceList(source: string, etag: string | null): Promise<PriceList | null>;
export async function fetchPriceList(source: string, etag: string | null = null): Promise<PriceList | null> {
  try {
    if (!/^https?:\/\//.test(source)) return { json: JSON.parse(await readFile(source, 'utf8')), from: 'a file', etag: null };
    const response = await fetch(source, { headers: etag === null ? {} : { 'if-none-match': etag }, signal: AbortSignal.timeout(30_000) });
    if (response.status === 304) return null;
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > limits.priceListBytes) throw new Error(`the list is larger than ${limits.priceListBytes} bytes`);
      chunks.push(chunk);
    }
    const { host, pathname } = new URL(source);
    return { json: JSON.parse(Buffer.concat(chunks).toString('utf8')), from: host + pathname, etag: response.headers.get('etag') };
  } catch (error) {
    throw new SluiceError('SLUICE_CATALOG_UNREADABLE', `${error instanceof Error ? error.message : String(error)}.`, { where: source, cause: error });
  }
}
