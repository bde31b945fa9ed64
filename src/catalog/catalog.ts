import { searchesByItself } from '../apis/common/models.ts';
import type { Usage } from '../apis/types.ts';
import { costOf, estimateOf } from './cost.ts';
import type { Catalog, Cost, ModelEntry } from './types.ts';

const unknownModel: Cost = { known: false, reason: 'model' };

/**
 * A full date, as in `gpt-5-2025-08-07` and `claude-opus-4-5-20251101`, or `-latest`. Shorter numbers (`-002`, `-2603`) are separate
 * versions with their own prices, so they are never removed.
 */
const aliasSuffix = /-(?:20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|latest)$/;

/** A fine-tuned OpenAI model, `ft:BASE:organisation:name:id`; all with the same base cost the same and are listed as `ft:BASE`. */
const fineTuned = /^(ft:[^:]+):/;

/** A catalog over a fixed list of entries. */
export class ModelCatalog implements Catalog {
  readonly version: string;
  readonly date: string;
  readonly size: number;
  readonly #byProvider = new Map<string, Map<string, ModelEntry>>();

  constructor(version: string, date: string, entries: Iterable<ModelEntry>) {
    this.version = version;
    this.date = date;
    let size = 0;
    for (const entry of entries) {
      let models = this.#byProvider.get(entry.provider);
      if (models === undefined) this.#byProvider.set(entry.provider, (models = new Map<string, ModelEntry>()));
      if (!models.has(entry.model)) size++;
      models.set(entry.model, entry);
    }
    this.size = size;
  }

  lookup(provider: string, model: string): ModelEntry | null {
    const models = this.#byProvider.get(provider);
    if (models === undefined) return null;
    const exact = models.get(model);
    if (exact !== undefined) return exact;
    const tuned = fineTuned.exec(model);
    if (tuned !== null) return models.get(tuned[1]!) ?? null;
    const plain = model.startsWith('models/') ? model.slice('models/'.length) : model;
    return models.get(plain) ?? models.get(plain.replace(aliasSuffix, '')) ?? null;
  }

  models(provider: string): readonly ModelEntry[] {
    return [...(this.#byProvider.get(provider)?.values() ?? [])];
  }

  providers(): readonly string[] {
    return [...this.#byProvider.keys()];
  }

  cost(provider: string, model: string, usage: Usage, region: string | null = null): Cost {
    const entry = this.lookup(provider, model);
    if (entry === null) return unknownModel;
    let billed = usage;
    if (searchesByItself(model)) billed = { ...billed, beyond: [...(billed.beyond ?? []), 'web search'] };
    // A model that costs more in some regions has an unknown price in those that are not listed; the others cost the same everywhere.
    if (region !== null && entry.prices.uplifts !== undefined) billed = { ...billed, uplifts: [...(billed.uplifts ?? []), region] };
    return costOf(entry.prices, billed, provider);
  }

  estimate(provider: string, model: string, promptTokens: number, outputTokens: number, cachedTokens = 0): Cost {
    const entry = this.lookup(provider, model);
    return entry === null
      ? unknownModel
      : estimateOf(entry.prices, promptTokens, entry.mode === 'embedding' ? 0 : outputTokens, cachedTokens);
  }
}
