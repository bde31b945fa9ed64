import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A policy backend as somebody might run one: documents by path, ETags, whatever status a test wants. */
export class PolicyBackend {
  readonly documents = new Map<string, string>();
  readonly calls: { readonly path: string; readonly status: number; readonly headers: IncomingHttpHeaders }[] = [];
  /** Sent as cache-control where it is set. */
  cacheControl: string | null = null;
  /** Answers every call where it is set. */
  status: number | null = null;
  #server: Server | null = null;
  #port = 0;

  /** The same port again after `close`. */
  async listen(): Promise<string> {
    const server = createServer((request, response) => {
      const path = decodeURIComponent(request.url ?? '/');
      const text = this.documents.get(path);
      const etag = text === undefined ? '' : `"${createHash('sha256').update(text).digest('hex').slice(0, 12)}"`;
      const status = this.status ?? (text === undefined ? 404 : request.headers['if-none-match'] === etag ? 304 : 200);
      this.calls.push({ path, status, headers: request.headers });
      response.writeHead(status, {
        ...(text === undefined ? {} : { etag }),
        ...(this.cacheControl === null ? {} : { 'cache-control': this.cacheControl }),
      });
      response.end(status === 200 ? text : undefined);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
