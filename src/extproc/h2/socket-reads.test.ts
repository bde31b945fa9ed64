import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { readInPlace } from './socket-reads.ts';

describe('reads of accepted sockets', () => {
  let server: Server | null = null;

  afterEach(() => server?.close());

  /** Two connections, the memory of their reads, and what came on each. */
  async function read(texts: readonly string[]): Promise<{ memory: Set<Buffer>; got: string[]; clients: Socket[]; sockets: Socket[] }> {
    const memory = new Set<Buffer>();
    const got: string[] = [];
    const sockets: Socket[] = [];
    const open = createServer((accepted) => {
      const at = got.push('') - 1;
      const socket = readInPlace(accepted, (bytes, length) => {
        memory.add(bytes);
        got[at] = `${got[at]}${bytes.toString('utf8', 0, length)}`;
        socket.write(`read ${length}`);
      });
      socket.on('error', () => undefined);
      sockets.push(socket);
    });
    server = open;
    await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve));
    const clients: Socket[] = [];
    for (const text of texts) {
      const client = connect((open.address() as AddressInfo).port, '127.0.0.1');
      clients.push(client);
      await once(client, 'connect');
      for (const part of text.split('|')) {
        client.write(part);
        const [answer] = (await once(client, 'data')) as [Buffer];
        expect(answer.toString()).toBe(`read ${part.length}`);
      }
    }
    return { memory, got, clients, sockets };
  }

  it('fill the same memory, whatever the connection, and are answered on it', async () => {
    const { memory, got, clients } = await read(['one|and two', 'three']);
    expect(got).toEqual(['oneand two', 'three']);
    expect(memory.size).toBe(1);
    for (const client of clients) client.destroy();
  });

  it('end with the connection, which the server then counts no more', async () => {
    const { clients, sockets } = await read(['one', 'two']);
    const closed = sockets.map((socket) => once(socket, 'close'));
    clients[0]!.end();
    sockets[1]!.destroy();
    await Promise.all(closed);
    await new Promise<void>((resolve, reject) => server!.close((error) => (error === undefined ? resolve() : reject(error))));
    server = null;
    expect(clients.length).toBe(2);
  });

  it('come by events from a socket that has no handle to take over', () => {
    const socket = new EventEmitter() as unknown as Socket;
    const got: string[] = [];
    expect(readInPlace(socket, (bytes, length) => got.push(bytes.toString('utf8', 0, length)))).toBe(socket);
    socket.emit('data', Buffer.from('bytes'));
    expect(got).toEqual(['bytes']);
  });
});
