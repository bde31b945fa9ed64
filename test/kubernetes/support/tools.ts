import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Tools that the Kubernetes tests run. `testkube` is etcd and all of Kubernetes in one binary. */
export type Tool = 'testkube' | 'helm';

/** Path of a tool in `$SLUICE_TEST_TOOLS` or on PATH; null when it is in neither. */
export function findTool(tool: Tool): string | null {
  for (const folder of [process.env['SLUICE_TEST_TOOLS'] ?? '', ...(process.env['PATH'] ?? '').split(delimiter)]) {
    if (folder === '') continue;
    const path = join(folder, tool);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: look on.
    }
  }
  return null;
}

/** What is missing, for the name of a test that is skipped; empty when all is there. */
export function missing(...tools: readonly Tool[]): string {
  const absent = tools.filter((tool) => findTool(tool) === null);
  return absent.length === 0 ? '' : ` (skipped: no ${absent.join(' and no ')} in $SLUICE_TEST_TOOLS or on PATH)`;
}
