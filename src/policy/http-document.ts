import { readFile } from 'node:fs/promises';
import { limits } from '../lib/limits.ts';

export interface HttpSource {
  /** How long a document is fresh if its answer does not say, in ms. */
  readonly ttlMs: number;
  /** File with a bearer token, read before each call; null if none is sent. */
  readonly tokenFile: string | null;
}

export type Fetched =
  | { readonly kind: 'text'; readonly text: string }
  /** Unchanged since the last call. */
  | { readonly kind: 'same' }
  /** 404 or 410: there is no document. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly why: string };

/** Timeout for an answer, in ms. */
const timeoutMs = 10_000;

/** Shortest and longest time between two calls, in ms, regardless of the answer. */
const leastMs = 1_000;
const mostMs = 24 * 3_600_000;

/** Longest wait after failures, in ms. */
const slowestRetryMs = 60_000;

/** One document of a policy backend, read with its ETag, and how long it stays fresh. */
export class HttpDocument {
  readonly url: string;
  readonly #source: HttpSource;
  #etag: string | null = null;
  #failures = 0;
  /** Time until the next call, in ms. */
  freshMs: number;

  constructor(url: string, source: HttpSource) {
    this.url = url;
    this.#source = source;
    this.freshMs = source.ttlMs;
  }

  /** Calls the backend. Never rejects. */
  async read(signal?: AbortSignal): Promise<Fetched> {
    const fetched = await this.#call(signal).catch((error: unknown): Fetched => ({ kind: 'failed', why: whyOf(error) }));
    this.#failures = fetched.kind === 'failed' ? this.#failures + 1 : 0;
    if (fetched.kind === 'failed')
      this.freshMs = Math.min(this.#source.ttlMs, slowestRetryMs, leastMs * 2 ** Math.min(this.#failures - 1, 10));
    return fetched;
  }

  async #call(signal: AbortSignal | undefined): Promise<Fetched> {
    const { tokenFile, ttlMs } = this.#source;
    const timeout = AbortSignal.timeout(timeoutMs);
    const response = await fetch(this.url, {
      headers: {
        accept: 'application/yaml, application/json;q=0.9, text/plain;q=0.8',
        ...(this.#etag === null ? {} : { 'if-none-match': this.#etag }),
        ...(tokenFile === null ? {} : { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` }),
      },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const said = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(response.headers.get('cache-control') ?? '')?.[1];
    this.freshMs = Math.min(mostMs, Math.max(leastMs, said === undefined ? ttlMs : Number(said) * 1_000));
    if (response.status === 304 && this.#etag !== null) return { kind: 'same' };
    if (response.status === 404 || response.status === 410) {
      await response.body?.cancel();
      this.#etag = null;
      return { kind: 'absent' };
    }
    if (response.status !== 200) {
      await response.body?.cancel();
      return { kind: 'failed', why: `it answered ${response.status}` };
    }
    const text = await bounded(response);
    this.#etag = response.headers.get('etag');
    return { kind: 'text', text };
  }
}

async function bounded(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += piece.length;
    if (size > limits.policyBytes) throw new Error(`its answer has more than ${limits.policyBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1_000} s`;
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

/** A URL without its possibly secret parts: user, password and query. */
export function publicUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
