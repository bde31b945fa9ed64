import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { Http2Connection } from './connection.ts';
import { errorCode, flag, frameOf, frameType, numbersFrame, preface, settingsFrame } from './frames.ts';
import { MemoryInFlight } from './memory.ts';
import { CompressionError, encodeHeaders, HeaderDecoder, type Header } from './hpack.ts';
import { runs } from '../../../test/support/fuzz.ts';

/** A server that notes what its connections hand it and echoes each stream's bytes when the peer has ended its half. */
class EchoServer {
  readonly seen: (readonly Header[])[] = [];
  readonly ends: boolean[] = [];
  readonly connections = new Set<Http2Connection>();
  readonly errors: unknown[] = [];
  memory = new MemoryInFlight(limits.transportMemoryBytes);
  consumes = true;
  /** Bytes that each stream needs before anything is consumed. */
  needed = 0;
  streams: number = limits.grpcStreams;
  closed = 0;
  readonly server: Server = createServer((socket) => {
    const connection: Http2Connection = new Http2Connection(socket, {
      accept: (stream, headers) => {
        this.seen.push(headers);
        const pieces: Buffer[] = [];
        return {
          data: (bytes, from, to) => {
            if (this.consumes) stream.consumed(to - from);
            if (this.needed > 0) stream.needs(this.needed);
            pieces.push(Buffer.from(bytes.subarray(from, to)));
          },
          closed: (cancelled) => {
            this.ends.push(cancelled);
            if (cancelled) return;
            stream.respond(encodeHeaders([[':status', '200']]), false);
            stream.data(Buffer.concat(pieces));
            stream.trailers(encodeHeaders([['x-end', 'yes']]));
          },
        };
      },
      closed: () => this.closed++,
      failed: (error) => this.errors.push(error),
      memory: this.memory,
      streams: this.streams,
    });
    this.connections.add(connection);
  });

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }
}

/** What a raw peer got back, as [type, flags, stream, payload]. */
async function talk(port: number, bytes: Buffer, pieces = 1): Promise<(readonly [number, number, number, Buffer])[]> {
  const socket: Socket = connect(port, '127.0.0.1');
  const got: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => got.push(chunk));
  socket.on('error', () => undefined);
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const step = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += step) {
    socket.write(bytes.subarray(at, at + step));
    if (pieces > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await over;
  const all = Buffer.concat(got);
  const frames: (readonly [number, number, number, Buffer])[] = [];
  for (let at = 0; at + 9 <= all.length; at += 9 + all.readUIntBE(at, 3)) {
    frames.push([all[at + 3]!, all[at + 4]!, all.readUInt32BE(at + 5), all.subarray(at + 9, at + 9 + all.readUIntBE(at, 3))]);
  }
  return frames;
}

const hello = Buffer.concat([preface, settingsFrame([])]);
const request = encodeHeaders([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/x'],
]);
const headers = (id: number, flags: number, block: Buffer = request): Buffer => frameOf(frameType.headers, flags, id, block);

/** The code of the GOAWAY that ended a conversation; null when there was none. */
function goAway(frames: readonly (readonly [number, number, number, Buffer])[]): number | null {
  const frame = frames.find(([type]) => type === frameType.goAway);
  return frame === undefined ? null : frame[3].readUInt32BE(4);
}

/** More of one frame than a second may hold. */
const flood = (frame: Buffer, first: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([hello, first, ...Array<Buffer>(limits.http2ControlFrames + 2).fill(frame)]);

describe('an HTTP/2 connection', () => {
  let echo: EchoServer;
  let port: number;
  let session: ClientHttp2Session | null = null;

  beforeEach(async () => {
    echo = new EchoServer();
    port = await echo.listen();
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    session?.destroy();
    session = null;
    for (const connection of echo.connections) connection.destroy();
    await new Promise((resolve) => echo.server.close(resolve));
  });

  function client(settings: { readonly initialWindowSize?: number } = {}): ClientHttp2Session {
    session = connectHttp2(`http://127.0.0.1:${port}`, { settings });
    session.on('error', () => undefined);
    return session;
  }

  function exchange(
    peer: ClientHttp2Session,
    sent: Readonly<Record<string, string>>,
    body: Buffer,
  ): Promise<{ readonly body: Buffer; readonly trailer: unknown }> {
    return new Promise((resolve, reject) => {
      const stream = peer.request({ ':method': 'POST', ':path': '/echo', ...sent });
      const pieces: Buffer[] = [];
      let trailer: unknown;
      stream.on('data', (bytes: Buffer) => pieces.push(bytes));
      stream.on('trailers', (fields: Readonly<Record<string, unknown>>) => (trailer = fields['x-end']));
      stream.on('error', reject);
      stream.on('close', () => resolve({ body: Buffer.concat(pieces), trailer }));
      stream.end(body);
    });
  }

  it('reads what nghttp2 writes: tables, Huffman codes, every octet a header may hold', async () => {
    const peer = client();
    const value = Array.from({ length: 0x7f - 0x21 }, (_, index) => String.fromCharCode(0x21 + index)).join('');
    for (let round = 0; round < 3; round++)
      await exchange(peer, { 'x-all': value, 'x-round': `r${round}`, 'x-same': 'grpc/1.0 timeout' }, Buffer.from('a'));
    expect(echo.seen).toHaveLength(3);
    for (const [round, list] of echo.seen.entries()) {
      const map = new Map(list);
      expect(map.get('x-all')).toBe(value);
      expect(map.get('x-round')).toBe(`r${round}`);
      expect(map.get('x-same')).toBe('grpc/1.0 timeout');
      expect(map.get(':path')).toBe('/echo');
    }
  });

  it('carries bodies larger than every window, both ways, on many streams at once', async () => {
    const peer = client({ initialWindowSize: 20_000 });
    const bodies = [0, 1, 16_384, 16_385, 300_000, 5_000_000].map((length) => Buffer.alloc(length, `${length} `));
    const answers = await Promise.all(bodies.map((body) => exchange(peer, {}, body)));
    for (const [index, answer] of answers.entries()) {
      expect(answer.body.equals(bodies[index]!)).toBe(true);
      expect(answer.trailer).toBe('yes');
    }
  });

  it('tells a reset from an end, and a lost connection too', async () => {
    await talk(port, Buffer.concat([hello, headers(1, flag.endHeaders), numbersFrame(frameType.resetStream, 1, errorCode.cancel)]));
    expect(echo.ends).toEqual([true]);
    await talk(port, Buffer.concat([hello, headers(1, flag.endHeaders | flag.endStream)]));
    expect(echo.ends).toEqual([true, false]);
    await talk(port, Buffer.concat([hello, headers(1, flag.endHeaders)]));
    await expect.poll(() => echo.ends).toEqual([true, false, true]);
    expect(echo.closed).toBe(3);
  });

  it('drains: open streams end, then the connection does', async () => {
    const peer = client();
    const stream = peer.request({ ':method': 'POST', ':path': '/echo' });
    stream.write('slow');
    await expect.poll(() => echo.seen.length).toBe(1);
    for (const connection of echo.connections) connection.drain();
    await new Promise((resolve) => peer.once('goaway', resolve));
    const body = new Promise<string>((resolve) => stream.once('data', (bytes: Buffer) => resolve(bytes.toString())));
    stream.end();
    expect(await body).toBe('slow');
    await expect.poll(() => echo.closed).toBe(1);
  });

  it('reads frames however they are cut', async () => {
    const bytes = Buffer.concat([
      hello,
      headers(1, flag.endHeaders),
      frameOf(frameType.data, 0, 1, Buffer.from('ab')),
      frameOf(frameType.data, flag.endStream, 1, Buffer.from('cd')),
    ]);
    for (const pieces of [1, 2, 7, bytes.length]) {
      const frames = await talk(port, bytes, pieces);
      expect(Buffer.concat(frames.filter(([type]) => type === frameType.data).map(([, , , payload]) => payload)).toString()).toBe('abcd');
    }
  });

  it.each<readonly [string, Buffer, number]>([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: sluice\r\n\r\n'), errorCode.protocol],
    ['frames before settings', Buffer.concat([preface, headers(1, flag.endHeaders)]), errorCode.protocol],
    ['a frame above the size limit', Buffer.concat([hello, frameOf(frameType.data, 0, 1, Buffer.alloc(16_385))]), errorCode.frameSize],
    ['data on a stream that was never opened', Buffer.concat([hello, frameOf(frameType.data, 0, 5, Buffer.from('x'))]), errorCode.protocol],
    ['an even stream number', Buffer.concat([hello, headers(2, flag.endHeaders)]), errorCode.protocol],
    ['an index outside the tables', Buffer.concat([hello, headers(1, flag.endHeaders, Buffer.from([0xff, 0x7f]))]), errorCode.compression],
    [
      'a header block that never ends',
      Buffer.concat([hello, headers(1, 0), ...Array.from({ length: 2_000 }, () => frameOf(frameType.continuation, 0, 1, Buffer.alloc(0)))]),
      errorCode.calm,
    ],
    [
      'a header block that is interrupted',
      Buffer.concat([hello, headers(1, 0), frameOf(frameType.ping, 0, 0, Buffer.alloc(8))]),
      errorCode.protocol,
    ],
    [
      'padding longer than its frame',
      Buffer.concat([hello, headers(1, flag.endHeaders), frameOf(frameType.data, flag.padded, 1, Buffer.from([9, 1]))]),
      errorCode.protocol,
    ],
    ['a window that overflows', Buffer.concat([hello, numbersFrame(frameType.windowUpdate, 0, 0x7fff_ffff)]), errorCode.flowControl],
    ['a push', Buffer.concat([hello, frameOf(frameType.pushPromise, flag.endHeaders, 1, Buffer.alloc(4))]), errorCode.protocol],
    ['a flood of pings', flood(frameOf(frameType.ping, flag.ack, 0, Buffer.alloc(8))), errorCode.calm],
    ['a flood of settings', flood(frameOf(frameType.settings, flag.ack, 0, Buffer.alloc(0))), errorCode.calm],
    ['a flood of resets', flood(numbersFrame(frameType.resetStream, 1, errorCode.cancel), headers(1, flag.endHeaders)), errorCode.calm],
    ['a flood of empty data', flood(frameOf(frameType.data, 0, 1, Buffer.alloc(0)), headers(1, flag.endHeaders)), errorCode.calm],
    [
      'trailers for what has ended',
      Buffer.concat([hello, headers(1, flag.endHeaders | flag.endStream), headers(1, flag.endHeaders | flag.endStream)]),
      errorCode.streamClosed,
    ],
    [
      'a flood of window updates',
      flood(numbersFrame(frameType.windowUpdate, 1, 1), headers(1, flag.endHeaders | flag.endStream)),
      errorCode.calm,
    ],
  ])('ends the connection over %s', async (_what, bytes, code) => {
    // However long it takes here, it comes within a second.
    const clock = vi.spyOn(Date, 'now').mockReturnValue(1_000);
    expect(goAway(await talk(port, bytes))).toBe(code);
    clock.mockRestore();
    expect(echo.errors).toHaveLength(1);
    await expect.poll(() => echo.closed).toBe(1);
  });

  it('gives a stream’s window back as bytes are consumed, and cuts a connection whose stream exceeds it', async () => {
    const block = frameOf(frameType.data, 0, 1, Buffer.alloc(16_384));
    const blocks = (count: number): Buffer => Buffer.concat([hello, headers(1, flag.endHeaders), ...Array<Buffer>(count).fill(block)]);
    const windows = limits.http2StreamWindowBytes / 16_384;
    // Consumed at once: three windows come, and each half of one is given back.
    const frames = await talk(port, blocks(3 * windows));
    const given = frames
      .filter(([type, , id]) => type === frameType.windowUpdate && id === 1)
      .map(([, , , payload]) => payload.readUInt32BE(0));
    expect(given.length).toBeGreaterThanOrEqual(5);
    expect(given.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(3 * limits.http2StreamWindowBytes);
    expect(goAway(frames)).toBeNull();
    echo.consumes = false;
    const refused = await talk(port, blocks(windows + 1));
    expect(refused.filter(([type, , id]) => type === frameType.windowUpdate && id === 1)).toEqual([]);
    expect(goAway(refused)).toBe(errorCode.flowControl);
  });

  it('lets a long message in at once, and many only in slices', async () => {
    echo.consumes = false;
    echo.needed = 4 * limits.longMessageBytes;
    const sent = 16_384;
    const ids = Array.from({ length: 16 }, (_, index) => 2 * index + 1);
    const block = (id: number): Buffer => Buffer.concat([headers(id, flag.endHeaders), frameOf(frameType.data, 0, id, Buffer.alloc(sent))]);
    const frames = await talk(port, Buffer.concat([hello, ...ids.map(block)]));
    const given = ids.map((id) =>
      frames
        .filter(([type, , of]) => type === frameType.windowUpdate && of === id)
        .reduce((sum, [, , , payload]) => sum + payload.readUInt32BE(0), 0),
    );
    // The first may send all that long messages may send ahead; of many, each has enough of its window left.
    expect(given[0]).toBeGreaterThan(limits.longMessageBytes - limits.http2StreamWindowBytes);
    expect(given[0]).toBeLessThan(limits.longMessageBytes);
    expect(given.slice(8)).toEqual(ids.slice(8).map(() => 0));
  });

  it('lets short answers pass long ones', async () => {
    const peer = client({ initialWindowSize: 64 * 1024 * 1024 });
    await new Promise<void>((resolve) => peer.once('remoteSettings', () => resolve()));
    peer.setLocalWindowSize(64 * 1024 * 1024);
    const ended: string[] = [];
    let short: Promise<unknown> = Promise.resolve();
    const long = peer.request({ ':method': 'POST', ':path': '/long' });
    long.once('response', () => {
      short = exchange(peer, {}, Buffer.from('short')).then(() => ended.push('short'));
    });
    long.resume();
    long.end(Buffer.alloc(24 * 1024 * 1024));
    await new Promise<void>((resolve) => long.once('close', () => resolve(void ended.push('long'))));
    await short;
    expect(ended).toEqual(['short', 'long']);
  });

  it('refuses streams above its limit, ended ones that the peer left half open included', async () => {
    echo.streams = 2;
    const frames = await talk(
      port,
      Buffer.concat([
        hello,
        ...[1, 3, 5].map((id) => headers(id, flag.endHeaders)),
        numbersFrame(frameType.resetStream, 1, 8),
        headers(7, flag.endHeaders),
      ]),
    );
    const resets = frames.filter(([type]) => type === frameType.resetStream).map(([, , id, payload]) => [id, payload.readUInt32BE(0)]);
    // The refused stream 5 is half open too, and counts.
    expect(resets).toEqual([
      [5, errorCode.refused],
      [7, errorCode.refused],
    ]);
  });

  it('asks a silent peer for a sign of life, and cuts it when none comes', async () => {
    const socket = connect(port, '127.0.0.1');
    const got: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => got.push(bytes));
    socket.write(hello);
    await expect.poll(() => Buffer.concat(got).length).toBeGreaterThan(40);
    const [connection] = echo.connections;
    const pings = (): number => Buffer.concat(got).toString('latin1').split('alive').length - 1;
    connection!.checkAlive();
    expect(pings()).toBe(0);
    connection!.checkAlive();
    await expect.poll(pings).toBe(1);
    socket.write(frameOf(frameType.ping, flag.ack, 0, Buffer.from('alive\0\0\0')));
    // Its answer to another ping shows that the first one was read.
    socket.write(frameOf(frameType.ping, 0, 0, Buffer.from('question')));
    await expect.poll(() => Buffer.concat(got).includes('question')).toBe(true);
    connection!.checkAlive();
    connection!.checkAlive();
    await expect.poll(pings).toBe(2);
    expect(echo.errors).toEqual([]);
    const over = new Promise((resolve) => socket.once('close', resolve));
    connection!.checkAlive();
    await over;
    expect(echo.errors).toMatchObject([{ message: 'no answer to a ping' }]);
  });

  it('cuts a connection that reads none of its answers', async () => {
    const unread = new MemoryInFlight(16 * 1024 * 1024);
    echo.memory = unread;
    // No window for answers: they wait here.
    const peer = client({ initialWindowSize: 0 });
    const streams = Array.from({ length: 4 }, () => peer.request({ ':method': 'POST', ':path': '/echo' }));
    for (const stream of streams) {
      stream.on('error', () => undefined);
      stream.end(Buffer.alloc(2 * 1024 * 1024));
    }
    await expect.poll(() => echo.closed, { timeout: 20_000 }).toBe(1);
    expect(echo.errors).toMatchObject([{ message: expect.stringMatching(/^too many bytes/) as string }]);
  });

  it('never throws and always lets go, whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
            fc
              .tuple(
                fc.integer({ min: 0, max: 10 }),
                fc.integer({ min: 0, max: 255 }),
                fc.integer({ min: 0, max: 9 }),
                fc.uint8Array({ maxLength: 30 }),
              )
              .map(([type, flags, id, payload]) => frameOf(type, flags, id, payload)),
            fc.constant(headers(1, flag.endHeaders)),
            fc.constant(headers(3, flag.endHeaders | flag.endStream)),
          ),
          { maxLength: 12 },
        ),
        async (frames) => {
          await talk(port, Buffer.concat([hello, ...frames]), 2);
          await expect.poll(() => [...echo.connections].every((connection) => connection.streams === 0)).toBe(true);
        },
      ),
      runs(60),
    );
    expect(echo.closed).toBe(echo.connections.size);
  });
});

describe('the header decoder', () => {
  it('undoes its own encoder and fails on garbage with its own error only', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.string({ minLength: 1, maxLength: 20 }).filter((name) => /^[\x21-\x7e]+$/.test(name)),
            fc.string({ maxLength: 200 }).filter((value) => /^[\x20-\x7e]*$/.test(value)),
          ),
          { maxLength: 8 },
        ),
        (list) => {
          expect(new HeaderDecoder(1 << 20).decode(encodeHeaders(list))).toEqual(list);
        },
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HeaderDecoder(16_384);
        try {
          for (const block of blocks) decoder.decode(Buffer.from(block));
        } catch (error) {
          expect(error).toBeInstanceOf(CompressionError);
        }
      }),
      runs(2_000),
    );
  });

  it('bounds what a small block may unfold to', () => {
    const decoder = new HeaderDecoder(16_384);
    const big = Buffer.concat([
      Buffer.from([0x40, 0x01, 0x61, 0x7f, 0x80 | ((3_000 - 127) % 128), Math.floor((3_000 - 127) / 128)]),
      Buffer.alloc(3_000, 'v'),
    ]);
    // One entry of 3,000 bytes, then many indexes of it.
    expect(() => decoder.decode(Buffer.concat([big, Buffer.alloc(1_000, 0x80 | 62)]))).toThrow(/too large/);
  });
});

describe('a stream that the server ended first', () => {
  /** How often its owner was called because the peer may not have seen that. */
  async function unseen(afterwards: readonly Buffer[]): Promise<number> {
    let calls = 0;
    const server = createServer((socket) => {
      new Http2Connection(socket, {
        accept: (stream) => ({
          data: () => {
            stream.respond(encodeHeaders([[':status', '200']]), true);
            return true;
          },
          closed: () => undefined,
          unseen: () => () => calls++,
        }),
        closed: () => undefined,
        memory: new MemoryInFlight(limits.transportMemoryBytes),
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const body = frameOf(frameType.data, 0, 1, Buffer.from('x'));
    await talk((server.address() as AddressInfo).port, Buffer.concat([hello, headers(1, flag.endHeaders), body, ...afterwards]));
    await new Promise((resolve) => server.close(resolve));
    return calls;
  }
  const end = frameOf(frameType.data, flag.endStream, 1, Buffer.alloc(0));
  const reset = numbersFrame(frameType.resetStream, 1, errorCode.none);

  it.each<[string, readonly Buffer[], number]>([
    ['when the peer ends its half', [end], 1],
    ['when the peer ends its half and resets the stream, once', [end, reset], 1],
    ['not when the peer resets the stream, as Envoy does when it has seen the end', [reset], 0],
    ['when the connection is lost', [], 1],
  ])('tells its owner that this may not have been seen %s', async (_name, afterwards, calls) => {
    expect(await unseen(afterwards)).toBe(calls);
  });
});
