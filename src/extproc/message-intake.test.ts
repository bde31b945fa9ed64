import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../test/support/fuzz.ts';
import { limits } from '../lib/limits.ts';
import { frame, FrameReader, prefixBytes } from './grpc-frames.ts';
import { frameType } from './h2/frames.ts';
import { MemoryInFlight } from './h2/memory.ts';
import { Http2Stream } from './h2/stream.ts';
import { MessageIntake } from './message-intake.ts';

const megabyte = 1024 * 1024;
const window = limits.http2StreamWindowBytes;
/** Above it a message waits in line. */
const long = limits.longMessageBytes;
const longest = 5 * megabyte;

/** One call of a peer that sends no more than its window allows. */
class PeerCall {
  readonly got: number[] = [];
  readonly intake: MessageIntake;
  /** What the peer may send. */
  window = window;
  /** Whether the last message that came is still in use. */
  keeps = false;
  readonly #stream: Http2Stream;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(memory: MemoryInFlight, lengths: readonly number[]) {
    this.#bytes = Buffer.concat(lengths.map((length) => frame(Buffer.alloc(length, 'x'))));
    this.#stream = new Http2Stream(
      {
        streamWindow: window,
        slice: long,
        long: () => undefined,
        write: (written) => {
          if (written[3] === frameType.windowUpdate) this.window += written.readUInt32BE(9);
        },
        frame: () => undefined,
        waits: () => undefined,
        headerBlock: (block) => block,
        take: (_stream, wanted) => wanted,
        forget: () => undefined,
      },
      1,
      window,
      null,
    );
    this.intake = new MessageIntake(this.#stream, memory, new FrameReader(longest));
    this.#stream.own({ data: (bytes) => this.#data(bytes), closed: () => undefined });
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Sends up to `most` bytes; false if the window is closed. */
  send(most: number): boolean {
    const bytes = this.#bytes.subarray(this.#at, this.#at + Math.min(most, this.window));
    if (bytes.length === 0) return false;
    this.#at += bytes.length;
    this.window -= bytes.length;
    this.#stream.arrived(bytes, 0, bytes.length, 0);
    return true;
  }

  release(): void {
    this.keeps = false;
    this.intake.release();
  }

  #data(bytes: Buffer): void {
    const messages = this.intake.push(bytes)!;
    this.got.push(...messages.map(({ length }) => length));
    if (messages.length > 0 && this.got.length % 2 === 0) this.keeps = true;
    if (!this.intake.settle(bytes.length, messages.length, this.keeps && messages.length > 0 ? messages.at(-1)!.length : 0))
      throw new Error('no memory');
  }
}

const length = fc.oneof(fc.nat(100), fc.constantFrom(70_000, window - prefixBytes, window, long - prefixBytes, long, 1_200_000, longest));

describe('messages of calls that share memory', () => {
  it('arrive completely, whatever their lengths and order, and never hold more than the bound', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(length, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
        fc.infiniteStream(fc.tuple(fc.nat(3), fc.constantFrom(1, 5, 400_000, 2_000_000))),
        (plans, steps) => {
          // Five of the longest fit, and all small ones: a call has at most a window in use, and one more that is unfinished.
          const bytes = 10 * longest;
          const memory = new MemoryInFlight(bytes);
          const calls = plans.map((lengths) => new PeerCall(memory, lengths));
          let idle = 0;
          for (const [pick, most] of steps) {
            const call = calls[pick % calls.length]!;
            idle = call.send(most) ? 0 : idle + 1;
            expect(memory.held).toBeLessThanOrEqual(bytes * 0.625);
            if (calls.every(({ done }) => done)) break;
            // Nothing moves: whole messages in use are what is in the way, and nothing else may be.
            if (idle > 0 && calls.every((each) => each.done || each.window === 0)) {
              expect(calls.some(({ keeps }) => keeps)).toBe(true);
              for (const each of calls) each.release();
            }
          }
          expect(calls.map(({ got }) => got)).toEqual(plans);
          for (const call of calls) call.intake.close();
          expect(memory.held).toBe(0);
          expect(memory.waiting).toBe(0);
        },
      ),
      runs(20),
    );
  });

  it('give their memory back when their call ends in the middle, and the next in line moves up', () => {
    // One of the longest fits, and what the windows of two more let in.
    const memory = new MemoryInFlight(16 * megabyte);
    const first = new PeerCall(memory, [longest]);
    const second = new PeerCall(memory, [longest]);
    const third = new PeerCall(memory, [longest]);
    for (const call of [first, second, third]) call.send(megabyte);
    expect(memory.waiting).toBe(2);
    expect([first.window, second.window, third.window]).toEqual([long, 0, 0]);
    second.intake.close();
    expect(memory.waiting).toBe(1);
    first.intake.close();
    expect(memory.waiting).toBe(0);
    expect(third.window).toBe(long);
    third.intake.close();
    expect(memory.held).toBe(0);
  });

  it('are refused when there is no memory even for what the window let in', () => {
    const memory = new MemoryInFlight(8 * megabyte);
    const held = new PeerCall(memory, [long - prefixBytes]);
    held.send(10);
    expect(() => new PeerCall(memory, [100]).send(50)).toThrow('no memory');
    held.intake.close();
    expect(new PeerCall(memory, [100]).send(50)).toBe(true);
  });

  it('give the window of a stream back in steps while it goes on', () => {
    const call = new PeerCall(
      new MemoryInFlight(64 * megabyte),
      Array.from({ length: 301 }, () => 10_000),
    );
    while (!call.done) {
      expect(call.send(10_000 + prefixBytes)).toBe(true);
      call.release();
    }
    expect(call.got).toHaveLength(301);
  });
});

describe('memory in flight', () => {
  it('cuts the connection with the most unread answers when all together have too many', () => {
    const memory = new MemoryInFlight(8 * megabyte);
    const cut: string[] = [];
    const connection = (name: string, unsent: number) => ({ unsent, unread: () => cut.push(name) });
    memory.add(connection('a', megabyte));
    const large = connection('b', 1.5 * megabyte);
    memory.add(large);
    memory.checkUnsent();
    expect(cut).toEqual([]);
    memory.add(connection('c', megabyte));
    memory.checkUnsent();
    expect(cut).toEqual(['b']);
    memory.remove(large);
    memory.checkUnsent();
    expect(cut).toEqual(['b']);
  });
});
