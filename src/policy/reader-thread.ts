import { Worker } from 'node:worker_threads';
import { loadFile, type LoadedFile, type ReadFile } from './load.ts';
import type { PolicyDocument } from './schema.ts';
import { pathText, type PolicySource } from './source-map.ts';
import type { PolicyFile, Problem } from './types.ts';

/** A place in a file of a job: `file` is its index, `character` counts UTF-16 units into the text there. */
export interface Place {
  readonly file: number;
  readonly path: readonly PropertyKey[];
  readonly character: number;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** Message to the thread: files to read, or places whose positions are asked for. The answer to the latter ends the job. */
export type ToReader =
  | { readonly kind: 'read'; readonly job: number; readonly files: readonly PolicyFile[] }
  | { readonly kind: 'locate'; readonly job: number; readonly places: readonly Place[] };

/** Message from the thread. `documents` holds null for a file that could not be read. */
export type FromReader =
  | {
      readonly kind: 'read';
      readonly job: number;
      readonly documents: readonly (PolicyDocument | null)[];
      readonly problems: readonly Problem[];
    }
  | { readonly kind: 'located'; readonly job: number; readonly positions: readonly Position[] };

/** The thread's part: keeps the files of each job until its places were asked for. */
export function readForThread(): (message: ToReader) => FromReader {
  const jobs = new Map<number, readonly (ReadFile | null)[]>();
  return (message) => {
    const { job } = message;
    if (message.kind === 'read') {
      const problems: Problem[] = [];
      const read = message.files.map((file) => loadFile(file, problems));
      jobs.set(job, read);
      return { kind: 'read', job, documents: read.map((file) => file?.document ?? null), problems };
    }
    const read = jobs.get(job);
    jobs.delete(job);
    return {
      kind: 'located',
      job,
      positions: message.places.map(({ file, path, character }) => read?.[file]?.source.locate(path, character) ?? { line: 1, column: 1 }),
    };
  };
}

/** A file that was read on the thread: its problems get their lines later. */
export class RemoteSource implements PolicySource {
  readonly file: PolicyFile;
  readonly #index: number;
  readonly #places: Map<Problem, Place>;

  /** `places` gets the place of each problem. */
  constructor(file: PolicyFile, index: number, places: Map<Problem, Place>) {
    this.file = file;
    this.#index = index;
    this.#places = places;
  }

  problem(level: Problem['level'], code: string, path: readonly PropertyKey[], message: string, fix: string, character = 0): Problem {
    const problem: Problem = { level, code, file: this.file.name, line: 1, column: 1, path: pathText(path), message, fix };
    this.#places.set(problem, { file: this.#index, path, character });
    return problem;
  }
}

/** Files that the thread read. */
export interface RemoteFiles {
  readonly loaded: readonly LoadedFile[];
  readonly problems: Problem[];
  /** Gives problems their lines. Ends the job on the thread. */
  readonly locate: (problems: readonly Problem[]) => Promise<readonly Problem[]>;
}

/** After so long without work the thread ends, in ms: it holds some 50 MB. */
const idleMs = 30_000;

/** A thread that reads policies, started by the first. A job whose thread ends is rejected. */
export class ReaderThread {
  readonly #waiting = new Map<number, { readonly resolve: (message: FromReader) => void; readonly reject: (error: Error) => void }>();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  #job = 0;

  async read(files: readonly PolicyFile[]): Promise<RemoteFiles> {
    const job = ++this.#job;
    const answer = await this.#ask({ kind: 'read', job, files });
    if (answer.kind !== 'read') throw new Error('the thread answered something else');
    const places = new Map<Problem, Place>();
    const loaded = answer.documents.flatMap((document, index) =>
      document === null ? [] : [{ document, source: new RemoteSource(files[index]!, index, places) }],
    );
    return { loaded, problems: [...answer.problems], locate: (problems) => this.#locate(job, problems, places) };
  }

  close(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
    this.#lose(new Error('the thread was ended'));
  }

  async #locate(job: number, problems: readonly Problem[], places: ReadonlyMap<Problem, Place>): Promise<readonly Problem[]> {
    const wanted = problems.filter((problem) => places.has(problem));
    const answer = await this.#ask({ kind: 'locate', job, places: wanted.map((problem) => places.get(problem)!) });
    if (answer.kind !== 'located') throw new Error('the thread answered something else');
    const positions = new Map(wanted.map((problem, at) => [problem, answer.positions[at]!]));
    return problems.map((problem) => ({ ...problem, ...positions.get(problem) }));
  }

  #ask(message: ToReader): Promise<FromReader> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.job, { resolve, reject });
      worker.postMessage(message);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./policy-worker.ts', import.meta.url), { name: 'policy-reader', execArgv: [], env: {} });
    worker.unref();
    worker.on('message', (message: FromReader) => {
      const waiting = this.#waiting.get(message.job);
      this.#waiting.delete(message.job);
      waiting?.resolve(message);
      if (this.#waiting.size === 0) this.#rest();
    });
    const gone = (): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#lose(new Error('the thread that reads policies ended'));
    };
    worker.on('error', gone);
    worker.on('exit', gone);
    return worker;
  }

  #rest(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), idleMs);
    this.#idle.unref();
  }

  #lose(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
