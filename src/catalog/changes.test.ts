import { describe, expect, it } from 'vitest';
import { importList, mergeModels, type ImportOptions } from './changes.ts';
import { importLiteLLM } from './import.ts';
import { formatCatalog, parseCatalog } from './index.ts';
import type { CatalogFile } from './schema.ts';
import { smallList } from './testing/list.ts';

const options: ImportOptions = { date: '2026-02-03', source: 'a list', accepts: () => false, acceptLoss: false };
const empty: CatalogFile = { source: 's', version: 'v0', date: '2026-01-01', models: [] };
const base = importList(empty, smallList(), options).file;

/** The small list with other values in one row. */
function listWith(id: string, row: Record<string, unknown>): Record<string, unknown> {
  const list = smallList();
  return { ...list, [id]: { ...list[id], ...row } };
}

const pricesOf = (file: CatalogFile, model: string) => file.models.find((entry) => entry.model === model)!.prices;

describe('importing on top of a catalog', () => {
  it('reports what came, went and changed', () => {
    const list: Record<string, unknown> = listWith('gpt-x', { input_cost_per_token: 2e-6, output_cost_per_token_batches: undefined });
    delete list['text-embedding-w'];
    list['mistral/new'] = { litellm_provider: 'mistral', mode: 'chat', input_cost_per_token: 1e-6 };
    const { file, report } = importList(base, list, options);
    expect(report).toMatchObject({ models: 5, added: ['mistral/new'], removed: ['openai/text-embedding-w'], held: [] });
    expect(report.changed).toEqual([
      { provider: 'openai', model: 'gpt-x', field: 'input', from: 1.25, to: 2 },
      { provider: 'openai', model: 'gpt-x', field: 'batchOutput', from: 5, to: null },
    ]);
    expect(pricesOf(file, 'gpt-x').input).toBe(2);
    expect(file).not.toHaveProperty('held');
  });

  it('keeps what the list has no more, with its prices, as retired, and says so once', () => {
    const list: Record<string, unknown> = smallList();
    delete list['text-embedding-w'];
    const first = importList(base, list, { ...options, date: '2026-03-01' });
    const kept = first.file.models.find(({ model }) => model === 'text-embedding-w')!;
    expect(kept).toEqual({ ...base.models.find(({ model }) => model === 'text-embedding-w')!, retired: '2026-03-01' });
    expect(parseCatalog(formatCatalog(first.file), 'x').models).toEqual(first.file.models);
    const second = importList(first.file, list, { ...options, date: '2026-04-01' });
    expect(second.report.removed).toEqual([]);
    expect(second.file.models).toEqual(first.file.models);
    // It is back: as the list has it.
    const third = importList(second.file, smallList(), { ...options, date: '2026-05-01' });
    expect(third.report).toMatchObject({ added: [], removed: [] });
    expect(third.file.models).toEqual(base.models);
  });

  it('reports nothing for the same list', () => {
    const { file, report } = importList(base, smallList(), options);
    expect(report).toMatchObject({ added: [], removed: [], changed: [], held: [] });
    expect(file.models).toEqual(base.models);
    expect(file.version).toBe(base.version);
  });

  it.each([
    ['ten times', 1.25e-5, false],
    ['more than ten times', 1.2500001e-5, true],
    ['a tenth', 1.25e-7, false],
    ['less than a tenth', 1.2499e-7, true],
    ['zero', 0, true],
    ['unknown', undefined, false],
  ])('with a price at %s of the old one, holds it: %s → %s', (_, price, isHeld) => {
    const { file, report } = importList(base, listWith('gpt-x', { input_cost_per_token: price }), options);
    expect(report.held.length > 0).toBe(isHeld);
    expect(pricesOf(file, 'gpt-x').input === 1.25).toBe(isHeld);
  });

  it('holds a price that was zero, and takes one that was unknown', () => {
    expect(importList(base, listWith('text-embedding-w', { output_cost_per_token: 1e-9 }), options).report.held).toHaveLength(1);
    expect(importList(base, listWith('gpt-x', { cache_creation_input_token_cost: 1e-3 }), options).report).toMatchObject({
      held: [],
      changed: [{ field: 'cacheWrite5m' }],
    });
  });

  it('holds all prices of a model, and takes its other facts', () => {
    const { file, report } = importList(
      base,
      listWith('gpt-x', { input_cost_per_token: 1, output_cost_per_token: 1.1e-5, max_input_tokens: 500_000 }),
      options,
    );
    // One dollar a token is above every bound, so it reads as unknown; a held move needs a price.
    expect(report.held).toEqual([]);
    const jump = importList(
      base,
      listWith('gpt-x', { input_cost_per_token: 1e-3, output_cost_per_token: 1.1e-5, max_input_tokens: 500_000 }),
      options,
    );
    expect(jump.report.held.map(({ field, from, to }) => [field, from, to])).toEqual([
      ['input', 1.25, 1000],
      ['output', 10, 11],
    ]);
    expect(jump.file.held).toEqual(jump.report.held);
    expect(pricesOf(jump.file, 'gpt-x')).toEqual(pricesOf(base, 'gpt-x'));
    expect(jump.file.models.find(({ model }) => model === 'gpt-x')!.contextWindow).toBe(500_000);
    expect(pricesOf(file, 'gpt-x').input).toBeNull();
  });

  it.each([
    ['a long-context tier', { input_cost_per_token_above_200k_tokens: 6e-4 }, 'above200000.input'],
    ['a cache write', { cache_creation_input_token_cost_above_1hr: 6e-4 }, 'cacheWrite1h'],
  ])('watches %s too', (_, row, field) => {
    expect(importList(base, listWith('anthropic-y', row), options).report.held).toMatchObject([{ field }]);
  });

  it('keeps holding at the next import, until the model is accepted', () => {
    const list = listWith('gpt-x', { input_cost_per_token: 1e-4 });
    const first = importList(base, list, options).file;
    const second = importList(first, list, { ...options, date: '2026-02-04' });
    expect(second.report.held).toHaveLength(1);
    const other = importList(second.file, list, { ...options, accepts: (id) => id === 'openai/other' });
    expect(other.report.held).toHaveLength(1);
    const accepted = importList(second.file, list, { ...options, accepts: (id) => id === 'openai/gpt-x' });
    expect(accepted.report).toMatchObject({ held: [], changed: [{ field: 'input', from: 1.25, to: 100 }] });
    expect(accepted.file).not.toHaveProperty('held');
    expect(importList(accepted.file, list, options).report).toMatchObject({ held: [], changed: [] });
  });

  it('lets go of a held price when the list goes back', () => {
    const held = importList(base, listWith('gpt-x', { input_cost_per_token: 1e-4 }), options).file;
    expect(importList(held, smallList(), options)).toMatchObject({ file: { models: base.models }, report: { held: [], changed: [] } });
  });

  it('versions what the catalog holds, not what the list said', () => {
    const held = importList(base, listWith('gpt-x', { input_cost_per_token: 1e-4 }), options);
    const accepted = importList(base, listWith('gpt-x', { input_cost_per_token: 1e-4 }), { ...options, accepts: () => true });
    expect(held.file.version).toBe(base.version);
    expect(accepted.file.version).not.toBe(base.version);
  });

  it.each([[null], [{}], [[]], [{ error: 'not found' }]])('refuses %j: no model in it', (list) => {
    expect(() => importList(base, list, options)).toThrow(expect.objectContaining({ code: 'SLUICE_CATALOG_INVALID', where: 'a list' }));
  });

  it('refuses a list that lacks more than half of the models, unless that is accepted', () => {
    const short = { 'gpt-x': smallList()['gpt-x'] };
    expect(() => importList(base, short, options)).toThrow(/lacks 4 of the catalog’s 5 models/);
    expect(importList(base, short, { ...options, acceptLoss: true }).report.removed).toHaveLength(4);
  });
});

it('compares two lists of models without holding when everything is accepted', () => {
  const { entries } = importLiteLLM(listWith('gpt-x', { input_cost_per_token: 1e-4 }));
  expect(mergeModels(base.models, entries, () => true).changes).toMatchObject({ held: [], changed: [{ from: 1.25, to: 100 }] });
});
