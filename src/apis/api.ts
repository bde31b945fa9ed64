import type { FinishClass } from './answer-forms.ts';
import type { ModelMode, BodyMember, Parameter, ParsedRequest, Recognition, RequestHead, Usage } from './types.ts';
import type { EventReading } from './common/answer-facts.ts';
import type { ViewReader } from './common/answer-view.ts';
import type { Conversation, WriteOptions, Written } from './common/conversation.ts';
import type { StreamEncoder } from './common/encoder.ts';
import type { DeltaReading } from './common/deltas.ts';
import type { ApiErrors, StreamFraming } from './common/failure.ts';
import type { IdRule } from './common/ids.ts';
import type { Json, JsonObject } from './common/json.ts';
import type { LimitHeaders } from './common/limit-headers.ts';
import type { Losses } from './common/losses.ts';
import type { ParameterTable } from './common/parameter-types.ts';
import type { Fields } from './common/replay-json.ts';
import type { Simulation } from './common/simulation.ts';
import type { NameRule } from './common/tool-names.ts';
import type { AnswerContext, AnswerSink, WholeAnswer } from './common/translate-answer-types.ts';
import type { UsageReading } from './common/usage.ts';
import type { ApiName, DialectFamily } from './names.ts';
import type { Draft } from './scan/draft.ts';
import type { JsonCursor } from './scan/scan.ts';
import type { Asked } from './shape/asked.ts';

/** Reads one top-level member of a request's body into the draft: the cursor is before its value at the start, and after it at the end. */
export type MemberReader = (cursor: JsonCursor, draft: Draft, key: string) => void;

/** Everything that is known about one API. `registry.ts` has one for each name; see docs/dev/add-an-api.md. */
export interface Api {
  readonly name: ApiName;
  readonly request: RequestSide;
  readonly answer: AnswerSide;
  readonly errors: ApiErrors;
  /** Parameters that some of its models refuse; null when unknown. */
  readonly parameters: ParameterTable | null;
  readonly translation: {
    /** How its requests are translated to another API, and answers of other APIs to its own; null if they are not. */
    readonly caller: CallerSide | null;
    /** How other APIs' requests are translated to it; null if they are not. */
    readonly target: TargetSide | null;
  };
}

/** What is known about an API's requests. */
export interface RequestSide {
  /** Null if its requests are never read or rewritten. */
  readonly member: MemberReader | null;
  /** The path of its calls; null if the path names a model or is unknown. */
  readonly path: string | null;
  /** Kinds of models that it can call. */
  readonly modes: readonly ModelMode[];
  /** Every provider of its dialect has it. */
  readonly everywhere: boolean;
  /** `gen_ai.operation.name` of its calls; null: derived from the operation. */
  readonly operationName: string | null;
  /** Where a request holds the JSON Schema for its answer, as member names from the outside in; the first that exists counts. */
  readonly schemaAt: readonly (readonly string[])[];
  /** Writes the policy's caps in the API's own parameters; null if nothing can be capped. */
  readonly shape: ((asked: Asked) => void) | null;
  /** Whether its prompts are questions, which can be matched by meaning. */
  readonly asks: boolean;
  /** Whether the answer depends on state at the provider that can change, beyond the members common to all APIs; null: never. */
  readonly tied: ((members: readonly BodyMember[], body: Buffer) => boolean) | null;
  /** Parameters that apps send in headers; absent: none. */
  readonly headerParameters?: (headers: readonly (readonly [string, string])[]) => readonly Parameter[];
}

/** What is known about an API's answers. */
export interface AnswerSide {
  /** Null if it has no streams that are read. */
  readonly events: EventReading | null;
  /** The text pieces in its stream events; null if there are none. */
  readonly deltas: DeltaReading | null;
  /** Null if its answers report no billed tokens. */
  readonly usage: UsageReading | null;
  /** Null if its answers cannot be graded. */
  readonly view: ViewReader | null;
  /** What an answer's finish reason, in lower case, means to the cache; a reason that is not listed is not a good end. */
  readonly finishes: ReadonlyMap<string, FinishClass>;
  /**
   * For APIs whose streams omit usage unless `stream_options.include_usage` asks for it: whether an event only carries usage. Null: streams
   * always report usage.
   */
  readonly usageEvent: ((event: Fields) => boolean) | null;
  /** Streams are a JSON array unless the path says `alt=sse`. */
  readonly arrayStreams: boolean;
  /** The last events of a stream may repeat the whole answer, or a large part of it. */
  readonly longEnd: boolean;
  /** Whether Envoy's AI Protocol Manager reads its usage; with `unless`, not for requests that contain these bytes. */
  readonly managed: boolean | { readonly unless: Buffer };
  /** For requests that contain `bytes`: whether an answer's usage leaves open what they cost; absent: it never does. */
  readonly unclear?: { readonly bytes: Buffer; readonly usage: (usage: Usage) => string | null };
  /** The header in which its SDKs look for an answer's id; null if none. */
  readonly idHeader: string | null;
  /** The headers in which its apps look for the remaining rate limit. */
  readonly limitHeaders: LimitHeaders;
  /** Null: cached answers are returned only in their original form. */
  readonly replay: Replay | null;
}

/** How a cached answer changes its form. Both throw CannotConvert for content that is not known well enough. */
export interface Replay {
  /** Converts a whole answer to the events that would have carried it, each with its frame. */
  readonly toStream: (answer: Fields, includeUsage: boolean) => readonly string[];
  /** Converts events, without frames and `[DONE]`, to the whole answer. */
  readonly fromStream: (events: readonly Fields[]) => Fields;
}

/** An API as apps call it. */
export interface CallerSide {
  /** Reads a request. Throws Malformed for what its API would refuse. */
  readonly read: (body: Json, losses: Losses) => Conversation;
  /** The ids of tool calls that its apps accept. */
  readonly ids: IdRule;
  readonly write: (answer: WholeAnswer, context: AnswerContext) => JsonObject;
  readonly encoder: (context: AnswerContext, framing: StreamFraming) => StreamEncoder;
  /** Arguments of calls are objects, not text: arguments that are not JSON cannot be expressed. */
  readonly objectArgs: boolean;
}

/** A reader of a provider's stream. */
export interface Decoder {
  event(value: JsonObject): void;
  /** The stream's own end mark. */
  done(): void;
}

/** The facts of a request that are needed before its body is parsed. */
export type TranslationFacts = Pick<ParsedRequest, 'n' | 'audioInputs' | 'audioOutput' | 'jsonOutput'>;

/** An API as a provider speaks it. */
export interface TargetSide {
  readonly write: (conversation: Conversation, options: WriteOptions, losses: Losses) => Written;
  /** Headers that it requires, lower case, beyond the content type and credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly toolNames: NameRule;
  /** Whether a request with these facts may fit; the body decides finally. */
  readonly takes: (facts: TranslationFacts) => boolean;
  /** Reads a whole answer. */
  readonly read: (value: Json, sink: AnswerSink) => void;
  readonly decoder: (sink: AnswerSink) => Decoder;
}

/** Something in a request's head that shows which API it was made for. Without `regex` it only has to be present. */
export type Sign = { readonly header: string; readonly regex?: string } | { readonly query: string };

/** A provider that exists without configuration. */
export interface KnownProvider {
  readonly endpoint: string;
  readonly hosts: readonly string[];
  readonly pathPrefix: string;
}

/** Everything that is known about a wire format beyond its single APIs. `registry.ts` has one for each name. */
export interface Dialect {
  readonly name: DialectFamily;
  /** Classifies a request by its request line; `path` is without its query. `lenient`: read the body whatever its headers say. */
  readonly recognise: (head: RequestHead, path: string, lenient: boolean) => Recognition;
  /** The API whose error format is used when the request's own API is unknown. */
  readonly errorApi: ApiName;
  /** The API that translated requests use; null if nothing is translated to or from this dialect. */
  readonly chatApi: ApiName | null;
  /** The header that carries a key. */
  readonly keyHeader: (key: string) => readonly [name: string, value: string];
  /** Request headers that may hold an app's key or signature, lower case. */
  readonly keyHeaders: readonly string[];
  /** Request headers that belong to this dialect and must not reach another, lower case; keys are not included. */
  readonly ownHeaders: readonly string[];
  /** Those of `ownHeaders` that another provider of the same dialect needs. */
  readonly sharedHeaders: readonly string[];
  /** Input tokens that the provider's prompt cache holds after an answer, and for how many ms. */
  readonly cachedAfter: (usage: Usage) => { readonly tokens: number; readonly ms: number };
  /** Parameters that some of its models refuse; null when unknown. */
  readonly parameters: ParameterTable | null;
  /** The providers that speak it, by name. */
  readonly providers: Readonly<Record<string, KnownProvider>>;
  /** The catalog's name for its providers; null: the provider's own name. */
  readonly catalogProvider: string | null;
  /** A model can only be called through a deployment that the policy names. */
  readonly deployments: boolean;
  /** Marks that official SDKs send, and keys in the provider's own form. RE2 syntax, whole values. */
  readonly signs: readonly Sign[];
  /** Whole paths without query that only this dialect has, RE2; Envoy refuses expressions of more than 100 steps. */
  readonly paths: readonly string[];
  /** How calls that are only observed count, if their usage has one of these members; otherwise as OpenAI's. */
  readonly observedUsage: readonly { readonly members: readonly string[]; readonly reading: UsageReading }[];
  /** The simulator's answers for its providers; null if not simulated. */
  readonly simulation: Simulation | null;
}
