import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { limits } from '../../lib/limits.ts';
import {
  ConnectionError,
  defaultWindow,
  errorCode,
  flag,
  frameHeaderBytes,
  frameOf,
  frameType,
  maxFramePayload,
  maxWindow,
  numbersFrame,
  preface,
  setting,
  settingsFrame,
  unpadded,
  type ErrorCode,
} from './frames.ts';
import { CompressionError, HeaderDecoder, headerTableBytes, tableOfNothing, type Header } from './hpack.ts';
import { Http2Stream, refusal, type StreamOwner } from './stream.ts';

/** Called once per stream; returns its owner. */
export type AcceptStream = (stream: Http2Stream, headers: readonly Header[]) => StreamOwner;

/** Receive window of one stream: a whole message, so that no body waits for a window update. */
const streamWindow = limits.grpcMessageBytes;
/** One connection carries all requests: its window must not be the bottleneck. */
const connectionWindow = 2 * limits.grpcMessageBytes;

/** Frames that cost the peer nothing to send but cost us an answer. */
const controlFrames: ReadonlySet<number> = new Set([
  frameType.ping,
  frameType.settings,
  frameType.priority,
  frameType.resetStream,
  frameType.windowUpdate,
]);

const nothing: Buffer = Buffer.alloc(0);
const settingsAck: Buffer = frameOf(frameType.settings, flag.ack, 0, nothing);
/** The answer to this ping shows that the peer has read our GOAWAY. */
const drainPing: Buffer = Buffer.from('draining');

/** From this size on, memory is released explicitly. */
const releasedBytes = 16_384;

/**
 * Frees a read buffer whose content was copied, instead of leaving it to the garbage collector: V8 marks its whole heap when too much such
 * memory accumulates. A view kept by mistake would become empty, with no other effect.
 */
function release(chunk: Buffer): void {
  const { buffer } = chunk;
  if (chunk.length >= releasedBytes && buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length) buffer.transfer(0);
}

/**
 * One HTTP/2 server connection (RFC 9113). All answers to one read are sent in one write. It limits what a peer can make it hold or do:
 * header blocks, streams, control frames, and answers that the peer does not read.
 */
export class Http2Connection {
  readonly #socket: Socket;
  readonly #accept: AcceptStream;
  readonly #headers = new HeaderDecoder(limits.http2HeaderListBytes);
  readonly #streams = new Map<number, Http2Stream>();
  /** Bytes of an incomplete frame (or preface). */
  #held: Buffer = nothing;
  /** A DATA frame whose first part was already passed on. */
  #rest: { readonly id: number; readonly flags: number; left: number } | null = null;
  #sawPreface = false;
  #sawSettings = false;
  /** A header block that waits for its CONTINUATION: no other frame may come first. */
  #block: { readonly id: number; readonly ends: boolean; readonly pieces: Buffer[]; bytes: number } | null = null;
  #lastStream = 0;
  /** Streams above this came after our GOAWAY. */
  #goAwayAt = maxWindow;
  #draining = false;
  #received = 0;
  /** Our encoder's table: it stays empty, but if the peer asks for a smaller one, we must send one size update. */
  #table: 'unused' | 'to-close' | 'closed' = 'unused';
  #sendWindow = defaultWindow;
  #peerStreamWindow = defaultWindow;
  #out: Buffer[] = [];
  #outBytes = 0;
  /** Some bytes of the current read are needed later. */
  #kept = false;
  /** True during a read, whose end flushes. */
  #reading = false;
  #flushing = false;
  #controlSecond = 0;
  #controlCount = 0;
  #closed = false;
  /** Streams whose answers wait for the connection's window. */
  readonly #starved = new Set<Http2Stream>();
  readonly #onClose: () => void;
  readonly #onError: (error: unknown, ours: boolean) => void;

  /** `onError`: why the connection ends early; `ours`: Sluice cut it, otherwise it broke. */
  constructor(
    socket: Socket,
    accept: AcceptStream,
    onClose: () => void,
    onError: (error: unknown, ours: boolean) => void = () => undefined,
  ) {
    this.#socket = socket;
    this.#accept = accept;
    this.#onClose = onClose;
    this.#onError = onError;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', (error) => {
      if (!this.#closed) this.#onError(error, false);
      socket.destroy();
    });
    socket.on('close', () => this.#gone());
    this.write(
      settingsFrame([
        [setting.maxConcurrentStreams, limits.grpcStreams],
        [setting.initialWindowSize, streamWindow],
        [setting.maxHeaderListSize, limits.http2HeaderListBytes],
      ]),
    );
    this.write(numbersFrame(frameType.windowUpdate, 0, connectionWindow - defaultWindow));
  }

  /** Number of open streams. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Accepts no new streams; closes when the open ones have ended. */
  drain(): void {
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    // First a GOAWAY without a last stream, since new streams may be in flight; the ping's answer shows that the peer has read it.
    this.write(numbersFrame(frameType.goAway, 0, maxWindow, errorCode.none));
    this.write(frameOf(frameType.ping, 0, 0, drainPing));
  }

  /** Cuts the connection and all its streams. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Queues whole frames; they are sent together at the end of this turn or of the read that caused them. */
  write(frames: Buffer): void {
    if (this.#closed) return;
    this.#out.push(frames);
    this.#outBytes += frames.length;
    if (this.#reading || this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** The header block to send, with the table size update if one is due. */
  headerBlock(block: Buffer): Buffer {
    if (this.#table !== 'to-close') return block;
    this.#table = 'closed';
    return Buffer.concat([tableOfNothing, block]);
  }

  /** Takes up to `wanted` bytes from the connection's window and returns how many. If fewer, the stream is called again later. */
  take(stream: Http2Stream, wanted: number): number {
    const granted = Math.min(wanted, this.#sendWindow);
    this.#sendWindow -= granted;
    if (granted < wanted) this.#starved.add(stream);
    return granted;
  }

  /** A stream that has ended on our side, or was reset. */
  forget(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    this.#starved.delete(stream);
    this.#closeIfDrained();
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#closed) return;
    const frames = this.#out;
    const bytes = this.#outBytes;
    this.#out = [];
    this.#outBytes = 0;
    if (this.#socket.writableLength > limits.http2UnsentBytes) {
      // The peer sends but never reads.
      this.#socket.destroy();
      return;
    }
    if (frames.length === 1) this.#socket.write(frames[0]!);
    else if (bytes <= maxFramePayload) this.#socket.write(Buffer.concat(frames, bytes));
    else {
      this.#socket.cork();
      for (const frame of frames) this.#socket.write(frame);
      this.#socket.uncork();
    }
  }

  #read(chunk: Buffer): void {
    this.#reading = true;
    this.#kept = false;
    try {
      this.#parse(chunk);
      if (!this.#kept) release(chunk);
    } catch (error) {
      this.#onError(error, true);
      this.#fail(
        error instanceof ConnectionError ? error.code : error instanceof CompressionError ? errorCode.compression : errorCode.internal,
      );
    }
    this.#reading = false;
    this.#flush();
  }

  #parse(chunk: Buffer): void {
    let at = this.#goOn(chunk);
    // Only a frame that came in parts is assembled; all others are read in place.
    while (this.#held.length > 0) {
      const missing = this.#length(this.#held, 0) - this.#held.length;
      if (missing <= 0) {
        const frame = this.#held;
        this.#held = nothing;
        this.#consume(frame);
        continue;
      }
      if (at === chunk.length) return;
      const part = chunk.subarray(at, at + missing);
      this.#held = Buffer.concat([this.#held, part]);
      at += part.length;
    }
    while (at < chunk.length && !this.#closed) {
      const length = this.#length(chunk, at);
      if (chunk.length - at < length) {
        if (this.#begin(chunk, at, length)) return;
        // Copied because the read's own buffer is far larger.
        this.#held = Buffer.from(chunk.subarray(at));
        return;
      }
      this.#consume(chunk.subarray(at, at + length));
      at += length;
    }
  }

  /** Passes on the first part of an incomplete DATA frame; false if it is not a DATA frame, or not a valid one. */
  #begin(chunk: Buffer, at: number, length: number): boolean {
    const payload = at + frameHeaderBytes;
    if (!this.#sawSettings || this.#block !== null || chunk.length <= payload || chunk[at + 3] !== frameType.data) return false;
    const flags = chunk[at + 4]!;
    if ((flags & flag.padded) !== 0) return false;
    const id = chunk.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.#data(id, 0, chunk.subarray(payload));
    this.#rest = { id, flags, left: length - (chunk.length - at) };
    return true;
  }

  /** Passes on more of such a frame. Returns where the next frame begins. */
  #goOn(chunk: Buffer): number {
    const rest = this.#rest;
    if (rest === null) return 0;
    const taken = Math.min(rest.left, chunk.length);
    rest.left -= taken;
    if (rest.left === 0) this.#rest = null;
    this.#data(rest.id, rest.left === 0 ? rest.flags : 0, chunk.subarray(0, taken));
    return taken;
  }

  /** The length of the frame or preface at `at`, as far as it is known from the available bytes. */
  #length(bytes: Buffer, at: number): number {
    if (!this.#sawPreface) return preface.length;
    if (bytes.length - at < frameHeaderBytes) return frameHeaderBytes;
    const payload = bytes.readUIntBE(at, 3);
    if (payload > maxFramePayload) throw new ConnectionError(errorCode.frameSize, 'frame too large');
    return frameHeaderBytes + payload;
  }

  #consume(frame: Buffer): void {
    if (!this.#sawPreface) {
      if (!frame.equals(preface)) throw new ConnectionError(errorCode.protocol, 'no HTTP/2 preface');
      this.#sawPreface = true;
      return;
    }
    const type = frame[3]!;
    const flags = frame[4]!;
    const id = frame.readUInt32BE(5) & 0x7fff_ffff;
    const payload = frame.subarray(frameHeaderBytes);
    if (!this.#sawSettings) {
      if (type !== frameType.settings || (flags & flag.ack) !== 0)
        throw new ConnectionError(errorCode.protocol, 'settings must come first');
      this.#sawSettings = true;
    }
    if (this.#block !== null && (type !== frameType.continuation || id !== this.#block.id)) {
      throw new ConnectionError(errorCode.protocol, 'a header block was interrupted');
    }
    if (controlFrames.has(type) || (payload.length === 0 && type === frameType.data && (flags & flag.endStream) === 0))
      this.#countControl();
    switch (type) {
      case frameType.data:
        this.#data(id, flags, payload);
        return;
      case frameType.headers:
        this.#headersFrame(id, flags, payload);
        return;
      case frameType.continuation:
        this.#continuation(flags, payload);
        return;
      case frameType.resetStream:
        if (payload.length !== 4) throw new ConnectionError(errorCode.frameSize, 'RST_STREAM of a wrong size');
        this.#known(id);
        this.#end(id, true);
        return;
      case frameType.settings:
        this.#settings(id, flags, payload);
        return;
      case frameType.ping:
        this.#ping(id, flags, payload);
        return;
      case frameType.windowUpdate:
        this.#windowUpdate(id, payload);
        return;
      case frameType.pushPromise:
        throw new ConnectionError(errorCode.protocol, 'a client cannot push');
      default:
        // A client's GOAWAY needs no answer; PRIORITY is deprecated; unknown types must be ignored.
        return;
    }
  }

  #data(id: number, flags: number, payload: Buffer): void {
    this.#known(id);
    // Padding counts towards the window, and so does data for a stream that has ended here.
    this.#received += payload.length;
    if (this.#received > connectionWindow) throw new ConnectionError(errorCode.flowControl, 'more than the connection’s window');
    if (this.#received > connectionWindow / 2) {
      this.write(numbersFrame(frameType.windowUpdate, 0, this.#received));
      this.#received = 0;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const ends = (flags & flag.endStream) !== 0;
    stream.received += payload.length;
    if (stream.received > streamWindow) throw new ConnectionError(errorCode.flowControl, 'more than the stream’s window');
    if (!ends && stream.received > streamWindow / 2) {
      this.write(numbersFrame(frameType.windowUpdate, id, stream.received));
      stream.received = 0;
    }
    if (!stream.arrived(unpadded(payload, flags))) this.#kept = true;
    if (ends) this.#end(id, false);
  }

  #headersFrame(id: number, flags: number, payload: Buffer): void {
    if (id % 2 === 0) throw new ConnectionError(errorCode.protocol, 'a client’s stream has an odd number');
    let block = unpadded(payload, flags);
    if ((flags & flag.priority) !== 0) {
      if (block.length < 5) throw new ConnectionError(errorCode.frameSize, 'priority cut short');
      block = block.subarray(5);
    }
    const ends = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) this.#opened(id, ends, block);
    else this.#block = { id, ends, pieces: [Buffer.from(block)], bytes: block.length };
  }

  #continuation(flags: number, payload: Buffer): void {
    const block = this.#block;
    if (block === null) throw new ConnectionError(errorCode.protocol, 'CONTINUATION of nothing');
    block.pieces.push(Buffer.from(payload));
    // The frame header counts too, so that empty frames also reach the limit.
    block.bytes += payload.length + frameHeaderBytes;
    if (block.bytes > limits.http2HeaderListBytes) throw new ConnectionError(errorCode.calm, 'header block too large');
    if ((flags & flag.endHeaders) === 0) return;
    this.#block = null;
    this.#opened(block.id, block.ends, Buffer.concat(block.pieces));
  }

  /** A header block is complete: it opens a stream or is a stream's trailers. */
  #opened(id: number, ends: boolean, block: Buffer): void {
    // Always decoded: the tables of both sides must stay in sync.
    const headers = this.#headers.decode(block);
    if (id <= this.#lastStream) {
      this.#countControl();
      if (!ends) throw new ConnectionError(errorCode.protocol, 'headers inside a stream');
      this.#end(id, false);
      return;
    }
    this.#lastStream = id;
    if (id > this.#goAwayAt || this.#streams.size >= limits.grpcStreams) {
      this.write(refusal(id));
      return;
    }
    const stream = new Http2Stream(this, id, this.#peerStreamWindow);
    this.#streams.set(id, stream);
    stream.own(this.#accept(stream, headers));
    if (ends) this.#end(id, false);
  }

  /** The peer's half of a stream, or the whole stream, ended. It is kept for our half unless it was reset. */
  #end(id: number, cancelled: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.closed(cancelled);
    if (cancelled) this.forget(stream);
  }

  #settings(id: number, flags: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(errorCode.protocol, 'settings of a stream');
    if ((flags & flag.ack) !== 0) return;
    if (payload.length % 6 !== 0) throw new ConnectionError(errorCode.frameSize, 'settings of a wrong size');
    for (let at = 0; at < payload.length; at += 6) {
      const key = payload.readUInt16BE(at);
      const to = payload.readUInt32BE(at + 2);
      if (key === setting.headerTableSize && to < headerTableBytes && this.#table === 'unused') this.#table = 'to-close';
      if (key !== setting.initialWindowSize) continue;
      if (to > maxWindow) throw new ConnectionError(errorCode.flowControl, 'window too large');
      const change = to - this.#peerStreamWindow;
      this.#peerStreamWindow = to;
      for (const stream of [...this.#streams.values()]) this.#grow(stream, change);
    }
    this.write(settingsAck);
  }

  #ping(id: number, flags: number, payload: Buffer): void {
    if (id !== 0) throw new ConnectionError(errorCode.protocol, 'ping of a stream');
    if (payload.length !== 8) throw new ConnectionError(errorCode.frameSize, 'ping of a wrong size');
    if ((flags & flag.ack) === 0) {
      this.write(frameOf(frameType.ping, flag.ack, 0, payload));
      return;
    }
    if (!this.#draining || !payload.equals(drainPing)) return;
    this.#goAwayAt = this.#lastStream;
    this.write(numbersFrame(frameType.goAway, 0, this.#lastStream, errorCode.none));
    this.#closeIfDrained();
  }

  #windowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw new ConnectionError(errorCode.frameSize, 'WINDOW_UPDATE of a wrong size');
    const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (bytes === 0) throw new ConnectionError(errorCode.protocol, 'a window that grows by nothing');
    if (id !== 0) {
      this.#known(id);
      const stream = this.#streams.get(id);
      if (stream !== undefined) this.#grow(stream, bytes);
      return;
    }
    this.#sendWindow += bytes;
    if (this.#sendWindow > maxWindow) throw new ConnectionError(errorCode.flowControl, 'window too large');
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const stream of starved) stream.resume();
  }

  #grow(stream: Http2Stream, bytes: number): void {
    if (!stream.grow(bytes)) stream.reset(errorCode.flowControl);
  }

  /** Frames of streams that were never opened violate the protocol; frames of ended streams are merely late. */
  #known(id: number): void {
    if (id === 0 || id > this.#lastStream) throw new ConnectionError(errorCode.protocol, 'frame of an idle stream');
  }

  #countControl(): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#controlSecond) {
      this.#controlSecond = second;
      this.#controlCount = 0;
    }
    if (++this.#controlCount > limits.http2ControlFrames) throw new ConnectionError(errorCode.calm, 'too many frames that only cost');
  }

  #fail(code: ErrorCode): void {
    this.write(numbersFrame(frameType.goAway, 0, this.#lastStream, code));
    this.#flush();
    this.#socket.destroySoon();
    this.#gone();
  }

  #closeIfDrained(): void {
    if (this.#goAwayAt === maxWindow || this.#streams.size > 0) return;
    this.#flush();
    this.#socket.end();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#starved.clear();
    for (const stream of streams) stream.closed(true);
    this.#onClose();
  }
}
