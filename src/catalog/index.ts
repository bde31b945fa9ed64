import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { SluiceError, unwritable } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { withDocumented } from './documented.ts';
import { ModelCatalog } from './catalog.ts';
import { catalogSchema, type CatalogFile } from './schema.ts';
import type { Catalog, ModelEntry } from './types.ts';
import { messageOf } from '../lib/message-of.ts';

export { catalogOverridesSchema, type CatalogOverrides } from './schema.ts';
export { withOverrides } from './overrides.ts';

/** The catalog included with Sluice. */
export const embeddedCatalog: URL = new URL('./data/catalog.json', import.meta.url);

/** Reads and checks a catalog file. Throws SluiceError with the first problem. */
export async function readCatalogFile(file: string | URL): Promise<CatalogFile> {
  let text: string;
  try {
    if ((await stat(file)).size > limits.priceListBytes) throw new Error(`it is larger than ${limits.priceListBytes} bytes`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file.toString(), error);
  }
  // The embedded catalog is checked when it is built and by tests; checking it here would take a third of the start.
  if (file === embeddedCatalog) return JSON.parse(text) as CatalogFile;
  return parseCatalog(text, file.toString());
}

/** Checks the text of a catalog file. `where` is for errors. Throws SluiceError with the first problem. */
export function parseCatalog(text: string, where: string): CatalogFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable(where, error);
  }
  const parsed = catalogSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new SluiceError('SLUICE_CATALOG_INVALID', `${issue.path.length === 0 ? 'the file' : issue.path.join('.')}: ${issue.message}.`, {
    where,
  });
}

function unreadable(where: string, error: unknown): SluiceError {
  return new SluiceError('SLUICE_CATALOG_UNREADABLE', `${messageOf(error)}.`, { where, cause: error });
}

/** The embedded catalog, or the one in `file`. Throws SluiceError. */
export async function loadCatalog(file?: string): Promise<Catalog> {
  return catalogOf(await readCatalogFile(file ?? embeddedCatalog));
}

/**
 * Makes a catalog from a file's models. If the version does not end with the hash of the models, the hash is added: a file may be edited
 * without changing its version.
 */
export function catalogOf({ version, date, models }: CatalogFile): Catalog {
  const hash = hashOf(models);
  return new ModelCatalog(version.endsWith(hash) ? version : `${version}+${hash}`, date, models.map(withDocumented));
}

/** A hash that distinguishes two lists of models. */
function hashOf(models: readonly ModelEntry[]): string {
  return createHash('sha256').update(JSON.stringify(models)).digest('hex').slice(0, 8);
}

/** The text of a catalog file: one model per line, so that price changes are readable in a diff. */
export function formatCatalog(file: CatalogFile): string {
  const { models, ...head } = file;
  const lines = models.map((model) => `    ${JSON.stringify(model)}`);
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "models": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/** Writes a catalog file atomically: readers see the old one or the new one. Throws SLUICE_FILE_UNWRITABLE. */
export async function writeCatalogFile(path: string, file: CatalogFile): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeFile(temporary, formatCatalog(file));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw unwritable(path, error);
  }
}
