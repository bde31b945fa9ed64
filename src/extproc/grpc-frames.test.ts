import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, FrameReader } from './grpc-frames.ts';

/** Pushes a chunk whose memory is overwritten afterwards, as that of a socket's reads is. */
function pushed(reader: FrameReader, bytes: Buffer): Buffer[] {
  const chunk = Buffer.from(new Uint8Array(bytes).buffer);
  const messages = reader.push(chunk) ?? [];
  if (reader.unfinished > 0 && reader.expected > 100) reader.assemble();
  reader.own();
  chunk.fill(0xee);
  return messages;
}

describe('gRPC frames', () => {
  it('come out as they went in, whatever the chunking', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }),
        fc.array(fc.nat(2_000), { maxLength: 10 }),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map((message) => frame(Buffer.from(message))));
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          const reader = new FrameReader(1_000);
          const read = places.slice(1).flatMap((place, index) => pushed(reader, bytes.subarray(places[index], place)));
          expect(read.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
        },
      ),
    );
  });

  it('come out whole when they are large, with small ones around them', () => {
    const large = Buffer.alloc(200_000, 'abcdefghij');
    const messages = [Buffer.from('before'), large, Buffer.alloc(0), Buffer.from('after')];
    const bytes = Buffer.concat(messages.map(frame));
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts, bytes.length].sort((a, b) => a - b);
        const reader = new FrameReader(300_000);
        const read = places.slice(1).flatMap((place, index) => pushed(reader, bytes.subarray(places[index], place)));
        expect(read.map((message, at) => message.equals(messages[at]!))).toEqual([true, true, true, true]);
      }),
    );
  });

  it('are refused when they are compressed or longer than the bound', () => {
    expect(new FrameReader(10).push(Buffer.from([1, 0, 0, 0, 1, 0]))).toBeNull();
    expect(new FrameReader(10).push(Buffer.from([0, 0, 0, 0, 11]))).toBeNull();
  });
});
