import {
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type ErrorCode,
  type Node,
} from 'yaml';
import type { PolicyFile, Problem, ProblemLevel } from './types.ts';

/** A file in which problems are found. */
export interface PolicySource {
  readonly file: PolicyFile;
  /** A problem at a path of the document; `character`: UTF-16 units into the text there. */
  problem(level: ProblemLevel, code: string, path: readonly PropertyKey[], message: string, fix: string, character?: number): Problem;
}

/** One YAML file with its positions. */
export class SourceFile implements PolicySource {
  readonly file: PolicyFile;
  readonly document: Document;
  readonly #lines = new LineCounter();

  constructor(file: PolicyFile) {
    this.file = file;
    this.document = parseDocument(file.text, { lineCounter: this.#lines, uniqueKeys: true, merge: false });
  }

  /** Problems of the YAML itself. */
  syntaxProblems(): Problem[] {
    const { errors } = this.document;
    // One mistake in indentation or a colon causes two errors at one place.
    const first = errors.filter((error, at) => errors.findIndex(({ pos }) => pos[0] === error.pos[0]) === at);
    return first.length === 0
      ? this.#mergeKeys()
      : first.map(({ code, message, pos }) => {
          const key = code === 'DUPLICATE_KEY' ? /^[\w.-]+/.exec(this.file.text.slice(pos[0]))?.[0] : undefined;
          return {
            level: 'error',
            code: 'yaml',
            file: this.file.name,
            ...this.#position(pos[0]),
            path: '',
            message:
              code === 'MULTIPLE_DOCS'
                ? 'a second YAML document begins here (---)'
                : key === undefined
                  ? lowerFirst(message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, '')).replace(/\.$/, '')
                  : `${key} stands here twice`,
            fix: yamlFixes[code] ?? 'Correct the YAML here or in the line above.',
          };
        });
  }

  /** Merge keys belong to YAML 1.1, and readers differ on their meaning beside other keys: no setting may depend on that. */
  #mergeKeys(): Problem[] {
    const found: Problem[] = [];
    visit(this.document, {
      Pair: (_key, { key }) => {
        if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN') return;
        const fix = 'Write these settings out, or give the whole value an anchor (&name) and stand *name where it is meant.';
        found.push(
          this.problemAt('error', 'merge-key', offsetOf(key) ?? 0, 'merge keys (<<) are not taken: nothing would be merged here', fix),
        );
      },
    });
    return found;
  }

  /** The document as plain values; aliases are bounded. Throws on too many, and on keys that are lists or maps. */
  value(): unknown {
    // The library converts a collection used as a key into text, at a cost that grows with the cube of its depth.
    visit(this.document, {
      Pair: (_key, { key }) => {
        if (isCollection(key)) throw new Error('a key must be plain text');
      },
    });
    return this.document.toJS({ maxAliasCount: 50 });
  }

  /** A problem at a path of the document; `character`: UTF-16 units into the text there. */
  problem(level: ProblemLevel, code: string, path: readonly PropertyKey[], message: string, fix: string, character = 0): Problem {
    return { level, code, file: this.file.name, ...this.locate(path, character), path: pathText(path), message, fix };
  }

  /** A problem at an offset of the text, in UTF-16 units. */
  problemAt(level: ProblemLevel, code: string, offset: number, message: string, fix: string): Problem {
    return { level, code, file: this.file.name, ...this.#position(offset), path: '', message, fix };
  }

  /** Line and column of the nearest existing node to `path`: a missing key is shown at its parent. */
  locate(path: readonly PropertyKey[], character: number): { line: number; column: number } {
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
      if (isScalar(node) || isSeqItem(key, node)) offset = offsetOf(node) ?? offset;
    }
    return this.#position(offset + (character > 0 ? this.#inside(node, character) : 0));
  }

  /** The offset of a text's `character`th from its start in the file; 0 if escapes or folding hide that. */
  #inside(node: unknown, character: number): number {
    if (!isScalar(node) || typeof node.value !== 'string' || node.range == null) return 0;
    const raw = this.file.text.slice(node.range[0], node.range[1]);
    if (node.type === 'BLOCK_LITERAL') {
      const before = node.value.slice(0, character).split('\n');
      const lines = raw.split('\n');
      const line = before.length;
      const indent = /^ */.exec(lines[line] ?? '')![0].length;
      return lines.slice(0, line).join('\n').length + 1 + indent + before.at(-1)!.length;
    }
    const quote = node.type === 'PLAIN' ? 0 : 1;
    return raw.slice(quote, quote + node.value.length) === node.value ? quote + character : 0;
  }

  #position(offset: number): { line: number; column: number } {
    if (this.file.at !== undefined) return this.file.at;
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line) + (this.file.lineOffset ?? 0), column: Math.max(1, col) + (this.file.columnOffset ?? 0) };
  }
}

const yamlFixes: Readonly<Partial<Record<ErrorCode, string>>> = {
  TAB_AS_INDENT: 'Indent with spaces.',
  DUPLICATE_KEY: 'Keep one of them.',
  BLOCK_AS_IMPLICIT_KEY: 'Put a text that holds ": " in quotes, and indent the keys of one map alike.',
  MULTILINE_IMPLICIT_KEY: 'Put a text that holds ": " in quotes, and indent the keys of one map alike.',
  MULTIPLE_DOCS: 'Keep one document a file; a folder may hold several files.',
  BAD_INDENT: 'Indent the keys of one map, and the entries of one list, alike.',
};

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** A list entry is shown where it begins; a map under a key at its key. */
function isSeqItem(key: PropertyKey, node: unknown): boolean {
  return typeof key === 'number' && isMap(node);
}

function offsetOf(node: unknown): number | null {
  return (node as Node | null)?.range?.[0] ?? null;
}

/** A path as problems show it: `sections[0].tiers`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) text += typeof key === 'number' ? `[${key}]` : text === '' ? String(key) : `.${String(key)}`;
  return text;
}
