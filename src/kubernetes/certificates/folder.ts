import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes files that belong together, as the kubelet writes those of a volume: readers see all old ones or all new ones, and a watch of the
 * folder sees a rename. Does nothing if they are there already.
 */
export function writeFolder(folder: string, files: Readonly<Record<string, string>>): void {
  if (Object.entries(files).every(([name, text]) => readOr(join(folder, name)) === text)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const data = `..${Date.now()}`;
  mkdirSync(join(folder, data), { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, data, name), text, { mode: 0o600 });
  const before = linkOr(join(folder, '..data'));
  const fresh = join(folder, '..data_tmp');
  rmSync(fresh, { force: true });
  symlinkSync(data, fresh);
  renameSync(fresh, join(folder, '..data'));
  for (const name of Object.keys(files))
    if (linkOr(join(folder, name)) === null) {
      rmSync(join(folder, name), { force: true });
      symlinkSync(join('..data', name), join(folder, name));
    }
  if (before !== null && before !== data) rmSync(join(folder, before), { recursive: true, force: true });
}

function readOr(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function linkOr(file: string): string | null {
  try {
    return readlinkSync(file);
  } catch {
    return null;
  }
}
