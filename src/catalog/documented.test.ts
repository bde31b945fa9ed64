import { expect, it } from 'vitest';
import { catalogOf, loadCatalog, withOverrides } from './index.ts';
import type { CatalogFile } from './schema.ts';

const catalog = await loadCatalog();

it.each([
  ['cohere', 'command-a-03-2025', true],
  ['cohere', 'command-r-plus-08-2024', true],
  ['deepseek', 'deepseek-chat', false],
])('%s/%s keeps to a JSON schema as its provider documents it: %s', (provider, model, jsonSchema) =>
  expect(catalog.lookup(provider, model)?.capabilities).toMatchObject({ jsonObject: true, jsonSchema }),
);

it('is what any list gets, and a policy’s statement counts more', () => {
  const listed = catalog.lookup('deepseek', 'deepseek-chat')!;
  const models = [{ ...listed, capabilities: { ...listed.capabilities, jsonSchema: true } } as CatalogFile['models'][number]];
  const other = catalogOf({ source: 's', version: 'v', date: '2026-01-01', models });
  expect(other.lookup('deepseek', 'deepseek-chat')?.capabilities.jsonSchema).toBe(false);
  const stated = withOverrides(other, { deepseek: { 'deepseek-chat': { capabilities: { jsonSchema: true } } } });
  expect(stated.lookup('deepseek', 'deepseek-chat')?.capabilities.jsonSchema).toBe(true);
});
