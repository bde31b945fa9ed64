import type { Header } from './hpack.ts';

/** Headers of one HTTP/1 connection, which no HTTP/2 message may have (RFC 9113, 8.2.2). */
const connectionHeaders: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
const requestPseudo: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority']);

const colon = 0x3a;

/**
 * Whether a header list breaks a rule for requests (RFC 9113, 8.2 and 8.3). `trailers`: the list comes after a body.
 */
export function isMalformed(headers: readonly Header[], trailers: boolean): boolean {
  let method = false;
  let scheme = false;
  let path = false;
  let authority = false;
  let regular = false;
  for (const header of headers) {
    const name = header[0];
    const value = header[1];
    if (name.charCodeAt(0) === colon) {
      if (trailers || regular || !requestPseudo.has(name)) return true;
      if (name === ':method') {
        if (method) return true;
        method = true;
      } else if (name === ':scheme') {
        if (scheme) return true;
        scheme = true;
      } else if (name === ':path') {
        if (path || value === '') return true;
        path = true;
      } else {
        if (authority) return true;
        authority = true;
      }
    } else {
      regular = true;
      if (connectionHeaders.has(name) || (name === 'te' && value !== 'trailers')) return true;
    }
  }
  return !trailers && !(method && scheme && path);
}

/** The declared length of a request's body in bytes; null if there is none, NaN if it is not a number. */
export function contentLength(headers: readonly Header[]): number | null {
  for (const header of headers) if (header[0] === 'content-length') return /^\d{1,15}$/.test(header[1]) ? Number(header[1]) : Number.NaN;
  return null;
}
