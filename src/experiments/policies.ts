import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Catalog } from '../catalog/types.ts';
import { compilePolicy, type CompileOptions } from '../policy/compile.ts';
import { PolicyCompiler, whenThere } from '../policy/compiler.ts';
import type { LivePolicyStore, PolicySnapshot, PolicySourceState, Problem, Provider } from '../policy/types.ts';
import { Rollout, type RolloutChange, type RolloutState } from './rollout.ts';

export interface RolloutPoliciesOptions {
  /** Source of policy edits. */
  readonly source: LivePolicyStore;
  readonly catalog: Catalog;
  /** File that keeps the state across restarts; null to keep none. */
  readonly file: string | null;
  readonly onRuleError: (rule: string, error: unknown) => void;
  readonly onChange: (change: RolloutChange) => void;
  /** Called when the file cannot be read or written; the rollout continues in memory. */
  readonly onError: (error: unknown) => void;
}

const policyFile = z.looseObject({ name: z.string(), text: z.string() });
const saved = z.object({
  version: z.literal(1),
  stable: z.object({ files: z.array(policyFile), resourceVersion: z.string().nullable() }),
  candidate: z.object({ hash: z.string(), stage: z.int().min(0) }).nullable(),
  kept: z.object({ files: z.array(policyFile), resourceVersion: z.string().nullable(), until: z.number() }).nullable(),
  rolledBack: z.array(z.string()),
  stopped: z.array(z.string()),
});
type Saved = z.infer<typeof saved>;

/**
 * The policies of a server: the one in force, the one rolling out, and the previous one, kept ready. Edits come from another store; the
 * rollout decides which policy a request gets.
 */
export class RolloutPolicies implements LivePolicyStore {
  readonly rollout: Rollout;
  /** Experiments stopped by hand before this start. */
  readonly stoppedBefore: readonly string[];
  readonly #options: RolloutPoliciesOptions;
  readonly #changed = new Set<(generation: PolicySnapshot) => void>();
  readonly #compiler = new PolicyCompiler();
  #catalog: Catalog;
  #stopped: readonly string[];
  #writing: Promise<void> = Promise.resolve();

  constructor(options: RolloutPoliciesOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    const newest = options.source.current();
    const before = this.#read();
    const stable = before === null ? newest : (this.#compile(before.stable) ?? newest);
    const kept = before?.kept == null ? null : this.#compile(before.kept);
    this.stoppedBefore = before?.stopped ?? [];
    this.#stopped = this.stoppedBefore;
    const state: RolloutState = {
      stable,
      candidate: null,
      kept: kept === null || before?.kept == null ? null : { generation: kept, until: before.kept.until },
      rolledBack: before?.rolledBack ?? [],
    };
    this.rollout = new Rollout(state, (change) => {
      options.onChange(change);
      this.#tell();
    });
    this.rollout.take(newest, before?.candidate?.hash === newest.hash ? before.candidate.stage : 0);
    options.source.onChange((generation) => {
      this.rollout.take(generation);
      this.#tell();
    });
    this.#save();
  }

  current(): PolicySnapshot {
    return this.rollout.stable;
  }

  /** The providers of all policies that may answer now or soon. */
  reachable(): { readonly providers: ReadonlyMap<string, Provider> } {
    const { stable, candidate, kept } = { ...this.rollout.state(), candidate: this.rollout.candidate };
    return { providers: new Map([...(kept?.generation.providers ?? []), ...(candidate?.providers ?? []), ...stable.providers]) };
  }

  /** Calls `listener` when the policy in force changes, or a rollout begins or ends. */
  onChange(listener: (generation: PolicySnapshot) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  lastRefusal(): ReturnType<LivePolicyStore['lastRefusal']> {
    return this.#options.source.lastRefusal();
  }

  onRefusal(listener: (problems: readonly Problem[]) => void): () => void {
    return this.#options.source.onRefusal(listener);
  }

  sources(): readonly PolicySourceState[] {
    return this.#options.source.sources();
  }

  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog;
    const { stable } = this.rollout;
    this.#options.source.setCatalog(catalog);
    // The source compiles its newest edit, at once or soon, and another policy may be in force.
    if (this.rollout.stable !== stable || this.#options.source.current().hash === stable.hash) return;
    void whenThere(this.#compiler.compile(stable.files, this.#how(stable.resourceVersion)), ({ generation }) => {
      if (generation !== null && this.rollout.stable === stable) this.rollout.refresh(generation);
    });
  }

  /** Stores the experiments stopped by hand. */
  keepStopped(names: readonly string[]): void {
    this.#stopped = names;
    this.#save();
  }

  async close(): Promise<void> {
    this.#compiler.close();
    await this.#options.source.close();
    await this.#writing;
  }

  #tell(): void {
    this.#save();
    for (const listener of this.#changed) listener(this.rollout.stable);
  }

  /** At a start only: requests would wait. */
  #compile({ files, resourceVersion }: Saved['stable']): PolicySnapshot | null {
    return compilePolicy(files, this.#how(resourceVersion)).generation;
  }

  #how(resourceVersion: string | null): CompileOptions {
    const { onRuleError, source } = this.#options;
    return { catalog: this.#catalog, number: source.current().number, resourceVersion, inOrder: true, onRuleError };
  }

  #read(): Saved | null {
    const { file } = this.#options;
    if (file === null) return null;
    try {
      const read = saved.safeParse(JSON.parse(readFileSync(file, 'utf8')));
      if (read.success) return read.data;
      this.#options.onError(read.error);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#options.onError(error);
    }
    return null;
  }

  /** Writes are sequential; the last one wins. */
  #save(): void {
    const { file } = this.#options;
    if (file === null) return;
    const { stable, candidate, kept, rolledBack } = this.rollout.state();
    const plain = ({ files, resourceVersion }: PolicySnapshot) => ({ files: files.map((one) => ({ ...one })), resourceVersion });
    const text = JSON.stringify({
      version: 1,
      stable: plain(stable),
      candidate,
      kept: kept === null ? null : { ...plain(kept.generation), until: kept.until },
      rolledBack: [...rolledBack],
      stopped: [...this.#stopped],
    } satisfies Saved);
    this.#writing = this.#writing
      .then(async () => {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(`${file}.new`, text, { mode: 0o600 });
        await rename(`${file}.new`, file);
      })
      .catch((error: unknown) => this.#options.onError(error));
  }
}
