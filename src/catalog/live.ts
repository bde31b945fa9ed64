import { SluiceError } from '../lib/errors.ts';
import type { ImportReport } from './changes.ts';
import { catalogOf, loadCatalog } from './index.ts';
import type { Catalog } from './types.ts';
import { CatalogUpdater, readBase } from './update.ts';
import { watchCatalogFile } from './watch.ts';

export interface LiveOptions {
  /** The catalog file to use and follow; null: the embedded catalog, which never changes. */
  readonly file: string | null;
  /** LiteLLM's price list to import into `file` on a schedule; null: none. */
  readonly source: string | null;
  /** Time between two imports, in ms. */
  readonly intervalMs: number;
  /** New facts, by an import or an edit of `file`. */
  readonly onChange: (catalog: Catalog) => void;
  /** An import that changed or held something. */
  readonly onReport: (report: ImportReport) => void;
  /** A failed import or a bad edit; the last good catalog stays. */
  readonly onError: (error: SluiceError) => void;
}

/** Loads the catalog that a server runs on and keeps it fresh. Throws SluiceError when the first one is bad. */
export async function openCatalog({
  file,
  source,
  intervalMs,
  onChange,
  onReport,
  onError,
}: LiveOptions): Promise<{ readonly catalog: Catalog; close(): Promise<void> }> {
  if (file === null) {
    if (source !== null)
      throw new SluiceError('SLUICE_CLI_USAGE', 'A price list is imported into a catalog file, and none is named.', {
        fix: 'Add --catalog FILE, in a folder that can be written.',
      });
    return { catalog: await loadCatalog(), close: () => Promise.resolve() };
  }
  // Before the first import there need not be a file yet.
  const catalog = source === null ? await loadCatalog(file) : catalogOf(await readBase(file));
  // The updater writes the file and the watch sees it, as it sees a person's edit: one way for new facts to come in.
  const watch = watchCatalogFile(file, { onChange, onError });
  const updater =
    source === null ? null : new CatalogUpdater({ source, file, intervalMs, onUpdate: (_, report) => onReport(report), onError });
  updater?.start();
  return {
    catalog,
    async close() {
      watch.close();
      await updater?.close();
    },
  };
}
