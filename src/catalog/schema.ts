import { z } from 'zod';
import { serviceTiers } from '../apis/types.ts';
import { maxFactor, maxPerMillion } from './import.ts';
import { feeMeanings } from './types.ts';
import type { Prices } from './types.ts';

const price = z.number().min(0).max(maxPerMillion).nullable();

const tokenPrices = {
  input: price.describe('US dollars per million uncached input tokens'),
  output: price.describe('US dollars per million output tokens'),
  cachedRead: price.describe('US dollars per million cached input tokens'),
  cacheWrite5m: price.describe('US dollars per million tokens cached for five minutes'),
  cacheWrite1h: price.describe('US dollars per million tokens cached for an hour'),
  reasoning: price.describe('US dollars per million reasoning tokens; absent: as output'),
  audioInput: price.describe('US dollars per million audio input tokens'),
  audioOutput: price.describe('US dollars per million audio output tokens'),
};

const stated = z.number().min(0).max(maxPerMillion);

/** Token prices that few models have: absent if they are not stated. */
const rarePrices = {
  cachedAudio: stated.optional().describe('US dollars per million cached audio input tokens'),
  imageTokenInput: stated.optional().describe('US dollars per million image input tokens; absent: as other input'),
  imageTokenOutput: stated.optional().describe('US dollars per million image output tokens'),
};

const fees = z
  .strictObject(Object.fromEntries(Object.entries(feeMeanings).map(([name, meaning]) => [name, stated.optional().describe(meaning)])))
  .describe('What is billed per call or unit');

const uplifts = z
  .record(z.string().min(1), z.number().min(1).max(maxFactor))
  .describe('Factors of all token prices: fast (a faster mode), us, eu, vertex (processing in a region)');

const tier = z.strictObject({ aboveTokens: z.int().positive(), ...tokenPrices, ...rarePrices });

const capability = z.boolean().nullable();

const capabilities = {
  vision: capability,
  tools: capability,
  jsonObject: capability,
  jsonSchema: capability,
  audioInput: capability,
  audioOutput: capability,
  files: capability,
  reasoning: capability,
};

const mode = z.enum(['chat', 'completion', 'responses', 'embedding', 'other']);
const count = z.int().positive().nullable();

const modelSchema = z.strictObject({
  provider: z.string().min(1),
  model: z.string().min(1),
  mode,
  prices: z.strictObject({
    ...tokenPrices,
    ...rarePrices,
    batchInput: price,
    batchOutput: price,
    imageInput: price,
    imageOutput: price,
    services: z
      .array(z.strictObject({ tier: z.enum(serviceTiers), ...tokenPrices, ...rarePrices, tiers: z.array(tier).optional() }))
      .optional(),
    fees: fees.optional(),
    uplifts: uplifts.optional(),
    tiers: z.array(tier),
  }),
  contextWindow: count,
  maxOutput: count,
  capabilities: z.strictObject(capabilities),
  retired: z.iso.date().optional().describe('first list that did not have the model any more; its prices stay'),
});

/** A price that waits for a person's approval: a price of `model` changed more than 10×. */
const held = z.strictObject({ provider: z.string(), model: z.string(), field: z.string(), from: price, to: price });

/** The catalog file. */
export const catalogSchema = z.strictObject({
  source: z.string(),
  version: z.string().min(1),
  date: z.iso.date(),
  models: z.array(modelSchema),
  held: z.array(held).optional(),
});

export type CatalogFile = z.infer<typeof catalogSchema>;

/** `catalog.overrides` of a policy: provider → model → the facts that differ. A model that the catalog lacks is added. */
export const catalogOverridesSchema = z
  .record(
    z.string(),
    z.record(
      z.string(),
      z.strictObject({
        ...Object.fromEntries(Object.entries(tokenPrices).map(([name, schema]) => [name, schema.optional()])),
        ...rarePrices,
        fees: fees.optional(),
        uplifts: uplifts.optional(),
        mode: mode.optional().describe('What the model serves; chat when it is new'),
        contextWindow: count.optional().describe('Tokens that prompt and answer may take together'),
        maxOutput: count.optional().describe('Longest answer in tokens'),
        capabilities: z
          .strictObject(capabilities)
          .partial()
          .optional()
          .describe('What the model can do; only what is true here qualifies it'),
      }),
    ),
  )
  .describe('Prices and facts that replace the catalog’s, by provider and model');

/** The same as a type: zod cannot infer the generated optional prices. */
export type CatalogOverrides = Readonly<
  Record<
    string,
    Readonly<
      Record<
        string,
        { readonly [K in keyof typeof tokenPrices]?: number | null | undefined } & {
          readonly [K in keyof typeof rarePrices]?: number | undefined;
        } & {
          readonly fees?: Prices['fees'];
          readonly uplifts?: Prices['uplifts'];
          readonly mode?: z.infer<typeof mode> | undefined;
          readonly contextWindow?: number | null | undefined;
          readonly maxOutput?: number | null | undefined;
          readonly capabilities?: { readonly [K in keyof typeof capabilities]?: boolean | null | undefined } | undefined;
        }
      >
    >
  >
>;
