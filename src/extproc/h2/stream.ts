import {
  ConnectionError,
  errorCode,
  flag,
  frameKind,
  frameType,
  maxFramePayload,
  maxWindow,
  numbersFrame,
  type ErrorCode,
} from './frames.ts';

/** The receiver of a stream's bytes. Calls come in order, none after `closed`. */
export interface StreamOwner {
  /** The bytes `from` to `to` came. They hold only during the call: what is needed later must be copied. */
  data(bytes: Buffer, from: number, to: number): void;
  /** The peer ended its half (`cancelled: false`), the stream was reset, or its connection was lost. Not called after our own end. */
  closed(cancelled: boolean): void;
  /**
   * Asked at our own end: what to call if the peer then ends its half instead of resetting the stream, because it has not seen our end, or
   * if its connection is lost; null: nothing.
   */
  unseen?(): (() => void) | null;
}

const nothingWaits: Buffer[] = [];
const dataFrame = frameKind(frameType.data, 0);

/** The part of a connection that a stream uses. */
export interface StreamConnection {
  /** What a peer may send on a stream before any of it is consumed, in bytes. */
  readonly streamWindow: number;
  /** What it may send at once of a message that is longer than that, so that other streams' bytes come in between. */
  readonly slice: number;
  /** One more (or one less) stream has such a message. */
  long(change: 1 | -1): void;
  write(frames: Buffer): void;
  /** Queues a frame of this `frameKind` with the bytes `from` to `to` of `payload`. */
  frame(kind: number, stream: number, payload: Buffer, from: number, to: number): void;
  /** `bytes` more (or fewer) bytes of answers wait for the peer's windows. */
  waits(bytes: number): void;
  headerBlock(block: Buffer): Buffer;
  /** How many of `wanted` bytes, of `left` in all, may be sent now; the stream is called when more may be. */
  take(stream: Http2Stream, wanted: number, left: number): number;
  /** `unseen`: see StreamOwner. */
  forget(stream: Http2Stream, unseen: (() => void) | null): void;
}

/** One stream, seen from the server. */
export class Http2Stream {
  readonly id: number;
  readonly #connection: StreamConnection;
  #owner: StreamOwner | null = null;
  #sendWindow: number;
  /** What the peer may still send, and what it sent that is not consumed, in bytes. */
  #window: number;
  #unconsumed = 0;
  /** A message that is longer than the window has begun to arrive. */
  #long = false;
  /** Bytes of the body that the request's headers announce, and those that came; null: not announced. */
  #announced: number | null;
  #came = 0;
  /** The peer's half has ended. */
  peerEnded = false;
  /** DATA that waits for the flow-control window, and the trailers after it. */
  #waiting: Buffer[] = nothingWaits;
  #trailers: Buffer | null = null;
  #ended = false;
  #over = false;

  /** `announced`: the length that the request's headers give its body; null if they do not. */
  constructor(connection: StreamConnection, id: number, sendWindow: number, announced: number | null) {
    this.#connection = connection;
    this.id = id;
    this.#sendWindow = sendWindow;
    this.#window = connection.streamWindow;
    this.#announced = announced;
  }

  /** Our half, or the whole stream, has ended. */
  get over(): boolean {
    return this.#ended || this.#over;
  }

  own(owner: StreamOwner): void {
    this.#owner = owner;
  }

  /** Sends the response's header block; with `end`, nothing follows. */
  respond(block: Buffer, end: boolean): void {
    if (this.over) return;
    this.#headers(block, end);
    if (end) this.#finish();
  }

  /** Sends `payload`, now or when the peer's windows allow it. */
  data(payload: Buffer): void {
    if (this.over) return;
    if (this.#waiting.length > 0) this.#wait(payload);
    else this.#push(payload);
  }

  /** Ends the stream with trailers, after all its data. */
  trailers(block: Buffer): void {
    if (this.over) return;
    this.#ended = true;
    if (this.#waiting.length > 0) this.#trailers = block;
    else this.#sendTrailers(block);
  }

  /** Ends the whole stream over an error of the peer; its owner is notified as for a reset. */
  reset(code: ErrorCode): void {
    if (this.#over) return;
    const owner = this.#ended ? null : this.#owner;
    this.#connection.write(numbersFrame(frameType.resetStream, this.id, code));
    this.#finish();
    owner?.closed(true);
  }

  /** The peer's window grew; false if it exceeds the allowed maximum. */
  grow(bytes: number): boolean {
    this.#sendWindow += bytes;
    if (this.#sendWindow > maxWindow) return false;
    this.resume();
    return true;
  }

  /** Sends waiting data as far as the windows allow. */
  resume(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0 || this.#over) return;
    this.#waiting = nothingWaits;
    for (const [index, payload] of waiting.entries()) {
      this.#connection.waits(-payload.length);
      if (!this.#push(payload)) {
        this.#waiting = [...this.#waiting, ...waiting.slice(index + 1)];
        return;
      }
    }
    if (this.#trailers !== null) this.#sendTrailers(this.#trailers);
  }

  /**
   * Called by the connection with the peer's bytes, `from` to `to`; `padding` more count towards the window. Throws ConnectionError if they
   * are more than the window allows.
   */
  arrived(bytes: Buffer, from: number, to: number, padding: number): void {
    this.#window -= to - from + padding;
    if (this.#window < 0) throw new ConnectionError(errorCode.flowControl, 'more than the stream’s window');
    if (this.over || this.#owner === null) return;
    this.#unconsumed += to - from + padding;
    this.#came += to - from;
    if (padding > 0) this.consumed(padding);
    this.#owner.data(bytes, from, to);
  }

  /** Called by the connection when the peer's half ends: whether its body has the length that was announced. */
  hasAnnouncedLength(): boolean {
    return this.#announced === null || this.#announced === this.#came;
  }

  /** `bytes` of what came are not held any more: the peer may send as much again. */
  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    if (this.#unconsumed < this.#connection.streamWindow) this.#noLonger();
    const room = this.#connection.streamWindow - this.#unconsumed - this.#window;
    // In larger steps, since most streams end first.
    if (room * 2 >= this.#connection.streamWindow) this.#grant(room);
  }

  /** `bytes` more must arrive before anything can be consumed: the caller has the memory for them. Called again as they arrive. */
  needs(bytes: number): void {
    if (!this.#long && bytes > this.#connection.streamWindow && !this.over) {
      this.#long = true;
      this.#connection.long(1);
    }
    const wanted = Math.min(bytes, this.#connection.slice);
    // In larger steps, too.
    if (wanted > this.#window && wanted >= 2 * this.#window) this.#grant(wanted - this.#window);
  }

  #noLonger(): void {
    if (!this.#long) return;
    this.#long = false;
    this.#connection.long(-1);
  }

  #grant(bytes: number): void {
    if (this.over || this.peerEnded) return;
    this.#window += bytes;
    this.#connection.write(numbersFrame(frameType.windowUpdate, this.id, bytes));
  }

  /** Called by the connection: the peer's half, or the whole stream, ended. */
  closed(cancelled: boolean): void {
    this.peerEnded = true;
    this.#noLonger();
    if (cancelled) {
      this.#over = true;
      this.#dropWaiting();
    }
    const owner = this.#owner;
    this.#owner = null;
    if (!this.#ended) owner?.closed(cancelled);
    // Our end still waited for the peer's windows.
    else owner?.unseen?.()?.();
  }

  /** False if a part of it must wait. */
  #push(payload: Buffer): boolean {
    let at = 0;
    while (at < payload.length) {
      const wanted = Math.min(payload.length - at, maxFramePayload, Math.max(0, this.#sendWindow));
      const granted = wanted === 0 ? 0 : this.#connection.take(this, wanted, payload.length - at);
      if (granted === 0) {
        this.#wait(payload.subarray(at));
        return false;
      }
      this.#sendWindow -= granted;
      this.#connection.frame(dataFrame, this.id, payload, at, at + granted);
      at += granted;
    }
    return true;
  }

  #wait(payload: Buffer): void {
    if (this.#waiting === nothingWaits) this.#waiting = [payload];
    else this.#waiting.push(payload);
    this.#connection.waits(payload.length);
  }

  #dropWaiting(): void {
    if (this.#waiting === nothingWaits) return;
    for (const payload of this.#waiting) this.#connection.waits(-payload.length);
    this.#waiting = nothingWaits;
  }

  #sendTrailers(block: Buffer): void {
    this.#headers(block, true);
    this.#finish();
  }

  #headers(block: Buffer, end: boolean): void {
    const bytes = this.#connection.headerBlock(block);
    const kind = frameKind(frameType.headers, flag.endHeaders | (end ? flag.endStream : 0));
    this.#connection.frame(kind, this.id, bytes, 0, bytes.length);
  }

  #finish(): void {
    this.#ended = true;
    this.#over = true;
    this.#noLonger();
    const unseen = this.#owner?.unseen?.() ?? null;
    this.#owner = null;
    this.#dropWaiting();
    this.#connection.forget(this, unseen);
  }
}
