import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { statSync } from 'node:fs';
import type { Catalog } from '../catalog/types.ts';
import { SluiceError } from '../errors.ts';
import { compilePolicy } from './compile.ts';
import { readPolicyFiles } from './source.ts';
import type { PolicyFile } from './source-map.ts';
import type { PolicyGeneration, PolicyStore, Problem } from './types.ts';

export interface FilePolicyOptions {
  /** A file or a folder. */
  readonly path: string;
  readonly catalog: Catalog;
  readonly onRuleError?: (rule: string, error: unknown) => void;
  /** Follow edits. */
  readonly watch: boolean;
}

/** Edits that no event tells of (network file systems, a subPath's parent) are found by looking this often, in ms. */
const pollMs = 400;

/** After an event, wait for the writer to finish, in ms. */
const settleMs = 40;

/** A policy kept in files. A bad edit changes nothing but `lastRefusal`; the last good generation stays. */
export class FilePolicyStore implements PolicyStore {
  readonly #options: FilePolicyOptions;
  #catalog: Catalog;
  #current: PolicyGeneration;
  #refusal: { readonly at: number; readonly problems: readonly Problem[] } | null = null;
  /** The text that was compiled last, good or bad: an event without a change costs a read. */
  #seen: string;
  readonly #changed = new Set<(generation: PolicyGeneration) => void>();
  readonly #refused = new Set<(problems: readonly Problem[]) => void>();
  readonly #watchers: FSWatcher[] = [];
  #poll: NodeJS.Timeout | null = null;
  #settle: NodeJS.Timeout | null = null;

  /** Throws SluiceError when the first policy is bad: a server must not start on nothing. */
  constructor(options: FilePolicyOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    const files = readPolicyFiles(options.path);
    this.#seen = fingerprint(files);
    const { generation, problems } = this.#compile(files, 1);
    if (generation === null) throw new SluiceError('SLUICE_POLICY_INVALID', `\n${renderProblems(problems)}\n`, { where: options.path });
    this.#current = generation;
    if (options.watch) this.#watch();
  }

  current(): PolicyGeneration {
    return this.#current;
  }

  lastRefusal(): { readonly at: number; readonly problems: readonly Problem[] } | null {
    return this.#refusal;
  }

  onChange(listener: (generation: PolicyGeneration) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  onRefusal(listener: (problems: readonly Problem[]) => void): () => void {
    this.#refused.add(listener);
    return () => this.#refused.delete(listener);
  }

  /** Compiles the policy again on other price facts. */
  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    this.#seen = '';
    this.refresh();
  }

  /** Looks at the files now. */
  refresh(): void {
    let files: PolicyFile[];
    try {
      files = readPolicyFiles(this.#options.path);
    } catch (error) {
      // Between two renames there may be nothing for a moment; what stays away is told once.
      this.#refuse('unreadable', [unreadable(this.#options.path, error)]);
      return;
    }
    const fingerprintNow = fingerprint(files);
    if (fingerprintNow === this.#seen) return;
    this.#seen = fingerprintNow;
    const { generation, problems } = this.#compile(files, this.#current.number + 1);
    if (generation === null) {
      this.#refuse(fingerprintNow, problems);
      return;
    }
    this.#current = generation;
    this.#refusal = null;
    for (const listener of this.#changed) listener(generation);
  }

  close(): Promise<void> {
    for (const watcher of this.#watchers) watcher.close();
    if (this.#poll !== null) clearInterval(this.#poll);
    if (this.#settle !== null) clearTimeout(this.#settle);
    return Promise.resolve();
  }

  #compile(files: readonly PolicyFile[], number: number) {
    return compilePolicy(files, {
      catalog: this.#catalog,
      number,
      ...(this.#options.onRuleError === undefined ? {} : { onRuleError: this.#options.onRuleError }),
    });
  }

  #refuse(fingerprintNow: string, problems: readonly Problem[]): void {
    if (fingerprintNow === 'unreadable') {
      if (this.#seen === fingerprintNow) return;
      this.#seen = fingerprintNow;
    }
    this.#refusal = { at: Date.now(), problems };
    for (const listener of this.#refused) listener(problems);
  }

  #watch(): void {
    const { path } = this.#options;
    const look = (): void => {
      if (this.#settle !== null) return;
      this.#settle = setTimeout(() => {
        this.#settle = null;
        this.refresh();
      }, settleMs);
    };
    // The folder, never the file: a rename or a `..data` swap leaves the old file's watch on nothing.
    const folder = statSync(path).isDirectory() ? path : dirname(path);
    try {
      const watcher = watch(folder, { persistent: false }, look);
      watcher.on('error', () => undefined);
      this.#watchers.push(watcher);
    } catch {
      // No inotify left: the poll below still sees every edit.
    }
    this.#poll = setInterval(() => this.refresh(), pollMs);
    this.#poll.unref();
  }
}

function fingerprint(files: readonly PolicyFile[]): string {
  return files.map((file) => `${file.name}\0${file.text}`).join('\0');
}

function unreadable(path: string, error: unknown): Problem {
  return { level: 'error', code: 'unreadable', file: path, line: 1, column: 1, path: '', message: error instanceof Error ? error.message : String(error), fix: 'Put the policy back; the last good one is still in force.' };
}

/** Problems as lines for people: `file:line:column level code: message. fix`. */
export function renderProblems(problems: readonly Problem[]): string {
  return problems
    .map(({ file, line, column, level, code, path, message, fix }) => `${file}:${line}:${column} ${level} ${code}${path === '' ? '' : ` at ${path}`}: ${message}. ${fix}`)
    .join('\n');
}
