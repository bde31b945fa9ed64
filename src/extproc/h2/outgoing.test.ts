import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { frameKind, frameOf, frameType } from './frames.ts';
import { MemoryInFlight } from './memory.ts';
import { Outgoing } from './outgoing.ts';

it('sends frames in order and unchanged to a peer that reads late, although its memory is used again', async () => {
  const server = createServer({ allowHalfOpen: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect((server.address() as { port: number }).port, '127.0.0.1').pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  const outgoing = new Outgoing(socket, new MemoryInFlight(limits.transportMemoryBytes));
  const sent: Buffer[] = [];
  const send = (count: number, size: number): void => {
    for (let at = 0; at < count; at++) {
      const payload = Buffer.alloc(size, sent.length % 251);
      const stream = sent.length;
      sent.push(frameOf(frameType.data, 0, stream, payload));
      if (at % 3 === 0) outgoing.write(Buffer.from(sent.at(-1)!));
      else outgoing.frame(frameKind(frameType.data, 0), stream, payload, 0, size);
      // Small payloads belong to the caller again at once.
      if (size < 4_096) payload.fill(0xff);
    }
  };
  // Turns with few small frames, then more than the system takes at once, then small ones behind them.
  let waited = 0;
  for (const [count, size] of [
    ...Array<[number, number]>(20).fill([3, 40]),
    [400, 16_000],
    ...Array<[number, number]>(40).fill([30, 900]),
  ] as const) {
    outgoing.hold();
    send(count, size);
    outgoing.release();
    waited = Math.max(waited, socket.writableLength);
    await turn();
  }
  expect(waited).toBeGreaterThan(1_000_000);
  const got: Buffer[] = [];
  peer.on('data', (bytes: Buffer) => got.push(bytes)).resume();
  await expect.poll(() => socket.writableLength, { timeout: 10_000 }).toBe(0);
  send(2, 10);
  const all = Buffer.concat(sent);
  await expect.poll(() => got.reduce((sum, { length }) => sum + length, 0), { timeout: 10_000 }).toBe(all.length);
  expect(Buffer.concat(got).equals(all)).toBe(true);
  peer.destroy();
  server.close();
});
