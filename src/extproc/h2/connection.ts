import type { Socket } from 'node:net';
import { limits } from '../../lib/limits.ts';
import {
  ConnectionError,
  defaultWindow,
  errorCode,
  flag,
  frameHeaderBytes,
  frameOf,
  frameType,
  maxWindow,
  numbersFrame,
  setting,
  settingsFrame,
  paddingOf,
  type ErrorCode,
} from './frames.ts';
import { FrameCutter, type FrameSink } from './frame-cutter.ts';
import { checkPing, checkPriority, ControlRate, grownBy, onlyCosts, peerSettings } from './control-frames.ts';
import { HeaderBlocks, type HeaderBlock } from './header-blocks.ts';
import { CompressionError, emptyTableSizeUpdate, type Header } from './hpack.ts';
import { MemoryInFlight, type Unsent } from './memory.ts';
import { notableUnsentBytes, Outgoing } from './outgoing.ts';
import { contentLength, isMalformed } from './request-headers.ts';
import { readInPlace } from './socket-reads.ts';
import { Http2Stream, type StreamOwner } from './stream.ts';

/** Called once per stream; returns its owner. */
type AcceptStream = (stream: Http2Stream, headers: readonly Header[]) => StreamOwner;

/**
 * One connection carries all requests: its window must never be the bottleneck. It is given back on arrival, since the windows of the
 * streams and `MemoryInFlight` bound what is held.
 */
const connectionWindow = 16 * 1024 * 1024;

const nothing: Buffer = Buffer.alloc(0);
const settingsAck: Buffer = frameOf(frameType.settings, flag.ack, 0, nothing);
/** The answer to this ping shows that the peer has read our GOAWAY. */
const drainPing: Buffer = Buffer.from('draining');
/** The answer to this one shows that the peer is there. */
const alivePing: Buffer = Buffer.from('alive\0\0\0');
/** What the socket may hold unsent before long answers wait, and how much of an answer does not wait; in bytes. */
const sendAheadBytes = 512 * 1024;
const shortAnswerBytes = 64 * 1024;

/** What a connection needs besides its socket. */
export interface ConnectionOptions {
  readonly accept: AcceptStream;
  /** The connection is over. */
  readonly closed: () => void;
  /** Why the connection ends early; `ours`: Sluice cut it, otherwise it broke. */
  readonly failed?: (error: unknown, ours: boolean) => void;
  /** Shared by all connections of a transport. */
  readonly memory: MemoryInFlight;
  /** Most concurrent streams. */
  readonly streams?: number;
}

/**
 * One HTTP/2 server connection (RFC 9113). All answers to one read are sent in one write. It limits what a peer can make it hold or do:
 * header blocks, streams, control frames, and answers that the peer does not read.
 */
export class Http2Connection implements FrameSink, Unsent {
  readonly streamWindow = limits.http2StreamWindowBytes;
  /** Streams on which a message arrives that is longer than the window. */
  #longMessages = 0;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #maxStreams: number;
  readonly #frames = new FrameCutter(this);
  readonly #blocks = new HeaderBlocks();
  readonly #outgoing: Outgoing;
  readonly #control = new ControlRate();
  readonly #streams = new Map<number, Http2Stream>();
  /**
   * Streams that ended here before the peer ended its half: frames of them are late, not wrong. With what to call if the peer then ends its
   * half: Envoy resets a stream whose end it has seen.
   */
  readonly #lingering = new Map<number, (() => void) | null>();
  #sawSettings = false;
  #lastStream = 0;
  /** Streams above this came after our GOAWAY. */
  #goAwayAt = maxWindow;
  #draining = false;
  #received = 0;
  /** Our encoder's table: it stays empty, but if the peer asks for a smaller one, we must send one size update. */
  #table: 'unused' | 'to-close' | 'closed' = 'unused';
  #sendWindow = defaultWindow;
  #peerStreamWindow = defaultWindow;
  /** Bytes of answers that wait for the peer's windows. */
  #waitingBytes = 0;
  /** Something came since the last `checkAlive`, and whether that one sent a ping. */
  #heard = true;
  #asked = false;
  #closed = false;
  /** Streams whose answers wait for the connection's window, or for the socket. */
  readonly #starved = new Set<Http2Stream>();

  constructor(accepted: Socket, options: ConnectionOptions) {
    const socket = readInPlace(accepted, (bytes, length) => this.#read(bytes, length));
    this.#socket = socket;
    this.#options = options;
    this.#maxStreams = options.streams ?? limits.grpcStreams;
    this.#outgoing = new Outgoing(socket, options.memory);
    options.memory.add(this);
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      // Whoever never spoke HTTP/2 is no Envoy that lost its connection: a probe looks whether somebody listens.
      if (!this.#closed && this.#sawSettings) options.failed?.(error, false);
      socket.destroy();
    });
    socket.on('close', () => this.#gone());
    socket.on('drain', () => this.#resumeStarved());
    this.write(
      settingsFrame([
        [setting.maxConcurrentStreams, this.#maxStreams],
        [setting.initialWindowSize, this.streamWindow],
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

  /** Whether no more frames are read. */
  get closed(): boolean {
    return this.#closed;
  }

  get unsent(): number {
    return this.#waitingBytes + this.#outgoing.unsent;
  }

  /** Cuts the connection and all its streams. */
  destroy(): void {
    this.#socket.destroy();
  }

  unread(): void {
    this.#fail(new ConnectionError(errorCode.calm, 'too many bytes of answers that the peer does not read'));
  }

  /**
   * Called at regular intervals: cuts a connection from which nothing came for two of them, although it was asked for a sign of life in
   * between.
   */
  checkAlive(): void {
    if (this.#closed) return;
    if (this.#heard) this.#asked = false;
    else if (this.#asked) {
      this.#options.failed?.(new Error('no answer to a ping'), false);
      this.#socket.destroy();
      return;
    } else {
      this.#asked = true;
      this.write(frameOf(frameType.ping, 0, 0, alivePing));
    }
    this.#heard = false;
  }

  get slice(): number {
    return Math.max(this.streamWindow / 2, Math.floor(limits.longMessageBytes / Math.max(1, this.#longMessages)));
  }

  long(change: 1 | -1): void {
    this.#longMessages += change;
  }

  waits(bytes: number): void {
    this.#waitingBytes += bytes;
    if (bytes > 0 && this.#waitingBytes > notableUnsentBytes) this.#options.memory.checkUnsent();
  }

  takesParts(): boolean {
    return this.#sawSettings && !this.#blocks.waiting;
  }

  /** Queues whole frames; they are sent together at the end of this turn or of the read that caused them. */
  write(frames: Buffer): void {
    this.#outgoing.write(frames);
  }

  /** Queues one frame. Its payload must not change until it is sent, unless it is small. */
  frame(kind: number, stream: number, payload: Buffer, from: number, to: number): void {
    this.#outgoing.frame(kind, stream, payload, from, to);
  }

  /** The header block to send, with the table size update if one is due. */
  headerBlock(block: Buffer): Buffer {
    if (this.#table !== 'to-close') return block;
    this.#table = 'closed';
    return Buffer.concat([emptyTableSizeUpdate, block]);
  }

  /**
   * Takes up to `wanted` bytes from the connection's window and returns how many. If fewer, the stream is called again later. Long answers
   * wait here instead of in the socket, so that short ones pass them.
   */
  take(stream: Http2Stream, wanted: number, left: number): number {
    const mayGo = left <= shortAnswerBytes || this.#outgoing.unsent < sendAheadBytes;
    const granted = mayGo ? Math.min(wanted, this.#sendWindow) : 0;
    this.#sendWindow -= granted;
    if (granted < wanted) this.#starved.add(stream);
    return granted;
  }

  /** A stream that has ended on our side, or was reset. */
  forget(stream: Http2Stream, unseen: (() => void) | null = null): void {
    this.#streams.delete(stream.id);
    if (!stream.peerEnded) this.#linger(stream.id, unseen);
    this.#starved.delete(stream);
    this.#closeIfDrained();
  }

  #read(bytes: Buffer, length: number): void {
    this.#outgoing.hold();
    this.#heard = true;
    try {
      this.#frames.push(bytes, length);
    } catch (error) {
      this.#fail(error);
    }
    this.#outgoing.release();
  }

  /** One whole frame: the bytes `from` to `to`. Throws ConnectionError. */
  consume(bytes: Buffer, from: number, to: number): void {
    const type = bytes[from + 3]!;
    const flags = bytes[from + 4]!;
    const id = bytes.readUInt32BE(from + 5) & 0x7fff_ffff;
    const length = to - from - frameHeaderBytes;
    if (!this.#sawSettings) {
      if (type !== frameType.settings || (flags & flag.ack) !== 0)
        throw new ConnectionError(errorCode.protocol, 'settings must come first');
      this.#sawSettings = true;
    }
    this.#blocks.checkOrder(type, id);
    if (onlyCosts(type, flags, length)) this.#control.count();
    if (type === frameType.resetStream) {
      // Each request has one: no view of its payload, which is not read.
      if (length !== 4) throw new ConnectionError(errorCode.frameSize, 'RST_STREAM of a wrong size');
      this.#known(id);
      this.#lingering.delete(id);
      this.#end(id, true);
      return;
    }
    // Each request has these too.
    if (type === frameType.data) this.data(id, flags, bytes, from + frameHeaderBytes, to);
    else if (type === frameType.headers) this.#opened(this.#blocks.start(id, flags, bytes, from + frameHeaderBytes, to));
    else this.#take(type, flags, id, bytes.subarray(from + frameHeaderBytes, to));
  }

  #take(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameType.continuation:
        this.#opened(this.#blocks.goOn(flags, payload));
        return;
      case frameType.priority:
        checkPriority(id, payload);
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
      case frameType.goAway:
        // A client that goes away needs no answer.
        if (id !== 0) throw new ConnectionError(errorCode.protocol, 'GOAWAY of a stream');
        return;
      default:
        // Unknown types must be ignored.
        return;
    }
  }

  /** A DATA frame, or a part of one. Throws ConnectionError. */
  data(id: number, flags: number, bytes: Buffer, from: number, to: number): void {
    this.#known(id);
    // Padding counts towards the window, and so does data for a stream that has ended here.
    this.#received += to - from;
    if (this.#received > connectionWindow) throw new ConnectionError(errorCode.flowControl, 'more than the connection’s window');
    if (this.#received > connectionWindow / 2) {
      this.write(numbersFrame(frameType.windowUpdate, 0, this.#received));
      this.#received = 0;
    }
    const stream = this.#streams.get(id);
    const ends = (flags & flag.endStream) !== 0;
    if (stream === undefined) {
      if (!this.#lingering.has(id)) throw new ConnectionError(errorCode.streamClosed, 'data of a closed stream');
      if (ends) this.#endsLate(id);
      return;
    }
    if (stream.peerEnded) throw new ConnectionError(errorCode.streamClosed, 'data after the end of a stream');
    const padded = (flags & flag.padded) !== 0;
    const padding = padded ? paddingOf(bytes, from, to) : 0;
    stream.arrived(bytes, padded ? from + 1 : from, to - padding, padded ? padding + 1 : 0);
    if (ends) this.#end(id, false);
  }

  /** A complete header block opens a stream or is a stream's trailers; null: it is not complete. */
  #opened(block: HeaderBlock | null): void {
    if (block === null) return;
    const { id, ends, headers, invalidName } = block;
    if (id <= this.#lastStream) {
      this.#trailers(id, ends, invalidName || isMalformed(headers, true));
      return;
    }
    this.#lastStream = id;
    if (id > this.#goAwayAt || this.#streams.size + this.#lingering.size >= this.#maxStreams) {
      this.#refuse(id, ends, errorCode.refused);
      return;
    }
    const announced = contentLength(headers);
    if (invalidName || isMalformed(headers, false) || (ends && announced !== null && announced !== 0)) {
      this.#refuse(id, ends, errorCode.protocol);
      return;
    }
    const stream = new Http2Stream(this, id, this.#peerStreamWindow, announced);
    this.#streams.set(id, stream);
    stream.own(this.#options.accept(stream, headers));
    if (ends) this.#end(id, false);
  }

  #trailers(id: number, ends: boolean, malformed: boolean): void {
    this.#control.count();
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#lingering.has(id)) {
        if (ends) this.#endsLate(id);
        return;
      }
      throw new ConnectionError(id === this.#lastStream ? errorCode.streamClosed : errorCode.protocol, 'headers of a closed stream');
    }
    if (stream.peerEnded) throw new ConnectionError(errorCode.streamClosed, 'headers after the end of a stream');
    if (!ends) throw new ConnectionError(errorCode.protocol, 'headers inside a stream');
    if (malformed) stream.reset(errorCode.protocol);
    else this.#end(id, false);
  }

  /** Resets a stream that was not opened. */
  #refuse(id: number, ended: boolean, code: ErrorCode): void {
    this.write(numbersFrame(frameType.resetStream, id, code));
    if (!ended) this.#linger(id);
  }

  #linger(id: number, unseen: (() => void) | null = null): void {
    this.#lingering.set(id, unseen);
    if (this.#lingering.size > 2 * this.#maxStreams) this.#fail(new ConnectionError(errorCode.calm, 'too many streams that never end'));
  }

  #endsLate(id: number): void {
    const unseen = this.#lingering.get(id);
    this.#lingering.delete(id);
    unseen?.();
  }

  /** The peer's half of a stream, or the whole stream, ended. It is kept for our half unless it was reset. */
  #end(id: number, cancelled: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      // It ended here while its last frame was read.
      if (!cancelled) this.#endsLate(id);
      return;
    }
    if (!cancelled && !stream.hasAnnouncedLength()) {
      stream.peerEnded = true;
      stream.reset(errorCode.protocol);
      return;
    }
    stream.closed(cancelled);
    if (cancelled) this.forget(stream);
  }

  #settings(id: number, flags: number, payload: Buffer): void {
    const asked = peerSettings(id, flags, payload);
    if (asked === null) return;
    const { window = this.#peerStreamWindow } = asked;
    if (asked.smallerTable === true && this.#table === 'unused') this.#table = 'to-close';
    // Before what a larger window lets go.
    this.write(settingsAck);
    const change = window - this.#peerStreamWindow;
    this.#peerStreamWindow = window;
    if (change !== 0) for (const stream of [...this.#streams.values()]) this.#grow(stream, change);
  }

  #ping(id: number, flags: number, payload: Buffer): void {
    checkPing(id, payload);
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
    const bytes = grownBy(payload);
    if (id !== 0) {
      this.#known(id);
      const stream = this.#streams.get(id);
      if (stream === undefined) return;
      if (bytes === 0) stream.reset(errorCode.protocol);
      else this.#grow(stream, bytes);
      return;
    }
    if (bytes === 0) throw new ConnectionError(errorCode.protocol, 'a window that grows by nothing');
    this.#sendWindow += bytes;
    if (this.#sendWindow > maxWindow) throw new ConnectionError(errorCode.flowControl, 'window too large');
    this.#resumeStarved();
  }

  #resumeStarved(): void {
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

  /** Cuts the connection and says why. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#options.failed?.(error, true);
    const code =
      error instanceof ConnectionError ? error.code : error instanceof CompressionError ? errorCode.compression : errorCode.internal;
    // Not flushed as usual: that would look at the unread answers again.
    this.#outgoing.end(numbersFrame(frameType.goAway, 0, this.#lastStream, code));
    this.#gone();
  }

  #closeIfDrained(): void {
    if (this.#goAwayAt === maxWindow || this.#streams.size > 0) return;
    this.#outgoing.flush();
    this.#socket.end();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing.close();
    this.#options.memory.remove(this);
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#starved.clear();
    for (const stream of streams) stream.closed(true);
    for (const id of [...this.#lingering.keys()]) this.#endsLate(id);
    this.#options.closed();
  }
}
