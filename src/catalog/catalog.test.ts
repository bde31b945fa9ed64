import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelCatalog } from './catalog.ts';
import { importLiteLLM } from './import.ts';
import {
  catalogOverridesSchema,
  embeddedCatalog,
  formatCatalog,
  loadCatalog,
  parseCatalog,
  readCatalogFile,
  withOverrides,
  writeCatalogFile,
} from './index.ts';
import { smallList } from './testing/list.ts';
import type { Catalog } from './types.ts';

const { entries } = importLiteLLM({
  ...smallList(),
  'ft:gpt-x': { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 3e-6 },
  'gpt-x-2026-01-02': { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 9e-6 },
});
const small = new ModelCatalog('v1', '2026-01-01', entries);

describe('lookup', () => {
  it.each([
    ['openai', 'gpt-x', 'gpt-x'],
    ['openai', 'gpt-x-2026-01-02', 'gpt-x-2026-01-02'],
    ['openai', 'gpt-x-2027-05-06', 'gpt-x'],
    ['openai', 'gpt-x-latest', 'gpt-x'],
    ['anthropic', 'anthropic-y-20270101', 'anthropic-y'],
    ['google', 'models/gemini-z', 'gemini-z'],
    ['openai', 'ft:gpt-x:my-org::abc123', 'ft:gpt-x'],
  ])('%s knows %s as %s', (provider, model, found) => {
    expect(small.lookup(provider, model)?.model).toBe(found);
  });

  it.each([
    ['openai', 'gpt-x-mini'],
    ['openai', 'gpt'],
    ['openai', 'GPT-X'],
    ['openai', 'gpt-x-2027-13-40'],
    ['openai', 'gpt-x-0613'],
    ['google', 'gemini-z-002'],
    ['openai', 'ft:other:my-org::abc123'],
    ['openai', 'gemini-z'],
    ['nobody', 'gpt-x'],
    ['openai', '__proto__'],
    ['constructor', 'name'],
    ['openai', ''],
  ])('%s does not know %s', (provider, model) => {
    expect(small.lookup(provider, model)).toBeNull();
    expect(small.estimate(provider, model, 1, 1)).toEqual({ known: false, reason: 'model' });
  });

  it('expects no output of an embedding', () => {
    expect(small.estimate('openai', 'text-embedding-w', 1_000_000, 500)).toEqual({ known: true, usd: 0.02 });
  });
});

describe('overrides', () => {
  it('replace what they state and nothing else', () => {
    const changed = withOverrides(small, { openai: { 'gpt-x': { input: 1, contextWindow: 400_000, capabilities: { reasoning: true } } } });
    const before = small.lookup('openai', 'gpt-x')!;
    // Prices of service tiers follow from others: they are void.
    const { services, ...prices } = before.prices;
    expect(services).toHaveLength(1);
    expect(changed.lookup('openai', 'gpt-x')).toEqual({
      ...before,
      prices: { ...prices, input: 1 },
      contextWindow: 400_000,
      capabilities: { ...before.capabilities, reasoning: true },
    });
    expect(small.lookup('openai', 'gpt-x')!.prices.input).toBe(1.25);
    expect(changed.size).toBe(small.size);
  });

  it('can add a model and a provider, whose other facts are unknown', () => {
    const added = withOverrides(small, { house: { 'llama-9': { input: 0, output: 0, mode: 'chat' } } });
    expect(added.estimate('house', 'llama-9', 1_000, 1_000)).toEqual({ known: true, usd: 0 });
    expect(added.lookup('house', 'llama-9')).toMatchObject({ contextWindow: null, capabilities: { vision: null } });
    expect(added.providers()).toContain('house');
  });

  it('can make a price unknown', () => {
    expect(withOverrides(small, { openai: { 'gpt-x': { input: null } } }).estimate('openai', 'gpt-x', 1, 1)).toEqual({
      known: false,
      reason: 'price',
    });
  });

  it('hold at every context length, while other prices keep their tiers', () => {
    const changed = withOverrides(small, { anthropic: { 'anthropic-y': { output: 10 } } });
    expect(changed.estimate('anthropic', 'anthropic-y', 300_000, 1_000_000)).toEqual({ known: true, usd: 0.3 * 6 + 10 });
  });

  it('price reasoning as the output they state, unless they state its price too', () => {
    const output = withOverrides(small, { google: { 'gemini-z': { output: 1 } } }).lookup('google', 'gemini-z')!;
    expect(output.prices.reasoning).toBeNull();
    const both = withOverrides(small, { google: { 'gemini-z': { output: 1, reasoning: 2 } } }).lookup('google', 'gemini-z')!;
    expect(both.prices.reasoning).toBe(2);
  });

  it('change the version, the same overrides to the same one', () => {
    const overrides = { openai: { 'gpt-x': { input: 1 } } };
    expect(withOverrides(small, overrides).version).toMatch(/^v1\+[0-9a-f]{8}$/);
    expect(withOverrides(small, overrides).version).toBe(withOverrides(small, overrides).version);
    expect(withOverrides(small, {})).toBe(small);
  });

  it.each([
    [{ openai: { m: { input: -1 } } }],
    [{ openai: { m: { input: '1' } } }],
    [{ openai: { m: { inputs: 1 } } }],
    [{ openai: { m: { mode: 'image' } } }],
    [{ openai: { m: { contextWindow: 0 } } }],
    [{ openai: { m: { capabilities: { sight: true } } } }],
  ])('refuse %j', (overrides) => {
    expect(catalogOverridesSchema.safeParse(overrides).success).toBe(false);
  });
});

describe('the embedded catalog', () => {
  let catalog: Catalog;
  beforeAll(async () => {
    catalog = await loadCatalog();
  });

  it('names its source and the licence of its facts', async () => {
    expect((await readCatalogFile(embeddedCatalog)).source).toMatch(/LiteLLM \d.*MIT/);
    // Its form is not checked when it is read.
    expect(parseCatalog(readFileSync(embeddedCatalog, 'utf8'), 'embedded').models.length).toBeGreaterThan(1_000);
    expect(catalog.version.startsWith(catalog.date)).toBe(true);
  });

  it.each([
    ['openai', 60],
    ['anthropic', 10],
    ['google', 20],
    ['mistral', 20],
    ['deepseek', 5],
    ['meta', 4],
    ['amazon', 100],
    ['azure', 100],
  ])('knows models of %s', (provider, least) => {
    expect(catalog.models(provider).length).toBeGreaterThanOrEqual(least);
  });

  // Written down from the price list by eye, in dollars per million tokens.
  it.each([
    ['openai', 'gpt-4o', 2.5, 10],
    ['openai', 'gpt-4o-mini', 0.15, 0.6],
    ['openai', 'gpt-4.1', 2, 8],
    ['openai', 'gpt-5', 1.25, 10],
    ['openai', 'gpt-5-mini', 0.25, 2],
    ['anthropic', 'claude-sonnet-4-5', 3, 15],
    ['anthropic', 'claude-haiku-4-5', 1, 5],
    ['anthropic', 'claude-opus-4-5', 5, 25],
    ['google', 'gemini-2.5-pro', 1.25, 10],
    ['google', 'gemini-2.5-flash', 0.3, 2.5],
    ['amazon', 'amazon.nova-pro-v1:0', 0.8, 3.2],
  ])('has the list prices of %s %s', (provider, model, input, output) => {
    expect(catalog.lookup(provider, model)).toMatchObject({ prices: { input, output }, capabilities: { vision: true, tools: true } });
    expect(catalog.lookup(provider, model)!.contextWindow).toBeGreaterThanOrEqual(128_000);
  });

  it('prices Anthropic’s two cache lifetimes and Gemini’s long context', () => {
    expect(catalog.lookup('anthropic', 'claude-sonnet-4-5')!.prices).toMatchObject({
      cachedRead: 0.3,
      cacheWrite5m: 3.75,
      cacheWrite1h: 6,
    });
    expect(catalog.lookup('google', 'gemini-2.5-pro')!.prices.tiers).toMatchObject([
      { aboveTokens: 200_000, input: 2.5, output: 15, cachedRead: 0.25 },
    ]);
  });

  it('has no price with more than six decimals, so that sums are exact', () => {
    const models = catalog.providers().flatMap((provider) => catalog.models(provider));
    const prices = models.flatMap(({ prices: { tiers, services = [], ...rest } }) =>
      [rest, ...tiers, ...services, ...services.flatMap((service) => service.tiers ?? [])].flatMap((each) =>
        Object.values(each).filter((price) => typeof price === 'number'),
      ),
    );
    expect(prices.filter((price) => Number(price.toFixed(6)) !== price)).toEqual([]);
  });

  it('reads back as it was written', async () => {
    const file = await readCatalogFile(embeddedCatalog);
    expect(JSON.parse(formatCatalog(file))).toEqual(file);
  });
});

describe('catalog files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-catalog-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it('hold one model a line', async () => {
    const path = join(folder, 'one.json');
    await writeCatalogFile(path, { source: 's', version: 'v', date: '2026-01-01', models: [...entries] as never });
    const lines = formatCatalog(await readCatalogFile(path)).split('\n');
    expect(lines.filter((line) => line.includes('"provider"'))).toHaveLength(entries.length);
    expect((await loadCatalog(path)).size).toBe(entries.length);
  });

  it.each([
    ['{', 'SLUICE_CATALOG_UNREADABLE'],
    ['[]', 'SLUICE_CATALOG_INVALID'],
    ['{"source":"s","version":"v","date":"yesterday","models":[]}', 'SLUICE_CATALOG_INVALID'],
    ['{"source":"s","version":"v","date":"2026-01-01","models":[{"provider":"p"}]}', 'SLUICE_CATALOG_INVALID'],
  ])('are refused when they hold %s', async (text, code) => {
    const path = join(folder, 'bad.json');
    await writeFile(path, text);
    await expect(loadCatalog(path)).rejects.toMatchObject({ code, where: path });
  });

  it('are refused when they are missing, or cannot be written', async () => {
    const path = join(folder, 'nowhere', 'c.json');
    await expect(loadCatalog(path)).rejects.toMatchObject({ code: 'SLUICE_CATALOG_UNREADABLE' });
    await expect(writeCatalogFile(path, { source: 's', version: 'v', date: '2026-01-01', models: [] })).rejects.toMatchObject({
      code: 'SLUICE_FILE_UNWRITABLE',
    });
  });
});
