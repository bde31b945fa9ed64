import type { ModelMode, Usage } from '../apis/types.ts';

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
}

export interface Prices extends TokenPrices {
  readonly batchInput: number | null;
  readonly batchOutput: number | null;
  /** US dollars per image in the input/output, if the provider prices it this way. */
  readonly imageInput: number | null;
  readonly imageOutput: number | null;
  /** Prices of service tiers; absent if the source states none. */
  readonly services?: readonly ({ readonly tier: 'flex' | 'priority' } & TokenPrices)[] | undefined;
  /** Prices for the whole request if its total input is above `aboveTokens`; ascending. */
  readonly tiers: readonly ({ readonly aboveTokens: number } & TokenPrices)[];
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
export type CostUnknown = 'model' | 'price' | 'usage' | 'attempt' | 'beyond';

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
  /** Cost of a measured usage on a model. */
  cost(provider: string, model: string, usage: Usage): Cost;
  /**
   * Estimated cost before the call: prompt tokens and expected output tokens (see docs/decisions.md for the expectation). `cachedTokens`:
   * estimated number of prompt tokens that the provider reads from its prompt cache.
   */
  estimate(provider: string, model: string, promptTokens: number, outputTokens: number, cachedTokens?: number): Cost;
}
