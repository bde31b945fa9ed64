import type { Catalog } from '../catalog/types.ts';
import { compilePolicy, type CompileOptions } from './compile.ts';
import { PolicyCompiler, Rounds, whenThere, type Soon } from './compiler.ts';
import { HttpDocument, publicUrl, type HttpSource } from './http-document.ts';
import { PolicyFeed } from './feed.ts';
import type { KeptPolicy } from './kept.ts';
import { plainProblem } from './load.ts';

export interface HttpPolicyOptions extends HttpSource {
  readonly url: string;
  readonly catalog: Catalog;
  readonly onRuleError: (rule: string, error: unknown) => void;
  /** The last good policy on disk, active until the backend answers; null if none is kept. */
  readonly kept?: KeptPolicy | null;
  /** Called when the backend cannot be read; the active policy stays. Called once until it can be read again. */
  readonly onSourceError: (what: string, failure: string) => void;
}

/** Active until the backend has answered: requests are read and recorded, but not changed. */
const nothingRead = 'version: 1\ndefaults:\n  mode: off\n';

/** How long a start waits for the first answer, in ms. */
const firstAnswerMs = 5_000;

/** A whole policy at a URL, reloaded in the background when it is no longer fresh. A bad one changes only `lastRefusal`. */
export class HttpPolicyStore extends PolicyFeed {
  readonly #options: HttpPolicyOptions;
  readonly #document: HttpDocument;
  readonly #closing = new AbortController();
  readonly #name: string;
  #catalog: Catalog;
  readonly #compiler = new PolicyCompiler();
  readonly #rounds = new Rounds(() => this.#bringIn());
  /** A text that is not compiled yet; null if there is none. */
  #wanted: string | null = null;
  #wantsCatalog = false;
  #good = nothingRead;
  #timer: NodeJS.Timeout | null = null;
  #connected = false;
  #answered = false;
  #told = false;

  private constructor(options: HttpPolicyOptions) {
    super();
    this.#options = options;
    this.#catalog = options.catalog;
    this.#name = publicUrl(options.url);
    this.#document = new HttpDocument(options.url, options);
    const { generation } = compilePolicy([{ name: this.#name, text: nothingRead }], this.#how(1));
    if (generation === null) throw new Error('the empty policy does not compile');
    this.inForce = generation;
  }

  /** Resolves once the backend has answered, or after five seconds. Continues reading either way. */
  static async open(options: HttpPolicyOptions): Promise<HttpPolicyStore> {
    const store = new HttpPolicyStore(options);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([store.#refresh(), new Promise((resolve) => (timer = setTimeout(resolve, firstAnswerMs)))]);
    clearTimeout(timer);
    if (!store.#answered) store.#restore();
    return store;
  }

  /** Whether it is known what the policy is, or that there is none: from the backend or an earlier run. */
  get known(): boolean {
    return this.#answered || this.keptSince !== null;
  }

  #restore(): void {
    const kept = this.#options.kept?.load() ?? null;
    const text = kept?.files[0]?.text;
    if (kept === null || text === undefined) return;
    const { generation } = compilePolicy([{ name: this.#name, text }], this.#how(this.inForce.number + 1));
    if (generation === null) return;
    this.#good = text;
    this.keptSince = kept.savedAt;
    this.publish(generation);
  }

  /** Whether the last call to the backend succeeded. */
  get connected(): boolean {
    return this.#connected;
  }

  override get none(): boolean {
    return this.#good === nothingRead;
  }

  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    this.#wantsCatalog = true;
    void this.#rounds.run();
  }

  close(): Promise<void> {
    this.#closing.abort();
    this.#compiler.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    return Promise.resolve();
  }

  #how(number: number): CompileOptions {
    return { catalog: this.#catalog, number, onRuleError: this.#options.onRuleError };
  }

  async #refresh(): Promise<void> {
    const fetched = await this.#document.read(this.#closing.signal);
    if (this.#closing.signal.aborted) return;
    this.#connected = fetched.kind === 'text' || fetched.kind === 'same';
    if (fetched.kind === 'text') {
      this.#wanted = fetched.text;
      await this.#rounds.run();
      if (this.#closing.signal.aborted) return;
    }
    this.#answered ||= this.#connected;
    this.#timer = setTimeout(() => void this.#refresh(), this.#document.freshMs);
    this.#timer.unref();
    if (this.#connected) this.#told = false;
    else if (!this.#told) {
      this.#told = true;
      this.#options.onSourceError(
        `the policy at ${this.#name} cannot be read; what is in force stays`,
        fetched.kind === 'failed' ? fetched.why : 'there is none',
      );
    }
  }

  /** Compiles the newest text, and the active policy if only the catalog is new. */
  #bringIn(): Soon<void> {
    const [text, catalog] = [this.#wanted, this.#wantsCatalog];
    this.#wanted = null;
    this.#wantsCatalog = false;
    const taken = text === null ? false : this.#takeText(text);
    return whenThere(taken, (done) => (done || !catalog ? undefined : this.#compile(this.#good)));
  }

  /** True if it was compiled and is active now. */
  #takeText(text: string): Soon<boolean> {
    if (text === this.#good) {
      this.refusal = null;
      return false;
    }
    if (text.trim() !== '') return whenThere(this.#compile(text), () => text === this.#good);
    // An empty file from a backend is a mistake, as in a folder.
    this.refuse([plainProblem(this.#name, 'empty', 'the answer is empty', 'Answer 404 where there is no policy.')]);
    return false;
  }

  #compile(text: string): Soon<void> {
    const result = this.#compiler.compile([{ name: this.#name, text }], this.#how(this.inForce.number + 1));
    return whenThere(result, ({ generation, problems }) => {
      if (generation === null) {
        this.refuse(problems);
        return;
      }
      const edited = text !== this.#good;
      this.#good = text;
      if (edited) this.refusal = null;
      // Who hears of it must know that it is the backend's.
      this.#answered ||= edited;
      this.publish(generation);
      if (edited) this.#options.kept?.save(generation);
    });
  }
}
