import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { prefixBytes } from './grpc-frames.ts';

/** Called when a call or a connection is ended because its bytes have no room. */
export type NoRoom = (event: 'too-many-bytes' | 'connection-cut', error: Error) => void;

/** Counts the bytes of the message that a stream has begun and not finished, as grpc-js holds them. */
class Unfinished {
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixed = 0;
  #missing = 0;
  bytes = 0;

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#missing === 0) {
        const taken = chunk.copy(this.#prefix, this.#prefixed, at, at + prefixBytes - this.#prefixed);
        at += taken;
        this.#prefixed += taken;
        this.bytes = this.#prefixed;
        if (this.#prefixed < prefixBytes) return;
        this.#prefixed = 0;
        this.#missing = this.#prefix.readUInt32BE(1);
      } else {
        const taken = Math.min(this.#missing, chunk.length - at);
        at += taken;
        this.#missing -= taken;
        this.bytes += taken;
      }
      if (this.#missing === 0) this.bytes = 0;
    }
  }
}

/**
 * The bytes that all calls of grpc-js hold together, bounded: it bounds each message, not their sum. Half is for messages that are
 * unfinished or undecided, whose call is ended when there is no room; half for replies that a peer does not read, whose connection is cut.
 */
export class GrpcMemory {
  readonly #limit: number;
  readonly #noRoom: NoRoom;
  readonly #streams = new Map<ServerHttp2Session, Set<ServerHttp2Stream>>();
  #messages = 0;
  #replies = 0;

  /** `bytes`: the bound of everything together. */
  constructor(bytes: number, noRoom: NoRoom) {
    this.#limit = bytes / 2;
    this.#noRoom = noRoom;
  }

  /** Bytes of messages and of replies that are held now. */
  get held(): { readonly messages: number; readonly replies: number } {
    return { messages: this.#messages, replies: this.#replies };
  }

  /** Counts `bytes` of a message until `give`; false, and reported, if there is no room. */
  take(bytes: number): boolean {
    if (this.#messages + bytes > this.#limit) {
      this.#noRoom('too-many-bytes', new Error('too many bytes of messages in flight'));
      return false;
    }
    this.#messages += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#messages -= bytes;
  }

  /** A reply waits for its peer, until `wasSent`. */
  sends(bytes: number): void {
    this.#replies += bytes;
    if (this.#replies > this.#limit) this.#cutUnread();
  }

  wasSent(bytes: number): void {
    this.#replies -= bytes;
  }

  /** Counts the unfinished messages of a connection. Call it before grpc-js sees the connection's streams. */
  watch(session: ServerHttp2Session): void {
    const streams = new Set<ServerHttp2Stream>();
    this.#streams.set(session, streams);
    session.on('close', () => this.#streams.delete(session));
    session.on('stream', (stream) => {
      streams.add(stream);
      const message = new Unfinished();
      let held = 0;
      stream.on('data', (chunk: Buffer) => {
        message.push(chunk);
        this.give(held);
        held = 0;
        if (message.bytes > 0 && !this.take(message.bytes)) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        else held = message.bytes;
      });
      stream.on('close', () => {
        streams.delete(stream);
        this.give(held);
        held = 0;
      });
    });
  }

  /** Cuts the connection that reads the least of what is sent to it. */
  #cutUnread(): void {
    let most: { readonly session: ServerHttp2Session; readonly waits: number } | null = null;
    for (const [session, streams] of this.#streams) {
      let waits = 0;
      for (const stream of streams) waits += stream.writableLength;
      if (!session.destroyed && (most === null || waits > most.waits)) most = { session, waits };
    }
    if (most === null) return;
    this.#noRoom('connection-cut', new Error('too many bytes of answers that the peer does not read'));
    most.session.destroy();
  }
}
