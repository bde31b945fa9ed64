import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, basename } from 'node:path';
import { isMap, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import type { PolicyFile } from './types.ts';

/** The policy that is used when none is given. */
export const defaultPolicyFile = new URL('./default-policy.yaml', import.meta.url);

/**
 * Reads a policy from a file, from a folder of .yaml/.yml files (a mounted ConfigMap: its links and `..data` are
 * followed), or from a Kubernetes manifest of a ConfigMap. Throws SluiceError when there is nothing to read.
 */
export function readPolicyFiles(path: string): PolicyFile[] {
  try {
    if (!statSync(path).isDirectory()) return expand({ name: path, text: readBounded(path) });
    const names = readdirSync(path)
      .filter((name) => !name.startsWith('.') && /\.ya?ml$/.test(name))
      .sort();
    return names.flatMap((name) => expand({ name: join(path, name), text: readBounded(join(path, name)) }));
  } catch (error) {
    throw new SluiceError('SLUICE_FILE_UNREADABLE', error instanceof Error ? error.message : String(error), { where: path, cause: error });
  }
}

function readBounded(path: string): string {
  const { size } = statSync(path);
  if (size > limits.policyBytes * 2) throw new Error(`${basename(path)} is ${size} bytes, no policy`);
  return readFileSync(path, 'utf8');
}

/** Turns a ConfigMap's manifest into one policy file per key, with the manifest's own line numbers. */
function expand(file: PolicyFile): PolicyFile[] {
  if (!/^kind:\s*["']?ConfigMap["']?\s*$/m.test(file.text)) return [file];
  const lines = new LineCounter();
  const files: PolicyFile[] = [];
  for (const document of parseAllDocuments(file.text, { lineCounter: lines })) {
    if (!('contents' in document) || !isMap(document.contents) || String(document.contents.get('kind', false)) !== 'ConfigMap') continue;
    const data = document.contents.get('data');
    if (!isMap(data)) continue;
    const metadata = document.contents.get('metadata');
    const namespace: unknown = isMap(metadata) ? metadata.get('namespace') : undefined;
    const own = typeof namespace === 'string' ? { namespace } : {};
    for (const { key, value } of data.items) {
      if (!isScalar(key) || !isScalar(value) || typeof value.value !== 'string' || !/\.ya?ml$/.test(String(key.value))) continue;
      const { line, col } = lines.linePos(value.range?.[0] ?? 0);
      if (value.type !== 'BLOCK_LITERAL') {
        files.push({ name: `${file.name}#${String(key.value)}`, text: value.value, ...own, at: { line, column: col } });
        continue;
      }
      // A block scalar's text begins on the line after its `|`.
      const indent = /\n( +)\S/.exec(file.text.slice(value.range?.[0] ?? 0))?.[1]?.length ?? 0;
      files.push({ name: `${file.name}#${String(key.value)}`, text: value.value, ...own, lineOffset: line, columnOffset: indent });
    }
  }
  return files;
}

/**
 * A signature that detects changes of the files without reading them: inode, size or times, also behind links. Empty if there is nothing to
 * look at.
 */
export function policySignature(path: string): string {
  try {
    if (!statSync(path).isDirectory()) return signatureOf(path);
    return readdirSync(path)
      .filter((name) => !name.startsWith('.') && /\.ya?ml$/.test(name))
      .sort()
      .map((name) => signatureOf(join(path, name)))
      .join('\n');
  } catch {
    return '';
  }
}

function signatureOf(path: string): string {
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return `${path} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
