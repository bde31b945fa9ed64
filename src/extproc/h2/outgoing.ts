import type { Socket } from 'node:net';
import { grown } from '../../lib/grown.ts';
import { frameHeaderBytes, putFrameHeader } from './frames.ts';
import type { MemoryInFlight } from './memory.ts';

/** Fewer unread bytes than this are not worth a look at the other connections. */
export const notableUnsentBytes = 1024 * 1024;

/** Below this size a payload is copied after its frame header: one buffer is cheaper to write than two. */
const copyBelow = 4_096;
const firstBytes = 16_384;
const noParts: Buffer[] = [];

/**
 * The frames that a connection sends: those of one turn, or of one read, go out in one write. Small frames are put together in memory that
 * is used again as soon as the socket has taken them.
 */
export class Outgoing {
  readonly #socket: Socket;
  readonly #memory: MemoryInFlight;
  #bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  /** What is queued in `#bytes`. Before it may be what the socket has not sent yet. */
  #from = 0;
  #to = 0;
  /** What is queued before that: large payloads, and the frames between them. */
  #parts: Buffer[] = noParts;
  #partBytes = 0;
  #held = false;
  #flushing = false;
  #closed = false;

  constructor(socket: Socket, memory: MemoryInFlight) {
    this.#socket = socket;
    this.#memory = memory;
  }

  /** Bytes that the system has not taken yet. */
  get unsent(): number {
    return this.#socket.writableLength + this.#partBytes + this.#to - this.#from;
  }

  /** Queues whole frames, which must not change until they are sent, unless they are small. */
  write(frames: Buffer): void {
    if (this.#closed) return;
    this.#add(frames, 0, frames.length);
    this.#queued();
  }

  /** Queues a frame of this `frameKind` with the bytes `from` to `to` as its payload; the same holds for them. */
  frame(kind: number, stream: number, payload: Buffer, from: number, to: number): void {
    if (this.#closed) return;
    this.#room(frameHeaderBytes);
    this.#to = putFrameHeader(this.#bytes, this.#to, to - from, kind, stream);
    this.#add(payload, from, to);
    this.#queued();
  }

  #add(bytes: Buffer, from: number, to: number): void {
    if (to - from >= copyBelow) {
      this.#cut();
      this.#parts.push(bytes.subarray(from, to));
      this.#partBytes += to - from;
      return;
    }
    this.#room(to - from);
    this.#to += bytes.copy(this.#bytes, this.#to, from, to);
  }

  /** What is queued in `#bytes` becomes a part. */
  #cut(): void {
    if (this.#parts === noParts) this.#parts = [];
    if (this.#to > this.#from) this.#parts.push(this.#bytes.subarray(this.#from, this.#to));
    this.#partBytes += this.#to - this.#from;
    this.#from = this.#to;
  }

  #room(bytes: number): void {
    if (this.#to + bytes <= this.#bytes.length) return;
    this.#bytes = grown(this.#bytes, this.#from, this.#to, Math.max(bytes, firstBytes));
    this.#to -= this.#from;
    this.#from = 0;
  }

  #queued(): void {
    if (this.#held || this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  /** Until `release`, frames only queue. */
  hold(): void {
    this.#held = true;
  }

  /** Sends what has queued since `hold`. */
  release(): void {
    this.#held = false;
    this.flush();
  }

  /** Sends what is queued; where the peer reads too little, it may cut a connection first, also this one. */
  flush(): void {
    if ((this.#from === this.#to && this.#parts === noParts) || this.#closed) return;
    if (this.#socket.writableLength > notableUnsentBytes) {
      this.#memory.checkUnsent();
      if (this.#isClosed()) return;
    }
    this.#send();
  }

  /** Sends what is queued and a last frame, whatever the peer has not read, and closes the socket after them. */
  end(last: Buffer): void {
    this.#add(last, 0, last.length);
    this.#send();
    this.#socket.destroySoon();
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closed = true;
  }

  /** A call, since `checkUnsent` may have changed it. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #send(): void {
    if (this.#parts === noParts) {
      const bytes = this.#bytes.subarray(this.#from, this.#to);
      this.#from = this.#to;
      this.#socket.write(bytes);
    } else {
      this.#cut();
      const parts = this.#parts;
      this.#parts = noParts;
      this.#partBytes = 0;
      this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      this.#socket.uncork();
    }
    // The system has taken all of it, so nobody reads the memory any more.
    if (this.#socket.writableLength === 0) this.#from = this.#to = 0;
  }
}
