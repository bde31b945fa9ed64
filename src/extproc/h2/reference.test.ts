import { connect as connectHttp2, sensitiveHeaders, type ClientHttp2Session } from 'node:http2';
import { EventEmitter } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../test/support/fuzz.ts';
import { Http2Connection } from './connection.ts';
import { errorCode, flag, frameOf, frameType, numbersFrame, preface, settingsFrame } from './frames.ts';
import { encodeHeaders, HeaderDecoder, type Header } from './hpack.ts';
import { MemoryInFlight } from './memory.ts';
import { limits } from '../../lib/limits.ts';

/** A socket whose peer is the test: it gets exactly the chunks that it is given. */
class GivenSocket extends EventEmitter {
  readonly written: Buffer[] = [];
  readonly writableLength = 0;
  destroyed = false;
  setNoDelay(): void {}
  cork(): void {}
  uncork(): void {}
  write(bytes: Buffer): boolean {
    this.written.push(Buffer.from(bytes));
    return true;
  }
  end(bytes?: Buffer): void {
    if (bytes !== undefined) this.write(bytes);
    this.destroy();
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

/** What a stream's owner is told. */
interface Told {
  readonly headers: readonly Header[];
  data: string;
  closed: boolean | null;
}

/** Names that no rule of HTTP/2 forbids or gives a meaning. */
const name = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
  .filter((text) => !/^(te|upgrade|connection|keep-alive|content-length)$/.test(text));
const value = fc.stringMatching(/^([!-~]([ -~]{0,30}[!-~])?)?$/);
const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const padding = fc.option(fc.nat(20), { nil: null });

function padded(payload: Buffer, pad: number | null): { readonly flags: number; readonly payload: Buffer } {
  return pad === null
    ? { flags: 0, payload }
    : { flags: flag.padded, payload: Buffer.concat([Buffer.from([pad]), payload, Buffer.alloc(pad)]) };
}

/** Headers that every request has. */
const opening: readonly Header[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/x'],
];

/** One stream as frames, in order; nothing may come between those of one group. */
const conversation = fc.record({
  headers: fc.array(fc.tuple(name, value), { maxLength: 5 }).map((own) => [...opening, ...own]),
  blockCuts: fc.array(fc.nat(200), { maxLength: 3 }),
  pad: padding,
  priority: fc.boolean(),
  data: fc.array(fc.tuple(bytes, padding), { maxLength: 4 }),
  ends: fc.constantFrom('headers', 'data', 'trailers', 'reset', 'open'),
});
type Conversation = typeof conversation extends fc.Arbitrary<infer T> ? T : never;

function framesOf(
  id: number,
  { headers, blockCuts, pad, priority, data, ends }: Conversation,
): { readonly groups: Buffer[][]; readonly told: Told } {
  const ended = ends === 'headers' || (ends === 'data' && data.length === 0);
  const block = encodeHeaders(headers);
  const places = [0, ...blockCuts.map((place) => place % (block.length + 1)), block.length].sort((a, b) => a - b);
  const parts = places.slice(1).map((place, index) => block.subarray(places[index], place));
  const head = padded(Buffer.concat([priority ? Buffer.from([0, 0, 0, 0, 16]) : Buffer.alloc(0), parts[0]!]), pad);
  const last = parts.length - 1;
  const group = parts.map((part, index) =>
    index === 0
      ? frameOf(
          frameType.headers,
          head.flags | (priority ? flag.priority : 0) | (ended ? flag.endStream : 0) | (index === last ? flag.endHeaders : 0),
          id,
          head.payload,
        )
      : frameOf(frameType.continuation, index === last ? flag.endHeaders : 0, id, part),
  );
  const bodies = ended ? [] : data;
  const groups = [
    group,
    ...bodies.map(([body, padBy], index) => {
      const made = padded(body, padBy);
      return [
        frameOf(frameType.data, made.flags | (ends === 'data' && index === bodies.length - 1 ? flag.endStream : 0), id, made.payload),
      ];
    }),
    ...(ends === 'trailers'
      ? [[frameOf(frameType.headers, flag.endHeaders | flag.endStream, id, encodeHeaders([['x-trailer', 'yes']]))]]
      : []),
    ...(ends === 'reset' ? [[numbersFrame(frameType.resetStream, id, errorCode.cancel)]] : []),
  ];
  return {
    groups,
    told: {
      headers,
      data: Buffer.concat(bodies.map(([body]) => body)).toString('latin1'),
      closed: ends === 'open' ? null : ends === 'reset',
    },
  };
}

/** Frames of the connection itself, which may stand anywhere between others. */
const between = fc.constantFrom(
  frameOf(frameType.ping, 0, 0, Buffer.alloc(8, 7)),
  settingsFrame([]),
  frameOf(frameType.settings, flag.ack, 0, Buffer.alloc(0)),
  numbersFrame(frameType.windowUpdate, 0, 5),
  frameOf(0x2a, 0xff, 77, Buffer.from('of a later standard')),
  frameOf(frameType.goAway, 0, 0, Buffer.alloc(8)),
);

describe('frames of several streams', () => {
  it('tell each owner what a reader of whole frames would, in whatever order and pieces they come', () => {
    fc.assert(
      fc.property(
        fc.array(conversation, { maxLength: 5 }),
        fc.array(fc.nat(100), { maxLength: 40 }),
        fc.array(between, { maxLength: 6 }),
        fc.oneof(fc.array(fc.nat(5_000), { maxLength: 30 }), fc.constant(null)),
        (list, order, extras, cuts) => {
          const streams = list.map((one, index) => framesOf(2 * index + 1, one));
          // Streams begin in the order of their numbers; after that any of them may go on.
          const queues = streams.map(({ groups }) => [...groups]);
          const sent: Buffer[] = queues.flatMap((queue) => queue.shift() ?? []);
          for (const [turn, pick] of order.entries()) {
            const open = queues.filter((queue) => queue.length > 0);
            if (open.length === 0) break;
            sent.push(...open[pick % open.length]!.shift()!, ...(turn < extras.length ? [extras[turn]!] : []));
          }
          for (const queue of queues) sent.push(...queue.flat());
          const all = Buffer.concat([preface, settingsFrame([]), ...sent]);
          const places =
            cuts === null
              ? Array.from({ length: all.length + 1 }, (_, index) => index)
              : [0, ...cuts.map((place) => place % (all.length + 1)), all.length].sort((a, b) => a - b);

          const told: Told[] = [];
          const socket = new GivenSocket();
          const connection = new Http2Connection(socket as unknown as Socket, {
            accept: (stream, headers) => {
              const one: Told = { headers, data: '', closed: null };
              told.push(one);
              return {
                data: (got, from, to) => {
                  stream.consumed(to - from);
                  one.data += got.toString('latin1', from, to);
                },
                closed: (cancelled) => (one.closed = cancelled),
              };
            },
            closed: () => undefined,
            memory: new MemoryInFlight(limits.transportMemoryBytes),
          });
          for (const [index, place] of places.slice(1).entries()) socket.emit('data', all.subarray(places[index], place));
          expect(socket.destroyed).toBe(false);
          expect(told).toEqual(streams.map((stream) => stream.told));
          connection.destroy();
          // What was still open is lost with its connection.
          expect(told.map(({ closed }) => closed)).toEqual(streams.map((stream) => stream.told.closed ?? true));
        },
      ),
      runs(300),
    );
  });
});

describe('header tables', () => {
  const same = fc.constantFrom<Header>(['x-same', 'value'], ['x-other', 'a longer value of some bytes'], ['x-large', 'v'.repeat(1_500)]);
  const kind = fc.constantFrom('indexed', 'added', 'plain', 'never');
  const step = fc.record({
    header: fc.oneof(fc.tuple(name, value), same),
    kind,
    resize: fc.option(fc.constantFrom(0, 100, 2_000, 4_096), { nil: null }),
    ends: fc.boolean(),
  });

  it('stay alike on both sides, whatever is added, evicted or resized', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const decoder = new HeaderDecoder(1 << 20);
        const table = new ReferenceTable();
        let block: Buffer[] = [];
        let expected: Header[] = [];
        for (const { header, kind: how, resize, ends } of steps) {
          if (resize !== null && expected.length === 0) block.push(table.resize(resize));
          block.push(table.write(header, how));
          expected.push(header);
          if (!ends) continue;
          expect(decoder.decode(Buffer.concat(block))).toEqual(expected);
          block = [];
          expected = [];
        }
        expect(decoder.decode(Buffer.concat(block))).toEqual(expected);
      }),
      runs(500),
    );
  });
});

/** An encoder with a dynamic table, straight from RFC 7541, sections 4 and 6. */
class ReferenceTable {
  #entries: Header[] = [];
  #most = 4_096;

  resize(size: number): Buffer {
    this.#most = size;
    this.#evict();
    return this.#integer(0x20, 5, size);
  }

  write(header: Header, how: 'indexed' | 'added' | 'plain' | 'never'): Buffer {
    const found = this.#entries.findIndex(([key, text]) => key === header[0] && text === header[1]);
    if (how === 'indexed' && found >= 0) return this.#integer(0x80, 7, 62 + found);
    const named = this.#entries.findIndex(([key]) => key === header[0]);
    const index = named < 0 ? 0 : 62 + named;
    const [first, bits] = { indexed: [0x40, 6], added: [0x40, 6], plain: [0x00, 4], never: [0x10, 4] }[how] as [number, number];
    const written = Buffer.concat([
      this.#integer(first, bits, index),
      ...(index === 0 ? [this.#text(header[0])] : []),
      this.#text(header[1]),
    ]);
    if (first === 0x40) {
      this.#entries.unshift(header);
      this.#evict();
    }
    return written;
  }

  #evict(): void {
    const size = (): number => this.#entries.reduce((sum, [key, text]) => sum + key.length + text.length + 32, 0);
    while (size() > this.#most) this.#entries.pop();
  }

  #text(text: string): Buffer {
    return Buffer.concat([this.#integer(0, 7, text.length), Buffer.from(text, 'latin1')]);
  }

  #integer(first: number, bits: number, value_: number): Buffer {
    const most = 2 ** bits - 1;
    if (value_ < most) return Buffer.from([first | value_]);
    const out = [first | most];
    let rest = value_ - most;
    while (rest >= 128) {
      out.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    return Buffer.from([...out, rest]);
  }
}

describe('against nghttp2', () => {
  it('headers, bodies and trailers come through both ways, whatever they are and however small the windows', async () => {
    const seen: (readonly Header[])[] = [];
    const connections = new Set<Http2Connection>();
    const server = createServer((socket) => {
      connections.add(
        new Http2Connection(socket, {
          accept: (stream, headers) => {
            seen.push(headers);
            const own = headers.filter(([key]) => key.startsWith('x-'));
            const pieces: Buffer[] = [];
            return {
              data: (got, from, to) => {
                stream.consumed(to - from);
                pieces.push(Buffer.from(got.subarray(from, to)));
              },
              closed: (cancelled) => {
                if (cancelled) return;
                stream.respond(encodeHeaders([[':status', '200'], ...own]), false);
                for (const piece of pieces) stream.data(piece);
                stream.trailers(encodeHeaders(own.map(([key, text]) => [`${key}-again`, text])));
              },
            };
          },
          closed: () => undefined,
          memory: new MemoryInFlight(limits.transportMemoryBytes),
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const header = fc.tuple(
      name.map((key) => `x-${key}`),
      fc.oneof(value, fc.constantFrom('', 'the same value', 'v'.repeat(3_000))),
    );
    const exchange = fc.record({
      headers: fc.uniqueArray(header, { selector: ([key]) => key, maxLength: 4 }),
      secret: fc.boolean(),
      bytes: fc.constantFrom<number[]>(0, 1, 200, 16_384, 16_385, 70_000),
      path: fc.constantFrom('/a', '/a/longer/path?with=query', '/'),
    });
    const ask = (
      peer: ClientHttp2Session,
      { headers, secret, bytes: length, path }: typeof exchange extends fc.Arbitrary<infer T> ? T : never,
    ): Promise<object> =>
      new Promise((resolve, reject) => {
        const stream = peer.request({
          ':method': 'POST',
          ':path': path,
          ...Object.fromEntries(headers),
          ...(secret ? { [sensitiveHeaders]: headers.map(([key]) => key) } : {}),
        });
        const pieces: Buffer[] = [];
        let answered: object = {};
        let trailers: object = {};
        stream.on('response', (fields: object) => (answered = own(fields)));
        stream.on('trailers', (fields: object) => (trailers = own(fields)));
        stream.on('data', (got: Buffer) => pieces.push(got));
        stream.on('error', reject);
        stream.on('close', () => resolve({ answered, trailers, body: Buffer.concat(pieces).equals(Buffer.alloc(length, path)) }));
        stream.end(Buffer.alloc(length, path));
      });
    const own = (fields: object): object => Object.fromEntries(Object.entries(fields).filter(([key]) => key.startsWith('x-')));
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(exchange, { minLength: 1, maxLength: 6 }),
          fc.constantFrom(1, 1_000, 65_535, 1_000_000),
          fc.constantFrom(0, 4_096, 65_536),
          async (list, initialWindowSize, headerTableSize) => {
            const peer = connectHttp2(url, { settings: { initialWindowSize, headerTableSize } });
            try {
              const tiny = initialWindowSize === 1;
              const wanted = list.map((one) => (tiny ? { ...one, bytes: Math.min(one.bytes, 200) } : one));
              seen.length = 0;
              const got = await Promise.all(wanted.map((one) => ask(peer, one)));
              for (const [index, { headers }] of wanted.entries()) {
                expect(got[index]).toEqual({
                  answered: Object.fromEntries(headers),
                  trailers: Object.fromEntries(headers.map(([key, text]) => [`${key}-again`, text])),
                  body: true,
                });
              }
              expect(seen.map((headers) => headers.filter(([key]) => key.startsWith('x-') || key === ':path'))).toEqual(
                wanted.map(({ headers, path }) => [[':path', path], ...headers]),
              );
            } finally {
              peer.destroy();
            }
          },
        ),
        runs(25),
      );
    } finally {
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
