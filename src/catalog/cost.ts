import type { ServiceTier, Usage } from '../apis/types.ts';
import type { Cost, Prices, TokenPrices } from './types.ts';

const unknownPrice: Cost = { known: false, reason: 'price' };

/** The prices that hold for a request of this many input tokens: above a long-context limit all its tokens cost more. */
export function pricesFor(prices: Prices, totalInput: number): TokenPrices {
  let found: TokenPrices = prices;
  for (const tier of prices.tiers) {
    if (totalInput <= tier.aboveTokens) break;
    // What a tier does not state stays at the base price.
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
 * US dollars for a usage: a plain sum over its disjoint classes. A class without tokens needs no price; a class with
 * tokens and without a price makes the whole cost unknown. Reasoning without a price of its own is billed as output. What is billed beyond the
 * classes makes it known at least.
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

/** Millionths of a dollar for the tokens of one class; NaN: it has some, and no price. */
function classMicros(count: number, perMillion: number | null): number {
  return count === 0 ? 0 : perMillion === null ? NaN : count * perMillion;
}

/** The prices of a service tier; null: the source does not state them, or not for a prompt of this length. */
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

/** US dollars for tokens that are expected; `cachedTokens` of the prompt's at the price of a cache read, where that is known. */
export function estimateOf(prices: Prices, promptTokens: number, outputTokens: number, cachedTokens = 0): Cost {
  const price = pricesFor(prices, promptTokens);
  if (price.input === null || (price.output === null && outputTokens > 0)) return unknownPrice;
  const cached = Math.min(cachedTokens, promptTokens);
  return {
    known: true,
    usd: dollars((promptTokens - cached) * price.input + cached * (price.cachedRead ?? price.input) + outputTokens * (price.output ?? 0)),
  };
}

/** Millionths of a dollar → dollars, rounded at 1e-12 so that sums of decimal prices stay decimal. */
function dollars(micros: number): number {
  return Math.round(micros * 1e6) / 1e12;
}
