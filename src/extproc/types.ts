import type { Socket } from 'node:net';
import type { FilterRole } from '../attach/names.ts';
import type { KnownOfCaller, LoggedExchange, SluiceMetadata } from '../exchange/plans.ts';
import type { Body, HeaderMap, HeaderMutation } from '../lib/headers.ts';
import type { TellEvent } from './events.ts';

/** Envoy's ext_proc protocol as Sluice uses it: decoded phases in, encoded replies out. Independent of policy. */

export type Phase =
  | { readonly kind: 'request-headers'; readonly headers: HeaderMap; readonly endOfStream: boolean }
  | { readonly kind: 'request-body'; readonly body: Buffer; readonly endOfStream: boolean }
  | { readonly kind: 'request-trailers' }
  | { readonly kind: 'response-headers'; readonly headers: HeaderMap; readonly endOfStream: boolean }
  | { readonly kind: 'response-body'; readonly body: Buffer; readonly endOfStream: boolean }
  | { readonly kind: 'response-trailers' };

/** One decoded ProcessingRequest. */
export interface ProcessingRequest {
  readonly phase: Phase;
  /** Facts about the caller from filters before Sluice's; absent if Envoy sent no metadata. */
  readonly known?: KnownOfCaller;
  /** metadata_context.filter_metadata of the namespaces that Envoy forwards, as plain JSON values; null if none came. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly observability: boolean;
}

/** How much of a body Envoy sends from here on. */
type BodyMode = 'NONE' | 'BUFFERED' | 'BUFFERED_PARTIAL';

export type Reply =
  | {
      readonly kind: 'continue';
      readonly phase: Phase['kind'];
      readonly headers?: HeaderMutation | undefined;
      /** Replaces the body (only in a request-body reply). */
      readonly body?: Body | undefined;
      readonly clearRouteCache?: boolean | undefined;
      readonly metadata?: SluiceMetadata | undefined;
      /** Only in replies to request headers: the request body mode from here on. */
      readonly requestBodyMode?: BodyMode;
      /** With `requestBodyMode`: ask for the response's headers too (an override must set every mode again). */
      readonly expectResponse?: boolean;
      /** Only in replies to response headers: the response body mode from here on. */
      readonly responseBodyMode?: BodyMode;
    }
  /** No answer yet: Envoy restarts its timer for the message with this time. It accepts one of these per message. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** Bytes of a body in full-duplex mode (FULL_DUPLEX_STREAMED) that replace the received ones; sent whenever they are ready. */
  | { readonly kind: 'chunk'; readonly body: Buffer; readonly endOfStream: boolean }
  | {
      readonly kind: 'immediate';
      readonly status: number;
      readonly headers: HeaderMutation;
      readonly body: Buffer;
      /** Appears in Envoy's response_code_details. */
      readonly details: string;
      readonly metadata?: SluiceMetadata;
    };

/** One gRPC stream from Envoy, as a transport provides it. */
export interface ProcStream {
  send(reply: Reply): void;
  /** Sluice has no more replies: Envoy continues without it. */
  end(): void;
}

/** The callbacks of a stream's owner. Calls come in order, never after `closed`. */
export interface StreamHandler {
  message(request: ProcessingRequest): void;
  /** `cancelled`: Envoy reset the stream (the client left, or Envoy timed out); otherwise it half-closed. */
  closed(cancelled: boolean): void;
  /** Asked when Sluice has ended the stream: what to call if Envoy had ended it before it saw that; null: nothing. */
  unseen?(): (() => void) | null;
}

/** The handlers to which a transport passes Envoy's calls. */
export interface Services {
  /** A new ext_proc stream. `traceparent`: of Envoy's own span for it, if Envoy traces. `peer`: the Envoy that opened it. */
  process(stream: ProcStream, role: FilterRole, traceparent: string | undefined, peer: string): StreamHandler;
  /** An Envoy has no connection any more: nothing more will come about its requests. Not called if absent. */
  gone?(peer: string): void;
  /** An entry of Envoy's access log: an exchange is over. */
  logged(entry: LoggedExchange): void;
  /** Whether such entries are still expected: a transport that drains keeps Envoy's log open for them. */
  awaitsLog(): boolean;
  /** Reports an error of a message (`decode-error`) or of a connection. */
  readonly told: TellEvent;
}

/** A transport accepts Envoy's streams, on a Unix socket or TCP. */
export interface Transport {
  /** `address`: `unix:/path` or `host:port` (port 0: any free one). Resolves with the bound address. */
  listen(address: string, services: Services): Promise<string>;
  /** Sets health to NOT_SERVING, waits up to `graceMs` for open streams to end, then cuts the rest. */
  drain(graceMs: number): Promise<void>;
  /** Connections on which requests may come. */
  readonly connections?: number;
  /** Serves a connection that another process has accepted and not read. */
  adopt?(connection: Socket): void;
  /** Has Envoy open one of them again, which another worker may then get. Requests in progress end where they are. */
  renew?(): void;
}
