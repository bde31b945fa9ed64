/**
 * Runs a command in a network namespace of its own, whose loopback meets the outside at Unix sockets only, and in a root folder of
 * its own: for servers with fixed ports and fixed paths. `node namespace.ts SPEC`, inside `unshare --map-root-user --net`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { rmSync } from 'node:fs';

export interface NamespaceSpec {
  readonly root: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ports that the command calls, and the sockets that answer. */
  readonly out: readonly { readonly port: number; readonly socket: string }[];
  /** Ports that the command serves, and the sockets that they are reached at. */
  readonly into: readonly { readonly port: number; readonly socket: string }[];
}

/** What comes in goes on to a port of loopback or a socket. */
export function bridge(to: { readonly port: number } | { readonly socket: string }): Server {
  return createServer((from) => {
    const onward = 'port' in to ? connect(to.port, '127.0.0.1') : connect(to.socket);
    const both = (a: Socket, b: Socket): void => {
      a.on('error', () => b.destroy());
      a.on('close', () => b.destroy());
      a.pipe(b);
    };
    both(from, onward);
    both(onward, from);
  });
}

function main(spec: NamespaceSpec): void {
  // A new namespace's loopback is down; SIOCSIFFLAGS with IFF_UP.
  execFileSync('python3', ['-c', "import fcntl,socket,struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 0x1))"]);
  for (const { port, socket } of spec.out) bridge({ socket }).listen(port, '127.0.0.1');
  for (const { port, socket } of spec.into) {
    rmSync(socket, { force: true });
    bridge({ port }).listen(socket);
  }
  const child = spawn('chroot', [spec.root, ...spec.command], { stdio: 'inherit', env: spec.env });
  child.on('exit', (code) => process.exit(code ?? 1));
  process.on('SIGTERM', () => child.kill('SIGKILL'));
}

if (process.argv[1] === import.meta.filename) main(JSON.parse(process.argv[2] ?? '{}') as NamespaceSpec);
