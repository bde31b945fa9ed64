import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMap, isScalar, LineCounter, parseAllDocuments, type YAMLMap } from 'yaml';
import { withFile } from '../lib/read-file.ts';
import { limits } from '../lib/limits.ts';
import { besideName, exampleFilesNamed, isExampleFile } from './example-file.ts';
import type { PolicyFile } from './types.ts';

/** The policy that is used when none is given. */
export const defaultPolicyFile = new URL('./default-policy.yaml', import.meta.url);

/**
 * Reads a policy from a file, from a folder of .yaml/.yml files (a mounted ConfigMap: its links and `..data` are
 * followed), or from a Kubernetes manifest of ConfigMaps and LLMPolicies. Throws SluiceError when there is nothing to read.
 */
export function readPolicyFiles(path: string): PolicyFile[] {
  return withFile(path, () => {
    if (!statSync(path).isDirectory()) return withExamples(expand({ name: path, text: readBounded(path) }));
    return withExamples(policyNames(path).flatMap((name) => expand({ name: join(path, name), text: readBounded(join(path, name)) })));
  });
}

/** The files and the files of examples beside them that they name. One that does not exist is the compiler's to report. */
function withExamples(files: readonly PolicyFile[]): PolicyFile[] {
  const present = new Set(files.map(({ name }) => name));
  const used = new Set(files.flatMap((file) => exampleFilesNamed(file.text).map((name) => besideName(file.name, name))));
  return [
    // A manifest holds its examples itself, named or not.
    ...files.filter((file) => !isExampleFile(file) || used.has(file.name)),
    ...exampleFilesOf(files)
      .filter((name) => !present.has(name) && statSync(name, { throwIfNoEntry: false })?.isFile() === true)
      .map((name) => ({ name, text: readBounded(name) })),
  ];
}

function policyNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.') && /\.ya?ml$/.test(name))
    .sort();
}

function readBounded(path: string): string {
  const { size } = statSync(path);
  if (size > limits.policyBytes * 2) throw new Error(`${basename(path)} is ${size} bytes, no policy`);
  return readFileSync(path, 'utf8');
}

/** Turns a manifest into one policy file per key of a ConfigMap and one per LLMPolicy, with the manifest's own line numbers. */
function expand(file: PolicyFile): PolicyFile[] {
  if (!/^kind:\s*["']?(?:ConfigMap|LLMPolicy)["']?\s*$/m.test(file.text)) return [file];
  const lines = new LineCounter();
  const files: PolicyFile[] = [];
  for (const document of parseAllDocuments(file.text, { lineCounter: lines })) {
    if (!('contents' in document) || !isMap(document.contents)) continue;
    const metadata = document.contents.get('metadata');
    const namespace: unknown = isMap(metadata) ? metadata.get('namespace') : undefined;
    const own = typeof namespace === 'string' ? { namespace } : {};
    const kind = String(document.contents.get('kind', false));
    const held = document.contents.get(kind === 'ConfigMap' ? 'data' : 'spec');
    if (!isMap(held)) continue;
    if (kind === 'ConfigMap') files.push(...filesOfData(file, held, lines).map((each) => ({ ...each, ...own })));
    if (kind === 'LLMPolicy') files.push({ ...fileOfSpec(file, held, lines), ...own });
  }
  return files;
}

/** A file for each key of a ConfigMap's data that holds one. */
function filesOfData(file: PolicyFile, data: YAMLMap, lines: LineCounter): PolicyFile[] {
  return data.items.flatMap(({ key, value }): PolicyFile[] => {
    if (!isScalar(key) || !isScalar(value) || typeof value.value !== 'string' || !/\.(?:ya?ml|jsonl)$/.test(String(key.value))) return [];
    const { line, col } = lines.linePos(value.range?.[0] ?? 0);
    const name = `${file.name}#${String(key.value)}`;
    if (value.type !== 'BLOCK_LITERAL') return [{ name, text: value.value, at: { line, column: col } }];
    // A block scalar's text begins on the line after its `|`.
    const indent = /\n( +)\S/.exec(file.text.slice(value.range?.[0] ?? 0))?.[1]?.length ?? 0;
    return [{ name, text: value.value, lineOffset: line, columnOffset: indent }];
  });
}

/** An LLMPolicy's spec, which is the policy itself, cut out of the manifest. */
function fileOfSpec(file: PolicyFile, spec: YAMLMap, lines: LineCounter): PolicyFile {
  const [start, end] = spec.range ?? [0, 0];
  const { line, col } = lines.linePos(start);
  const text = file.text.slice(start, end);
  return {
    name: `${file.name}#spec`,
    // Its first line is behind the indentation of the others.
    text: spec.flow === true ? text : text.replaceAll(new RegExp(`^ {1,${col - 1}}`, 'gm'), ''),
    lineOffset: line - 1,
    columnOffset: col - 1,
  };
}

/** The files of examples that a policy's files name, whether or not they exist. */
export function exampleFilesOf(files: readonly PolicyFile[]): string[] {
  const named = files.flatMap((file) =>
    isExampleFile(file) ? [] : exampleFilesNamed(file.text).map((name) => besideName(file.name, name)),
  );
  return [...new Set(named)].filter((name) => !name.includes('#'));
}

/**
 * A signature that detects changes of the files without reading them: inode, size or times, also behind links. Empty if there is nothing to
 * look at. `examples`: files of examples that they name.
 */
export function policySignature(path: string, examples: readonly string[]): string {
  try {
    const own = statSync(path).isDirectory() ? policyNames(path).map((name) => join(path, name)) : [path];
    return [...own, ...examples].map(signatureOf).join('\n');
  } catch {
    return '';
  }
}

function signatureOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? `${path} missing` : `${path} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
