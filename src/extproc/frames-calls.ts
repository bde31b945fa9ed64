import { limits } from '../lib/limits.ts';
import { roleHeader } from '../attach/names.ts';
import { decodeAccessLog } from './access-log.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReplyPieces } from './encode-reply.ts';
import { fillPrefix, frame, FrameReader, isMessage, prefixBytes } from './grpc-frames.ts';
import { encodeHeaders, headerOf, type Header } from './h2/hpack.ts';
import type { MemoryInFlight } from './h2/memory.ts';
import type { Http2Stream, StreamOwner } from './h2/stream.ts';
import { MessageIntake, needsDecision } from './message-intake.ts';
import { roleOf } from './roles.ts';
import { wantsBody } from './request-stream.ts';
import type { ProcessingRequest, ProcStream, Reply, Services, StreamHandler } from './types.ts';
import { WireError } from './wire.ts';

/** gRPC calls over streams of our own HTTP/2. */

const status = { ok: '0', invalidArgument: '3', resourceExhausted: '8', unimplemented: '12' } as const;
type Status = keyof typeof status;

const answer: readonly Header[] = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];
export const answerBlock: Buffer = encodeHeaders(answer);
export const trailerBlock = Object.fromEntries(
  Object.entries(status).map(([name, code]) => [name, encodeHeaders([['grpc-status', code]])]),
) as Record<Status, Buffer>;
/** Response headers and trailers in one block, for calls that get no message. */
export const endBlock = Object.fromEntries(
  Object.entries(status).map(([name, code]) => [name, encodeHeaders([...answer, ['grpc-status', code]])]),
) as Record<Status, Buffer>;

/** HealthCheckResponse{status}: 1 is SERVING, 2 is NOT_SERVING. */
export const healthReply = (serving: boolean): Buffer => frame(Buffer.from([0x08, serving ? 1 : 2]));

function framed(reply: Reply): Buffer[] {
  const pieces = encodeReplyPieces(reply, prefixBytes);
  fillPrefix(pieces);
  return pieces;
}

const wantsBodyMessage: Buffer = Buffer.concat(framed(wantsBody));

/** What the calls of one transport share. */
export interface CallContext {
  readonly services: Services;
  readonly memory: MemoryInFlight;
}

const noMemory = (): WireError => new WireError('too many bytes of messages in flight');

/** One Process call: gRPC messages in, replies out. */
export class ProcessCall implements StreamOwner, ProcStream {
  readonly #stream: Http2Stream;
  readonly #services: Services;
  readonly #handler: StreamHandler;
  readonly #memory: MemoryInFlight;
  /** Made for the first message that does not come whole. */
  #reader: FrameReader | null = null;
  /** Made for the first message that does not come whole, or is not replied to at once: most calls need none. */
  #intake: MessageIntake | null = null;
  readonly #over: () => void;
  #responded = false;
  #told = false;
  /** A reply came, or the end, since the last message. */
  #replied = false;

  /** `peer`: the Envoy that called. `over`: called once, when the stream is closed. */
  constructor(stream: Http2Stream, { services, memory }: CallContext, headers: readonly Header[], peer: string, over: () => void) {
    this.#over = over;
    this.#stream = stream;
    this.#services = services;
    this.#memory = memory;
    this.#handler = services.process(this, roleOf(headerOf(headers, roleHeader)), headerOf(headers, 'traceparent'), peer);
  }

  send(reply: Reply): void {
    if (this.#stream.over) return;
    if (!this.#responded) {
      this.#responded = true;
      this.#stream.respond(answerBlock, false);
    }
    if (reply === wantsBody) this.#stream.data(wantsBodyMessage);
    else {
      const pieces = framed(reply);
      for (let at = 0; at < pieces.length; at++) this.#stream.data(pieces[at]!);
    }
    if (reply.kind === 'wait') return;
    this.#replied = true;
    this.#intake?.release();
  }

  end(): void {
    this.#end('ok');
  }

  data(bytes: Buffer, from: number, to: number): void {
    const reader = this.#reader;
    if ((reader === null || reader.unfinished === 0) && isMessage(bytes, from, to, limits.grpcMessageBytes)) {
      const message = Buffer.allocUnsafe(to - from - prefixBytes);
      bytes.copy(message, 0, from + prefixBytes, to);
      const inUse = this.#message(message);
      if (inUse !== null) this.#consumed(to - from, 1, inUse);
    } else this.#parts(bytes.subarray(from, to), (this.#reader ??= new FrameReader(limits.grpcMessageBytes)));
  }

  /** Bytes that are not exactly one message. */
  #parts(bytes: Buffer, reader: FrameReader): void {
    const messages = reader.push(bytes);
    if (messages === null) {
      this.#refuse(new WireError('no gRPC message'));
      return;
    }
    let inUse = 0;
    for (const message of messages) {
      const used = this.#message(message);
      if (used === null) return;
      inUse = used;
    }
    this.#consumed(bytes.length, messages.length, inUse);
  }

  /** Handles a message. Returns how many bytes of it are still in use; null if the call is over or refused. */
  #message(bytes: Buffer): number | null {
    // After we ended the stream, a message from Envoy may still be in flight; it needs no reply.
    if (this.#stream.over) return null;
    let request: ProcessingRequest;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      this.#refuse(error);
      return null;
    }
    this.#replied = false;
    this.#handler.message(request);
    return !this.#replied && needsDecision(request) ? bytes.length : 0;
  }

  /** Accounts for bytes that came. If there is no memory for what is held of them, the call ends. */
  #consumed(bytes: number, messages: number, inUse: number): void {
    if (this.#stream.over || this.#settle(bytes, messages, inUse)) return;
    this.#services.told('too-many-bytes', noMemory());
    this.#end('resourceExhausted');
    this.#handler.closed(true);
  }

  closed(cancelled: boolean): void {
    this.#handler.closed(cancelled);
    if (!cancelled) this.end();
    this.#tell();
  }

  unseen(): (() => void) | null {
    return this.#handler.unseen?.() ?? null;
  }

  #settle(bytes: number, messages: number, inUse: number): boolean {
    if (this.#intake === null && inUse === 0 && (this.#reader === null || this.#reader.unfinished === 0)) {
      this.#stream.consumed(bytes);
      return true;
    }
    this.#reader ??= new FrameReader(limits.grpcMessageBytes);
    this.#intake ??= new MessageIntake(this.#stream, this.#memory, this.#reader);
    return this.#intake.settle(bytes, messages, inUse);
  }

  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    this.#intake?.close();
    this.#over();
  }

  #refuse(error: unknown): void {
    this.#services.told('decode-error', error);
    this.#end('invalidArgument');
    this.#handler.closed(true);
  }

  #end(how: Status): void {
    this.#replied = true;
    this.#tell();
    if (this.#responded) this.#stream.trailers(trailerBlock[how]);
    else this.#stream.respond(endBlock[how], true);
  }
}

/** The long-lived call in which Envoy reports ended exchanges. The only reply is its end. */
export class AccessLogCall implements StreamOwner {
  readonly #stream: Http2Stream;
  readonly #services: Services;
  readonly #on: { readonly read: () => void; readonly closed: () => void };
  readonly #intake: MessageIntake;

  /** `on.read`: called after each message. `on.closed`: called when the call is over. */
  constructor(stream: Http2Stream, { services, memory }: CallContext, on: { readonly read: () => void; readonly closed: () => void }) {
    this.#stream = stream;
    this.#services = services;
    this.#on = on;
    this.#intake = new MessageIntake(stream, memory, new FrameReader(limits.accessLogMessageBytes));
  }

  /** Envoy opens another call when it has more entries. */
  end(): void {
    this.#intake.close();
    this.#stream.respond(endBlock.ok, true);
  }

  data(bytes: Buffer, from: number, to: number): void {
    const messages = this.#intake.push(bytes.subarray(from, to));
    try {
      if (messages === null) throw new WireError('no gRPC message');
      for (const message of messages) for (const entry of decodeAccessLog(message)) this.#services.logged(entry);
    } catch (error) {
      this.#services.told('decode-error', error);
      this.#refuse('invalidArgument');
      return;
    }
    if (!this.#intake.settle(to - from, messages.length, 0)) {
      this.#services.told('too-many-bytes', noMemory());
      this.#refuse('resourceExhausted');
      return;
    }
    this.#on.read();
  }

  closed(cancelled: boolean): void {
    this.#intake.close();
    this.#on.closed();
    if (!cancelled) this.#stream.respond(endBlock.ok, true);
  }

  #refuse(how: Status): void {
    this.#intake.close();
    this.#stream.respond(endBlock[how], true);
    this.#on.closed();
  }
}
