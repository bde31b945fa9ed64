import { SluiceError } from '../lib/errors.ts';
import type { ImportReport } from './changes.ts';
import { catalogOf, loadCatalog } from './index.ts';
import type { Catalog } from './types.ts';
import { CatalogUpdater, readBase } from './update.ts';
import { watchCatalogFile } from './watch.ts';

export interface LiveOptions {
  /** The catalog file to use and watch; null for the embedded catalog, which never changes. */
  readonly file: string | null;
  /** LiteLLM's price list to import into `file` on a schedule; null if none. */
  readonly source: string | null;
  /** Time between two imports, in ms. */
  readonly intervalMs: number;
  /** Called with new facts from an import or an edit of `file`. */
  readonly onChange: (catalog: Catalog) => void;
  /** Called after an import that changed or held something. */
  readonly onReport: (report: ImportReport) => void;
  /** Called on a failed import or a bad edit; the last good catalog stays. */
  readonly onError: (error: SluiceError) => void;
}

/** Loads a server's catalog and keeps it up to date. Throws SluiceError if the first one is bad. */
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
  // The file may not exist before the first import.
  const catalog = source === null ? await loadCatalog(file) : catalogOf(await readBase(file));
  // The updater writes the file and the watch notices it, like a person's edit: new facts arrive in only one way.
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
