import { connect, type ClientHttp2Session } from 'node:http2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { frame } from './grpc-frames.ts';
import { GrpcTransport } from './grpc-transport.ts';
import { call, replying, status, type ToldEvent } from './testing/calls.ts';
import type { ProcStream } from './types.ts';

const megabyte = 1024 * 1024;

let transport: GrpcTransport;
let session: ClientHttp2Session;
let told: ToldEvent[];
let open: (ProcStream & { closed?: boolean })[];
/** Whether bodies are replied to at once. */
let replies: boolean;

beforeEach(async () => {
  told = [];
  open = [];
  replies = true;
  transport = new GrpcTransport({ memoryBytes: 4 * megabyte });
  const services = replying(
    told,
    () => replies,
    (stream) => open.push(stream),
  );
  const address = await transport.listen('127.0.0.1:0', services);
  session = connect(`http://${address}`, { settings: { initialWindowSize: 65_535 } });
  session.on('error', () => undefined);
});

afterEach(async () => {
  session.destroy();
  await transport.drain(0);
});

/** A request body's message, with its prefix. */
function body(bytes: number): Buffer {
  const length = (value: number): Buffer => {
    const out: number[] = [];
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      out.push(rest < 128 ? rest : (rest % 128) + 128);
      if (rest < 128) return Buffer.from(out);
    }
  };
  const inner = Buffer.concat([Buffer.from([0x0a]), length(bytes), Buffer.alloc(bytes, 'x'), Buffer.from([0x10, 0x01])]);
  return frame(Buffer.concat([Buffer.from([0x22]), length(inner.length), inner]));
}

it('holds what has come of unfinished messages, and ends the call for which there is no room, but no other', async () => {
  const half = call(session);
  const whole = body(megabyte);
  half.write(whole.subarray(0, -1));
  await expect.poll(() => transport.heldBytes.messages).toBe(whole.length - 1);
  const more = call(session);
  const ended = status(more);
  more.write(body(2 * megabyte).subarray(0, -1));
  expect(await ended).toBe('reset 11');
  expect(told).toEqual([{ event: 'too-many-bytes', reason: 'too many bytes of messages in flight' }]);
  const answered = status(half);
  half.end(whole.subarray(-1));
  expect(await answered).toBe('0');
  const other = call(session);
  const served = status(other);
  other.end(Buffer.concat([body(10)]));
  expect(await served).toBe('0');
  await expect.poll(() => transport.heldBytes).toEqual({ messages: 0, replies: 0 });
});

it('holds whole bodies until they are replied to, and refuses one too many', async () => {
  replies = false;
  const first = call(session);
  first.write(body(2 * megabyte - 5_000));
  await expect.poll(() => transport.heldBytes.messages).toBeGreaterThan(2 * megabyte - 5_000);
  const second = call(session);
  const ended = status(second);
  // It comes whole: nothing of it is held before.
  second.write(body(10_000));
  expect(await ended).toBe('8');
  expect(told).toEqual([{ event: 'too-many-bytes', reason: 'too many bytes of messages in flight' }]);
  const answered = status(first);
  open[0]!.send({ kind: 'continue', phase: 'request-body' });
  open[0]!.end();
  expect(await answered).toBe('0');
  await expect.poll(() => transport.heldBytes).toEqual({ messages: 0, replies: 0 });
});

it('cuts the connection that reads no replies, and forgets what was for it', async () => {
  replies = false;
  const unread = call(session);
  unread.pause();
  unread.write(body(10));
  await expect.poll(() => open.length).toBe(1);
  const closed = new Promise((resolve) => session.once('close', resolve));
  for (let sent = 0; sent < 3; sent++)
    open[0]!.send({ kind: 'immediate', status: 200, headers: { set: [], remove: [] }, body: Buffer.alloc(megabyte), details: 'x' });
  await closed;
  expect(told).toEqual([{ event: 'connection-cut', reason: 'too many bytes of answers that the peer does not read' }]);
  await expect.poll(() => transport.heldBytes).toEqual({ messages: 0, replies: 0 });
});

it('gives back what an aborted call held', async () => {
  replies = false;
  const whole = call(session);
  whole.write(body(megabyte));
  const part = call(session);
  part.write(body(megabyte / 2).subarray(0, 100_000));
  await expect.poll(() => transport.heldBytes.messages).toBeGreaterThan(megabyte + 99_000);
  whole.close(8);
  part.close(8);
  await expect.poll(() => transport.heldBytes).toEqual({ messages: 0, replies: 0 });
  expect(told).toEqual([]);
});
