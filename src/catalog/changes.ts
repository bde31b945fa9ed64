import { createHash } from 'node:crypto';
import { SluiceError } from '../lib/errors.ts';
import { importLiteLLM, type ImportProblem } from './import.ts';
import type { CatalogFile } from './schema.ts';
import type { LongContextPrices, ModelEntry, Prices } from './types.ts';

export interface PriceChange {
  readonly provider: string;
  readonly model: string;
  /** `input`, `cachedRead`, `batchInput` …; in a long-context tier `above200000.input` …. */
  readonly field: string;
  /** US dollars per million tokens (images: each); null = unknown. */
  readonly from: number | null;
  readonly to: number | null;
}

export interface CatalogChanges {
  /** `provider/model`. */
  readonly added: readonly string[];
  /** No longer in the list: retired, with their prices kept. */
  readonly removed: readonly string[];
  /** Changes that were applied. */
  readonly changed: readonly PriceChange[];
  /** Models with a price that changed more than 10× (or to or from zero): all their old prices stay until a person accepts. */
  readonly held: readonly PriceChange[];
}

/** Price changes above this factor wait for a person's approval. */
const holdFactor = 10;

/** A list that lacks more than this share of the catalog's models is treated as broken. */
const lostShare = 0.5;

function suspicious({ from, to }: PriceChange): boolean {
  if (from === null || to === null || from === to) return false;
  if (from === 0 || to === 0) return true;
  return to / from > holdFactor || from / to > holdFactor;
}

/** Every stated price of a model by its name in a PriceChange. */
function pricesByField({ tiers, services, fees, uplifts, ...plain }: Prices): Map<string, number | null> {
  const all = new Map<string, number | null>();
  const add = (prefix: string, prices: object): void => {
    for (const [field, price] of Object.entries(prices)) all.set(`${prefix}.${field}`, price as number | null);
  };
  const addLong = (prefix: string, long: readonly LongContextPrices[]): void => {
    for (const { aboveTokens, ...tier } of long) add(`${prefix}above${aboveTokens}`, tier);
  };
  for (const { tier, tiers: long = [], ...service } of services ?? []) {
    const { input, output, ...others } = service;
    // `batchInput` and `batchOutput` are the same prices.
    add(tier, tier === 'batch' ? others : { input, output, ...others });
    addLong(`${tier}.`, long);
  }
  for (const [field, price] of Object.entries(plain)) all.set(field, price ?? null);
  addLong('', tiers);
  add('fees', fees ?? {});
  add('uplifts', uplifts ?? {});
  return all;
}

/** The differences between two versions of a model's prices. */
function movesOf(old: ModelEntry, entry: ModelEntry): PriceChange[] {
  const before = pricesByField(old.prices);
  const after = pricesByField(entry.prices);
  const moves: PriceChange[] = [];
  for (const field of new Set([...before.keys(), ...after.keys()])) {
    const from = before.get(field) ?? null;
    const to = after.get(field) ?? null;
    if (from !== to) moves.push({ provider: entry.provider, model: entry.model, field, from, to });
  }
  return moves;
}

function idOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`;
}

/**
 * Merges new entries. A model with a price that changed more than 10× keeps all its old prices (the rest of a wrong row may be wrong too)
 * unless `accepts` returns true for its `provider/model`. A price that was or becomes unknown is not such a change. Models that are missing
 * from the list are missing from the result; `importList` keeps them as retired.
 */
export function mergeModels(
  old: readonly ModelEntry[],
  entries: readonly ModelEntry[],
  accepts: (id: string) => boolean,
): { readonly models: readonly ModelEntry[]; readonly changes: CatalogChanges } {
  const before = new Map(old.map((model) => [idOf(model), model]));
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
    if (moves.some(suspicious) && !accepts(id)) {
      held.push(...moves);
      return { ...entry, prices: known.prices };
    }
    changed.push(...moves);
    return entry;
  });
  return { models, changes: { added, removed: [...before.keys()], changed, held } };
}

/** Applies the prices of `entries` to the known models; other models keep theirs. */
function onTopOf(models: readonly ModelEntry[], entries: readonly ModelEntry[]): ModelEntry[] {
  const all = new Map(models.map((model) => [idOf(model), model]));
  for (const entry of entries) {
    const known = all.get(idOf(entry));
    const stated = Object.fromEntries(Object.entries(entry.prices).filter(([, price]) => typeof price === 'number'));
    all.set(
      idOf(entry),
      known === undefined
        ? entry
        : {
            ...known,
            prices: { ...known.prices, ...stated },
            contextWindow: entry.contextWindow ?? known.contextWindow,
            maxOutput: entry.maxOutput ?? known.maxOutput,
          },
    );
  }
  return sorted([...all.values()]);
}

/** The listed models, plus those no longer listed, with their old prices. A model that returns is as the list has it. */
function withRetired(old: readonly ModelEntry[], listed: readonly ModelEntry[], date: string): readonly ModelEntry[] {
  const present = new Set(listed.map(idOf));
  const retired = old.filter((model) => !present.has(idOf(model))).map((model) => ({ ...model, retired: model.retired ?? date }));
  return retired.length === 0 ? listed : sorted([...listed, ...retired]);
}

function sorted(models: readonly ModelEntry[]): ModelEntry[] {
  return [...models].sort((a, b) =>
    a.provider < b.provider ? -1 : a.provider > b.provider ? 1 : a.model < b.model ? -1 : a.model > b.model ? 1 : 0,
  );
}

export interface ImportOptions {
  /** ISO date of the facts. */
  readonly date: string;
  /** Where the list is from. */
  readonly source: string;
  /** Returns true for a `provider/model` whose held prices a person has confirmed. */
  readonly accepts: (id: string) => boolean;
  /** Accept a list that lacks more than half of the models. */
  readonly acceptLoss: boolean;
}

export interface ImportReport extends CatalogChanges {
  readonly models: number;
  readonly skipped: number;
  readonly problems: readonly ImportProblem[];
}

/**
 * Imports a price list into a catalog file, on top of the existing one. The version is the date and a hash of the models. Throws
 * SLUICE_CATALOG_INVALID for a list without a known model, or one that lacks more than half of the models.
 */
export function importList(
  base: CatalogFile,
  json: unknown,
  options: ImportOptions,
): { readonly file: CatalogFile; readonly report: ImportReport } {
  const { entries, skipped, problems, pricesOnly } = importLiteLLM(json);
  const fix = 'Check that it is LiteLLM’s price list, whole.';
  if (entries.length === 0)
    throw new SluiceError('SLUICE_CATALOG_INVALID', 'The list holds no model that Sluice knows.', { where: options.source, fix });
  const merged = mergeModels(base.models, pricesOnly ? onTopOf(base.models, entries) : entries, options.accepts);
  const models = withRetired(base.models, merged.models, options.date);
  // Models that were already retired are not reported.
  const before = new Set(base.models.filter(({ retired }) => retired !== undefined).map(idOf));
  const changes = { ...merged.changes, removed: merged.changes.removed.filter((id) => !before.has(id)) };
  if (changes.removed.length > base.models.length * lostShare && !options.acceptLoss) {
    const message = `The list lacks ${changes.removed.length} of the catalog’s ${base.models.length} models.`;
    throw new SluiceError('SLUICE_CATALOG_INVALID', message, { where: options.source, fix: `${fix} \`--accept-all\` takes it over.` });
  }
  const hash = createHash('sha256').update(JSON.stringify(models)).digest('hex').slice(0, 8);
  const file: CatalogFile = {
    source: options.source,
    version: `${options.date}-${hash}`,
    date: options.date,
    ...(changes.held.length > 0 ? { held: [...changes.held] } : {}),
    models: models as CatalogFile['models'],
  };
  return { file, report: { models: merged.models.length, skipped, problems, ...changes } };
}
