import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import type { AnswerHead } from '../../apis/types.ts';
import type { RelayStep, StreamRelay } from '../plans.ts';
import { DecodedStream, isEncoded } from './decoded-stream.ts';

const head = (contentEncoding: string): AnswerHead => ({
  api: 'openai-chat',
  status: 200,
  contentType: 'text/event-stream',
  contentEncoding,
  usageNotAsked: false,
});

/** Passes on what it gets, and ends with a mark. */
class Passing implements StreamRelay {
  readonly got: Buffer[] = [];

  push(bytes: Buffer): RelayStep {
    this.got.push(bytes);
    return { kind: 'go', bytes };
  }

  end(): RelayStep {
    return { kind: 'go', bytes: Buffer.from('END') };
  }
}

const textOf = (steps: readonly RelayStep[]): string =>
  Buffer.concat(steps.map((step) => (step.kind === 'go' ? step.bytes : Buffer.alloc(0)))).toString();

const events = Array.from({ length: 300 }, (_, index) => `data: {"n":${index},"text":"Grüße 🙂 ${Math.sin(index)}"}\n\n`).join('');

describe('a compressed stream', () => {
  const packed = { gzip: gzipSync(events), br: brotliCompressSync(events), zstd: zstdCompressSync(events), deflate: deflateSync(events) };

  it.each(Object.entries(packed).flatMap(([name, bytes]) => [1, 7, 1000, bytes.length].map((size) => [name, size, bytes] as const)))(
    'of %s in pieces of %i bytes is what it was before',
    (name, size, bytes) => {
      const stream = new DecodedStream(new Passing(), head(name));
      const steps: RelayStep[] = [];
      for (let at = 0; at < bytes.length; at += size) steps.push(stream.push(bytes.subarray(at, at + size)));
      steps.push(stream.end());
      expect(textOf(steps)).toBe(`${events}END`);
      const first = steps.find((step) => step.kind === 'go');
      expect(first).toMatchObject({ headers: { remove: ['content-encoding', 'content-length'] } });
    },
  );

  it('reaches the relay before it has ended', () => {
    const relay = new Passing();
    const stream = new DecodedStream(relay, head('gzip'));
    for (let at = 0; at < packed.gzip.length * 0.9; at += 64) stream.push(packed.gzip.subarray(at, at + 64));
    expect(Buffer.concat(relay.got).length).toBeGreaterThan(events.length / 3);
  });

  it('that is broken, or of no known encoding, ends without content', () => {
    for (const [name, bytes] of [
      ['gzip', Buffer.from('no gzip at all')],
      ['rot13', packed.gzip],
    ] as const) {
      const stream = new DecodedStream(new Passing(), head(name));
      expect(textOf([stream.push(bytes), stream.end()])).toBe('END');
    }
  });

  it('is held up to the bound', () => {
    const relay = new Passing();
    const stream = new DecodedStream(relay, head('gzip'));
    stream.push(Buffer.alloc(limits.answerBytes + 1));
    expect(textOf([stream.end()])).toBe('END');
    expect(relay.got).toEqual([]);
  });

  it('is told from a plain one by its header', () => {
    expect(['', 'identity', 'gzip'].map((name) => isEncoded(head(name)))).toEqual([false, false, true]);
  });
});
