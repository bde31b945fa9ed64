import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SluiceError } from '../lib/errors.ts';

/** An HTTP server of Sluice. */
export interface Admin {
  /** Port 0 takes a free one. Resolves with `host:port` as bound; rejects with SLUICE_LISTEN. */
  listen(host: string, port: number): Promise<string>;
  close(): Promise<void>;
}

/** Port 0 takes a free one. Resolves with `host:port` as bound; rejects with SLUICE_LISTEN. */
export function listenAt(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new SluiceError('SLUICE_LISTEN', error.message, { where: `${host}:${port}`, cause: error })));
    // Exclusive: not an address that several workers share.
    server.listen({ port, host, exclusive: true }, () => {
      const bound = server.address() as AddressInfo;
      resolve(`${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`);
    });
  });
}

/** Closes a server and all of its connections. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
