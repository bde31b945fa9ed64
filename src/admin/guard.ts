import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Why an action is refused; null if it is allowed. */
export type Refusal = { readonly status: 401 | 403; readonly code: string; readonly message: string } | null;

const loopback = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1', 'localhost']);

/**
 * Guards requests that change state. With a token configured, the request must carry it. Without one, it must come from this machine, to a
 * loopback name, and not from another site's page in a browser.
 */
export function refusalOf(request: IncomingMessage, token: string | null): Refusal {
  if (token !== null) {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    return given !== undefined && same(given, token)
      ? null
      : { status: 401, code: 'token', message: 'This needs the admin token: authorization: Bearer …' };
  }
  const site = request.headers['sec-fetch-site'];
  const near =
    loopback.has(request.socket.remoteAddress ?? '') &&
    loopback.has(hostOf(request)) &&
    (site === undefined || site === 'same-origin' || site === 'none');
  return near ? null : { status: 403, code: 'not-loopback', message: 'Without --admin-token this is for callers on this machine only.' };
}

/**
 * Detects DNS rebinding: a browser was led to this loopback address under a foreign name, whose page could then read the data here. Callers
 * that use an IP address or `localhost`, or come from elsewhere, are let through.
 */
export function isRebound(request: IncomingMessage): boolean {
  const name = hostOf(request);
  return loopback.has(request.socket.localAddress ?? '') && name !== '' && !loopback.has(name) && isIP(name) === 0;
}

function hostOf(request: IncomingMessage): string {
  const host = /^(?:\[([^\]]+)\]|([^:]*))(?::\d+)?$/.exec(request.headers.host ?? '');
  return (host?.[1] ?? host?.[2] ?? '').toLowerCase();
}

function same(given: string, token: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}
