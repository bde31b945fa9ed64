import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Usage } from '../apis/types.ts';
import { costOf, estimateOf, pricesFor } from './cost.ts';
import type { Prices } from './types.ts';

const convention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' } as const;
const classes = ['input', 'cachedRead', 'cacheWrite5m', 'cacheWrite1h', 'audioInput', 'output', 'reasoning', 'audioOutput'] as const;
type Counts = Partial<Record<(typeof classes)[number], number>>;

function usage(counts: Counts): Usage {
  const {
    input = 0,
    cachedRead = 0,
    cacheWrite5m = 0,
    cacheWrite1h = 0,
    audioInput = 0,
    output = 0,
    reasoning = 0,
    audioOutput = 0,
  } = counts;
  return {
    convention,
    input,
    cachedRead,
    cacheWrite5m,
    cacheWrite1h,
    audioInput,
    output,
    reasoning,
    audioOutput,
    totalInput: input + cachedRead + cacheWrite5m + cacheWrite1h + audioInput,
    totalOutput: output + reasoning + audioOutput,
    raw: '',
  };
}

const none = {
  input: null,
  output: null,
  cachedRead: null,
  cacheWrite5m: null,
  cacheWrite1h: null,
  reasoning: null,
  audioInput: null,
  audioOutput: null,
};

function prices(some: Partial<Prices>): Prices {
  return { ...none, batchInput: null, batchOutput: null, imageInput: null, imageOutput: null, tiers: [], ...some };
}

const all = prices({
  input: 3,
  output: 15,
  cachedRead: 0.3,
  cacheWrite5m: 3.75,
  cacheWrite1h: 6,
  reasoning: 12,
  audioInput: 40,
  audioOutput: 80,
});

describe('cost', () => {
  it('is the plain sum over the classes, in dollars', () => {
    const counted = usage({
      input: 1_000_000,
      cachedRead: 1_000_000,
      cacheWrite5m: 1_000_000,
      cacheWrite1h: 1_000_000,
      audioInput: 1_000_000,
      output: 1_000_000,
      reasoning: 1_000_000,
      audioOutput: 1_000_000,
    });
    expect(costOf(all, counted)).toEqual({ known: true, usd: 160.05 });
  });

  it('has no binary dust: 3 tokens at $0.15 and 7 at $0.6 a million are 0.00000465', () => {
    expect(costOf(prices({ input: 0.15, output: 0.6 }), usage({ input: 3, output: 7 }))).toEqual({ known: true, usd: 0.00000465 });
  });

  it('is zero for no tokens, and for stated prices of zero', () => {
    expect(costOf(prices({}), usage({}))).toEqual({ known: true, usd: 0 });
    expect(costOf(prices({ input: 0, output: 0 }), usage({ input: 10, output: 10 }))).toEqual({ known: true, usd: 0 });
  });

  it.each(classes.filter((name) => name !== 'reasoning'))(
    'is unknown when %s has tokens and no price, and known without the tokens',
    (name) => {
      const lacking = { ...all, [name]: null };
      expect(costOf(lacking, usage({ [name]: 1 }))).toEqual({ known: false, reason: 'price' });
      expect(costOf(lacking, usage({ [name === 'input' ? 'cachedRead' : 'input']: 1 })).known).toBe(true);
    },
  );

  it('bills reasoning as output when it has no price of its own, and is unknown when output has none either', () => {
    expect(costOf(all, usage({ reasoning: 1_000_000 }))).toEqual({ known: true, usd: 12 });
    expect(costOf({ ...all, reasoning: null }, usage({ reasoning: 1_000_000 }))).toEqual({ known: true, usd: 15 });
    expect(costOf({ ...all, reasoning: null, output: null }, usage({ reasoning: 1 })).known).toBe(false);
  });

  it('agrees with whole-number arithmetic on millionths of a millionth of a dollar', () => {
    const count = fc.integer({ min: 0, max: 2_000_000 });
    const price = fc.integer({ min: 0, max: 200_000_000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(count, price), { minLength: 2, maxLength: 2 }), (parts) => {
        const [[input, inputPrice], [output, outputPrice]] = parts as [[number, number], [number, number]];
        const cost = costOf(prices({ input: inputPrice / 1e6, output: outputPrice / 1e6 }), usage({ input, output }));
        const exact = BigInt(input) * BigInt(inputPrice) + BigInt(output) * BigInt(outputPrice);
        expect(cost).toEqual({ known: true, usd: Number(exact) / 1e12 });
      }),
    );
  });

  const counts = fc.record(Object.fromEntries(classes.map((name) => [name, fc.integer({ min: 0, max: 10_000_000 })]))) as fc.Arbitrary<
    Required<Counts>
  >;
  const usd = (counted: Counts, at = all): number => {
    const cost = costOf(at, usage(counted));
    if (!cost.known) throw new Error(cost.reason);
    return cost.usd;
  };

  it('is additive without tiers: two calls cost what one call with both their tokens costs', () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const both = Object.fromEntries(classes.map((name) => [name, a[name] + b[name]]));
        expect(Math.abs(usd(both) - usd(a) - usd(b))).toBeLessThan(1e-11 * Math.max(1, usd(both)));
      }),
    );
  });

  it('never falls when a token is added, across a tier’s limit too', () => {
    const tiered = { ...all, tiers: [{ ...none, aboveTokens: 200_000, input: 6, output: 22.5 }] };
    fc.assert(
      fc.property(counts, fc.constantFrom(...classes), (counted, name) => {
        expect(usd({ ...counted, [name]: counted[name] + 1 }, tiered)).toBeGreaterThanOrEqual(usd(counted, tiered));
      }),
    );
  });
});

describe('long-context tiers', () => {
  const tiered = prices({
    input: 1,
    output: 10,
    cachedRead: 0.1,
    reasoning: 9,
    tiers: [
      { ...none, aboveTokens: 128_000, input: 2 },
      { ...none, aboveTokens: 200_000, input: 4, output: 20, cachedRead: 0.4 },
    ],
  });

  it.each([
    [0, 1, 10],
    [128_000, 1, 10],
    [128_001, 2, 10],
    [200_000, 2, 10],
    [200_001, 4, 20],
  ])('at %d input tokens, input is $%d and output $%d', (totalInput, input, output) => {
    expect(pricesFor(tiered, totalInput)).toMatchObject({ input, output });
  });

  it('counts all input classes towards the limit, and then prices the whole request', () => {
    expect(costOf(tiered, usage({ input: 1_000, cachedRead: 199_001, output: 100 }))).toEqual({ known: true, usd: 0.0856004 });
  });

  it('keeps what a tier does not state, except reasoning where the tier has an output price', () => {
    expect(pricesFor(tiered, 130_000)).toMatchObject({ cachedRead: 0.1, reasoning: 9 });
    expect(pricesFor(tiered, 300_000).reasoning).toBeNull();
  });
});

describe('estimate', () => {
  it('prices the prompt as uncached and the expected output', () => {
    expect(estimateOf(all, 1_000, 500)).toEqual({ known: true, usd: 0.0105 });
  });

  it('uses the tier of the prompt’s size', () => {
    const tiered = { ...all, tiers: [{ ...none, aboveTokens: 1_000, input: 6, output: 20 }] };
    expect(estimateOf(tiered, 1_001, 100)).toEqual({ known: true, usd: 0.008006 });
  });

  it('is unknown without an input price, and without an output price when output is expected', () => {
    expect(estimateOf({ ...all, input: null }, 1, 0).known).toBe(false);
    expect(estimateOf({ ...all, output: null }, 1, 1).known).toBe(false);
    expect(estimateOf({ ...all, output: null }, 1_000_000, 0)).toEqual({ known: true, usd: 3 });
  });
});
