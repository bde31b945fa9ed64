import type { ModelMode, ServiceTier, Usage } from '../apis/types.ts';

/** US dollars per million tokens; null = unknown. Unknown is never 0. */
export interface TokenPrices {
  readonly input: number | null;
  readonly output: number | null;
  readonly cachedRead: number | null;
  readonly cacheWrite5m: number | null;
  readonly cacheWrite1h: number | null;
  /** Reasoning tokens; null = billed as output. */
  readonly reasoning: number | null;
  readonly audioInput: number | null;
  readonly audioOutput: number | null;
  /** Tokens with their own price in some models; absent = not stated. */
  readonly cachedAudio?: number | undefined;
  readonly imageTokenInput?: number | undefined;
  readonly imageTokenOutput?: number | undefined;
}

/** Prices for the whole request if its input is above `aboveTokens`. */
export type LongContextPrices = { readonly aboveTokens: number } & TokenPrices;

/** Prices of a service tier, with its own long-context prices. */
type ServicePrices = { readonly tier: ServiceTier; readonly tiers?: readonly LongContextPrices[] | undefined } & TokenPrices;

/** What is billed per call or unit. */
export const feeMeanings = {
  webSearch: 'US dollars per web search that the provider runs',
  fileSearch: 'US dollars per search in files',
  codeInterpreter: 'US dollars per call of a code interpreter',
  grounding: 'US dollars per answer that Google grounded in searches',
  searchUnit: 'US dollars per search unit of a rerank',
  second: 'US dollars per second of sound',
} as const;
export type FeeName = keyof typeof feeMeanings;

export interface Prices extends TokenPrices {
  readonly batchInput: number | null;
  readonly batchOutput: number | null;
  /** US dollars per image in the input/output, if the provider prices it this way. */
  readonly imageInput: number | null;
  readonly imageOutput: number | null;
  /** Prices of service tiers; absent if the source states none. */
  readonly services?: readonly ServicePrices[] | undefined;
  /** US dollars per call of a tool that the provider runs, per unit of search, or per second of sound; absent = not stated. */
  readonly fees?: { readonly [K in FeeName]?: number | undefined } | undefined;
  /** Factors of all token prices: `fast` (a faster mode), `us` and `eu` (processing in a region); absent = not stated. */
  readonly uplifts?: Readonly<Record<string, number>> | undefined;
  /** Ascending. */
  readonly tiers: readonly LongContextPrices[];
}

/** true / false / null = not stated by the source. An unstated capability does not qualify a model. */
export interface Capabilities {
  readonly vision: boolean | null;
  readonly tools: boolean | null;
  readonly jsonObject: boolean | null;
  readonly jsonSchema: boolean | null;
  readonly audioInput: boolean | null;
  readonly audioOutput: boolean | null;
  readonly files: boolean | null;
  readonly reasoning: boolean | null;
}

export interface ModelEntry {
  readonly provider: string;
  readonly model: string;
  readonly mode: ModelMode;
  readonly prices: Prices;
  /** Tokens; null = unknown. */
  readonly contextWindow: number | null;
  readonly maxOutput: number | null;
  readonly capabilities: Capabilities;
  /**
   * ISO date of the first list without it; absent if it is listed. Its prices stay: old exchanges are priced with them, and it may still be
   * called.
   */
  readonly retired?: string | undefined;
}

/**
 * `attempt`: the cost of one of several attempts is unknown. `beyond`: more than the tokens is billed, or something of unknown price was
 * counted.
 */
type CostUnknown = 'model' | 'price' | 'usage' | 'attempt' | 'beyond';

/** US dollars, or why they are unknown. */
export type Cost =
  | { readonly known: true; readonly usd: number }
  /** `atLeastUsd`: the cost of the known part; absent if that is unknown too. */
  | { readonly known: false; readonly reason: CostUnknown; readonly atLeastUsd?: number };

export interface Catalog {
  /** Content version, e.g. date plus short hash; in every record. */
  readonly version: string;
  /** ISO date of the price facts. */
  readonly date: string;
  readonly size: number;
  /**
   * Looks up the exact model id, then the id without a date/`-latest` suffix that the catalog lists as an alias. Never a fuzzy guess.
   * `provider` is the catalog's provider name (openai, anthropic, google, mistral, deepseek, meta, amazon, azure …).
   */
  lookup(provider: string, model: string): ModelEntry | null;
  models(provider: string): readonly ModelEntry[];
  providers(): readonly string[];
  /** Cost of a measured usage on a model. `region`: where the provider's endpoint processes it; null: anywhere. */
  cost(provider: string, model: string, usage: Usage, region?: string | null): Cost;
  /**
   * Estimated cost before the call: prompt tokens and expected output tokens (see docs/decisions.md for the expectation). `cachedTokens`:
   * estimated number of prompt tokens that the provider reads from its prompt cache.
   */
  estimate(provider: string, model: string, promptTokens: number, outputTokens: number, cachedTokens?: number): Cost;
}
