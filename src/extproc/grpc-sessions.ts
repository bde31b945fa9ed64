import type { Http2Server, ServerHttp2Session, ServerOptions } from 'node:http2';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Peers } from './peers.ts';

/**
 * Envoy resets every stream that its processor ends first, and always the streams of copies. Node treats more than 33 resets a second as an
 * attack and drops the whole connection with all its requests; the peer here is our own Envoy.
 */
const resetAllowance = { streamResetBurst: 1_000_000, streamResetRate: 1_000_000 } as const;

/** What grpc-js keeps to itself: its version is pinned, and a test fails if it changes. */
interface Inside {
  readonly commonServerOptions: ServerOptions;
  createHttp2Server(credentials: ServerCredentials): Http2Server;
}

/**
 * grpc-js has no option for the number of accepted resets and does not report connections. This sets the option of this one server, reports
 * its connections to `peers`, and calls `onSession` for each and `onError` when one fails. Call it before the server is bound.
 */
export function watchSessions(
  server: Server,
  peers: Peers,
  { onSession, onError }: { readonly onSession: (session: ServerHttp2Session) => void; readonly onError: (error: unknown) => void },
): void {
  const inside = server as unknown as Inside;
  if (typeof inside.createHttp2Server !== 'function' || typeof inside.commonServerOptions !== 'object')
    throw new Error('this version of grpc-js makes its HTTP/2 servers in another way');
  Object.assign(inside.commonServerOptions, resetAllowance);
  const create = inside.createHttp2Server.bind(inside);
  inside.createHttp2Server = (credentials) => {
    const made = create(credentials);
    made.on('session', (session) => {
      const peer = session.socket.remoteAddress ?? 'unknown';
      peers.connected(peer);
      onSession(session);
      let spoke = false;
      session.once('remoteSettings', () => (spoke = true));
      // Whoever never spoke HTTP/2 is no Envoy that lost its connection: a probe looks whether somebody listens.
      session.on('error', (error: NodeJS.ErrnoException) => {
        if (spoke || !(error.code === 'ECONNRESET' || error.code === 'EPIPE')) onError(error);
      });
      session.on('close', () => peers.disconnected(peer));
    });
    return made;
  };
}
