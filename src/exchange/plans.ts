import type { FilterRole } from '../attach/names.ts';
import type { Body, HeaderMap, HeaderMutation } from '../lib/headers.ts';
import type { Later } from '../lib/later.ts';

/** Dynamic metadata of one of Envoy's filters, as plain JSON values; null if none came. Decoded on demand. */
export type KnownOfCaller = (namespace: string) => Readonly<Record<string, unknown>> | null;

export type MetadataValue = string | number | boolean | readonly MetadataValue[] | { readonly [key: string]: MetadataValue };

/** Metadata in the `sluice` namespace; Envoy puts it on response headers and access logs, and reads a chain's clusters from it. */
export type SluiceMetadata = Readonly<Record<string, MetadataValue>>;

/**
 * Token counts from Envoy's AI Protocol Manager: `input` and `output` are totals, the others are parts of them. Null if it did not
 * report one.
 */
export interface ReportedUsage {
  readonly model: string | null;
  readonly input: number | null;
  readonly output: number | null;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
  /** True if it read all usage data; otherwise it read at most a part. */
  readonly complete: boolean;
}

/** The part of an answer that Envoy collected; bytes are views of the log's message. */
export interface CollectedAnswer {
  /** A whole answer that is not an event stream. */
  readonly body: Buffer | null;
  /** The answer was larger than the collection limit. */
  readonly large: boolean;
  /** A stream's first chunks, and for each `bytes:milliseconds since 1970`. */
  readonly head: Buffer | null;
  readonly times: string;
  /** A stream's last chunks. */
  readonly tail: Buffer | null;
  /** Bytes between head and tail are missing. */
  readonly gap: boolean;
  /** The answer was complete in HTTP's terms. */
  readonly whole: boolean;
}

/** One entry of Envoy's access log. Times in ms since the request reached Envoy; null if Envoy does not report one. */
export interface LoggedExchange {
  /** The decision's id, as the request side stored it. */
  readonly id: string;
  /** 0: no response headers. */
  readonly status: number;
  /** Who cut the answer off. */
  readonly cutBy: 'client' | 'other' | null;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Milliseconds since 1970, by Envoy's clock. */
  readonly startedAt: number;
  readonly firstByteMs: number | null;
  readonly totalMs: number | null;
  /** Body bytes sent to the client. */
  readonly bodyBytes: number;
  readonly collected: CollectedAnswer | null;
  readonly usage: ReportedUsage | null;
}

/**
 * The interface between the ext_proc sessions and the rest of Sluice. One implementation: the pipeline.
 * No method may throw (after an internal error the request passes and the error is counted), and all but `BodyHandler.take` are
 * synchronous.
 */
export interface Gateway {
  /**
   * Called once per request. `traceparent`: Envoy's, if Envoy traces. `known`: facts about the caller from Envoy's filters. `peer`: the
   * Envoy that asks.
   */
  requestHeaders(headers: HeaderMap, endOfStream: boolean, traceparent?: string, known?: KnownOfCaller, peer?: string): RequestPlan;
  /** Called once per observed response, with the `sluice` metadata that the request side stored (null if none). */
  responseHeaders(headers: HeaderMap, metadata: Readonly<Record<string, unknown>> | null, endOfStream: boolean): ResponsePlan;
  /** An exchange is over: the client left before any response headers, or its answer was not observed. */
  logged(entry: LoggedExchange): void;
}

export type RequestPlan =
  /** Forward it unchanged; the stream is ended after the reply. */
  | { readonly kind: 'pass'; readonly headers?: HeaderMutation; readonly metadata?: SluiceMetadata }
  /** Answer immediately, without reading the body. */
  | (BodyPlan & { readonly kind: 'respond' })
  /**
   * Ask Envoy for the buffered body. `metadata`: for Envoy's log, in case the client leaves before the reply to the body; `beginning`: of
   * a body that Envoy cannot hold, the handler gets the beginning, and decides. Otherwise Envoy refuses such a body, or, if it could not
   * hold it before it had this reply, stops reading and never answers (`readBody`).
   */
  | { readonly kind: 'read-body'; readonly handler: BodyHandler; readonly metadata?: SluiceMetadata; readonly beginning?: boolean };

/** Asks for a body whose length is `contentLength`, or null if nobody said it: then Envoy may be able to hold only the beginning. */
export function readBody(handler: BodyHandler, contentLength: number | null): RequestPlan & { readonly kind: 'read-body' } {
  return { kind: 'read-body', handler, beginning: contentLength === null };
}

export interface BodyHandler {
  /**
   * Takes the whole body. An immediate plan is sent in the same turn. A later one must come within Envoy's `message_timeout` (`ms` 0), or
   * within `ms`, up to limits.bodyWaitMs; Envoy is asked to wait that long. It must not reject. `more`: this may be only the beginning of
   * what the client sends, and Envoy forwards the rest unseen.
   */
  take(body: Buffer, more?: boolean): BodyPlan | Later<BodyPlan>;
  /** The stream closed before the body came or before its plan was ready; a later plan is dropped. */
  aborted(): void;
  /** Asked after the plan: what to call if Envoy gave up before it saw the plan, so that the request goes on without it. */
  unseen?(): (() => void) | null;
}

export type BodyPlan =
  | {
      readonly kind: 'forward';
      /** New body; unchanged if absent. */
      readonly body?: Body | undefined;
      readonly headers?: HeaderMutation | undefined;
      readonly clearRouteCache?: boolean | undefined;
      readonly metadata?: SluiceMetadata | undefined;
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

/** What is decided without a body, as the plan for a body that was asked for. */
export function planForBody(plan: Exclude<RequestPlan, { readonly kind: 'read-body' }>): BodyPlan {
  return plan.kind === 'pass' ? { ...plan, kind: 'forward' } : plan;
}

export type ResponsePlan =
  /** Nothing to read: end the stream. */
  { readonly kind: 'ignore' } | { readonly kind: 'read'; readonly observer: ResponseObserver };

export interface ResponseObserver {
  chunk(bytes: Buffer): void;
  /** `whole`: end of stream was seen. `cancelled`: the stream was reset instead. */
  end(whole: boolean, cancelled: boolean): void;
}

/** The interface between the attempt filters' sessions and the pipeline, with the same guarantees as `Gateway`. */
export interface AttemptGateway {
  /**
   * An attempt begins, or (role `gate`) its answer does. `host`: the attempt's endpoint, if Envoy reports it. Null if this process does not
   * know the exchange, or if the endpoint does not belong to the current target.
   */
  attempt(role: FilterRole, metadata: Readonly<Record<string, unknown>> | null, host: string | null): Attempt | null;
  /**
   * What the app gets for an attempt whose request or answer Sluice cannot handle, in the app's API. `asked`: the provider has the
   * request (502); otherwise nothing of this attempt was sent (503).
   */
  broken(metadata: Readonly<Record<string, unknown>> | null, asked: boolean): BrokenAttempt;
}

export interface BrokenAttempt {
  readonly answer: AnswerPass & { readonly headers: HeaderMutation; readonly body: Buffer };
  /** The last event of a stream that had begun. */
  readonly event: Buffer;
}

/** One attempt at one target. */
export interface Attempt {
  /** The request for this target, made from the body that the previous attempt left. Roles `next` and `stream`. */
  request(body: Buffer): AttemptRequest;
  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan;
  /** The stream closed before the answer ended. */
  closed(cancelled: boolean): void;
}

export type AttemptRequest =
  | { readonly kind: 'forward'; readonly body?: Body; readonly headers: HeaderMutation; readonly metadata: SluiceMetadata }
  | (BodyPlan & { readonly kind: 'respond' });

/** The answer is passed on to the app. */
export interface AnswerPass {
  readonly kind: 'pass';
  readonly headers?: HeaderMutation;
  /** Replaces the whole body, if that was requested. */
  readonly body?: Buffer;
}

/** Try the next target of the chain. */
export interface AnswerRetry {
  readonly kind: 'retry';
  /** Sent in a response header, which only Envoy's router sees. */
  readonly reason: string;
}

export type AnswerPlan =
  | AnswerPass
  | AnswerRetry
  /**
   * The body decides: `judge` gets all of it, once. A body above `maxBytes`, if its size can be determined, is replaced by `tooLarge`; it
   * passes if that is absent.
   */
  | {
      readonly kind: 'whole';
      readonly maxBytes: number;
      judge(body: Buffer): AnswerPass | AnswerRetry;
      readonly tooLarge?: () => AnswerPass & { readonly body: Buffer };
    }
  /** Role `stream` only: the body decides as it arrives. */
  | { readonly kind: 'relay'; readonly relay: StreamRelay };

export type RelayStep =
  /** Send nothing to the app yet; the headers wait too if nothing has been sent. */
  | { readonly kind: 'hold' }
  | AnswerRetry
  /** The headers are sent with the first of these. */
  | { readonly kind: 'go'; readonly bytes: Buffer; readonly headers?: HeaderMutation };

export interface StreamRelay {
  push(bytes: Buffer): RelayStep;
  end(): RelayStep;
}
