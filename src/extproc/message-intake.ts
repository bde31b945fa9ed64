import { limits } from '../lib/limits.ts';
import { prefixBytes, type FrameReader } from './grpc-frames.ts';
import type { MemoryInFlight } from './h2/memory.ts';
import type { ProcessingRequest } from './types.ts';

/** Whether a message is a whole body, whose bytes are needed until it is replied to. */
export function needsDecision({ phase, observability }: ProcessingRequest): boolean {
  return !observability && (phase.kind === 'request-body' || phase.kind === 'response-body') && phase.endOfStream;
}

/** The part of an HTTP/2 stream that gives its window back. */
export interface Windowed {
  consumed(bytes: number): void;
  needs(bytes: number): void;
}

/** Memory for one message; `leave`: it waits in line for all of it, with memory for what a stream's window lets in. */
interface Slot {
  large: boolean;
  bytes: number;
  leave: (() => void) | null;
}

/**
 * The gRPC messages of one call. It holds memory for what is unfinished or still in use, and gives the stream's window back when bytes are
 * consumed. A message longer than the window arrives up to it, and the rest when all of it has room in memory.
 */
export class MessageIntake {
  readonly #stream: Windowed;
  readonly #memory: MemoryInFlight;
  readonly #reader: FrameReader;
  /** Bytes of the unfinished message, and the memory for it. */
  #unfinished = 0;
  #slot: Slot | null = null;
  /** Bytes of whole messages that are still in use, and the memory for them. */
  #inUse = 0;
  #used: Slot[] | null = null;
  #closed = false;

  constructor(stream: Windowed, memory: MemoryInFlight, reader: FrameReader) {
    this.#stream = stream;
    this.#memory = memory;
    this.#reader = reader;
  }

  /** The messages that `bytes` completes; null if they are no gRPC messages. After the messages were handled, call `settle`. */
  push(bytes: Buffer): readonly Buffer[] | null {
    return this.#reader.push(bytes);
  }

  /**
   * Accounts for what was pushed: `bytes` came and completed `messages` messages; `inUse` bytes of the last one are used until `release`,
   * all others are consumed. False if there is no memory for what is held.
   */
  settle(bytes: number, messages: number, inUse: number): boolean {
    if (this.#closed) return true;
    const { unfinished } = this.#reader;
    if (unfinished === 0 && inUse === 0 && this.#unfinished === 0) {
      this.#stream.consumed(bytes);
      return true;
    }
    const used = inUse === 0 ? 0 : inUse + prefixBytes;
    const consumed = this.#unfinished + bytes - unfinished - used;
    this.#unfinished = unfinished;
    if (messages > 0 && !this.#completed(messages, used)) return false;
    if (unfinished > 0 && !this.#hold(unfinished)) return false;
    this.#reader.own();
    if (consumed > 0) this.#stream.consumed(consumed);
    return true;
  }

  /** The whole messages in use are consumed. */
  release(): void {
    if (this.#inUse === 0) return;
    const bytes = this.#inUse;
    this.#inUse = 0;
    this.#freeUsed();
    this.#stream.consumed(bytes);
  }

  /** The call is over: nothing of it is held any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inUse = 0;
    this.#freeUsed();
    this.#freeSlot();
  }

  /** Messages are whole: the memory of the one that was unfinished is free, or that of the one in use. */
  #completed(messages: number, used: number): boolean {
    this.#inUse += used;
    if (used > 0 && messages === 1 && this.#slot !== null) {
      (this.#used ??= []).push(this.#slot);
      this.#slot = null;
      return true;
    }
    this.#freeSlot();
    if (used === 0) return true;
    if (!this.#memory.take(used)) return false;
    (this.#used ??= []).push({ large: false, bytes: used, leave: null });
    return true;
  }

  /** Memory for the unfinished message (`arrived` bytes of it have come), and a window for the rest. */
  #hold(arrived: number): boolean {
    const { expected } = this.#reader;
    if (expected > prefixBytes && this.#slot === null && !this.#open(expected)) return false;
    if (this.#slot?.leave == null) this.#stream.needs(expected - arrived);
    return true;
  }

  #open(expected: number): boolean {
    const window = limits.longMessageBytes;
    if (expected <= window) {
      if (!this.#memory.take(expected)) return false;
      this.#slot = { large: false, bytes: expected, leave: null };
      this.#reader.assemble();
      return true;
    }
    const slot: Slot = { large: true, bytes: expected, leave: null };
    const leave = this.#memory.reserve(expected, () => {
      this.#memory.give(window);
      slot.large = true;
      slot.bytes = expected;
      slot.leave = null;
      this.#reader.assemble();
      this.#stream.needs(expected - this.#reader.unfinished);
    });
    this.#slot = slot;
    if (leave === null) {
      this.#reader.assemble();
      return true;
    }
    slot.large = false;
    slot.bytes = window;
    slot.leave = leave;
    if (this.#memory.take(window)) return true;
    this.#slot = null;
    leave();
    return false;
  }

  #freeUsed(): void {
    for (const slot of this.#used ?? []) this.#free(slot);
    this.#used = null;
  }

  #freeSlot(): void {
    const slot = this.#slot;
    this.#slot = null;
    if (slot === null) return;
    slot.leave?.();
    this.#free(slot);
  }

  #free(slot: Slot): void {
    if (slot.large) this.#memory.free(slot.bytes);
    else this.#memory.give(slot.bytes);
  }
}
