import type { Socket } from 'node:net';
import { maxFramePayload } from './frames.ts';
import type { MemoryInFlight } from './memory.ts';

/** Fewer unread bytes than this are not worth a look at the other connections. */
export const notableUnsentBytes = 1024 * 1024;

/** The frames that a connection sends: those of one turn, or of one read, go out in one write. */
export class Outgoing {
  readonly #socket: Socket;
  readonly #memory: MemoryInFlight;
  #frames: Buffer[] = [];
  #bytes = 0;
  #held = false;
  #flushing = false;
  #closed = false;

  constructor(socket: Socket, memory: MemoryInFlight) {
    this.#socket = socket;
    this.#memory = memory;
  }

  /** Queues whole frames. */
  write(frames: Buffer): void {
    if (this.#closed) return;
    this.#frames.push(frames);
    this.#bytes += frames.length;
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
    if (this.#frames.length === 0 || this.#closed) return;
    if (this.#socket.writableLength > notableUnsentBytes) {
      this.#memory.checkUnsent();
      if (this.#isClosed()) return;
    }
    this.#send();
  }

  /** Sends what is queued and a last frame, whatever the peer has not read, and closes the socket after them. */
  end(last: Buffer): void {
    this.#frames.push(last);
    this.#bytes += last.length;
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
    const frames = this.#frames;
    const bytes = this.#bytes;
    this.#frames = [];
    this.#bytes = 0;
    if (frames.length === 1) this.#socket.write(frames[0]!);
    else if (bytes <= maxFramePayload) this.#socket.write(Buffer.concat(frames, bytes));
    else {
      this.#socket.cork();
      for (const frame of frames) this.#socket.write(frame);
      this.#socket.uncork();
    }
  }
}
