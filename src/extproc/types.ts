import type { FilterRole } from '../attach/names.ts';
import type { KnownOfCaller, LoggedExchange, SluiceMetadata } from '../exchange/plans.ts';
import type { Body, HeaderMap, HeaderMutation } from '../lib/headers.ts';
import type { TellEvent } from './events.ts';

/** Envoy's ext_proc protocol as Sluice sees it: decoded phases in, encoded replies out. Knows no policy. */

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
  /** What filters before Sluice's know of the caller; absent: Envoy sent no metadata. */
  readonly known?: KnownOfCaller;
  /** metadata_context.filter_metadata of the namespaces that Envoy forwards, as plain JSON values; null when none came. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly observability: boolean;
}

/** How much of a body Envoy sends from here on. */
export type BodyMode = 'NONE' | 'BUFFERED';

export type Reply =
  | {
      readonly kind: 'continue';
      readonly phase: Phase['kind'];
      readonly headers?: HeaderMutation;
      /** Replaces the body (only in a request-body reply). */
      readonly body?: Body;
      readonly clearRouteCache?: boolean;
      readonly metadata?: SluiceMetadata;
      /** Only in replies to request headers: the request body mode from here on. */
      readonly requestBodyMode?: BodyMode;
      /** With `requestBodyMode`: the response's headers are wanted too (an override says every mode anew). */
      readonly expectResponse?: boolean;
      /** Only in replies to response headers: the response body mode from here on. */
      readonly responseBodyMode?: BodyMode;
    }
  /** No answer yet: Envoy starts its clock for the message anew, with this time. It takes one of these a message. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** Bytes of a body that flows both ways (FULL_DUPLEX_STREAMED), in place of what came, whenever they are ready. */
  | { readonly kind: 'chunk'; readonly body: Buffer; readonly endOfStream: boolean }
  | {
      readonly kind: 'immediate';
      readonly status: number;
      readonly headers: HeaderMutation;
      readonly body: Buffer;
      /** Goes to Envoy's response_code_details. */
      readonly details: string;
      readonly metadata?: SluiceMetadata;
    };

/** One gRPC stream of Envoy's, as a transport offers it. */
export interface ProcStream {
  send(reply: Reply): void;
  /** Sluice has nothing more to say: Envoy carries on without it. */
  end(): void;
}

/** What a stream's owner gets. Calls come in order, never after `closed`. */
export interface StreamHandler {
  message(request: ProcessingRequest): void;
  /** `cancelled`: Envoy reset the stream (the client went away, or Envoy's timeout); else it half-closed. */
  closed(cancelled: boolean): void;
}

/** What a transport hands Envoy's calls to. */
export interface Services {
  /** A new ext_proc stream. `traceparent`: of Envoy's own span for it, where Envoy traces. `peer`: which Envoy it is of. */
  process(stream: ProcStream, role: FilterRole, traceparent: string | undefined, peer: string): StreamHandler;
  /** An Envoy has no connection any more: nothing more will be heard of its requests. Absent: nobody asks. */
  gone?(peer: string): void;
  /** An entry of Envoy's access log: an exchange is over. */
  logged(entry: LoggedExchange): void;
  /** Whether such entries are still expected: a transport that drains keeps Envoy's log open for them. */
  awaitsLog(): boolean;
  /** Something went wrong with a message (`decode-error`) or with a connection. */
  readonly told: TellEvent;
}

/** A transport accepts Envoy's streams: over our own HTTP/2 frames on a Unix socket, over grpc-js on TCP. */
export interface Transport {
  /** `address`: `unix:/path` or `host:port` (port 0: any free one). Resolves with the bound address. */
  listen(address: string, services: Services): Promise<string>;
  /** Health NOT_SERVING at once, then open streams may end for up to `graceMs`, then the rest is cut. */
  drain(graceMs: number): Promise<void>;
}
