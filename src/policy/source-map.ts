import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import type { Problem, ProblemLevel } from './types.ts';

export interface PolicyFile {
  readonly name: string;
  readonly text: string;
  /** Lines before `text` in the file that people see (a ConfigMap's key inside its manifest). */
  readonly lineOffset?: number;
  readonly columnOffset?: number;
}

/** One YAML file with its positions. */
export class SourceFile {
  readonly file: PolicyFile;
  readonly document: Document;
  readonly #lines = new LineCounter();

  constructor(file: PolicyFile) {
    this.file = file;
    this.document = parseDocument(file.text, { lineCounter: this.#lines, uniqueKeys: true, merge: false });
  }

  /** Problems of the YAML itself. */
  syntaxProblems(): Problem[] {
    return this.document.errors.map((error) => ({
      level: 'error',
      code: 'yaml',
      file: this.file.name,
      ...this.#position(error.pos[0]),
      path: '',
      message: error.message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, ''),
      fix: 'Correct the YAML; a linter or `kubectl apply --dry-run=client` shows the same place.',
    }));
  }

  /** The document as plain values; aliases are bounded. Throws on too many. */
  value(): unknown {
    return this.document.toJS({ maxAliasCount: 50 });
  }

  problem(level: ProblemLevel, code: string, path: readonly PropertyKey[], message: string, fix: string): Problem {
    return { level, code, file: this.file.name, ...this.#locate(path), path: pathText(path), message, fix };
  }

  /** The nearest node to `path` that exists: a missing key is shown at its parent. */
  #locate(path: readonly PropertyKey[]): { line: number; column: number } {
    let node: unknown = this.document.contents;
    let offset = offsetOf(node) ?? 0;
    for (const key of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key));
        if (pair === undefined) break;
        offset = offsetOf(pair.key) ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(key)];
        if (node === undefined) break;
      } else {
        break;
      }
      if (!isMap(node) || isSeq(node)) offset = isScalar(node) || isMap(node) ? (offsetOf(node) ?? offset) : offset;
    }
    return this.#position(offset);
  }

  #position(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line) + (this.file.lineOffset ?? 0), column: Math.max(1, col) + (this.file.columnOffset ?? 0) };
  }
}

function offsetOf(node: unknown): number | null {
  return (node as Node | null)?.range?.[0] ?? null;
}

function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) text += typeof key === 'number' ? `[${key}]` : text === '' ? String(key) : `.${String(key)}`;
  return text;
}
