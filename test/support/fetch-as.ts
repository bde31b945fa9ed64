import { request } from 'node:http';
import { Readable } from 'node:stream';

/**
 * `fetch` that connects to `port` on loopback whatever host the URL names, as a sidecar's capture of traffic or a DNS entry has
 * it; the host header is the URL's. Understands what the SDKs send: strings, headers, a signal.
 */
export function fetchVia(port: number): typeof fetch {
  return (input, init) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const headers = Object.fromEntries(new Headers(init?.headers));
      const body = typeof init?.body === 'string' ? init.body : undefined;
      const call = request(
        {
          host: '127.0.0.1',
          port,
          method: init?.method ?? 'GET',
          path: `${url.pathname}${url.search}`,
          headers: { ...headers, host: url.host, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
          ...(init?.signal == null ? {} : { signal: init.signal }),
        },
        (answer) => {
          const given = new Headers();
          for (const [name, value] of Object.entries(answer.headers)) for (const each of [value ?? []].flat()) given.append(name, each);
          resolve(new Response(Readable.toWeb(answer) as ReadableStream, { status: answer.statusCode ?? 500, headers: given }));
        },
      );
      call.on('error', reject);
      call.end(body);
    });
}
