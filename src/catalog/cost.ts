import type { ServiceTier, Usage } from '../apis/types.ts';
import type { Cost, FeeName, Prices, TokenPrices } from './types.ts';

const unknownPrice: Cost = { known: false, reason: 'price' };

/** The prices for a request of this many input tokens: above a long-context limit all its tokens cost more. */
export function pricesFor(prices: Prices, totalInput: number): TokenPrices {
  let found: TokenPrices = prices;
  for (const tier of prices.tiers) {
    if (totalInput <= tier.aboveTokens) break;
    // Prices that a tier does not state stay at the base price.
    found = merge(prices, tier);
  }
  return found;
}

function merge(base: TokenPrices, tier: TokenPrices): TokenPrices {
  return {
    ...base,
    input: tier.input ?? base.input,
    output: tier.output ?? base.output,
    cachedRead: tier.cachedRead ?? base.cachedRead,
    cacheWrite5m: tier.cacheWrite5m ?? base.cacheWrite5m,
    cacheWrite1h: tier.cacheWrite1h ?? base.cacheWrite1h,
    reasoning: tier.reasoning ?? (tier.output === null ? base.reasoning : null),
    audioInput: tier.audioInput ?? base.audioInput,
    audioOutput: tier.audioOutput ?? base.audioOutput,
    ...(tier.cachedAudio === undefined ? {} : { cachedAudio: tier.cachedAudio }),
    ...(tier.imageTokenInput === undefined ? {} : { imageTokenInput: tier.imageTokenInput }),
    ...(tier.imageTokenOutput === undefined ? {} : { imageTokenOutput: tier.imageTokenOutput }),
  };
}

/**
 * The cost of a usage in US dollars: a sum over its disjoint classes, times the factors of its mode and region, plus what is billed per
 * call (`provider`: the catalog's name, for fees that do not depend on the model). A class without tokens needs no price; a class with tokens but no price makes the whole cost unknown. Reasoning without its own
 * price is billed as output. If more is billed than has a price, the result is only a lower bound.
 */
export function costOf(prices: Prices, usage: Usage, provider = ''): Cost {
  const totalInput = usage.longestInput ?? usage.totalInput;
  const price = usage.service === undefined ? pricesFor(prices, totalInput) : servicePrices(prices, usage.service, totalInput);
  if (price === null) return unknownPrice;
  const micros = tokenMicros(price, usage);
  if (Number.isNaN(micros)) return unknownPrice;
  const fees = feesOf(prices, usage, provider);
  const factor = factorOf(prices, usage);
  const usd = dollars(micros * (factor ?? 1) + fees.micros);
  const whole =
    usage.beyond === undefined &&
    fees.whole &&
    factor !== null &&
    (usage.cachedAudio === undefined || price.cachedAudio !== undefined) &&
    (usage.imageOutput === undefined || price.imageTokenOutput !== undefined);
  return whole ? { known: true, usd } : { known: false, reason: 'beyond', atLeastUsd: usd };
}

/** Millionths of a dollar for all tokens; NaN if a class has tokens but no price. */
function tokenMicros(price: TokenPrices, usage: Usage): number {
  const { cachedAudio = 0, imageInput = 0, imageOutput = 0 } = usage;
  // A model that only makes images has no price of text in its answers.
  const output = price.output ?? price.imageTokenOutput ?? null;
  let micros = classMicros(usage.input - imageInput, price.input);
  micros += classMicros(imageInput, price.imageTokenInput ?? price.input);
  micros += classMicros(usage.cachedRead - cachedAudio, price.cachedRead);
  micros += classMicros(cachedAudio, price.cachedAudio ?? price.cachedRead);
  micros += classMicros(usage.cacheWrite5m, price.cacheWrite5m);
  micros += classMicros(usage.cacheWrite1h, price.cacheWrite1h);
  micros += classMicros(usage.audioInput, price.audioInput);
  micros += classMicros(usage.output - imageOutput, output);
  micros += classMicros(imageOutput, price.imageTokenOutput ?? output);
  micros += classMicros(usage.reasoning, price.reasoning ?? output);
  return micros + classMicros(usage.audioOutput, price.audioOutput);
}

/** Millionths of a dollar for the tokens of one class; NaN if it has tokens but no price. */
function classMicros(count: number, perMillion: number | null): number {
  return count === 0 ? 0 : perMillion === null ? NaN : count * perMillion;
}

/** The fee for a call or unit, by the providers' names. */
const feeOfCall: Readonly<Record<string, FeeName>> = {
  web_search_requests: 'webSearch',
  web_search_call: 'webSearch',
  file_search_call: 'fileSearch',
  code_interpreter_call: 'codeInterpreter',
  grounding: 'grounding',
  search_units: 'searchUnit',
  seconds: 'second',
};

/**
 * US dollars per search in files, whatever the model. From OpenAI's and Azure's price pages, "Built-in tools", which state this fee for the
 * Responses API only: searches of an assistant's run cost their tokens.
 */
const fileSearchFee: ReadonlyMap<string, number> = new Map([
  ['openai', 0.0025],
  ['azure', 0.0025],
]);

interface Fees {
  readonly micros: number;
  readonly whole: boolean;
}

const noFees: Fees = { micros: 0, whole: true };

/** What the calls of a usage cost; `whole`: each of them has a price. */
function feesOf(prices: Prices, { calls }: Usage, provider: string): Fees {
  // Most usages have none: nothing is allocated for them.
  if (calls === undefined) return noFees;
  let micros = 0;
  let whole = true;
  for (const [name, times] of Object.entries(calls)) {
    const kind = Object.hasOwn(feeOfCall, name) ? feeOfCall[name]! : null;
    const fee = kind === null ? undefined : (prices.fees?.[kind] ?? (kind === 'fileSearch' ? fileSearchFee.get(provider) : undefined));
    if (fee === undefined) whole = false;
    else micros += times * fee * 1e6;
  }
  return { micros, whole };
}

/** The product of the factors of a usage; null if one is not stated. */
function factorOf(prices: Prices, { uplifts }: Usage): number | null {
  if (uplifts === undefined) return 1;
  let factor = 1;
  for (const name of uplifts) {
    const uplift = prices.uplifts !== undefined && Object.hasOwn(prices.uplifts, name) ? prices.uplifts[name] : undefined;
    if (uplift === undefined) return null;
    factor *= uplift;
  }
  return factor;
}

/** The prices of a service tier; null if the source does not state them, or not for a prompt of this length. */
function servicePrices(prices: Prices, service: ServiceTier, totalInput: number): TokenPrices | null {
  const long = prices.tiers.filter(({ aboveTokens }) => totalInput > aboveTokens).at(-1);
  const listed = prices.services?.find(({ tier }) => tier === service);
  if (listed !== undefined) {
    if (long === undefined) return listed;
    const own = listed.tiers?.find(({ aboveTokens }) => aboveTokens === long.aboveTokens);
    return own === undefined ? null : merge(listed, own);
  }
  if (service !== 'batch' || long !== undefined) return null;
  return { ...noTokenPrices, input: prices.batchInput, output: prices.batchOutput };
}

/** No price is known. */
export const noTokenPrices: TokenPrices = {
  input: null,
  output: null,
  cachedRead: null,
  cacheWrite5m: null,
  cacheWrite1h: null,
  reasoning: null,
  audioInput: null,
  audioOutput: null,
};

/** The estimated cost of expected tokens in US dollars; `cachedTokens` of the prompt are charged at the cache-read price, if known. */
export function estimateOf(prices: Prices, promptTokens: number, outputTokens: number, cachedTokens = 0): Cost {
  const price = pricesFor(prices, promptTokens);
  if (price.input === null || (price.output === null && outputTokens > 0)) return unknownPrice;
  const cached = Math.min(cachedTokens, promptTokens);
  return {
    known: true,
    usd: dollars((promptTokens - cached) * price.input + cached * (price.cachedRead ?? price.input) + outputTokens * (price.output ?? 0)),
  };
}

/** Millionths of a dollar → dollars, rounded to 1e-12 so that sums of decimal prices stay decimal. */
function dollars(micros: number): number {
  return Math.round(micros * 1e6) / 1e12;
}
