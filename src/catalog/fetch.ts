import { readFile, stat } from 'node:fs/promises';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';

export interface PriceList {
  readonly json: unknown;
  /** Where it came from, for the catalog's `source`: a URL's host and path, or the file's name. */
  readonly from: string;
  /** Identifies the version: the server's ETag, or a file's time and size; null for servers without one. */
  readonly etag: string | null;
}

export interface FetchOptions {
  /** The last list's `etag`; the result is null if the list is unchanged. */
  readonly etag?: string | null;
  /** Timeout for the whole answer, in ms. */
  readonly timeoutMs?: number;
  /** Cancels the fetch when aborted. */
  readonly signal?: AbortSignal;
}

const defaultTimeoutMs = 30_000;

/** Whether a source is fetched rather than read from disk. */
function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** A source without its possibly secret parts: user, password and query of a URL. */
export function publicName(source: string): string {
  if (!isUrl(source) || !URL.canParse(source)) return source;
  const { protocol, host, pathname } = new URL(source);
  return `${protocol}//${host}${pathname}`;
}

/**
 * Reads a price list from a file or an http(s) URL, at most limits.priceListBytes of it (uncompressed). Null if unchanged since `etag`.
 * Throws SLUICE_CATALOG_UNREADABLE if there is no file, or the answer is an error, too slow, too large, or not JSON.
 */
export async function fetchPriceList(source: string, options: FetchOptions = {}): Promise<PriceList | null> {
  try {
    return isUrl(source) ? await fromUrl(source, options) : await fromFile(source, options);
  } catch (error) {
    throw new SluiceError('SLUICE_CATALOG_UNREADABLE', `${reason(error)}.`, { where: publicName(source), cause: error });
  }
}

async function fromFile(path: string, { etag }: FetchOptions): Promise<PriceList | null> {
  const { mtimeMs, size } = await stat(path);
  const seen = `${mtimeMs}:${size}`;
  if (seen === etag) return null;
  if (size > limits.priceListBytes) throw tooLarge();
  return { json: JSON.parse(await readFile(path, 'utf8')), from: path.slice(path.lastIndexOf('/') + 1), etag: seen };
}

async function fromUrl(url: string, { etag, timeoutMs = defaultTimeoutMs, signal }: FetchOptions): Promise<PriceList | null> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, {
    headers: { accept: 'application/json', ...(etag === null || etag === undefined ? {} : { 'if-none-match': etag }) },
    signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
  });
  if (response.status === 304) {
    await response.body?.cancel();
    return null;
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`the server answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limits.priceListBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const { host, pathname } = new URL(url);
  return { json: JSON.parse(Buffer.concat(chunks).toString('utf8')), from: host + pathname, etag: response.headers.get('etag') };
}

function tooLarge(): Error {
  return new Error(`the list is larger than ${limits.priceListBytes} bytes`);
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it took too long';
  if (error instanceof SyntaxError) return `it is not JSON (${error.message})`;
  // fetch's message is only "fetch failed"; its cause has the reason.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message || error.cause.name}` : error.message;
}
