import type { CatalogFile } from './schema.ts';
import type { ModelEntry, TokenPrices } from './types.ts';

const priceFields = ['input', 'output', 'cachedRead', 'cacheWrite5m', 'cacheWrite1h', 'reasoning', 'audioInput', 'audioOutput'] as const satisfies readonly (keyof TokenPrices)[];

export interface PriceChange {
  readonly provider: string;
  readonly model: string;
  readonly field: (typeof priceFields)[number];
  readonly from: number | null;
  readonly to: number | null;
}

export interface CatalogChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Taken over. */
  readonly changed: readonly PriceChange[];
  /** Moved more than 10× (or to or from zero): the old price stays until a person accepts the new one. */
  readonly held: readonly PriceChange[];
}

/** Price moves beyond this factor wait for a person. */
const holdFactor = 10;

function suspicious(from: number | null, to: number | null): boolean {
  if (from === null || to === null) return false;
  if (from === 0 || to === 0) return from !== to;
  return to / from > holdFactor || from / to > holdFactor;
}

/**
 * Takes new entries over into a catalog file. Prices that moved more than 10× are held unless `accepts` says yes to their
 * `provider/model`. Models that are gone from the list are gone from the result.
 */
export function mergeCatalog(
  old: CatalogFile,
  entries: readonly ModelEntry[],
  head: { readonly version: string; readonly date: string; readonly source: string },
  accepts: (id: string) => boolean,
): { readonly file: CatalogFile; readonly changes: CatalogChanges } {
  const before = new Map(old.models.map((model) => [idOf(model), model]));
  const added: string[] = [];
  const changed: PriceChange[] = [];
  const held: PriceChange[] = [];
  const models = entries.map((entry) => {
    const id = idOf(entry);
    const known = before.get(id);
    before.delete(id);
    if (known === undefined) {
      added.push(id);
      return entry;
    }
    const moves = movesOf(known, entry);
    // One suspicious price holds all prices of its model: half of a wrong row is wrong as well.
    if (moves.some(({ from, to }) => suspicious(from, to)) && !accepts(id)) {
      held.push(...moves);
      return { ...entry, prices: known.prices };
    }
    changed.push(...moves);
    return entry;
  });
  return {
    file: { ...head, ...(held.length > 0 ? { held: held.map((change) => ({ ...change })) } : {}), models: models as CatalogFile['models'] },
    changes: { added, removed: [...before.keys()], changed, held },
  };
}

function idOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`;
}

function movesOf(old: Pick<ModelEntry, 'prices'>, entry: ModelEntry): PriceChange[] {
  return priceFields.flatMap((field) => {
    const from = old.prices[field];
    const to = entry.prices[field];
    return from === to ? [] : [{ provider: entry.provider, model: entry.model, field, from, to }];
  });
}
