import type { FilterRole } from '../attach/names.ts';
import type { Body, HeaderMap, HeaderMutation } from '../lib/headers.ts';
import type { Later } from '../lib/later.ts';

/** Dynamic metadata of one of Envoy's filters, as plain JSON values; null when none came. Decoded when it is asked for. */
export type KnownOfCaller = (namespace: string) => Readonly<Record<string, unknown>> | null;

export type MetadataValue = string | number | boolean | readonly MetadataValue[] | { readonly [key: string]: MetadataValue };

/** Metadata in the `sluice` namespace; Envoy puts it on response headers and access logs, and reads a chain's clusters from it. */
export type SluiceMetadata = Readonly<Record<string, MetadataValue>>;

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

/**
 * What the sessions ask of the rest of Sluice. One implementation: the pipeline.
 * No method may throw (an error inside is a pass, counted), and all but `BodyHandler.take` are synchronous.
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
  | { readonly kind: 'read-body'; readonly handler: BodyHandler; readonly metadata?: SluiceMetadata };

export interface BodyHandler {
  /**
   * The whole body. A plan at once is answered in the same turn; a later one comes as long as Envoy's `message_timeout` lets it (`ms` 0), or
   * within `ms`, up to limits.bodyWaitMs, for which Envoy is asked. It may not reject.
   */
  take(body: Buffer): BodyPlan | Later<BodyPlan>;
  /** The stream closed before the body came or while its plan was awaited; a plan that comes later is dropped. */
  aborted(): void;
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
