import type { ApiName } from './names.ts';

export type { ApiName, DialectFamily } from './names.ts';

/** The purpose of a request. Only `generate` is routed by tier; for the others the model changes only if a rule names one. */
export type Operation = 'generate' | 'embed' | 'count' | 'other';

/** Why a request passes unchanged and without a decision. Closed list: it is a metric label. */
export type PassReason =
  | 'unknown-path'
  | 'unknown-provider'
  | 'method'
  | 'not-json'
  | 'encoded-body'
  | 'upgrade'
  | 'too-large'
  | 'no-body'
  | 'invalid-json'
  | 'too-deep'
  | 'no-model'
  | 'model-unreadable'
  | 'not-rewritable'
  | 'route-off'
  | 'policy-off'
  | 'draining'
  | 'overload'
  | 'memory'
  | 'unread'
  | 'unmasked'
  | 'no-gateway-key'
  | 'ambiguous-provider'
  | 'internal-error';

/** Half-open range [start, end) of byte offsets in a body (or of UTF-16 offsets in a path). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What the request line and headers say about a request, before its body is read. Header names are lower case. */
export interface RequestHead {
  readonly method: string;
  /** Path with query, without the provider's prefix. */
  readonly path: string;
  readonly authority: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** From content-length; null when absent. */
  readonly contentLength: number | null;
  /** True for an Upgrade (WebSocket) or extended CONNECT. */
  readonly upgrade: boolean;
}

/** What a path means, before the body is read. */
export type Recognition =
  | {
      readonly kind: 'readable';
      readonly api: ApiName;
      readonly operation: Operation;
      /** The model in the path (Gemini, Azure deployments), percent-decoded, and its position in `path`; null when it is in the body. */
      readonly pathModel: { readonly model: string; readonly span: Span } | null;
      /** True or false when the path alone says whether the answer streams (Gemini); null when the body says it. */
      readonly stream: boolean | null;
    }
  /** A known LLM API that cannot be rewritten (Bedrock, images, audio, batches, files, models list …): observed and reported as such. */
  | { readonly kind: 'observed'; readonly api: ApiName; readonly model: string | null; readonly reason: PassReason }
  | { readonly kind: 'pass'; readonly reason: PassReason };

export type JsonOutput = 'none' | 'object' | 'schema';

/** One view for requests of all APIs. Only fields that are used are read; the bytes are unchanged. */
export interface ParsedRequest {
  readonly api: ApiName;
  readonly operation: Operation;
  /** The requested model, decoded. */
  readonly model: string;
  /**
   * The bytes of every top-level `model` value in the body, quotes included, in order; empty when the model is in the path. Parsers take
   * the last duplicate; all are rewritten, so that no parser can disagree.
   */
  readonly modelSpans: readonly Span[];
  /** Models that a lenient provider or a gateway behind this one may ask instead: `models`, `fallbacks`, `Model`. Absent if none. */
  readonly otherModels?: readonly string[];
  readonly pathModel: { readonly model: string; readonly span: Span } | null;
  readonly stream: boolean;
  readonly bodyBytes: number;
  /** System and developer prompts, joined by newlines; bounded by limits.textUnits. */
  readonly system: string;
  /** Text of the last user turn (joined parts); bounded. For completions/embeddings: the prompt/input. */
  readonly lastUser: string;
  /** Position in the body of the last turn's only text part, if it is a user's turn and `lastUser` holds the whole text; else null. */
  readonly question: Span | null;
  /** Text of all earlier turns, oldest first, bounded (only for rules on sensitivity and for classification of context). */
  readonly context: string;
  /** True when one of the three texts above was cut at the bound. */
  readonly textTruncated: boolean;
  /** UTF-8 bytes of all text parts, without truncation. */
  readonly textBytes: number;
  /** Estimated prompt tokens: text, tool definitions, images. Unit: tokens; documented in docs/dialects.md. */
  readonly promptTokens: number;
  readonly messages: number;
  readonly userTurns: number;
  /** True when the last message is a tool's result rather than a person's. */
  readonly lastIsToolResult: boolean;
  readonly tools: number;
  /** At most limits.toolNames. */
  readonly toolNames: readonly string[];
  readonly images: number;
  readonly audioInputs: number;
  readonly files: number;
  /** Asks for audio in the answer (OpenAI modalities, Gemini responseModalities). */
  readonly audioOutput: boolean;
  readonly jsonOutput: JsonOutput;
  readonly maxOutputTokens: number | null;
  readonly temperature: number | null;
  /** Number of answers requested (OpenAI n, Gemini candidateCount); 1 when absent. */
  readonly n: number;
  /** reasoning_effort, thinking etc., as given; null when absent. */
  readonly reasoning: string | null;
  /** For OpenAI-shaped streams: whether stream_options.include_usage is true; null when stream_options is absent. */
  readonly includeUsage: boolean | null;
  /** The value of the last `stream_options` if it does not ask for usage; absent if there is none. */
  readonly streamOptions?: Span | null;
  /** The conversation's name from the body (prompt_cache_key, conversation, metadata); null if the body has none. */
  readonly session: string | null;
  /** The user from the body (user, safety_identifier, metadata.user_id); null if the body has none. */
  readonly user: string | null;
  /** Bytes of the first text of the first user message; null if there is none. */
  readonly opening: Span | null;
  /** Parameters that some models refuse, in the body's order, at most limits.parameters; see src/apis/parameters. */
  readonly parameters: readonly Parameter[];
  /**
   * The quoted name of the body's single limit on the answer (`max_tokens` or `max_completion_tokens` of OpenAI's chat); null if there is
   * none or it cannot be renamed.
   */
  readonly limitKey: Span | null;
  /** Byte offset just after the body's opening brace (where a member can be inserted). */
  readonly bodyOpen: number;
}

/** Null for an object, a list, or a text longer than limits.parameterUnits. */
export type ParameterValue = string | number | boolean | null;

/** One parameter of a request: its path in the API's own names, such as `temperature`, `reasoning.effort`, `tools.web_search`. */
export interface Parameter {
  readonly name: string;
  readonly value: ParameterValue;
}

/** A top-level member of a body and the position of its value. */
export interface BodyMember extends Span {
  readonly key: string;
  /** Whether there is white space between tokens of the value. */
  readonly spaced: boolean;
}

export type ReadResult = { readonly ok: true; readonly exchange: ParsedRequest } | { readonly ok: false; readonly reason: PassReason };

/**
 * How a provider counts: `subset` = the class is already inside the total, `on-top` = it must be added to it.
 * OpenAI: cached, reasoning, audio are subsets. Anthropic: cache read and write on top of input. Gemini: cached is a
 * subset of the prompt, thoughts and tool-use prompt come on top.
 */
type Counting = 'subset' | 'on-top';

export interface UsageConvention {
  readonly cachedRead: Counting;
  readonly cacheWrite: Counting;
  readonly reasoning: Counting;
  readonly audio: Counting;
}

/**
 * Tokens of one answer in disjoint classes: every token is in exactly one class, so cost is a plain sum. `input` and `output` are the
 * remainder after the special classes. All counts are tokens.
 */
export interface Usage {
  readonly convention: UsageConvention;
  /** Uncached text/image input. */
  readonly input: number;
  readonly cachedRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly audioInput: number;
  /** Visible output (text, tool calls). */
  readonly output: number;
  readonly reasoning: number;
  readonly audioOutput: number;
  /** All input classes together. */
  readonly totalInput: number;
  /** All output classes together. */
  readonly totalOutput: number;
  /** Tokens of `cachedRead` that are audio; absent if none. */
  readonly cachedAudio?: number;
  /** Tokens of `input` that are images, where the provider says it; absent if none. */
  readonly imageInput?: number;
  /** Tokens of `output` that are images; absent if none. */
  readonly imageOutput?: number;
  /** Input tokens of its longest round, for long-context prices; absent if there was one round. */
  readonly longestInput?: number;
  /** The service tier that the answer was billed in; absent for the standard tier. */
  readonly service?: ServiceTier;
  /** What is billed per call or unit, by the provider's own names; absent if nothing was. */
  readonly calls?: Readonly<Record<string, number>>;
  /** What multiplies the prices of all tokens: `fast`, `us`, `eu`; absent if nothing does. */
  readonly uplifts?: readonly string[];
  /**
   * Items billed beyond these classes, or not known to be in them, by the provider's own names; absent if none. The known cost is then a
   * lower bound.
   */
  readonly beyond?: readonly string[];
  /** The provider's usage object(s) unchanged, JSON text, bounded by limits.rawUsageBytes. */
  readonly raw: string;
}

/** Tiers with their own token prices. */
export const serviceTiers = ['flex', 'priority', 'batch', 'ultrafast'] as const;
export type ServiceTier = (typeof serviceTiers)[number];

/** Why usage is unknown. Closed list. */
export type UsageUnknown =
  | 'not-observed'
  | 'not-sent'
  | 'stream-not-asked'
  | 'cut'
  | 'too-large'
  | 'unreadable'
  /** Envoy read the answer, but could not read all parts about usage. */
  | 'partial'
  | 'encoded'
  | 'error-status'
  | 'dialect';

/** What was seen of a stream whose usage is unknown. */
export interface SeenAnswer {
  /** Estimated tokens of its texts. */
  readonly output: number;
  /** Bytes of its events that were seen. */
  readonly bytes: number;
  /** The usage that it reported before its end; null if none. */
  readonly said: Usage | null;
}

/** The content of an answer, once it has ended. */
export interface Answer {
  readonly usage: Usage | null;
  /** Set exactly when usage is null. */
  readonly usageUnknown: UsageUnknown | null;
  /** Absent if the usage is known, or if the answer was not a stream. */
  readonly seen?: SeenAnswer;
  /** The model that the provider says it used; null if it does not say. */
  readonly model: string | null;
  /** The provider's own id of the answer; absent or null if it gives none. */
  readonly id?: string | null;
  readonly finishReason: string | null;
  /** For streams: whether the terminal event was seen. For JSON: whether the body was whole. */
  readonly complete: boolean;
  /** An error object inside the answer (also as an SSE event after a 200): its type or code. */
  readonly errorType: string | null;
}

/** Reads one answer from copies of its chunks; never throws on any bytes. */
export interface AnswerReader {
  /** Returns true on the push that held the first output token (content) of the answer, once. */
  push(chunk: Uint8Array): boolean;
  /** `whole`: Envoy signalled end of stream (false: the stream was cut). */
  end(whole: boolean): Answer;
}

export interface AnswerHead {
  readonly api: ApiName;
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** exchange.stream && includeUsage !== true on an OpenAI shape: explains missing usage. */
  readonly usageNotAsked: boolean;
}

export type ModelMode = 'chat' | 'completion' | 'responses' | 'embedding' | 'other';
