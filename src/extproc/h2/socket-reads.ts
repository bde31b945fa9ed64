import { Socket, type SocketConstructorOpts } from 'node:net';

/** Memory for the reads of all connections: each read is consumed before the next one begins. */
const memory = Buffer.allocUnsafeSlow(65_536);

/** Called with what was read: the first `length` bytes of `bytes`, which hold only until it returns. */
export type OnRead = (bytes: Buffer, length: number) => void;

/**
 * The socket to use in place of an accepted one. Each of its reads fills the same memory: by default, Node takes 64 KB for each read, and V8
 * marks its whole heap when enough of them have come. Node offers this (`onread`) for sockets that it connects, not for those that it
 * accepts, so a new socket takes over the accepted one's handle. Without such a handle, the accepted socket is used as it is.
 */
export function readInPlace(accepted: Socket, read: OnRead): Socket {
  const owner = accepted as unknown as { _handle?: { readonly useUserBuffer?: unknown } | null };
  const handle = owner._handle;
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.on('data', (bytes: Buffer) => read(bytes, bytes.length));
    return accepted;
  }
  owner._handle = null;
  const options: SocketConstructorOpts = {
    handle: handle as SocketConstructorOpts['handle'],
    onread: {
      buffer: memory,
      callback: (length) => {
        read(memory, length);
        return true;
      },
    },
  };
  const socket = new Socket(options);
  // The server counts the accepted one.
  socket.on('close', () => accepted.destroy());
  return socket;
}
