import type { Json, JsonObject, RawNumber } from './json.ts';
import type { Losses } from './losses.ts';

/** The bytes of a picture, document or sound, or their location. */
export type Source =
  | { readonly kind: 'base64'; readonly mime: string; readonly data: string }
  | { readonly kind: 'url'; readonly url: string; readonly mime: string | null };

export interface TextPart {
  readonly kind: 'text';
  readonly text: string;
}

/** `at`: the part's position in the caller's body, used to report what cannot be translated. */
export type Part =
  | TextPart
  | { readonly kind: 'refusal'; readonly text: string }
  | { readonly kind: 'image'; readonly source: Source; readonly detail: string | null; readonly at: string }
  | { readonly kind: 'document'; readonly source: Source | TextPart; readonly title: string | null; readonly at: string }
  | { readonly kind: 'audio'; readonly source: Source; readonly at: string }
  | CallPart
  | ResultPart;

/** The model's call of a tool. `args`: the arguments as JSON text of an object. */
export interface CallPart {
  readonly kind: 'call';
  readonly id: string;
  readonly name: string;
  readonly args: string;
  readonly at: string;
}

/** The app's result for a call. */
export interface ResultPart {
  readonly kind: 'result';
  readonly id: string;
  readonly parts: readonly Part[];
  readonly isError: boolean;
  readonly at: string;
}

export interface Turn {
  readonly role: 'user' | 'assistant' | 'system';
  readonly parts: readonly Part[];
  readonly at: string;
}

export interface ToolDefinition {
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema of the arguments; null when the tool takes none. */
  readonly schema: Json | null;
  /** True when the provider must follow the schema. */
  readonly strict: boolean;
  readonly at: string;
}

export type ToolChoice =
  | { readonly kind: 'auto' | 'none' | 'any' }
  | { readonly kind: 'tool'; readonly name: string }
  /** Only some of the tools; `required`: one of them must be called. */
  | { readonly kind: 'allowed'; readonly names: readonly string[]; readonly required: boolean };

interface SchemaOutput {
  readonly kind: 'schema';
  readonly schema: Json;
  readonly name: string | null;
  readonly description: string | null;
  /** True: the provider must follow the schema; false: it is a hint; null: the API makes no distinction and follows it. */
  readonly strict: boolean | null;
  readonly at: string;
}

export type Output = { readonly kind: 'text' } | { readonly kind: 'json'; readonly at: string } | SchemaOutput;

export type Effort = 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export type Reasoning =
  | { readonly kind: 'off'; readonly at: string }
  | { readonly kind: 'effort'; readonly effort: Effort; readonly at: string }
  /** A thinking budget in tokens. */
  | { readonly kind: 'budget'; readonly tokens: number; readonly at: string };

/** A number and its position. */
export interface Setting {
  readonly value: number;
  readonly at: string;
}

/** One request of any API, as far as another API can express it. Null: the caller gave no value. */
export interface Conversation {
  readonly system: readonly TextPart[];
  readonly turns: readonly Turn[];
  readonly tools: readonly ToolDefinition[];
  readonly toolChoice: ToolChoice | null;
  readonly toolChoiceAt: string;
  /** False: at most one tool call per turn. */
  readonly parallelCalls: { readonly value: boolean; readonly at: string } | null;
  readonly maxTokens: number | null;
  readonly temperature: Setting | null;
  readonly topP: Setting | null;
  readonly topK: Setting | null;
  readonly frequencyPenalty: Setting | null;
  readonly presencePenalty: Setting | null;
  readonly seed: { readonly value: number | RawNumber; readonly at: string } | null;
  readonly stop: { readonly values: readonly string[]; readonly at: string };
  readonly output: Output;
  readonly reasoning: Reasoning | null;
  /** The requested length of the answer (OpenAI). */
  readonly verbosity: { readonly value: string; readonly at: string } | null;
  /** A stable identifier of the app's end user. */
  readonly user: { readonly value: string; readonly at: string } | null;
}

/** A request that is a system prompt alone, as a user's message: APIs that keep the prompt apart need one. Only the role is lost. */
export function spoken(conversation: Conversation, losses: Losses): Conversation {
  const { system, turns } = conversation;
  if (turns.length > 0 || system.length === 0) return conversation;
  losses.lose('messages[].role', 'a system prompt alone is no request; dropped, it becomes a user message');
  return { ...conversation, system: [], turns: [{ role: 'user', parts: system, at: 'messages' }] };
}

export const emptyConversation: Conversation = {
  system: [],
  turns: [],
  tools: [],
  toolChoice: null,
  toolChoiceAt: 'tool_choice',
  parallelCalls: null,
  maxTokens: null,
  temperature: null,
  topP: null,
  topK: null,
  frequencyPenalty: null,
  presencePenalty: null,
  seed: null,
  stop: { values: [], at: 'stop' },
  output: { kind: 'text' },
  reasoning: null,
  verbosity: null,
  user: null,
};

/** What a writer needs in addition to the conversation. */
export interface WriteOptions {
  readonly model: string;
  readonly stream: boolean;
  /** Used if the target's API requires a limit and the caller gave none, tokens. Null: the library's own default for the model. */
  readonly defaultMaxTokens: number | null;
  /** The model's output limit, tokens; Infinity when unknown. */
  readonly maxOutputTokens: number;
  /** The catalog's name of the provider; null when unknown. */
  readonly provider: string | null;
}

export interface Written {
  readonly body: JsonObject;
  readonly path: string;
}
