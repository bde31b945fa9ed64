import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { statSync } from 'node:fs';
import type { Catalog } from '../catalog/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { compilePolicy, type CompileOptions, type CompileResult } from './compile.ts';
import { PolicyCompiler, Rounds, whenThere, type Soon } from './compiler.ts';
import { PolicyFeed } from './feed.ts';
import { exampleFilesOf, policySignature, readPolicyFiles } from './source.ts';
import type { KeptPolicy } from './kept.ts';
import type { PolicyFile, PolicySnapshot, Problem } from './types.ts';
import { messageOf } from '../lib/message-of.ts';

export interface FilePolicyOptions {
  /** A file or a folder. */
  readonly path: string;
  readonly catalog: Catalog;
  readonly onRuleError?: (rule: string, error: unknown) => void;
  /** Follow edits. */
  readonly watch: boolean;
  /** The last good policy on disk, for a start that finds a bad one or none; if absent or null, such a start fails. */
  readonly kept?: KeptPolicy | null;
}

/** Poll interval for edits without file events (network file systems, a subPath's parent), in ms. */
const pollMs = 400;

/** A change is applied when two reads this far apart see the same text, in ms: a file that is still being written must not count. */
const settleMs = 100;

/** A policy in files. A bad edit changes only `lastRefusal`; the last good generation stays. */
export class FilePolicyStore extends PolicyFeed {
  readonly #options: FilePolicyOptions;
  #catalog: Catalog;
  /** The files of the current generation. */
  #good: readonly PolicyFile[];
  /** The text that was read last, good or bad; `unreadable` if there was none. */
  #seen: string;
  /** A text that was read once and is not applied yet. */
  #pending: string | null = null;
  #signature: string;
  /** Files of examples that the text read last names. */
  #examples: readonly string[] = [];
  readonly #compiler = new PolicyCompiler();
  readonly #rounds = new Rounds(() => this.#bringIn());
  /** An edit that is not compiled yet; null if there is none. */
  #wanted: readonly PolicyFile[] | null = null;
  #wantsCatalog = false;
  readonly #watchers: FSWatcher[] = [];
  #poll: NodeJS.Timeout | null = null;
  #settle: NodeJS.Timeout | null = null;

  /** Throws SluiceError if the first policy is bad: a server must not start without a policy. */
  constructor(options: FilePolicyOptions) {
    super();
    this.#options = options;
    this.#catalog = options.catalog;
    this.#signature = policySignature(options.path, []);
    let files: readonly PolicyFile[] | null = null;
    try {
      files = readPolicyFiles(options.path);
      const { generation, problems } = compilePolicy(files, this.#how(1));
      if (generation === null) throw new SluiceError('SLUICE_POLICY_INVALID', `\n${renderProblems(problems)}\n`, { where: options.path });
      this.#good = files;
      this.#seen = fingerprint(files);
      this.inForce = generation;
      options.kept?.save(generation);
    } catch (error) {
      const kept = options.kept?.load() ?? null;
      const before = kept === null ? null : compilePolicy(kept.files, this.#how(1)).generation;
      if (kept === null || before === null) throw error;
      this.#good = kept.files;
      this.#seen = files === null ? unreadableState : fingerprint(files);
      this.inForce = before;
      this.keptSince = kept.savedAt;
      this.refuse(files === null ? [unreadable(options.path, error)] : compilePolicy(files, this.#how(1)).problems);
    }
    this.#examples = exampleFilesOf(files ?? []);
    const { kept } = options;
    if (kept !== undefined && kept !== null) this.onChange((generation) => kept.save(generation));
    if (options.watch) this.#watch();
  }

  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    this.#wantsCatalog = true;
    void this.#rounds.run();
  }

  /** Reads the files now and applies them; a large policy is applied when the promise resolves. */
  refresh(): Soon<void> {
    const files = this.#read();
    return files === null ? undefined : this.#apply(files);
  }

  #read(): readonly PolicyFile[] | null {
    try {
      return readPolicyFiles(this.#options.path);
    } catch (error) {
      if (this.#seen !== unreadableState) this.refuse([unreadable(this.#options.path, error)]);
      this.#seen = unreadableState;
      return null;
    }
  }

  #apply(files: readonly PolicyFile[]): Soon<void> {
    const text = fingerprint(files);
    if (text === this.#seen) return;
    this.#seen = text;
    this.#wanted = files;
    return this.#rounds.run();
  }

  /** Compiles the newest edit, and the active policy if only the catalog is new. */
  #bringIn(): Soon<void> {
    const [files, catalog] = [this.#wanted, this.#wantsCatalog];
    this.#wanted = null;
    this.#wantsCatalog = false;
    const taken = files === null ? false : this.#takeEdit(files);
    return whenThere(taken, (done) => (done || !catalog ? undefined : this.#takeCatalog()));
  }

  /** True if it was compiled and is active now. */
  #takeEdit(files: readonly PolicyFile[]): Soon<boolean> {
    if (fingerprint(files) === fingerprint(this.#good)) {
      // Back to the active policy: nothing to compile, and the refusal is cleared.
      this.refusal = null;
      return false;
    }
    return whenThere(this.#compile(files), ({ generation, problems }) => {
      if (generation === null) this.refuse(problems);
      else {
        this.#good = files;
        this.#take(generation, false);
      }
      return generation !== null;
    });
  }

  #takeCatalog(): Soon<void> {
    const files = this.#good;
    return whenThere(this.#compile(files), ({ generation, problems }) => {
      if (generation === null) this.refuse(problems);
      else this.#take(generation, this.refusal !== null && fingerprint(files) !== this.#seen);
    });
  }

  #take(generation: PolicySnapshot, stillRefused: boolean): void {
    if (!stillRefused) this.refusal = null;
    this.publish(generation);
  }

  close(): Promise<void> {
    this.#compiler.close();
    for (const watcher of this.#watchers) watcher.close();
    if (this.#poll !== null) clearInterval(this.#poll);
    this.#poll = null;
    if (this.#settle !== null) clearTimeout(this.#settle);
    return Promise.resolve();
  }

  #compile(files: readonly PolicyFile[]): Soon<CompileResult> {
    return this.#compiler.compile(files, this.#how(this.inForce.number + 1));
  }

  #how(number: number): CompileOptions {
    const { onRuleError } = this.#options;
    return { catalog: this.#catalog, number, ...(onRuleError === undefined ? {} : { onRuleError }) };
  }

  /** Reads if something changed; applies the text if it is unchanged since the previous read. */
  #look(): void {
    const signature = policySignature(this.#options.path, this.#examples);
    if (signature === this.#signature && this.#pending === null) return;
    this.#signature = signature;
    let files: readonly PolicyFile[] | null = null;
    let text = unreadableState;
    try {
      files = readPolicyFiles(this.#options.path);
      text = fingerprint(files);
      this.#examples = exampleFilesOf(files);
    } catch {
      // Between two renames the files are briefly missing.
    }
    if (text !== this.#pending) {
      this.#pending = text;
      this.#lookSoon();
      return;
    }
    this.#pending = null;
    if (files === null) this.#read();
    else void this.#apply(files);
  }

  #lookSoon(): void {
    if (this.#settle !== null || this.#poll === null) return;
    this.#settle = setTimeout(() => {
      this.#settle = null;
      this.#look();
    }, settleMs);
    this.#settle.unref();
  }

  #watch(): void {
    this.#poll = setInterval(() => {
      if (this.#settle === null) this.#look();
    }, pollMs);
    this.#poll.unref();
    const { path } = this.#options;
    // Watch the folder, not the file: after a rename or a `..data` swap, a watch on the old file sees nothing.
    const folder = statSync(path).isDirectory() ? path : dirname(path);
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookSoon());
      watcher.on('error', () => undefined);
      this.#watchers.push(watcher);
    } catch {
      // No inotify watches left: the poll still sees every edit.
    }
  }
}

/** Replaces the text if it cannot be read. */
const unreadableState = 'unreadable';

function fingerprint(files: readonly PolicyFile[]): string {
  return files.map((file) => `${file.name}\0${file.text}`).join('\0');
}

function unreadable(path: string, error: unknown): Problem {
  return {
    level: 'error',
    code: 'unreadable',
    file: path,
    line: 1,
    column: 1,
    path: '',
    message: messageOf(error),
    fix: 'Put the policy back; the last good one is still in force.',
  };
}

/** Formats problems as lines: `file:line:column level code: message. fix`. */
export function renderProblems(problems: readonly Problem[]): string {
  return problems
    .map(
      ({ file, line, column, level, code, path, message, fix }) =>
        `${file}:${line}:${column} ${level} ${code}${path === '' ? '' : ` at ${path}`}: ${message}. ${fix}`,
    )
    .join('\n');
}
