import { readFile } from 'node:fs/promises';
import { SluiceError } from '../errors.ts';
import { ModelCatalog } from './catalog.ts';
import { catalogSchema, type CatalogFile } from './schema.ts';
import type { Catalog } from './types.ts';

export { catalogOverridesSchema, type CatalogOverrides } from './schema.ts';
export { withOverrides } from './overrides.ts';

const embedded = new URL('./data/catalog.json', import.meta.url);

/** Reads and checks a catalog file. Throws SluiceError with the first thing that is wrong. */
export async function readCatalogFile(file: string | URL): Promise<CatalogFile> {
  const where = file.toString();
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new SluiceError('SLUICE_CATALOG_UNREADABLE', error instanceof Error ? error.message : String(error), { where, cause: error });
  }
  const parsed = catalogSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new SluiceError('SLUICE_CATALOG_INVALID', `${issue.path.join('.')}: ${issue.message}.`, { where });
}

/** The embedded catalog, or the one in `file`. Throws SluiceError. */
export async function loadCatalog(file?: string): Promise<Catalog> {
  const { version, date, models } = await readCatalogFile(file ?? embedded);
  return new ModelCatalog(version, date, models);
}

/** The text of a catalog file: one model a line, so that a change of prices reads well in a diff. */
export function formatCatalog(file: CatalogFile): string {
  const { models, ...head } = file;
  const lines = models.map((model) => `    ${JSON.stringify(model)}`);
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "models": [\n${lines.join(',\n')}\n  ]\n}\n`;
}
