import type { ServiceTier, Usage } from '../apis/types.ts';
import type { Cost, Prices, TokenPrices } from './types.ts';

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
    input: tier.input ?? base.input,
    output: tier.output ?? base.output,
    cachedRead: tier.cachedRead ?? base.cachedRead,
    cacheWrite5m: tier.cacheWrite5m ?? base.cacheWrite5m,
    cacheWrite1h: tier.cacheWrite1h ?? base.cacheWrite1h,
    reasoning: tier.reasoning ?? (tier.output === null ? base.reasoning : null),
    audioInput: tier.audioInput ?? base.audioInput,
    audioOutput: tier.audioOutput ?? base.audioOutput,
  };
}

/**
 * The cost of a usage in US dollars: a sum over its disjoint classes. A class without tokens needs no price; a class with tokens but no
 * price makes the whole cost unknown. Reasoning without its own price is billed as output. If more than the classes is billed, the result
 * is only a lower bound.
 */
export function costOf(prices: Prices, usage: Usage): Cost {
  const price = usage.service === undefined ? pricesFor(prices, usage.totalInput) : servicePrices(prices, usage.service, usage.totalInput);
  if (price === null) return unknownPrice;
  let micros = classMicros(usage.input, price.input);
  micros += classMicros(usage.cachedRead, price.cachedRead);
  micros += classMicros(usage.cacheWrite5m, price.cacheWrite5m);
  micros += classMicros(usage.cacheWrite1h, price.cacheWrite1h);
  micros += classMicros(usage.audioInput, price.audioInput);
  micros += classMicros(usage.output, price.output);
  micros += classMicros(usage.reasoning, price.reasoning ?? price.output);
  micros += classMicros(usage.audioOutput, price.audioOutput);
  if (Number.isNaN(micros)) return unknownPrice;
  return usage.beyond === undefined
    ? { known: true, usd: dollars(micros) }
    : { known: false, reason: 'beyond', atLeastUsd: dollars(micros) };
}

/** Millionths of a dollar for the tokens of one class; NaN if it has tokens but no price. */
function classMicros(count: number, perMillion: number | null): number {
  return count === 0 ? 0 : perMillion === null ? NaN : count * perMillion;
}

/** The prices of a service tier; null if the source does not state them, or not for a prompt of this length. */
function servicePrices(prices: Prices, service: ServiceTier, totalInput: number): TokenPrices | null {
  if (prices.tiers.some(({ aboveTokens }) => totalInput > aboveTokens)) return null;
  if (service === 'batch') return { ...noPrices, input: prices.batchInput, output: prices.batchOutput };
  return prices.services?.find(({ tier }) => tier === service) ?? null;
}

const noPrices: TokenPrices = {
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
