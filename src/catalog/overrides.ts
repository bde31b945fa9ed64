import { createHash } from 'node:crypto';
import { ModelCatalog } from './catalog.ts';
import { noTokenPrices } from './cost.ts';
import type { CatalogOverrides } from './schema.ts';
import type { Capabilities, Catalog, ModelEntry, Prices } from './types.ts';

const noPrices: Prices = { ...noTokenPrices, batchInput: null, batchOutput: null, imageInput: null, imageOutput: null, tiers: [] };

const noCapabilities: Capabilities = {
  vision: null,
  tools: null,
  jsonObject: null,
  jsonSchema: null,
  audioInput: null,
  audioOutput: null,
  files: null,
  reasoning: null,
};

/**
 * Applies a policy's overrides to the catalog. An overridden token price applies at every context length, since the policy states one
 * price; other prices keep their long-context tiers. A stated output price also applies to reasoning, unless the policy states that too.
 * The version shows that the catalog was changed.
 */
export function withOverrides(base: Catalog, overrides: CatalogOverrides): Catalog {
  const changed: ModelEntry[] = [];
  for (const [provider, models] of Object.entries(overrides)) {
    const listed = base.models(provider);
    for (const [model, facts] of Object.entries(models)) {
      const entry = listed.find((candidate) => candidate.model === model);
      const { mode, contextWindow, maxOutput, capabilities, ...prices } = facts;
      const stated = { ...(prices.output === undefined ? {} : { reasoning: null }), ...defined(prices) };
      // A service tier's price is void once the policy states another one.
      const { services, ...before } = entry?.prices ?? noPrices;
      const { fees, uplifts, ...tokens } = stated as Partial<Prices>;
      const kept = services === undefined || Object.keys(tokens).length > 0 ? {} : { services };
      changed.push({
        provider,
        model,
        mode: mode ?? entry?.mode ?? 'chat',
        prices: {
          ...before,
          ...kept,
          ...tokens,
          ...both('fees', before.fees, fees),
          ...both('uplifts', before.uplifts, uplifts),
          tiers: before.tiers.map((tier) => ({ ...tier, ...tokens })),
        },
        contextWindow: contextWindow === undefined ? (entry?.contextWindow ?? null) : contextWindow,
        maxOutput: maxOutput === undefined ? (entry?.maxOutput ?? null) : maxOutput,
        capabilities: { ...(entry?.capabilities ?? noCapabilities), ...defined(capabilities ?? {}) },
      });
    }
  }
  if (changed.length === 0) return base;
  const hash = createHash('sha256').update(JSON.stringify(overrides)).digest('hex').slice(0, 8);
  const entries = base.providers().flatMap((provider) => base.models(provider));
  return new ModelCatalog(`${base.version}+${hash}`, base.date, [...entries, ...changed]);
}

function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Stated fees or factors on top of the listed ones; nothing if there are none. */
function both<T extends object>(name: string, listed: T | undefined, own: T | undefined): object {
  return listed === undefined && own === undefined ? {} : { [name]: { ...listed, ...own } };
}
