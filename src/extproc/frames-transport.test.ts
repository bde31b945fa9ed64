import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ScriptedEnvoy } from '../../test/support/ext-proc.ts';
import { FramesTransport, type FramesOptions } from './frames-transport.ts';
import { call, replying, status, type ToldEvent } from './testing/calls.ts';

const megabyte = 1024 * 1024;

let transport: FramesTransport;
let told: ToldEvent[];

/** Listens on TCP; replies to each body. Returns the port. */
async function listen(options: FramesOptions, onMessage: () => void = () => undefined): Promise<number> {
  told = [];
  transport = new FramesTransport(options);
  const seen = (): boolean => {
    onMessage();
    return true;
  };
  return Number((await transport.listen('127.0.0.1:0', replying(told, seen))).split(':')[1]);
}

afterEach(() => transport.drain(0));

it('holds no more of large bodies than its bound: those that do not fit wait, and all are answered', async () => {
  const memoryBytes = 32 * megabyte;
  let most = 0;
  const port = await listen({ memoryBytes }, () => (most = Math.max(most, transport.heldBytes)));
  const envoy = new ScriptedEnvoy(`127.0.0.1:${port}`);
  const body = Buffer.alloc(7 * megabyte, 'x');
  const streams = Array.from({ length: 5 }, () => envoy.open());
  for (const stream of streams) stream.send({ request_body: { body, end_of_stream: true } });
  for (const stream of streams) expect(await stream.over()).toBe(0);
  expect(most).toBeGreaterThan(7 * megabyte);
  expect(most).toBeLessThanOrEqual((memoryBytes * 5) / 8);
  expect(transport.heldBytes).toBe(0);
  expect(told).toEqual([]);
  envoy.close();
});

it('ends a call for whose message no memory is left, says so, and serves the others', async () => {
  // An eighth of it, a megabyte, is for messages that fit a stream's window.
  const port = await listen({ memoryBytes: 8 * megabyte });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const prefix = (length: number): Buffer => {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };
  const first = call(session);
  first.write(Buffer.concat([prefix(megabyte - 5), Buffer.from([0x22])]));
  await expect.poll(() => transport.heldBytes).toBe(megabyte);
  const second = call(session);
  const secondStatus = status(second);
  second.write(Buffer.concat([prefix(100), Buffer.alloc(10)]));
  expect(await secondStatus).toBe('8');
  expect(told).toEqual([{ event: 'too-many-bytes', reason: 'too many bytes of messages in flight' }]);
  first.close();
  await expect.poll(() => transport.heldBytes).toBe(0);
  const third = call(session);
  const thirdStatus = status(third);
  // A request body, empty.
  third.end(Buffer.concat([prefix(2), Buffer.from([0x22, 0x00])]));
  expect(await thirdStatus).toBe('0');
  session.destroy();
});

it('asks a silent connection for a sign of life, and cuts it when none comes', async () => {
  const port = await listen({ keepaliveMs: 20 });
  const silent = connect(port, '127.0.0.1');
  silent.on('error', () => undefined);
  silent.resume();
  await new Promise((resolve) => silent.once('close', resolve));
  expect(told).toEqual([{ event: 'connection-lost', reason: 'no answer to a ping' }]);
});

/** Connects, says `bytes`, and cuts when the server has said `heard`. Resolves when the server knows. */
async function cut(port: number, bytes: Buffer, heard: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  let said = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    said = Buffer.concat([said, chunk]);
    if (said.includes(heard)) break;
  }
  expect(transport.connections).toBe(1);
  socket.resetAndDestroy();
  await expect.poll(() => transport.connections).toBe(0);
}

const settings = (flags: number): Buffer => Buffer.from([0, 0, 0, 4, flags, 0, 0, 0, 0]);

it('says nothing of a probe that only looks whether somebody listens, and tells of a connection that broke', async () => {
  const port = await listen({});
  await cut(port, Buffer.alloc(0), Buffer.alloc(0));
  expect(told).toEqual([]);
  await cut(port, Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings(0)]), settings(1));
  expect(told).toEqual([{ event: 'connection-lost', reason: 'read ECONNRESET' }]);
});
