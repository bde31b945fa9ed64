/** Envoy's ext_proc protocol as Sluice sees it: decoded phases in, encoded replies out. Knows no policy. */

/** Headers of one direction; names are lower case, pseudo headers (`:path`, `:status`) included. */
export interface HeaderMap {
  /** First value or undefined. */
  get(name: string): string | undefined;
  /** Whether there is more than one header of this name. Absent: never. */
  repeated?(name: string): boolean;
  /** All pairs in order. */
  entries(): Iterable<readonly [string, string]>;
}

export type Phase =
  | { readonly kind: 'request-headers'; readonly headers: HeaderMap; readonly endOfStream: boolean }
  | { readonly kind: 'request-body'; readonly body: Buffer; readonly endOfStream: boolean }
  | { readonly kind: 'request-trailers' }
  | { readonly kind: 'response-headers'; readonly headers: HeaderMap; readonly endOfStream: boolean }
  | { readonly kind: 'response-body'; readonly body: Buffer; readonly endOfStream: boolean }
  | { readonly kind: 'response-trailers' };

/** Dynamic metadata of one of Envoy's filters, as plain JSON values; null when none came. Decoded when it is asked for. */
export type KnownOfCaller = (namespace: string) => Readonly<Record<string, unknown>> | null;

/** One decoded ProcessingRequest. */
export interface ProcessingRequest {
  readonly phase: Phase;
  /** What filters before Sluice's know of the caller; absent: Envoy sent no metadata. */
  readonly known?: KnownOfCaller;
  /** metadata_context.filter_metadata of the namespaces that Envoy forwards, as plain JSON values; null when none came. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly observability: boolean;
}

export interface HeaderMutation {
  /** Overwritten or added. */
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export type MetadataValue = string | number | boolean | readonly MetadataValue[] | { readonly [key: string]: MetadataValue };

/** Metadata in the `sluice` namespace; Envoy puts it on response headers and access logs, and reads a chain's clusters from it. */
export type SluiceMetadata = Readonly<Record<string, MetadataValue>>;

/** How much of a body Envoy sends from here on. */
export type BodyMode = 'NONE' | 'BUFFERED';

/** A body in pieces that follow each other: a changed one is mostly views of the one that came, so that nothing large is copied. */
export type Body = Buffer | readonly Buffer[];

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

/**
 * Which of Envoy's filters a stream belongs to, as the filter's initial metadata says.
 * - `listener`: the request filter and the copies' filter
 * - `gate`: a provider's cluster, first attempt of a chain: response headers, and a body if it is asked for
 * - `next`: a provider's cluster, any attempt: request and response, bodies if they are asked for
 * - `stream`: the same, with the whole answer flowing through Sluice both ways
 * - `shadow`: a provider's cluster, a mirrored request: as `next`, but nobody waits for its answer
 */
export type FilterRole = 'listener' | 'gate' | 'next' | 'stream' | 'shadow';

/**
 * How Sluice learns of answers.
 * - `observe`: Envoy sends copies of them (the second filter, observability mode)
 * - `collect`: Envoy collects a bounded part of them and sends it with its access log
 * - `protocol-manager`: Envoy reads their usage and sends that with its access log
 */
export type UsageMode = 'observe' | 'collect' | 'protocol-manager';

/** Token counts as Envoy's AI Protocol Manager tells them: `input` and `output` are totals, the rest are parts of them. Null: it did not say. */
export interface ReportedUsage {
  readonly model: string | null;
  readonly input: number | null;
  readonly output: number | null;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
  /** It read all that spoke of usage; else a part at most. */
  readonly complete: boolean;
}

/** What Envoy has collected of an answer; bytes are views of the log's message. */
export interface CollectedAnswer {
  /** A whole answer that is no stream of events. */
  readonly body: Buffer | null;
  /** It was larger than what is collected. */
  readonly large: boolean;
  /** A stream's first chunks, and for each `bytes:milliseconds since 1970`. */
  readonly head: Buffer | null;
  readonly times: string;
  /** Its last ones. */
  readonly tail: Buffer | null;
  /** Something between the two was left out. */
  readonly gap: boolean;
  /** The answer has ended as HTTP wants it. */
  readonly whole: boolean;
}

/** One entry of Envoy's access log. Times in ms since the request came to Envoy; null: Envoy does not say. */
export interface LoggedExchange {
  /** The decision's, as the request side left it. */
  readonly id: string;
  /** 0: no response headers. */
  readonly status: number;
  /** Who ended it before its time. */
  readonly cutBy: 'client' | 'other' | null;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Milliseconds since 1970, by Envoy's clock. */
  readonly startedAt: number;
  readonly firstByteMs: number | null;
  readonly totalMs: number | null;
  /** Bytes of the body that went to the client. */
  readonly bodyBytes: number;
  readonly collected: CollectedAnswer | null;
  readonly usage: ReportedUsage | null;
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
  /** A message could not be decoded; its stream has been ended. */
  decodeError(): void;
}

/** A transport accepts Envoy's streams: over our own HTTP/2 frames on a Unix socket, over grpc-js on TCP. */
export interface Transport {
  /** `address`: `unix:/path` or `host:port` (port 0: any free one). Resolves with the bound address. */
  listen(address: string, services: Services): Promise<string>;
  /** Health NOT_SERVING at once, then open streams may end for up to `graceMs`, then the rest is cut. */
  drain(graceMs: number): Promise<void>;
}

/**
 * What the sessions ask of the rest of Sluice. One implementation: the pipeline.
 * No method may throw (an error inside is a pass, counted), and all but `RequestExchange.body` are synchronous.
 */
export interface Gateway {
  /** Called once per request. `traceparent`: Envoy's, where Envoy traces. `known`: what Envoy's own filters know of the caller. `peer`: which Envoy asks. */
  requestHeaders(headers: HeaderMap, endOfStream: boolean, traceparent?: string, known?: KnownOfCaller, peer?: string): RequestPlan;
  /** Called once per observed response, with the `sluice` metadata that the request side left (null: none). */
  responseHeaders(headers: HeaderMap, metadata: Readonly<Record<string, unknown>> | null, endOfStream: boolean): ResponsePlan;
  /** An exchange is over: the client went away before any response headers, or its answer was not to be observed. */
  logged(entry: LoggedExchange): void;
}

export type RequestPlan =
  /** Let it go on as it is; the stream is ended after the reply. */
  | { readonly kind: 'pass'; readonly headers?: HeaderMutation; readonly metadata?: SluiceMetadata }
  /** Answered at once, without a body. */
  | (BodyPlan & { readonly kind: 'respond' })
  /** Ask Envoy for the buffered body. `metadata`: what its log is to know of a request whose client leaves before the body's answer. */
  | { readonly kind: 'read-body'; readonly exchange: RequestExchange; readonly metadata?: SluiceMetadata };

export interface RequestExchange {
  /**
   * The whole body. A plan at once is answered in the same turn; a promise may take its time, as long as Envoy's
   * `message_timeout` lets it; `wait`, at once or promised, asks Envoy for more. No promise may reject.
   */
  body(bytes: Buffer): BodyPlan | BodyWait | Promise<BodyPlan | BodyWait>;
  /** The stream closed before the body came or while its plan was awaited; a plan that comes later is dropped. */
  aborted(): void;
}

/** A plan that comes within `ms`, which may be up to limits.bodyWaitMs. */
export interface BodyWait {
  readonly kind: 'wait';
  readonly ms: number;
  readonly plan: Promise<BodyPlan>;
}

export type BodyPlan =
  | {
      readonly kind: 'forward';
      /** New body; absent = unchanged. */
      readonly body?: Body;
      readonly headers?: HeaderMutation;
      readonly clearRouteCache?: boolean;
      readonly metadata?: SluiceMetadata;
    }
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly contentType: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: Buffer;
      readonly details: string;
      readonly metadata?: SluiceMetadata;
    };

export type ResponsePlan =
  /** Nothing to read: end the stream. */
  { readonly kind: 'ignore' } | { readonly kind: 'read'; readonly observer: ResponseObserver };

export interface ResponseObserver {
  chunk(bytes: Buffer): void;
  /** `whole`: end of stream was seen. `cancelled`: the stream was reset instead. */
  end(whole: boolean, cancelled: boolean): void;
}

/** What the attempt filters' sessions ask of the pipeline. The same promises as `Gateway`. */
export interface AttemptGateway {
  /**
   * An attempt begins, or (role `gate`) its answer does. `host`: the endpoint that it goes to, where Envoy says so. Null: this
   * process knows nothing of the exchange, or the endpoint is not that of the target whose turn it is.
   */
  attempt(role: FilterRole, metadata: Readonly<Record<string, unknown>> | null, host: string | null): Attempt | null;
}

/** One attempt at one target. */
export interface Attempt {
  /** What goes to this target, made from the body that the attempt before it left. Roles `next` and `stream`. */
  request(body: Buffer): AttemptRequest;
  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan;
  /** The stream closed before the answer had ended. */
  closed(cancelled: boolean): void;
}

export type AttemptRequest =
  | { readonly kind: 'forward'; readonly body?: Body; readonly headers: HeaderMutation; readonly metadata: SluiceMetadata }
  | (BodyPlan & { readonly kind: 'respond' });

/** The answer is for the app. */
export interface AnswerPass {
  readonly kind: 'pass';
  readonly headers?: HeaderMutation;
  /** Replaces a whole body that was asked for. */
  readonly body?: Buffer;
}

/** The next target of the chain is to answer. */
export interface AnswerRetry {
  readonly kind: 'retry';
  /** Stands in a response header for as long as Envoy's router looks at it. */
  readonly reason: string;
}

export type AnswerPlan =
  | AnswerPass
  | AnswerRetry
  /** The body decides; `judge` gets all of it, once. Above `maxBytes` (where that can be told) it passes. */
  | { readonly kind: 'whole'; readonly maxBytes: number; judge(body: Buffer): AnswerPass | AnswerRetry }
  /** Role `stream` only: the body decides as it comes. */
  | { readonly kind: 'relay'; readonly relay: StreamRelay };

export type RelayStep =
  /** Nothing for the app yet; the headers still wait if none has left. */
  | { readonly kind: 'hold' }
  | AnswerRetry
  /** The headers leave with the first of these. */
  | { readonly kind: 'go'; readonly bytes: Buffer; readonly headers?: HeaderMutation };

export interface StreamRelay {
  push(bytes: Buffer): RelayStep;
  end(): RelayStep;
}
