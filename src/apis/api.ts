import type { FinishClass } from './answer-forms.ts';
import type { ModelMode, BodyMember, Exchange, Recognition, RequestHead, Usage } from './types.ts';
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
import type { NameRule } from './common/tool-names.ts';
import type { AnswerContext, AnswerSink, WholeAnswer } from './common/translate-answer-types.ts';
import type { UsageReading } from './common/usage.ts';
import type { ApiName, DialectFamily } from './names.ts';
import type { Draft } from './scan/draft.ts';
import type { JsonCursor } from './scan/scan.ts';
import type { Asked } from './shape/asked.ts';

/** Reads one top-level member of a request's body into the draft: the cursor stands before its value, and after it when done. */
export type MemberReader = (cursor: JsonCursor, draft: Draft, key: string) => void;

/** Everything that is known of one API. `registry.ts` has one of each name; see docs/dev/add-an-api.md. */
export interface Api {
  readonly name: ApiName;
  readonly request: RequestSide;
  readonly answer: AnswerSide;
  readonly errors: ApiErrors;
  /** Which of its parameters some models refuse; null: not known. */
  readonly parameters: ParameterTable | null;
  readonly translation: {
    /** How its requests become another API's, and answers of another become its own; null: they do not. */
    readonly caller: CallerSide | null;
    /** How other APIs' requests become its own; null: they do not. */
    readonly target: TargetSide | null;
  };
}

/** What is known of an API's requests. */
export interface RequestSide {
  /** Null: its requests are never read or rewritten. */
  readonly member: MemberReader | null;
  /** Where it is called; null: its path names a model, or is not known. */
  readonly path: string | null;
  /** Kinds of models that it can call. */
  readonly modes: readonly ModelMode[];
  /** Every provider of its dialect has it. */
  readonly everywhere: boolean;
  /** `gen_ai.operation.name` of its calls; null: by the operation. */
  readonly operationName: string | null;
  /** Where a request holds the JSON Schema that its answer has to follow, as members' names from outside in; the first that is there counts. */
  readonly schemaAt: readonly (readonly string[])[];
  /** Writes what a policy caps in its own words; null: nothing can be capped. */
  readonly shape: ((asked: Asked) => void) | null;
  /** Whether its prompts are questions, which may be matched by their meaning. */
  readonly asks: boolean;
  /** Whether the answer hangs on something that the provider holds and changes, beyond what every API's members say; null: never. */
  readonly tied: ((members: readonly BodyMember[], body: Buffer) => boolean) | null;
}

/** What is known of an API's answers. */
export interface AnswerSide {
  /** Null: it has no streams that are read. */
  readonly events: EventReading | null;
  /** What its streams' events say piece by piece; null: nothing. */
  readonly deltas: DeltaReading | null;
  /** Null: its answers name no tokens that are billed. */
  readonly usage: UsageReading | null;
  /** Null: its answers are nothing that can be graded. */
  readonly view: ViewReader | null;
  /** What an answer's own word for its end means to the cache, in small letters; a word that is not here is no good end. */
  readonly finishes: ReadonlyMap<string, FinishClass>;
  /** Streams leave their usage out unless `stream_options.include_usage` asks for it: says whether an event is there for usage alone. Null: they always say it. */
  readonly usageEvent: ((event: Fields) => boolean) | null;
  /** Streams are a JSON array unless the path says `alt=sse`. */
  readonly arrayStreams: boolean;
  /** A stream's last events may hold the whole answer once more, or a large part of it. */
  readonly longEnd: boolean;
  /** Whether Envoy's AI Protocol Manager reads its usage; with `unless`, not for requests that hold these bytes. */
  readonly managed: boolean | { readonly unless: Buffer };
  /** The header in which its SDKs look for an answer's id; null: none. */
  readonly idHeader: string | null;
  /** The headers in which its apps look for what is left of a rate limit. */
  readonly limitHeaders: LimitHeaders;
  /** Null: cached answers are given only in the form that they came in. */
  readonly replay: Replay | null;
}

/** How a cached answer changes its form. Both throw CannotConvert for what is not known well enough. */
export interface Replay {
  /** A whole answer as the events that would have carried it, each with its frame. */
  readonly toStream: (answer: Fields, includeUsage: boolean) => readonly string[];
  /** Events, without frames and `[DONE]`, as the whole answer. */
  readonly fromStream: (events: readonly Fields[]) => Fields;
}

/** An API as apps call it. */
export interface CallerSide {
  /** Reads a request. Throws Malformed for what its API would refuse. */
  readonly read: (body: Json, losses: Losses) => Conversation;
  /** Ids of tool calls that its apps take. */
  readonly ids: IdRule;
  readonly write: (answer: WholeAnswer, context: AnswerContext) => JsonObject;
  readonly encoder: (context: AnswerContext, framing: StreamFraming) => StreamEncoder;
  /** Arguments of calls are objects, not text: what is no JSON cannot be said. */
  readonly objectArgs: boolean;
}

/** A reader of a provider's stream. */
export interface Decoder {
  event(value: JsonObject): void;
  /** The stream's own end mark. */
  done(): void;
}

/** What is asked of a request before its body is parsed. */
export type TranslationFacts = Pick<Exchange, 'n' | 'audioInputs' | 'audioOutput' | 'jsonOutput'>;

/** An API as a provider speaks it. */
export interface TargetSide {
  readonly write: (conversation: Conversation, options: WriteOptions, losses: Losses) => Written;
  /** Headers that it demands, lower case, beyond the content type and credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly toolNames: NameRule;
  /** Whether a request with these facts may fit; the body has the last word. */
  readonly takes: (facts: TranslationFacts) => boolean;
  /** Reads a whole answer. */
  readonly read: (value: Json, sink: AnswerSink) => void;
  readonly decoder: (sink: AnswerSink) => Decoder;
}

/** Something of a request's head that says for whose API it was made. Without `regex` it only has to be there. */
export type Sign = { readonly header: string; readonly regex?: string } | { readonly query: string };

/** A provider that exists without being written down. */
export interface KnownProvider {
  readonly endpoint: string;
  readonly hosts: readonly string[];
  readonly pathPrefix: string;
}

/** Everything that is known of a wire format beyond its single APIs. `registry.ts` has one of each name. */
export interface Dialect {
  readonly name: DialectFamily;
  /** What a request is by its line; `path` is without its query. `lenient`: a body is to be read whatever its headers say of it. */
  readonly recognise: (head: RequestHead, path: string, lenient: boolean) => Recognition;
  /** The API in whose words errors are told where a request's own is not known. */
  readonly errorApi: ApiName;
  /** The API that translated requests are put in; null: nothing is translated to it or from it. */
  readonly chatApi: ApiName | null;
  /** The header that carries a key. */
  readonly keyHeader: (key: string) => readonly [name: string, value: string];
  /** Request headers that may hold an app's key or signature, lower case. */
  readonly keyHeaders: readonly string[];
  /** Request headers that belong to it and must not reach another, lower case; keys are not among them. */
  readonly ownHeaders: readonly string[];
  /** Those of them that another provider of the same dialect needs. */
  readonly sharedHeaders: readonly string[];
  /** Input tokens that the provider's prompt cache holds after an answer, and for how many ms. */
  readonly cachedAfter: (usage: Usage) => { readonly tokens: number; readonly ms: number };
  /** Which parameters of its models are refused by some; null: not known. */
  readonly parameters: ParameterTable | null;
  /** The providers that speak it, by name. */
  readonly providers: Readonly<Record<string, KnownProvider>>;
  /** The catalog's name for providers of it; null: the provider's own. */
  readonly catalogProvider: string | null;
  /** A model can only be called by a deployment that the policy names. */
  readonly deployments: boolean;
  /** What official SDKs send, and keys whose form is the provider's own. In the syntax of RE2, whole values. */
  readonly signs: readonly Sign[];
  /** Whole paths without their query that only this dialect has, RE2; Envoy takes no expression of more than 100 steps. */
  readonly paths: readonly string[];
}
