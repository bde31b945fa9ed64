import {
  errorCode,
  flag,
  frameHeaderBytes,
  frameOf,
  frameType,
  maxFramePayload,
  maxWindow,
  numbersFrame,
  putFrameHeader,
  type ErrorCode,
} from './frames.ts';

/** The receiver of a stream's bytes. Calls come in order, none after `closed`. */
export interface StreamOwner {
  /** Returns whether the bytes are no longer needed, so that their memory may be released. */
  data(bytes: Buffer): boolean;
  /** The peer ended its half (`cancelled: false`), the stream was reset, or its connection was lost. Not called after our own end. */
  closed(cancelled: boolean): void;
}

/** Below this size a payload is copied after its frame header: one buffer is cheaper to write than two. */
const copyBelow = 4_096;

/** The part of a connection that a stream uses. */
export interface StreamConnection {
  write(frames: Buffer): void;
  headerBlock(block: Buffer): Buffer;
  /** How many of `wanted` bytes may be sent now; the stream is called when more may be. */
  take(stream: Http2Stream, wanted: number): number;
  forget(stream: Http2Stream): void;
}

/** One stream, seen from the server. */
export class Http2Stream {
  readonly id: number;
  readonly #connection: StreamConnection;
  #owner: StreamOwner | null = null;
  #sendWindow: number;
  /** Received since our last WINDOW_UPDATE. */
  received = 0;
  /** DATA that waits for the flow-control window, and the trailers after it. */
  #waiting: Buffer[] = [];
  #trailers: Buffer | null = null;
  #ended = false;
  #over = false;

  constructor(connection: StreamConnection, id: number, sendWindow: number) {
    this.#connection = connection;
    this.id = id;
    this.#sendWindow = sendWindow;
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
    this.#connection.write(
      frameOf(frameType.headers, flag.endHeaders | (end ? flag.endStream : 0), this.id, this.#connection.headerBlock(block)),
    );
    if (end) this.#finish();
  }

  /** Sends `payload`, now or when the peer's windows allow it. */
  data(payload: Buffer): void {
    if (this.over) return;
    if (this.#waiting.length > 0) this.#waiting.push(payload);
    else this.#push(payload);
  }

  /** Ends the stream with trailers, after all its data. */
  trailers(block: Buffer): void {
    if (this.over) return;
    this.#ended = true;
    if (this.#waiting.length > 0) this.#trailers = block;
    else this.#sendTrailers(block);
  }

  reset(code: ErrorCode): void {
    if (this.#over) return;
    this.#connection.write(numbersFrame(frameType.resetStream, this.id, code));
    this.#finish();
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
    this.#waiting = [];
    for (const [index, payload] of waiting.entries()) {
      if (!this.#push(payload)) {
        this.#waiting.push(...waiting.slice(index + 1));
        return;
      }
    }
    if (this.#trailers !== null) this.#sendTrailers(this.#trailers);
  }

  /** Called by the connection with the peer's bytes. Returns whether they are no longer needed. */
  arrived(bytes: Buffer): boolean {
    return this.over || this.#owner === null || this.#owner.data(bytes);
  }

  /** Called by the connection: the peer's half, or the whole stream, ended. */
  closed(cancelled: boolean): void {
    if (cancelled) this.#over = true;
    const owner = this.#owner;
    this.#owner = null;
    if (!this.#ended) owner?.closed(cancelled);
  }

  /** False if a part of it must wait. */
  #push(payload: Buffer): boolean {
    let at = 0;
    while (at < payload.length) {
      const wanted = Math.min(payload.length - at, maxFramePayload, Math.max(0, this.#sendWindow));
      const granted = wanted === 0 ? 0 : this.#connection.take(this, wanted);
      if (granted === 0) {
        this.#waiting.push(payload.subarray(at));
        return false;
      }
      this.#sendWindow -= granted;
      const part = payload.subarray(at, at + granted);
      if (granted < copyBelow) this.#connection.write(frameOf(frameType.data, 0, this.id, part));
      else {
        const header = Buffer.allocUnsafe(frameHeaderBytes);
        putFrameHeader(header, granted, frameType.data, 0, this.id);
        this.#connection.write(header);
        this.#connection.write(part);
      }
      at += granted;
    }
    return true;
  }

  #sendTrailers(block: Buffer): void {
    this.#connection.write(frameOf(frameType.headers, flag.endHeaders | flag.endStream, this.id, this.#connection.headerBlock(block)));
    this.#finish();
  }

  #finish(): void {
    this.#ended = true;
    this.#over = true;
    this.#owner = null;
    this.#connection.forget(this);
  }
}

/** The only frame sent for a refused stream. */
export const refusal = (id: number): Buffer => numbersFrame(frameType.resetStream, id, errorCode.refused);
