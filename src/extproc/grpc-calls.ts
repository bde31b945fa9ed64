import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import { roleHeader } from '../attach/names.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import type { GrpcMemory } from './grpc-memory.ts';
import { needsDecision } from './message-intake.ts';
import { roleOf } from './roles.ts';
import type { ProcessingRequest, ProcStream, Reply, Services, StreamHandler } from './types.ts';
import { WireError } from './wire.ts';

export type Call = ServerDuplexStream<Buffer, Buffer>;

/** One Process call over grpc-js: messages in, replies out. */
export class ProcessCall implements ProcStream {
  readonly #call: Call;
  readonly #services: Services;
  readonly #memory: GrpcMemory;
  readonly #handler: StreamHandler;
  readonly #count: (by: 1 | -1) => void;
  #over = false;
  #told = false;
  /** A reply came, or the end, since the last message. */
  #replied = false;
  /** Bytes of messages that wait for a reply, and of replies that the peer has not taken. */
  #inUse = 0;
  #unsent = 0;

  /** `count`: called with 1, and with -1 when the call is over. */
  constructor(call: Call, services: Services, memory: GrpcMemory, count: (by: 1 | -1) => void) {
    this.#call = call;
    this.#services = services;
    this.#memory = memory;
    this.#count = count;
    this.#handler = services.process(
      this,
      roleOf(call.metadata.get(roleHeader)[0]?.toString()),
      call.metadata.get('traceparent')[0]?.toString(),
      peerOf(call.getPeer()),
    );
    count(1);
    call.on('data', (bytes: Buffer) => this.#message(bytes));
    call.on('end', () => {
      // Otherwise Envoy resets a stream whose end it has seen.
      if (this.#over) this.#handler.unseen?.()?.();
      this.#close(false);
      this.end();
    });
    for (const event of ['cancelled', 'error'] as const)
      call.on(event, () => {
        this.#over = true;
        this.#close(true);
        this.#release();
        this.#wasSent(this.#unsent);
      });
  }

  send(reply: Reply): void {
    if (this.#over) return;
    const bytes = encodeReply(reply);
    this.#unsent += bytes.length;
    this.#memory.sends(bytes.length);
    this.#call.write(bytes, () => this.#wasSent(bytes.length));
    if (reply.kind === 'wait') return;
    this.#replied = true;
    this.#release();
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#replied = true;
    this.#release();
    this.#call.end();
  }

  #message(bytes: Buffer): void {
    // After we ended the stream, a message from Envoy may still be in flight; it needs no reply.
    if (this.#over) return;
    let request: ProcessingRequest;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      this.#services.told('decode-error', error);
      this.#refuse(status.INVALID_ARGUMENT, error instanceof WireError ? error.message : 'not a ProcessingRequest');
      return;
    }
    this.#replied = false;
    this.#handler.message(request);
    if (this.#replied || !needsDecision(request)) return;
    if (this.#memory.take(bytes.length)) this.#inUse += bytes.length;
    else this.#refuse(status.RESOURCE_EXHAUSTED, 'too many bytes of messages in flight');
  }

  #refuse(code: status, details: string): void {
    this.#over = true;
    this.#call.emit('error', { code, details });
    this.#close(true);
  }

  #close(cancelled: boolean): void {
    if (this.#told) return;
    this.#told = true;
    this.#count(-1);
    this.#handler.closed(cancelled);
  }

  #release(): void {
    this.#memory.give(this.#inUse);
    this.#inUse = 0;
  }

  /** Called for each reply, or once for all: grpc-js forgets what it has not written when a call is lost. */
  #wasSent(bytes: number): void {
    const sent = Math.min(bytes, this.#unsent);
    this.#unsent -= sent;
    this.#memory.wasSent(sent);
  }
}

/** The host of an `address:port`; all connections of a Unix socket count as one. */
function peerOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}
